// Made of openapi.json by `npm run api-types`; a test sees to it that it is.

/** A payout address: 1 to 128 printable ASCII characters without a dot. */
export type AccountName = string;

/** What an account is paid by. */
export interface AccountSettings {
  account: AccountName;
  /** Why nothing is paid to it. */
  held: string | null;
  /** The pool's, which its own can't be below; null where nothing is paid out. */
  pool_threshold: Amount | null;
  /** Why the chain refuses the address. */
  set_aside: string | null;
  /** Its own; null = the pool's. */
  threshold: Amount | null;
}

/** What is agreed with an account about payouts. */
export interface AccountTerms {
  account: AccountName;
  /** Why it is held, if it is. */
  held: string | null;
  /** Why it was set aside, if it was. */
  set_aside: string | null;
  /** Its own threshold; null = the pool's. */
  threshold: Amount | null;
}

/** Body of an acknowledgement. */
export interface AcknowledgeRequest {
  note?: string;
}

export interface Acknowledged {
  at: Time;
  by: string;
  note: string;
}

/** An actor under supervision. */
export interface ActorView {
  kind: string;
  last_death: string | null;
  /** `running`, `restarting`, `stopped` or `failed`. */
  life: string;
  mailbox_delay_us: number | null;
  name: string;
  restarts: number;
  /** What it says about itself: each kind of actor has its own shape. */
  state: unknown;
}

export interface AddUser {
  email?: string | null;
  password: Secret;
  role: RoleName;
  username: string;
}

export interface AddressRequest {
  email: string;
}

/** What an operator decides. */
export interface AdjustmentRequest {
  account: AccountName;
  /** What is given, or taken (below zero); never zero. */
  amount: Amount;
  author: string;
  /** It may leave the balance below zero. */
  below_zero?: boolean;
  reason: string;
  /** The operator's own name for it: the same one is made once. */
  reference: string;
}

/** A correction of a balance. */
export interface AdjustmentView {
  account: AccountName;
  amount: Amount;
  at: Time;
  author: string;
  below_zero: boolean;
  id: number;
  reason: string;
  reference: string;
}

/** A page of a list. */
export interface AdjustmentViewPage {
  items: AdjustmentView[];
  /** Null on the last page. */
  next: Cursor | null;
}

/** An alert. */
export interface Alert {
  acknowledged: Acknowledged | null;
  documentation_link: string;
  fired_at: Time;
  id: Number;
  inhibited_by: string | null;
  message: string;
  resolved_at: Time | null;
  rule: string;
  severity: AlertSeverity;
  silenced: boolean;
  /** `firing` or `resolved`. */
  state: string;
  subject: string;
  value: number | null;
}

/** A channel. */
export interface AlertChannel {
  delivered: number;
  delivered_at: Time | null;
  given_up: number;
  kind: string;
  name: string;
  trouble: string | null;
  waiting: number;
}

/** A page of a list. */
export interface AlertChannelPage {
  items: AlertChannel[];
  /** Null on the last page. */
  next: Cursor | null;
}

/** A rule. */
export interface AlertRule {
  condition: string;
  for_s: number;
  inhibited_by: string[];
  message: string;
  name: string;
  severity: AlertSeverity;
  value: number | null;
}

/** A page of a list. */
export interface AlertRulePage {
  items: AlertRule[];
  /** Null on the last page. */
  next: Cursor | null;
}

/** How bad an alert is. */
export type AlertSeverity = "warning" | "error" | "critical";

/** What fires, and a page of what is over. */
export interface AlertsView {
  firing: Alert[];
  items: Alert[];
  next: Cursor | null;
  silences: SilenceView[];
}

/** A hash function. */
export type AlgorithmName = string;

/** What is in force, staged and deployed. */
export interface AlgorithmStatus {
  active_algorithm: Package | null;
  deployment: Deployment | null;
  fallback_algorithm: Package | null;
  health: SlotHealth;
  health_reason: string | null;
  isolation: Isolation;
  migration_state: MigrationState | null;
  performance_metrics: PerformanceMetrics;
  staged_algorithm: StagedPackage | null;
}

/** What hashes, and what could. */
export interface Algorithms {
  active: Package | null;
  can_stage: boolean;
  slots: Slot[];
  staged: StagedPackage | null;
}

/** Money in the smallest unit of the chain: a whole number as text, since readers of JSON round large numbers. */
export type Amount = string;

/** How many sessions were told. */
export interface Announced {
  sessions: number;
}

/** Body of an announcement. */
export interface Announcement {
  message: string;
}

/** A token for scripts. */
export interface ApiToken {
  created_at: Time;
  expires_at: Time;
  id: string;
  name: string;
  revoked_at: Time | null;
  scopes: ScopeName[];
}

/** A page of a list. */
export interface ApiTokenPage {
  items: ApiToken[];
  /** Null on the last page. */
  next: Cursor | null;
}

/** The dispatcher was asked. */
export interface Asked {
  status: string;
}

export interface AutoRecovery {
  action: string;
  meaning: string;
}

/** Codes that are good once each. */
export interface BackupCodes {
  backup_codes: string[];
}

/** What an account has. */
export interface Balance {
  /** Owed, with what is on its way. */
  confirmed: Amount;
  paid: Amount;
  /** Of blocks that are not mature. */
  pending: Amount;
  /** Of the confirmed, what is on its way. */
  reserved: Amount;
}

/** A ban that was made by hand. */
export interface BanMade {
  address: string;
  at: Time;
  reason: BanReason;
  /** Sessions that were closed. */
  sessions: number;
  until: Time;
  words: string;
}

/** Why an address may not connect. */
export type BanReason = "malformed" | "invalid_shares" | "poisonous_shares" | "operator";

/** An address that may not connect. */
export interface BanView {
  address: string;
  at: Time;
  reason: BanReason;
  until: Time;
  /** An operator's own, where they were said to this process. */
  words: string | null;
}

/** A page of a list. */
export interface BanViewPage {
  items: BanView[];
  /** Null on the last page. */
  next: Cursor | null;
}

export interface BenchmarkResults {
  /** What its author promises; 0 = nothing. */
  expected: number;
  hashrate: number;
  performance_score: number | null;
}

/** A block. */
export interface Block {
  account: AccountName | null;
  algorithm: AlgorithmName | null;
  color: BlockColor;
  confirmations: number;
  found_at: Time | null;
  hash: Hash;
  height: number | null;
  ours: boolean;
  parents: Hash[];
  /** Null until known. */
  reward: Amount | null;
  /** Null for blocks of others. */
  status: BlockStatus | null;
  worker: WorkerName | null;
}

/** What the DAG says of a block; it may change until the block is mature. */
export type BlockColor = "unknown" | "blue" | "red";

/** A block of ours and its life so far. */
export interface BlockDetails {
  account: AccountName | null;
  algorithm: AlgorithmName | null;
  color: BlockColor;
  confirmations: number;
  found_at: Time | null;
  hash: Hash;
  height: number | null;
  merging_block: Hash | null;
  /** Expected hashes of a block at its time. */
  network_work: Work;
  ours: boolean;
  parents: Hash[];
  reason: string | null;
  /** Null until known. */
  reward: Amount | null;
  /** Null for blocks of others. */
  status: BlockStatus | null;
  steps: BlockStep[];
  worker: WorkerName | null;
}

