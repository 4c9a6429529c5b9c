//! The name of every metric, in one place. Labels never hold values without bound (no worker names, no accounts).

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering},
};

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge};
use pool_domain::{ban_list::BanReason, catalogue, payout::PayoutState};

/// Open miner connections.
pub const CONNECTIONS: &str = "dagpool_connections";
/// Shares by `result`, `reason`, `algorithm`, `slot`.
pub const SHARES_TOTAL: &str = "dagpool_shares_total";
/// From a share's bytes to its verdict on the wire, seconds.
pub const SHARE_ACK_SECONDS: &str = "dagpool_share_ack_seconds";
/// Hashing and judging a batch, seconds per share, by `algorithm`, `slot`.
pub const SHARE_VALIDATION_SECONDS: &str = "dagpool_share_validation_seconds";
/// One group commit of the share journal, seconds.
pub const JOURNAL_COMMIT_SECONDS: &str = "dagpool_journal_commit_seconds";
/// Shares in the journal that the ledger has not read yet.
pub const JOURNAL_LAG_SHARES: &str = "dagpool_journal_lag_shares";
/// Blocks of ours by the `stage` they reached.
pub const BLOCKS_TOTAL: &str = "dagpool_blocks_total";
/// Paid blocks per candidate, 0 to 1.
pub const PAID_CONVERSION_RATIO: &str = "dagpool_paid_conversion_ratio";
/// Age of the template that miners work on, seconds.
pub const TEMPLATE_AGE_SECONDS: &str = "dagpool_template_age_seconds";
/// From a template's arrival to the last session's notify, seconds.
pub const JOB_BROADCAST_SECONDS: &str = "dagpool_job_broadcast_seconds";
/// From a template's arrival until its job is queued to all sessions of an arbiter, seconds.
pub const JOB_QUEUED_SECONDS: &str = "dagpool_job_queued_seconds";
/// Calls to the chain's nodes, seconds, by `method`, `outcome`.
pub const NODE_RPC_SECONDS: &str = "dagpool_node_rpc_seconds";
/// 1 while the node can be mined on, else 0.
pub const NODE_READY: &str = "dagpool_node_ready";
/// Deployments of algorithms by `outcome`.
pub const DEPLOYMENTS_TOTAL: &str = "dagpool_deployments_total";
/// Part of the traffic that a `slot` gets, 0 to 1.
pub const TRAFFIC_SHARE: &str = "dagpool_traffic_share";
/// Restarts of a `slot`'s actors by `cause`.
pub const SLOT_RESTARTS_TOTAL: &str = "dagpool_slot_restarts_total";
/// Panics of a `slot`'s algorithm that cost one share each.
pub const SLOT_PANICS_TOTAL: &str = "dagpool_slot_panics_total";
/// Sum of all ledger entries, smallest unit: anything but 0 is a defect.
pub const LEDGER_IMBALANCE: &str = "dagpool_ledger_imbalance";
/// Payouts by `state`.
pub const PAYOUTS_TOTAL: &str = "dagpool_payouts_total";
/// 1 while payouts can't go on, whatever is in their way, else 0.
pub const PAYOUTS_IN_TROUBLE: &str = "dagpool_payouts_in_trouble";
/// 1 while the database answers, else 0.
pub const DB_UP: &str = "dagpool_db_up";
/// 1 while the cache answers, else 0.
pub const CACHE_UP: &str = "dagpool_cache_up";
/// Browsers on the live feed.
pub const WS_CLIENTS: &str = "dagpool_ws_clients";
/// Alerts that fire now, by `severity`.
pub const ALERTS_FIRING: &str = "dagpool_alerts_firing";
/// Notices over channels by their `kind` and `outcome` (delivered, retried, given_up; `personal`, to
/// miners: delivered, retried, unreached, limited).
pub const NOTIFICATIONS_TOTAL: &str = "dagpool_notifications_total";
/// Suspicions about how somebody mines by `kind`.
pub const UNUSUAL_MINING_TOTAL: &str = "dagpool_unusual_mining_total";
/// Bans by `reason`.
pub const BANS_TOTAL: &str = "dagpool_bans_total";
/// Refused log-ins by `reason`.
pub const AUTH_FAILURES_TOTAL: &str = "dagpool_auth_failures_total";
/// Messages `to` an actor that were given up (`cause` given_up: its mailbox was full or it was down; lossy ones only), or
/// handed back to their sender (`cause` dead: it was down).
pub const MESSAGES_UNDELIVERED_TOTAL: &str = "dagpool_messages_undelivered_total";
/// Requests to the API that were refused because their address asks too often.
pub const HTTP_LIMITED_TOTAL: &str = "dagpool_http_limited_total";
/// Answering a request, without sending the body, seconds, by `route` (as the table of routes has it) and `status` (2xx ...).
pub const HTTP_REQUEST_SECONDS: &str = "dagpool_http_request_seconds";
/// Errors by `code` and `severity`, of requests and of the pool itself.
pub const ERRORS_TOTAL: &str = "dagpool_errors_total";
/// The pool's hash rate, hashes per second, by `algorithm`.
pub const HASHRATE: &str = "dagpool_hashrate";
/// The network's difficulty in expected hashes, by `algorithm`.
pub const NETWORK_DIFFICULTY: &str = "dagpool_network_difficulty";

