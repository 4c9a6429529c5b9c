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
        audit_chain::Chain,
        audit_file::{Writing, audit_file},
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
    /// Leave out what only the chain's node knows: colours and rewards of blocks, transactions of payouts. It is asked with
    /// --config, which names it.
    #[arg(long, requires = "config")]
    no_chain: bool,
    /// Write all that is read into this new file, too: who has it can audit without database and journal.
    #[arg(long)]
    save: Option<PathBuf>,
    /// Audit a file that --save wrote.
    #[arg(long, conflicts_with_all = ["config", "data_dir", "database", "save"])]
    from: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What is audited.
struct Subject {
    open: OpenBooks,
    folders: Vec<PathBuf>,
    chain: Option<Chain>,
}

/// Recomputes everything and compares; the exit code is 0 only if nothing differs.
pub(super) async fn audit(args: Audit) -> Outcome {
    let (place, report) = if let Some(file) = &args.from {
        (file.display().to_string(), audit_file(file)?)
    } else {
        let Subject { open, folders, chain } = opened(&args)?;
        let file = args.save.as_deref().map(Writing::begin).transpose()?;
        let report = audit::audit_with(&open, &folders, file, chain.as_ref(), progress(args.json)).await?;
        (open.place, report)
    };
    if args.json {
        println!("{}", json!(report));
    } else {
        print(&place, &report);
    }
    Ok(if report.clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn opened(args: &Audit) -> Result<Subject, Failure> {
    if let Some(path) = &args.config {
        let config = config::load(path)?;
        let open = OpenBooks::of(&config)?;
        let chain = if args.no_chain { None } else { Some(Chain::of(&config)?) };
        return Ok(Subject { open, folders: vec![config.pool.data_dir], chain });
    }
    let open = match (&args.database, args.data_dir.first()) {
        (Some(url), _) => OpenBooks::open(url, Path::new(""))?,
        (None, Some(folder)) => OpenBooks::open(DATABASE, folder)?,
        (None, None) => {
            return Err(Failure::new(
                Code::ConfigInvalid,
                "nothing to audit is named",
                "name --config pool.toml, or --data-dir FOLDER (and --database URL), or --from FILE",
            ));
        }
    };
    Ok(Subject { open, folders: args.data_dir.clone(), chain: None })
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

fn print(place: &str, report: &Report) {
    let checked = &report.checked;
    println!("audited    {place}");
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
    if checked.chain_blocks + checked.chain_payouts > 0 {
        println!(
            "chain      {} blocks and {} payouts compared with the node",
            checked.chain_blocks, checked.chain_payouts
        );
    }
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
