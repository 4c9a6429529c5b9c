//! The admin token: may do everything, without a user and without the cache.

use pool_actors::{
    config::Auth,
    error::{Code, Failure},
};
use rand::Rng;

/// Shortest token that is taken: an empty file or variable must not open the pool to everybody.
const BYTES_MIN: usize = 16;

/// The configured token, or a fresh random one (256 bits, hex) and `true` if it must be shown.
///
/// # Errors
/// When the configured secret can't be read, or is so short that it can be guessed.
pub(crate) fn admin_token(auth: &Auth) -> Result<(String, bool), Failure> {
    match &auth.admin_token {
        Some(secret) => {
            let token = secret.reveal()?;
            if token.len() < BYTES_MIN {
                let what = format!("auth.admin_token has {} bytes, fewer than {BYTES_MIN}", token.len());
                return Err(Failure::new(
                    Code::ConfigInvalid,
                    what,
                    "use a long random one: openssl rand -hex 32",
                ));
            }
            Ok((token, false))
        }
        None => Ok((hex::encode(rand::rng().random::<[u8; 32]>()), true)),
    }
}
