//! How often somebody may try to sign in. Looked at before any hash is made.
//!
//! Three counts, each in windows of a minute: an account from one address, an address, an account from everywhere. Whoever goes
//! past one is locked out for a minute, then four, then sixteen, at most an hour; a day without it begins anew. The
//! counts are in the cache, so pools that share one share them. A lock on an account is narrow first (from that address),
//! so that a stranger can't easily keep its owner out.

use std::{net::IpAddr, time::Duration};

use pool_domain::units::TimeMs;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::ports::cache::{Cache, CacheError};

/// Tries in a window.
const WINDOW: Duration = Duration::from_secs(60);
/// Of an account from one address.
const PAIR_MAX: u64 = 5;
/// Of an address.
const ADDRESS_MAX: u64 = 20;
/// Of an account.
const ACCOUNT_MAX: u64 = 30;
/// First lock; each further one is four times as long.
const LOCK_FIRST_S: u64 = 60;
const LOCK_MAX_S: u64 = 3_600;
/// After so long without a lock the next one is a first one.
const MEMORY: Duration = Duration::from_secs(86_400);

/// Whether a try may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// It may.
    Admitted,
    /// Not before so many seconds.
    Locked {
        /// Seconds.
        wait_s: u64,
        /// This try was the one too many: to be written down, once.
        just_now: bool,
    },
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Lock {
    until: TimeMs,
}

/// See the module's documentation.
#[derive(Debug, Clone)]
pub(super) struct Throttle {
    cache: Cache,
}

/// Names in the cache hold nobody's name.
fn digest(text: &str) -> String {
    hex::encode(&Sha256::digest(text.to_lowercase().as_bytes())[..12])
}

/// What is counted, and how much of it is allowed.
fn counts(address: Option<IpAddr>, account: &str) -> Vec<(String, u64)> {
    let account = digest(account);
    let mut counts = Vec::with_capacity(3);
    if let Some(address) = address {
        counts.push((format!("sign-in:{account}:{address}"), PAIR_MAX));
        counts.push((format!("sign-in:{address}"), ADDRESS_MAX));
    }
    counts.push((format!("sign-in:{account}"), if address.is_some() { ACCOUNT_MAX } else { PAIR_MAX }));
    counts
}

impl Throttle {
    /// Counts in this cache.
    #[must_use]
    pub(super) fn new(cache: Cache) -> Self {
        Self { cache }
    }

    /// Counts a try to sign in as `account` from `address`.
    ///
    /// # Errors
    /// [`CacheError`]: nobody signs in without a count.
    pub(super) async fn admit(
        &self,
        address: Option<IpAddr>,
        account: &str,
        now: TimeMs,
    ) -> Result<Admission, CacheError> {
        let counts = counts(address, account);
        for (what, _) in &counts {
            let lock: Option<Lock> = self.cache.kept(&format!("lock:{what}")).await?;
            if let Some(wait_ms) =
                lock.map(|lock| lock.until.0.saturating_sub(now.0)).filter(|wait| *wait > 0)
            {
                return Ok(Admission::Locked { wait_s: wait_ms.div_ceil(1_000), just_now: false });
            }
        }
        for (what, most) in &counts {
            let counted = self.cache.count(what, WINDOW).await?;
            if counted.count > *most {
                // Of many tries at once one locks: it alone makes the next lock longer, and is written down.
                let name = format!("lock:{what}");
                let until = |wait_s: u64| Lock { until: TimeMs(now.0 + wait_s * 1_000) };
                let (mut wait_s, first) = (LOCK_FIRST_S, Duration::from_secs(LOCK_FIRST_S));
                if !self.cache.keep_first(&name, &until(wait_s), first).await? {
                    let lock: Option<Lock> = self.cache.kept(&name).await?;
                    let wait_ms = lock.map_or(0, |lock| lock.until.0.saturating_sub(now.0));
                    return Ok(Admission::Locked { wait_s: wait_ms.div_ceil(1_000).max(1), just_now: false });
                }
                let level = self.cache.count(&format!("level:{what}"), MEMORY).await?.count;
                let power = u32::try_from(level.saturating_sub(1)).unwrap_or(u32::MAX);
                if power > 0 {
                    wait_s = LOCK_FIRST_S.saturating_mul(4_u64.saturating_pow(power)).min(LOCK_MAX_S);
                    self.cache.keep(&name, &until(wait_s), Duration::from_secs(wait_s)).await?;
                }
                // The count stays: tries that passed the look at the lock a moment ago must not begin it anew. Its window ends
                // before the shortest lock, since nobody counts meanwhile.
                return Ok(Admission::Locked { wait_s, just_now: true });
            }
        }
        Ok(Admission::Admitted)
    }

    /// Somebody got in: their mistakes are forgotten. Those of the address stay, else one account of one's own would do to
    /// guess at others for ever.
    ///
    /// # Errors
    /// [`CacheError`].
    pub(super) async fn succeeded(&self, address: Option<IpAddr>, account: &str) -> Result<(), CacheError> {
        let of_address = address.map(|address| format!("sign-in:{address}"));
        for (what, _) in counts(address, account) {
            if Some(&what) != of_address.as_ref() {
                self.cache.forget_count(&what).await?;
                self.cache.forget_count(&format!("level:{what}")).await?;
            }
        }
        Ok(())
    }
}
