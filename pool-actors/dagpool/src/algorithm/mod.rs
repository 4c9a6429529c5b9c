//! `dagpool algorithm`: what authors of algorithms do, offline. Each command is a file.

mod bench;
mod build;
mod files;
mod inspect;
mod keygen;
mod load;
mod new;
mod output;
mod pack;
mod sign;
mod verify;
mod wasm_toolchain;

use clap::Subcommand;

use crate::Outcome;
use output::Output;

/// Algorithm packages: make, sign, check and measure them.
#[derive(Debug, Subcommand)]
pub(crate) enum Algorithm {
    /// A new algorithm: a crate that builds, passes its tests and packs at once.
    #[command(after_help = "Example: dagpool algorithm new myhash --sdk-path ../blockdag-pool/plugin-sdk")]
    New(new::New),
    /// A signing key: a secret file for the author, a public one for operators.
    #[command(after_help = "Example: dagpool algorithm keygen --out ~/keys/author")]
    Keygen(keygen::Keygen),
    /// Build an algorithm's crate and pack it.
    #[command(after_help = "Example: dagpool algorithm pack --path myhash --native --key ~/keys/author.key")]
    Pack(pack::Pack),
    /// Sign a package, or sign it anew.
    #[command(
        after_help = "Example: dagpool algorithm sign algorithm-package-myhash-v0.1.0.zip --key ~/keys/author.key"
    )]
    Sign(sign::Sign),
    /// All checks that a pool makes before it stages a package, on this machine.
    #[command(
        after_help = "Example: dagpool algorithm verify algorithm-package-myhash-v0.1.0.zip --public-key ~/keys/author.pub"
    )]
    Verify(verify::Verify),
    /// What is in a package. Runs nothing of it, and trusts nothing.
    #[command(
        after_help = "Example: dagpool algorithm inspect algorithm-package-myhash-v0.1.0.zip --html myhash.html"
    )]
    Inspect(inspect::Inspect),
    /// Measure a package's code on this machine.
    #[command(
        after_help = "Example: dagpool algorithm bench algorithm-package-myhash-v0.1.0.zip --seconds 2"
    )]
    Bench(bench::Bench),
}

/// Runs a command: 0 if all is well, 1 if not; a wrong command line ended with 2 before.
pub(crate) fn algorithm(command: &Algorithm) -> Outcome {
    let (json, result) = match command {
        Algorithm::New(args) => (args.json, new::new(args)),
        Algorithm::Keygen(args) => (args.json, keygen::keygen(args)),
        Algorithm::Pack(args) => (args.json, pack::pack(args)),
        Algorithm::Sign(args) => (args.json, sign::sign(args)),
        Algorithm::Verify(args) => (args.json, verify::verify(args)),
        Algorithm::Inspect(args) => (args.json, inspect::inspect(args)),
        Algorithm::Bench(args) => (args.json, bench::bench(args)),
    };
    Ok(output::print(json, result.as_ref().map_err(Clone::clone)))
}

/// What a command gives back: lines for people and a value for programs, or what went wrong.
type Done = Result<Output, pool_engine::codes::PackageError>;
