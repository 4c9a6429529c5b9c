//! One node's journal, read again from the start: who mined what, and who worked for each block.
//!
//! Every share is kept (some 32 bytes each), so that each window is a walk back from its winning share. The rules are those of
//! `pool-actors/docs/ledger.md`, "The winning share".

use std::collections::{BTreeMap, HashMap};

use pool_domain::{
    ids::{Account, AlgorithmName, BlockHash, ShareSeq, WorkerName},
    units::{TimeMs, Work},
};
use serde::{Deserialize, Serialize};

use super::Findings;
use crate::ports::{
    books::BookBlock,
    store::{Position, Split},
};

/// A candidate whose share did not come for so long is settled without it.
const SHARE_WAIT_MS: u64 = 10_000;
/// A function without a share for so long begins anew.
const RETIRED_MS: u64 = 7 * 24 * 3_600 * 1_000;

/// A record of the journal, as far as money depends on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// An accepted share.
    Share {
        /// Who is paid.
        account: Account,
        /// The rig.
        worker: WorkerName,
        /// Proof-of-work function.
        algorithm: AlgorithmName,
        /// Its work.
        work: Work,
        /// When it was received.
        at: TimeMs,
        /// The candidate that it became.
        candidate: Option<u64>,
    },
    /// A block candidate.
    Candidate {
        /// Ties it to its share.
        id: u64,
        /// The block.
        hash: BlockHash,
        /// Proof-of-work function.
        algorithm: AlgorithmName,
        /// Measure of its window.
        network_work: Work,
        /// Who found it.
        account: Account,
        /// With which rig.
        worker: WorkerName,
        /// When.
        at: TimeMs,
    },
    /// A node's verdict.
    Verdict {
        /// The block.
        hash: BlockHash,
        /// When.
        at: TimeMs,
        /// It took the block.
        accepted: bool,
    },
    /// A process began to write.
    Epoch,
}

/// Shares by account, worker and function: number and work.
pub(super) type ShareTotals = BTreeMap<(Account, WorkerName, AlgorithmName), (u64, u128)>;

#[derive(Debug, Clone, Copy)]
struct Share {
    seq: u64,
    account: u32,
    work: u128,
}

/// All shares of one function.
#[derive(Debug, Default)]
struct Track {
    shares: Vec<Share>,
    /// Places of shares that came after a long time without any: no window reaches over these.
    begins: Vec<usize>,
    newest_at: u64,
    /// Winning share of the newest block settled so far, for rounds.
    previous: u64,
}

/// A candidate and what follows for it from the journal.
#[derive(Debug, Clone)]
struct Found {
    seq: u64,
    id: u64,
    algorithm: AlgorithmName,
    network_work: u128,
    account: Account,
    worker: WorkerName,
    at: u64,
    /// The newest share before it; `None` if that one may have been dropped.
    fallback: Option<u64>,
    /// Winning shares that the rules allow, once one is settled.
    anchors: Vec<u64>,
    settled: bool,
    verdict: Option<bool>,
    in_books: bool,
    /// Winning share of the newest block settled before it, for rounds.
    round: u64,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Replay {
    first: u64,
    records: u64,
    names: Vec<Account>,
    by_name: HashMap<Account, u32>,
    tracks: BTreeMap<AlgorithmName, Track>,
    totals: HashMap<(Account, WorkerName, AlgorithmName), (u64, u128)>,
    blocks: BTreeMap<BlockHash, Found>,
    /// Blocks whose share was not read yet, by candidate.
    waiting: BTreeMap<u64, BlockHash>,
    /// Winning shares whose candidate was not read yet.
    anchors: BTreeMap<u64, u64>,
}

/// What a window comes out as.
enum Window {
    Known {
        first: Option<u64>,
        counted: Option<u128>,
        last: u64,
        weights: Vec<(Account, Work)>,
    },
    /// It reaches behind what the journal keeps.
    BeyondJournal,
}

impl Replay {
    /// A journal whose oldest record is `first`: 1 if none was dropped.
    #[must_use]
    pub fn new(first: ShareSeq) -> Self {
        Self {
            first: first.0,
            records: 0,
            names: Vec::new(),
            by_name: HashMap::new(),
            tracks: BTreeMap::new(),
            totals: HashMap::new(),
            blocks: BTreeMap::new(),
            waiting: BTreeMap::new(),
            anchors: BTreeMap::new(),
        }
    }

    pub(super) const fn first(&self) -> u64 {
        self.first
    }

    pub(super) const fn records(&self) -> u64 {
        self.records
    }

    const fn is_whole(&self) -> bool {
        self.first <= 1
    }

