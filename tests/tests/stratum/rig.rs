//! A Stratum server without a pool around it: jobs from the test, verdicts by rule, time that only moves when nothing
//! else happens.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    rc::Rc,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use actix::{Actor, Addr, Context, Handler, Message};
use pool_actors::{
    config::{Banning, Listener, Stratum, Vardiff},
    messages::{
        block::CandidateFound,
        event::{PoolEvent, Publish},
        job::{Job, PublishJob, RenderCache},
        route::{Rescue, RouteTable, ValidatorDoor},
        share::{Share, ValidateBatch},
        stats::{SessionEnded, StatsTally},
    },
    ports::{
        clock::Clock,
        node::{HeaderForm, NodePrivate, Template},
    },
    runtime::{
        critical::CriticalOutbox,
        outbox::Outbox,
        ticket::resolve_all,
        watch::{Publisher, watched},
    },
    stratum::{
        context::ArbiterContext,
        hub::SessionHub,
        session::MinerSession,
        settings::{AccountCheck, Exits, Parts, Shared},
    },
};
use pool_domain::{
    difficulty::{Difficulty, DifficultyScale},
    functions::Functions,
    ids::{Account, AlgorithmName, BlockHash, Generation, JobId, Route, SlotId, TemplateId, WorkerName},
    share::Verdict,
    target::Target,
    traffic_split::TrafficSplit,
    units::TimeMs,
};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, DuplexStream};

/// Base of the test clock, Unix milliseconds.
pub const EPOCH_MS: u64 = 1_700_000_000_000;
/// Longer than anything in the server waits for, apart from its own time-outs.
const PATIENCE: Duration = Duration::from_secs(5);

/// tokio's clock, which tests may pause.
pub struct TestClock(tokio::time::Instant);

impl Clock for TestClock {
    fn now(&self) -> TimeMs {
        TimeMs(EPOCH_MS + u64::try_from(self.0.elapsed().as_millis()).unwrap())
    }
}

/// Keeps what it is sent.
pub struct Collected<M>(Arc<Mutex<Vec<M>>>);

impl<M> Clone for Collected<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M> Collected<M> {
    pub fn get(&self) -> MutexGuard<'_, Vec<M>> {
        self.0.lock().unwrap()
    }
}

struct Collector<M>(Collected<M>);

impl<M: Message<Result = ()> + Send + Unpin + 'static> Actor for Collector<M> {
    type Context = Context<Self>;
}

impl<M: Message<Result = ()> + Send + Unpin + 'static> Handler<M> for Collector<M> {
    type Result = ();
    fn handle(&mut self, message: M, _: &mut Self::Context) {
        self.0.get().push(message);
    }
}

/// Kept alive by the mailbox's address inside the outbox.
pub fn collect<M: Message<Result = ()> + Send + Unpin + 'static>() -> (Outbox<M>, Collected<M>) {
    let collected = Collected(Arc::new(Mutex::new(Vec::new())));
    let actor = Collector(collected.clone()).start();
    (Outbox::new("Collector", actor.recipient()), collected)
}

/// Asks an actor through an outbox, as everything but the runtime does.
pub async fn ask<A, M>(actor: &Addr<A>, message: M) -> M::Result
where
    A: Actor<Context = Context<A>> + Handler<M>,
    M: Message + Send + 'static,
    M::Result: Send,
{
    Outbox::new("actor", actor.clone().recipient()).ask(message).await.unwrap()
}

type Rule = Box<dyn FnMut(&Share) -> Option<Verdict> + Send>;

/// A validator that judges by the test's rule; `None` keeps the share.
struct Judge {
    rule: Arc<Mutex<Rule>>,
    seen: Collected<Seen>,
    held: Arc<Mutex<Vec<Share>>>,
}

/// What a validator saw of a share.
#[derive(Clone, Debug)]
pub struct Seen {
    pub header: [u8; 80],
    pub job: JobId,
    pub target: Target,
    pub late: bool,
    pub account: String,
    pub worker: String,
    /// Shares in the same batch.
    pub together: usize,
}

impl Actor for Judge {
    type Context = Context<Self>;
}

impl Handler<ValidateBatch> for Judge {
    type Result = ();
    fn handle(&mut self, batch: ValidateBatch, _: &mut Self::Context) {
        let together = batch.shares().len();
        let mut judged = Vec::new();
        for share in batch.finish() {
            self.seen.get().push(Seen {
                header: share.header,
                job: share.job.id,
                target: share.target,
                late: share.late,
                account: share.worker.account.to_string(),
                worker: share.worker.worker.to_string(),
                together,
            });
            let verdict = (self.rule.lock().unwrap())(&share);
            match verdict {
                Some(verdict) => judged.push((share.ticket, verdict)),
                None => self.held.lock().unwrap().push(share),
            }
        }
        resolve_all(judged);
    }
}

