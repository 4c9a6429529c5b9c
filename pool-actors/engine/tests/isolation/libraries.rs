//! Native libraries, built when a test needs them: ours by cargo, the C example by the system's compiler.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The library of a plugin, in a target folder of its own: cargo keeps it up to date, one build at a time.
pub(crate) fn plugin(name: &str) -> Vec<u8> {
    plugin_of(name, "dev")
}

/// The same, built with a profile of cargo's.
pub(crate) fn plugin_of(name: &str, profile: &str) -> Vec<u8> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("native");
    let package = format!("plugin-{name}");
    run(Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()))
        .args(["rustc", "--quiet", "--offline", "--lib", "--crate-type", "cdylib", "--features", "export"])
        .args(["--package", &package, "--profile", profile, "--target-dir"])
        .arg(&target)
        // What measures coverage is for the pool's own code.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTC_WRAPPER")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .current_dir(root()));
    fs::read(
        target
            .join(if profile == "dev" { "debug" } else { profile })
            .join(format!("lib{}.so", package.replace('-', "_"))),
    )
    .unwrap()
}

/// The C example, with something that runs as soon as it is loaded.
pub(crate) fn mixer_with_constructor(body: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let header = folder.path().join("constructor.h");
    let text = format!(
        "#include <fcntl.h>\n#include <unistd.h>\n\
         __attribute__((constructor)) static void first(void) {{ {body} }}\n"
    );
    fs::write(&header, text).unwrap();
    mixer(&["-D_DEFAULT_SOURCE", "-include", header.to_str().unwrap()])
}

/// The C example, with preprocessor definitions.
pub(crate) fn mixer(defines: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("mixer.so");
    let sdk = root().join("plugin-sdk");
    run(Command::new("cc")
        .args(["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-I"])
        .arg(sdk.join("include"))
        .args(defines)
        .arg("-o")
        .arg(&library)
        .arg(sdk.join("examples/c/mixer.c")));
    fs::read(library).unwrap()
}
