//! The jobs that shares may be for, newest last. One book per arbiter, shared by its sessions.

use std::{collections::VecDeque, sync::Arc};

use pool_domain::{
    dedup::HeaderSpace,
    difficulty::DifficultyScale,
    fingerprint::{FingerprintKeys, Fingerprinter},
    functions::Functions,
    header::{Bdag80, Bitcoin80, HeaderLayout, Kaspa80, SplitCoinbase},
    ids::{AlgorithmName, JobId, SessionId, SlotId},
    job::Freshness,
    units::TimeMs,
};

use crate::{
    messages::{job::Job, stats::ShareLabel},
    ports::node::HeaderForm,
};

/// Jobs kept at once; with jobs at least 250 ms apart, of two functions in a migration, this is more than a minute.
const JOBS_MAX: usize = 512;
/// How long past its grace a job's shares are still hashed, in case one is a block.
const LATE_MS: u64 = 60_000;

/// A job with what every one of its shares needs.
#[derive(Debug)]
pub struct JobEntry {
    /// The job.
    pub job: Arc<Job>,
    /// How its headers are made, the unchanging part hashed in advance.
    pub layout: HeaderLayout,
    /// Which of a session's shares could be duplicates of each other.
    pub space: HeaderSpace,
    /// Tells its headers apart, and from those of the other jobs in its space.
    pub fingerprints: Fingerprinter,
    /// What a difficulty means for its algorithm.
    pub scale: DifficultyScale,
    /// Where its shares are counted: those of the stable route, and of the candidate.
    labels: [Label; 2],
    freshness: Freshness,
    replaced_at: Option<TimeMs>,
}

/// Number of a [`ShareLabel`] in a [`JobBook`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label(pub u16);

impl JobEntry {
    /// Where a share of this session is counted.
    #[must_use]
    pub fn label(&self, session: SessionId) -> Label {
        self.labels[usize::from(self.job.split.is_candidate(session))]
    }

