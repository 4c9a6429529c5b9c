//! The share journal in service: opened and recovered, with its commit thread, a shard per arbiter, and its retention.

use std::{sync::Arc, time::Duration};

use pool_domain::units::TimeMs;

use super::start::{refused, stop_on_panic};
use crate::{
    config,
    error::{Code, Failure},
    ledger::journal::{
        BudgetLevel, CommitCore, CommitHandle, Durability, Journal, JournalReader, JournalShard, Options,
    },
    messages::ledger::LedgerSummary,
    ports::{
        clock::{Clock, SharedClock},
        disk::SharedDisk,
    },
    runtime::{
        Runtime,
        shutdown::StopReason,
        supervisor::{Supervised, supervise},
        threads::Thread,
        watch::Publisher,
    },
};

/// How often segments that nobody needs any more are dropped.
const RETENTION_EVERY: Duration = Duration::from_secs(60);

/// The journal with its shards, once it is open.
pub(super) struct OpenJournal {
    pub(super) shards: Vec<Supervised<JournalShard>>,
    pub(super) reader: JournalReader,
    pub(super) epoch: u64,
    pub(super) thread: Thread,
}

/// Opens and recovers the journal, begins a new epoch, and starts the commit thread and the shards.
pub(super) fn open(
    runtime: &Runtime,
    config: &config::Journal,
    disk: &SharedDisk,
    clock: &SharedClock,
) -> Result<OpenJournal, Failure> {
    let options = Options {
        durability: match config.durability {
            config::Durability::Disk => Durability::Disk,
            config::Durability::Os => Durability::Os,
        },
        segment_bytes: config.segment_bytes,
        budget_bytes: config.disk_budget_bytes,
    };
    let (mut journal, found) = Journal::open(Arc::clone(disk), options).map_err(|fault| unusable(&fault))?;
    let epoch = journal.begin_epoch(clock.now()).map_err(|fault| unusable(&fault))?;
    tracing::info!(
        committed = found.committed.0,
        truncated_bytes = found.truncated_bytes,
        epoch,
        "journal open"
    );
    let reader = journal.reader();
    let shutdown = runtime.shutdown.clone();
    let core = CommitCore::new(
        journal,
        Box::new(move |sentence| {
            shutdown.stop(StopReason::failure(Code::JournalUnusable.as_str(), sentence));
        }),
    );
    let interval = Duration::from_micros(config.commit_interval_us_min);
    let (commit, thread) =
        CommitHandle::thread(core, interval).map_err(|error| refused("threads", &error))?;
    let shards = (0..runtime.arbiters.seats())
        .map(|seat| {
            let commit = commit.clone();
            let spec = stop_on_panic(&format!("journal-shard-{seat}"), "JournalShard", seat);
            supervise(runtime, spec, move |_| JournalShard::new(commit.clone())).observable()
        })
        .collect();
    Ok(OpenJournal { shards, reader, epoch, thread })
}

fn unusable(fault: &impl std::fmt::Display) -> Failure {
    Failure::new(Code::JournalUnusable, fault.to_string(), "see pool-actors/docs/journal.md")
}

/// What keeps the journal from taking shares for ever, if anything does.
pub(super) fn trouble(reader: &JournalReader) -> Arc<dyn Fn() -> Option<String> + Send + Sync> {
    let state = reader.state();
    Arc::new(move || {
        let state = state.get();
        state.failed.clone().or_else(|| match state.budget {
            BudgetLevel::Ample => None,
            BudgetLevel::Low => Some("the share journal has used 80% of its disk budget".to_owned()),
            BudgetLevel::Exhausted => Some("the share journal's disk budget is used up".to_owned()),
        })
    })
}

/// The wall clock's time, but no later than real time has come since the process began: a clock that is set forward must not
/// cost what would have been kept.
fn no_later((wall, steady): (TimeMs, TimeMs), clock: &dyn Clock) -> TimeMs {
    clock.now().min(wall.plus_ms(clock.steady().since(steady)))
}

/// Drops segments that the ledger has taken in and that are older than the retention, or in the way of new shares.
pub(super) fn keep_retention(
    runtime: &Runtime,
    reader: &JournalReader,
    summary: &Arc<Publisher<LedgerSummary>>,
    clock: &SharedClock,
    config: &config::Journal,
) {
    let (reader, summary, clock) = (reader.clone(), summary.watched(), Arc::clone(clock));
    let (retention_ms, shutdown) = (config.retention_s.saturating_mul(1_000), runtime.shutdown.clone());
    // Below where an alert is raised: that is for records that can't be dropped.
    let bytes_max = config.disk_budget_bytes / 4 * 3;
    let begun = (clock.now(), clock.steady());
    actix_rt::spawn(async move {
        loop {
            tokio::select! {
                _ = shutdown.requested() => return,
                () = tokio::time::sleep(RETENTION_EVERY) => {}
            }
            let older_than = TimeMs(no_later(begun, &*clock).0.saturating_sub(retention_ms));
            let needed_after = summary.get().journal_needed_after;
            let retained = reader.retain(needed_after, older_than);
            match retained.and_then(|old| Ok(old + reader.make_room(needed_after, bytes_max)?)) {
                Ok(0) => {}
                Ok(dropped) => tracing::info!(
                    dropped,
                    "journal segments past their retention, or short of room, are gone"
                ),
                Err(fault) => tracing::warn!("journal retention: {fault}"),
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Clocks(u64, u64);

    impl Clock for Clocks {
        fn now(&self) -> TimeMs {
            TimeMs(self.0)
        }

        fn steady(&self) -> TimeMs {
            TimeMs(self.1)
        }
    }

    #[test]
    fn a_clock_that_is_set_forward_makes_nothing_older() {
        let begun = (TimeMs(1_000_000), TimeMs(500));
        for (wall, steady, told) in
            [(1_000_070, 570, 1_000_070), (9_000_000, 570, 1_000_070), (400, 570, 400)]
        {
            assert_eq!(no_later(begun, &Clocks(wall, steady)), TimeMs(told));
        }
    }
}