    /// Takes the next record.
    pub fn line(&mut self, seq: ShareSeq, line: Line) {
        self.records += 1;
        match line {
            Line::Share { account, worker, algorithm, work, at, candidate } => {
                self.share(seq.0, &account, &algorithm, work.0, at.0);
                let total = self.totals.entry((account, worker, algorithm)).or_default();
                *total = (total.0 + 1, total.1.saturating_add(work.0));
                if let Some(candidate) = candidate {
                    match self.waiting.remove(&candidate) {
                        Some(hash) => {
                            // By the clock of an idle pool it may have been given up a moment before.
                            let fallback = self.blocks[&hash].fallback;
                            self.settle(hash, [Some(seq.0), fallback]);
                        }
                        None => drop(self.anchors.insert(candidate, seq.0)),
                    }
                }
                self.too_late(at.0);
            }
            Line::Candidate { id, hash, algorithm, network_work, account, worker, at } => {
                if self.blocks.contains_key(&hash) {
                    return;
                }
                let newest = self.newest(&algorithm);
                let found = Found {
                    seq: seq.0,
                    id,
                    algorithm,
                    network_work: network_work.0,
                    account,
                    worker,
                    at: at.0,
                    fallback: newest,
                    anchors: Vec::new(),
                    settled: false,
                    verdict: None,
                    in_books: false,
                    round: 0,
                };
                self.blocks.insert(hash, found);
                match self.anchors.remove(&id) {
                    Some(anchor) => self.settle(hash, [Some(anchor), None]),
                    None => drop(self.waiting.insert(id, hash)),
                }
            }
            Line::Verdict { hash, at, accepted } => {
                if let Some(found) = self.blocks.get_mut(&hash)
                    && found.verdict.is_none()
                {
                    found.verdict = Some(accepted);
                    let id = found.id;
                    if !accepted {
                        self.waiting.remove(&id);
                    }
                }
                self.too_late(at.0);
            }
            Line::Epoch => {
                for hash in std::mem::take(&mut self.waiting).into_values() {
                    let found = &self.blocks[&hash];
                    let choices = [self.newest(&found.algorithm), found.fallback];
                    self.settle(hash, choices);
                }
                self.anchors.clear();
            }
        }
    }

    fn share(&mut self, seq: u64, account: &Account, algorithm: &AlgorithmName, work: u128, at: u64) {
        let next = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        let account = *self.by_name.entry(account.clone()).or_insert_with_key(|name| {
            self.names.push(name.clone());
            next
        });
        let track = self.tracks.entry(algorithm.clone()).or_default();
        if track.newest_at > 0 && at > track.newest_at && at - track.newest_at > RETIRED_MS {
            track.begins.push(track.shares.len());
        }
        track.newest_at = track.newest_at.max(at);
        track.shares.push(Share { seq, account, work });
    }

    /// The newest share of a function; 0 if there was none, `None` if it may have been dropped.
    fn newest(&self, algorithm: &AlgorithmName) -> Option<u64> {
        let newest = self.tracks.get(algorithm).and_then(|track| track.shares.last()).map(|share| share.seq);
        newest.or_else(|| self.is_whole().then_some(0))
    }

    fn too_late(&mut self, now: u64) {
        let lost: Vec<(u64, BlockHash)> = self
            .waiting
            .iter()
            .filter(|(_, hash)| now > self.blocks[*hash].at && now - self.blocks[*hash].at > SHARE_WAIT_MS)
            .map(|(id, hash)| (*id, *hash))
            .collect();
        for (id, hash) in lost {
            self.waiting.remove(&id);
            let fallback = self.blocks[&hash].fallback;
            self.settle(hash, [fallback, None]);
        }
    }

    fn settle(&mut self, hash: BlockHash, choices: [Option<u64>; 2]) {
        let Some(found) = self.blocks.get_mut(&hash) else { return };
        found.anchors = choices.into_iter().flatten().collect();
        found.settled = true;
        let track = self.tracks.entry(found.algorithm.clone()).or_default();
        found.round = track.previous;
        track.previous = track.previous.max(found.anchors.first().copied().unwrap_or_default());
    }

