//! The system's wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

use pool_domain::units::TimeMs;

use crate::ports::clock::Clock;

/// [`Clock`] of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one home of the system clock")]
    fn now(&self) -> TimeMs {
        // A clock set before 1970 is as good as none.
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        TimeMs(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
    }
}