pub struct Rig {
    pub context: Rc<ArbiterContext>,
    pub hub: Addr<SessionHub>,
    pub shared: Arc<Shared>,
    pub events: Collected<Publish>,
    pub tallies: Collected<StatsTally>,
    pub ended: Collected<SessionEnded>,
    pub seen: Collected<Seen>,
    held: Arc<Mutex<Vec<Share>>>,
    rule: Arc<Mutex<Rule>>,
    owner: CriticalOutbox<CandidateFound>,
    _routes: Publisher<RouteTable>,
    next_job: u64,
}

pub const ROUTE: Route = Route { slot: SlotId(1), generation: Generation(1) };

/// Accounts are any text without spaces; "bad..." is refused.
pub fn accounts() -> AccountCheck {
    Arc::new(|user: &str| {
        let (account, worker) = user.split_once('.').unwrap_or((user, ""));
        assert_ne!(account, "panic", "the test wants it so");
        if account.starts_with("bad") {
            return Err("not an address of this chain".to_owned());
        }
        let account = Account::new(account).map_err(|error| error.to_string())?;
        let worker = WorkerName::new(worker).map_err(|error| error.to_string())?;
        Ok((account, worker))
    })
}

pub struct Exit {
    pub exits: Exits,
    pub events: Collected<Publish>,
    pub tallies: Collected<StatsTally>,
    pub ended: Collected<SessionEnded>,
    pub seen: Collected<Seen>,
    held: Arc<Mutex<Vec<Share>>>,
    rule: Arc<Mutex<Rule>>,
    routes: Publisher<RouteTable>,
}

impl Exit {
    /// Judges shares from now on.
    pub fn judge(&self, rule: impl FnMut(&Share) -> Option<Verdict> + Send + 'static) {
        *self.rule.lock().unwrap() = Box::new(rule);
    }
}

/// Ways out that end in collectors and a judge that accepts everything.
pub fn exits() -> Exit {
    let (events_out, events) = collect();
    let (tallies_out, tallies) = collect();
    let (ended_out, ended) = collect();
    let seen = Collected(Arc::default());
    let held = Arc::new(Mutex::new(Vec::new()));
    let rule: Arc<Mutex<Rule>> = Arc::new(Mutex::new(Box::new(|_| Some(Verdict::Accepted))));
    let judge = Judge { rule: rule.clone(), seen: seen.clone(), held: held.clone() }.start();
    let door = ValidatorDoor::new(Outbox::new("Judge", judge.recipient()), Arc::new(Rescue::default()));
    let (routes, routes_in) = watched(RouteTable::new(vec![(ROUTE, vec![door])]));
    let exits = Exits { events: events_out, tallies: tallies_out, ended: ended_out, routes: routes_in };
    Exit { exits, events, tallies, ended, seen, held, rule, routes }
}

pub fn parts(settings: Stratum, banning: Banning, exits: Exits) -> Parts {
    Parts {
        settings,
        vardiff: Vardiff::default(),
        banning,
        job_grace_ms: 30_000,
        tally_ms: 1_000,
        extranonce_epoch: 0xa1,
        notices: true,
        clock: Arc::new(TestClock(tokio::time::Instant::now())),
        accounts: accounts(),
        exits,
    }
}

pub fn listener(dialect: &str, difficulty: &str, fixed: bool) -> Listener {
    Listener {
        address: SocketAddr::from(([127, 0, 0, 1], 0)),
        dialect: dialect.to_owned(),
        difficulty: Some(Difficulty::parse(difficulty).unwrap()),
        fixed,
        ..Listener::default()
    }
}

impl Rig {
    /// A hub with one listener, default settings, time paused.
    pub fn new(dialect: &str, difficulty: &str) -> Self {
        Self::with(Stratum { listener: vec![listener(dialect, difficulty, false)], ..Stratum::default() })
    }

    pub fn with(settings: Stratum) -> Self {
        Self::with_banning(settings, Banning::default())
    }

    pub fn with_banning(settings: Stratum, banning: Banning) -> Self {
        tokio::time::pause();
        let exit = exits();
        let shared = Arc::new(Shared::new(parts(settings, banning, exit.exits)).unwrap());
        let hub = SessionHub::new(0, Arc::clone(&shared));
        Self {
            context: hub.context(),
            hub: hub.start(),
            shared,
            events: exit.events,
            tallies: exit.tallies,
            ended: exit.ended,
            seen: exit.seen,
            held: exit.held,
            rule: exit.rule,
            owner: CriticalOutbox::new(collect().0),
            _routes: exit.routes,
            next_job: 1,
        }
    }

