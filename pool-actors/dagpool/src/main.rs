//! `dagpool`, the one binary: arguments -> configuration -> library. The only part that knows the simulator and the
//! dashboard's assets.

mod algorithm;
mod args;
mod backup;
mod bench;
mod check;
mod demo;
mod init;
mod ledger;
mod logging;
mod logs;
mod migrate;
mod payout;
mod run;
mod signer;
mod sim;
mod token;
mod user;

use std::process::ExitCode;

use args::{Command, Sim};
use pool_actors::error::Failure;
use rustix::fs::Mode;

/// Batches of shares are large, short-lived and freed by other threads than the one that made them, which is where the
/// system's allocator spends its time (pool-actors/docs/benchmarks.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What a command ends with.
type Outcome = Result<ExitCode, Failure>;

fn main() -> ExitCode {
    // As the child that runs a native algorithm it is another program, which needs nothing of the rest.
    #[cfg(target_os = "linux")]
    pool_engine::isolation::host_if_asked();
    // A usage error exits with 2.
    let cli = args::parse();
    if !matches!(cli.command, Command::Algorithm(_)) {
        // A pool's files (database, journal, backups) are nobody else's; a package is for others.
        rustix::process::umask(Mode::RWXG | Mode::RWXO);
    }
    let outcome = actix_rt::System::new().block_on(async move {
        match cli.command {
            Command::Demo(demo) => demo::demo(demo).await,
            Command::Run(file) => run::run(&file.config).await,
            Command::Init(args) => init::init(args).await,
            Command::Check(check) => check::check(&check).await,
            Command::Migrate(migrate) => migrate::migrate(&migrate).await,
            Command::User(command) => user::user(command).await,
            Command::Sim(Sim::Node(node)) => sim::node(node).await,
            Command::Sim(Sim::Miners(miners)) => sim::miners(miners).await,
            Command::Bench(bench) => bench::bench(bench).await,
            Command::Backup(args) => backup::backup(&args),
            Command::Restore(args) => backup::restore(args).await,
            Command::Ledger(command) => ledger::ledger(command).await,
            Command::OpenApi => {
                print!("{}", pool_actors::api::openapi_text());
                Ok(ExitCode::SUCCESS)
            }
            Command::Algorithm(command) => algorithm::algorithm(&command).await,
            Command::Payout(command) => payout::payout(command).await,
            Command::Logs(args) => logs::logs(args).await,
            Command::Signer(args) => signer::signer(args).await,
        }
    });
    outcome.unwrap_or_else(|failure| {
        eprintln!("error: {failure}");
        ExitCode::FAILURE
    })
}
