//! The configuration: one tree, every key documented where it is defined, unknown keys refused.
//!
//! [`load`] reads a file with overrides from the environment, [`example`] writes the commented example, [`check`] says
//! what can't work before anything is started.

mod alerts;
mod changes;
mod check;
mod example;
mod influx;
mod load;
mod metrics;
mod secret;
mod secret_url;
pub mod section;
mod traces;
mod view;

use std::{net::SocketAddr, path::PathBuf};

use pool_domain::{currency, difficulty::Difficulty, isolation::Level, units::Amount};
use section::section;

use crate::error::{Code, Failure};

pub use alerts::{
    AlertChannel, AlertRule, Alerts, ChannelKind, Detector, Escalation, Of, Personal, Threshold,
};
pub use changes::{Change, changes};
pub use check::check;
pub use example::example;
pub use influx::{Influx, InfluxApi};
pub use load::{Loaded, Source, Sources, load, load_with_sources, overridden, parse};
pub use metrics::Metrics;
pub use secret::Secret;
pub use secret_url::SecretUrl;
pub use traces::Traces;
pub use view::{KeyView, SectionView, view};

/// The whole configuration (`pool.toml`).
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `[pool]`
    pub pool: Pool,
    /// `[chain]`
    pub chain: Chain,
    /// `[stratum]`, with its `[[stratum.listener]]` tables.
    pub stratum: Stratum,
    /// `[vardiff]`
    pub vardiff: Vardiff,
    /// `[banning]`
    pub banning: Banning,
    /// `[algorithms]`
    pub algorithms: Algorithms,
    /// `[payout]`
    pub payout: Payout,
    /// `[journal]`
    pub journal: Journal,
    /// `[store]`
    pub store: Store,
    /// `[cache]`
    pub cache: Cache,
    /// `[http]`
    pub http: Http,
    /// `[auth]`
    pub auth: Auth,
    /// `[mail]`
    pub mail: Mail,
    /// `[alerts]`, with its `[[alerts.rule]]`, `[[alerts.channel]]` and `[[alerts.escalation]]` tables.
    pub alerts: Alerts,
    /// `[metrics]`
    pub metrics: Metrics,
    /// `[influx]`
    pub influx: Influx,
    /// `[traces]`
    pub traces: Traces,
    /// `[log]`
    pub log: Log,
}

section! {
    /// The pool itself.
    Pool {
        /// Name shown to miners and on the dashboard.
        name: String = "BlockDAG Pool".into(),
        /// Folder of the journal, the embedded database and other state. One process at a time may use it.
        data_dir: PathBuf = "data".into(),
        /// Threads ("arbiters") that serve miners. 0 = as many as the machine has cores.
        arbiters: usize = 0,
        /// Number of this node: the name of its journal's place in the database. A data folder keeps the number it was
        /// begun with; another is refused at start.
        node_id: u16 = 0,
    }
}

section! {
    /// The chain and its nodes.
    Chain {
        /// Chain profile: "simulated" (the simulator's node) or "kaspa".
        profile: Profile = Profile::Simulated,
        /// Nodes in order of preference; the pool fails over down the list and back up.
        /// "simulated": http://host:port; "kaspa": ws://host:port of the JSON wRPC.
        nodes: Vec<String> = vec!["http://127.0.0.1:18131".into()],
        /// User of the node's RPC, if it wants one.
        rpc_user: Option<String> = None,
        /// Password of the node's RPC: the text itself, "file:/path" or "env:NAME".
        rpc_password: Option<Secret> = None,
        /// Network the nodes must be on, as they name it. Empty = whatever the first node says.
        network: String = String::new(),
        /// Address that block rewards are paid to: the pool's own.
        payout_address: String = String::new(),
        /// Bound on one call to a node, milliseconds.
        rpc_timeout_ms: u64 = 5_000,
        /// How often to ask for a template where the node does not push, milliseconds.
        poll_interval_ms: u64 = 500,
        /// Least time between two jobs, milliseconds, whatever the block rate (clean jobs excepted). At least 250.
        job_interval_ms_min: u64 = 500,
        /// How long shares of an old job are still credited, milliseconds.
        job_grace_ms: u64 = 30_000,
        /// Confirmations after which a block's colour and reward are final. 0 = the profile's own rule.
        maturity: u64 = 0,
        /// Mine although the node says that it is not synchronised: only for a network of one's own. Profile "kaspa" only;
        /// a node of "simulated" hands out no work before it is ready, so there the key is refused.
        allow_unsynced: bool = false,
    }
}

