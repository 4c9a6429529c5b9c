//! One reward window per hash function, fed in the journal's order and rebuilt from it after a restart.

use std::collections::BTreeMap;

use pool_domain::{
    ids::{Account, AlgorithmName, ShareSeq},
    pplns::{AccountPlace, BlockFound, Scheme, ShareWindow, WindowError, WindowState, window_work},
    proof::window_root,
    units::{BasisPoints, TimeMs, Work},
};
use serde::{Deserialize, Serialize};

use super::feed::{FeedBatch, FeedError, FeedNames, LedgerFeed, RecordKind, ShareLine};
use crate::ports::store::{Split, WindowMark};

/// Shares are kept until they are worth this many windows of the newest block, window included: for siblings found
/// late, and for a network difficulty that rises. A window that reaches further is rebuilt from the journal.
const KEPT_WINDOWS: u128 = 8;
/// A function without a share for so long, by the journal's own times, is retired: its window is empty, and keeps nothing
/// of the journal. Should it come back, its window begins with its first new share.
const RETIRED_MS: u64 = 7 * 24 * 3_600 * 1_000;
/// Records read at a time while a window is rebuilt.
const REBUILD_BATCH: usize = 8_192;

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

    const fn factor(&self) -> Option<BasisPoints> {
        match self.scheme {
            Scheme::Pplns { factor } => Some(factor),
            Scheme::Prop | Scheme::Solo => None,
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
    /// Network work of the newest template: what the first block is going to be measured by.
    expected_work: Work,
    /// When its newest share was received.
    newest_at: TimeMs,
    changed: bool,
}

impl Tracked {
    fn new(shares: ShareWindow) -> Self {
        Self {
            shares,
            previous: ShareSeq(0),
            before_previous: ShareSeq(0),
            network_work: Work::ZERO,
            expected_work: Work::ZERO,
            newest_at: TimeMs(0),
            changed: true,
        }
    }

    #[inline]
    fn push(
        &mut self,
        share: &ShareLine,
        account: &Account,
        place: &mut AccountPlace,
    ) -> Result<(), FeedError> {
        if share.at.since(self.newest_at) > RETIRED_MS && self.newest_at > TimeMs(0) {
            self.shares.begin_anew();
        }
        self.newest_at = self.newest_at.max(share.at);
        let pushed = self.shares.push_at(share.seq, account, share.work, place);
        pushed.map_err(|error| FeedError(error.to_string()))
    }
}

/// What is stored of a window beside its place.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct StoredWindow {
    shares: usize,
    previous: ShareSeq,
    before_previous: ShareSeq,
    network_work: Work,
    /// Of shares that are no longer held, too: a share that comes late must not look like the end of a long pause.
    newest_at: TimeMs,
}

/// The windows of all hash functions.
#[derive(Debug)]
pub struct Windows {
    policy: RewardPolicy,
    by_algorithm: BTreeMap<AlgorithmName, usize>,
    tracked: Vec<Tracked>,
    places: Places,
    /// When the newest share of all was received.
    newest_at: TimeMs,
}

/// While windows are rebuilt: the function had none.
const NO_WINDOW: usize = usize::MAX;

/// Where the names of the journal's numbering are in the windows.
#[derive(Debug, Default)]
struct Places {
    numbering: u64,
    /// Index of the window, by number of the function.
    windows: Vec<usize>,
    /// By number of the worker.
    workers: Vec<WorkerPlace>,
}

#[derive(Debug, Clone, Copy)]
struct WorkerPlace {
    /// The window that `account` is a place in.
    window: u32,
    account: AccountPlace,
}

impl Default for WorkerPlace {
    fn default() -> Self {
        Self { window: u32::MAX, account: AccountPlace::default() }
    }
}

impl Places {
    /// Makes room for all the names there are now.
    fn follow(&mut self, names: &FeedNames, mut window_of: impl FnMut(&AlgorithmName) -> usize) {
        if self.numbering != names.numbering {
            *self = Self { numbering: names.numbering, ..Self::default() };
        }
        for name in &names.algorithms[self.windows.len()..] {
            self.windows.push(window_of(name));
        }
        self.workers.resize(names.workers.len(), WorkerPlace::default());
    }

    /// A window was made anew: places in the old one mean other accounts in it.
    fn forget(&mut self) {
        self.workers.fill(WorkerPlace::default());
    }
}

