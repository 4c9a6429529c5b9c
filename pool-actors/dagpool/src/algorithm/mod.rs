//! `dagpool algorithm`: what authors of algorithms do, offline (each command is a file), and what operators do with them in
//! a running pool (`remote`).

mod bench;
mod build;
mod files;
mod inspect;
mod keygen;
mod load;
mod new;
mod output;
mod pack;
mod remote;
mod sign;
mod verify;
mod wasm_toolchain;

use std::process::ExitCode;

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
    /// What is in force, staged and was deployed in a running pool.
    #[command(after_help = "Example: DAGPOOL_TOKEN=file:admin.token dagpool algorithm list")]
    List(remote::List),
    /// Upload a package to a running pool, which checks it.
    #[command(
        after_help = "Example: DAGPOOL_TOKEN=file:admin.token dagpool algorithm stage algorithm-package-myhash-v0.1.0.zip"
    )]
    Stage(remote::Stage),
    /// Let what is staged take over, step by step, while miners work.
    #[command(
        after_help = "Example: DAGPOOL_TOKEN=file:admin.token dagpool algorithm deploy --shadow-duration 60 --phase-duration 30 --wait"
    )]
    Deploy(remote::Deploy),
    /// What is in force and how a deployment fares.
    #[command(after_help = "Example: dagpool algorithm status --follow --url http://127.0.0.1:8080")]
    Status(remote::Status),
    /// Go back to the algorithm that was in force.
    #[command(
        after_help = "Example: DAGPOOL_TOKEN=file:admin.token dagpool algorithm rollback --reason 'miners complain'"
    )]
    Rollback(remote::Rollback),
    /// Stop a deployment where it is.
    #[command(after_help = "Example: DAGPOOL_TOKEN=file:admin.token dagpool algorithm pause")]
    Pause(remote::Steer),
    /// Let a paused deployment move on.
    #[command(after_help = "Example: DAGPOOL_TOKEN=file:admin.token dagpool algorithm resume")]
    Resume(remote::Steer),
    /// End the wait of a deployment's present step.
    #[command(after_help = "Example: DAGPOOL_TOKEN=file:admin.token dagpool algorithm advance")]
    Advance(remote::Steer),
}

/// Runs a command: 0 if all is well, 1 if not; a wrong command line ended with 2 before.
pub(crate) async fn algorithm(command: &Algorithm) -> Outcome {
    let (json, result) = match command {
        Algorithm::New(args) => (args.json, new::new(args)),
        Algorithm::Keygen(args) => (args.json, keygen::keygen(args)),
        Algorithm::Pack(args) => (args.json, pack::pack(args)),
        Algorithm::Sign(args) => (args.json, sign::sign(args)),
        Algorithm::Verify(args) => (args.json, verify::verify(args)),
        Algorithm::Inspect(args) => (args.json, inspect::inspect(args)),
        Algorithm::Bench(args) => (args.json, bench::bench(args)),
        of_a_pool => return Ok(in_a_pool(of_a_pool).await),
    };
    Ok(output::print(json, result.as_ref().map_err(Clone::clone)))
}

/// The commands that a running pool carries out.
async fn in_a_pool(command: &Algorithm) -> ExitCode {
    let (json, result) = match command {
        Algorithm::List(args) => (args.pool.json, remote::list(args).await),
        Algorithm::Stage(args) => (args.pool.json, remote::stage(args).await),
        Algorithm::Deploy(args) => (args.pool.json, remote::deploy(args).await),
        Algorithm::Status(args) => (args.pool.json, remote::status(args).await),
        Algorithm::Rollback(args) => (args.pool.json, remote::rollback(args).await),
        Algorithm::Pause(args) => (args.pool.json, remote::steer(args, "pause").await),
        Algorithm::Resume(args) => (args.pool.json, remote::steer(args, "resume").await),
        Algorithm::Advance(args) => (args.pool.json, remote::steer(args, "advance").await),
        _ => return ExitCode::FAILURE,
    };
    match result {
        Ok(output) => output::print(json, Ok(&output)),
        Err(error) => remote::print_error(json, &error),
    }
}

/// What a command gives back: lines for people and a value for programs, or what went wrong.
type Done = Result<Output, pool_engine::codes::PackageError>;