/// What ties a node protocol, header layout, dialect and maturity rule together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// The simulator's DAG node.
    #[default]
    Simulated,
    /// kaspad.
    Kaspa,
}

impl Profile {
    /// Digits behind the point of its currency.
    #[must_use]
    pub const fn decimals(self) -> u8 {
        match self {
            Self::Simulated | Self::Kaspa => 8,
        }
    }
}

section! {
    /// The Stratum server. Limits hold for all listeners together.
    Stratum {
        /// Connections at once; further ones are closed at once.
        connections_max: usize = 50_000,
        /// Connections at once from one address. Farms behind NAT need many.
        connections_per_ip_max: usize = 20_000,
        /// New connections a second from one address.
        connect_rate_per_ip_max: u32 = 5_000,
        /// Connections that have not authorised yet, at once.
        handshakes_max: usize = 20_000,
        /// Time to authorise once the first request came, milliseconds.
        handshake_timeout_ms: u64 = 30_000,
        /// Time to the first request, milliseconds (proxies connect and say nothing; they are closed without a ban).
        first_request_timeout_ms: u64 = 60_000,
        /// Time without any share or request after which a session is closed, milliseconds.
        idle_timeout_ms: u64 = 600_000,
        /// Longest line from a miner, bytes.
        line_bytes_max: usize = 4_096,
        /// Deepest nesting of JSON from a miner.
        json_depth_max: usize = 8,
        /// Requests a second of one session, sustained; bursts of ten seconds' worth pass.
        requests_per_second_max: u32 = 2_000,
        /// Shares of one session that may await their verdict; past it, its socket is not read.
        shares_outstanding_max: u32 = 64,
        /// Unsent bytes of one session; past it, the slow reader is closed.
        unsent_bytes_max: usize = 65_536,
        /// Time for which a released extranonce prefix is not given to another session, milliseconds.
        /// 0 = `chain.job_grace_ms` and a minute more.
        extranonce_quarantine_ms: u64 = 0,
        /// Part of a dialect's extranonce prefixes that one address may hold (in use or resting), basis points. Matters
        /// where prefixes are short: of the 16,384 of the dialect "kaspa", 2500 is 4,096 sessions.
        extranonce_part_per_ip_basis_points: u32 = 2_500,
        /// The listeners.
        listener: Vec<Listener> = vec![Listener::default()],
    }
}

section! {
    /// A listening port with its own dialect and difficulty.
    Listener {
        /// Address and port.
        address: SocketAddr = SocketAddr::from(([0, 0, 0, 0], 3333)),
        /// Dialect: "standard", "kaspa" or "bdag".
        dialect: String = "standard".into(),
        /// Difficulty of a fresh session, and of one that is moved to another function (vardiff takes over from there), a decimal
        /// string such as "0.0005". Without it, `initial_difficulty` of the package in force; with linked-in code 0.00048828125.
        difficulty: Option<Difficulty> = None,
        /// Lowest difficulty.
        difficulty_min: Difficulty = Difficulty(4),
        /// Highest difficulty; the network's is never exceeded anyway.
        difficulty_max: Difficulty = Difficulty::whole(1 << 50),
        /// Hold the start difficulty: no vardiff on this listener.
        fixed: bool = false,
    }
}

impl Listener {
    /// Difficulty of a fresh session where no package says another one.
    #[must_use]
    pub fn start_difficulty(&self) -> Difficulty {
        self.difficulty.unwrap_or(Difficulty(1 << 21))
    }
}

section! {
    /// Variable difficulty: each session is steered to a steady rate of shares.
    Vardiff {
        /// Wanted time between two shares of a session, milliseconds.
        target_interval_ms: u64 = 5_000,
        /// No change while the measured interval is within this of the wanted one, basis points (3000 = 30%).
        deadband_basis_points: u32 = 3_000,
    }
}

section! {
    /// Temporary bans of addresses that send rubbish.
    Banning {
        /// Ban at all?
        enabled: bool = true,
        /// Length of a ban, seconds.
        duration_s: u64 = 600,
        /// Malformed requests of one session before its address is banned.
        malformed_max: u32 = 20,
        /// Share of invalid shares that bans, basis points, once `invalid_min` shares were sent (stale ones don't count).
        invalid_basis_points_max: u32 = 8_000,
        /// Shares before the rule above is applied.
        invalid_min: u32 = 500,
        /// Shares within an hour that make the algorithm panic, before their address is banned. Each ends its session.
        poisonous_max: u32 = 3,
        /// Addresses remembered at once.
        entries_max: usize = 10_000,
    }
}

