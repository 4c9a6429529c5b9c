//! The single checks of staging.

use super::{Contents, HostProfile, Measured, StageContext, measure};
use crate::codes::{Code, PackageError};
use crate::manifest::{Manifest, Text};
use crate::package::{TestVector, TestVectors};
use crate::signature::KeyId;
use crate::trust::Permission;
use plugin_sdk::{HEADER_SIZE, Header, HostInfo, PowAlgorithm};
use std::sync::Arc;

fn error(code: Code, message: impl Into<String>) -> PackageError {
    PackageError::new(code, message)
}

/// Who signed, whether the version is older than one seen, and the report's line.
pub(super) fn signature(
    contents: &Contents,
    context: &StageContext<'_>,
) -> Result<(KeyId, bool, String), PackageError> {
    let key = context.trust.check(&contents.package, context.permission)?;
    let Manifest { name, version, .. } = &contents.manifest;
    let downgrade = context.known_versions.check(name, version);
    let is_downgrade = downgrade.is_err();
    if !context.allow_downgrade {
        downgrade?;
    }
    let id = key.key.id();
    Ok((id, is_downgrade, format!("by {} (key {id})", key.name)))
}

/// Engine version, platform, instructions and memory.
pub(super) fn compatibility(manifest: &Manifest, context: &StageContext<'_>) -> Result<String, PackageError> {
    let (needs, host) = (&manifest.compatibility, context.host);
    if needs.min_engine_version > *context.engine_version {
        let message = format!(
            "the package needs engine {}, this one is {}",
            needs.min_engine_version, context.engine_version
        );
        return Err(error(Code::EngineTooOld, message));
    }
    match host.platform {
        Some(platform) if needs.supported_platforms.contains(&platform) => {}
        platform => {
            let here = platform.map_or("unknown to packages", crate::manifest::Platform::as_str);
            let names: Vec<_> = needs.supported_platforms.iter().map(|p| p.as_str()).collect();
            let message = format!("the package is made for {}; this platform is {here}", names.join(", "));
            return Err(error(Code::PlatformUnsupported, message));
        }
    }
    let missing: Vec<&str> =
        needs.cpu_features.iter().map(Text::as_str).filter(|f| !host.cpu_features.contains(*f)).collect();
    if context.permission == Permission::Native && !missing.is_empty() {
        let message = format!("this processor lacks {}, which the native code needs", missing.join(", "));
        return Err(error(Code::CpuFeatureMissing, message));
    }
    let (memory, available) = (needs.memory_requirements, host.memory_available_bytes);
    if memory.bytes() > available {
        let message = format!("the package needs {memory}, {} MB are available", available >> 20);
        return Err(error(Code::MemoryInsufficient, message));
    }
    let lacking = if missing.is_empty() {
        String::new()
    } else {
        format!("; wasm does without {}", missing.join(", "))
    };
    Ok(format!("engine {}, {memory} of memory{lacking}", context.engine_version))
}

/// Loads the code and holds the manifest against it.
pub(super) fn load(
    contents: &Contents,
    context: &StageContext<'_>,
) -> Result<Arc<dyn PowAlgorithm>, PackageError> {
    let algorithm = load_instance(contents, context)?;
    let (info, manifest) = (algorithm.info(), &contents.manifest);
    let says = [
        ("name", manifest.name.to_string(), info.name.clone()),
        ("version", manifest.version.to_string(), info.version.clone()),
        ("algorithm.hash_function", manifest.algorithm.hash_function.to_string(), info.hash_function.clone()),
        (
            "algorithm.output_size",
            manifest.algorithm.output_size.to_string(),
            algorithm.output_size().to_string(),
        ),
        (
            "performance.cpu_intensive",
            manifest.performance.cpu_intensive.to_string(),
            info.cpu_intensive.to_string(),
        ),
    ];
    for (field, manifest, code) in says {
        if manifest != code {
            let message = format!(
                "manifest.json: {field}: is {manifest}, but the code says {code}; write the same in both"
            );
            return Err(error(Code::ManifestMismatch, message));
        }
    }
    if !algorithm.takes_headers() {
        let message = format!(
            "the code takes inputs of {:?} bytes, not headers of {HEADER_SIZE}",
            algorithm.input_size()
        );
        return Err(error(Code::ManifestMismatch, message));
    }
    Ok(algorithm)
}

fn load_instance(
    contents: &Contents,
    context: &StageContext<'_>,
) -> Result<Arc<dyn PowAlgorithm>, PackageError> {
    (context.load)(&contents.package, &contents.manifest.memory_limits())
        .map_err(|problem| error(Code::CodeRefused, problem))
}

/// What the code itself says about this machine.
pub(super) fn own_compatibility(
    algorithm: &dyn PowAlgorithm,
    host: &HostProfile,
) -> Result<(), PackageError> {
    let info = HostInfo { memory_available_bytes: host.memory_available_bytes, threads: host.threads };
    let report = algorithm.validate_compatibility(&info);
    if report.is_compatible() {
        Ok(())
    } else {
        Err(error(Code::MemoryInsufficient, report.problems.join("; ")))
    }
}

pub(super) fn test_vectors(
    algorithm: &dyn PowAlgorithm,
    vectors: &TestVectors,
) -> Result<String, PackageError> {
    for (i, vector) in vectors.vectors.iter().enumerate() {
        test_vector(algorithm, vector).map_err(|problem| {
            let comment = vector.comment.as_ref().map_or_else(String::new, |c| format!(" ({c})"));
            error(Code::VectorMismatch, format!("vectors[{i}]{comment}: {problem}"))
        })?;
    }
    Ok(format!("{} of {} hashes are right", vectors.vectors.len(), vectors.vectors.len()))
}

