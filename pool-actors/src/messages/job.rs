//! Jobs: a template made into work for miners, shared by all sessions.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use actix::Message;
use bytes::Bytes;
use pool_domain::{
    difficulty::Difficulty,
    functions::Functions,
    ids::{AlgorithmName, JobId},
    target::Target,
    traffic_split::TrafficSplit,
    units::{TimeMs, Work},
};

use super::block::CandidateFound;
use crate::{
    ports::node::{HeaderForm, Template},
    runtime::critical::CriticalOutbox,
};

/// How many stratum dialects can keep a rendering of one job.
pub const DIALECTS_MAX: usize = 8;

/// Work as all sessions share it. Which (slot, generation) serves which session is pinned here, at issue: a swap never
/// turns good work into a reject, since shares of an old job finish on the old generation.
#[derive(Clone)]
pub struct Job {
    /// Number of the job, rising; its wire form is the dialect's business.
    pub id: JobId,
    /// The template it was made from.
    pub template: Arc<Template>,
    /// Where its shares are validated: by session, while a roll-out is under way.
    pub split: TrafficSplit,
    /// Proof-of-work function.
    pub algorithm: AlgorithmName,
    /// The functions that are mined while this is the newest job, and who mines which.
    pub functions: Arc<Functions>,
    /// The node invalidated all earlier work of this function (and only then).
    pub clean: bool,
    /// A hash at or below it is a block.
    pub network_target: Target,
    /// The same as expected hashes.
    pub network_work: Work,
    /// The same as a difficulty of the algorithm's scale: vardiff never exceeds it.
    pub network_difficulty: Difficulty,
    /// The difficulty at which sessions begin to work on this function, if its package says one.
    pub start_difficulty: Option<Difficulty>,
    /// Time of issue.
    pub issued_at: TimeMs,
    /// The JobTemplate actor that assembles its blocks.
    pub owner: CriticalOutbox<CandidateFound>,
    /// The notify line of each dialect, made once by the first session that needs it.
    pub rendered: RenderCache,
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("id", &self.id).field("split", &self.split).finish_non_exhaustive()
    }
}

impl Job {
    /// How a header is made from a solution.
    #[must_use]
    pub fn header(&self) -> &HeaderForm {
        &self.template.header
    }

    /// A copy for the sessions of one arbiter: every share counts a reference to its job, and counters that several
    /// threads write cost more than a hash. Template and renderings stay shared.
    #[must_use]
    pub fn for_arbiter(&self) -> Arc<Self> {
        Arc::new(self.clone())
    }
}

/// One rendering per dialect, each made at most once for all sessions of all arbiters.
#[derive(Debug, Clone, Default)]
pub struct RenderCache(Arc<[OnceLock<Bytes>; DIALECTS_MAX]>);

impl RenderCache {
    /// The rendering of dialect number `dialect`, made by `render` if nobody did yet.
    ///
    /// # Panics
    /// When `dialect` is not below [`DIALECTS_MAX`]; the table of dialects is checked against it by a test.
    pub fn get_or_render(&self, dialect: usize, render: impl FnOnce() -> Bytes) -> &Bytes {
        self.0[dialect].get_or_init(render)
    }
}

/// To every arbiter's session hub: here is newer work. Conflating: only the newest of each function counts.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct PublishJob(pub Arc<Job>);

/// To every arbiter's session hub: there is no work for now (node not ready), or there is again.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct WorkPaused {
    /// Why, in words for a miner; `None` when work resumes with the next job.
    pub reason: Option<String>,
}

/// The job in force, for people: `/api/live`, `/api/stats`, `/health/ready`.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct CurrentJob {
    /// Job number, as hex on the wire.
    pub id: String,
    /// Algorithm.
    pub algorithm: String,
    /// Height or blue score.
    pub height: Option<u64>,
    /// Parents, display hex.
    pub parents: Vec<String>,
    /// Network difficulty of the algorithm's scale (display only).
    pub network_difficulty: String,
    /// Network difficulty as expected hashes.
    pub network_work: Work,
    /// When the template came, Unix milliseconds.
    pub template_at: TimeMs,
}

/// Whether the node hands out work of a function.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct FunctionWork {
    /// The function.
    pub algorithm: String,
    /// Expected hashes of its next block; `None` before its first template.
    pub network_work: Option<Work>,
    /// Its last call for a template failed.
    pub failing: Option<NoTemplate>,
}

/// Why there is no template of a function.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct NoTemplate {
    /// Since when calls fail, Unix milliseconds.
    pub since: TimeMs,
    /// In the node's words.
    pub reason: String,
    /// The node answered that it has none; else it did not answer (well).
    pub refused: bool,
}

/// State of node and templates, published by the TemplateReceiver in a watch.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct NodeState {
    /// Adapter name.
    pub name: String,
    /// Work is being handed out.
    pub ready: bool,
    /// Why not.
    pub reason: String,
    /// The network as the node states it.
    pub network: String,
    /// Number of configured endpoints.
    pub endpoints: usize,
    /// Last template, Unix milliseconds; 0 = none yet.
    pub last_template_at: TimeMs,
    /// Time the last template call took.
    pub latency_ms: u64,
    /// The job in force of the main function, if any.
    pub job: Option<CurrentJob>,
    /// Every function that jobs are issued for.
    pub functions: Vec<FunctionWork>,
}

impl NodeState {
    /// What is known of the work of a function.
    #[must_use]
    pub fn function(&self, function: &str) -> Option<&FunctionWork> {
        self.functions.iter().find(|work| work.algorithm == function)
    }
}
