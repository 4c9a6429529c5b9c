//! `dagpool backup`, `dagpool restore`.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    sync::Arc,
};

use clap::Args;
use pool_actors::{
    adapters::system_clock::SystemClock,
    app::{
        audit,
        backup::{self, Manifest, Source},
        books::OpenBooks,
    },
    config,
    error::{Code, Failure},
    ports::clock::SharedClock,
};
use serde_json::json;

use crate::Outcome;

#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The pool's configuration.
    #[arg(long, default_value = "pool.toml")]
    config: PathBuf,
    /// A new or empty folder for the backup.
    #[arg(long)]
    out: PathBuf,
    /// The program that dumps a PostgreSQL database.
    #[arg(long, default_value = "pg_dump")]
    pg_dump: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The backup.
    backup: PathBuf,
    /// The data folder to make (`pool.data_dir` of the pool that goes on); new or empty.
    #[arg(long)]
    data_dir: PathBuf,
    /// The PostgreSQL database to fill (`store.url`); empty. Only for a backup of one.
    #[arg(long)]
    database: Option<String>,
    /// The program that restores a PostgreSQL database.
    #[arg(long, default_value = "pg_restore")]
    pg_restore: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

fn clock() -> SharedClock {
    Arc::new(SystemClock)
}

/// Copies database, then journal and packages, whether the pool runs or not.
pub(crate) fn backup(args: &Backup) -> Outcome {
    let config = config::load(&args.config)?;
    backup::empty_folder(&args.out)?;
    let database = match Source::of(&config)? {
        Source::Sqlite(path) => {
            backup::copy_sqlite(&path, &args.out)?;
            "sqlite"
        }
        Source::Postgres { url, password } => {
            let dump = args.out.join(backup::POSTGRES_DUMP);
            let mut command = Command::new(&args.pg_dump);
            // Owners and rights are the target's.
            command.args(["--format=custom", "--no-owner", "--no-privileges", "--file"]).arg(&dump);
            run(connect(&mut command, &url, password), &args.pg_dump)?;
            "postgres"
        }
    };
    let manifest = backup::copy_rest(&config, &args.out, database, &clock())?;
    say(args.json, &manifest, &format!("backup in {}", args.out.display()));
    Ok(ExitCode::SUCCESS)
}

/// Names the database to one of PostgreSQL's own programs; a password goes by the environment, where others don't see it.
fn connect<'c>(command: &'c mut Command, url: &str, password: Option<String>) -> &'c mut Command {
    let parsed = reqwest::Url::parse(url).ok();
    let within = parsed.as_ref().and_then(|url| url.password()).map(decoded);
    let shown = parsed.filter(|_| within.is_some()).and_then(|mut url| {
        url.set_password(None).ok()?;
        Some(url.to_string())
    });
    if let Some(password) = password.or(within) {
        command.env("PGPASSWORD", password);
    }
    command.arg("--dbname").arg(shown.unwrap_or_else(|| url.to_owned()))
}

/// Percent-decoded.
fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((&first, after)) = rest.split_first() {
        let coded = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match coded.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Runs one of PostgreSQL's own programs.
fn run(command: &mut Command, program: &Path) -> Result<(), Failure> {
    let refused = |what: String| {
        Failure::new(
            Code::StoreUnusable,
            format!("{}: {what}", program.display()),
            "install PostgreSQL's client programs of the server's version or newer, and check the database's address",
        )
    };
    let done = command.stdin(Stdio::null()).output().map_err(|error| refused(error.to_string()))?;
    if done.status.success() {
        return Ok(());
    }
    Err(refused(String::from_utf8_lossy(&done.stderr).trim().to_owned()))
}

fn say(json: bool, manifest: &Manifest, done: &str) {
    if json {
        println!("{}", json!(manifest));
        return;
    }
    let bytes: u64 = manifest.files.values().map(|file| file.bytes).sum();
    println!(
        "{done}: {} of {}, journal records {} to {}, {} files, {bytes} bytes",
        manifest.database,
        manifest.node,
        manifest.journal_first,
        manifest.journal_through,
        manifest.files.len()
    );
}

/// Checks the backup, brings it to a new place, and audits what came of it.
pub(crate) async fn restore(args: Restore) -> Outcome {
    let manifest = backup::verify(&args.backup)?;
    let wanted =
        |what: &str| Failure::new(Code::ConfigInvalid, what.to_owned(), "see dagpool restore --help");
    match (manifest.database.as_str(), &args.database) {
        ("postgres", None) => {
            return Err(wanted("this is the backup of a PostgreSQL database: name --database"));
        }
        ("sqlite", Some(_)) => {
            return Err(wanted("this is the backup of an embedded database, it goes into --data-dir"));
        }
        _ => {}
    }
    backup::restore_files(&args.backup, &manifest, &args.data_dir, &clock())?;
    let open = match &args.database {
        Some(url) => {
            let mut command = Command::new(&args.pg_restore);
            // In one transaction: a database that holds anything refuses its first table, and stays as it was.
            command.args(["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"]);
            connect(&mut command, url, None).arg(args.backup.join(backup::POSTGRES_DUMP));
            run(&mut command, &args.pg_restore)?;
            OpenBooks::open(url, &args.data_dir)?
        }
        None => OpenBooks::open(&format!("sqlite:{}", backup::SQLITE_COPY), &args.data_dir)?,
    };
    let report = audit::audit(&open, std::slice::from_ref(&args.data_dir), Box::new(|_, _, _| {})).await?;
    if args.json {
        println!("{}", json!({ "manifest": manifest, "audit": report }));
    } else {
        say(false, &manifest, &format!("restored to {}", args.data_dir.display()));
        match report.first.first() {
            None => println!(
                "audit clean: {} blocks, {} transactions",
                report.checked.blocks, report.checked.transactions
            ),
            Some(first) => println!("audit DIFFERENT: {}, {}: {}", first.area, first.subject, first.what),
        }
    }
    Ok(if report.clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown_to_others() {
        let said = |url: &str, password: Option<&str>| {
            let mut command = Command::new("pg_dump");
            connect(&mut command, url, password.map(str::to_owned));
            let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
            let secret =
                command.get_envs().next().and_then(|(_, value)| Some(value?.to_string_lossy().into_owned()));
            (words[1].clone(), secret)
        };
        let (url, secret) = said("postgres://pool:p%40ss@db:5432/pool", None);
        assert_eq!((url.as_str(), secret.as_deref()), ("postgres://pool@db:5432/pool", Some("p@ss")));
        let (url, secret) = said("postgres://pool@db/pool", Some("kept apart"));
        assert_eq!((url.as_str(), secret.as_deref()), ("postgres://pool@db/pool", Some("kept apart")));
        assert_eq!(said("host=db dbname=pool", None), ("host=db dbname=pool".to_owned(), None));
    }
}
