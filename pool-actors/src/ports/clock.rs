//! Time as the pool sees it. The system clock is an adapter; tests and the deterministic world bring their own.

use pool_domain::units::TimeMs;

/// Source of wall-clock time. Implementations never go backwards by more than the operator's clock does.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since the Unix epoch, UTC.
    fn now(&self) -> TimeMs;
}

/// A clock shared by all actors.
pub type SharedClock = std::sync::Arc<dyn Clock>;
