//! Figures, miners, blocks, statements.

use schemars::JsonSchema;
use serde_json::Value;

use super::text::{
    AccountName, AlgorithmName, Amount, BlockColor, BlockStatus, CreditState, Cursor, Difficulty, Hash,
    IncomeKind, Number, ProofFormat, Time, Work, WorkerName,
};

/// A page of a list.
#[derive(JsonSchema)]
#[schemars(rename = "{T}Page")]
pub(in crate::api) struct Page<T> {
    items: Vec<T>,
    /// Null on the last page.
    next: Option<Cursor>,
}

/// A page of a list that is also given while the database is away: then as it was last read.
#[derive(JsonSchema)]
#[schemars(rename = "{T}Page")]
pub(in crate::api) struct KeptPage<T> {
    items: Vec<T>,
    next: Option<Cursor>,
    /// True while the database is away.
    #[serde(skip_serializing_if = "Option::is_none")]
    stale: Option<bool>,
    /// When it was read, if it is stale.
    #[serde(skip_serializing_if = "Option::is_none")]
    stale_at: Option<Time>,
}

/// Shares by outcome.
#[derive(JsonSchema)]
pub(in crate::api) struct Shares {
    accepted: u64,
    /// All refused ones, of which the following are the reasons.
    rejected: u64,
    stale: u64,
    duplicate: u64,
    low_difficulty: u64,
    invalid: u64,
}

/// What money is in.
#[derive(JsonSchema)]
pub(in crate::api) struct CurrencyView {
    symbol: String,
    /// Amounts are in 10^-decimals of it.
    decimals: u8,
}

/// Blocks found and to be expected since the process began.
#[derive(JsonSchema)]
struct Luck {
    found: u64,
    /// In millionths of a block; work counts by what a block took when it was done.
    expected_millionths: u64,
    /// Found per expected: 10,000 is average. Null before a whole block was to be expected.
    basis_points: Option<u64>,
}

#[derive(JsonSchema)]
struct PoolFigures {
    name: String,
    /// Hashes a second.
    hashrate: f64,
    miners: u64,
    workers: u64,
    connections: u64,
    /// Since the process started.
    shares: Shares,
    shares_per_second: f64,
    /// Work since the last block of ours, per expected work of a block: 10,000 is average.
    effort_basis_points: Option<u64>,
    /// Null before the network's work and the ledger are known.
    luck: Option<Luck>,
    currency: CurrencyView,
}

#[derive(JsonSchema)]
struct NetworkFigures {
    algorithm: Option<AlgorithmName>,
    difficulty: Option<Difficulty>,
    hashrate: Option<f64>,
    /// Blocks a second.
    block_rate: Option<f64>,
    /// Whether the node can take blocks.
    ready: bool,
    reason: Option<String>,
}

/// How many blocks ever reached each stage.
#[derive(JsonSchema)]
struct BlockFigures {
    candidate: u64,
    submitted: u64,
    accepted: u64,
    rejected: u64,
    matured: u64,
    paid: u64,
    void: u64,
    blue: u64,
    red: u64,
}

/// A check of the books that found something.
#[derive(JsonSchema)]
struct Finding {
    check: String,
    rows: u64,
}

#[derive(JsonSchema)]
struct LedgerFigures {
    pending: Amount,
    confirmed: Amount,
    reserved: Amount,
    paid: Amount,
    network_fees: Amount,
    fee_pending: Amount,
    fee_confirmed: Amount,
    /// The sum of all entries: always "0".
    imbalance: Amount,
    findings: Vec<Finding>,
    /// Shares that are durable and not credited yet.
    lag: u64,
    at: Option<Time>,
}

/// What the pool goes on without.
#[derive(JsonSchema)]
struct Degraded {
    /// `store`, `journal` or `cache`.
    component: String,
    code: String,
    message: String,
    since: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    figures_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_shares: Option<u64>,
}

/// Live figures.
#[derive(JsonSchema)]
pub(in crate::api) struct Stats {
    pool: PoolFigures,
    network: NetworkFigures,
    blocks: BlockFigures,
    ledger: LedgerFigures,
    /// The database is away: blocks and ledger are those of `ledger.at`.
    stale: bool,
    stale_reason: Option<String>,
    degraded: Vec<Degraded>,
    at: Time,
}

/// What an account has.
#[derive(JsonSchema)]
struct Balance {
    /// Of blocks that are not mature.
    pending: Amount,
    /// Owed, with what is on its way.
    confirmed: Amount,
    /// Of the confirmed, what is on its way.
    reserved: Amount,
    paid: Amount,
}

/// An account in a list.
#[derive(JsonSchema)]
pub(in crate::api) struct MinerLine {
    account: AccountName,
    /// Workers that are connected.
    workers: u64,
    hashrate: f64,
    shares: Shares,
    connected_since: Option<Time>,
    difficulty: Option<Difficulty>,
    last_share_at: Option<Time>,
    /// Credited work; left out where the list is sorted or searched, which asks no ledger.
    #[serde(skip_serializing_if = "Option::is_none")]
    work: Option<Work>,
    /// Left out as `work` is.
    #[serde(skip_serializing_if = "Option::is_none")]
    balance: Option<Balance>,
}