    /// Whether a share that comes `now` is past the job's grace.
    #[must_use]
    pub fn is_late(&self, now: TimeMs, job_grace_ms: u64) -> bool {
        self.freshness.is_stale(now, job_grace_ms)
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub struct JobBook {
    /// All jobs of a session are in one book, so fingerprints need not mean anything outside of it.
    keys: FingerprintKeys,
    entries: VecDeque<JobEntry>,
    /// For each function, the last job that invalidated all earlier ones of it.
    last_clean: Vec<(AlgorithmName, JobId)>,
    /// All that shares were ever counted by: two slots for each function.
    labels: Vec<ShareLabel>,
}

impl Default for JobBook {
    fn default() -> Self {
        let keys = FingerprintKeys(rand::random());
        Self { keys, entries: VecDeque::new(), last_clean: Vec::new(), labels: Vec::new() }
    }
}

/// How headers of a template are made.
#[must_use]
pub fn layout(form: &HeaderForm) -> (HeaderLayout, HeaderSpace) {
    match form {
        HeaderForm::Coinbase { previous, coinbase1, coinbase2, branches, bits, .. } => {
            let layout = Bitcoin80 {
                previous: *previous,
                coinbase: SplitCoinbase::new(coinbase1, coinbase2),
                branch: branches.clone(),
                nbits: *bits,
            };
            (HeaderLayout::Bitcoin80(layout), HeaderSpace::of(previous))
        }
        HeaderForm::BdagMining { previous, bits, .. } => {
            let layout = Bdag80 { previous: *previous, nbits: u32::from_be_bytes(*bits) };
            (HeaderLayout::Bdag80(layout), HeaderSpace::of(previous))
        }
        HeaderForm::PrePow { pre_pow_hash, timestamp_ms } => {
            let layout = Kaspa80 { pre_pow_hash: *pre_pow_hash, timestamp_ms: *timestamp_ms };
            (HeaderLayout::Kaspa80(layout), HeaderSpace::of(pre_pow_hash))
        }
    }
}

impl JobBook {
    /// Enters a copy of a newer job; an old one of its function, or one that is known, changes nothing. Returns whether it
    /// was entered.
    pub fn publish(&mut self, job: &Job, now: TimeMs, job_grace_ms: u64) -> bool {
        let Err(at) = self.entries.binary_search_by_key(&job.id, |entry| entry.job.id) else { return false };
        if self.newest_of(&job.algorithm).is_some_and(|newest| newest.job.id > job.id) {
            return false;
        }
        let ended = |entry: &JobEntry| !job.functions.includes(&entry.job.algorithm);
        for entry in self.entries.iter_mut().filter(|entry| entry.freshness != Freshness::Invalidated) {
            let same_function = entry.job.algorithm == job.algorithm;
            if same_function && job.clean {
                entry.freshness = Freshness::Invalidated;
            } else if entry.freshness == Freshness::Current
                && (same_function && entry.job.template.parents != job.template.parents || ended(entry))
            {
                // On the same parents an old job earns as much as a new one.
                entry.freshness = Freshness::SupersededAt(now);
            }
            if entry.freshness != Freshness::Current {
                entry.replaced_at.get_or_insert(now);
            }
        }
        if job.clean {
            self.last_clean.retain(|(function, _)| *function != job.algorithm);
            self.last_clean.push((job.algorithm.clone(), job.id));
        }
        let labels = [job.split.stable, job.split.candidate].map(|to| self.label(&job.algorithm, to.slot));
        let (layout, space) = layout(job.header());
        let scale = DifficultyScale::by_algorithm(&job.algorithm);
        let entry = JobEntry {
            job: job.for_arbiter(),
            fingerprints: Fingerprinter::new(&layout, self.keys),
            layout,
            space,
            scale,
            labels,
            freshness: Freshness::Current,
            replaced_at: None,
        };
        self.entries.insert(at, entry);
        self.expire(now, job_grace_ms);
        true
    }

    fn label(&mut self, algorithm: &AlgorithmName, slot: SlotId) -> Label {
        let known = self.labels.iter().position(|label| label.slot == slot && label.algorithm == *algorithm);
        let at = known.unwrap_or_else(|| {
            self.labels.push(ShareLabel { algorithm: algorithm.clone(), slot });
            self.labels.len() - 1
        });
        Label(u16::try_from(at).unwrap_or(u16::MAX))
    }

    /// What a number stands for.
    #[must_use]
    pub fn label_of(&self, label: Label) -> Option<&ShareLabel> {
        self.labels.get(usize::from(label.0))
    }

    /// Where shares of unknown jobs are counted, sent by a session that works on this function, or on none yet.
    #[must_use]
    pub fn label_for(&self, function: Option<&AlgorithmName>, session: SessionId) -> Option<Label> {
        let Some(function) = function else { return self.main().map(|entry| entry.label(session)) };
        let known = || {
            let at = self.labels.iter().rposition(|label| label.algorithm == *function)?;
            Some(Label(u16::try_from(at).unwrap_or(u16::MAX)))
        };
        self.newest_of(function).map(|entry| entry.label(session)).or_else(known)
    }

    fn expire(&mut self, now: TimeMs, job_grace_ms: u64) {
        let keep_ms = job_grace_ms.saturating_add(LATE_MS);
        let newest = self.entries.back().map(|entry| entry.job.id);
        self.entries.retain(|entry| {
            Some(entry.job.id) == newest || entry.replaced_at.is_none_or(|at| now.since(at) <= keep_ms)
        });
        while self.entries.len() > JOBS_MAX {
            self.entries.pop_front();
        }
    }

    /// The newest job, of whatever function.
    #[must_use]
    pub fn newest(&self) -> Option<&JobEntry> {
        self.entries.back()
    }

    /// The job in force of a function.
    #[must_use]
    pub fn newest_of(&self, function: &AlgorithmName) -> Option<&JobEntry> {
        self.entries.iter().rev().find(|entry| entry.job.algorithm == *function)
    }

    /// The functions that are mined, and who mines which; `None` before the first job.
    #[must_use]
    pub fn functions(&self) -> Option<&Functions> {
        self.newest().map(|entry| &*entry.job.functions)
    }

    /// The job in force of the main function.
    #[must_use]
    pub fn main(&self) -> Option<&JobEntry> {
        self.newest_of(&self.functions()?.main)
    }

    /// A job by its number.
    #[must_use]
    pub fn find(&self, id: JobId) -> Option<&JobEntry> {
        // Shares are mostly for the newest job.
        if let Some(newest) = self.entries.back()
            && newest.job.id == id
        {
            return Some(newest);
        }
        let at = self.entries.binary_search_by_key(&id, |entry| entry.job.id).ok()?;
        self.entries.get(at)
    }

    /// The newest job older than `id`, for firmware that mixes its jobs up.
    #[must_use]
    pub fn before(&self, id: JobId) -> Option<&JobEntry> {
        let at = self.entries.partition_point(|entry| entry.job.id < id);
        self.entries.get(at.checked_sub(1)?)
    }

    /// Whether work of a function sent up to `last` (`None`: none) was invalidated by a later job of it.
    #[must_use]
    pub fn is_clean_since(&self, last: Option<JobId>, function: &AlgorithmName) -> bool {
        let clean = self.last_clean.iter().find(|(known, _)| known == function);
        last.is_none_or(|last| clean.is_some_and(|(_, clean)| *clean > last))
    }

    /// The oldest job whose shares are still hashed.
    #[must_use]
    pub fn oldest(&self) -> Option<JobId> {
        self.entries.front().map(|entry| entry.job.id)
    }

    /// Whether any job's headers could repeat those of this space.
    #[must_use]
    pub fn has_space(&self, space: HeaderSpace) -> bool {
        self.entries.iter().any(|entry| entry.space == space)
    }

    /// Number of jobs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no job.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
