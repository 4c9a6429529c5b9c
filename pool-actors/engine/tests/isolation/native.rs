//! Levels `process` and `in-process`: conformance, and libraries that are none.

use crate::{cases::vectors, libraries, wasm::limits};
use plugin_sdk::{HealthStatus, PowAlgorithm, Target, conformance::Vector, conformance::assert_conforms};
use pool_engine::{
    Registry,
    isolation::{Host, Limits, LoadError, load_in_process, load_process_with, native_generations},
};
use std::{path::Path, sync::Arc, time::Duration};

pub(crate) fn host() -> Host {
    Host::program(Path::new(env!("CARGO_BIN_EXE_algorithm-host")))
}

pub(crate) fn in_child(library: &[u8]) -> Result<Arc<dyn PowAlgorithm>, LoadError> {
    load_process_with(&host(), library, limits())
}

#[test]
fn every_algorithm_conforms_in_a_child_and_in_process() {
    let registry = Registry::linked_in();
    let store = tempfile::tempdir().unwrap();
    for (name, vectors) in vectors() {
        let library = libraries::plugin(&name);
        let linked_in = registry.find(&name).unwrap();
        let child = in_child(&library).unwrap_or_else(|e| panic!("{name}: {e}"));
        let loaded = load_in_process(&library, store.path()).unwrap_or_else(|e| panic!("{name}: {e}"));
        for algorithm in [child, loaded] {
            assert_conforms(&*algorithm, &vectors);
            assert_eq!(algorithm.info(), linked_in.info());
            assert_eq!(algorithm.memory_requirements(), linked_in.memory_requirements());
            assert_eq!(algorithm.health_check(), linked_in.health_check());
            assert_eq!(algorithm.calculate_target(77), linked_in.calculate_target(77));
            assert_eq!(algorithm.difficulty_adjustment(1000, 30, 15), Ok(2000));
        }
    }
    assert_eq!(native_generations(), 6);
    let stored = std::fs::read_dir(store.path()).unwrap().count();
    assert_eq!(stored, 6, "one file for each content, and nothing half written");
}

/// Made by the Rust twin of the C code, `conformance::tests::mix`.
const MIXER_ABC: &str = "2a010a29fd6f180ec8d8bae2769ae36818b6013e95961faf69b3961e2ebc73df";

#[test]
fn an_algorithm_without_rust_conforms() {
    let store = tempfile::tempdir().unwrap();
    let library = libraries::mixer(&[]);
    for algorithm in [in_child(&library).unwrap(), load_in_process(&library, store.path()).unwrap()] {
        assert_conforms(&*algorithm, &[Vector::from_hex("616263", MIXER_ABC)]);
        let info = algorithm.info();
        assert_eq!((info.name.as_str(), info.hash_function.as_str()), ("c-mixer", "mixer"));
        assert_eq!((info.output_size, info.difficulty_one), (32, Target::BITCOIN_ONE));
        // What it has, and what it leaves to the standard.
        assert_eq!(algorithm.health_check(), HealthStatus::Degraded { reason: "only an example".into() });
        assert_eq!(algorithm.difficulty_adjustment(1000, 30, 60), Ok(500));
        assert!(algorithm.prepare_migration("blake3").is_ok());
    }
    // The same content again is the same file.
    load_in_process(&library, store.path()).unwrap();
    assert_eq!((native_generations(), std::fs::read_dir(store.path()).unwrap().count()), (1, 1));
}

#[test]
fn what_is_no_algorithm_is_refused_with_a_code() {
    let store = tempfile::tempdir().unwrap();
    let code = |library: &[u8]| {
        let child = in_child(library).err().unwrap();
        let here = load_in_process(library, store.path()).err().unwrap();
        assert_eq!(child.code(), here.code(), "{child} / {here}");
        assert!(!child.suggested_action().is_empty());
        child.code()
    };
    assert_eq!(code(b"not a library"), "PLUGIN_UNLOADABLE");
    assert_eq!(code(&libraries::mixer(&["-DMIXER_MAJOR=2"])), "PLUGIN_ABI_VERSION");
    assert_eq!(
        code(&libraries::mixer(&["-DMIXER_WITHOUT_HASH", "-Wno-unused-function"])),
        "PLUGIN_ABI_CONTRADICTION"
    );
    assert_eq!(code(&libraries::mixer(&["-Ddagpool_plugin=other"])), "PLUGIN_EXPORT_MISSING");
    let nobody = Host::program(Path::new("/no/such/program"));
    let error = load_process_with(&nobody, &libraries::mixer(&[]), limits()).err().unwrap();
    assert_eq!(error.code(), "ISOLATION_NO_ROOM");
}

#[test]
fn a_stored_library_that_was_changed_is_not_loaded() {
    let store = tempfile::tempdir().unwrap();
    let library = libraries::mixer(&[]);
    load_in_process(&library, store.path()).unwrap();
    let file = std::fs::read_dir(store.path()).unwrap().next().unwrap().unwrap().path();
    // Its file in its place, since the mapped one must not change.
    std::fs::rename(&file, store.path().join("kept")).unwrap();
    std::fs::write(&file, b"something else").unwrap();
    let error = load_in_process(&library, store.path()).err().unwrap();
    assert_eq!(error.code(), "ISOLATION_NO_ROOM");
    assert!(error.to_string().contains("is not what its name says"), "{error}");
}

/// A library's constructors run before anybody has asked it for anything: in the child, behind its first walls.
#[test]
fn constructors_that_misbehave_end_their_child_or_reach_nothing() {
    let good = in_child(&libraries::mixer(&[])).unwrap();
    let before = good.hash(b"abc").unwrap();
    let short = Limits { call_timeout: Duration::from_millis(200), ..limits() };
    for (body, what) in [
        ("_exit(7);", "its process exited by itself with code 7"),
        ("volatile int *volatile p = (volatile int *)8; *p = 0;", "its process ended by signal 11"),
        ("for (volatile int i = 0;; i++) {}", "its process was killed: no answer"),
    ] {
        let library = libraries::mixer_with_constructor(body);
        let error = load_process_with(&host(), &library, short).err().unwrap();
        assert_eq!(error.code(), "PLUGIN_SETUP_FAILED", "{body}: {error:?}");
        assert!(error.to_string().contains(what), "{body}: {error}");
        assert!(!error.suggested_action().is_empty());
    }
    // One that looks for a file or another process finds none, and the library is an algorithm all the same.
    for body in [
        "if (open(\"/etc/passwd\", O_RDONLY) >= 0) _exit(9);",
        "if (fork() >= 0) _exit(9);",
        "execl(\"/bin/true\", \"true\", (char *)0);",
    ] {
        let library = libraries::mixer_with_constructor(body);
        match load_process_with(&host(), &library, short) {
            Ok(algorithm) => assert_eq!(algorithm.hash(b"abc").unwrap(), before, "{body}"),
            // Or it is ended for trying.
            Err(error) => {
                assert_eq!(error.code(), "PLUGIN_SETUP_FAILED", "{body}: {error}");
                assert!(!error.to_string().contains("code 9"), "{body}: {error}");
            }
        }
    }
    assert_eq!(good.hash(b"abc").unwrap(), before);
}
