//! Algorithms and deployments.

use schemars::JsonSchema;

use super::text::{
    AlgorithmName, DeploymentStatus, HexText, Isolation, Number, PhaseStatus, RolloutKind, Severity,
    SlotHealth, StrategyName, Time,
};

/// An algorithm's code.
#[derive(JsonSchema)]
pub(in crate::api) struct Package {
    /// `name_version`.
    algorithm_id: String,
    name: String,
    version: String,
    hash_function: AlgorithmName,
    /// `package` or `linked_in`.
    source: String,
    digest: Option<String>,
}

#[derive(JsonSchema)]
struct StageCheck {
    check: String,
    ok: bool,
    severity: Severity,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    message: String,
}

#[derive(JsonSchema)]
struct BenchmarkResults {
    hashrate: u64,
    /// What its author promises; 0 = nothing.
    expected: u64,
    performance_score: Option<f64>,
}

/// What staging found out.
#[derive(JsonSchema)]
struct StageReport {
    validation_results: Vec<StageCheck>,
    benchmark_results: BenchmarkResults,
    isolation: Isolation,
    /// Why an older version was let in.
    downgrade: Option<String>,
    warnings: Vec<String>,
    next_steps: Vec<String>,
}

/// A package that can be deployed.
#[derive(JsonSchema)]
struct StagedPackage {
    #[serde(flatten)]
    package: Package,
    #[serde(flatten)]
    report: StageReport,
    /// What it may replace; null = anything.
    migration_from: Option<Vec<String>>,
    rollback_supported: bool,
}

/// A package was staged.
#[derive(JsonSchema)]
pub(in crate::api) struct Staged {
    #[serde(flatten)]
    package: Package,
    #[serde(flatten)]
    report: StageReport,
    /// `staged`.
    status: String,
    upload: String,
}

/// A group of shares in figures.
#[derive(JsonSchema)]
struct Figures {
    shares: u64,
    accepted: u64,
    low_difficulty: u64,
    hashes: u64,
    compared: u64,
    errors: u64,
    rescued: u64,
    traps: u64,
    blocks: u64,
    median_ns: Option<u64>,
    p99_ns: Option<u64>,
}

#[derive(JsonSchema)]
struct Slot {
    slot: u64,
    generation: u64,
    algorithm: Package,
    life: String,
    /// Percent.
    traffic_split: f64,
    in_flight: u64,
    figures: Figures,
}

/// What hashes, and what could.
#[derive(JsonSchema)]
pub(in crate::api) struct Algorithms {
    active: Option<Package>,
    staged: Option<StagedPackage>,
    slots: Vec<Slot>,
    can_stage: bool,
}

#[derive(JsonSchema)]
struct Phase {
    name: String,
    status: PhaseStatus,
    /// Seconds.
    duration: f64,
}

#[derive(JsonSchema)]
struct MigrationState {
    deployment_id: Number,
    status: DeploymentStatus,
    phase: String,
    /// Percent.
    progress: f64,
    /// Percent of the sessions on the new generation.
    traffic_split: f64,
    phases: Vec<Phase>,
    health: SlotHealth,
    health_reason: Option<String>,
}

#[derive(JsonSchema)]
struct DeploymentHealth {
    status: SlotHealth,
    reason: Option<String>,
    candidate: Figures,
    control: Figures,
}

#[derive(JsonSchema)]
struct Rollback {
    cause: String,
    code: Option<String>,
    documentation_link: Option<String>,
    message: String,
    detail: String,
    input: Option<HexText>,
    got: Option<HexText>,
    expected: Option<HexText>,
}

/// A deployment.
#[derive(JsonSchema)]
pub(in crate::api) struct Deployment {
    deployment_id: Number,
    algorithm_id: String,
    algorithm: Package,
    replaces: Package,
    kind: RolloutKind,
    strategy: StrategyName,
    status: DeploymentStatus,
    phase: String,
    progress: f64,
    traffic_split: f64,
    phases: Vec<Phase>,
    health: DeploymentHealth,
    rollback: Option<Rollback>,
    rollback_on_error: bool,
    /// Channels of alerts that are told of each step.
    notification_channels: Vec<String>,
    isolation: Isolation,
    at: Option<Time>,
    created_at: Time,
    updated_at: Time,
    by: String,
}

#[derive(JsonSchema)]
struct DeploymentTrailLine {
    at: Time,
    action: String,
    stage: String,
    traffic_split: f64,
    by: String,
    detail: String,
}

/// A deployment with its trail.
#[derive(JsonSchema)]
pub(in crate::api) struct DeploymentDetails {
    #[serde(flatten)]
    deployment: Deployment,
    trail: Vec<DeploymentTrailLine>,
}

#[derive(JsonSchema)]
struct PerformanceMetrics {
    slots: Vec<Slot>,
}

/// What is in force, staged and deployed.
#[derive(JsonSchema)]
pub(in crate::api) struct AlgorithmStatus {
    active_algorithm: Option<Package>,
    isolation: Isolation,
    fallback_algorithm: Option<Package>,
    staged_algorithm: Option<StagedPackage>,
    migration_state: Option<MigrationState>,
    deployment: Option<Deployment>,
    health: SlotHealth,
    health_reason: Option<String>,
    performance_metrics: PerformanceMetrics,
}

#[derive(JsonSchema)]
struct PlannedPhase {
    name: String,
    duration: f64,
    traffic_split: f64,
}

#[derive(JsonSchema)]
struct PlannedSessions {
    moving: u64,
    staying: u64,
}

/// What a deployment would do.
#[derive(JsonSchema)]
pub(in crate::api) struct Plan {
    from: Option<Package>,
    to: Package,
    kind: RolloutKind,
    strategy: StrategyName,
    phases: Vec<PlannedPhase>,
    shadow_percentage: f64,
    isolation: Isolation,
    rollback_on_error: bool,
    /// Channels of alerts that would be told of each step.
    notification_channels: Vec<String>,
    /// Channels of alerts that there are.
    channels: Vec<String>,
    at: Option<Time>,
    /// Seconds.
    estimated_duration: f64,
    needs_confirmation: bool,
    needs_override: Option<String>,
    obstacles: Vec<String>,
    warnings: Vec<String>,
    sessions: Option<PlannedSessions>,
}

/// A deployment was begun.
#[derive(JsonSchema)]
pub(in crate::api) struct DeployAnswer {
    deployment_id: Number,
    status: DeploymentStatus,
    /// Seconds.
    estimated_duration: f64,
    monitoring_url: String,
}
