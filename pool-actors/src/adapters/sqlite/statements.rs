//! The statements, by the names of their files below `sql/`.

macro_rules! statements {
    ($($name:ident = $file:literal),* $(,)?) => {
        $(pub(super) const $name: &str =
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../sql/sqlite/statements/", $file, ".sql"));)*
        /// Every statement, for the test that prepares them all.
        #[cfg(test)]
        pub(super) const ALL: &[(&str, &str)] = &[$(($file, $name)),*];
    };
}

statements! {
    ACCOUNT_BALANCES = "account_balances",
    ACCOUNT_CREATE = "account_create",
    ACCOUNT_ID = "account_id",
    ACCOUNT_NAME = "account_name",
    ACCOUNT_SHARES = "account_shares",
    ACCOUNTS_NEWEST = "accounts_newest",
    ACCOUNTS_PAGE = "accounts_page",
    ADJUSTMENT_ADD = "adjustment_add",
    ADJUSTMENT_GET = "adjustment_get",
    ADJUSTMENTS_PAGE = "adjustments_page",
    ANCHOR_PUT = "anchor_put",
    ANCHOR_REMOVE = "anchor_remove",
    ANCHORS_ALL = "anchors_all",
    BALANCE_ADD = "balance_add",
    BALANCE_GET = "balance_get",
    BALANCE_TOTALS = "balance_totals",
    BLOCK_BY_HASH = "block_by_hash",
    BLOCK_COUNTS = "block_counts",
    BLOCK_HISTORY = "block_history",
    BLOCK_HISTORY_ADD = "block_history_add",
    BLOCK_PARENT_PUT = "block_parent_put",
    BLOCK_PARENTS = "block_parents",
    BLOCK_PARENTS_REMOVE = "block_parents_remove",
    BLOCK_PUT = "block_put",
    BLOCK_SPLIT_GET = "block_split_get",
    BLOCK_SPLIT_PUT = "block_split_put",
    BOOKS_ACCOUNTS = "books_accounts",
    BOOKS_BALANCES = "books_balances",
    BOOKS_BLOCK_ENTRIES = "books_block_entries",
    BOOKS_BLOCKS = "books_blocks",
    BOOKS_ENTRIES = "books_entries",
    BOOKS_POSITIONS = "books_positions",
    BOOKS_SHARES = "books_shares",
    BLOCKS_OPEN = "blocks_open",
    BLOCKS_PAGE = "blocks_page",
    COPY_TO = "copy_to",
    COUNTS = "counts",
    CREDITS_PAGE = "credits_page",
    DEPLOYMENT_PUT = "deployment_put",
    DEPLOYMENT_TRAIL = "deployment_trail",
    DEPLOYMENT_TRAIL_ADD = "deployment_trail_add",
    DEPLOYMENTS_PAGE = "deployments_page",
    ENTRIES_PUT = "entries_put",
    ENTRY_PUT = "entry_put",
    MIGRATION_ADD = "migration_add",
    MIGRATIONS_ALL = "migrations_all",
    MIGRATIONS_EXIST = "migrations_exist",
    MIGRATIONS_TABLE = "migrations_table",
    PAYOUT_ADD = "payout_add",
    PAYOUT_AUDIT = "payout_audit",
    PAYOUT_AUDIT_ADD = "payout_audit_add",
    PAYOUT_CANDIDATES = "payout_candidates",
    PAYOUT_CONTROL_GET = "payout_control_get",
    PAYOUT_GET = "payout_get",
    PAYOUT_HISTORY = "payout_history",
    PAYOUT_HISTORY_ADD = "payout_history_add",
    PAYOUT_HOLD_ACCOUNT = "payout_hold_account",
    PAYOUT_HOLD_ALL = "payout_hold_all",
    PAYOUT_HOLD_ONE = "payout_hold_one",
    PAYOUT_ITEM_ADD = "payout_item_add",
    PAYOUT_ITEMS = "payout_items",
    PAYOUT_NEXT_ID = "payout_next_id",
    PAYOUT_OVERDRAWN = "payout_overdrawn",
    PAYOUT_SET_ASIDE = "payout_set_aside",
    PAYOUT_SPEND_ADD = "payout_spend_add",
    PAYOUT_SPENDS = "payout_spends",
    PAYOUT_SPENDS_FREE = "payout_spends_free",
    PAYOUT_SPENT = "payout_spent",
    PAYOUT_STATE_SET = "payout_state_set",
    PAYOUT_TERMS_GET = "payout_terms_get",
    PAYOUT_THRESHOLD_SET = "payout_threshold_set",
    PAYOUT_TOKEN_TAKE = "payout_token_take",
    PAYOUT_TRANSACTION_ADD = "payout_transaction_add",
    PAYOUTS_OPEN = "payouts_open",
    PAYOUTS_PAGE = "payouts_page",
    POSITION_ADVANCE = "position_advance",
    POSITION_CREATE = "position_create",
    POSITION_GET = "position_get",
    POSITION_NODES = "position_nodes",
    SHARE_HOURS_ADD = "share_hours_add",
    SHARE_HOURS_FORGET = "share_hours_forget",
    SHARE_HOURS_OF = "share_hours_of",
    SHARES_ADD = "shares_add",
    TRANSACTION_NEXT_ID = "transaction_next_id",
    TRANSACTION_SEAL = "transaction_seal",
    WINDOW_PUT = "window_put",
    WINDOWS_ALL = "windows_all",
    WORKER_CREATE = "worker_create",
    WORKER_ID = "worker_id",
    API_TOKEN_ADD = "api_token_add",
    API_TOKEN_GET = "api_token_get",
    API_TOKEN_REVOKE = "api_token_revoke",
    API_TOKENS_OF = "api_tokens_of",
    AUDIT_ADD = "audit_add",
    AUDIT_PAGE = "audit_page",
    BACKUP_CODE_TAKE = "backup_code_take",
    BACKUP_CODES_LEFT = "backup_codes_left",
    USER_ADD = "user_add",
    USER_DISABLED_SET = "user_disabled_set",
    USER_GET = "user_get",
    USER_MFA_OFF = "user_mfa_off",
    USER_MFA_ON = "user_mfa_on",
    USER_MFA_PREPARE = "user_mfa_prepare",
    USER_MFA_STEP_TAKE = "user_mfa_step_take",
    USER_NAMED = "user_named",
    USER_PASSWORD_SET = "user_password_set",
    USER_ROLE_SET = "user_role_set",
    USERS_PAGE = "users_page",
    BACKUP_CODE_ADD = "backup_code_add",
    BACKUP_CODES_REMOVE = "backup_codes_remove",
}

/// Schema changes in order.
pub(super) const MIGRATIONS: &[(i64, &str, &str)] = &[
    (
        1,
        "ledger",
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../sql/sqlite/migrations/0001_ledger.sql")),
    ),
    (
        2,
        "deployments",
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../sql/sqlite/migrations/0002_deployments.sql")),
    ),
    (
        3,
        "proofs",
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../sql/sqlite/migrations/0003_proofs.sql")),
    ),
    (
        4,
        "share_hours",
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../sql/sqlite/migrations/0004_share_hours.sql")),
    ),
    (
        5,
        "adjustments",
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../sql/sqlite/migrations/0005_adjustments.sql")),
    ),
    (
        6,
        "payouts",
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../sql/sqlite/migrations/0006_payouts.sql")),
    ),
    (
        7,
        "large_blocks",
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../sql/sqlite/migrations/0007_large_blocks.sql")),
    ),
    (
        8,
        "users",
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../sql/sqlite/migrations/0008_users.sql")),
    ),
    (
        9,
        "sign_in",
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../sql/sqlite/migrations/0009_sign_in.sql")),
    ),
];

macro_rules! checks {
    ($($name:literal),* $(,)?) => {
        /// Audits that return no rows when all is well.
        pub(super) const CHECKS: &[(&str, &str)] = &[$((
            $name,
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../sql/checks/", $name, ".sql")),
        )),*];
    };
}

checks![
    "adjustments_match_their_postings",
    "balances_match_entries",
    "payouts_match_balances",
    "payouts_match_their_postings",
    "settled_blocks_have_no_pending",
    "transactions_sum_to_zero",
];
