//! The rules of the pool, by themselves: no clock, no I/O, no async, no randomness, no floating point.
//!
//! Everything here is a plain function or a plain state machine that is told the time. Actors own the state and
//! call these rules; the simulator and the audits call the very same ones. `#![no_std]` lets the compiler refuse
//! clocks, threads and files. Collections are ordered (`BTreeMap`, sorted vectors) so that replaying the same
//! input always gives the same bytes.
//!
//! | topic | modules |
//! |---|---|
//! | names and amounts | [`ids`], [`units`] |
//! | proof of work | [`target`], [`difficulty`], [`merkle`], [`header`] |
//! | addresses | [`kaspa_address`] |
//! | a share | [`job`], [`share`], [`extranonce`], [`fingerprint`], [`dedup`], [`vardiff`] |
//! | who may connect | [`ban_list`] |
//! | hot-swap | [`isolation`], [`traffic_split`], [`functions`], [`rollout`], [`slot_health`] |
//! | money | [`share_window`], [`pplns`], [`split`], [`proof`], [`statement`], [`accounting`], [`postings`], [`maturity`], [`payout`], [`payout_plan`], [`currency`] |
//! | checks | [`invariants`], [`ghostdag`] |
//! | the machine | [`prefetch`] |
//! | errors | [`catalogue`] |
#![no_std]
extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod accounting;
pub mod ban_list;
pub mod catalogue;
pub mod currency;
pub mod dedup;
pub mod detector;
pub mod difficulty;
pub mod extranonce;
pub mod fingerprint;
pub mod functions;
pub mod ghostdag;
pub mod header;
pub mod ids;
pub mod invariants;
pub mod isolation;
pub mod job;
pub mod kaspa_address;
pub mod maturity;
pub mod merkle;
pub mod payout;
pub mod payout_plan;
pub mod postings;
pub mod pplns;
pub mod prefetch;
pub mod proof;
pub mod rollout;
pub mod severity;
pub mod share;
mod share_list;
pub mod share_window;
pub mod slot_health;
pub mod split;
pub mod statement;
pub mod target;
pub mod traffic_split;
pub mod units;
pub mod vardiff;
