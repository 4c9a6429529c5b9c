//! `dagpool ledger adjust`.

use clap::Args;
use pool_domain::{ids::Account, units::Amount};
use serde_json::json;

use super::{put, source::PoolClient};
use crate::Outcome;

#[derive(Debug, Args)]
pub(crate) struct Adjust {
    /// Payout address.
    account: Account,
    /// What is given, in the smallest unit; with a minus, what is taken.
    #[arg(allow_negative_numbers = true)]
    amount: Amount,
    /// Your own name for it, such as a ticket: the same one is made once, however often it is sent.
    #[arg(long)]
    reference: String,
    /// Who decided it.
    #[arg(long)]
    author: String,
    /// Why.
    #[arg(long)]
    reason: String,
    /// It may leave the confirmed balance below zero.
    #[arg(long)]
    below_zero: bool,
    /// The running pool.
    #[arg(long, env = "DAGPOOL_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// The admin token, or one of an admin with the scope ledger.
    #[arg(long, env = "DAGPOOL_TOKEN", hide_env_values = true)]
    token: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Corrects a balance, through the pool that keeps it.
pub(super) async fn adjust(args: Adjust) -> Outcome {
    let body = json!({
        "reference": args.reference, "account": args.account, "amount": args.amount, "author": args.author,
        "reason": args.reason, "below_zero": args.below_zero,
    });
    let pool = PoolClient::new(&args.url);
    let made = pool.post(&["api", "admin", "ledger", "adjustments"], &args.token, &body).await?;
    if args.json {
        return put(None, &format!("{made}\n"));
    }
    put(None, &format!("correction {}: {} {} ({})\n", made["id"], args.account, args.amount, args.reference))
}
