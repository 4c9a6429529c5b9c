//! One connection's protocol as a state machine: lines in, lines and work out; no socket, no clock.

use std::collections::{BTreeMap, VecDeque};

use ruint::aliases::U256;
use serde_json::{Value, json};

use super::config::{Conduct, Dialect};
use super::dialect::{Extranonce, Job, Puzzle, share_target};
use super::stats::MinerStats;

/// Version bits that a miner asks to roll (BIP320).
const VERSION_MASK_WANTED: u32 = 0x1fff_e000;
/// Works whose late solutions are still sent: an old job may still earn.
const WORKS_KEPT: usize = 4;
/// Shares without an answer; a pool that is further behind is not fed more.
const MOST_UNANSWERED: usize = 256;

const CONFIGURE: i64 = 0;
const SUBSCRIBE: i64 = 1;
const AUTHORIZE: i64 = 2;
const EXTRANONCE_SUBSCRIBE: i64 = 3;
/// cpuminer-family clients give every submit this id.
const SUBMIT: i64 = 4;
const MULTI_VERSION: i64 = 5;
/// Clients of the bdag dialect count upwards from here.
const FIRST_BDAG_SUBMIT: i64 = 1_000;

/// What a session is told by its miner.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// How to speak.
    pub dialect: Dialect,
    /// What to hash at first.
    pub algorithm: &'static str,
    /// What `mining.set_algorithm` may switch to besides.
    pub also: Vec<&'static str>,
    /// `account.worker`.
    pub user: String,
    /// Password.
    pub password: String,
    /// Ask for version rolling.
    pub version_rolling: bool,
    /// First piece of the search space, so that restarts don't repeat it.
    pub first_counter: u64,
    /// What it does with what it finds.
    pub conduct: Conduct,
    /// Accepted shares after which it rests.
    pub shares_limit: Option<u64>,
}

/// What the miner is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send a line (without its newline).
    Send(String),
    /// Hash this; `None` rests.
    Work(Option<Task>),
    /// Connect anew, to another address if given, after some seconds.
    Reconnect {
        /// `host:port`.
        address: Option<String>,
        /// Wait, in seconds.
        wait: u64,
    },
    /// The connection is of no use; the reason is for people.
    Fail(String),
}

/// Work for the grinder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// For [`Session::solved`].
    pub id: u64,
    /// What to hash.
    pub algorithm: &'static str,
    /// The header.
    pub puzzle: Puzzle,
    /// A share is at or below it.
    pub target: U256,
}

/// See the module.
#[derive(Debug)]
pub struct Session {
    config: SessionConfig,
    algorithm: &'static str,
    extranonce: Option<Extranonce>,
    difficulty: f64,
    version_mask: u32,
    authorized: bool,
    job: Option<Job>,
    job_target: U256,
    counter: u64,
    next_work: u64,
    works: BTreeMap<u64, Puzzle>,
    unanswered: VecDeque<i64>,
    next_submit: i64,
}

impl Session {
    /// A session before its first line.
    pub fn new(config: SessionConfig) -> Self {
        let (algorithm, counter) = (config.algorithm, config.first_counter);
        Self {
            config,
            algorithm,
            extranonce: None,
            difficulty: 1.0,
            version_mask: 0,
            authorized: false,
            job: None,
            job_target: U256::ZERO,
            counter,
            next_work: 0,
            works: BTreeMap::new(),
            unanswered: VecDeque::new(),
            next_submit: FIRST_BDAG_SUBMIT,
        }
    }

    /// Shares that were sent and not answered.
    pub fn unanswered(&self) -> usize {
        self.unanswered.len()
    }

    /// Where the search stands, for the session of the next connection.
    pub fn counter(&self) -> u64 {
        self.counter
    }

    /// What to send once the socket is open.
    pub fn open(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.config.version_rolling && self.config.dialect == Dialect::Standard {
            let options = json!({"version-rolling.mask": format!("{VERSION_MASK_WANTED:08x}"), "version-rolling.min-bit-count": 2});
            actions.push(self.request(CONFIGURE, "mining.configure", &json!([["version-rolling"], options])));
        }
        let params = match self.config.dialect {
            Dialect::Standard => json!(["dagsim/1.0"]),
            Dialect::Kaspa => json!(["dagsim/1.0", "EthereumStratum/1.0.0"]),
            Dialect::Bdag => json!(["dagsim/1.0"]),
        };
        actions.push(self.request(SUBSCRIBE, "mining.subscribe", &params));
        actions
    }