/// A page of accounts.
#[derive(JsonSchema)]
pub(in crate::api) struct MinersPage {
    items: Vec<MinerLine>,
    next: Option<Cursor>,
    /// How many there are on all pages; where the list is sorted or searched.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    /// Of when the figures are; where the list is sorted or searched.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Time>,
    /// True while the database is away.
    #[serde(skip_serializing_if = "Option::is_none")]
    stale: Option<bool>,
    /// When it was read, if it is stale.
    #[serde(skip_serializing_if = "Option::is_none")]
    stale_at: Option<Time>,
}

/// A difficulty that a worker has had.
#[derive(JsonSchema)]
struct DifficultyStep {
    /// Since when.
    at: Time,
    difficulty: Difficulty,
}

/// A worker of an account.
#[derive(JsonSchema)]
pub(in crate::api) struct Worker {
    name: WorkerName,
    hashrate: f64,
    difficulty: Option<Difficulty>,
    connected_since: Option<Time>,
    last_share_at: Option<Time>,
    shares: Shares,
    work: Work,
    /// The last ones, oldest first; none of a worker that is not known live.
    difficulties: Vec<DifficultyStep>,
}

/// An account with its workers; `shares.accepted` is what the ledger credited from the journal.
#[derive(JsonSchema)]
pub(in crate::api) struct MinerDetails {
    account: AccountName,
    hashrate: f64,
    workers: Vec<Worker>,
    shares: Shares,
    work: Work,
    balance: Balance,
    #[serde(skip_serializing_if = "Option::is_none")]
    stale: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stale_at: Option<Time>,
}

#[derive(JsonSchema)]
struct ShareHour {
    at: Time,
    algorithm: AlgorithmName,
    hashrate: f64,
    accepted: u64,
    work: Work,
}

/// Hash rate by the hour, from credited work; hours without a share are left out.
#[derive(JsonSchema)]
pub(in crate::api) struct HashrateHistory {
    account: AccountName,
    interval_s: u64,
    items: Vec<ShareHour>,
}

/// A block.
#[derive(JsonSchema)]
pub(in crate::api) struct Block {
    hash: Hash,
    height: Option<u64>,
    parents: Vec<Hash>,
    /// Null for blocks of others.
    status: Option<BlockStatus>,
    color: BlockColor,
    confirmations: u64,
    /// Null until known.
    reward: Option<Amount>,
    account: Option<AccountName>,
    worker: Option<WorkerName>,
    found_at: Option<Time>,
    algorithm: Option<AlgorithmName>,
    ours: bool,
}

#[derive(JsonSchema)]
struct BlockStep {
    at: Time,
    status: BlockStatus,
    color: BlockColor,
    reason: Option<String>,
}

/// A block of ours and its life so far.
#[derive(JsonSchema)]
pub(in crate::api) struct BlockDetails {
    #[serde(flatten)]
    block: Block,
    /// Expected hashes of a block at its time.
    network_work: Work,
    merging_block: Option<Hash>,
    reason: Option<String>,
    steps: Vec<BlockStep>,
}

#[derive(JsonSchema)]
struct WindowShares {
    first: Option<u64>,
    /// How much of the first share's work counts.
    first_counted: Option<Work>,
    last: u64,
}

#[derive(JsonSchema)]
struct StatementFee {
    reward: Option<Amount>,
    red_merge_income: Option<Amount>,
}

#[derive(JsonSchema)]
struct StatementLine {
    index: u64,
    account: AccountName,
    work: Work,
    reward: Option<Amount>,
    red_merge_income: Option<Amount>,
    /// Both together, null until one is known.
    amount: Option<Amount>,
}

/// Who was paid for a block and by which shares.
#[derive(JsonSchema)]
pub(in crate::api) struct Statement {
    block: Hash,
    height: Option<u64>,
    algorithm: AlgorithmName,
    account: AccountName,
    worker: WorkerName,
    found_at: Time,
    status: BlockStatus,
    color: BlockColor,
    confirmations: u64,
    scheme: String,
    factor_basis_points: Option<u64>,
    fee_basis_points: u64,
    network_work: Work,
    window_work: Option<Work>,
    shares: WindowShares,
    total_work: Work,
    reward: Option<Amount>,
    red_merge_income: Option<Amount>,
    fee: StatementFee,
    /// Root over all lines.
    root: Hash,
    accounts: u64,
    items: Vec<StatementLine>,
    next: Option<Cursor>,
}

#[derive(JsonSchema)]
struct ProofBranch {
    index: u64,
    count: u64,
    branch: Vec<Hash>,
}

