//! How the cache fares, and what is exchanged through it.

use std::net::IpAddr;

use pool_domain::{
    ban_list::{Ban, BanList},
    units::TimeMs,
};
use serde::Serialize;

/// The cache at a moment, in a watch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CacheStatus {
    /// What it is: "memory" or "redis".
    pub name: &'static str,
    /// Why it can't be used, while it can't.
    pub error: Option<String>,
    /// Since when that is so, or has been well.
    pub since: TimeMs,
}

/// The bans in force, behind whoever enforces them.
pub trait BanDesk: Send + Sync {
    /// The last decision about each address.
    fn list(&self) -> BanList;

    /// How often this pool itself banned or lifted.
    fn changes(&self) -> u64;

    /// Takes over what other pools decided later.
    fn take(&self, bans: &BanList);

    /// Bans an address because an operator said so, with their words. Returns what was banned (of IPv6, the network).
    fn forbid(&self, address: IpAddr, for_ms: u64, why: &str) -> (IpAddr, Ban);

    /// An operator's words about a ban that was made at this pool.
    fn words(&self, address: IpAddr, ban: &Ban) -> Option<String>;

    /// Lifts a ban; whether there was one.
    fn lift(&self, address: IpAddr) -> bool;
}