    /// Judges shares from now on.
    pub fn judge(&self, rule: impl FnMut(&Share) -> Option<Verdict> + Send + 'static) {
        *self.rule.lock().unwrap() = Box::new(rule);
    }

    /// Verdicts for what the judge kept.
    pub fn release(&self, verdict: Verdict) -> usize {
        let held: Vec<_> = self.held.lock().unwrap().drain(..).collect();
        let count = held.len();
        resolve_all(held.into_iter().map(|share| (share.ticket, verdict)).collect());
        count
    }

    /// Publishes a job; its number follows the last one's.
    pub async fn job(&mut self, header: HeaderForm, clean: bool) -> JobId {
        self.job_at(header, clean, Difficulty::whole(1 << 30)).await
    }

    pub async fn job_at(&mut self, header: HeaderForm, clean: bool, network: Difficulty) -> JobId {
        let job = job(self.next_job, header, clean, network, self.owner.clone());
        self.next_job += 1;
        let id = job.id;
        ask(&self.hub, PublishJob(Arc::new(job))).await;
        id
    }

    /// Publishes a job of a function, while these functions are mined.
    pub async fn job_of(&mut self, function: &str, header: HeaderForm, functions: &Functions) -> JobId {
        let mut job = job(self.next_job, header, false, Difficulty::whole(1 << 30), self.owner.clone());
        job.algorithm = AlgorithmName::new(function).unwrap();
        job.functions = Arc::new(functions.clone());
        self.next_job += 1;
        let id = job.id;
        ask(&self.hub, PublishJob(Arc::new(job))).await;
        id
    }

    /// Connects a miner by memory.
    pub fn connect(&self) -> Client<DuplexStream> {
        self.connect_with(64 * 1024)
    }

    /// With a pipe that holds so many bytes.
    pub fn connect_with(&self, pipe_bytes: usize) -> Client<DuplexStream> {
        let (ours, theirs) = tokio::io::duplex(pipe_bytes);
        let peer = SocketAddr::from(([10, 0, 0, 1], 4_000));
        let permit = self.shared.gate.admit(peer.ip(), self.shared.clock.now()).unwrap();
        MinerSession::open(&self.context, theirs, peer, 0, permit);
        Client::new(ours)
    }

    /// Lets so much time pass.
    pub async fn pass(&self, ms: u64) {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }

    pub fn event_names(&self) -> Vec<&'static str> {
        self.events
            .get()
            .iter()
            .map(|publish| match publish.event {
                PoolEvent::MinerConnected(_) => "connected",
                PoolEvent::MinerDisconnected(_) => "disconnected",
                PoolEvent::DifficultyAdjusted { .. } => "difficulty",
                PoolEvent::SecurityEvent { .. } => "security",
                _ => "other",
            })
            .collect()
    }
}

pub fn job(
    number: u64,
    header: HeaderForm,
    clean: bool,
    network: Difficulty,
    owner: CriticalOutbox<CandidateFound>,
) -> Job {
    let algorithm = AlgorithmName::new(match header {
        HeaderForm::Coinbase { .. } => "sha256d",
        HeaderForm::BdagMining { .. } => "scrypt-bdag",
        HeaderForm::PrePow { .. } => "kheavyhash",
    })
    .unwrap();
    let network_target = DifficultyScale::by_algorithm(&algorithm).target(network);
    let previous = match &header {
        HeaderForm::Coinbase { previous, .. } | HeaderForm::BdagMining { previous, .. } => *previous,
        HeaderForm::PrePow { pre_pow_hash, .. } => *pre_pow_hash,
    };
    let template = Template {
        id: TemplateId(number),
        endpoint: 0,
        algorithm: algorithm.clone(),
        parents: vec![BlockHash::from_internal(previous)],
        height: Some(number),
        network_target,
        received_at: TimeMs(EPOCH_MS),
        header,
        private: NodePrivate(Arc::new(())),
    };
    Job {
        id: JobId(number),
        template: Arc::new(template),
        split: TrafficSplit::whole(ROUTE),
        functions: Arc::new(Functions::only(algorithm.clone())),
        algorithm,
        clean,
        network_target,
        network_work: network_target.work().unwrap(),
        network_difficulty: network,
        start_difficulty: None,
        issued_at: TimeMs(EPOCH_MS),
        owner,
        rendered: RenderCache::default(),
    }
}

