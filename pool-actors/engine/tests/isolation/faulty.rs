//! Everything that `plugins/fixture-faulty` does on request, at each level where it can be survived: an error with a
//! code, the algorithm usable afterwards, others untouched.

use crate::{libraries, native::host, wasm};
use plugin_blake2s::Blake2s;
use plugin_fixture_faulty::{Fault, header};
use plugin_sdk::{AlgorithmError, ErrorSeverity, HashFunction, PowAlgorithm};
use pool_engine::isolation::{Limits, load_in_process, load_process_with, load_wasm};
use std::time::Duration;

fn short() -> Limits {
    Limits { call_timeout: Duration::from_millis(100), ..Limits::default() }
}

/// The fault breaks the algorithm with this code, and then it hashes rightly.
fn breaks(algorithm: &dyn PowAlgorithm, fault: Fault, code: &str) -> AlgorithmError {
    let good = [[9; 80]; 5];
    let mut inputs = [[9; 80]; 5];
    inputs[3] = header(fault);
    let mut out = [[0; 32]; 5];
    let error = algorithm.hash_batch(&inputs, &mut out).unwrap_err();
    assert_eq!(error.code(), code, "{fault:?}: {error:?}");
    assert_eq!(error.severity(), ErrorSeverity::Critical, "{fault:?}");
    assert!(!error.suggested_action().is_empty() && !error.to_string().is_empty());
    algorithm.hash_batch(&good, &mut out).unwrap_or_else(|e| panic!("after {fault:?}: {e}"));
    assert_eq!(out, [Blake2s.hash(&good[0]).unwrap(); 5], "after {fault:?}");
    error
}

fn computes_on(algorithm: &dyn PowAlgorithm) {
    let (wrong, slow) = (header(Fault::Wrong), header(Fault::Slow));
    assert_ne!(algorithm.hash(&wrong), Blake2s.hash(&wrong));
    assert_eq!(algorithm.hash(&slow), Blake2s.hash(&slow));
}

#[test]
fn in_wasm() {
    let other = load_wasm(&wasm::module("blake3"), wasm::limits()).unwrap();
    let before = other.hash(&[1; 80]);
    let faulty = load_wasm(&wasm::module("fixture-faulty"), short()).unwrap();
    computes_on(&*faulty);
    for _ in 0..2 {
        breaks(&*faulty, Fault::Panic, "PLUGIN_TRAP");
        breaks(&*faulty, Fault::Trap, "PLUGIN_TRAP");
        breaks(&*faulty, Fault::Segfault, "PLUGIN_TRAP");
        breaks(&*faulty, Fault::Stack, "PLUGIN_STACK_OVERFLOW");
        breaks(&*faulty, Fault::Memory, "PLUGIN_MEMORY");
        breaks(&*faulty, Fault::Loop, "PLUGIN_TIMEOUT");
    }
    assert_eq!(other.hash(&[1; 80]), before);
}

#[test]
fn an_endless_loop_in_wasm_ends_by_fuel_at_the_same_point() {
    let limits = Limits { fuel: Some(1_000_000), ..wasm::limits() };
    let faulty = load_wasm(&wasm::module("fixture-faulty"), limits).unwrap();
    let error = breaks(&*faulty, Fault::Loop, "PLUGIN_TIMEOUT");
    assert_eq!(error.to_string(), "it used up its fuel");
}

#[test]
fn constructors_in_wasm() {
    let load = |name: &str| load_wasm(&wasm::module(name), short()).err().unwrap();
    for name in ["fixture-faulty-panics", "fixture-faulty-loops"] {
        assert_eq!(load(name).code(), "PLUGIN_SETUP_FAILED");
    }
}

#[test]
fn modules_that_are_none() {
    let code = |module: &[u8]| {
        let error = load_wasm(module, short()).err().unwrap();
        assert!(!error.suggested_action().is_empty());
        (error.code(), error.to_string())
    };
    assert_eq!(code(b"not a module").0, "PLUGIN_UNLOADABLE");
    assert_eq!(code(b"\0asm\x01\0\0\0").0, "PLUGIN_EXPORT_MISSING");
    let import = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x02\x07\x01\x01e\x01f\0\0";
    let (code, text) = code(import);
    assert_eq!(code, "PLUGIN_IMPORTS");
    assert!(text.contains("e::f"), "{text}");
    let small = Limits { memory_bytes: 65_536, ..short() };
    let error = load_wasm(&wasm::module("blake3"), small).err().unwrap();
    assert_eq!(error.code(), "PLUGIN_SETUP_FAILED", "{error}");
}

#[test]
fn in_a_child() {
    let library = libraries::plugin("fixture-faulty");
    let faulty = load_process_with(&host(), &library, short()).unwrap();
    computes_on(&*faulty);
    breaks(&*faulty, Fault::Panic, "PLUGIN_TRAP");
    breaks(&*faulty, Fault::Trap, "PLUGIN_CRASHED");
    let segfault = breaks(&*faulty, Fault::Segfault, "PLUGIN_CRASHED");
    assert_eq!(segfault.to_string(), "its process ended by signal 11");
    breaks(&*faulty, Fault::Stack, "PLUGIN_CRASHED");
    // An allocation that fails ends a Rust library by its own choice.
    breaks(&*faulty, Fault::Memory, "PLUGIN_CRASHED");
    let exit = breaks(&*faulty, Fault::Exit, "PLUGIN_CRASHED");
    assert_eq!(exit.to_string(), "its process exited by itself with code 7");
    breaks(&*faulty, Fault::Loop, "PLUGIN_TIMEOUT");
    // What lies outside: no file, no program.
    let refused = faulty.hash(&header(Fault::File));
    assert_eq!(refused, Err(AlgorithmError::Refused { index: 0, reason: "it could not".into() }));
    assert!(
        faulty
            .hash(&header(Fault::Spawn))
            .is_err_and(|e| !e.to_string().contains("it could") || e.to_string().contains("it could not"))
    );
    assert_eq!(faulty.hash(&[3; 80]), Blake2s.hash(&[3; 80]));
}

#[test]
fn in_process_a_panic_is_contained() {
    let store = tempfile::tempdir().unwrap();
    let faulty = load_in_process(&libraries::plugin("fixture-faulty"), store.path()).unwrap();
    computes_on(&*faulty);
    breaks(&*faulty, Fault::Panic, "PLUGIN_TRAP");
}