/// An account's line of a block with its way to the root (format `dagpool-proof-1`).
#[derive(JsonSchema)]
pub(in crate::api) struct Proof {
    format: ProofFormat,
    block: Hash,
    algorithm: AlgorithmName,
    scheme: String,
    root: Hash,
    account: AccountName,
    work: Work,
    proof: ProofBranch,
    total_work: Work,
    fee_basis_points: u64,
    reward: Option<Amount>,
    red_merge_income: Option<Amount>,
    reward_part: Option<Amount>,
    red_merge_part: Option<Amount>,
}

/// A credit of an account.
#[derive(JsonSchema)]
pub(in crate::api) struct Credit {
    id: Number,
    block: Hash,
    height: Option<u64>,
    status: BlockStatus,
    color: BlockColor,
    income: IncomeKind,
    /// Counts the rewards that the block was said to have.
    revision: u64,
    amount: Amount,
    state: CreditState,
    credited_at: Time,
    ended_at: Option<Time>,
}

/// A page of credits; with `format=json` all of them in a list.
#[derive(JsonSchema)]
#[serde(untagged)]
pub(in crate::api) enum Earnings {
    Page(Page<Credit>),
    All(Vec<Credit>),
}

/// An OpenAPI document.
#[derive(JsonSchema)]
pub(in crate::api) struct Document(serde_json::Map<String, Value>);

/// Whether the process answers.
#[derive(JsonSchema)]
pub(in crate::api) struct Live {
    status: String,
}

#[derive(JsonSchema)]
struct NotReady {
    component: String,
    code: String,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    figures_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_shares: Option<u64>,
}

/// Whether miners can be given work and shares can be credited.
#[derive(JsonSchema)]
pub(in crate::api) struct Ready {
    /// `ready` or `not_ready`.
    status: String,
    reasons: Vec<NotReady>,
    /// What it goes on without.
    degraded: Vec<Degraded>,
    figures_at: Option<Time>,
    at: Time,
}

/// An actor under supervision.
#[derive(JsonSchema)]
struct ActorView {
    name: String,
    kind: String,
    /// `running`, `restarting`, `stopped` or `failed`.
    life: String,
    restarts: u64,
    last_death: Option<String>,
    /// What it says about itself: each kind of actor has its own shape.
    state: Option<Value>,
    mailbox_delay_us: Option<u64>,
}

/// Memory of the process.
#[derive(JsonSchema)]
struct MemoryView {
    resident_bytes: u64,
    /// What it may use: its control group's limit, or the machine's memory.
    limit_bytes: u64,
    /// Part of that, 0 to 1.
    used: f64,
}

/// File descriptors of the process.
#[derive(JsonSchema)]
struct FilesView {
    open: u64,
    max: u64,
    /// Part of them, 0 to 1.
    used: f64,
}

/// The data folder's disk.
#[derive(JsonSchema)]
struct DiskView {
    total_bytes: u64,
    free_bytes: u64,
    /// Part that is free, 0 to 1.
    free: f64,
    journal_bytes: u64,
    /// Null before the database has said it.
    database_bytes: Option<u64>,
}

/// Process and disk, looked at every few seconds.
#[derive(JsonSchema)]
struct SystemFiguresView {
    at: Time,
    version: String,
    started_at: Time,
    /// CPU time since then, user and system, microseconds.
    cpu_us: u64,
    threads: u64,
    memory: MemoryView,
    files: FilesView,
    disk: DiskView,
}

/// Every supervised actor, and the process that they live in.
#[derive(JsonSchema)]
pub(in crate::api) struct SystemView {
    actors: Vec<ActorView>,
    /// Null in the first moment.
    figures: Option<SystemFiguresView>,
    at: Time,
}

/// An address that may not connect.
#[derive(JsonSchema)]
pub(in crate::api) struct BanView {
    address: String,
    reason: super::text::BanReason,
    /// An operator's own, where they were said to this process.
    words: Option<String>,
    at: Time,
    until: Time,
}

/// A ban that was made by hand.
#[derive(JsonSchema)]
pub(in crate::api) struct BanMade {
    address: String,
    reason: super::text::BanReason,
    words: String,
    at: Time,
    until: Time,
    /// Sessions that were closed.
    sessions: u64,
}

/// Miners' sessions.
#[derive(JsonSchema)]
pub(in crate::api) struct Connections {
    items: Vec<Connection>,
    next: Option<Cursor>,
    /// Of all pages.
    total: u64,
}

/// A miner's session.
#[derive(JsonSchema)]
pub(in crate::api) struct Connection {
    session: u64,
    account: Option<AccountName>,
    worker: Option<WorkerName>,
    peer: Option<String>,
    agent: Option<String>,
    /// Number of the listener, in the order of the configuration.
    listener: u64,
    variant: String,
    difficulty: Option<Difficulty>,
    connected_at: Option<Time>,
    last_share_at: Option<Time>,
}

/// How many sessions were told.
#[derive(JsonSchema)]
pub(in crate::api) struct Announced {
    sessions: u64,
}