/** How many blocks ever reached each stage. */
export interface BlockFigures {
  accepted: number;
  blue: number;
  candidate: number;
  matured: number;
  paid: number;
  red: number;
  rejected: number;
  submitted: number;
  void: number;
}

/** A page of a list that is also given while the database is away: then as it was last read. */
export interface BlockPage {
  items: Block[];
  next: Cursor | null;
  /** True while the database is away. */
  stale?: boolean | null;
  /** When it was read, if it is stale. */
  stale_at?: Time | null;
}

/** How far a block has come. */
export type BlockStatus = "candidate" | "submitted" | "accepted" | "rejected" | "matured" | "paid" | "void";

export interface BlockStep {
  at: Time;
  color: BlockColor;
  reason: string | null;
  status: BlockStatus;
}

export interface ChangeEmailRequest {
  email?: string | null;
  password: Secret;
}

export interface ChangePasswordRequest {
  new_password: Secret;
  password: Secret;
}

/** Body of a change of an account's settings. */
export interface ChangeSettings {
  /** In the smallest unit; null = the pool's. */
  threshold?: Amount | null;
}

/** One change at a time, so that the trail says what was decided. */
export type ChangeUser = {
  role: RoleName;
} | {
  disabled: boolean;
} | {
  reset_mfa: boolean;
} | {
  password: Secret;
};

/** Whether a channel works. */
export interface ChannelTried {
  channel: string;
  message: string | null;
  ok: boolean;
}

/** A claim that was begun. */
export interface ClaimBegun {
  account: string;
  /** What the address's key signs. */
  challenge: string;
  expires_at: Time;
  /** What a machine that mines for the address shows as its password. */
  password: Secret;
  /** Whether addresses of this kind have a key that signs. */
  signature: boolean;
}

export interface ClaimProof {
  account: string;
  signature?: string | null;
}

export interface ClaimRequest {
  account: string;
}

/** A claim that was shown. */
export interface Claimed {
  account: string;
  /** `signature` or `workers`. */
  by: string;
}

/** A key whose value differs between what is in force and the file. */
export interface ConfigChange {
  from: string;
  key: string;
  /** It takes effect without a restart. */
  live: boolean;
  to: string;
}

/** A key of the configuration. */
export interface ConfigKey {
  default: unknown;
  doc: string;
  /** It can change while the pool runs. */
  live: boolean;
  name: string;
  /** "default", "file", "environment" or "command". */
  source: string;
  /** `***` for a secret. */
  value: unknown;
  /** The variable, if it is the environment. */
  variable: string | null;
}

/** What a reload changed, or would. */
export interface ConfigReloaded {
  changes: ConfigChange[];
  dry_run: boolean;
  live: number;
  waiting: number;
}

/** A section of the configuration. */
export interface ConfigSection {
  keys: ConfigKey[];
  name: string;
}

/** The configuration in force. */
export interface ConfigView {
  file: string | null;
  read_at: Time;
  sections: ConfigSection[];
  /** What the file says and waits for a restart. */
  waiting: ConfigChange[];
}

/** Whose address was confirmed. */
export interface Confirmed {
  email: string | null;
  username: string;
}

/** A miner's session. */
export interface Connection {
  account: AccountName | null;
  agent: string | null;
  connected_at: Time | null;
  difficulty: Difficulty | null;
  last_share_at: Time | null;
  /** Number of the listener, in the order of the configuration. */
  listener: number;
  peer: string | null;
  session: number;
  variant: string;
  worker: WorkerName | null;
}

/** Miners' sessions. */
export interface Connections {
  items: Connection[];
  next: Cursor | null;
  /** Of all pages. */
  total: number;
}

/** A credit of an account. */
export interface Credit {
  amount: Amount;
  block: Hash;
  color: BlockColor;
  credited_at: Time;
  ended_at: Time | null;
  height: number | null;
  id: Number;
  income: IncomeKind;
  /** Counts the rewards that the block was said to have. */
  revision: number;
  state: CreditState;
  status: BlockStatus;
}

/** A page of a list. */
export interface CreditPage {
  items: Credit[];
  /** Null on the last page. */
  next: Cursor | null;
}

/** What became of a credit. */
export type CreditState = "pending" | "confirmed" | "voided";

/** What money is in. */
export interface CurrencyView {
  /** Amounts are in 10^-decimals of it. */
  decimals: number;
  symbol: string;
}

/** Where the next page begins: `cursor` of the next request. */
export type Cursor = string;

/** What the pool goes on without. */
export interface Degraded {
  code: string;
  /** `store`, `journal` or `cache`. */
  component: string;
  figures_at?: Time | null;
  message: string;
  since: Time | null;
  waiting_shares?: number | null;
}

/** A deployment was begun. */
export interface DeployAnswer {
  deployment_id: Number;
  /** Seconds. */
  estimated_duration: number;
  monitoring_url: string;
  status: DeploymentStatus;
}

/** How to deploy; what is missing is as configured. */
export interface DeployConfig {
  /** RFC 3339. */
  at?: Time | null;
  confirm?: string | null;
  /** Digest of the package that is meant: another one that was staged meanwhile is refused. Without it, what is staged. */
  digest?: string | null;
  isolation?: Isolation | null;
  /** Channels of alerts that are told of each step; `dashboard` is told anyhow. */
  notification_channels?: string[];
  override_migration_from?: boolean;
  /** Seconds. */
  phase_duration?: number | null;
  /** Percents of the sessions, rising to 100. */
  phases?: number[] | null;
  rollback_on_error?: boolean | null;
  /** Seconds. */
  shadow_duration?: number | null;
  /** Percent of the shares. */
  shadow_percentage?: number | null;
  strategy?: StrategyName | null;
}

/** Body of a deploy request. */
export interface DeployRequest {
  config?: DeployConfig;
}

/** A deployment. */
export interface Deployment {
  algorithm: Package;
  algorithm_id: string;
  at: Time | null;
  by: string;
  created_at: Time;
  deployment_id: Number;
  health: DeploymentHealth;
  isolation: Isolation;
  kind: RolloutKind;
  /** Channels of alerts that are told of each step. */
  notification_channels: string[];
  phase: string;
  phases: Phase[];
  progress: number;
  replaces: Package;
  rollback: Rollback | null;
  rollback_on_error: boolean;
  status: DeploymentStatus;
  strategy: StrategyName;
  traffic_split: number;
  updated_at: Time;
}

/** A deployment with its trail. */
export interface DeploymentDetails {
  algorithm: Package;
  algorithm_id: string;
  at: Time | null;
  by: string;
  created_at: Time;
  deployment_id: Number;
  health: DeploymentHealth;
  isolation: Isolation;
  kind: RolloutKind;
  /** Channels of alerts that are told of each step. */
  notification_channels: string[];
  phase: string;
  phases: Phase[];
  progress: number;
  replaces: Package;
  rollback: Rollback | null;
  rollback_on_error: boolean;
  status: DeploymentStatus;
  strategy: StrategyName;
  traffic_split: number;
  trail: DeploymentTrailLine[];
  updated_at: Time;
}

export interface DeploymentHealth {
  candidate: Figures;
  control: Figures;
  reason: string | null;
  status: SlotHealth;
}