section! {
    /// Proof-of-work functions.
    Algorithms {
        /// The one in force; a deployed upgrade of the same function takes its place.
        active: String = "blake2s".into(),
        /// Public keys whose packages may run: a TOML file of [[key]] tables (id, name, public_key, permissions). A relative
        /// path is below `pool.data_dir`; without the file, no package is taken.
        trusted_keys: PathBuf = "trusted-keys.toml".into(),
        /// Folder of packages that come with the pool; a relative path is below `pool.data_dir`. The newest one there of the
        /// active algorithm's name is in force until another is deployed, if it passes all checks and hashes like the
        /// linked-in code; without one, the linked-in code serves.
        packages_dir: PathBuf = "algorithms".into(),
        /// How far the pool is kept from a package's code, unless the operator says otherwise: "wasm" (a sandbox), "process"
        /// (native code in a confined child process; Linux) or "in-process" (native code in the pool itself, which nothing
        /// can contain). The native ones need a key that is trusted for native code.
        isolation: Level = Level::Wasm,
        /// Folder from which packages may be staged by path. Empty = by upload only.
        import_dir: PathBuf = PathBuf::new(),
        /// Largest package that is taken, bytes.
        upload_bytes_max: usize = 33_554_432,
        /// Deployments: time in shadow, seconds, unless the operator says otherwise.
        shadow_duration_s: u64 = 300,
        /// Part of the shares that both generations hash in shadow, basis points (100 = 1%).
        shadow_basis_points: u32 = 100,
        /// Time at each step, seconds, unless the operator says otherwise.
        phase_duration_s: u64 = 600,
        /// The steps: percent of the sessions on the new generation, rising to 100.
        phases_percent: Vec<u32> = vec![5, 10, 25, 50, 75, 100],
        /// How long the old generation goes on once the new one serves everyone, milliseconds.
        drain_ms: u64 = 2_000,
        /// A call into a generation on trial that does not return for so long hangs, milliseconds.
        hang_after_ms: u64 = 2_000,
        /// Longest warm-up, seconds.
        warm_up_s_max: u64 = 60,
        /// Hashes of a group (new generation, old one) before health is judged at a step.
        samples_min: u64 = 100,
        /// Health: inputs without a hash, beyond the old generation's, basis points.
        error_rate_basis_points_max: u32 = 50,
        /// Health: median time per hash, percent of the old generation's...
        median_percent_max: u32 = 1_000,
        /// ...plus this, nanoseconds.
        median_slack_ns: u64 = 2_000,
        /// Health: 99th percentile of the time per hash, percent of the old generation's...
        p99_percent_max: u32 = 300,
        /// ...plus this, microseconds. Wide: a busy machine stops any thread for some milliseconds.
        p99_slack_us: u64 = 20_000,
        /// Health: refused shares beyond the old generation's, basis points (where the old one can't confirm a refusal).
        reject_rate_basis_points_max: u32 = 500,
    }
}

section! {
    /// How rewards are shared, and paid out.
    Payout {
        /// "pplns", "prop" or "solo".
        scheme: Scheme = Scheme::Pplns,
        /// PPLNS window as a multiple of the block's network work, basis points (20000 = 2.0).
        window_basis_points: u32 = 20_000,
        /// The pool's fee, basis points (100 = 1%).
        fee_basis_points: u32 = 100,
        /// Pay confirmed balances out by itself. Needs a wallet: profile "simulated" has one.
        enabled: bool = false,
        /// How often payouts are planned, seconds.
        interval_s: u64 = 600,
        /// How often those under way are looked at, milliseconds.
        poll_interval_ms: u64 = 1_000,
        /// Balance from which an account is paid, in the chain's currency, a decimal string. An account can have its own
        /// (dagpool payout threshold).
        threshold: String = "0.01".into(),
        /// Most that is paid out in any 60 minutes, in the chain's currency. Empty = no limit.
        limit_per_hour: String = String::new(),
        /// Most that is paid out in any 24 hours, in the chain's currency. Empty = no limit.
        limit_per_day: String = String::new(),
        /// Depth at which a payout's transaction is final. 0 = the profile's own rule.
        confirmations: u64 = 0,
        /// Most recipients of one transaction; fewer where the chain takes fewer.
        recipients_max: usize = 100,
        /// Unix socket of an external signer (dagpool signer), which has the keys. Empty = the node's wallet has them.
        signer: PathBuf = PathBuf::new(),
        /// Longest time that the signer may take, milliseconds.
        signer_timeout_ms: u64 = 10_000,
    }
}