/// Restarts of supervised actors by `kind`.
pub const ACTOR_RESTARTS_TOTAL: &str = "dagpool_actor_restarts_total";
/// 1; `version` and `profile` say what runs.
pub const BUILD_INFO: &str = "dagpool_build_info";
/// Size of the data folder's file system, bytes.
pub const DISK_TOTAL_BYTES: &str = "dagpool_disk_total_bytes";
/// Room left on it, bytes.
pub const DISK_FREE_BYTES: &str = "dagpool_disk_free_bytes";
/// Part of it that is free, 0 to 1.
pub const DISK_FREE_RATIO: &str = "dagpool_disk_free_ratio";
/// What the share journal occupies, bytes.
pub const DISK_JOURNAL_BYTES: &str = "dagpool_disk_journal_bytes";
/// What the database occupies, bytes.
pub const DISK_DATABASE_BYTES: &str = "dagpool_disk_database_bytes";
/// Memory that the process may use before it is killed, bytes.
pub const MEMORY_LIMIT_BYTES: &str = "dagpool_memory_limit_bytes";
/// Part of that memory which it uses, 0 to 1.
pub const MEMORY_USED_RATIO: &str = "dagpool_memory_used_ratio";
/// Part of the file descriptors that are open, 0 to 1.
pub const FDS_USED_RATIO: &str = "dagpool_fds_used_ratio";
/// CPU time of the process, seconds. It and the following have the names that all Prometheus clients use.
pub const PROCESS_CPU_SECONDS_TOTAL: &str = "process_cpu_seconds_total";
/// Resident memory, bytes.
pub const PROCESS_RESIDENT_MEMORY_BYTES: &str = "process_resident_memory_bytes";
/// Address space, bytes.
pub const PROCESS_VIRTUAL_MEMORY_BYTES: &str = "process_virtual_memory_bytes";
/// Open file descriptors.
pub const PROCESS_OPEN_FDS: &str = "process_open_fds";
/// Most of them.
pub const PROCESS_MAX_FDS: &str = "process_max_fds";
/// Threads.
pub const PROCESS_THREADS: &str = "process_threads";
/// When the process began, seconds since the Unix epoch.
pub const PROCESS_START_TIME_SECONDS: &str = "process_start_time_seconds";

/// Lines of figures for the keeper of time series by `outcome` (written, refused, given_up).
pub const INFLUX_LINES_TOTAL: &str = "dagpool_influx_lines_total";
/// Those that wait for it.
pub const INFLUX_WAITING_LINES: &str = "dagpool_influx_waiting_lines";

