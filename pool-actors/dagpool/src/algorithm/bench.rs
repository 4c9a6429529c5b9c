//! `dagpool algorithm bench`.

use std::{fmt::Write as _, path::PathBuf, time::Duration};

use clap::Args;
use pool_engine::{
    HEADER_SIZE, Header,
    codes::{Code, PackageError},
    package::Package,
    staging::{Clock, How, measure},
};
use serde_json::{Value, json};

use super::{Done, Output, files, load};

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// The package.
    package: PathBuf,
    /// How to run the code.
    #[arg(long, value_enum, default_value_t = load::Level::Wasm)]
    level: load::Level,
    /// Seconds for each batch size, up to 600.
    #[arg(long, default_value_t = 1.0, value_parser = seconds)]
    seconds: f64,
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if (0.001..=600.0).contains(&seconds) { Ok(seconds) } else { Err("give 0.001 to 600".to_owned()) }
}

pub(super) fn bench(args: &Bench) -> Done {
    let package = files::open_package(&args.package)?;
    let manifest = package.manifest()?;
    let algorithm = load::loader(args.level)(&package, &manifest.memory_limits())
        .map_err(|problem| PackageError::new(Code::CodeRefused, problem))?;
    let expected = manifest.performance.expected_hashrate.per_second();
    let inputs = inputs(&package)?;
    let mut text =
        format!("{} at level {}, expected {expected} hashes per second\n", manifest.id(), args.level);
    let mut rows: Vec<Value> = Vec::new();
    let time = Duration::from_secs_f64(args.seconds);
    let how = How { clock: Clock::of(args.level.into()), gently: false };
    for batch in [1, 16, 64] {
        let measured =
            measure(&*algorithm, &inputs[..batch], (16, u32::MAX), time, how).map_err(|error| {
                PackageError::new(Code::BenchmarkFailed, format!("batches of {batch}: {error}"))
            })?;
        let (hashrate, score) = (measured.hashrate(), measured.score_permille(expected));
        let ns = measured.elapsed_ns / measured.hashes.max(1);
        let (whole, part) = (score / 1000, score % 1000);
        let slowest = measured.slowest_ns_per_hash;
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "batch {batch:2}  {hashrate:10} hashes/s  {ns:7} ns each, slowest batch {slowest} ns each  score {whole}.{part:03}"
        );
        rows.push(
            json!({ "batch": batch, "hashrate": hashrate, "ns_per_hash": ns, "slowest_ns_per_hash": slowest,
            "expected": expected, "score_permille": score }),
        );
    }
    Ok(Output::good(
        text,
        json!({ "algorithm_id": manifest.id(), "level": args.level.to_string(), "batches": rows }),
    ))
}

/// 64 headers: the package's own, repeated as needed, or ones that differ in their nonce.
fn inputs(package: &Package) -> Result<Vec<Header>, PackageError> {
    let own = package.benchmark_data()?.map(|data| data.inputs);
    Ok(match own {
        Some(own) => own.into_iter().cycle().take(64).collect(),
        None => (0..64)
            .map(|nonce| {
                let mut header = [0x5a; HEADER_SIZE];
                header[HEADER_SIZE - 1] = nonce;
                header
            })
            .collect(),
    })
}