impl Payout {
    /// Threshold, limit per hour and limit per day in the smallest unit.
    ///
    /// # Errors
    /// The first that is no amount of the chain's currency.
    pub fn amounts(&self, decimals: u8) -> Result<(Amount, Option<Amount>, Option<Amount>), Failure> {
        let read = |key: &str, text: &str| {
            currency::parse(text, decimals).map_err(|error| {
                Failure::new(Code::ConfigInvalid, format!("payout.{key}: {error}"), "write it as \"0.01\"")
            })
        };
        let limit =
            |key: &str, text: &str| if text.is_empty() { Ok(None) } else { read(key, text).map(Some) };
        Ok((
            read("threshold", &self.threshold)?,
            limit("limit_per_hour", &self.limit_per_hour)?,
            limit("limit_per_day", &self.limit_per_day)?,
        ))
    }
}

/// Reward scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// Pay per last N shares.
    #[default]
    Pplns,
    /// Proportional, per round.
    Prop,
    /// All to the finder.
    Solo,
}

section! {
    /// The share journal: what was acknowledged is in it.
    Journal {
        /// "disk": acknowledged shares survive power loss. "os": they survive a crash of the process only.
        durability: Durability = Durability::Disk,
        /// Size of one segment file, bytes.
        segment_bytes: u64 = 67_108_864,
        /// Least time between two commits, microseconds; shares that come meanwhile share one sync.
        commit_interval_us_min: u64 = 1_000,
        /// Disk budget, bytes. Alerted at 80%; shares are refused with a clear error when it is used up.
        disk_budget_bytes: u64 = 21_474_836_480,
        /// Keep segments that the ledger is done with for this long, seconds (audits read them); less when they take
        /// three quarters of the disk budget.
        retention_s: u64 = 2_592_000,
    }
}

/// What an acknowledgement promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// fdatasync before the acknowledgement.
    #[default]
    Disk,
    /// Written to the operating system before the acknowledgement.
    Os,
}

section! {
    /// The database.
    Store {
        /// "sqlite:PATH" (a relative path is below `pool.data_dir`), or "postgres://user:password@host:port/database"
        /// (several hosts are tried in turn). The text itself, "file:/path" or "env:NAME". DATABASE_URL sets it, too.
        url: SecretUrl = "sqlite:pool.db".into(),
        /// Password of the database, if the address should not hold it: the text itself, "file:/path" or "env:NAME".
        password: Option<Secret> = None,
        /// PostgreSQL: who signs the servers' certificates (a file, PEM), for TLS (`?sslmode=verify-full` in the addresses).
        /// Empty = whom the system trusts.
        ca_file: PathBuf = PathBuf::new(),
        /// PostgreSQL: address of a read replica for what the API shows; the primary is asked while it does not answer.
        replica_url: Option<SecretUrl> = None,
        /// PostgreSQL: connections for what the API shows, to each server. The ledger has its own, at most four.
        connections: u32 = 8,
        /// PostgreSQL: bound on the time until a connection is usable, milliseconds.
        connect_timeout_ms: u64 = 5_000,
        /// PostgreSQL: bound on one statement, milliseconds; audits take what they take.
        statement_timeout_ms: u64 = 10_000,
        /// How long to wait at start for a database that does not answer, seconds.
        start_wait_s: u64 = 30,
        /// Days for which shares by the hour (the history of hash rates) are kept. Balances, blocks and totals stay for ever.
        history_days: u32 = 90,
        /// Bring the schema up to date at start. With false, a schema that is behind is refused until `dagpool migrate`
        /// was run: for roles that may not change tables.
        migrate_at_start: bool = true,
    }
}

