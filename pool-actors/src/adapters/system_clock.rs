//! The system's clocks: the wall clock, and the monotonic one.

use std::{
    sync::OnceLock,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

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

    fn steady(&self) -> TimeMs {
        static BEGUN: OnceLock<(Instant, TimeMs)> = OnceLock::new();
        // From the wall clock's time on, since many figures hold 0 for "never".
        let (begun, at) = BEGUN.get_or_init(|| (Instant::now(), self.now()));
        at.plus_ms(u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}
