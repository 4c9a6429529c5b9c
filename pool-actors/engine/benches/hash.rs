//! Nanoseconds per hash of every linked-in algorithm, one header at a time and 64 at once.
//! `cargo bench -p pool-engine --bench hash` (divan prints time per batch and items per second).

use divan::{Bencher, counter::ItemsCount};
use pool_engine::Registry;

fn main() {
    divan::main();
}

const NAMES: [&str; 6] = ["blake2s", "blake3", "kheavyhash", "scrypt", "scrypt-bdag", "sha256d"];

/// Shares of one job as they come from several miners: other extranonces, therefore other Merkle roots.
fn headers(count: usize) -> Vec<plugin_sdk::Header> {
    let header = |i: u32| {
        let mut header: plugin_sdk::Header = core::array::from_fn(|k| u8::try_from(k).unwrap_or(u8::MAX));
        header[36..40].copy_from_slice(&i.to_le_bytes());
        header[76..].copy_from_slice(&i.wrapping_mul(0x9e37_79b9).to_le_bytes());
        header
    };
    (0..).take(count).map(header).collect()
}

fn bench_batch(bencher: Bencher<'_, '_>, name: &str, size: usize) {
    let algorithm = Registry::linked_in().get(name).expect("the names are those of linked-in algorithms");
    // The first 32 bytes, on which the matrix of kheavyhash hangs, are the same, as for all shares of a job.
    let inputs = headers(size);
    let mut out = vec![[0; 32]; size];
    bencher.counter(ItemsCount::new(size)).bench_local(|| {
        algorithm.hash_batch(divan::black_box(&inputs), &mut out).expect("these headers have hashes");
        divan::black_box(&mut out);
    });
}

#[divan::bench(args = NAMES)]
fn batch_of_1(bencher: Bencher<'_, '_>, name: &str) {
    bench_batch(bencher, name, 1);
}

#[divan::bench(args = NAMES)]
fn batch_of_64(bencher: Bencher<'_, '_>, name: &str) {
    bench_batch(bencher, name, 64);
}
