//! One reward window per hash function, fed in the journal's order and rebuilt from it after a restart.

use std::collections::BTreeMap;

use pool_domain::{
    ids::{Account, AlgorithmName, ShareSeq},
    pplns::{BlockFound, Scheme, ShareWindow, WindowError, WindowState, window_work},
    units::{BasisPoints, Work},
};
use serde::{Deserialize, Serialize};

use super::feed::{FeedError, LedgerFeed, RecordKind};
use crate::ports::store::{Split, WindowMark};

/// Shares are kept until they are worth this many windows of the newest block, window included: for siblings found
/// late, and for a network difficulty that rises. A window that reaches further is rebuilt from the journal.
const KEPT_WINDOWS: u128 = 8;
/// Records read at a time while a window is rebuilt.
const REBUILD_BATCH: usize = 50_000;

/// How rewards are shared, from the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RewardPolicy {
    /// How shares become weights.
    pub scheme: Scheme,
    /// The pool's fee.
    pub fee: BasisPoints,
}

impl RewardPolicy {
    const fn scheme_name(&self) -> &'static str {
        match self.scheme {
            Scheme::Pplns { .. } => "pplns",
            Scheme::Prop => "prop",
            Scheme::Solo => "solo",
        }
    }
}

/// A window and what its next block needs to know.
#[derive(Debug)]
struct Tracked {
    shares: ShareWindow,
    /// Winning share of the newest block, for rounds.
    previous: ShareSeq,
    /// Winning share of the block before that: siblings of the newest may still be found behind it.
    before_previous: ShareSeq,
    /// Network work of the newest block.
    network_work: Work,
    changed: bool,
}

/// What is stored of a window beside its place.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct StoredWindow {
    shares: usize,
    previous: ShareSeq,
    before_previous: ShareSeq,
    network_work: Work,
}

/// The windows of all hash functions.
#[derive(Debug)]
pub struct Windows {
    policy: RewardPolicy,
    by_algorithm: BTreeMap<AlgorithmName, Tracked>,
}

impl Windows {
    /// No shares yet.
    #[must_use]
    pub const fn new(policy: RewardPolicy) -> Self {
        Self { policy, by_algorithm: BTreeMap::new() }
    }

    /// Rebuilds the windows from their marks and the journal's records through `position`.
    ///
    /// # Errors
    /// When the journal does not hold what the marks say.
    pub fn restore(
        policy: RewardPolicy,
        marks: &[WindowMark],
        position: ShareSeq,
        feed: &mut dyn LedgerFeed,
    ) -> Result<Self, FeedError> {
        let mut windows = Self::new(policy);
        let mut stored = BTreeMap::new();
        for mark in marks {
            let state: StoredWindow = serde_json::from_slice(&mark.state).map_err(|error| {
                FeedError(format!("the stored window of {} is damaged: {error}", mark.algorithm))
            })?;
            let tracked = Tracked {
                shares: empty_after(ShareSeq(mark.oldest.0.saturating_sub(1))),
                previous: state.previous,
                before_previous: state.before_previous,
                network_work: state.network_work,
                changed: false,
            };
            windows.by_algorithm.insert(mark.algorithm.clone(), tracked);
            stored.insert(mark.algorithm.clone(), (mark, state));
        }
        let from = windows.by_algorithm.values().map(|tracked| tracked.shares.dropped_through()).min();
        let Some(from) = from else { return Ok(windows) };
        // A window that was rebuilt from all there was begins before what is kept.
        let from = from.max(feed.oldest()?);
        each_share(feed, from, position, |seq, algorithm, account, work| {
            if let Some(tracked) = windows.by_algorithm.get_mut(algorithm)
                && seq > tracked.shares.dropped_through()
            {
                push(&mut tracked.shares, seq, account, work)?;
            }
            Ok(())
        })?;
        for (algorithm, tracked) in &windows.by_algorithm {
            let (mark, state) = &stored[algorithm];
            if tracked.shares.newest() != mark.newest || tracked.shares.len() != state.shares {
                return Err(FeedError(format!(
                    "the window of {algorithm} comes out as {} shares up to {} where the database says {} up to {}: journal and database do not belong together; restore both from the same backup",
                    tracked.shares.len(),
                    tracked.shares.newest(),
                    state.shares,
                    mark.newest
                )));
            }
        }
        Ok(windows)
    }

    /// Takes in an accepted share.
    ///
    /// # Errors
    /// When places do not rise.
    pub fn push(
        &mut self,
        seq: ShareSeq,
        algorithm: &AlgorithmName,
        account: &Account,
        work: Work,
    ) -> Result<(), FeedError> {
        let tracked = self.tracked(algorithm);
        tracked.changed = true;
        push(&mut tracked.shares, seq, account, work)
    }

    fn tracked(&mut self, algorithm: &AlgorithmName) -> &mut Tracked {
        if !self.by_algorithm.contains_key(algorithm) {
            let fresh = Tracked {
                shares: ShareWindow::new(),
                previous: ShareSeq(0),
                before_previous: ShareSeq(0),
                network_work: Work::ZERO,
                changed: true,
            };
            self.by_algorithm.insert(algorithm.clone(), fresh);
        }
        self.by_algorithm.get_mut(algorithm).expect("it was inserted above")
    }

