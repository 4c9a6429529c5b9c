//! The command line. Every command has `--help` with an example.

use std::{
    io::Write as _,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use clap::{Args, Parser, Subcommand, ValueEnum, error::ErrorKind};

/// BlockDAG Pool: a mining pool for chains whose ledger is a DAG of blocks.
#[derive(Debug, Parser)]
#[command(name = "dagpool", version, about, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The command line of this process; usage errors and `--help` end it, as clap has it.
pub(crate) fn parse() -> Cli {
    Cli::try_parse().unwrap_or_else(|error| {
        if error.kind() != ErrorKind::DisplayHelp {
            error.exit();
        }
        // Whoever closed the pipe has read enough.
        let _ = std::io::stdout().write_all(shown(&error).as_bytes());
        std::process::exit(error.exit_code());
    })
}

/// Help as it is shown. clap takes `{n}` for a line break and knows no escape for it: texts have `{_n}` for it.
fn shown(help: &clap::Error) -> String {
    help.render().to_string().replace("{_n}", "{n}")
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Everything embedded: simulated DAG node, SQLite, dashboard, a few virtual miners.
    #[command(
        after_help = "Examples: dagpool demo --miners 8 --algorithm blake3 --block-time 1\n          dagpool demo --algorithms blake2s,blake3   (a node and miners that a migration needs)"
    )]
    Demo(Demo),
    /// The pool.
    #[command(after_help = "Example: dagpool run --config /etc/dagpool/pool.toml")]
    Run(ConfigFile),
    /// Writes pool.toml: looks at the system, asks what it can't know, explains each choice, and makes the first admin.
    #[command(
        after_help = "Examples: dagpool init\n          dagpool init --yes --config /etc/dagpool/pool.toml\n          dagpool init --answers answers.toml   (a part of a pool.toml: what is in it is not asked)"
    )]
    Init(crate::init::Init),
    /// Preflight: one line for each thing that the pool needs, and what to do about each that fails.
    #[command(after_help = "Example: dagpool check --config pool.toml --json")]
    Check(Check),
    /// The database's schema: bring it up to date, or say what it lacks.
    #[command(after_help = "Example: dagpool migrate status --config pool.toml --json")]
    Migrate(Migrate),
    /// Who may sign in: works on the configured database, whether a pool runs or not.
    #[command(subcommand)]
    User(crate::user::User),
    /// The simulator: a node alone, or a swarm of miners against any pool.
    #[command(subcommand)]
    Sim(Sim),
    /// Load and benchmarks.
    #[command(subcommand)]
    Bench(crate::bench::Bench),
    /// Money: statements, proofs, balances, exports, audits.
    #[command(subcommand)]
    Ledger(crate::ledger::Ledger),
    /// Copies database and journal of a pool, running or not, to a folder, with checksums.
    #[command(after_help = "Example: dagpool backup --config pool.toml --out /backup/2026-11-28")]
    Backup(crate::backup::Backup),
    /// Brings a backup to a new place, and audits it there.
    #[command(after_help = "Example: dagpool restore /backup/2026-11-28 --data-dir /var/lib/dagpool-new")]
    Restore(crate::backup::Restore),
    /// Prints the description of the HTTP API (OpenAPI 3.1, JSON), as `/api/openapi.json` serves it.
    #[command(name = "openapi", after_help = "Example: dagpool openapi > openapi.json")]
    OpenApi,
    /// Algorithm packages: make, sign, check and measure them; stage and deploy them in a running pool.
    #[command(subcommand)]
    Algorithm(crate::algorithm::Algorithm),
    /// Payouts of a running pool: list, hold, release, dry run.
    #[command(subcommand)]
    Payout(crate::payout::Payout),
    /// The last lines of a running pool's log.
    #[command(after_help = "Example: dagpool logs --category stratum --level warn --last 1h --follow")]
    Logs(crate::logs::Logs),
    /// The keys in a process of their own: signs payouts over a Unix socket, within its own limits (simulated chain).
    #[command(
        after_help = "Example: dagpool signer --socket /run/dagpool/signer.sock --journal /var/lib/signer/journal --limit-per-day 1000"
    )]
    Signer(crate::signer::SignerArgs),
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Folder for journal, database and the simulated chain, which go on there at the next start; a fresh temporary one
    /// without it.
    #[arg(long)]
    pub(crate) data_dir: Option<PathBuf>,
    /// Stratum address.
    #[arg(long, default_value = "127.0.0.1:3333")]
    pub(crate) stratum: SocketAddr,
    /// Dashboard, API and metrics address.
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub(crate) http: SocketAddr,
    /// Virtual miners; 0 = none.
    #[arg(long, default_value_t = 4)]
    pub(crate) miners: usize,
    /// Proof-of-work function.
    #[arg(long, default_value = "blake2s")]
    pub(crate) algorithm: String,
    /// Functions that the simulated node accepts, each with the heights of its first and last block if need be, such as
    /// blake2s@0-500,blake3@100; without it, only --algorithm. The virtual miners can do all of them.
    #[arg(long)]
    pub(crate) algorithms: Option<String>,
    /// Start difficulty of a session; without it, one that suits the virtual miners.
    #[arg(long)]
    pub(crate) difficulty: Option<String>,
    /// Seconds between blocks of the simulated DAG, 0.1 to 60.
    #[arg(long, default_value_t = 2.0)]
    pub(crate) block_time: f64,
    /// Seed of everything random in the simulation.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Form of the log.
    #[arg(long, value_enum, default_value_t = LogForm::Human)]
    pub(crate) log: LogForm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogForm {
    Human,
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigFile {
    /// The configuration; pool.example.toml documents every key.
    #[arg(long, default_value = "pool.toml")]
    pub(crate) config: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) file: ConfigFile,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Migrate {
    /// What to do.
    #[arg(value_enum, default_value_t = MigrateAction::Up)]
    pub(crate) action: MigrateAction,
    #[command(flatten)]
    pub(crate) file: ConfigFile,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MigrateAction {
    /// Apply what is missing, all or nothing.
    Up,
    /// Only say what was applied and what is missing; exit code 1 when something is.
    Status,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Sim {
    /// A simulated DAG node alone.
    #[command(after_help = "Example: dagpool sim node --rpc 127.0.0.1:18131 --block-time 1 --competitors 2")]
    Node(SimNode),
    /// Virtual miners against any Stratum address; they really solve shares.
    #[command(
        after_help = "Examples: dagpool sim miners --pool 127.0.0.1:3333 --count 10 --hashrate 5000\n          dagpool sim miners --account mole.rig{_n} --conduct withhold"
    )]
    Miners(SimMiners),
}

#[derive(Debug, Args)]
pub(crate) struct SimNode {
    /// Address of the JSON-RPC and WebSocket port.
    #[arg(long, default_value = "127.0.0.1:18131")]
    pub(crate) rpc: SocketAddr,
    /// Seconds between blocks, 0.1 to 60.
    #[arg(long, default_value_t = 1.0)]
    pub(crate) block_time: f64,
    /// Competing miners inside the node, which make siblings and reds.
    #[arg(long, default_value_t = 2)]
    pub(crate) competitors: usize,
    /// Functions that it accepts, the first one by default, each with the heights of its first and last block if need be,
    /// such as blake2s@0-500,blake3@100.
    #[arg(long, default_value = "blake2s,blake3,sha256d,scrypt,scrypt-bdag,kheavyhash")]
    pub(crate) algorithms: String,
    /// Seed of everything random.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// File that keeps the chain for the next start; without one it ends with the node.
    #[arg(long)]
    pub(crate) chain: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct SimMiners {
    /// The pool's Stratum address.
    #[arg(long, default_value = "127.0.0.1:3333")]
    pub(crate) pool: SocketAddr,
    /// How many miners.
    #[arg(long, default_value_t = 4)]
    pub(crate) count: usize,
    /// Proof-of-work function.
    #[arg(long, default_value = "blake2s")]
    pub(crate) algorithm: String,
    /// Further functions that they say they can switch to, such as blake3,sha256d.
    #[arg(long, value_delimiter = ',')]
    pub(crate) also: Vec<String>,
    /// Stratum dialect: standard or kaspa.
    #[arg(long, default_value = "standard")]
    pub(crate) dialect: String,
    /// Hashes a second of each miner.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) hashrate: u64,
    /// Accounts are PREFIX0, PREFIX1...; an address where the chain has them. With {_n} in it, it is the whole user name, such as
    /// farm.rig{_n} for many workers of one account.
    #[arg(long, default_value = "miner")]
    pub(crate) account: String,
    /// Sent with the user name; d=0.001 asks for a difficulty.
    #[arg(long, default_value = "x")]
    pub(crate) password: String,
    /// What they do with what they find: honest; withhold (keep blocks); blocks-only (keep all others); stripes (try every
    /// sixteenth nonce); hoard=SECONDS (keep all, and send it together every so often). To try a pool's detector with.
    #[arg(long, default_value = "honest")]
    pub(crate) conduct: String,
    /// Hashes a second of each miner, once --raise-after has passed.
    #[arg(long)]
    pub(crate) raise_to: Option<u64>,
    /// Seconds until --raise-to.
    #[arg(long, default_value_t = 60, requires = "raise_to")]
    pub(crate) raise_after: u64,
    /// Addresses of this machine to connect from, one after another, such as 127.0.0.2,127.0.0.3.
    #[arg(long, value_delimiter = ',')]
    pub(crate) from: Vec<IpAddr>,
    /// Stop after this many accepted shares of each miner; 0 = never.
    #[arg(long, default_value_t = 0)]
    pub(crate) shares: u64,
    /// Stop after this many seconds; 0 = never.
    #[arg(long, default_value_t = 0)]
    pub(crate) seconds: u64,
    /// Seed of everything random.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Print JSON at the end.
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use pool_domain::catalogue::{Code, fill};

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_help_loses_a_placeholder() {
        let asked = Cli::try_parse_from(["dagpool", "sim", "miners", "--help"]).unwrap_err();
        // Some terminals make clap wrap its lines.
        let help = shown(&asked).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            help.contains("With {n} in it, it is the whole user name, such as farm.rig{n} for"),
            "{help}"
        );
        assert!(help.contains("dagpool sim miners --account mole.rig{n} --conduct withhold"), "{help}");
        let mut commands = vec![Cli::command()];
        while let Some(command) = commands.pop() {
            let own = [command.get_about(), command.get_long_about(), command.get_after_help()];
            let arguments =
                command.get_arguments().flat_map(|argument| [argument.get_help(), argument.get_long_help()]);
            for text in own.into_iter().chain(arguments).flatten().map(ToString::to_string) {
                assert!(!text.contains("{n}"), "{}, write {{_n}}: {text}", command.get_name());
            }
            commands.extend(command.get_subcommands().cloned());
        }
    }

    /// What the catalogue tells people to type is understood by this very program.
    #[test]
    fn every_suggested_command_of_ours_can_be_typed() {
        let mut seen = 0;
        let known = |name: &str| {
            Some(match name {
                "deployment_id" => "7",
                "url" => "http://127.0.0.1:8080",
                _ => "some-file",
            })
        };
        for advice in Code::ALL.iter().flat_map(|code| code.advice()) {
            let Some(command) = advice.command else { continue };
            // As it stands when nothing is known, and filled in.
            for command in [fill(command, known), fill(command, |_| None)] {
                let words = command.split_whitespace().skip_while(|word| word.contains('='));
                let words: Vec<&str> = words.collect();
                // A number is not known: people put it in.
                if words.first() != Some(&"dagpool") || words.contains(&"DEPLOYMENT_ID") {
                    continue;
                }
                seen += 1;
                if let Err(error) = Cli::try_parse_from(&words) {
                    assert_eq!(error.kind(), ErrorKind::DisplayVersion, "{command}: {error}");
                }
            }
        }
        assert!(seen > 50, "{seen}");
    }
}