    /// A request spelt as miners of the dialect do: cpuminer puts spaces after colons and commas, and in submits the id last.
    fn request(&self, id: i64, method: &str, params: &Value) -> Action {
        let compact = params.to_string();
        Action::Send(match self.config.dialect {
            Dialect::Standard => {
                let params = spaced(params);
                if id == SUBMIT {
                    format!(r#"{{"method": "{method}", "params": {params}, "id":{id}}}"#)
                } else {
                    format!(r#"{{"id": {id}, "method": "{method}", "params": {params}}}"#)
                }
            }
            Dialect::Kaspa | Dialect::Bdag => {
                format!(r#"{{"id":{id},"method":"{method}","params":{compact}}}"#)
            }
        })
    }

    /// Takes a line of the pool.
    pub fn line(&mut self, line: &str, stats: &mut MinerStats) -> Vec<Action> {
        let Ok(Value::Object(message)) = serde_json::from_str(line) else {
            return vec![Action::Fail(format!(
                "not a JSON object: {}",
                line.chars().take(80).collect::<String>()
            ))];
        };
        let id = message.get("id").unwrap_or(&Value::Null);
        match message.get("method").and_then(Value::as_str) {
            Some(method) => {
                let empty = Vec::new();
                let params = message.get("params").and_then(Value::as_array).unwrap_or(&empty);
                self.notification(method, id, params, stats)
            }
            None => {
                let result = message.get("result").unwrap_or(&Value::Null);
                self.answer(id, result, message.get("error").unwrap_or(&Value::Null), stats)
            }
        }
    }

    fn notification(
        &mut self,
        method: &str,
        id: &Value,
        params: &[Value],
        stats: &mut MinerStats,
    ) -> Vec<Action> {
        match method {
            "mining.set_difficulty" => {
                // Strings are ignored, as the clients in the field do.
                if let Some(difficulty) = params.first().and_then(Value::as_f64) {
                    self.difficulty = difficulty;
                    if self.config.dialect == Dialect::Bdag && self.job.is_some() {
                        return self.start_job(stats);
                    }
                }
                Vec::new()
            }
            "mining.notify" => self.notify(params, stats),
            "mining.set_extranonce" => {
                self.extranonce = read_extranonce(params.first(), params.get(1), self.config.dialect);
                Vec::new()
            }
            "mining.set_version_mask" => {
                let mask = params.first().and_then(Value::as_str).unwrap_or("");
                self.version_mask = u32::from_str_radix(mask, 16).unwrap_or(0) & VERSION_MASK_WANTED;
                Vec::new()
            }
            "mining.set_algorithm" => self.set_algorithm(params, stats),
            "client.get_version" => vec![answer(id, &json!("dagsim/1.0"))],
            "mining.ping" | "client.ping" => vec![answer(id, &json!("pong"))],
            "client.show_message" => {
                stats.messages += 1;
                stats.last_message = params.first().and_then(Value::as_str).map(str::to_owned);
                Vec::new()
            }
            "client.reconnect" => reconnect(params),
            // Unknown notifications are skipped; unknown requests get no answer from such clients either.
            _ => Vec::new(),
        }
    }

    fn set_algorithm(&mut self, params: &[Value], stats: &mut MinerStats) -> Vec<Action> {
        let name = params.first().and_then(Value::as_str).unwrap_or("");
        let mut able = [self.config.algorithm].into_iter().chain(self.config.also.iter().copied());
        match able.find(|able| *able == name) {
            // Holds from the next job on.
            Some(algorithm) => {
                stats.switches += u64::from(self.algorithm != algorithm);
                self.algorithm = algorithm;
                Vec::new()
            }
            None => {
                vec![Action::Fail(format!("the pool asks for algorithm {name}, which this miner can't do"))]
            }
        }
    }

    fn notify(&mut self, params: &[Value], stats: &mut MinerStats) -> Vec<Action> {
        match Job::parse(self.config.dialect, params) {
            Ok(job) => {
                stats.jobs += 1;
                stats.clean_jobs += u64::from(job.clean);
                if job.clean {
                    self.works.clear();
                }
                self.job = Some(job);
                self.start_job(stats)
            }
            Err(reason) => vec![Action::Fail(reason)],
        }
    }

    /// A new job, or a new difficulty where that counts at once. The difficulty is bound to the work from here on.
    fn start_job(&mut self, stats: &mut MinerStats) -> Vec<Action> {
        self.job_target = share_target(self.config.dialect, self.algorithm, self.difficulty);
        stats.difficulty = self.difficulty;
        self.algorithm.clone_into(&mut stats.algorithm);
        self.next_piece(stats)
    }

    /// Work on the next piece of the search space; also when the nonces of the last one are used up.
    pub fn next_piece(&mut self, stats: &MinerStats) -> Vec<Action> {
        let (Some(job), Some(extranonce)) = (&self.job, &self.extranonce) else { return Vec::new() };
        if !self.authorized || self.is_done(stats) {
            return vec![Action::Work(None)];
        }
        let puzzle = job.puzzle(extranonce, self.counter, self.version_mask);
        self.counter = self.counter.wrapping_add(1);
        self.next_work += 1;
        self.works.insert(self.next_work, puzzle.clone());
        while self.works.len() > WORKS_KEPT {
            self.works.pop_first();
        }
        let task = Task { id: self.next_work, algorithm: self.algorithm, puzzle, target: self.job_target };
        vec![Action::Work(Some(task))]
    }

    fn is_done(&self, stats: &MinerStats) -> bool {
        self.config.shares_limit.is_some_and(|limit| stats.accepted >= limit)
    }

    /// A solution was found: it is sent, or kept, as the miner's conduct is.
    pub fn found(&mut self, work: u64, nonce: u32, hash: U256, stats: &mut MinerStats) -> Vec<Action> {
        let Some(puzzle) = self.works.get(&work) else { return Vec::new() };
        let is_block = || puzzle.network_target(self.config.dialect).is_some_and(|target| hash <= target);
        let keeps = match self.config.conduct {
            Conduct::Honest | Conduct::Stripes | Conduct::Hoard(_) => false,
            Conduct::Withhold => is_block(),
            Conduct::BlocksOnly => !is_block(),
        };
        if keeps {
            stats.withheld += 1;
            return Vec::new();
        }
        self.solved(work, nonce, stats)
    }

    /// A share was found, and is to be sent.
    pub fn solved(&mut self, work: u64, nonce: u32, stats: &mut MinerStats) -> Vec<Action> {
        let Some(puzzle) = self.works.get(&work) else { return Vec::new() };
        let waiting = self.unanswered.len();
        let enough = |limit: u64| stats.accepted + waiting as u64 >= limit;
        if self.config.shares_limit.is_some_and(enough) {
            // What is under way may be all that is wanted; a refusal starts the search again.
            return vec![Action::Work(None)];
        }
        if waiting >= MOST_UNANSWERED {
            stats.held_back += 1;
            return Vec::new();
        }
        let params = puzzle.submit(self.config.dialect, &self.config.user, nonce);
        let id = match self.config.dialect {
            Dialect::Standard => SUBMIT,
            Dialect::Kaspa | Dialect::Bdag => {
                self.next_submit += 1;
                self.next_submit - 1
            }
        };
        self.unanswered.push_back(id);
        stats.submitted += 1;
        vec![self.request(id, "mining.submit", &params)]
    }

    fn answer(&mut self, id: &Value, result: &Value, error: &Value, stats: &mut MinerStats) -> Vec<Action> {
        let Some(id) = id.as_i64() else {
            return vec![Action::Fail(format!("an answer with id {id}"))];
        };
        match id {
            CONFIGURE => {
                if let Some(mask) = result.get("version-rolling.mask").and_then(Value::as_str) {
                    self.version_mask = u32::from_str_radix(mask, 16).unwrap_or(0) & VERSION_MASK_WANTED;
                }
                Vec::new()
            }
            SUBSCRIBE => self.subscribed(result, error),
            AUTHORIZE => self.authorized(result, error, stats),
            EXTRANONCE_SUBSCRIBE | MULTI_VERSION => Vec::new(),
            _ => self.verdict(id, result, error, stats),
        }
    }

    fn subscribed(&mut self, result: &Value, error: &Value) -> Vec<Action> {
        if !error.is_null() || result.is_null() {
            return vec![Action::Fail(format!("subscribe is refused: {error}"))];
        }
        match self.config.dialect {
            Dialect::Standard | Dialect::Bdag => {
                self.extranonce = read_extranonce(result.get(1), result.get(2), self.config.dialect);
                if self.extranonce.is_none() {
                    return vec![Action::Fail(format!("subscribe gives no extranonce: {result}"))];
                }
            }
            // Here it comes by mining.set_extranonce, or, for some agents, with this answer.
            Dialect::Kaspa => {
                if result.get(1).and_then(Value::as_str).is_some_and(|text| !text.starts_with("Ethereum")) {
                    self.extranonce = read_extranonce(result.get(1), None, Dialect::Kaspa);
                }
            }
        }
        let params = match self.config.dialect {
            Dialect::Bdag => {
                let (account, worker) = self.config.user.split_once('.').unwrap_or((&self.config.user, "x"));
                json!([account, worker])
            }
            _ => json!([self.config.user, self.config.password]),
        };
        if self.config.dialect == Dialect::Bdag {
            self.config.user.truncate(self.config.user.find('.').unwrap_or(self.config.user.len()));
        }
        let mut actions = Vec::new();
        // Before the authorisation, so that the first work is already of what the pool wants.
        if self.config.dialect == Dialect::Standard && !self.config.also.is_empty() {
            let able: Vec<&str> =
                [self.config.algorithm].into_iter().chain(self.config.also.clone()).collect();
            actions.push(self.request(MULTI_VERSION, "mining.multi_version", &json!([able])));
        }
        actions.push(self.request(AUTHORIZE, "mining.authorize", &params));
        actions
    }

    fn authorized(&mut self, result: &Value, error: &Value, stats: &mut MinerStats) -> Vec<Action> {
        if *result != Value::Bool(true) {
            return vec![Action::Fail(format!("authorize is refused: {error}"))];
        }
        self.authorized = true;
        stats.authorized = true;
        let mut actions = Vec::new();
        if self.config.dialect == Dialect::Standard {
            actions.push(self.request(EXTRANONCE_SUBSCRIBE, "mining.extranonce.subscribe", &json!([])));
        }
        // The first job may have come before.
        actions.extend(self.next_piece(stats));
        actions
    }

    fn verdict(&mut self, id: i64, result: &Value, error: &Value, stats: &mut MinerStats) -> Vec<Action> {
        // Repeated ids are answered in order; others may be overtaken.
        let Some(at) = self.unanswered.iter().position(|&waiting| waiting == id) else {
            return vec![Action::Fail(format!("an answer with id {id}, which was not asked"))];
        };
        self.unanswered.remove(at);
        if *result == Value::Bool(true) && error.is_null() {
            stats.accepted += 1;
            return if self.is_done(stats) { vec![Action::Work(None)] } else { Vec::new() };
        }
        let code = error.get(0).or_else(|| error.get("code")).and_then(Value::as_i64).unwrap_or(0);
        *stats.rejected.entry(code).or_default() += 1;
        stats.last_error = Some(format!("share refused: {error}"));
        // With a limit, the search may rest and wait for exactly this answer.
        if self.config.shares_limit.is_some() { self.next_piece(stats) } else { Vec::new() }
    }
}

fn read_extranonce(prefix: Option<&Value>, size: Option<&Value>, dialect: Dialect) -> Option<Extranonce> {
    let prefix = hex::decode(prefix?.as_str()?).ok()?;
    let given = size.and_then(Value::as_u64).and_then(|size| usize::try_from(size).ok());
    let size = match dialect {
        Dialect::Kaspa => given.unwrap_or(8_usize.saturating_sub(prefix.len())),
        _ => given.filter(|size| (1..=16).contains(size))?,
    };
    Some(Extranonce { prefix, size })
}

fn answer(id: &Value, result: &Value) -> Action {
    Action::Send(format!(r#"{{"id":{id},"result":{result},"error":null}}"#))
}

fn reconnect(params: &[Value]) -> Vec<Action> {
    // Without parameters it is ignored, as most clients do.
    let Some(host) = params.first().and_then(Value::as_str) else { return Vec::new() };
    let port = match params.get(1) {
        Some(Value::String(port)) => port.parse().ok(),
        Some(port) => port.as_u64(),
        None => None,
    };
    let wait = params.get(2).and_then(Value::as_u64).unwrap_or(0);
    let address = port.filter(|_| !host.is_empty()).map(|port| format!("{host}:{port}"));
    vec![Action::Reconnect { address, wait }]
}

/// JSON with a space after every comma and colon, as cpuminer prints it.
fn spaced(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(spaced).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| format!("{}: {}", json!(name), spaced(value));
            format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
