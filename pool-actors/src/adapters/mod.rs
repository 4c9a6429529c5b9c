//! The outside, behind the traits of [`crate::ports`]. Adapters see only the domain and the ports; the system clock is
//! read here and nowhere else.

mod archive_file;
pub mod cache_memory;
pub mod cache_redis;
mod certificates;
pub mod disk_folder;
pub mod disk_memory;
pub mod influx;
mod migrations;
pub mod node_bip22;
mod node_dag_memory;
mod node_endpoints;
pub mod node_kaspa;
pub mod notify;
#[cfg(any(feature = "otel", test))]
pub mod otlp;
pub mod package_shelf;
pub mod postgres;
pub mod signer_socket;
pub mod sqlite;
pub mod system_clock;
pub mod system_linux;
mod weights;

pub use archive_file::FileArchive;
pub use migrations::Migration;

/// The body of a thread that works for a store; ends when the last handle of the store is dropped.
pub type StoreThread = Box<dyn FnOnce() + Send>;