/** A page of a list. */
export interface DeploymentPage {
  items: Deployment[];
  /** Null on the last page. */
  next: Cursor | null;
}

/** Where a deployment is. */
export type DeploymentStatus = "scheduled" | "pending" | "running" | "paused" | "completed" | "rolled_back";

export interface DeploymentTrailLine {
  action: string;
  at: Time;
  by: string;
  detail: string;
  stage: string;
  traffic_split: number;
}

/** A difficulty as a decimal text. */
export type Difficulty = string;

/** A difficulty that a worker has had. */
export interface DifficultyStep {
  /** Since when. */
  at: Time;
  difficulty: Difficulty;
}

/** The data folder's disk. */
export interface DiskView {
  /** Null before the database has said it. */
  database_bytes: number | null;
  /** Part that is free, 0 to 1. */
  free: number;
  free_bytes: number;
  journal_bytes: number;
  total_bytes: number;
}

/** An OpenAPI document. */
export type Document = Record<string, unknown>;

/** What would be paid now. */
export interface DryRun {
  amount: Amount;
  held: string | null;
  payouts: PlannedPayout[];
  refused: Waiting[];
  skipped: Skipped[];
  spent: Spent;
}

/** A page of credits; with `format=json` all of them in a list. */
export type Earnings = CreditPage | Credit[];

/** Every error. */
export interface ErrorAnswer {
  error: ErrorDetails;
}

export interface ErrorDetails {
  /** What the pool does about it by itself. */
  auto_recovery: AutoRecovery[];
  /** Stable; `/docs/errors/CODE` explains it. */
  code: string;
  /** What is known besides; `parameter` names what was wrong with the request. */
  details: Record<string, unknown>;
  documentation_link: string;
  /** What the log is searched for; also in the header `X-Request-Id`. */
  id: string;
  message: string;
  severity: Severity;
  suggested_actions: SuggestedAction[];
  timestamp: Time;
}

export type ExportFormat = "csv" | "json";

/** A group of shares in figures. */
export interface Figures {
  accepted: number;
  blocks: number;
  compared: number;
  errors: number;
  hashes: number;
  low_difficulty: number;
  median_ns: number | null;
  p99_ns: number | null;
  rescued: number;
  shares: number;
  traps: number;
}

/** File descriptors of the process. */
export interface FilesView {
  max: number;
  open: number;
  /** Part of them, 0 to 1. */
  used: number;
}

/** A check of the books that found something. */
export interface Finding {
  check: string;
  rows: number;
}

/** Half a log-in: `mfa/verify` takes `mfa_token` with the second factor. */
export interface HalfLogIn {
  expires_in: number;
  mfa_required: boolean;
  mfa_token: Secret;
  refresh_token: Secret | null;
  token: Secret | null;
}

/** A block's hash: 64 hexadecimal digits, lower case. */
export type Hash = string;

/** Hash rate by the hour, from credited work; hours without a share are left out. */
export interface HashrateHistory {
  account: AccountName;
  interval_s: number;
  items: ShareHour[];
}

/** What is held now. */
export interface Held {
  held: string;
}

/** Hexadecimal digits, lower case. */
export type HexText = string;

/** What is held or released: `{"scope":"all"}`, `{"scope":"payout","id":"7"}`, `{"scope":"account","account":"..."}`. */
export interface HoldRequest {
  /** Of scope `account`. */
  account?: AccountName | null;
  /** Of scope `payout`. */
  id?: Number | null;
  /** Needed to hold. */
  reason?: string | null;
  scope: "all" | "payout" | "account";
}

/** What a credit is for. */
export type IncomeKind = "block" | "red_merge";

/** How far the pool is kept from an algorithm's code. */
export type Isolation = "wasm" | "process" | "in-process";

export interface LedgerFigures {
  at: Time | null;
  confirmed: Amount;
  fee_confirmed: Amount;
  fee_pending: Amount;
  findings: Finding[];
  /** The sum of all entries: always "0". */
  imbalance: Amount;
  /** Shares that are durable and not credited yet. */
  lag: number;
  network_fees: Amount;
  paid: Amount;
  pending: Amount;
  reserved: Amount;
}

/** A letter was asked for; whether one is sent is not told. */
export interface LetterAsked {
  /** `sent_if_known`. */
  status: string;
}

export interface LinkRequest {
  token: Secret;
}

/** Whether the process answers. */
export interface Live {
  status: string;
}

/** What a log-in gives. */
export type LogInAnswer = TokenPair | HalfLogIn;

export interface LogInRequest {
  password: Secret;
  username: string;
}

/** A line of the log. */
export interface LogLine {
  at: Time;
  category: string;
  fields: Record<string, string>;
  /** "error", "warn", "info", "debug" or "trace". */
  level: string;
  message: string;
  seq: number;
  target: string;
}

/** Lines of the log, oldest first. */
export interface LogLines {
  categories: string[];
  items: LogLine[];
  /** Lines after `after` that are not kept any more. */
  missed: number;
  /** Where older lines are. */
  next: Cursor | null;
  /** Where a follower goes on. */
  seen: number;
}

/** Blocks found and to be expected since the process began. */
export interface Luck {
  /** Found per expected: 10,000 is average. Null before a whole block was to be expected. */
  basis_points: number | null;
  /** In millionths of a block; work counts by what a block took when it was done. */
  expected_millionths: number;
  found: number;
}

/** What changed a balance: a credit of a block, or (below zero) a payout. */
export interface McBalanceChange {
  address: string;
  /** In coins. */
  amount: number;
  created: string;
  poolId: string;
  usage: string;
}

/** A block of the pool. */
export interface McBlock {
  blockHeight: number;
  /** 0 to 1. */
  confirmationProgress: number;
  created: string;
  hash: string;
  miner: string;
  /** Expected hashes by 2^32. */
  networkDifficulty: number;
  poolId: string;
  /** In coins; 0 until known. */
  reward: number;
  /** The worker. */
  source: string;
  /** `pending`, `confirmed` or `orphaned`. */
  status: string;
  transactionConfirmationData: string;
  type: string;
}

/** The coin. */
export interface McCoin {
  algorithm: string;
  family: string;
  name: string;
  symbol: string;
  type: string;
}

/** What was paid on a day (UTC). */
export interface McDay {
  /** In coins. */
  amount: number;
  date: string;
}

/** A miner in the list of a pool. */
export interface McMiner {
  hashrate: number;
  miner: string;
  sharesPerSecond: number;
}

/** An account's own terms. */
export interface McMinerSettings {
  /** In coins. */
  paymentThreshold: number;
}

/** An account. */
export interface McMinerStats {
  lastPayment?: string | null;
  /** Owed and not on its way, in coins. */
  pendingBalance: number;
  /** Shares that the ledger has credited. */
  pendingShares: number;
  performance?: McWorkers | null;
  /** By the hour, all workers together under the name "". */
  performanceSamples: McWorkers[];
  /** In coins, since midnight UTC. */
  todayPaid: number;
  /** In coins. */
  totalPaid: number;
}

export interface McNetworkStats {
  blockHeight: number;
  /** Not known here: 0. */
  connectedPeers: number;
  lastNetworkBlockTime?: string | null;
  networkDifficulty: number;
  networkHashrate: number;
  networkType: string;
  /** How rewards are found: `POW`. */
  rewardType: string;
}

