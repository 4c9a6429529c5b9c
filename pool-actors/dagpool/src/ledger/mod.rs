//! `dagpool ledger`: money, for operators and miners. Reads a running pool (`--url`), or its database.

mod adjust;
mod audit;
mod proof;
mod source;
mod statement;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Subcommand, ValueEnum};
use pool_actors::error::{Code, Failure};
use source::Source;

use crate::Outcome;

#[derive(Debug, Subcommand)]
pub(crate) enum Ledger {
    /// Who was paid for a block, and by which shares.
    #[command(after_help = "Example: dagpool ledger statement 5f3c...e1 --url http://127.0.0.1:8080")]
    Statement(statement::Statement),
    /// An account's line of a block with its way to the block's root, to be checked by anybody.
    #[command(after_help = "Example: dagpool ledger proof 5f3c...e1 kaspa:qz... --out proof.json")]
    Proof(proof::Proof),
    /// Checks a proof, offline: line, branch, root and amounts.
    #[command(after_help = "Example: dagpool ledger verify-proof proof.json --root 77ab...03")]
    VerifyProof(proof::VerifyProof),
    /// What an account is owed and was paid.
    #[command(after_help = "Example: dagpool ledger balance kaspa:qz... --json")]
    Balance(statement::Balance),
    /// Corrects an account's confirmed balance, with author and reason.
    #[command(
        after_help = "Example: dagpool ledger adjust kaspa:qz... 250000000 --reference T-17 --author eve --reason 'lost share'"
    )]
    Adjust(adjust::Adjust),
    /// Recomputes everything from the journal and the entries, and compares it with the database.
    #[command(after_help = "Example: dagpool ledger audit --config pool.toml --json")]
    Audit(audit::Audit),
    /// All credits of an account as a file.
    #[command(after_help = "Example: dagpool ledger export kaspa:qz... --format csv --out earnings.csv")]
    Export(statement::Export),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Csv,
    Json,
}

/// Runs one of them.
pub(crate) async fn ledger(command: Ledger) -> Outcome {
    match command {
        Ledger::Statement(args) => statement::statement(args).await,
        Ledger::Proof(args) => proof::proof(args).await,
        Ledger::VerifyProof(args) => proof::verify(&args),
        Ledger::Balance(args) => statement::balance(args).await,
        Ledger::Adjust(args) => adjust::adjust(args).await,
        Ledger::Audit(args) => audit::audit(args).await,
        Ledger::Export(args) => statement::export(args).await,
    }
}

/// Writes to the file, or to standard output.
fn put(out: Option<&Path>, text: &str) -> Result<ExitCode, Failure> {
    let written = match out {
        Some(path) => std::fs::write(path, text),
        None => std::io::stdout().lock().write_all(text.as_bytes()),
    };
    let place = out.map_or_else(|| PathBuf::from("standard output"), Path::to_owned);
    written.map(|()| ExitCode::SUCCESS).map_err(|error| {
        Failure::new(
            Code::FileUnusable,
            format!("{} can't be written ({error})", place.display()),
            "choose another place",
        )
    })
}

fn not_in_books(what: impl Into<String>) -> Failure {
    Failure::new(Code::NotInBooks, what, "check the block's hash and the account's address")
}
