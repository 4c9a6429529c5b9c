//! `dagpool algorithm verify`: the pool's staging checks, by hand.

use std::{fmt::Write as _, path::PathBuf};

use clap::Args;
use pool_engine::{
    ENGINE_VERSION,
    codes::PackageError,
    staging::{Clock, HostProfile, How, Report, StageContext, StageLimits, stage},
    trust::{KnownVersions, Permission, TrustStore, TrustedKey},
};
use serde_json::json;

use super::{Done, Output, files, load, output};

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The package.
    package: PathBuf,
    /// The public key that must have signed it; it is trusted for this run.
    #[arg(long, conflicts_with = "trust", required_unless_present = "trust")]
    public_key: Option<PathBuf>,
    /// A trust store, as the pool has it.
    #[arg(long)]
    trust: Option<PathBuf>,
    /// How to run the code.
    #[arg(long, value_enum, default_value_t = load::Level::Wasm)]
    level: load::Level,
    /// Threads that will hash, for the memory check.
    #[arg(long, default_value_t = 2)]
    threads: u32,
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn verify(args: &Verify) -> Done {
    let trust = match (&args.public_key, &args.trust) {
        (Some(path), _) => {
            let permissions = vec![Permission::Wasm, Permission::Native];
            let key = files::read_public_key(path)?;
            let mut store = TrustStore::default();
            store.add(TrustedKey { name: path.display().to_string(), key, permissions, revoked: None });
            store
        }
        (None, Some(path)) => TrustStore::load(path)?,
        (None, None) => TrustStore::default(),
    };
    let bytes = files::read_package(&args.package)?;
    let loader = load::loader(args.level);
    let context = StageContext {
        trust: &trust,
        known_versions: &KnownVersions::default(),
        allow_downgrade: false,
        host: &HostProfile::detect(args.threads),
        engine_version: &ENGINE_VERSION,
        limits: &StageLimits::default(),
        permission: args.level.permission(),
        how: How { clock: Clock::of(args.level.into()), gently: false },
        load: &loader,
        progress: &|_| {},
    };
    match stage(&bytes, &context) {
        Ok(staged) => {
            let mut report = staged.report;
            report.next_steps = vec![format!("dagpool algorithm stage {}", args.package.display())];
            Ok(answer(&report, None))
        }
        Err(refused) => Ok(answer(&refused.report, Some(&refused.error))),
    }
}

/// A table of all checks, then what follows from it.
fn answer(report: &Report, error: Option<&PackageError>) -> Output {
    let mut text = String::new();
    for row in &report.validation_results {
        let mark = if row.ok && row.code.is_none() {
            "ok  "
        } else if row.ok {
            "WARN"
        } else {
            "FAIL"
        };
        let code = row.code.map_or_else(String::new, |code| format!(" [{code}]"));
        // Writing to a string does not fail.
        let _ = writeln!(text, "{mark}  {:16} {}{code}", row.check.as_str(), row.message);
    }
    let id = report.algorithm_id.as_deref().unwrap_or("the package");
    match error {
        None => {
            let _ = writeln!(text, "\n{id} passes. Next: {}", report.next_steps.join("; "));
        }
        Some(error) => {
            let _ = writeln!(
                text,
                "\n{id} is refused: {} [{}]{}",
                error,
                error.code.family().as_str(),
                output::advice(error)
            );
        }
    }
    let json = serde_json::to_value(report).unwrap_or_else(|error| json!({ "error": error.to_string() }));
    Output { text, json, ok: error.is_none() }
}