/** The page envelope of `/api/v2`. */
export interface McPageOfMcBalanceChange {
  /** How many pages are known: one more than this while there is more. */
  pageCount: number;
  result: McBalanceChange[];
  success: boolean;
}

/** The page envelope of `/api/v2`. */
export interface McPageOfMcBlock {
  /** How many pages are known: one more than this while there is more. */
  pageCount: number;
  result: McBlock[];
  success: boolean;
}

/** The page envelope of `/api/v2`. */
export interface McPageOfMcDay {
  /** How many pages are known: one more than this while there is more. */
  pageCount: number;
  result: McDay[];
  success: boolean;
}

/** The page envelope of `/api/v2`. */
export interface McPageOfMcMiner {
  /** How many pages are known: one more than this while there is more. */
  pageCount: number;
  result: McMiner[];
  success: boolean;
}

/** The page envelope of `/api/v2`. */
export interface McPageOfMcPayment {
  /** How many pages are known: one more than this while there is more. */
  pageCount: number;
  result: McPayment[];
  success: boolean;
}

/** A payment: one address of one payout. */
export interface McPayment {
  address: string;
  /** In coins. */
  amount: number;
  coin: string;
  created: string;
  transactionConfirmationData: string;
}

export interface McPaymentProcessing {
  enabled: boolean;
  /** In coins. */
  minimumPayment: number;
  payoutScheme: string;
}

/** A pool. */
export interface McPool {
  address: string;
  /** Milliseconds. */
  blockRefreshInterval: number;
  /** Seconds. */
  clientConnectionTimeout: number;
  coin: McCoin;
  id: string;
  /** Has no meaning here: 0. */
  jobRebroadcastTimeout: number;
  lastPoolBlockTime?: string | null;
  networkStats: McNetworkStats;
  paymentProcessing: McPaymentProcessing;
  /** Work since the last block of the pool by what a block takes: 1 is average. */
  poolEffort?: number | null;
  poolFeePercent: number;
  poolStats: McPoolStats;
  /** By port. */
  ports: Record<string, unknown>;
  topMiners: McMiner[];
  totalBlocks: number;
  /** In coins. */
  totalPaid: number;
}

/** `/api/pools/{pool}`. */
export interface McPoolAnswer {
  pool: McPool;
}

/** A point of the pool's past. */
export interface McPoolSample {
  connectedMiners: number;
  connectedWorkers: number;
  created: string;
  networkDifficulty: number;
  networkHashrate: number;
  poolHashrate: number;
  validSharesPerSecond: number;
}

/** `/api/pools/{pool}/performance`. */
export interface McPoolSamples {
  stats: McPoolSample[];
}

export interface McPoolStats {
  connectedMiners: number;
  connectedWorkers: number;
  poolHashrate: number;
  sharesPerSecond: number;
}

/** `/api/pools`. */
export interface McPools {
  pools: McPool[];
}

/** A port for miners. */
export interface McPort {
  /** Of a fresh connection. */
  difficulty: number;
  listenAddress: string;
  name: string;
  tls: boolean;
  /** How the difficulty moves; absent where it is fixed. */
  varDiff?: McVarDiff | null;
}

/** Bounds of a moving difficulty. */
export interface McVarDiff {
  maxDiff: number;
  minDiff: number;
}

/** A worker at one time. */
export interface McWorker {
  hashrate: number;
  sharesPerSecond: number;
}

/** The workers at one time, by name. */
export interface McWorkers {
  created: string;
  workers: Record<string, McWorker>;
}

/** Who the token stands for. */
export type Me = MeSession | MeToken | MeAdminToken;

/** The pool's own token. */
export interface MeAdminToken {
  /** `admin_token`. */
  by: string;
  role: RoleName;
  username: string | null;
}

/** Who a session stands for. */
export interface MeSession {
  backup_codes_left: number;
  /** `session`. */
  by: string;
  created_at: Time;
  disabled_at: Time | null;
  email: string | null;
  /** The address is known to be theirs. */
  email_verified: boolean;
  id: string;
  /** The second factor is in force. */
  mfa: boolean;
  mfa_setup_required: boolean;
  role: RoleName;
  session: string;
  username: string;
}

/** Who a token for scripts stands for. */
export interface MeToken {
  /** `token`. */
  by: string;
  name: string;
  role: RoleName;
  scopes: ScopeName[];
  username: string | null;
}

/** Memory of the process. */
export interface MemoryView {
  /** What it may use: its control group's limit, or the machine's memory. */
  limit_bytes: number;
  resident_bytes: number;
  /** Part of that, 0 to 1. */
  used: number;
}

export interface MfaCodeRequest {
  code: Secret;
}

export interface MfaDisableRequest {
  backup_code?: Secret | null;
  code?: Secret | null;
  password: Secret;
}

/** The second factor is in force; all other sessions have ended. */
export interface MfaEnabled {
  backup_codes: string[];
  /** Seconds. */
  expires_in: number;
  mfa_required: boolean;
  /** Good for nothing but setting up a second factor. */
  mfa_setup_required: boolean;
  refresh_token: Secret;
  token: Secret;
}

/** A key for a second factor, not in force yet. */
export interface MfaSetup {
  otpauth_uri: string;
  qr_svg: string;
  secret: string;
}

export interface MigrationState {
  deployment_id: Number;
  health: SlotHealth;
  health_reason: string | null;
  phase: string;
  phases: Phase[];
  /** Percent. */
  progress: number;
  status: DeploymentStatus;
  /** Percent of the sessions on the new generation. */
  traffic_split: number;
}

/** An account with its workers; `shares.accepted` is what the ledger credited from the journal. */
export interface MinerDetails {
  account: AccountName;
  balance: Balance;
  hashrate: number;
  shares: Shares;
  stale?: boolean | null;
  stale_at?: Time | null;
  work: Work;
  workers: Worker[];
}

/** An account in a list. */
export interface MinerLine {
  account: AccountName;
  /** Left out as `work` is. */
  balance?: Balance | null;
  connected_since: Time | null;
  difficulty: Difficulty | null;
  hashrate: number;
  last_share_at: Time | null;
  shares: Shares;
  /** Credited work; left out where the list is sorted or searched, which asks no ledger. */
  work?: Work | null;
  /** Workers that are connected. */
  workers: number;
}

/** What a list of accounts is sorted by. */
export type MinerOrder = "account" | "hashrate" | "workers" | "accepted" | "rejected" | "difficulty" | "last_share" | "connected";

/** A payout as the miner sees it. */
export interface MinerPayout {
  /** The miner's own part. */
  amount: Amount;
  confirmed_at: Time | null;
  created_at: Time;
  id: Number;
  reason: string | null;
  state: PayoutState;
  txid: string | null;
}

/** A page of an account's payouts, and its terms. */
export interface MinerPayouts {
  items: MinerPayout[];
  next: Cursor | null;
  terms: Terms;
}

/** A page of accounts. */
export interface MinersPage {
  /** Of when the figures are; where the list is sorted or searched. */
  at?: Time | null;
  items: MinerLine[];
  next: Cursor | null;
  /** True while the database is away. */
  stale?: boolean | null;
  /** When it was read, if it is stale. */
  stale_at?: Time | null;
  /** How many there are on all pages; where the list is sorted or searched. */
  total?: number | null;
}

