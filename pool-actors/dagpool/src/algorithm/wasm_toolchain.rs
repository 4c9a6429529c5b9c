//! Finding a compiler for wasm32-unknown-unknown.
//!
//! With the target's libraries beside rustc (`rustup target add wasm32-unknown-unknown`) there is nothing to find. Without
//! them, Debian's `rustc-web` and the standard library's sources are unpacked into a private folder, nothing is installed,
//! and `core` and `alloc` are built along with the algorithm.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use pool_engine::codes::{Code, PackageError};

/// The target's name.
pub(super) const TARGET: &str = "wasm32-unknown-unknown";
/// A small stack keeps an instance at two pages of memory; rustc's default is 1 MiB.
const STACK_FLAG: &str = "-Clink-arg=-zstack-size=65536";

/// How to call cargo for wasm.
#[derive(Debug)]
pub(super) enum WasmToolchain {
    /// The compiler at hand has the target.
    Installed,
    /// Debian's compiler in a private folder.
    Unpacked {
        /// `usr` of the unpacked packages.
        root: PathBuf,
        /// The linker of the compiler at hand.
        linker: PathBuf,
    },
}

fn failed(message: impl Into<String>) -> PackageError {
    let advice =
        "; install the target (rustup target add wasm32-unknown-unknown), or give a built module with --wasm";
    PackageError::new(Code::BuildFailed, format!("no compiler for {TARGET}: {}{advice}", message.into()))
}