impl Windows {
    /// No shares yet.
    #[must_use]
    pub fn new(policy: RewardPolicy) -> Self {
        Self {
            policy,
            by_algorithm: BTreeMap::new(),
            tracked: Vec::new(),
            places: Places::default(),
            newest_at: TimeMs(0),
        }
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
                previous: state.previous,
                before_previous: state.before_previous,
                network_work: state.network_work,
                newest_at: state.newest_at,
                changed: false,
                ..Tracked::new(empty_after(ShareSeq(mark.oldest.0.saturating_sub(1))))
            };
            windows.by_algorithm.insert(mark.algorithm.clone(), windows.tracked.len());
            windows.tracked.push(tracked);
            stored.insert(mark.algorithm.clone(), (mark, state));
        }
        // What an empty window passed over is not looked at again.
        let held = stored.values().filter(|(_, state)| state.shares > 0);
        let from = held.map(|(mark, _)| ShareSeq(mark.oldest.0.saturating_sub(1))).min();
        let Some(from) = from else { return Ok(windows) };
        // A window that was rebuilt from all there was begins before what is kept.
        let from = from.max(feed.oldest()?);
        each_batch(feed, from, position, |names, shares| {
            let Self { by_algorithm, places, .. } = &mut windows;
            places.follow(names, |name| by_algorithm.get(name).copied().unwrap_or(NO_WINDOW));
            shares.iter().try_for_each(|share| windows.push_again(names, share))
        })?;
        // Functions without a mark were passed over; they are met as new ones from here on.
        windows.places = Places::default();
        for (algorithm, index) in &windows.by_algorithm {
            let tracked = &windows.tracked[*index];
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

    /// Learns what the numbers in shares stand for; before the first of a batch is taken in.
    pub fn meet(&mut self, names: &FeedNames) {
        let Self { by_algorithm, tracked, places, .. } = self;
        places.follow(names, |name| index_of(by_algorithm, tracked, name));
    }

    /// Takes in an accepted share; its names were met.
    ///
    /// # Errors
    /// When places do not rise.
    #[inline]
    pub fn push(&mut self, names: &FeedNames, share: &ShareLine) -> Result<(), FeedError> {
        let window = self.places.windows[usize::from(share.algorithm)];
        self.tracked[window].changed = true;
        self.newest_at = self.newest_at.max(share.at);
        self.push_into(window, names, share)
    }

    /// Takes in a share that was taken in before the restart, if its window still holds it.
    fn push_again(&mut self, names: &FeedNames, share: &ShareLine) -> Result<(), FeedError> {
        let window = self.places.windows[usize::from(share.algorithm)];
        match self.tracked.get(window) {
            Some(tracked) if share.seq > tracked.shares.dropped_through() => {
                self.push_into(window, names, share)
            }
            _ => Ok(()),
        }
    }

    #[inline]
    fn push_into(&mut self, window: usize, names: &FeedNames, share: &ShareLine) -> Result<(), FeedError> {
        let worker = share.worker as usize;
        let place = &mut self.places.workers[worker];
        if place.window as usize != window {
            #[expect(clippy::cast_possible_truncation, reason = "a pool has fewer than 65,536 algorithms")]
            let window = window as u32;
            *place = WorkerPlace { window, account: AccountPlace::default() };
        }
        self.tracked[window].push(share, &names.workers[worker].account, &mut place.account)
    }

    fn tracked(&mut self, algorithm: &AlgorithmName) -> &mut Tracked {
        let index = index_of(&mut self.by_algorithm, &mut self.tracked, algorithm);
        &mut self.tracked[index]
    }

    fn get(&self, algorithm: &AlgorithmName) -> Option<&Tracked> {
        self.by_algorithm.get(algorithm).map(|index| &self.tracked[*index])
    }

    /// The network work that the next block of this function is going to be measured by, as far as is known: bounds a
    /// window that has seen no block yet.
    pub fn expect(&mut self, algorithm: &AlgorithmName, network_work: Work) {
        self.tracked(algorithm).expected_work = network_work;
    }

    /// The newest share of this function; 0 when there was none.
    #[must_use]
    pub fn newest(&self, algorithm: &AlgorithmName) -> ShareSeq {
        self.get(algorithm).map_or(ShareSeq(0), |tracked| tracked.shares.newest())
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
        if matches!(weighed, Err(WindowError::UnknownShare(_))) && anchor <= tracked.shares.dropped_through()
        {
            // Looked at by itself: what came since may have ended the window that it belongs to.
            let mut older = rebuilt(algorithm, anchor, feed)?;
            weighed = policy.scheme.weigh(&mut older, &found);
        } else if matches!(weighed, Err(WindowError::Truncated { .. })) {
            tracked.shares = rebuilt(algorithm, position, feed)?;
            weighed = policy.scheme.weigh(&mut tracked.shares, &found);
            self.places.forget();
        }
        let tracked = self.tracked(algorithm);
        if anchor > tracked.previous {
            tracked.before_previous = tracked.previous;
            tracked.previous = anchor;
        }
        match weighed {
            Ok(window) => Ok(Some(Split {
                scheme: policy.scheme_name().into(),
                factor: policy.factor(),
                fee: policy.fee,
                first_seq: Some(window.first),
                first_counted: Some(window.first_counted),
                last_seq: window.winning,
                root: window_root(&window.weights),
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
        for (algorithm, index) in &self.by_algorithm {
            let tracked = &mut self.tracked[*index];
            if self.newest_at.since(tracked.newest_at) > RETIRED_MS && !tracked.shares.is_empty() {
                // Not for good: only the function's next share tells whether its window ends here. If that one is from
                // before the pause, the window is rebuilt from the journal.
                tracked.shares.prune_through(tracked.shares.newest());
                tracked.changed = true;
            }
            if !std::mem::take(&mut tracked.changed) {
                continue;
            }
            tracked.prune(scheme);
            let state = StoredWindow {
                shares: tracked.shares.len(),
                previous: tracked.previous,
                before_previous: tracked.before_previous,
                network_work: tracked.network_work,
                newest_at: tracked.newest_at,
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
        let held = self.tracked.iter().filter(|tracked| !tracked.shares.is_empty());
        held.map(|tracked| tracked.shares.dropped_through()).min().unwrap_or(position)
    }

    /// Shares in memory.
    #[must_use]
    pub fn shares(&self) -> usize {
        self.tracked.iter().map(|tracked| tracked.shares.len()).sum()
    }
}

impl Tracked {
    fn prune(&mut self, scheme: Scheme) {
        // A network that grows easier does not shorten what siblings of its last block may need.
        let network_work = self.network_work.max(self.expected_work);
        match scheme {
            Scheme::Prop => self.shares.prune_through(self.before_previous),
            _ if network_work == Work::ZERO => {}
            Scheme::Pplns { factor } => self.keep(window_work(factor, network_work)),
            // A winning share is looked up once, soon.
            Scheme::Solo => self.keep(network_work),
        }
    }

    fn keep(&mut self, window: Work) {
        self.shares.prune_to_work(Work(window.0.saturating_mul(KEPT_WINDOWS)));
    }
}

/// A window that goes on after `dropped_through`.
fn empty_after(dropped_through: ShareSeq) -> ShareWindow {
    let state = WindowState { dropped_through, accounts: Vec::new(), works: Vec::new(), shares: Vec::new() };
    ShareWindow::from_state(&state).expect("a state without shares has none that could be damaged")
}

/// The window of this function, made if there is none.
fn index_of(
    by_algorithm: &mut BTreeMap<AlgorithmName, usize>,
    tracked: &mut Vec<Tracked>,
    algorithm: &AlgorithmName,
) -> usize {
    *by_algorithm.entry(algorithm.clone()).or_insert_with(|| {
        tracked.push(Tracked::new(ShareWindow::new()));
        tracked.len() - 1
    })
}

/// All shares of one function that the journal keeps, through `position`.
fn rebuilt(
    algorithm: &AlgorithmName,
    position: ShareSeq,
    feed: &mut dyn LedgerFeed,
) -> Result<ShareWindow, FeedError> {
    let mut window = Tracked::new(ShareWindow::new());
    let (mut numbering, mut places) = (0, Vec::new());
    let oldest = feed.oldest()?;
    each_batch(feed, oldest, position, |names, shares| {
        if numbering != names.numbering {
            (numbering, places) = (names.numbering, Vec::new());
        }
        places.resize(names.workers.len(), AccountPlace::default());
        let of_it = |share: &&ShareLine| names.algorithms[usize::from(share.algorithm)] == *algorithm;
        for share in shares.iter().filter(of_it) {
            let worker = share.worker as usize;
            window.push(share, &names.workers[worker].account, &mut places[worker])?;
        }
        Ok(())
    })?;
    Ok(window.shares)
}

/// Visits the shares after `from`, through `through`, in batches.
fn each_batch(
    feed: &mut dyn LedgerFeed,
    from: ShareSeq,
    through: ShareSeq,
    mut visit: impl FnMut(&FeedNames, &[ShareLine]) -> Result<(), FeedError>,
) -> Result<(), FeedError> {
    let mut at = from;
    let mut batch = FeedBatch::default();
    while at < through {
        feed.read(at, REBUILD_BATCH, &mut batch)?;
        if batch.through <= at {
            return Err(FeedError(format!(
                "the journal ends at {at} where the database has taken in {through}: journal and database do not belong together; restore both from the same backup"
            )));
        }
        // Winning shares are shares like any other here.
        for record in &batch.others {
            if let RecordKind::Winning { share, .. } = &record.what {
                let at = batch.shares.partition_point(|other| other.seq < share.seq);
                batch.shares.insert(at, *share);
            }
        }
        let end = batch.shares.partition_point(|share| share.seq <= through);
        visit(&batch.names, &batch.shares[..end])?;
        at = batch.through;
    }
    Ok(())
}

#[cfg(test)]
#[path = "windows_tests.rs"]
mod tests;