export interface NetworkFigures {
  algorithm: AlgorithmName | null;
  /** Blocks a second. */
  block_rate: number | null;
  difficulty: Difficulty | null;
  hashrate: number | null;
  /** Whether the node can take blocks. */
  ready: boolean;
  reason: string | null;
}

/** A new token for scripts; `token` is shown once. */
export interface NewApiToken {
  created_at: Time;
  expires_at: Time;
  id: string;
  name: string;
  revoked_at: Time | null;
  scopes: ScopeName[];
  token: Secret;
}

/** Body of a ban. */
export interface NewBan {
  address: string;
  for_s: number;
  reason: string;
}

export interface NotReady {
  code: string;
  component: string;
  figures_at?: Time | null;
  message: string;
  since?: Time | null;
  waiting_shares?: number | null;
}

/** A whole number as text. */
export type Number = string;

/** Which way a list runs. */
export type Order = "asc" | "desc";

/** How an act ended. */
export type OutcomeName = "done" | "refused" | "failed";

/** A payout address of one's own. */
export interface OwnAddress {
  account: string;
  /** `signature` or `workers`: how it was shown. */
  by: string | null;
  claimed_at: Time | null;
}

/** A page of a list. */
export interface OwnAddressPage {
  items: OwnAddress[];
  /** Null on the last page. */
  next: Cursor | null;
}

/** One's own session. */
export interface OwnSession {
  address: string | null;
  agent: string | null;
  created_at: Time;
  /** The one that asks. */
  current: boolean;
  ends_at: Time;
  id: string;
  role: RoleName;
  seen_at: Time | null;
  username: string;
}

/** A page of a list. */
export interface OwnSessionPage {
  items: OwnSession[];
  /** Null on the last page. */
  next: Cursor | null;
}

/** An algorithm's code. */
export interface Package {
  /** `name_version`. */
  algorithm_id: string;
  digest: string | null;
  hash_function: AlgorithmName;
  name: string;
  /** `package` or `linked_in`. */
  source: string;
  version: string;
}

export interface PasswordRequest {
  password: Secret;
}

/** A payout with all whom it pays. */
export interface Payout {
  amount: Amount;
  confirmed_at: Time | null;
  created_at: Time;
  fee: Amount | null;
  /** Why it is held, if it is. */
  held: string | null;
  id: Number;
  reason: string | null;
  recipient_held: boolean;
  recipients: Recipient[];
  state: PayoutState;
  txid: string | null;
  updated_at: Time;
}

/** A line of what operators did about payouts. */
export interface PayoutAct {
  action: string;
  actor: string;
  at: Time;
  detail: string;
  subject: string;
}

/** A page of a list. */
export interface PayoutActPage {
  items: PayoutAct[];
  /** Null on the last page. */
  next: Cursor | null;
}

/** How the dispatcher fares. */
export interface PayoutDesk {
  /** It is the one dispatcher of this database. */
  dispatching: boolean;
  /** Whether this pool process pays at all. */
  enabled: boolean;
  /** Why everything is held, if it is. */
  held: string | null;
  looked_at: Time | null;
  open: number;
  planned_at: Time | null;
  rules: Rules | null;
  spent: Spent;
  /** Another process of this database pays, and this one stands by: in words. */
  standing_by: string | null;
  stuck: StuckPayouts;
  /** What to do about it, as `PAYOUTS_UNAVAILABLE` has it; empty while nothing is stuck. */
  suggested_actions: SuggestedAction[];
  terms: AccountTerms[];
  /** `troubles` as one sentence; null while nothing is stuck. */
  trouble: string | null;
  /** What is in the way of all that is stuck. */
  troubles: PayoutTrouble[];
  waiting: Waiting[];
}

/** A payout with its history and its transaction. */
export interface PayoutDetails {
  amount: Amount;
  /** The signed transaction. */
  bytes: HexText | null;
  confirmed_at: Time | null;
  created_at: Time;
  fee: Amount | null;
  /** Why it is held, if it is. */
  held: string | null;
  id: Number;
  reason: string | null;
  recipient_held: boolean;
  recipients: Recipient[];
  spends: unknown[] | null;
  state: PayoutState;
  steps: PayoutStep[];
  txid: string | null;
  updated_at: Time;
}

/** A page of a list. */
export interface PayoutPage {
  items: Payout[];
  /** Null on the last page. */
  next: Cursor | null;
}

/** How far a payout has come; `settled` and `returned` are final. */
export type PayoutState = "reserved" | "signed" | "broadcast" | "confirming" | "settled" | "returned";

export interface PayoutStep {
  at: Time;
  detail: string;
  state: PayoutState;
}

/** Something is in the way of payouts. */
export interface PayoutTrouble {
  /** Of this payout; null = of a whole round. */
  payout: Number | null;
  what: string;
}

export interface PerformanceMetrics {
  slots: Slot[];
}

/** What somebody hears of an address of theirs, and where. */
export interface PersonalAlerts {
  block: boolean;
  channels: PersonalChannel[];
  email: boolean;
  /** Whether there is a confirmed address for mail. */
  email_confirmed: boolean;
  /** 0 = not told. */
  hashrate_drop_percent: number;
  /** Whether there is a password by which machines may change what is told. */
  key: boolean;
  /** Whether the pool offers it at all. */
  offered: boolean;
  payout: boolean;
  telegram_offered: boolean;
  /** 0 = not told. */
  worker_offline_minutes: number;
}

/** The code that was sent to a place. */
export interface PersonalAlertsCode {
  channel: PersonalChannelKind;
  code: string;
}

/** What to hear of, all of it; and places: "" takes one away, none named stays as it is. */
export interface PersonalAlertsRequest {
  block?: boolean;
  discord?: string | null;
  /** To the confirmed address. */
  email?: boolean;
  /** 0 = not told, or 10 to 95. */
  hashrate_drop_percent?: number;
  payout?: boolean;
  telegram?: string | null;
  webhook?: string | null;
  /** 0 = not told, or 1 to 1440. */
  worker_offline_minutes?: number;
}

/** What was set, and what came of the codes that were sent. */
export interface PersonalAlertsSet {
  block: boolean;
  channels: PersonalChannel[];
  email: boolean;
  /** Whether there is a confirmed address for mail. */
  email_confirmed: boolean;
  /** 0 = not told. */
  hashrate_drop_percent: number;
  /** Whether there is a password by which machines may change what is told. */
  key: boolean;
  /** Whether the pool offers it at all. */
  offered: boolean;
  payout: boolean;
  sent: PersonalSent[];
  telegram_offered: boolean;
  /** 0 = not told. */
  worker_offline_minutes: number;
}

/** A place where somebody is told. */
export interface PersonalChannel {
  channel: PersonalChannelKind;
  /** Whether somebody showed that they read there. Nothing is sent there before. */
  confirmed: boolean;
  /** What may be shown of where it is. */
  to: string;
}

/** A way over which people can be told, beside mail to their confirmed address. */
export type PersonalChannelKind = "webhook" | "discord" | "telegram";

/** A password by which machines may change what is told of an address. */
export interface PersonalKey {
  account: string;
  password: Secret;
}

/** What came of a message. */
export interface PersonalSent {
  /** `email`, `webhook`, `discord` or `telegram`. */
  channel: string;
  /** Why it was not taken. */
  message: string | null;
  ok: boolean;
}

