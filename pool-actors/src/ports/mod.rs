//! Traits that the outside implements. The bottom layer of the library: knows `pool-domain` only.

pub mod books;
pub mod cache;
pub mod clock;
pub mod deployments;
pub mod disk;
pub mod node;
pub mod notifier;
pub mod packages;
pub mod payouts;
pub mod store;
pub mod users;
pub mod wallet;
