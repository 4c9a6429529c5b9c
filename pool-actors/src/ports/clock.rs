//! Time as the pool sees it. The system clock is an adapter; tests and the deterministic world bring their own.

use pool_domain::units::TimeMs;

/// Source of time. A clock that never steps needs to tell nothing but [`Clock::now`].
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since the Unix epoch, UTC: for what is written down. It steps when somebody sets the clock.
    fn now(&self) -> TimeMs;

    /// Milliseconds since some moment: for how long something took or may take. It only goes forward, and at the pace of real
    /// time. Never compare it with [`Self::now`].
    fn steady(&self) -> TimeMs {
        self.now()
    }
}

/// A clock shared by all actors.
pub type SharedClock = std::sync::Arc<dyn Clock>;
