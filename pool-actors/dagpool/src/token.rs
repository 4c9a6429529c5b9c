//! The admin token: what routes that change something ask for until users and roles exist.

use pool_actors::{config::Auth, error::Failure};
use rand::Rng;

/// The configured token, or a fresh random one (256 bits, hex) and `true` if it must be shown.
///
/// # Errors
/// When the configured secret can't be read.
pub(crate) fn admin_token(auth: &Auth) -> Result<(String, bool), Failure> {
    match &auth.admin_token {
        Some(secret) => Ok((secret.reveal()?, false)),
        None => Ok((hex::encode(rand::rng().random::<[u8; 32]>()), true)),
    }
}
