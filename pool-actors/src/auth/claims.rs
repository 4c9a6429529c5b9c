//! Which payout addresses are whose: shown by a signature of the address's key, or by the machines that mine for it.
//!
//! A claim decides about no money: balances go to the address whoever has claimed it. Its user is told of what happens to it,
//! and has it on the page ACCOUNT. A signature beats machines; who shows the same later has it, so that nobody can keep the
//! owner out for good.

use std::time::Duration;

use pool_domain::{ids::Account, units::TimeMs};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{Auth, Origin, Principal, Refused, same};
use crate::ports::users::{ClaimedAccount, ClaimedBy, Outcome};

/// What a password that shows a claim begins with.
pub const CLAIM_PREFIX: &str = "claim-";
/// A claim that was begun is good for so long, seconds.
const LIVES_S: u64 = 3_600;
/// Claims that a user may begin in an hour.
const BEGUN_MAX: u64 = 20;
/// Accounts of a user.
const ACCOUNTS_MAX: usize = 100;

/// A claim that was begun.
#[derive(Clone, Serialize, Deserialize)]
pub struct Claim {
    /// What a machine that mines for the account shows as its password.
    pub password: String,
    /// What the address's key signs.
    pub challenge: String,
    /// Until when.
    pub expires_at: TimeMs,
}

/// How a claim is shown.
pub enum Shown {
    /// By a signature of the challenge that was found good.
    Signature,
    /// By machines: what each address from which somebody mines for the account has shown, if anything.
    Workers(Vec<Option<String>>),
}

fn key(user: &str, account: &Account) -> String {
    let digest = Sha256::digest(format!("{user}\n{account}").as_bytes());
    format!("claim.{}", hex::encode(&digest[..16]))
}

impl Auth {
    /// Begins a claim; one that was begun before is void.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn begin_claim(&self, who: &Principal, account: &Account) -> Result<Claim, Refused> {
        let user = self.of(who).await?;
        let counted = self.cache.count(&format!("claims:{}", user.id), Duration::from_secs(3_600)).await?;
        if counted.count > BEGUN_MAX {
            return Err(Refused::Locked { wait_s: counted.ends_in.as_secs().max(1) });
        }
        let secret = hex::encode(rand::random::<[u8; 10]>());
        let expires_at = TimeMs(self.clock.now().0 + LIVES_S * 1_000);
        // The words name pool, user and address, so that a signature is good for nothing else.
        let challenge = format!(
            "{}: the user {} claims the address {account}. Number {}, good until {} (Unix milliseconds).",
            self.pool_name,
            user.username,
            hex::encode(rand::random::<[u8; 8]>()),
            expires_at.0
        );
        let claim = Claim { password: format!("{CLAIM_PREFIX}{secret}"), challenge, expires_at };
        self.cache.put_session(&key(&user.id, account), &claim, Duration::from_secs(LIVES_S)).await?;
        Ok(claim)
    }

    /// The claim that was begun.
    ///
    /// # Errors
    /// [`Refused::Conflict`] when none is under way.
    pub async fn begun_claim(&self, who: &Principal, account: &Account) -> Result<Claim, Refused> {
        let user = self.of(who).await?;
        let claim: Option<Claim> = self.cache.session(&key(&user.id, account)).await?;
        let claim = claim.filter(|claim| claim.expires_at > self.clock.now());
        claim.ok_or_else(|| Refused::Conflict("no claim of this address is under way: begin one".into()))
    }

    /// The account is the user's, if it was shown.
    ///
    /// # Errors
    /// [`Refused::Conflict`], with what is missing.
    pub async fn claim(
        &self,
        from: &Origin,
        who: &Principal,
        account: &Account,
        shown: Shown,
    ) -> Result<ClaimedBy, Refused> {
        let claim = self.begun_claim(who, account).await?;
        let by = match shown {
            Shown::Signature => ClaimedBy::Signature,
            Shown::Workers(places) => {
                let shows = |place: &&Option<String>| {
                    place
                        .as_ref()
                        .is_some_and(|password| same(password.as_bytes(), claim.password.as_bytes()))
                };
                let showing = places.iter().filter(shows).count();
                if showing == 0 || showing < places.len() {
                    return Err(Refused::Conflict(format!(
                        "the password was shown from {showing} of {} addresses that mine for {account} now: a machine \
                         at each must show it, and have a share accepted",
                        places.len()
                    )));
                }
                ClaimedBy::Workers
            }
        };
        let user = self.of(who).await?;
        if self.users.accounts_of(user.id.clone()).await?.len() >= ACCOUNTS_MAX {
            return Err(Refused::Conflict(format!(
                "{ACCOUNTS_MAX} addresses are yours: give one back first"
            )));
        }
        let at = self.clock.now();
        if !self.users.claim_account(at, account.to_string(), user.id.clone(), by).await? {
            return Err(Refused::Conflict(
                "the address is claimed by its key, or nobody has mined for it yet".into(),
            ));
        }
        // Once.
        self.cache.end_session(&key(&user.id, account)).await?;
        let after = json!({ "by": by.as_str() });
        let name = &user.username;
        self.trail
            .note(
                name,
                from.address,
                "auth.account.claim",
                account.as_str(),
                Outcome::Done,
                None,
                Some(after),
            )
            .await;
        Ok(by)
    }

    /// Gives an account back.
    ///
    /// # Errors
    /// [`Refused::NoSuch`].
    pub async fn release_account(
        &self,
        from: &Origin,
        who: &Principal,
        account: &Account,
    ) -> Result<(), Refused> {
        let user = self.of(who).await?;
        if !self.users.release_account(account.to_string(), user.id.clone()).await? {
            return Err(Refused::NoSuch("address of yours"));
        }
        let name = &user.username;
        self.trail
            .note(name, from.address, "auth.account.release", account.as_str(), Outcome::Done, None, None)
            .await;
        Ok(())
    }

    /// The user's accounts.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn accounts(&self, who: &Principal) -> Result<Vec<ClaimedAccount>, Refused> {
        let user = self.of(who).await?;
        Ok(self.users.accounts_of(user.id).await?)
    }
}
