//! The name of every metric, in one place. Labels never hold values without bound (no worker names, no accounts).

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

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
/// 1 while the database answers, else 0.
pub const DB_UP: &str = "dagpool_db_up";
/// 1 while the cache answers, else 0.
pub const CACHE_UP: &str = "dagpool_cache_up";
/// Browsers on the live feed.
pub const WS_CLIENTS: &str = "dagpool_ws_clients";
/// Alerts that fire now, by `severity`.
pub const ALERTS_FIRING: &str = "dagpool_alerts_firing";
/// Notices over channels by their `kind` and `outcome` (delivered, retried, given_up).
pub const NOTIFICATIONS_TOTAL: &str = "dagpool_notifications_total";
/// Bans by `reason`.
pub const BANS_TOTAL: &str = "dagpool_bans_total";
/// Refused log-ins by `reason`.
pub const AUTH_FAILURES_TOTAL: &str = "dagpool_auth_failures_total";
/// Messages `to` an actor that were given up (`cause` given_up: its mailbox was full or it was down; lossy ones only), or
/// handed back to their sender (`cause` dead: it was down).
pub const MESSAGES_UNDELIVERED_TOTAL: &str = "dagpool_messages_undelivered_total";
/// Requests to the API that were refused because their address asks too often.
pub const HTTP_LIMITED_TOTAL: &str = "dagpool_http_limited_total";
/// Errors by `code` and `severity`, of requests and of the pool itself.
pub const ERRORS_TOTAL: &str = "dagpool_errors_total";
/// The pool's hash rate, hashes per second, by `algorithm`.
pub const HASHRATE: &str = "dagpool_hashrate";
/// The network's difficulty in expected hashes, by `algorithm`.
pub const NETWORK_DIFFICULTY: &str = "dagpool_network_difficulty";

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
    describe_gauge!(DB_UP, "1 while the database answers");
    describe_gauge!(CACHE_UP, "1 while the cache answers");
    describe_gauge!(WS_CLIENTS, "Browsers on the live feed");
    describe_gauge!(ALERTS_FIRING, "Alerts that fire now, by severity");
    describe_counter!(NOTIFICATIONS_TOTAL, "Notices over channels by their kind and outcome");
    describe_counter!(BANS_TOTAL, "Bans by reason");
    describe_counter!(AUTH_FAILURES_TOTAL, "Refused log-ins by reason");
    describe_counter!(
        MESSAGES_UNDELIVERED_TOTAL,
        "Messages to an actor that were given up (given_up), or handed back because it was down (dead)"
    );
    describe_counter!(HTTP_LIMITED_TOTAL, "Requests refused because their address asks too often");
    describe_counter!(ERRORS_TOTAL, "Errors by code and severity, of requests and of the pool itself");
    describe_gauge!(HASHRATE, "The pool's hash rate in hashes per second, by algorithm");
    describe_gauge!(NETWORK_DIFFICULTY, "The network's difficulty in expected hashes, by algorithm");
}
