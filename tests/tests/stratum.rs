//! The Stratum server: recorded transcripts of each kind of miner, session rules, rubbish on real sockets.

#[path = "stratum/migration.rs"]
mod migration;
#[path = "stratum/rig.rs"]
#[allow(unreachable_pub, dead_code, reason = "shared by the modules below")]
mod rig;
#[path = "stratum/rules.rs"]
mod rules;
#[path = "stratum/sockets.rs"]
mod sockets;
#[path = "stratum/transcripts.rs"]
mod transcripts;