/// Runs a program to its end and gives its standard output.
fn output(program: &str, args: &[&str], folder: Option<&Path>) -> Result<String, PackageError> {
    let mut command = Command::new(program);
    if let Some(folder) = folder {
        command.current_dir(folder);
    }
    let output =
        command.args(args).output().map_err(|error| failed(format!("{program} can't be run ({error})")))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(failed(format!("{program} {} failed: {}", args.join(" "), stderr.trim_end())));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

impl WasmToolchain {
    /// Finds a compiler, or fetches one.
    pub(super) fn find() -> Result<Self, PackageError> {
        let sysroot = PathBuf::from(output("rustc", &["--print", "sysroot"], None)?.trim());
        if sysroot.join("lib/rustlib").join(TARGET).join("lib").is_dir() {
            return Ok(Self::Installed);
        }
        let linker = linker(&sysroot)?;
        let cache = cache_folder()?;
        let root = match unpacked(&cache) {
            Some(root) => root,
            None => fetch(&cache)?,
        };
        Ok(Self::Unpacked { root, linker })
    }

    /// Sets up a cargo command that builds for wasm.
    pub(super) fn apply(&self, cargo: &mut Command) {
        cargo.arg("--target").arg(TARGET);
        cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", STACK_FLAG);
        if let Self::Unpacked { root, linker } = self {
            cargo.arg("-Zbuild-std=core,alloc").env("RUSTC_BOOTSTRAP", "1");
            cargo.env("RUSTC", root.join("bin/rustc"));
            cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
            let mut libraries = libraries(root).into_os_string();
            if let Some(others) = std::env::var_os("LD_LIBRARY_PATH").filter(|others| !others.is_empty()) {
                libraries.push(":");
                libraries.push(others);
            }
            cargo.env("LD_LIBRARY_PATH", libraries);
        }
    }
}

/// Where the unpacked compiler's shared libraries are.
fn libraries(root: &Path) -> PathBuf {
    let gnu = format!("{}-linux-gnu", std::env::consts::ARCH);
    root.join("lib").join(gnu)
}

/// The linker that comes with rustup's compilers.
fn linker(sysroot: &Path) -> Result<PathBuf, PackageError> {
    let host = output("rustc", &["--print", "host-tuple"], None)?;
    let linker = sysroot.join("lib/rustlib").join(host.trim()).join("bin/rust-lld");
    if linker.is_file() { Ok(linker) } else { Err(failed(format!("{} is not there", linker.display()))) }
}

fn cache_folder() -> Result<PathBuf, PackageError> {
    let from_home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(from_home);
    cache.map(|cache| cache.join("dagpool")).ok_or_else(|| failed("neither XDG_CACHE_HOME nor HOME is set"))
}

/// A compiler that was unpacked before; the last one by name, if there are several.
fn unpacked(cache: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(cache).ok()?.filter_map(Result::ok).map(|entry| entry.path());
    let ours = |path: &PathBuf| {
        let name = path.file_name().map(OsString::from).and_then(|name| name.into_string().ok());
        name.is_some_and(|name| name.starts_with("rustc-web-")) && path.join("usr/bin/rustc").is_file()
    };
    entries.filter(ours).max().map(|path| path.join("usr"))
}

/// Downloads and unpacks; the folder appears under its name once it is whole.
fn fetch(cache: &Path) -> Result<PathBuf, PackageError> {
    eprintln!(
        "{TARGET} is not installed: fetching Debian's rustc-web into {} (once, 140 MB)",
        cache.display()
    );
    let parts = cache.join(format!("rustc-web.{}", std::process::id()));
    let made = unpack_into(&parts).and_then(|version| {
        let folder = cache.join(format!("rustc-web-{version}"));
        match fs::rename(&parts, &folder) {
            Err(_) if !folder.join("usr/bin/rustc").is_file() => {
                Err(failed(format!("{} can't be made", folder.display())))
            }
            // Either it is ours, or another process was quicker.
            _ => Ok(folder.join("usr")),
        }
    });
    // Nothing is there any more if all went well.
    let _ = fs::remove_dir_all(&parts);
    made
}

/// Fills a folder; gives the compiler's version.
fn unpack_into(folder: &Path) -> Result<String, PackageError> {
    fs::create_dir_all(folder)
        .map_err(|error| failed(format!("{} can't be made ({error})", folder.display())))?;
    let mut wanted = vec!["rustc-web".to_owned(), "rust-web-src".to_owned()];
    let (mut version, mut done) = (String::new(), 0);
    while let Some(package) = wanted.get(done).cloned() {
        done += 1;
        output("apt-get", &["download", "-q", &package], Some(folder))?;
        let archive = archive_of(folder, &package)?;
        let archive = archive.display().to_string();
        if package == "rust-web-src" {
            let script = "dpkg-deb --fsys-tarfile \"$1\" | tar -x --wildcards './usr/src/rustc-*/library/*'";
            output("sh", &["-c", script, "sh", &archive], Some(folder))?;
        } else {
            output("dpkg-deb", &["-x", &archive, "."], Some(folder))?;
        }
        let depends = output("dpkg-deb", &["-f", &archive, "Depends"], Some(folder))?;
        for name in depends.split([',', '|']).filter_map(|depend| depend.split_whitespace().next()) {
            let ours = name.starts_with("libstd-rust-web") || name.starts_with("libllvm");
            if ours && !wanted.iter().any(|known| known == name) {
                wanted.push(name.to_owned());
            }
        }
        if package == "rustc-web" {
            output("dpkg-deb", &["-f", &archive, "Version"], Some(folder))?.trim().clone_into(&mut version);
        }
        fs::remove_file(&archive).map_err(|error| failed(format!("{archive} can't be removed ({error})")))?;
    }
    link_sources(folder)?;
    // A colon (an epoch) would part the library path.
    Ok(version.replace(':', "_"))
}

fn archive_of(folder: &Path, package: &str) -> Result<PathBuf, PackageError> {
    let start = format!("{package}_");
    let mut files = fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let found =
        files.find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&start)));
    found.ok_or_else(|| failed(format!("apt-get downloaded no {package}")))
}

/// Puts the sources where `-Zbuild-std` looks for them.
fn link_sources(folder: &Path) -> Result<(), PackageError> {
    let problem =
        |error: std::io::Error| failed(format!("the standard library's sources can't be linked ({error})"));
    let mut entries = fs::read_dir(folder.join("usr/src")).map_err(problem)?;
    let sources = entries.next().ok_or_else(|| failed("rust-web-src holds no sources"))?.map_err(problem)?;
    let place = folder.join("usr/lib/rustlib/src");
    fs::create_dir_all(&place).map_err(problem)?;
    #[cfg(unix)]
    std::os::unix::fs::symlink(Path::new("../../../src").join(sources.file_name()), place.join("rust"))
        .map_err(problem)?;
    #[cfg(not(unix))]
    let _ = (sources, place);
    Ok(())
}