/// One vector, alone and, if it is a header, in a batch.
fn test_vector(algorithm: &dyn PowAlgorithm, vector: &TestVector) -> Result<(), String> {
    let input = vector.hashed_input(algorithm.nonce_size());
    let expected = hex::encode(vector.hash);
    let hash = algorithm
        .hash(&input)
        .map_err(|e| format!("expected {expected}, but the code refused the input: {e}"))?;
    if hash != vector.hash {
        return Err(format!(
            "expected {expected}, got {} for input {}",
            hex::encode(hash),
            hex::encode(&input)
        ));
    }
    if let Ok(header) = Header::try_from(input.as_slice()) {
        let mut batch = [[0; 32]; 2];
        algorithm
            .hash_batch(&[header; 2], &mut batch)
            .map_err(|e| format!("in a batch, the code refused the input: {e}"))?;
        if batch != [vector.hash; 2] {
            return Err(format!("expected {expected}, got {} in a batch", hex::encode(batch[0])));
        }
    }
    match vector.target {
        Some((target, meets)) if target.is_met_by(&hash) != meets => Err(format!(
            "the hash {} its target, but valid says {meets}",
            if meets { "misses" } else { "meets" }
        )),
        _ => Ok(()),
    }
}

/// Headers that differ in every byte, and headers of one job that differ in their nonce.
fn headers(count: usize) -> Vec<Header> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut header = [0; HEADER_SIZE];
    let make = |i: usize| {
        if i.is_multiple_of(8) {
            for word in header.as_chunks_mut::<8>().0 {
                // xorshift64: any bytes do, as long as they are the same every time.
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                *word = state.to_le_bytes();
            }
        }
        header[HEADER_SIZE - 1] = u8::try_from(i % 256).unwrap_or_default();
        header
    };
    (0..count).map(make).collect()
}

/// The same headers twice, alone and in batches, and in another instance.
pub(super) fn determinism(
    algorithm: &dyn PowAlgorithm,
    contents: &Contents,
    context: &StageContext<'_>,
) -> Result<String, PackageError> {
    let headers = headers(64);
    let batch = |algorithm: &dyn PowAlgorithm| {
        let mut out = vec![[0; 32]; headers.len()];
        algorithm
            .hash_batch(&headers, &mut out)
            .map_err(|e| error(Code::NotDeterministic, format!("a batch of headers was refused: {e}")))?;
        Ok::<_, PackageError>(out)
    };
    let first = batch(algorithm)?;
    let differs = |i: usize, other: &[u8], how: &str| {
        let message = format!(
            "header {} has hash {}, and {} {how}",
            hex::encode(headers[i]),
            hex::encode(first[i]),
            hex::encode(other)
        );
        Err(error(Code::NotDeterministic, message))
    };
    // Backwards, so that what an instance remembers of the header before can show.
    for (i, header) in headers.iter().enumerate().rev() {
        let single = algorithm.hash(header).map_err(|e| {
            error(
                Code::NotDeterministic,
                format!("a header was hashed in a batch, but alone it was refused: {e}"),
            )
        })?;
        if single != first[i] {
            return differs(i, &single, "alone");
        }
    }
    let other_instance = load_instance(contents, context)?;
    for (how, hashes) in
        [("the second time", batch(algorithm)?), ("in another instance", batch(&*other_instance)?)]
    {
        if let Some(i) = (0..headers.len()).find(|i| hashes[*i] != first[*i]) {
            return differs(i, &hashes[i], how);
        }
    }
    Ok(format!("{} headers, twice, in two instances", headers.len()))
}

pub(super) fn benchmark(
    algorithm: &dyn PowAlgorithm,
    contents: &Contents,
    context: &StageContext<'_>,
) -> Result<Measured, PackageError> {
    let standard;
    let (inputs, warmup, iterations) = match &contents.benchmark {
        Some(data) => (data.inputs.as_slice(), data.warmup, data.iterations),
        None => {
            standard = headers(64);
            (standard.as_slice(), 4, u32::MAX)
        }
    };
    measure(algorithm, inputs, (warmup, iterations), context.limits.benchmark_time_max, context.how)
        .map_err(|e| error(Code::BenchmarkFailed, format!("the benchmark failed: {e}")))
}

/// Time for a hash and memory, as measured and as the code says, against limits and manifest.
pub(super) fn resources(
    algorithm: &dyn PowAlgorithm,
    manifest: &Manifest,
    measured: &Measured,
    context: &StageContext<'_>,
) -> Result<String, PackageError> {
    let (slowest, limit) = (measured.slowest_ns_per_hash, context.limits.hash_ns_max);
    if slowest > limit {
        let message = format!("a hash took up to {slowest} ns, {limit} ns are allowed");
        return Err(error(Code::ResourceLimitExceeded, message));
    }
    let per_thread = algorithm.memory_requirements().per_thread_bytes;
    let allowed = manifest.memory_limits();
    if per_thread > allowed.instance_bytes_max {
        let message = format!(
            "the code says that a thread needs {per_thread} bytes, but memory_usage and memory_requirements allow an instance {}",
            allowed.instance_bytes_max
        );
        return Err(error(Code::ResourceLimitExceeded, message));
    }
    let all = per_thread.saturating_mul(u64::from(context.host.threads));
    if all > allowed.total_bytes_max {
        let message = format!(
            "the code says that {} threads need {all} bytes, but memory_requirements is {}",
            context.host.threads, manifest.compatibility.memory_requirements
        );
        return Err(error(Code::ResourceLimitExceeded, message));
    }
    Ok(format!("at most {slowest} ns for a hash, {} KB for a thread", per_thread.div_ceil(1024)))
}
