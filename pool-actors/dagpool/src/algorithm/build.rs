//! Building an algorithm's crate into what a package holds.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use pool_engine::codes::{Code, PackageError};
use serde_json::Value;

use super::wasm_toolchain::WasmToolchain;

/// Optimised like the pool itself and small; the profile of the crate's own workspace is left alone.
const PROFILE: [&str; 5] =
    ["opt-level=3", "lto=\"fat\"", "codegen-units=1", "debug=false", "strip=\"symbols\""];

fn failed(message: impl Into<String>) -> PackageError {
    PackageError::new(Code::BuildFailed, message)
}

fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Builds the sandboxed module: without `std`, with nothing imported.
pub(super) fn wasm(folder: &Path, features: &[String]) -> Result<PathBuf, PackageError> {
    let toolchain = WasmToolchain::find()?;
    let mut command = rustc_command(folder, features)?;
    command.arg("--no-default-features").args(["--config", "profile.release.panic=\"abort\""]);
    toolchain.apply(&mut command);
    run(command, ".wasm")
}

/// Builds the native library for this machine's platform.
pub(super) fn native(folder: &Path, features: &[String]) -> Result<PathBuf, PackageError> {
    let mut command = rustc_command(folder, features)?;
    // Panics are caught at the library's border, so they must unwind.
    command.args(["--config", "profile.release.panic=\"unwind\""]);
    run(command, std::env::consts::DLL_SUFFIX)
}

fn rustc_command(folder: &Path, features: &[String]) -> Result<Command, PackageError> {
    let mut command = cargo();
    let features = ["export".to_owned()].into_iter().chain(features.iter().cloned()).collect::<Vec<_>>();
    command.current_dir(folder).args(["rustc", "--release", "--lib", "--crate-type", "cdylib"]);
    command.args(["--features", &features.join(",")]);
    command.arg("--message-format=json-render-diagnostics");
    for setting in PROFILE {
        command.args(["--config", &format!("profile.release.{setting}")]);
    }
    // Apart from the crate's own builds, which it would otherwise displace and wait for.
    command.arg("--target-dir").arg(target_folder(folder)?.join("packages-build"));
    Ok(command)
}

fn target_folder(folder: &Path) -> Result<PathBuf, PackageError> {
    let output = cargo()
        .current_dir(folder)
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .output()
        .map_err(|error| failed(format!("cargo can't be run: {error}")))?;
    if !output.status.success() {
        return Err(failed(format!(
            "{}: {}",
            folder.display(),
            String::from_utf8_lossy(&output.stderr).trim_end()
        )));
    }
    let metadata: Value =
        serde_json::from_slice(&output.stdout).map_err(|error| failed(format!("cargo metadata: {error}")))?;
    let target = metadata["target_directory"].as_str();
    target.map(PathBuf::from).ok_or_else(|| failed("cargo metadata names no target_directory"))
}

/// Runs cargo, whose own words go to standard error, and finds the file it made.
fn run(mut command: Command, suffix: &str) -> Result<PathBuf, PackageError> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(format!("cargo can't be run: {error}")))?;
    let mut made = None;
    for line in child.stdout.take().into_iter().flat_map(|stdout| BufReader::new(stdout).lines()) {
        let line = line.map_err(|error| failed(format!("cargo's messages can't be read: {error}")))?;
        let Ok(message) = serde_json::from_str::<Value>(&line) else { continue };
        let is_library = message["target"]["crate_types"]
            .as_array()
            .is_some_and(|types| types.iter().any(|t| t == "cdylib"));
        if message["reason"] == "compiler-artifact" && is_library {
            let files = message["filenames"].as_array().into_iter().flatten().filter_map(Value::as_str);
            made = files.filter(|name| name.ends_with(suffix)).map(PathBuf::from).next_back().or(made);
        }
    }
    let status = child.wait().map_err(|error| failed(format!("cargo was lost: {error}")))?;
    if !status.success() {
        return Err(failed("the crate does not build; the compiler's words are above"));
    }
    made.ok_or_else(|| {
        failed(format!("cargo made no *{suffix}; the crate needs a library target with `export_algorithm!`"))
    })
}
