//! Where deployments of algorithms are kept: their state, and the trail of everything that was done.
//!
//! A step forward is written before it is acted on; a step back is acted on first, since safety does not wait for a
//! database. Either way the rule after a restart holds (see `hot-swap.md`).

use std::sync::Arc;

use async_trait::async_trait;
use pool_domain::{
    isolation::Level,
    rollout::Rollout,
    units::{BasisPoints, TimeMs},
};
use serde::{Deserialize, Serialize};

use super::{packages::PackageRef, store::StoreError};

/// How a deployment goes about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// Warm-up, then everyone at once.
    Immediate,
    /// Shadow, then step by step.
    Gradual,
    /// Gradual, from a given time on.
    Scheduled,
}

/// What an operator decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployPlan {
    /// How.
    pub strategy: Strategy,
    /// Time in shadow, milliseconds.
    pub shadow_ms: u64,
    /// Time at each step, milliseconds.
    pub phase_ms: u64,
    /// Part of the shares compared in shadow.
    pub shadow_share: BasisPoints,
    /// The steps, rising to everyone.
    pub steps: Vec<BasisPoints>,
    /// Not before.
    pub at: Option<TimeMs>,
    /// Go back by itself when health is bad; else pause. A wrong hash, a panic or a hang always goes back.
    pub rollback_on_error: bool,
    /// How far the pool is kept from the new code.
    #[serde(default)]
    pub isolation: Level,
    /// Channels of alerts that are told of each step.
    #[serde(default)]
    pub notify: Vec<String>,
}

/// A deployment as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentRow {
    /// Its number, from 1.
    pub id: u64,
    /// Rises with every change; an older row never replaces a newer one.
    pub revision: u64,
    /// What is deployed.
    pub package: PackageRef,
    /// What it replaces.
    pub replaces: PackageRef,
    /// Generation of the new slot.
    pub generation: u32,
    /// How.
    pub plan: DeployPlan,
    /// Where it is.
    pub rollout: Rollout,
    /// When it was asked for.
    pub created_at: TimeMs,
    /// When it last changed.
    pub updated_at: TimeMs,
    /// Who asked for it.
    pub by: String,
}

/// A line of the trail. Never changed, never removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrailLine {
    /// When.
    pub at: TimeMs,
    /// What was done: `staged`, `deployed`, `step`, `paused`, `resumed`, `rolled_back`, `restarted`, `reloaded`,
    /// `fell_back`.
    pub action: String,
    /// Stage after it.
    pub stage: String,
    /// Part of the sessions on the new generation after it.
    pub traffic: BasisPoints,
    /// Who: `operator` or `pool`.
    pub by: String,
    /// Why, or what was found.
    pub detail: String,
}

/// Keeps deployments.
#[async_trait]
pub trait DeploymentStore: Send + Sync + 'static {
    /// Writes a deployment's state and a line of its trail, durably and together. An older revision changes nothing but
    /// the trail.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn record(&self, row: DeploymentRow, line: TrailLine) -> Result<(), StoreError>;

    /// Deployments, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn deployments(&self, before: Option<u64>, limit: usize) -> Result<Vec<DeploymentRow>, StoreError>;

    /// The trail of a deployment, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn trail(&self, deployment: u64) -> Result<Vec<TrailLine>, StoreError>;
}

/// A store shared by supervisor and API.
pub type SharedDeployments = Arc<dyn DeploymentStore>;
