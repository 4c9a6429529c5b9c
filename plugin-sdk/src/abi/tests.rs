//! The interface from both sides, without a library or a module between them.

use super::*;
use crate::{
    AlgorithmError, AlgorithmInfo, Benchmark, Compatibility, DifficultyAdjuster, Hash, HashFunction, Health,
    HealthStatus, HostInfo, MemoryRequirements, Migration, MigrationKind, PowAlgorithm, Target,
    conformance::tests::{Mixer, Refusing, mix},
};
use alloc::{borrow::Cow, string::ToString, vec::Vec};

/// Differs from the standard in everything.
#[derive(Default)]
struct Own;

impl HashFunction for Own {
    fn name(&self) -> &str {
        "own"
    }
    fn input_size(&self) -> Option<usize> {
        Some(80)
    }
    fn nonce_size(&self) -> usize {
        8
    }
    fn hash(&self, input: &[u8]) -> Result<Hash, AlgorithmError> {
        match input.len() {
            80 if input[79] == 0xee => panic!("told to"),
            80 if input[79] == 0xdd => Err(AlgorithmError::Refused { index: 0, reason: "an odd one".into() }),
            80 if input[79] == 0xcc => Err(AlgorithmError::Custom {
                code: "OUT_OF_TABLES".into(),
                message: "no \"table\"\n".into(),
                suggested_action: "build them".into(),
            }),
            80 => Ok(mix(input)),
            got => Err(AlgorithmError::BadLength { expected: 80, got }),
        }
    }
}
impl PowAlgorithm for Own {
    fn info(&self) -> AlgorithmInfo {
        AlgorithmInfo::new("own", "1.2.3", Target::KASPA_ONE).with_hash_function("mixer").with_cpu_intensive()
    }
}
impl DifficultyAdjuster for Own {
    fn difficulty_adjustment(&self, current: u64, _: u64, _: u64) -> Result<u64, AlgorithmError> {
        current.checked_add(1).ok_or(AlgorithmError::DifficultyOverflow)
    }
    fn difficulty_one(&self) -> Target {
        Target::KASPA_ONE
    }
}
impl Compatibility for Own {
    fn memory_requirements(&self) -> MemoryRequirements {
        MemoryRequirements { per_thread_bytes: 7 }
    }
}
impl Migration for Own {
    fn supports_migration_from(&self, algorithm: &str) -> bool {
        algorithm == "mixer" || algorithm == "own"
    }
    fn finalize_migration(&self) -> Result<(), AlgorithmError> {
        Err(AlgorithmError::NothingMeasured)
    }
}
impl Health for Own {
    fn health_check(&self) -> HealthStatus {
        HealthStatus::Degraded { reason: "tired".into() }
    }
}
impl Benchmark for Own {}

type Answer = Result<Option<Vec<u8>>, AlgorithmError>;

fn client(algorithm: &dyn PowAlgorithm) -> Client<impl Fn(u32, u32, &str) -> Answer> {
    Client(move |capability, method, request: &str| {
        Ok(serve(algorithm, capability, method, request.as_bytes())?.map(Into::into))
    })
}

