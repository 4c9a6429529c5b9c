//! `dagpool backup`, `dagpool restore`.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    sync::Arc,
};

use clap::Args;
use pool_actors::{
    adapters::{postgres::PostgresSettings, system_clock::SystemClock},
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
        Source::Postgres { url, password, ca_file } => {
            let dump = args.out.join(backup::POSTGRES_DUMP);
            let mut command = Command::new(&args.pg_dump);
            // Owners and rights are the target's.
            command.args(["--format=custom", "--no-owner", "--no-privileges", "--file"]).arg(&dump);
            run(connect(&mut command, &url, password, ca_file.as_deref())?, &args.pg_dump)?;
            "postgres"
        }
    };
    let manifest = backup::copy_rest(&config, &args.out, database, &clock())?;
    say(args.json, &manifest, &format!("backup in {}", args.out.display()));
    Ok(ExitCode::SUCCESS)
}

/// Names the database to one of PostgreSQL's own programs; the password goes by the environment, where others don't see it.
fn connect<'c>(
    command: &'c mut Command,
    url: &str,
    password: Option<String>,
    ca_file: Option<&Path>,
) -> Result<&'c mut Command, Failure> {
    let mut settings = PostgresSettings::new(url, password).map_err(|what| {
        let advice = "write postgres://user@host:port/database";
        Failure::new(Code::ConfigInvalid, format!("the database's address: {what}"), advice)
    })?;
    if let Some(file) = ca_file.filter(|_| settings.is_encrypted()) {
        settings.trust(file).map_err(|what| {
            let advice = "name the file (PEM) of whoever signed the server's certificate";
            Failure::new(Code::ConfigInvalid, format!("store.ca_file: {what}"), advice)
        })?;
    }
    if let Some(database) = settings.database() {
        command.arg("--dbname").arg(database);
    }
    Ok(command.envs(settings.environment()))
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
            connect(&mut command, url, None, None)?.arg(args.backup.join(backup::POSTGRES_DUMP));
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
        for (url, apart) in [
            ("postgres://pool:hush@db:5432/money", None),
            ("postgres://pool@db/money?password=hush", None),
            ("postgres://pool:hush@db1,db2/money", None),
            ("host=db user=pool dbname=money password=hush", None),
            ("postgres://pool@db/money", Some("hush")),
        ] {
            let mut command = Command::new("pg_dump");
            connect(&mut command, url, apart.map(str::to_owned), None).unwrap();
            assert_eq!(command.get_args().collect::<Vec<_>>(), ["--dbname", "money"], "{url}");
            let secret = command.get_envs().find(|(name, _)| *name == "PGPASSWORD");
            assert_eq!(secret.and_then(|(_, value)| value?.to_str()), Some("hush"), "{url}");
        }
        let refused =
            connect(&mut Command::new("pg_dump"), "postgres://u:hush@h:port/db", None, None).unwrap_err();
        assert!(!refused.to_string().contains("hush"), "{refused}");
    }

    #[test]
    fn whom_the_pool_trusts_the_backup_trusts() {
        let url = "postgres://pool@db/money?sslmode=verify-full";
        let nowhere = Some(Path::new("/no/authority.pem"));
        let refused = connect(&mut Command::new("pg_dump"), url, None, nowhere).unwrap_err();
        assert!(refused.to_string().contains("store.ca_file"), "{refused}");
        // Without TLS there is nothing to be trusted.
        connect(&mut Command::new("pg_dump"), "postgres://pool@db/money", None, nowhere).unwrap();
    }
}
