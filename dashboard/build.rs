//! Sees to it that a changed front-end build ends up in the binary.

use std::path::Path;

fn main() {
    let root = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it for build scripts");
    // Cargo takes a missing path for a changed one and would rebuild and relink each time; an empty folder stops that.
    // A read-only checkout only costs that rebuild, so a failure here is no reason to stop.
    let _ = std::fs::create_dir_all(Path::new(&root).join("dist"));
    println!("cargo:rerun-if-changed=dist");
    println!("cargo:rerun-if-changed=build.rs");
}