#[test]
fn a_description_crosses_unchanged() {
    for algorithm in [&Own as &dyn PowAlgorithm, &Mixer, &Refusing] {
        let description = Description::of(algorithm);
        assert_eq!(Description::parse(description.to_json().as_bytes()), Ok(description));
    }
    let least = format!(r#"{{"name":"x","version":"1.0.0","difficulty_one":"{}"}}"#, Target::BITCOIN_ONE);
    let least = Description::parse(least.as_bytes()).unwrap();
    assert_eq!(least.info, AlgorithmInfo::new("x", "1.0.0", Target::BITCOIN_ONE));
    assert_eq!((least.input_size, least.nonce_size), (None, 4));
    let bad = |json: &str| Description::parse(json.as_bytes()).unwrap_err();
    assert!(bad(r#"{"name":"x","version":"1","difficulty_one":"00"}"#).contains("no target"));
    assert!(bad(r#"{"name":"x"}"#).contains("version") || bad(r#"{"name":"x"}"#).contains("difficulty_one"));
    let nonce = format!(r#"{{"name":"x","version":"1","difficulty_one":"{}","nonce_size":9}}"#, Target::MAX);
    assert!(bad(&nonce).contains("a nonce of 9 bytes"));
}

#[test]
fn every_error_crosses_unchanged() {
    for error in [
        AlgorithmError::BadLength { expected: 80, got: 79 },
        AlgorithmError::BatchLength { inputs: 2, outputs: 1 },
        AlgorithmError::Refused { index: 3, reason: "no matrix".into() },
        AlgorithmError::ZeroTime,
        AlgorithmError::ZeroDifficulty,
        AlgorithmError::DifficultyOverflow,
        AlgorithmError::BadCompactTarget(0x2300_0001),
        AlgorithmError::MigrationUnsupported { from: "x11".to_string() },
        AlgorithmError::NothingMeasured,
        AlgorithmError::Custom {
            code: "TABLE_MISSING".into(),
            message: "no table".to_string(),
            suggested_action: "build it".into(),
        },
    ] {
        assert_eq!(AlgorithmError::from_json(error.to_json().as_bytes()), Ok(error));
    }
    let bare = AlgorithmError::from_json(br#"{"code":"X","message":"m"}"#).unwrap();
    assert_eq!(bare.suggested_action(), "ask the algorithm's author");
    assert!(AlgorithmError::from_json(br#"{"code":"not a code","message":"m"}"#).is_err());
    assert!(AlgorithmError::from_json(b"{}").is_err());
    // What only a host says comes back as the algorithm's own, which weighs less.
    let broken = AlgorithmError::Broken { code: "PLUGIN_TRAP", message: "m".into(), suggested_action: "a" };
    let claimed = AlgorithmError::from_json(broken.to_json().as_bytes()).unwrap();
    assert!(matches!(claimed, AlgorithmError::Custom { code: Cow::Owned(_), .. }));
}

#[test]
fn capabilities_answer_as_the_traits_do() {
    let host = HostInfo { memory_available_bytes: 10, threads: 2 };
    for algorithm in [&Own as &dyn PowAlgorithm, &Mixer] {
        let client = client(algorithm);
        assert_eq!(client.adjust(1000, 30, 15).unwrap(), algorithm.difficulty_adjustment(1000, 30, 15).ok());
        assert_eq!(client.target(9).unwrap(), algorithm.calculate_target(9).ok());
        assert_eq!(client.target(0), Err(AlgorithmError::ZeroDifficulty));
        assert_eq!(client.memory().unwrap(), Some(algorithm.memory_requirements()));
        assert_eq!(client.validate(&host).unwrap(), Some(algorithm.validate_compatibility(&host)));
        for from in ["mixer", "own", "x11"] {
            assert_eq!(client.supports(from).unwrap(), Some(algorithm.supports_migration_from(from)));
            assert_eq!(client.prepare(from), algorithm.prepare_migration(from).map(Some));
        }
        assert_eq!(client.finalize(), algorithm.finalize_migration().map(Some));
        assert_eq!(client.check().unwrap(), Some(algorithm.health_check()));
        assert_eq!(client.run(&[[1; 80], [2; 80]], 5), Ok(Some(10)));
        assert_eq!(client.run(&[], 5), Err(AlgorithmError::NothingMeasured));
    }
    assert_eq!(client(&Own).prepare("own").unwrap().unwrap().kind, MigrationKind::Upgrade);
    let unhealthy = client(&Refusing).check().unwrap().unwrap();
    assert!(matches!(unhealthy, HealthStatus::Unhealthy { reason } if reason.contains("never")));
}

#[test]
fn what_is_asked_wrongly_is_refused() {
    assert_eq!(serve(&Mixer, capability::HEALTH, 9, b"{}"), Ok(None));
    assert_eq!(serve(&Mixer, 64, 1, b"{}"), Ok(None));
    for (capability, method, request) in [
        (capability::DIFFICULTY, method::ADJUST, "{"),
        (capability::DIFFICULTY, method::ADJUST, "{}"),
        (capability::MIGRATION, method::PREPARE, "{\"from\":1}"),
        (capability::BENCHMARK, method::RUN, "{\"iterations\":4294967296,\"inputs\":[]}"),
        (capability::BENCHMARK, method::RUN, "{\"iterations\":1,\"inputs\":[\"00\"]}"),
    ] {
        let error = serve(&Mixer, capability, method, request.as_bytes()).unwrap_err();
        assert_eq!(error.code(), "BAD_REQUEST", "{request}");
    }
}

#[test]
fn an_unreadable_answer_is_a_broken_algorithm() {
    for answer in ["", "{}", "{\"difficulty\":\"1\"}", "[1]"] {
        let client = Client(|_, _, _: &str| Ok(Some(answer.as_bytes().to_vec())));
        assert_eq!(client.adjust(1, 1, 1).unwrap_err().code(), "PLUGIN_BAD_ANSWER");
    }
    let odd = Client(|_, _, _: &str| Ok(Some(br#"{"status":"fine","kind":"other","from":"x"}"#.to_vec())));
    assert!(odd.check().is_err() && odd.prepare("x").is_err());
    let silent = Client(|_, _, _: &str| Ok(None));
    assert_eq!((silent.check(), silent.supports("x"), silent.memory()), (Ok(None), Ok(None), Ok(None)));
}

#[cfg(feature = "export")]
mod through_the_table {
    #![allow(unsafe_code, clippy::cast_possible_truncation)]
    use super::*;
    use core::ptr::{null, null_mut};

    const TABLE: Table = native::table::<Own>();

    fn text(buffer: &[u8]) -> &[u8] {
        buffer.split(|byte| *byte == 0).next().unwrap()
    }

    #[test]
    fn every_function() {
        assert_eq!((TABLE.magic, TABLE.major, TABLE.size as usize), (MAGIC, MAJOR, size_of::<Table>()));
        let (mut out, mut error) = ([0; 4096], [0; 512]);
        // SAFETY: each call has the buffers that the interface demands; the context is ended last.
        unsafe {
            let context = (TABLE.create)();
            let length = (TABLE.info)(context, out.as_mut_ptr(), 4096);
            let info = Description::parse(&out[..length.cast_unsigned() as usize]);
            assert_eq!(info, Ok(Description::of(&Own)));
            assert_eq!((TABLE.info)(context, out.as_mut_ptr(), 10), status::TOO_LONG);

            let mut headers = [[7u8; 80]; 3];
            let hash = |header: &[u8], out: &mut [u8], error: &mut [u8]| {
                (TABLE.hash)(
                    context,
                    header.as_ptr(),
                    header.len() as u32,
                    out.as_mut_ptr(),
                    error.as_mut_ptr(),
                    512,
                )
            };
            assert_eq!(hash(&headers[0], &mut out, &mut error), 0);
            assert_eq!(out[..32], mix(&headers[0]));
            assert_eq!(hash(&headers[0][..5], &mut out, &mut error), status::FAILED);
            assert_eq!(AlgorithmError::from_json(text(&error)).unwrap().code(), "BAD_LENGTH");
            assert_eq!((TABLE.hash)(context, null(), 0, null_mut(), null_mut(), 0), status::FAILED);

            let batch = |headers: &[[u8; 80]; 3], out: &mut [u8], error: &mut [u8]| {
                (TABLE.hash_batch)(
                    context,
                    headers.as_ptr().cast(),
                    3,
                    out.as_mut_ptr(),
                    error.as_mut_ptr(),
                    512,
                )
            };
            assert_eq!(batch(&headers, &mut out, &mut error), 3);
            assert_eq!(out[64..96], mix(&headers[2]));
            headers[1][79] = 0xdd;
            assert_eq!(batch(&headers, &mut out, &mut error), 1);
            let refused = AlgorithmError::Refused { index: 1, reason: "an odd one".into() };
            assert_eq!(AlgorithmError::from_json(text(&error)), Ok(refused));
            headers[1][79] = 0xcc;
            assert_eq!(batch(&headers, &mut out, &mut error), status::FAILED);
            assert_eq!(AlgorithmError::from_json(text(&error)).unwrap().to_string(), "no \"table\"\n");
            headers[1][79] = 0xee;
            assert_eq!(batch(&headers, &mut out, &mut error), status::PANICKED);

            let call = |capability, method, request: &str, out: &mut [u8], room: u32| {
                let (bytes, length) = (request.as_ptr(), request.len() as u32);
                (TABLE.call)(context, capability, method, bytes, length, out.as_mut_ptr(), room)
            };
            let length = call(capability::COMPATIBILITY, method::MEMORY, "{}", &mut out, 4096);
            assert_eq!(&out[..length.cast_unsigned() as usize], br#"{"per_thread_bytes":7}"#);
            assert_eq!(call(capability::HEALTH, 7, "{}", &mut out, 4096), status::UNSUPPORTED);
            assert_eq!(call(capability::HEALTH, method::CHECK, "{}", &mut out, 3), status::TOO_LONG);
            assert_eq!(call(capability::MIGRATION, method::PREPARE, "{}", &mut out, 4096), status::FAILED);
            assert_eq!(AlgorithmError::from_json(text(&out)).unwrap().code(), "BAD_REQUEST");
            (TABLE.destroy)(context);
        }
    }

    #[test]
    fn a_constructor_that_panics_gives_none() {
        struct Never;
        impl Default for Never {
            fn default() -> Self {
                panic!("no")
            }
        }
        impl HashFunction for Never {
            fn name(&self) -> &str {
                "never"
            }
            fn hash(&self, _: &[u8]) -> Result<Hash, AlgorithmError> {
                Ok([0; 32])
            }
        }
        impl PowAlgorithm for Never {
            fn info(&self) -> AlgorithmInfo {
                AlgorithmInfo::new("never", "1.0.0", Target::MAX)
            }
        }
        crate::standard_capabilities!(Never: DifficultyAdjuster, Benchmark, Compatibility, Migration, Health);
        // SAFETY: needs nothing.
        assert!(unsafe { (native::table::<Never>().create)() }.is_null());
    }
}