/// A header of the Bitcoin kind; `parent` tells jobs apart.
pub fn coinbase(parent: u8) -> HeaderForm {
    let mut previous = [parent; 32];
    previous[0] = 1;
    previous[3] = 4;
    HeaderForm::Coinbase {
        version: 0x2000_0000,
        previous,
        coinbase1: vec![1, 0, 0, 0],
        coinbase2: vec![0xff, 0xff],
        branches: vec![[0xab; 32], [0xcd; 32]],
        bits: 0x207f_ffff,
        time: 0x6554_0000,
        time_range: (0x6553_f000, 0x6555_0000),
        version_mask: 0x1fff_e000,
    }
}

pub fn bdag() -> HeaderForm {
    let mut previous = [0x11; 32];
    previous[16..].fill(0x22);
    HeaderForm::BdagMining {
        version: [0x12, 0, 0, 0],
        previous,
        bits: [0x1d, 0, 0xff, 0xff],
        time: [0x65, 0x54, 0, 0],
    }
}

pub fn kaspa(hash: u8) -> HeaderForm {
    let mut pre_pow_hash = [hash; 32];
    pre_pow_hash[0] = 1;
    HeaderForm::PrePow { pre_pow_hash, timestamp_ms: 0x0000_018b_cfe5_6800 }
}

/// A miner's end of a connection.
pub struct Client<S> {
    stream: BufReader<S>,
    early: VecDeque<String>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub fn new(stream: S) -> Self {
        Self { stream: BufReader::new(stream), early: VecDeque::new() }
    }

    pub async fn send(&mut self, line: &str) {
        self.send_bytes(format!("{line}\n").as_bytes()).await;
    }

    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        self.try_send(bytes).await.unwrap();
    }

    pub async fn try_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.get_mut().write_all(bytes).await?;
        self.stream.get_mut().flush().await
    }

    /// The next line; `None` at the end of the stream.
    pub async fn next(&mut self) -> Option<String> {
        if let Some(line) = self.early.pop_front() {
            return Some(line);
        }
        let mut line = String::new();
        let read = tokio::time::timeout(PATIENCE, self.stream.read_line(&mut line));
        match read.await.expect("the server answers in time") {
            Ok(0) | Err(_) => None,
            Ok(_) => {
                assert!(line.ends_with('\n') && line.len() > 1, "whole lines, never blank: {line:?}");
                Some(line.trim_end().to_owned())
            }
        }
    }

    /// The next line.
    pub async fn line(&mut self) -> String {
        self.next().await.expect("the connection is open")
    }

    /// The next line as JSON.
    pub async fn json(&mut self) -> serde_json::Value {
        let line = self.line().await;
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// Whether nothing comes for a while. What does come is not lost.
    pub async fn is_quiet(&mut self, ms: u64) -> bool {
        let mut line = String::new();
        let read = tokio::time::timeout(Duration::from_millis(ms), self.stream.read_line(&mut line)).await;
        if read.is_ok() {
            self.early.push_back(line.trim_end().to_owned());
        }
        read.is_err()
    }

    /// Subscribes and authorises; returns the difficulty line and the notify line.
    pub async fn log_in(&mut self, user: &str) -> (String, String) {
        self.send(r#"{"id":1,"method":"mining.subscribe","params":["test/1"]}"#).await;
        self.line().await;
        self.send(&format!(r#"{{"id":2,"method":"mining.authorize","params":["{user}","x"]}}"#)).await;
        assert_eq!(self.line().await, r#"{"id":2,"result":true,"error":null}"#);
        (self.line().await, self.line().await)
    }

    /// Submits a share in dialect `standard`.
    pub async fn submit(&mut self, user: &str, job: &str, nonce: u32) {
        self.send(&share(user, job, nonce)).await;
    }

    /// Waits for the end; what comes before it is returned.
    pub async fn until_closed(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(line) = self.next().await {
            lines.push(line);
        }
        lines
    }

    pub fn into_inner(self) -> S {
        self.stream.into_inner()
    }
}

pub fn share(user: &str, job: &str, nonce: u32) -> String {
    format!(
        r#"{{"id":{nonce},"method":"mining.submit","params":["{user}","{job}","00000000","65540000","{nonce:08x}"]}}"#
    )
}

/// The job number of a notify line.
pub fn number_of(notify: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(notify).unwrap();
    assert_eq!(value["method"], "mining.notify", "{notify}");
    value["params"][0].as_str().unwrap().to_owned()
}