    /// A block of the books against the journal.
    pub(super) fn check(&mut self, block: &BookBlock, findings: &mut Findings) {
        let (row, subject) = (&block.row, format!("block {}", block.row.hash));
        if row.candidate_seq.0 < self.first {
            findings.unchecked(
                "windows of blocks",
                format!(
                    "their candidates are older than what the journal of {} keeps (from record {})",
                    block.node, self.first
                ),
            );
            return;
        }
        let Some(found) = self.blocks.get_mut(&row.hash) else {
            let what = format!(
                "the journal of {} has no such candidate at record {}",
                block.node, row.candidate_seq
            );
            return findings.differs("block", subject, what);
        };
        found.in_books = true;
        let found = found.clone();
        let mut same = true;
        let mut compare = |name: &str, stored: String, expected: String| {
            same &= findings.same("block", &subject, name, &stored, &expected);
        };
        compare("its record", row.candidate_seq.to_string(), found.seq.to_string());
        compare("its candidate", row.candidate.to_string(), found.id.to_string());
        compare("its function", row.algorithm.to_string(), found.algorithm.to_string());
        compare("its network work", row.network_work.to_string(), found.network_work.to_string());
        compare("its finder", row.account.to_string(), found.account.to_string());
        compare("its finder's worker", row.worker.to_string(), found.worker.to_string());
        compare("when it was found", row.found_at.0.to_string(), found.at.to_string());
        if let Some(fallback) = found.fallback {
            compare("the newest share before it", row.fallback.to_string(), fallback.to_string());
        }
        if same {
            self.check_split(block, &found, &subject, findings);
        }
    }

    fn check_split(&self, block: &BookBlock, found: &Found, subject: &str, findings: &mut Findings) {
        let stage = block.row.life.stage().as_str();
        match (found.verdict, stage) {
            (Some(false), "rejected") | (None, "candidate" | "submitted") => {}
            (Some(true), stage) if !matches!(stage, "rejected" | "candidate" | "submitted") => {}
            (verdict, stage) => {
                let told = verdict.map_or("none", |accepted| if accepted { "accepted" } else { "refused" });
                findings.differs(
                    "block",
                    subject,
                    format!("it is {stage}, while the node's verdict in the journal is: {told}"),
                );
            }
        }
        let Some(split) = &block.split else {
            // One that came to nothing before its share was read needs none.
            if found.settled && !block.row.life.stage().is_final() {
                findings.differs(
                    "window",
                    subject,
                    "it has no split, while the journal settles who worked for it",
                );
            }
            return;
        };
        if block.row.anchor != Some(split.last_seq) {
            let anchor = block.row.anchor.map_or_else(|| "missing".to_owned(), |anchor| anchor.to_string());
            findings.differs(
                "window",
                subject,
                format!("its winning share is {anchor}, its split ends at {}", split.last_seq),
            );
        }
        let finder = split.scheme == "finder";
        // Not settled by the journal: by the clock of an idle pool, then.
        let allowed =
            if found.settled { found.anchors.clone() } else { found.fallback.into_iter().collect() };
        if !finder && !allowed.is_empty() && !allowed.contains(&split.last_seq.0) {
            let what = format!(
                "its window ends with share {}, by the journal it ends with {allowed:?}",
                split.last_seq
            );
            return findings.differs("window", subject, what);
        }
        let anchors = if finder { allowed } else { vec![split.last_seq.0] };
        let mut windows: Vec<Window> =
            anchors.iter().map(|anchor| self.window(found, split, *anchor)).collect();
        let fits =
            |window: &Window| matches!(window, Window::Known { first, .. } if first.is_none() == finder);
        let chosen = windows.iter().position(fits).unwrap_or_default();
        match windows.drain(..).nth(chosen) {
            Some(Window::Known { first, counted, last, weights }) => {
                findings.checked.windows += 1;
                compare_window(split, &(first, counted, last), &weights, subject, findings);
            }
            Some(Window::BeyondJournal) | None => findings.unchecked(
                "windows of blocks",
                format!(
                    "they reach behind what the journal of {} keeps (from record {})",
                    block.node, self.first
                ),
            ),
        }
    }

    /// Who worked for a block whose winning share is `anchor`, by the scheme that its split names.
    fn window(&self, found: &Found, split: &Split, anchor: u64) -> Window {
        let finder = || Window::Known {
            first: None,
            counted: None,
            last: found.seq,
            weights: vec![(found.account.clone(), Work(found.network_work.max(1)))],
        };
        let track = self.tracks.get(&found.algorithm);
        let at = track.and_then(|track| track.shares.binary_search_by_key(&anchor, |share| share.seq).ok());
        let (Some(track), Some(at)) = (track, at) else {
            return if self.is_whole() { finder() } else { Window::BeyondJournal };
        };
        let begins = track.begins.iter().rev().find(|begins| **begins <= at).copied().unwrap_or(0);
        let mut sums: BTreeMap<u32, u128> = BTreeMap::new();
        let (mut first, mut counted) = (anchor, 0);
        let mut left = match split.scheme.as_str() {
            "solo" => track.shares[at].work,
            "pplns" => window_of(found.network_work, split.factor.map_or(0, |factor| factor.0)),
            _ => u128::MAX,
        };
        let previous = if found.settled { found.round } else { track.previous };
        let round = if split.scheme == "prop" { previous } else { 0 };
        let mut cut_short = false;
        for (place, share) in track.shares[..=at].iter().enumerate().rev() {
            if left == 0 || place < begins || share.seq <= round {
                cut_short = true;
                break;
            }
            let part = share.work.min(left);
            left -= part;
            *sums.entry(share.account).or_default() += part;
            (first, counted) = (share.seq, part);
        }
        if !cut_short && left > 0 && !self.is_whole() {
            return Window::BeyondJournal;
        }
        if sums.is_empty() {
            return finder();
        }
        let weights =
            sums.into_iter().map(|(account, work)| (self.names[account as usize].clone(), Work(work)));
        let mut weights: Vec<_> = weights.filter(|(_, work)| work.0 > 0).collect();
        weights.sort();
        Window::Known { first: Some(first), counted: Some(counted), last: anchor, weights }
    }

