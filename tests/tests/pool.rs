//! The pool as a whole: a real process between a simulated node's RPC and real Stratum sockets.

#[path = "pool/actors.rs"]
mod actors;
#[path = "pool/alerts.rs"]
mod alerts;
#[path = "pool/audit.rs"]
mod audit;
#[path = "pool/backup.rs"]
mod backup;
#[path = "pool/cache.rs"]
mod cache;
#[path = "pool/claims.rs"]
mod claims;
#[path = "pool/cli.rs"]
mod cli;
#[path = "pool/clock.rs"]
mod clock;
#[path = "pool/database_faults.rs"]
mod database_faults;
#[path = "pool/demo.rs"]
mod demo;
#[path = "pool/disk.rs"]
mod disk;
#[path = "pool/faults.rs"]
mod faults;
#[path = "pool/http_limits.rs"]
mod http_limits;
#[path = "pool/influx.rs"]
mod influx;
#[path = "pool/init.rs"]
mod init;
#[path = "pool/inside.rs"]
mod inside;
#[path = "pool/kaspa.rs"]
mod kaspa;
#[path = "pool/kill.rs"]
mod kill;
#[path = "pool/mail.rs"]
mod mail;
#[path = "pool/migrate.rs"]
mod migrate;
#[path = "pool/mining.rs"]
mod mining;
#[path = "pool/monitoring.rs"]
mod monitoring;
#[path = "pool/native.rs"]
mod native;
#[path = "pool/packages.rs"]
mod packages;
#[path = "pool/payout_faults.rs"]
mod payout_faults;
#[path = "pool/payouts.rs"]
mod payouts;
#[path = "pool/personal.rs"]
mod personal;
#[path = "pool/poison.rs"]
mod poison;
#[path = "pool/postgres.rs"]
mod postgres;
#[path = "pool/reload.rs"]
mod reload;
#[path = "pool/reorganisation.rs"]
mod reorganisation;
#[path = "pool/sign_in.rs"]
mod sign_in;
#[path = "pool/swap.rs"]
mod swap;
#[path = "pool/swap_memory.rs"]
mod swap_memory;
#[path = "pool/traces.rs"]
mod traces;
#[path = "pool/unusual.rs"]
mod unusual;
#[path = "pool/upgrade.rs"]
mod upgrade;
