//! A module that is dropped gives everything back: its code, its instances' memory, and what the clock knew of it.

use crate::wasm::{limits, module};
use plugin_sdk::{HASH_SIZE, Header, PowAlgorithm};
use pool_engine::isolation::load_wasm;
use std::{
    ops::Range,
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
};

/// The module with a custom section of its own, so that it is compiled anew, as an author's next version is.
fn version(of: &[u8], number: u32) -> Vec<u8> {
    let name = b"version";
    let mut wasm = of.to_vec();
    // Section 0: its length, a name's length, the name, the content.
    let length = u8::try_from(1 + name.len() + size_of::<u32>()).unwrap();
    wasm.extend([0, length, u8::try_from(name.len()).unwrap()]);
    wasm.extend(name);
    wasm.extend(number.to_le_bytes());
    wasm
}

/// Resident memory that no file backs, and addresses in use, KiB.
fn memory() -> (u64, u64) {
    let field = |file: &str, name: &str| -> u64 {
        let text = std::fs::read_to_string(format!("/proc/self/{file}")).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_ascii_whitespace().next().unwrap().parse().unwrap()
    };
    (field("smaps_rollup", "Anonymous:"), field("status", "VmSize:"))
}

/// A thread that hashes with what it is given, and says when it has let go of it.
struct Worker {
    give: Sender<Arc<dyn PowAlgorithm>>,
    told: Receiver<()>,
}

/// Threads that live as long as the test does: the allocator keeps something for each that there ever was.
struct Threads(Vec<Worker>);

impl Threads {
    fn start(count: usize) -> Self {
        Self((0..count).map(|_| worker()).collect())
    }

    /// All of them hash with it at once, and give it back.
    fn hash_with(&self, algorithm: &Arc<dyn PowAlgorithm>) {
        self.0.iter().for_each(|worker| worker.give.send(Arc::clone(algorithm)).unwrap());
        self.0.iter().for_each(|worker| worker.told.recv().unwrap());
    }
}

#[expect(clippy::disallowed_methods, reason = "a test's own threads, which end with it")]
fn worker() -> Worker {
    let (give, given) = channel::<Arc<dyn PowAlgorithm>>();
    let (tell, told) = channel();
    std::thread::spawn(move || {
        let headers: Vec<Header> = (0..64).map(|i| [i; 80]).collect();
        for algorithm in given {
            algorithm.hash_batch(&headers, &mut vec![[0; HASH_SIZE]; 64]).unwrap();
            drop(algorithm);
            tell.send(()).unwrap();
        }
    });
    Worker { give, told }
}

/// Loads versions one after the other, each hashing on several threads while it lives.
fn generations(wasm: &[u8], threads: &Threads, numbers: Range<u32>) {
    for number in numbers {
        threads.hash_with(&load_wasm(&version(wasm, number), limits()).unwrap());
    }
}

#[test]
fn generations_leave_no_memory_behind() {
    const ROUND: u32 = 12;
    let wasm = module("blake2s");
    // What is made once: engines, their pools of addresses, the allocator's arenas.
    let threads = Threads::start(3);
    generations(&wasm, &threads, 0..ROUND);
    let (anonymous, mapped) = memory();
    generations(&wasm, &threads, ROUND..3 * ROUND);
    let (anonymous_after, mapped_after) = memory();
    // A generation's compiled code and its instances are some 300 KiB.
    assert!(anonymous_after <= anonymous + 1_024, "{anonymous} -> {anonymous_after} KiB");
    assert!(mapped_after <= mapped + 1_024, "{mapped} -> {mapped_after} KiB");
}
