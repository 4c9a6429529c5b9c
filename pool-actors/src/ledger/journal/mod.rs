//! The share journal: the truth about accepted work.
//!
//! Append-only, one writer, numbers without gaps, hash-chained, and sound after `kill -9` at any byte. A share is
//! acknowledged only when the commit that holds it has succeeded; everything else (ledger, database, statistics) is fed
//! from here. The format is in [`format`], the promises and their limits in `pool-actors/docs/journal.md`.
//!
//! ```text
//! validators -> JournalShard (one per arbiter; a group under way, the next one forming)
//!                   -> commit thread: all groups, one frame, one write, one sync -> GroupDone -> verdicts to sessions
//!                                                                                \-> JournalState -> ledger's cursor
//! ```

mod catalogue;
mod committer;
mod copy;
mod fault;
pub mod format;
mod frame_writer;
mod interned;
mod reader;
pub mod record;
mod recovery;
mod shard;
mod spares;
mod varint;
mod writer;

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod shard_tests;
#[cfg(test)]
mod tests;

pub use committer::{CommitCore, CommitHandle, OnFailure};
pub use copy::{Copied, copy_journal};
pub use fault::JournalFault;
pub use frame_writer::{FrameWriter, NewShare};
pub use interned::Names;
pub use reader::{Cursor, Entry, JournalReader, ShareEntry, Verified, entry_of};
pub use record::Record;
pub use shard::JournalShard;
pub use writer::{BudgetLevel, Durability, Journal, JournalState, Lane, Options, Recovery};
