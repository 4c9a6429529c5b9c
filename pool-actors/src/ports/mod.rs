//! Traits that the outside implements. The bottom layer of the library: knows `pool-domain` only.

pub mod archive;
pub mod books;
pub mod cache;
pub mod clock;
pub mod deployments;
pub mod disk;
pub mod logs;
pub mod mailer;
pub mod node;
pub mod notifier;
pub mod packages;
pub mod payouts;
pub mod personal;
pub mod points;
#[cfg(any(feature = "otel", test))]
pub mod spans;
pub mod store;
pub mod system;
pub mod users;
pub mod wallet;