    /// Every candidate must be in the books.
    pub(super) fn finish(&self, node: &str, findings: &mut Findings) {
        for (hash, found) in self.blocks.iter().filter(|(_, found)| !found.in_books) {
            let what =
                format!("candidate at record {} of {node}'s journal is missing in the database", found.seq);
            findings.differs("block", format!("block {hash}"), what);
        }
    }
}

/// floor(factor x network work), at least 1, in 128 bits.
fn window_of(network_work: u128, factor: u32) -> u128 {
    let (whole, rest) = (network_work / 10_000, network_work % 10_000);
    let factor = u128::from(factor);
    whole
        .checked_mul(factor)
        .and_then(|sum| sum.checked_add(rest * factor / 10_000))
        .unwrap_or(u128::MAX)
        .max(1)
}

fn compare_window(
    split: &Split,
    (first, counted, last): &(Option<u64>, Option<u128>, u64),
    weights: &[(Account, Work)],
    subject: &str,
    findings: &mut Findings,
) {
    let shown = |number: Option<u128>| number.map_or_else(|| "none".to_owned(), |number| number.to_string());
    let mut compare = |name: &str, stored: String, expected: String| {
        findings.same("window", subject, name, &stored, &expected);
    };
    compare(
        "the oldest share counted",
        shown(split.first_seq.map(|seq| seq.0.into())),
        shown(first.map(u128::from)),
    );
    compare("the newest share counted", split.last_seq.to_string(), last.to_string());
    if split.first_counted.is_some() {
        compare(
            "what of the oldest share counts",
            shown(split.first_counted.map(|work| work.0)),
            shown(*counted),
        );
    }
    if split.weights == weights {
        return;
    }
    let stored: BTreeMap<_, _> = split.weights.iter().map(|(account, work)| (account, work.0)).collect();
    let expected: BTreeMap<_, _> = weights.iter().map(|(account, work)| (account, work.0)).collect();
    let accounts = stored.keys().chain(expected.keys()).copied();
    let other = accounts.filter(|account| stored.get(account) != expected.get(account)).min();
    let what = other.map_or_else(
        || "the accounts are not in order".to_owned(),
        |account| {
            format!(
                "the work of {account} is {}, by the journal's shares it is {}",
                shown(stored.get(account).copied()),
                shown(expected.get(account).copied())
            )
        },
    );
    findings.differs("window", subject, what);
}

/// Roll-ups of shares against all journals together; only where each was read from its first record.
pub(super) fn check_totals(
    stored: &ShareTotals,
    positions: &BTreeMap<String, Position>,
    replays: &BTreeMap<String, Replay>,
    findings: &mut Findings,
) {
    let partial = positions.keys().find(|node| replays.get(*node).is_none_or(|replay| !replay.is_whole()));
    if let Some(node) = partial {
        let why = match replays.get(node) {
            Some(replay) => format!(
                "the journal of {node} begins at record {}: what was before it was dropped by retention",
                replay.first
            ),
            None => format!("the journal of {node} was not given"),
        };
        return findings.unchecked("sums of shares by worker", why);
    }
    let mut expected = ShareTotals::new();
    for ((account, worker, algorithm), (count, work)) in replays.values().flat_map(|replay| &replay.totals) {
        let total = expected.entry((account.clone(), worker.clone(), algorithm.clone())).or_default();
        *total = (total.0 + count, total.1.saturating_add(*work));
    }
    let keys: std::collections::BTreeSet<_> = stored.keys().chain(expected.keys()).collect();
    for key in keys {
        let (have, must) =
            (stored.get(key).copied().unwrap_or_default(), expected.get(key).copied().unwrap_or_default());
        if have != must {
            let (account, worker, algorithm) = key;
            let what = format!(
                "{} shares with work {} are credited, the journal has {} with work {}",
                have.0, have.1, must.0, must.1
            );
            findings.differs("shares", format!("{account}/{worker} ({algorithm})"), what);
        }
    }
}