    /// The newest share of this function; 0 when there was none.
    #[must_use]
    pub fn newest(&self, algorithm: &AlgorithmName) -> ShareSeq {
        self.by_algorithm.get(algorithm).map_or(ShareSeq(0), |tracked| tracked.shares.newest())
    }

    /// Who is paid for a block of this function whose winning share is `anchor`. Where the windows do not reach far
    /// enough back, they are rebuilt from all that the journal keeps through `position`. `None` when there is no such
    /// share, so that nobody but the finder can be paid.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn split(
        &mut self,
        algorithm: &AlgorithmName,
        anchor: ShareSeq,
        network_work: Work,
        position: ShareSeq,
        feed: &mut dyn LedgerFeed,
    ) -> Result<Option<Split>, FeedError> {
        let policy = self.policy;
        let tracked = self.tracked(algorithm);
        tracked.network_work = network_work;
        tracked.changed = true;
        let found = BlockFound { winning: anchor, network_work, previous_winning: tracked.previous };
        let mut weighed = policy.scheme.weigh(&mut tracked.shares, &found);
        let lost = matches!(weighed, Err(WindowError::UnknownShare(_)))
            && anchor <= tracked.shares.dropped_through();
        if lost || matches!(weighed, Err(WindowError::Truncated { .. })) {
            let mut longer = ShareWindow::new();
            let oldest = feed.oldest()?;
            each_share(feed, oldest, position, |seq, of, account, work| {
                if of == algorithm { push(&mut longer, seq, account, work) } else { Ok(()) }
            })?;
            tracked.shares = longer;
            weighed = policy.scheme.weigh(&mut tracked.shares, &found);
        }
        if anchor > tracked.previous {
            tracked.before_previous = tracked.previous;
            tracked.previous = anchor;
        }
        match weighed {
            Ok(window) => Ok(Some(Split {
                scheme: policy.scheme_name().into(),
                fee: policy.fee,
                first_seq: Some(window.first),
                last_seq: window.winning,
                weights: window.weights,
            })),
            Err(WindowError::UnknownShare(_)) => Ok(None),
            Err(error) => Err(FeedError(format!("the window of {algorithm}: {error}"))),
        }
    }

    /// Forgets shares that no block will reach, and says what changed since the last call.
    pub fn marks(&mut self) -> Vec<WindowMark> {
        let scheme = self.policy.scheme;
        let mut marks = Vec::new();
        for (algorithm, tracked) in &mut self.by_algorithm {
            if !std::mem::take(&mut tracked.changed) {
                continue;
            }
            tracked.prune(scheme);
            let state = StoredWindow {
                shares: tracked.shares.len(),
                previous: tracked.previous,
                before_previous: tracked.before_previous,
                network_work: tracked.network_work,
            };
            marks.push(WindowMark {
                algorithm: algorithm.clone(),
                oldest: ShareSeq(tracked.shares.dropped_through().0 + 1),
                newest: tracked.shares.newest(),
                state: serde_json::to_vec(&state).expect("numbers and text have a JSON form"),
            });
        }
        marks
    }

    /// The journal must keep the records after this one.
    #[must_use]
    pub fn needed_after(&self, position: ShareSeq) -> ShareSeq {
        self.by_algorithm.values().map(|tracked| tracked.shares.dropped_through()).min().unwrap_or(position)
    }

    /// Shares in memory.
    #[must_use]
    pub fn shares(&self) -> usize {
        self.by_algorithm.values().map(|tracked| tracked.shares.len()).sum()
    }
}

impl Tracked {
    fn prune(&mut self, scheme: Scheme) {
        match scheme {
            _ if self.network_work == Work::ZERO => {}
            Scheme::Pplns { factor } => {
                let window = window_work(factor, self.network_work);
                self.shares.prune_to_work(Work(window.0.saturating_mul(KEPT_WINDOWS)));
            }
            Scheme::Prop | Scheme::Solo => self.shares.prune_through(self.before_previous),
        }
    }
}

/// A window that goes on after `dropped_through`.
fn empty_after(dropped_through: ShareSeq) -> ShareWindow {
    let state = WindowState { dropped_through, accounts: Vec::new(), works: Vec::new(), shares: Vec::new() };
    ShareWindow::from_state(&state).expect("a state without shares has none that could be damaged")
}

fn push(window: &mut ShareWindow, seq: ShareSeq, account: &Account, work: Work) -> Result<(), FeedError> {
    window.push(seq, account, work).map_err(|error| FeedError(error.to_string()))
}

/// Visits the shares after `from`, through `through`.
fn each_share(
    feed: &mut dyn LedgerFeed,
    from: ShareSeq,
    through: ShareSeq,
    mut visit: impl FnMut(ShareSeq, &AlgorithmName, &Account, Work) -> Result<(), FeedError>,
) -> Result<(), FeedError> {
    let mut at = from;
    while at < through {
        let batch = feed.read(at, REBUILD_BATCH)?;
        if batch.through <= at {
            return Err(FeedError(format!(
                "the journal ends at {at} where the database has taken in {through}: journal and database do not belong together; restore both from the same backup"
            )));
        }
        for record in &batch.records {
            if record.seq > through {
                break;
            }
            if let RecordKind::Share { worker, algorithm, work, .. } = &record.what {
                visit(record.seq, algorithm, &worker.account, *work)?;
            }
        }
        at = batch.through;
    }
    Ok(())
}
