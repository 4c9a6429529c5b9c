//! What isolation costs: every level against the direct call of the same run, as ratios.
//! `cargo bench -p pool-engine --bench isolation`. Native libraries are built by cargo when it starts.

use plugin_sdk::{Hash, Header, PowAlgorithm};
use pool_engine::{
    Registry,
    isolation::{Host, Limits, load_in_process, load_process_with, load_wasm},
};
use std::{
    hint::black_box,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

#[path = "../tests/isolation/libraries.rs"]
#[allow(dead_code)]
mod libraries;

const NAMES: [&str; 3] = ["blake3", "blake2s", "sha256d"];
const BATCHES: [usize; 3] = [1, 16, 64];
/// Rounds, in which the levels take turns, so that what else the machine does meets all of them. The best of each counts:
/// other work only ever adds time.
const ROUNDS: usize = 60;
const ROUND: Duration = Duration::from_millis(5);

fn headers(count: usize) -> Vec<Header> {
    (0..count).map(|i| core::array::from_fn(|k| u8::try_from((i * 7 + k * 3) % 256).unwrap_or(0))).collect()
}

/// Nanoseconds per call in one round.
fn round(mut call: impl FnMut()) -> f64 {
    let (start, mut calls) = (Instant::now(), 0u32);
    while start.elapsed() < ROUND {
        for _ in 0..16 {
            call();
        }
        calls += 16;
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(calls)
}

/// Nanoseconds per hash of each.
fn per_hash<const N: usize>(algorithms: [&dyn PowAlgorithm; N], batch: usize) -> [f64; N] {
    let inputs = headers(batch);
    let mut out: Vec<Hash> = vec![[0; 32]; batch];
    let mut best = [f64::INFINITY; N];
    for _ in 0..ROUNDS {
        for (algorithm, best) in algorithms.iter().zip(&mut best) {
            let ns = round(|| {
                let hashed = algorithm.hash_batch(black_box(&inputs), black_box(&mut out));
                hashed.expect("these headers have hashes");
            });
            *best = best.min(ns);
        }
    }
    best.map(|ns| ns / u32::try_from(batch).map_or(1.0, f64::from))
}

fn main() {
    // `cargo test --benches` only wants to know that it starts.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let fixture =
        |name: &str| std::fs::read(format!("{}/tests/fixtures/{name}.wasm", env!("CARGO_MANIFEST_DIR")));
    let host = Host::program(Path::new(env!("CARGO_BIN_EXE_algorithm-host")));
    let store = tempfile::tempdir().expect("a temporary folder");
    println!("ns per hash of an 80-byte header (ratio to the direct call)");
    println!("{:10}{:>6}{:>9}{:>18}{:>18}{:>18}", "", "batch", "direct", "in-process", "wasm", "process");
    for name in NAMES {
        let library = libraries::plugin_of(name, "release");
        let loaded: [Arc<dyn PowAlgorithm>; 3] = [
            load_in_process(&library, store.path()).expect("it was built for this"),
            load_wasm(&fixture(name).expect("a fixture"), Limits::default()).expect("it conforms"),
            load_process_with(&host, &library, Limits::default()).expect("it was built for this"),
        ];
        let direct = Registry::linked_in().find(name).expect("it is linked in");
        let [in_process, wasm, process] = &loaded;
        let mut wasm_of = [0.0; 2];
        for batch in BATCHES {
            let [raw, levels @ ..] = per_hash([&*direct, &**in_process, &**wasm, &**process], batch);
            let row: String =
                levels.iter().map(|ns| format!("{:>18}", format!("{ns:.0} ({:.2} x)", ns / raw))).collect();
            println!("{name:10}{batch:>6}{raw:>9.0}{row}");
            wasm_of[usize::from(batch > 1)] = levels[1];
        }
        // What a call costs beyond its hashes.
        println!(
            "{name:10}a call into wasm: {:.0} ns (a batch of 1 less a hash of a batch of 64)",
            wasm_of[0] - wasm_of[1]
        );
    }
}
