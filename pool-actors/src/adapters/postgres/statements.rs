//! The statements, by the names of their files below `sql/postgres/`.

/// A statement with the name of its file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sql {
    pub(super) name: &'static str,
    pub(super) text: &'static str,
}

macro_rules! text {
    ($folder:literal, $file:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../sql/postgres/", $folder, "/", $file, ".sql"))
    };
}

macro_rules! statements {
    ($(#[$meta:meta])* $group:ident: $($name:ident = $file:literal),* $(,)?) => {
        $(pub(super) const $name: Sql = Sql { name: $file, text: text!("statements", $file) };)*
        $(#[$meta])*
        pub(super) const $group: &[Sql] = &[$($name),*];
    };
}

statements! {
    /// Run as they are, before anything can be prepared.
    #[cfg(test)]
    PLAIN:
    AUDIT_BEGIN = "audit_begin",
    BOOKS_BEGIN = "books_begin",
    MIGRATION_ADD = "migration_add",
    MIGRATIONS_ALL = "migrations_all",
    MIGRATIONS_EXIST = "migrations_exist",
    MIGRATIONS_LOCK = "migrations_lock",
    MIGRATIONS_TABLE = "migrations_table",
    MIGRATIONS_UNBOUNDED = "migrations_unbounded",
    SERVER_VERSION = "server_version",
    SESSION = "session",
    SESSION_TIMEOUT = "session_timeout",
    STAGE = "stage",
}

statements! {
    /// Prepared by whoever walks over all of the books, once.
    #[cfg(test)]
    BOOKS:
    BOOKS_ACCOUNTS = "books_accounts",
    BOOKS_BALANCES = "books_balances",
    BOOKS_BLOCK_ENTRIES = "books_block_entries",
    BOOKS_BLOCKS = "books_blocks",
    BOOKS_ENTRIES = "books_entries",
    BOOKS_POSITIONS = "books_positions",
    BOOKS_SHARES = "books_shares",
}

statements! {
    /// Prepared by every connection.
    READING:
    ACCOUNTS_OF_USER = "accounts_of_user",
    ACCOUNTS_PAGE = "accounts_page",
    ACCOUNT_BALANCES = "account_balances",
    ACCOUNT_CLAIM = "account_claim",
    ACCOUNT_FREE = "account_free",
    ACCOUNT_IDS = "account_ids",
    ACCOUNT_NAMES = "account_names",
    ACCOUNT_RELEASE = "account_release",
    ACCOUNT_SHARES = "account_shares",
    ADJUSTMENTS_PAGE = "adjustments_page",
    ADJUSTMENT_GET = "adjustment_get",
    ANCHORS_ALL = "anchors_all",
    API_TOKENS_OF = "api_tokens_of",
    API_TOKEN_ADD = "api_token_add",
    API_TOKEN_GET = "api_token_get",
    API_TOKEN_REVOKE = "api_token_revoke",
    AUDIT_ADD = "audit_add",
    AUDIT_PAGE = "audit_page",
    BACKUP_CODES_LEFT = "backup_codes_left",
    BACKUP_CODE_TAKE = "backup_code_take",
    BALANCE_TOTALS = "balance_totals",
    BLOCKS_OPEN = "blocks_open",
    BLOCKS_PAGE = "blocks_page",
    BLOCK_BY_HASH = "block_by_hash",
    BLOCK_COUNTS = "block_counts",
    BLOCK_HISTORY = "block_history",
    BLOCK_PARENTS = "block_parents",
    COUNTS = "counts",
    CREDITS_PAGE = "credits_page",
    DATABASE_SIZE = "database_size",
    DEPLOYMENTS_PAGE = "deployments_page",
    DEPLOYMENT_RECORD = "deployment_record",
    DEPLOYMENT_TRAIL = "deployment_trail",
    MAIL_LINK_ADD = "mail_link_add",
    MAIL_LINK_CONFIRM = "mail_link_confirm",
    MAIL_LINK_RESET = "mail_link_reset",
    MAIL_LINK_USER = "mail_link_user",
    PAYOUTS_OPEN = "payouts_open",
    PAYOUTS_PAGE = "payouts_page",
    PAYOUT_AUDIT = "payout_audit",
    PAYOUT_CANDIDATES = "payout_candidates",
    PAYOUT_CONTROL_GET = "payout_control_get",
    PAYOUT_GET = "payout_get",
    PAYOUT_HISTORY = "payout_history",
    PAYOUT_ITEMS = "payout_items",
    PAYOUT_SPENDS = "payout_spends",
    PAYOUT_SPENT = "payout_spent",
    PAYOUT_TERMS_GET = "payout_terms_get",
    PERSONAL_ALERTS_ALL = "personal_alerts_all",
    PERSONAL_ALERTS_OF = "personal_alerts_of",
    PERSONAL_ALERTS_PUT = "personal_alerts_put",
    PERSONAL_PAYOUTS = "personal_payouts",
    PERSONAL_TOLD_GET = "personal_told_get",
    PERSONAL_TOLD_PUT = "personal_told_put",
    PERSONAL_WORKERS_PUT = "personal_workers_put",
    POSITION_GET = "position_get",
    POSITION_NODES = "position_nodes",
    SHARE_HOURS_OF = "share_hours_of",
    SPLITS_GET = "splits_get",
    USERS_PAGE = "users_page",
    USERS_WITH_EMAIL = "users_with_email",
    USER_ADD = "user_add",
    USER_DISABLED_SET = "user_disabled_set",
    USER_EMAIL_SET = "user_email_set",
    USER_GET = "user_get",
    USER_MFA_OFF = "user_mfa_off",
    USER_MFA_ON = "user_mfa_on",
    USER_MFA_PREPARE = "user_mfa_prepare",
    USER_MFA_STEP_TAKE = "user_mfa_step_take",
    USER_NAMED = "user_named",
    USER_PASSWORD_SET = "user_password_set",
    USER_ROLE_SET = "user_role_set",
    WINDOWS_ALL = "windows_all",
}

statements! {
    /// Prepared by the connection that writes.
    WRITING:
    ACCOUNT_LOCK = "account_lock",
    ACCOUNTS_CREATE = "accounts_create",
    ADJUSTMENT_ADD = "adjustment_add",
    ANCHORS_PUT = "anchors_put",
    ANCHORS_REMOVE = "anchors_remove",
    BALANCE_LOCK = "balance_lock",
    BALANCES_INSERT = "balances_insert",
    BALANCES_LOCK = "balances_lock",
    BALANCES_UPDATE = "balances_update",
    BLOCKS_COPY = "blocks_copy",
    BLOCKS_LOCK = "blocks_lock",
    BLOCKS_MERGE = "blocks_merge",
    HISTORY_COPY = "history_copy",
    LINES_COPY = "lines_copy",
    PARENTS_COPY = "parents_copy",
    PARENTS_REMOVE = "parents_remove",
    PAYOUT_AUDIT_ADD = "payout_audit_add",
    PAYOUT_CONTROL_LOCK = "payout_control_lock",
    PAYOUT_HISTORY_ADD = "payout_history_add",
    PAYOUT_HOLD_ACCOUNT = "payout_hold_account",
    PAYOUT_HOLD_ALL = "payout_hold_all",
    PAYOUT_HOLD_ONE = "payout_hold_one",
    PAYOUT_ITEMS_ADD = "payout_items_add",
    PAYOUT_LOCK = "payout_lock",
    PAYOUT_NEXT_ID = "payout_next_id",
    PAYOUT_OVERDRAWN = "payout_overdrawn",
    PAYOUT_SET_ASIDE = "payout_set_aside",
    PAYOUT_SPENDS_ADD = "payout_spends_add",
    PAYOUT_SPENDS_FREE = "payout_spends_free",
    PAYOUT_STATE_SET = "payout_state_set",
    PAYOUT_THRESHOLD_SET = "payout_threshold_set",
    PAYOUT_TOKEN_TAKE = "payout_token_take",
    PAYOUT_TRANSACTION_ADD = "payout_transaction_add",
    PAYOUTS_ADD = "payouts_add",
    POOL_BALANCES_ADD = "pool_balances_add",
    POSITION_ADVANCE = "position_advance",
    POSITION_LOCK = "position_lock",
    SHARE_HOURS_DAY = "share_hours_day",
    SHARE_HOURS_MERGE = "share_hours_merge",
    SHARES_COPY = "shares_copy",
    SHARES_MERGE = "shares_merge",
    SPLITS_COPY = "splits_copy",
    TRANSACTIONS_ADD = "transactions_add",
    WINDOW_PUT = "window_put",
    WORKER_IDS = "worker_ids",
    WORKERS_CREATE = "workers_create",
    WRITER_EVICT = "writer_evict",
    WRITER_LOCK = "writer_lock",
    WRITER_TAKE = "writer_take",
}

/// Schema changes in order.
pub(super) const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "ledger", text!("migrations", "0001_ledger")),
    (2, "deployments", text!("migrations", "0002_deployments")),
    (3, "proofs", text!("migrations", "0003_proofs")),
    (4, "share_hours", text!("migrations", "0004_share_hours")),
    (5, "adjustments", text!("migrations", "0005_adjustments")),
    (6, "payouts", text!("migrations", "0006_payouts")),
    (7, "history_by_both_clocks", text!("migrations", "0007_history_by_both_clocks")),
    (8, "large_blocks", text!("migrations", "0008_large_blocks")),
    (9, "users", text!("migrations", "0009_users")),
    (10, "packed_entries", text!("migrations", "0010_packed_entries")),
    (11, "sign_in", text!("migrations", "0011_sign_in")),
    (12, "mail_links", text!("migrations", "0012_mail_links")),
    (13, "claims", text!("migrations", "0013_claims")),
    (14, "personal_alerts", text!("migrations", "0014_personal_alerts")),
];

/// Audits that return no rows when all is well.
pub(super) const CHECKS: &[(&str, &str)] = &[
    ("adjustments_match_their_postings", text!("checks", "adjustments_match_their_postings")),
    ("balances_match_entries", text!("checks", "balances_match_entries")),
    ("payouts_match_balances", text!("checks", "payouts_match_balances")),
    ("payouts_match_their_postings", text!("checks", "payouts_match_their_postings")),
    ("settled_blocks_have_no_pending", text!("checks", "settled_blocks_have_no_pending")),
    ("transactions_sum_to_zero", text!("checks", "transactions_sum_to_zero")),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_file_is_a_statement_of_its_own() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../sql/postgres/statements");
        let files: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        let known: BTreeSet<String> = [PLAIN, BOOKS, READING, WRITING]
            .concat()
            .iter()
            .map(|statement| statement.name.to_owned())
            .collect();
        assert_eq!(files, known);
    }
}
