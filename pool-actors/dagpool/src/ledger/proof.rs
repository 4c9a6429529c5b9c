//! `dagpool ledger proof|verify-proof`.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use pool_actors::{
    api,
    error::{Code, Failure},
};
use pool_domain::{
    ids::{Account, BlockHash},
    statement::ProofDocument,
};
use serde_json::json;

use super::{Source, not_in_books, put, source::Opened, statement::in_books};
use crate::Outcome;

#[derive(Debug, Args)]
pub(crate) struct Proof {
    /// The block.
    block: BlockHash,
    /// Payout address.
    account: Account,
    #[command(flatten)]
    source: Source,
    /// The file; standard output without it.
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyProof {
    /// The proof.
    file: PathBuf,
    /// The root, if it is known from elsewhere (noted when the block was found, or from another miner).
    #[arg(long)]
    root: Option<BlockHash>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn proof(args: Proof) -> Outcome {
    let opened = args.source.open()?;
    let (block, account) = (args.block, &args.account);
    let document = match (&opened, in_books(&opened, block).await?) {
        (_, Some((row, split))) => {
            let found = api::proof_document(&row, &split, account).map_err(not_in_books)?;
            let found = found.ok_or_else(|| {
                not_in_books(format!("{account} has no work in the window of block {block}"))
            })?;
            json!(found)
        }
        (Opened::Pool(pool), None) => {
            let path = ["api", "blocks", &block.to_string(), "proof"];
            pool.json(&path, &[("account", account.as_str())]).await?
        }
        (Opened::Books(_), None) => return Err(not_in_books(format!("no block {block}"))),
    };
    put(args.out.as_deref(), &format!("{document:#}\n"))
}

/// Needs neither a pool nor a network.
pub(super) fn verify(args: &VerifyProof) -> Outcome {
    let unusable = |what: String| {
        let advice = "get it with: dagpool ledger proof BLOCK ACCOUNT --out FILE";
        Failure::new(Code::FileUnusable, format!("{}: {what}", args.file.display()), advice)
    };
    let text = std::fs::read_to_string(&args.file).map_err(|error| unusable(error.to_string()))?;
    let document: ProofDocument = serde_json::from_str(&text).map_err(|error| unusable(error.to_string()))?;
    let checked = document.verify(args.root);
    if args.json {
        let shown = json!({
            "valid": checked.is_ok(), "reason": checked.as_ref().err().map(ToString::to_string),
            "block": document.block, "account": document.account, "work": document.work, "root": document.root,
            "root_known": args.root.is_some(),
        });
        println!("{shown}");
    } else {
        match &checked {
            Ok(()) => println!(
                "valid: {} has work {} of {} in block {}, below root {}{}",
                document.account,
                document.work,
                document.total_work,
                document.block,
                document.root,
                if args.root.is_some() { "" } else { " (compare the root with what others have: --root)" }
            ),
            Err(reason) => println!("NOT valid: {reason}"),
        }
    }
    Ok(if checked.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