/// CPU time, microseconds: the recorder's counters are whole numbers, and this one is told in seconds.
static CPU_US: AtomicU64 = AtomicU64::new(0);

/// The counters of fractions, which the recorder can't hold, in Prometheus' text format.
#[must_use]
pub fn fractions() -> String {
    let mut text = String::new();
    let us = CPU_US.load(Ordering::Relaxed);
    // Writing to a string can't fail.
    let _ = writeln!(
        text,
        "# HELP {PROCESS_CPU_SECONDS_TOTAL} CPU time of the process, user and system\n\
         # TYPE {PROCESS_CPU_SECONDS_TOTAL} counter\n\
         {PROCESS_CPU_SECONDS_TOTAL} {}.{:06}",
        us / 1_000_000,
        us % 1_000_000
    );
    text
}

/// What is told of process and disk.
#[expect(missing_docs, reason = "each is documented at its metric")]
pub struct SystemGauges {
    pub cpu_us: u64,
    pub resident_bytes: u64,
    pub virtual_bytes: u64,
    pub open_fds: u64,
    pub max_fds: u64,
    pub threads: u64,
    pub started_at_s: f64,
    pub fds_used: f64,
    pub memory_limit_bytes: u64,
    pub memory_used: f64,
    pub disk_total_bytes: u64,
    pub disk_free_bytes: u64,
    pub disk_free: f64,
    pub journal_bytes: u64,
    pub database_bytes: Option<u64>,
}

/// Records figures of process and disk.
#[expect(clippy::cast_precision_loss, reason = "gauges; bytes below 2^52 are exact")]
pub fn record_system(now: &SystemGauges) {
    // It only grows: an older figure that comes late is none.
    CPU_US.fetch_max(now.cpu_us, Ordering::Relaxed);
    gauge!(PROCESS_RESIDENT_MEMORY_BYTES).set(now.resident_bytes as f64);
    gauge!(PROCESS_VIRTUAL_MEMORY_BYTES).set(now.virtual_bytes as f64);
    gauge!(PROCESS_OPEN_FDS).set(now.open_fds as f64);
    gauge!(PROCESS_MAX_FDS).set(now.max_fds as f64);
    gauge!(PROCESS_THREADS).set(now.threads as f64);
    gauge!(PROCESS_START_TIME_SECONDS).set(now.started_at_s);
    gauge!(FDS_USED_RATIO).set(now.fds_used);
    gauge!(MEMORY_LIMIT_BYTES).set(now.memory_limit_bytes as f64);
    gauge!(MEMORY_USED_RATIO).set(now.memory_used);
    gauge!(DISK_TOTAL_BYTES).set(now.disk_total_bytes as f64);
    gauge!(DISK_FREE_BYTES).set(now.disk_free_bytes as f64);
    gauge!(DISK_FREE_RATIO).set(now.disk_free);
    gauge!(DISK_JOURNAL_BYTES).set(now.journal_bytes as f64);
    if let Some(bytes) = now.database_bytes {
        gauge!(DISK_DATABASE_BYTES).set(bytes as f64);
    }
}