section! {
    /// The cache: what may be lost, and what several pools share: bans, events, snapshots. The pool runs without it.
    Cache {
        /// "memory:" (this process alone), "redis://user:password@host:port/database",
        /// "redis-sentinel://host:port,host:port/service" or "redis-cluster://host:port,host:port"; over TLS with
        /// rediss:// or rediss-cluster://. The text itself, "file:/path" or "env:NAME". REDIS_URL sets it, too.
        url: SecretUrl = "memory:".into(),
        /// Password of the servers, if the address should not hold it: the text itself, "file:/path" or "env:NAME".
        password: Option<Secret> = None,
        /// Who signs the servers' certificates (a file, PEM), for TLS. Empty = whom the system trusts.
        ca_file: PathBuf = PathBuf::new(),
        /// What all keys begin with. Pools of one prefix share their bans; others on the same server notice nothing.
        prefix: String = "dagpool".into(),
        /// Bound on one command, milliseconds.
        timeout_ms: u64 = 250,
    }
}

section! {
    /// Dashboard, API, metrics and health, all on one port.
    Http {
        /// Address and port.
        address: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 8080)),
        /// Live feeds (`/api/live`) at once.
        feeds_max: usize = 5_000,
        /// Of these, of one address; 0 = as many as there may be. Behind a proxy without `behind_proxy` all are of one.
        feeds_per_address: usize = 100,
        /// Connections, feeds among them, of one address (IPv6: of one /64) at once; 0 = no limit. Not counted behind a
        /// proxy, which must do so itself.
        connections_per_address: usize = 500,
        /// Requests a second of one address to `/api` and `/notifications`, sustained; 0 = no limit. Health and metrics are free of it.
        rate_limit_per_second: u32 = 50,
        /// Requests that one address may make at once before that.
        rate_limit_burst: u32 = 500,
        /// Requests of this machine itself are free of the limit.
        rate_limit_exempt_loopback: bool = false,
        /// Where people reach the dashboard, such as "https://pool.example.org": what links in mails begin with. Empty =
        /// http:// and `http.address`. Never what a request says of itself, since anybody could write anything there.
        public_url: String = String::new(),
        /// A proxy of yours is in front: an address is what it adds to X-Forwarded-For. Never without one, since anybody
        /// could write anything there.
        behind_proxy: bool = false,
        /// Other sites whose pages may use the API and the live feed from a browser, such as "https://pool.example.org".
        /// The pool's own dashboard needs none.
        cors_origins: Vec<String> = vec![],
    }
}

section! {
    /// Who may change something.
    Auth {
        /// Token for routes that change something: the text itself, "file:/path" or "env:NAME".
        /// Without one, a random token is made at each start and printed once.
        admin_token: Option<Secret> = None,
        /// Key that signs sessions and seals second factors, 32 characters or more: the text itself, "file:/path" or "env:NAME".
        /// Without one, a random key is made in `pool.data_dir`/auth.key. Pools that share a database need the same one.
        key: Option<Secret> = None,
        /// Strangers may register, as miners.
        registration: bool = true,
        /// Who registers needs an e-mail address, and signs in once it is confirmed by the link that is sent there. Admins
        /// get in without.
        verify_email: bool = false,
        /// Fewest characters of a password.
        password_chars_min: usize = 10,
        /// A session ends when it was not used for so long, hours.
        session_hours: u64 = 168,
        /// A session ends after so long whatever happens, days.
        session_days_max: u64 = 30,
        /// Roles that can't go without a second factor: "admin", "operator", "viewer", "miner".
        mfa_required: Vec<String> = vec![],
    }
}

section! {
    /// Mail to the pool's users: links that confirm an address or set another password, and alerts of their own. Operators'
    /// alerts have channels of their own.
    Mail {
        /// "smtp://host:port", "smtps://user:password@host", or "outbox:FOLDER": files, for a pool without a mail server (a
        /// relative path is below `pool.data_dir`). The text itself, "file:/path" or "env:NAME".
        url: SecretUrl = "outbox:outbox".into(),
        /// Who sends.
        from: String = "BlockDAG Pool <pool@localhost>".into(),
        /// Bound on one try, milliseconds.
        timeout_ms: u64 = 10_000,
        /// Who signs the server's certificate (a file, PEM). Empty = whom the system trusts.
        ca_file: PathBuf = PathBuf::new(),
    }
}

section! {
    /// Logs, on standard error.
    Log {
        /// "human" or "json".
        format: LogFormat = LogFormat::Human,
        /// Level, or a filter such as "info,pool_actors::stratum=debug".
        level: String = "info".into(),
        /// Lines that are kept in memory for the page LOGS and `dagpool logs`; 0 = none.
        kept_lines: usize = 20_000,
    }
}

/// Form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Human,
    /// For programs: one JSON object a line.
    Json,
}
