//! `dagpool ledger statement|balance|export`.

use std::{fmt::Write as _, path::PathBuf};

use clap::Args;
use pool_actors::{
    api,
    error::Failure,
    ports::{
        books::{CreditQuery, CreditRow},
        store::{BlockRow, Split},
    },
};
use pool_domain::ids::{Account, BlockHash};
use serde_json::{Value, json};

use super::{
    Format, Source, not_in_books, put,
    source::{Opened, unreadable},
};
use crate::Outcome;

/// Lines that are asked for at a time.
const PAGE: usize = 500;

#[derive(Debug, Args)]
pub(crate) struct Statement {
    /// The block.
    block: BlockHash,
    #[command(flatten)]
    source: Source,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Balance {
    /// Payout address.
    account: Account,
    #[command(flatten)]
    source: Source,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Payout address.
    account: Account,
    #[command(flatten)]
    source: Source,
    /// Form of the file.
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
    /// The file; standard output without it.
    #[arg(long)]
    out: Option<PathBuf>,
}

/// The block and its split in the database.
pub(super) async fn in_books(
    opened: &Opened,
    block: BlockHash,
) -> Result<Option<(BlockRow, Split)>, Failure> {
    let Opened::Books(open) = opened else { return Ok(None) };
    let found = open.books.statement(block).await.map_err(|error| unreadable(&error))?;
    let (row, split) = found.ok_or_else(|| not_in_books(format!("{}: no block {block}", open.place)))?;
    let split = split.ok_or_else(|| {
        not_in_books(format!(
            "{}: who shares in block {block} is not settled yet, or it was rejected",
            open.place
        ))
    })?;
    Ok(Some((row, split)))
}

pub(super) async fn statement(args: Statement) -> Outcome {
    let opened = args.source.open()?;
    let shown = match (&opened, in_books(&opened, args.block).await?) {
        (_, Some((row, split))) => api::statement_json(&row, &split, 0, usize::MAX).map_err(not_in_books)?,
        (Opened::Pool(pool), None) => {
            let block = args.block.to_string();
            let path = ["api", "blocks", &block, "statement"];
            let limit = PAGE.to_string();
            let mut shown = pool.json(&path, &[("limit", &limit)]).await?;
            while let Some(next) = shown["next"].as_str().map(str::to_owned) {
                let page = pool.json(&path, &[("limit", &limit), ("cursor", &next)]).await?;
                if let (Some(all), Some(more)) = (shown["items"].as_array_mut(), page["items"].as_array()) {
                    all.extend(more.iter().cloned());
                }
                shown["next"] = page["next"].clone();
            }
            shown
        }
        (Opened::Books(_), None) => Value::Null,
    };
    if args.json {
        return put(None, &format!("{shown}\n"));
    }
    put(None, &statement_text(&shown))
}

/// A value as people read it.
fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}

fn statement_text(shown: &Value) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name:16} {value}");
    };
    for name in ["block", "height", "algorithm", "found_at", "account", "worker", "status", "color"] {
        line(name, word(&shown[name]));
    }
    let points = |value: &Value| {
        value
            .as_u64()
            .map_or_else(|| "-".to_owned(), |points| format!("{}.{:02}%", points / 100, points % 100))
    };
    line("scheme", format!("{}, factor {}", word(&shown["scheme"]), points(&shown["factor_basis_points"])));
    line("network work", word(&shown["network_work"]));
    line("window", word(&shown["window_work"]));
    let shares = &shown["shares"];
    line(
        "shares",
        format!(
            "{} (counts {}) to {}",
            word(&shares["first"]),
            word(&shares["first_counted"]),
            word(&shares["last"])
        ),
    );
    line("total work", word(&shown["total_work"]));
    line("reward", format!("{} (fee {})", word(&shown["reward"]), word(&shown["fee"]["reward"])));
    line(
        "red merge income",
        format!("{} (fee {})", word(&shown["red_merge_income"]), word(&shown["fee"]["red_merge_income"])),
    );
    line("fee", points(&shown["fee_basis_points"]));
    line("root", word(&shown["root"]));
    let _ = writeln!(text, "\n{:>6}  {:>26}  {:>26}  account", "line", "work", "amount");
    for item in shown["items"].as_array().into_iter().flatten() {
        let _ = writeln!(
            text,
            "{:>6}  {:>26}  {:>26}  {}",
            word(&item["index"]),
            word(&item["work"]),
            word(&item["amount"]),
            word(&item["account"])
        );
    }
    text
}

pub(super) async fn balance(args: Balance) -> Outcome {
    let account = &args.account;
    let balance = match args.source.open()? {
        Opened::Pool(pool) => pool.json(&["api", "miners", account.as_str()], &[]).await?["balance"].take(),
        Opened::Books(open) => {
            let found = open.store.account(account.clone()).await.map_err(|error| unreadable(&error))?;
            let row = found.ok_or_else(|| not_in_books(format!("{}: no account {account}", open.place)))?;
            json!(row.balance)
        }
    };
    if args.json {
        return put(None, &format!("{}\n", json!({ "account": account, "balance": balance })));
    }
    let mut text = String::new();
    for (name, amount) in balance.as_object().into_iter().flatten() {
        let _ = writeln!(text, "{name:10} {:>30}", word(amount));
    }
    put(None, &text)
}

pub(super) async fn export(args: Export) -> Outcome {
    let account = args.account;
    let text = match args.source.open()? {
        Opened::Pool(pool) => {
            let format = if args.format == Format::Csv { "csv" } else { "json" };
            pool.text(&["api", "miners", account.as_str(), "earnings"], &[("format", format)]).await?
        }
        Opened::Books(open) => {
            let mut rows = Vec::new();
            loop {
                let before = rows.last().map(|row: &CreditRow| row.id);
                let query = CreditQuery { account: account.clone(), before, limit: PAGE };
                let page = open.books.credits(query).await.map_err(|error| unreadable(&error))?;
                let last = page.len() < PAGE;
                rows.extend(page);
                if last {
                    break;
                }
            }
            match args.format {
                Format::Csv => {
                    rows.iter().fold(api::CREDIT_COLUMNS.to_owned(), |text, row| text + &api::credit_csv(row))
                }
                Format::Json => {
                    format!("{}\n", Value::from(rows.iter().map(api::credit_json).collect::<Vec<_>>()))
                }
            }
        }
    };
    let code = put(args.out.as_deref(), &text)?;
    if let Some(path) = &args.out {
        eprintln!("written to {}", path.display());
    }
    Ok(code)
}