/** What came of tests. */
export interface PersonalTried {
  sent: PersonalSent[];
}

export interface Phase {
  /** Seconds. */
  duration: number;
  name: string;
  status: PhaseStatus;
}

/** How a phase fares. */
export type PhaseStatus = "pending" | "active" | "completed" | "failed" | "rolled_back";

/** What a deployment would do. */
export interface Plan {
  at: Time | null;
  /** Channels of alerts that there are. */
  channels: string[];
  /** Seconds. */
  estimated_duration: number;
  from: Package | null;
  isolation: Isolation;
  kind: RolloutKind;
  needs_confirmation: boolean;
  needs_override: string | null;
  /** Channels of alerts that would be told of each step. */
  notification_channels: string[];
  obstacles: string[];
  phases: PlannedPhase[];
  rollback_on_error: boolean;
  sessions: PlannedSessions | null;
  shadow_percentage: number;
  strategy: StrategyName;
  to: Package;
  warnings: string[];
}

export interface PlannedPayout {
  recipients: Recipient[];
}

export interface PlannedPhase {
  duration: number;
  name: string;
  traffic_split: number;
}

export interface PlannedSessions {
  moving: number;
  staying: number;
}

export interface PoolFigures {
  connections: number;
  currency: CurrencyView;
  /** Work since the last block of ours, per expected work of a block: 10,000 is average. */
  effort_basis_points: number | null;
  /** Hashes a second. */
  hashrate: number;
  /** Null before the network's work and the ledger are known. */
  luck: Luck | null;
  miners: number;
  name: string;
  /** Since the process started. */
  shares: Shares;
  shares_per_second: number;
  workers: number;
}

/** An account's line of a block with its way to the root (format `dagpool-proof-1`). */
export interface Proof {
  account: AccountName;
  algorithm: AlgorithmName;
  block: Hash;
  fee_basis_points: number;
  format: ProofFormat;
  proof: ProofBranch;
  red_merge_income: Amount | null;
  red_merge_part: Amount | null;
  reward: Amount | null;
  reward_part: Amount | null;
  root: Hash;
  scheme: string;
  total_work: Work;
  work: Work;
}

export interface ProofBranch {
  branch: Hash[];
  count: number;
  index: number;
}

/** The form of a proof. */
export type ProofFormat = "dagpool-proof-1";

/** How far back samples go. */
export type Range = "Day" | "Month";

/** Whether miners can be given work and shares can be credited. */
export interface Ready {
  at: Time;
  /** What it goes on without. */
  degraded: Degraded[];
  figures_at: Time | null;
  reasons: NotReady[];
  /** `ready` or `not_ready`. */
  status: string;
}

export interface Recipient {
  account: AccountName;
  amount: Amount;
}

export interface RefreshRequest {
  refresh_token: Secret;
}

export interface RegisterRequest {
  email?: string | null;
  password: Secret;
  username: string;
}

/** What is held no more. */
export interface Released {
  released: string;
}

/** Body of a reload; may be missing. */
export interface ReloadOrder {
  dry_run?: boolean;
}

export interface ResetRequest {
  password: Secret;
  token: Secret;
}

/** What somebody may do; each may do what those before it may. */
export type RoleName = "miner" | "viewer" | "operator" | "admin";

export interface Rollback {
  cause: string;
  code: string | null;
  detail: string;
  documentation_link: string | null;
  expected: HexText | null;
  got: HexText | null;
  input: HexText | null;
  message: string;
}

/** Body of a rollback; may be missing. */
export interface RollbackRequest {
  reason?: string | null;
}

/** An upgrade is new code of the same hash function, a migration another function. */
export type RolloutKind = "upgrade" | "migration";

export interface Rules {
  confirmations: number;
  interval_s: number;
  limit_per_day: Amount | null;
  limit_per_hour: Amount | null;
  recipients_max: number;
  threshold: Amount;
}

/** What a token for scripts is good for. */
export type ScopeName = "read" | "algorithms" | "payouts" | "ledger" | "operate" | "admin";

/** A secret; never shown again. */
export type Secret = string;

/** A session. */
export interface SessionLine {
  address: string | null;
  agent: string | null;
  created_at: Time;
  ends_at: Time;
  id: string;
  role: RoleName;
  seen_at: Time | null;
  username: string;
}

/** A page of a list. */
export interface SessionLinePage {
  items: SessionLine[];
  /** Null on the last page. */
  next: Cursor | null;
}

/** How bad it is. */
export type Severity = "info" | "warning" | "error" | "critical";

export interface ShareHour {
  accepted: number;
  algorithm: AlgorithmName;
  at: Time;
  hashrate: number;
  work: Work;
}

/** Shares by outcome. */
export interface Shares {
  accepted: number;
  duplicate: number;
  invalid: number;
  low_difficulty: number;
  /** All refused ones, of which the following are the reasons. */
  rejected: number;
  stale: number;
}

/** Body of a silence. */
export interface SilenceRequest {
  for_s: number;
  reason: string;
  rule?: string;
  subject?: string;
}

/** A time during which nobody is told of a rule's alerts. */
export interface SilenceView {
  at: Time;
  by: string;
  id: Number;
  reason: string;
  rule: string;
  subject: string;
  until: Time;
}

/** Why somebody at the threshold is not paid now. */
export type SkipReason = "waits_for_limit" | "above_limit" | "above_chain_limit";

export interface Skipped {
  account: AccountName;
  amount: Amount;
  reason: SkipReason;
}

export interface Slot {
  algorithm: Package;
  figures: Figures;
  generation: number;
  in_flight: number;
  life: string;
  slot: number;
  /** Percent. */
  traffic_split: number;
}

/** How a generation fares beside the old one. */
export type SlotHealth = "healthy" | "degraded" | "unhealthy" | "unknown";

/** What was reserved lately. */
export interface Spent {
  day: Amount;
  hour: Amount;
}

export interface StageCheck {
  check: string;
  code?: string | null;
  message: string;
  ok: boolean;
  severity: Severity;
}

/** Body of a stage request that names a file of the import folder. */
export interface StageRequest {
  package_path: string;
}

/** A package was staged. */
export interface Staged {
  /** `name_version`. */
  algorithm_id: string;
  benchmark_results: BenchmarkResults;
  digest: string | null;
  /** Why an older version was let in. */
  downgrade: string | null;
  hash_function: AlgorithmName;
  isolation: Isolation;
  name: string;
  next_steps: string[];
  /** `package` or `linked_in`. */
  source: string;
  /** `staged`. */
  status: string;
  upload: string;
  validation_results: StageCheck[];
  version: string;
  warnings: string[];
}

/** A package that can be deployed. */
export interface StagedPackage {
  /** `name_version`. */
  algorithm_id: string;
  benchmark_results: BenchmarkResults;
  digest: string | null;
  /** Why an older version was let in. */
  downgrade: string | null;
  hash_function: AlgorithmName;
  isolation: Isolation;
  /** What it may replace; null = anything. */
  migration_from: string[] | null;
  name: string;
  next_steps: string[];
  rollback_supported: boolean;
  /** `package` or `linked_in`. */
  source: string;
  validation_results: StageCheck[];
  version: string;
  warnings: string[];
}