/// Publishes what has not happened yet as 0, wherever the labels are known beforehand: a graph of nothing is a line at 0, and
/// the first of its kind counts as growth.
pub fn begin_at_nought() {
    for stage in ["candidate", "submitted", "accepted", "rejected", "matured", "paid", "void", "lost"] {
        counter!(BLOCKS_TOTAL, "stage" => stage).increment(0);
    }
    for outcome in ["completed", "rolled_back"] {
        counter!(DEPLOYMENTS_TOTAL, "outcome" => outcome).increment(0);
    }
    for state in PayoutState::ALL {
        counter!(PAYOUTS_TOTAL, "state" => state.as_str()).increment(0);
    }
    gauge!(PAYOUTS_IN_TROUBLE).set(0.0);
    for reason in
        [BanReason::Malformed, BanReason::InvalidShares, BanReason::PoisonousShares, BanReason::Operator]
    {
        counter!(BANS_TOTAL, "reason" => reason.label()).increment(0);
    }
    for reason in AUTH_FAILURES {
        counter!(AUTH_FAILURES_TOTAL, "reason" => *reason).increment(0);
    }
    for code in catalogue::Code::ALL {
        counter!(ERRORS_TOTAL, "code" => code.as_str(), "severity" => code.severity()).increment(0);
    }
    for kind in ["webhook", "slack", "discord", "telegram", "pagerduty", "sms", "email", "letter"] {
        for outcome in ["delivered", "retried", "given_up"] {
            counter!(NOTIFICATIONS_TOTAL, "kind" => kind, "outcome" => outcome).increment(0);
        }
    }
    for outcome in ["delivered", "retried", "unreached", "limited"] {
        counter!(NOTIFICATIONS_TOTAL, "kind" => "personal", "outcome" => outcome).increment(0);
    }
    for severity in ["warning", "error", "critical"] {
        gauge!(ALERTS_FIRING, "severity" => severity).set(0.0);
    }
    for outcome in ["written", "refused", "given_up"] {
        counter!(INFLUX_LINES_TOTAL, "outcome" => outcome).increment(0);
    }
    gauge!(INFLUX_WAITING_LINES).set(0.0);
    counter!(HTTP_LIMITED_TOTAL).increment(0);
    gauge!(WS_CLIENTS).increment(0.0);
    gauge!(PAID_CONVERSION_RATIO).set(0.0);
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION"), "profile" => profile).set(1.0);
}

/// Every reason for which a log-in or a token is refused.
const AUTH_FAILURES: &[&str] = &[
    "changed_meanwhile",
    "forbidden",
    "link",
    "locked",
    "no_token",
    "refresh",
    "refresh_reuse",
    "second_factor",
    "unconfirmed",
    "wrong_password",
    "wrong_token",
];

