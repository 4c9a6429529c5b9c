//! What the books cost, each figure beside the raw limit of the same run: `cargo bench -p pool-tests --bench money`, or some
//! parts of it, `-- feed blocks latency`. A private PostgreSQL is started; the pool is the binary that `DAGPOOL_BIN` names.
//! Figures and what they mean: `pool-actors/docs/benchmarks.md`.

mod blocks;
mod feed;
mod latency;
#[path = "../../../pool-actors/benches/shares/mod.rs"]
mod shares;
mod site;

/// A part and its name.
type Part = (&'static str, fn());

fn main() {
    let parts: [Part; 3] = [
        ("feed", || run(feed::measure())),
        ("blocks", || run(blocks::measure())),
        ("latency", || run(latency::measure())),
    ];
    // Cargo itself hands on `--bench`.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    for word in &wanted {
        assert!(parts.iter().any(|(name, _)| name == word), "{word}? parts are feed, blocks, latency");
    }
    for (name, measure) in parts {
        if wanted.is_empty() || wanted.iter().any(|word| word == name) {
            println!("\n## {name}\n");
            measure();
        }
    }
}

fn run(part: impl Future<Output = ()>) {
    actix_rt::System::new().block_on(part);
}