/** Who was paid for a block and by which shares. */
export interface Statement {
  account: AccountName;
  accounts: number;
  algorithm: AlgorithmName;
  block: Hash;
  color: BlockColor;
  confirmations: number;
  factor_basis_points: number | null;
  fee: StatementFee;
  fee_basis_points: number;
  found_at: Time;
  height: number | null;
  items: StatementLine[];
  network_work: Work;
  next: Cursor | null;
  red_merge_income: Amount | null;
  reward: Amount | null;
  /** Root over all lines. */
  root: Hash;
  scheme: string;
  shares: WindowShares;
  status: BlockStatus;
  total_work: Work;
  window_work: Work | null;
  worker: WorkerName;
}

export interface StatementFee {
  red_merge_income: Amount | null;
  reward: Amount | null;
}

export interface StatementLine {
  account: AccountName;
  /** Both together, null until one is known. */
  amount: Amount | null;
  index: number;
  red_merge_income: Amount | null;
  reward: Amount | null;
  work: Work;
}

/** Live figures. */
export interface Stats {
  at: Time;
  blocks: BlockFigures;
  degraded: Degraded[];
  ledger: LedgerFigures;
  network: NetworkFigures;
  pool: PoolFigures;
  /** The database is away: blocks and ledger are those of `ledger.at`. */
  stale: boolean;
  stale_reason: string | null;
}

/** How a deployment goes about it. */
export type StrategyName = "immediate" | "gradual" | "scheduled";

/** What is due and did not go out because of a failure, until it does: what the alert `payouts_in_trouble` is about. */
export interface StuckPayouts {
  /** Payouts that something is in the way of. */
  payouts: Number[];
  /** A plan was due, and was not made. */
  plan: boolean;
  /** A round did not get through its open payouts. */
  round: boolean;
}

export interface SuggestedAction {
  action: string;
  command: string | null;
  /** `low`, `medium`, `high` or `critical`. */
  priority: string;
}

/** Process and disk, looked at every few seconds. */
export interface SystemFiguresView {
  at: Time;
  /** CPU time since then, user and system, microseconds. */
  cpu_us: number;
  disk: DiskView;
  files: FilesView;
  memory: MemoryView;
  started_at: Time;
  threads: number;
  version: string;
}

/** Every supervised actor, and the process that they live in. */
export interface SystemView {
  actors: ActorView[];
  at: Time;
  /** Null in the first moment. */
  figures: SystemFiguresView | null;
}

/** What is agreed with an account about payouts. */
export interface Terms {
  /** Why it is held, if it is. */
  held: string | null;
  /** Why it was set aside, if it was. */
  set_aside: string | null;
  /** Its own threshold; null = the pool's. */
  threshold: Amount | null;
}

/** An account's threshold. */
export interface Threshold {
  account: AccountName;
  threshold: Amount | null;
}

/** An account's own threshold in the smallest unit, a decimal string; `null` = the pool's. */
export interface ThresholdRequest {
  account: AccountName;
  threshold?: Amount | null;
}

/** RFC 3339, UTC, with milliseconds. */
export type Time = string;

/** A pair of tokens. */
export interface TokenPair {
  /** Seconds. */
  expires_in: number;
  mfa_required: boolean;
  /** Good for nothing but setting up a second factor. */
  mfa_setup_required: boolean;
  refresh_token: Secret;
  token: Secret;
}

export interface TokenRequest {
  expires_in_days: number;
  name: string;
  scopes: ScopeName[];
}

/** A line of the trail. */
export interface TrailEntry {
  action: string;
  actor: string;
  address: string | null;
  after: unknown;
  at: Time;
  before: unknown;
  id: Number;
  node: string;
  outcome: OutcomeName;
  subject: string;
}

/** A page of a list. */
export interface TrailEntryPage {
  items: TrailEntry[];
  /** Null on the last page. */
  next: Cursor | null;
}

/** Somebody who may sign in. */
export interface User {
  created_at: Time;
  disabled_at: Time | null;
  email: string | null;
  /** The address is known to be theirs. */
  email_verified: boolean;
  id: string;
  /** The second factor is in force. */
  mfa: boolean;
  role: RoleName;
  username: string;
}

/** A user with open sessions. */
export interface UserDetails {
  created_at: Time;
  disabled_at: Time | null;
  email: string | null;
  /** The address is known to be theirs. */
  email_verified: boolean;
  id: string;
  /** The second factor is in force. */
  mfa: boolean;
  role: RoleName;
  sessions: SessionLine[];
  username: string;
}

/** A page of a list. */
export interface UserPage {
  items: User[];
  /** Null on the last page. */
  next: Cursor | null;
}

export interface VerifyRequest {
  backup_code?: Secret | null;
  code?: Secret | null;
  mfa_token: Secret;
}

export interface Waiting {
  account: AccountName;
  amount: Amount;
  reason: string;
}

export interface WindowShares {
  first: number | null;
  /** How much of the first share's work counts. */
  first_counted: Work | null;
  last: number;
}

/** Expected hashes, a whole number as text. */
export type Work = string;

/** A worker of an account. */
export interface Worker {
  connected_since: Time | null;
  /** The last ones, oldest first; none of a worker that is not known live. */
  difficulties: DifficultyStep[];
  difficulty: Difficulty | null;
  hashrate: number;
  last_share_at: Time | null;
  name: WorkerName;
  shares: Shares;
  work: Work;
}

/** A name of a rig: up to 64 characters. */
export type WorkerName = string;

/** A page of a list. */
export interface WorkerPage {
  items: Worker[];
  /** Null on the last page. */
  next: Cursor | null;
}

