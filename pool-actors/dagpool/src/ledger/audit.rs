//! `dagpool ledger audit`.

use std::{
    io::{IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use pool_actors::{
    app::{
        audit::{self, Progress},
        books::OpenBooks,
    },
    audit::Report,
    config,
    error::{Code, Failure},
};
use serde_json::json;

use super::source::DATABASE;
use crate::Outcome;

#[derive(Debug, Args)]
pub(crate) struct Audit {
    /// The configuration of the pool: names its database and its data folder.
    #[arg(long, conflicts_with_all = ["data_dir", "database"])]
    config: Option<PathBuf>,
    /// A data folder with its journal; several times, where several nodes feed one database.
    #[arg(long)]
    data_dir: Vec<PathBuf>,
    /// The database, if it is not pool.db in the first data folder: sqlite:PATH or postgres://user:password@host:port/database.
    #[arg(long)]
    database: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Recomputes everything and compares; the exit code is 0 only if nothing differs.
pub(super) async fn audit(args: Audit) -> Outcome {
    let (open, folders) = opened(&args)?;
    let report = audit::audit(&open, &folders, progress(args.json)).await?;
    if args.json {
        println!("{}", json!(report));
    } else {
        print(&open, &report);
    }
    Ok(if report.clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn opened(args: &Audit) -> Result<(OpenBooks, Vec<PathBuf>), Failure> {
    if let Some(path) = &args.config {
        let config = config::load(path)?;
        let open = OpenBooks::of(&config)?;
        return Ok((open, vec![config.pool.data_dir]));
    }
    match (&args.database, args.data_dir.first()) {
        (Some(url), _) => Ok((OpenBooks::open(url, Path::new(""))?, args.data_dir.clone())),
        (None, Some(folder)) => Ok((OpenBooks::open(DATABASE, folder)?, args.data_dir.clone())),
        (None, None) => Err(Failure::new(
            Code::ConfigInvalid,
            "nothing to audit is named",
            "name --config pool.toml, or --data-dir FOLDER (and --database URL)",
        )),
    }
}

/// One line that changes, on a terminal.
fn progress(quiet: bool) -> Progress {
    let shows = !quiet && std::io::stderr().is_terminal();
    Box::new(move |node, read, of| {
        if shows {
            let mut out = std::io::stderr().lock();
            // A terminal that is gone does not stop the audit.
            let _ = write!(out, "\r{node}: {read} of {of} records");
            if read == of {
                let _ = writeln!(out);
            }
        }
    })
}

fn print(open: &OpenBooks, report: &Report) {
    let checked = &report.checked;
    println!("database   {}", open.place);
    for node in &report.nodes {
        let journal = match node.journal_from {
            Some(1) => "whole journal read".to_owned(),
            Some(first) => format!("journal read from record {first}, older ones were dropped by retention"),
            None => "journal not read".to_owned(),
        };
        println!("node       {}, through record {}; {journal}", node.node, node.position);
    }
    println!(
        "checked    {} journal records, {} blocks, {} windows, {} transactions with {} lines, {} balances, {} sums of shares",
        checked.journal_records,
        checked.blocks,
        checked.windows,
        checked.transactions,
        checked.entries,
        checked.balances,
        checked.share_rows
    );
    for left in &report.unchecked {
        println!("unchecked  {} ({}): {}", left.subject, left.count, left.why);
    }
    match report.first.first() {
        None => println!("clean      no difference"),
        Some(first) => {
            println!("DIFFERENT  {}, {}: {}", first.area, first.subject, first.what);
            println!(
                "           {} differences in all; --json lists the first {}",
                report.differences,
                report.first.len()
            );
        }
    }
}