/// Tells the recorder in use what each metric means.
pub fn describe() {
    describe_gauge!(CONNECTIONS, "Open miner connections");
    describe_counter!(SHARES_TOTAL, "Shares by result, reason, algorithm and slot");
    describe_histogram!(SHARE_ACK_SECONDS, Unit::Seconds, "From a share's bytes to its verdict on the wire");
    describe_histogram!(SHARE_VALIDATION_SECONDS, Unit::Seconds, "Hashing and judging, per share");
    describe_histogram!(JOURNAL_COMMIT_SECONDS, Unit::Seconds, "One group commit of the share journal");
    describe_gauge!(JOURNAL_LAG_SHARES, "Journalled shares that the ledger has not read yet");
    describe_counter!(BLOCKS_TOTAL, "Blocks of ours by the stage they reached");
    describe_gauge!(PAID_CONVERSION_RATIO, "Paid blocks per candidate");
    describe_gauge!(TEMPLATE_AGE_SECONDS, Unit::Seconds, "Age of the template that miners work on");
    describe_histogram!(JOB_BROADCAST_SECONDS, Unit::Seconds, "From a template's arrival to the last notify");
    describe_histogram!(
        JOB_QUEUED_SECONDS,
        Unit::Seconds,
        "From a template's arrival until queued to all sessions"
    );
    describe_histogram!(NODE_RPC_SECONDS, Unit::Seconds, "Calls to the chain's nodes by method and outcome");
    describe_gauge!(NODE_READY, "1 while the node can be mined on");
    describe_counter!(DEPLOYMENTS_TOTAL, "Deployments of algorithms by outcome");
    describe_gauge!(TRAFFIC_SHARE, "Part of the traffic that a slot gets");
    describe_counter!(SLOT_RESTARTS_TOTAL, "Restarts of a slot's actors by cause");
    describe_counter!(SLOT_PANICS_TOTAL, "Panics of a slot's algorithm that cost one share each");
    describe_gauge!(
        LEDGER_IMBALANCE,
        "Sum of all ledger entries or, if that is 0, the number of audits that found something; anything but 0 is a defect"
    );
    describe_counter!(PAYOUTS_TOTAL, "Payouts by state");
    describe_gauge!(
        PAYOUTS_IN_TROUBLE,
        "1 while payouts are due and did not go out because of a failure: until what failed goes through"
    );
    describe_gauge!(DB_UP, "1 while the database answers");
    describe_gauge!(CACHE_UP, "1 while the cache answers");
    describe_gauge!(WS_CLIENTS, "Browsers on the live feed");
    describe_gauge!(ALERTS_FIRING, "Alerts that fire now, by severity");
    describe_counter!(NOTIFICATIONS_TOTAL, "Notices over channels by their kind and outcome");
    describe_counter!(UNUSUAL_MINING_TOTAL, "Suspicions about how somebody mines, by kind");
    describe_counter!(BANS_TOTAL, "Bans by reason");
    describe_counter!(AUTH_FAILURES_TOTAL, "Refused log-ins by reason");
    describe_counter!(
        MESSAGES_UNDELIVERED_TOTAL,
        "Messages to an actor that were given up (given_up), or handed back because it was down (dead)"
    );
    describe_counter!(HTTP_LIMITED_TOTAL, "Requests refused because their address asks too often");
    describe_histogram!(HTTP_REQUEST_SECONDS, Unit::Seconds, "Answering a request, by route and status");
    describe_counter!(ERRORS_TOTAL, "Errors by code and severity, of requests and of the pool itself");
    describe_gauge!(HASHRATE, "The pool's hash rate in hashes per second, by algorithm");
    describe_gauge!(NETWORK_DIFFICULTY, "The network's difficulty in expected hashes, by algorithm");
    describe_counter!(ACTOR_RESTARTS_TOTAL, "Restarts of supervised actors by kind");
    describe_counter!(INFLUX_LINES_TOTAL, "Lines for the keeper of time series by outcome");
    describe_gauge!(INFLUX_WAITING_LINES, "Lines that wait for the keeper of time series");
    describe_gauge!(BUILD_INFO, "1; the labels say what runs");
    describe_gauge!(DISK_TOTAL_BYTES, Unit::Bytes, "Size of the data folder's file system");
    describe_gauge!(DISK_FREE_BYTES, Unit::Bytes, "Room left on the data folder's file system");
    describe_gauge!(DISK_FREE_RATIO, "Part of the data folder's file system that is free");
    describe_gauge!(DISK_JOURNAL_BYTES, Unit::Bytes, "What the share journal occupies");
    describe_gauge!(DISK_DATABASE_BYTES, Unit::Bytes, "What the database occupies");
    describe_gauge!(
        MEMORY_LIMIT_BYTES,
        Unit::Bytes,
        "Memory that the process may use: its control group's limit, or the machine's"
    );
    describe_gauge!(MEMORY_USED_RATIO, "Part of that memory which the process uses");
    describe_gauge!(FDS_USED_RATIO, "Part of the file descriptors that are open");
    describe_gauge!(PROCESS_RESIDENT_MEMORY_BYTES, Unit::Bytes, "Resident memory");
    describe_gauge!(PROCESS_VIRTUAL_MEMORY_BYTES, Unit::Bytes, "Address space");
    describe_gauge!(PROCESS_OPEN_FDS, "Open file descriptors");
    describe_gauge!(PROCESS_MAX_FDS, "Most file descriptors that may be open");
    describe_gauge!(PROCESS_THREADS, "Threads");
    describe_gauge!(
        PROCESS_START_TIME_SECONDS,
        Unit::Seconds,
        "When the process began, since the Unix epoch"
    );
}