/** What a route answers when all is well. */
export interface Answers {
  "POST /api/admin/announce": Announced;
  "GET /api/admin/audit": TrailEntryPage;
  "GET /api/admin/bans": BanViewPage;
  "POST /api/admin/bans": BanMade;
  "DELETE /api/admin/bans/{address}": null;
  "GET /api/admin/config": ConfigView;
  "POST /api/admin/config/reload": ConfigReloaded;
  "GET /api/admin/connections": Connections;
  "DELETE /api/admin/connections/{session}": null;
  "GET /api/admin/ledger/adjustments": AdjustmentViewPage;
  "POST /api/admin/ledger/adjustments": AdjustmentView;
  "GET /api/admin/logs": LogLines;
  "GET /api/admin/payouts": PayoutDesk;
  "GET /api/admin/payouts/audit": PayoutActPage;
  "GET /api/admin/payouts/dry-run": DryRun;
  "POST /api/admin/payouts/hold": Held;
  "POST /api/admin/payouts/release": Released;
  "POST /api/admin/payouts/run": Asked;
  "POST /api/admin/payouts/threshold": Threshold;
  "GET /api/admin/sessions": SessionLinePage;
  "DELETE /api/admin/sessions/{id}": null;
  "GET /api/admin/system": SystemView;
  "GET /api/admin/users": UserPage;
  "POST /api/admin/users": User;
  "GET /api/admin/users/{name}": UserDetails;
  "PATCH /api/admin/users/{name}": User;
  "GET /api/alerts": AlertsView;
  "GET /api/alerts/channels": AlertChannelPage;
  "POST /api/alerts/channels/{name}/test": ChannelTried;
  "GET /api/alerts/rules": AlertRulePage;
  "POST /api/alerts/silences": SilenceView;
  "DELETE /api/alerts/silences/{id}": null;
  "POST /api/alerts/{id}/acknowledge": Alert;
  "GET /api/algorithms": Algorithms;
  "POST /api/algorithms/deploy": DeployAnswer;
  "GET /api/algorithms/plan": Plan;
  "POST /api/algorithms/plan": Plan;
  "POST /api/algorithms/stage": Staged;
  "GET /api/algorithms/status": AlgorithmStatus;
  "GET /api/auth/accounts": OwnAddressPage;
  "POST /api/auth/accounts/claims": ClaimBegun;
  "POST /api/auth/accounts/claims/verify": Claimed;
  "DELETE /api/auth/accounts/{account}": null;
  "GET /api/auth/accounts/{account}/alerts": PersonalAlerts;
  "POST /api/auth/accounts/{account}/alerts": PersonalAlertsSet;
  "POST /api/auth/accounts/{account}/alerts/confirm": PersonalAlerts;
  "POST /api/auth/accounts/{account}/alerts/key": PersonalKey;
  "POST /api/auth/accounts/{account}/alerts/test": PersonalTried;
  "POST /api/auth/email": User;
  "POST /api/auth/email/resend": LetterAsked;
  "POST /api/auth/email/verify": Confirmed;
  "POST /api/auth/login": LogInAnswer;
  "POST /api/auth/logout": null;
  "GET /api/auth/me": Me;
  "POST /api/auth/mfa/backup-codes": BackupCodes;
  "POST /api/auth/mfa/disable": null;
  "POST /api/auth/mfa/enable": MfaEnabled;
  "POST /api/auth/mfa/setup": MfaSetup;
  "POST /api/auth/mfa/verify": TokenPair;
  "POST /api/auth/password": null;
  "POST /api/auth/password/forgot": LetterAsked;
  "POST /api/auth/password/reset": null;
  "POST /api/auth/refresh": TokenPair;
  "POST /api/auth/register": User;
  "GET /api/auth/sessions": OwnSessionPage;
  "DELETE /api/auth/sessions/{id}": null;
  "GET /api/auth/tokens": ApiTokenPage;
  "POST /api/auth/tokens": NewApiToken;
  "DELETE /api/auth/tokens/{id}": null;
  "GET /api/blocks": BlockPage;
  "GET /api/blocks/dag": BlockPage;
  "GET /api/blocks/{hash}": BlockDetails;
  "GET /api/blocks/{hash}/proof": Proof;
  "GET /api/blocks/{hash}/statement": Statement;
  "GET /api/deployments": DeploymentPage;
  "GET /api/deployments/{id}": DeploymentDetails;
  "POST /api/deployments/{id}/{action}": Deployment;
  "GET /api/docs": string;
  "GET /api/live": null;
  "GET /api/miners": MinersPage;
  "GET /api/miners/{account}": MinerDetails;
  "GET /api/miners/{account}/earnings": Earnings;
  "GET /api/miners/{account}/hashrate": HashrateHistory;
  "GET /api/miners/{account}/payouts": MinerPayouts;
  "GET /api/miners/{account}/settings": AccountSettings;
  "PATCH /api/miners/{account}/settings": AccountSettings;
  "GET /api/miners/{account}/workers": WorkerPage;
  "GET /api/openapi.json": Document;
  "GET /api/payouts": PayoutPage;
  "GET /api/payouts/{id}": PayoutDetails;
  "GET /api/pools": McPools;
  "GET /api/pools/{pool}": McPoolAnswer;
  "GET /api/pools/{pool}/blocks": McBlock[];
  "GET /api/pools/{pool}/miners": McMiner[];
  "GET /api/pools/{pool}/miners/{address}": McMinerStats;
  "GET /api/pools/{pool}/miners/{address}/balancechanges": McBalanceChange[];
  "GET /api/pools/{pool}/miners/{address}/earnings/daily": McDay[];
  "GET /api/pools/{pool}/miners/{address}/payments": McPayment[];
  "GET /api/pools/{pool}/miners/{address}/performance": McWorkers[];
  "GET /api/pools/{pool}/miners/{address}/settings": McMinerSettings;
  "GET /api/pools/{pool}/payments": McPayment[];
  "GET /api/pools/{pool}/performance": McPoolSamples;
  "GET /api/stats": Stats;
  "GET /api/users": UserDetails;
  "GET /api/v2/pools/{pool}/blocks": McPageOfMcBlock;
  "GET /api/v2/pools/{pool}/miners": McPageOfMcMiner;
  "GET /api/v2/pools/{pool}/miners/{address}/balancechanges": McPageOfMcBalanceChange;
  "GET /api/v2/pools/{pool}/miners/{address}/earnings/daily": McPageOfMcDay;
  "GET /api/v2/pools/{pool}/miners/{address}/payments": McPageOfMcPayment;
  "GET /api/v2/pools/{pool}/payments": McPageOfMcPayment;
  "GET /docs/errors": string;
  "GET /docs/errors/{code}": string;
  "GET /health/live": Live;
  "GET /health/ready": Ready;
  "GET /metrics": string;
  "GET /notifications": null;
}

/** What a route takes. */
export interface Bodies {
  "POST /api/admin/announce": Announcement;
  "POST /api/admin/bans": NewBan;
  "POST /api/admin/config/reload": ReloadOrder;
  "POST /api/admin/ledger/adjustments": AdjustmentRequest;
  "POST /api/admin/payouts/hold": HoldRequest;
  "POST /api/admin/payouts/release": HoldRequest;
  "POST /api/admin/payouts/threshold": ThresholdRequest;
  "POST /api/admin/users": AddUser;
  "PATCH /api/admin/users/{name}": ChangeUser;
  "POST /api/alerts/silences": SilenceRequest;
  "POST /api/alerts/{id}/acknowledge": AcknowledgeRequest;
  "POST /api/algorithms/deploy": DeployRequest;
  "POST /api/algorithms/plan": DeployRequest;
  "POST /api/algorithms/stage": StageRequest;
  "POST /api/auth/accounts/claims": ClaimRequest;
  "POST /api/auth/accounts/claims/verify": ClaimProof;
  "POST /api/auth/accounts/{account}/alerts": PersonalAlertsRequest;
  "POST /api/auth/accounts/{account}/alerts/confirm": PersonalAlertsCode;
  "POST /api/auth/email": ChangeEmailRequest;
  "POST /api/auth/email/resend": AddressRequest;
  "POST /api/auth/email/verify": LinkRequest;
  "POST /api/auth/login": LogInRequest;
  "POST /api/auth/mfa/backup-codes": MfaCodeRequest;
  "POST /api/auth/mfa/disable": MfaDisableRequest;
  "POST /api/auth/mfa/enable": MfaCodeRequest;
  "POST /api/auth/mfa/setup": PasswordRequest;
  "POST /api/auth/mfa/verify": VerifyRequest;
  "POST /api/auth/password": ChangePasswordRequest;
  "POST /api/auth/password/forgot": AddressRequest;
  "POST /api/auth/password/reset": ResetRequest;
  "POST /api/auth/refresh": RefreshRequest;
  "POST /api/auth/register": RegisterRequest;
  "POST /api/auth/tokens": TokenRequest;
  "POST /api/deployments/{id}/{action}": RollbackRequest;
  "PATCH /api/miners/{account}/settings": ChangeSettings;
}
