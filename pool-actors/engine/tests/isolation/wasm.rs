//! Level `wasm`, with the modules of `fixtures/`.

use crate::cases::vectors;
use plugin_sdk::{Hash, Header, PowAlgorithm, conformance::assert_conforms};
use pool_engine::{
    Registry,
    isolation::{Limits, load_wasm},
};
use std::{path::Path, sync::Arc, time::Duration};

pub(crate) fn module(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/{name}.wasm"));
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Generous, since tests share processors.
pub(crate) fn limits() -> Limits {
    Limits { call_timeout: Duration::from_secs(5), ..Limits::default() }
}

fn load(name: &str) -> Arc<dyn PowAlgorithm> {
    load_wasm(&module(name), limits()).unwrap_or_else(|e| panic!("{name}: {e}"))
}

#[test]
fn every_algorithm_conforms() {
    let registry = Registry::linked_in();
    for (name, vectors) in vectors() {
        let (linked_in, loaded) = (registry.find(&name).unwrap(), load(&name));
        assert_conforms(&*loaded, &vectors);
        assert_eq!(loaded.info(), linked_in.info());
        assert_eq!(
            (loaded.input_size(), loaded.nonce_size()),
            (linked_in.input_size(), linked_in.nonce_size())
        );
        assert_eq!(loaded.memory_requirements(), linked_in.memory_requirements());
        assert_eq!(loaded.health_check(), linked_in.health_check());
        assert_eq!(loaded.calculate_target(77), linked_in.calculate_target(77));
        assert_eq!(loaded.difficulty_adjustment(1000, 30, 15), Ok(2000));
        assert_eq!(loaded.prepare_migration(&name), linked_in.prepare_migration(&name));
    }
}

#[test]
fn many_threads_hash_at_once() {
    let (loaded, linked_in) = (load("blake3"), Registry::linked_in().get("blake3").unwrap());
    std::thread::scope(|scope| {
        for thread in 0..8u8 {
            let (loaded, linked_in) = (&loaded, &linked_in);
            scope.spawn(move || {
                for round in 0..20u8 {
                    let headers: Vec<Header> = (0..100).map(|i| [thread ^ i ^ round; 80]).collect();
                    let (mut got, mut want) = ([[0; 32]; 100], [[0; 32]; 100]);
                    loaded.hash_batch(&headers, &mut got).unwrap();
                    linked_in.hash_batch(&headers, &mut want).unwrap();
                    assert_eq!(got, want);
                }
            });
        }
    });
}

#[test]
fn a_refused_header_in_a_long_batch_is_named() {
    let (loaded, linked_in) = (load("kheavyhash"), Registry::linked_in().get("kheavyhash").unwrap());
    let mut headers = [[7; 80]; 150];
    headers[130][..32].fill(0);
    let hash = |algorithm: &dyn PowAlgorithm| {
        let mut out: [Hash; 150] = [[0; 32]; 150];
        (algorithm.hash_batch(&headers, &mut out), out)
    };
    assert_eq!(hash(&*loaded), hash(&*linked_in));
}
