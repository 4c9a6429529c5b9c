//! The way of a share through a session, without sockets, hashes and disk: `cargo bench -p pool-actors --bench stratum`.
//!
//! The column "items/s" is shares per second of one thread. `session` is everything between a miner's bytes and its
//! reply: lines, parsing, job, header (coinbase and Merkle root), duplicates, ticket, batch to a validator that accepts
//! everything, verdict, reply; through memory instead of a socket. `parse` and `header` are parts of it.

use std::{net::SocketAddr, sync::Arc};

use actix::{Actor, Context, Handler, Message};
use divan::{Bencher, black_box, counter::ItemsCount};
use pool_actors::{
    config::{Banning, Listener, Stratum, Vardiff},
    messages::{
        job::{Job, PublishJob, RenderCache},
        route::{Rescue, RouteTable, ValidatorDoor},
        share::ValidateBatch,
    },
    ports::{
        clock::Clock,
        node::{HeaderForm, NodePrivate, Template},
    },
    runtime::{critical::CriticalOutbox, outbox::Outbox, ticket::resolve_each, watch::watched},
    stratum::{
        hub::SessionHub,
        jobs::layout,
        session::MinerSession,
        settings::{Exits, Parts, Shared},
        wire::{Fields as _, Line, Params, parse_line},
    },
};
use pool_domain::{
    difficulty::Difficulty,
    functions::Functions,
    ids::{Account, AlgorithmName, BlockHash, JobId, Route, TemplateId, WorkerName},
    share::{Extranonce, Solution, Verdict},
    target::Target,
    traffic_split::TrafficSplit,
    units::{TimeMs, Work},
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

fn main() {
    divan::main();
}

const SHARES: u32 = 1_024;
const REPLY: &str = "{\"id\":4,\"result\":true,\"error\":null}\n";

/// Time from tokio's clock.
struct BenchClock(tokio::time::Instant);

impl Clock for BenchClock {
    fn now(&self) -> TimeMs {
        TimeMs(1_700_000_000_000 + u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}

/// Takes everything, says yes to shares.
struct Sink;

impl Actor for Sink {
    type Context = Context<Self>;
}

impl Handler<ValidateBatch> for Sink {
    type Result = ();
    fn handle(&mut self, batch: ValidateBatch, _: &mut Self::Context) {
        resolve_each(batch.finish(), |share| &share.ticket, |share| (share.ticket, Verdict::Accepted));
    }
}

struct Drain;

impl Actor for Drain {
    type Context = Context<Self>;
}

impl<M: Message<Result = ()> + Send + 'static> Handler<M> for Drain {
    type Result = ();
    fn handle(&mut self, _: M, _: &mut Self::Context) {}
}

fn drain<M: Message<Result = ()> + Send + 'static>() -> Outbox<M> {
    Outbox::new("Drain", Drain.start().recipient())
}

fn form(parent: u64) -> HeaderForm {
    let mut previous = [7; 32];
    previous[12..20].copy_from_slice(&parent.to_le_bytes());
    HeaderForm::Coinbase {
        version: 0x2000_0000,
        previous,
        coinbase1: vec![1; 90],
        coinbase2: vec![2; 80],
        branches: vec![[3; 32]; 6],
        bits: 0x1d00_ffff,
        time: 0x6554_0000,
        time_range: (0, u32::MAX),
        version_mask: 0,
    }
}

fn job(number: u64) -> Job {
    let header = form(number);
    let algorithm = AlgorithmName::new("sha256d").unwrap();
    let template = Template {
        id: TemplateId(number),
        endpoint: 0,
        algorithm: algorithm.clone(),
        parents: vec![BlockHash([u8::try_from(number % 251).unwrap(); 32])],
        height: None,
        network_target: Target::MIN,
        received_at: TimeMs(0),
        header,
        private: NodePrivate(Arc::new(())),
    };
    Job {
        id: JobId(number),
        template: Arc::new(template),
        split: TrafficSplit::whole(Route::default()),
        functions: Arc::new(Functions::only(algorithm.clone())),
        algorithm,
        clean: true,
        network_target: Target::MIN,
        network_work: Work(u128::MAX),
        network_difficulty: Difficulty::MAX,
        start_difficulty: None,
        issued_at: TimeMs(0),
        owner: CriticalOutbox::new(drain()),
        rendered: RenderCache::default(),
    }
}

struct Pool {
    hub: Outbox<PublishJob>,
    miner: DuplexStream,
    job: u64,
    sent: u32,
}

impl Pool {
    async fn new() -> Self {
        let door =
            ValidatorDoor::new(Outbox::new("Sink", Sink.start().recipient()), Arc::new(Rescue::default()));
        let (_, routes) = watched(RouteTable::new(vec![(Route::default(), vec![door])]));
        let settings = Stratum {
            requests_per_second_max: u32::MAX,
            listener: vec![Listener { fixed: true, ..Listener::default() }],
            ..Stratum::default()
        };
        let shared = Shared::new(Parts {
            settings,
            vardiff: Vardiff::default(),
            banning: Banning::default(),
            job_grace_ms: 0,
            tally_ms: 1_000,
            extranonce_epoch: 1,
            notices: true,
            clock: Arc::new(BenchClock(tokio::time::Instant::now())),
            accounts: Arc::new(|_| Ok((Account::new("account").unwrap(), WorkerName::new("rig").unwrap()))),
            exits: Exits { events: drain(), tallies: drain(), ended: drain(), routes },
        });
        let shared = Arc::new(shared.unwrap());
        let hub = SessionHub::new(0, Arc::clone(&shared));
        let context = hub.context();
        let hub = Outbox::new("SessionHub", hub.start().recipient());
        let (miner, theirs) = tokio::io::duplex(1 << 20);
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        let permit = shared.gate.admit(peer.ip(), TimeMs(0)).unwrap();
        MinerSession::open(&context, theirs, peer, 0, permit);
        let mut pool = Self { hub, miner, job: 0, sent: 0 };
        let login = b"{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n{\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"account.rig\",\"x\"]}\n";
        pool.miner.write_all(login).await.unwrap();
        pool.fresh_job().await;
        pool
    }

    /// New parents: what was sent is forgotten.
    async fn fresh_job(&mut self) {
        self.job += 1;
        self.hub.ask(PublishJob(Arc::new(job(self.job)))).await.unwrap();
        let mut line = Vec::new();
        while !line.ends_with(b"true]}\n") {
            line.push(self.miner.read_u8().await.unwrap());
        }
    }

    async fn shares(&mut self, together: u32) {
        if self.sent > 200_000 {
            self.fresh_job().await;
            self.sent = 0;
        }
        let mut replies = vec![0; REPLY.len() * together as usize];
        let mut lines = Vec::new();
        for _ in 0..SHARES / together {
            lines.clear();
            for _ in 0..together {
                self.sent += 1;
                let line = share(self.job, self.sent);
                lines.extend_from_slice(line.as_bytes());
            }
            self.miner.write_all(&lines).await.unwrap();
            self.miner.read_exact(&mut replies).await.unwrap();
            assert!(replies.starts_with(REPLY.as_bytes()), "{}", String::from_utf8_lossy(&replies));
        }
    }
}

fn share(job: u64, nonce: u32) -> String {
    format!(
        "{{\"params\":[\"account.rig\",\"{:x}\",\"00000000\",\"65540000\",\"{nonce:08x}\"],\"id\":4,\"method\":\"mining.submit\"}}\n",
        job << 8
    )
}

/// Shares that come together in one read.
#[divan::bench(args = [1, 4, 16, 64])]
fn session(bencher: Bencher<'_, '_>, together: u32) {
    let system = actix::System::new();
    let mut pool = system.block_on(Pool::new());
    bencher.counter(ItemsCount::new(SHARES)).bench_local(|| system.block_on(pool.shares(together)));
}

#[divan::bench]
fn parse(bencher: Bencher<'_, '_>) {
    let line = share(1, 77);
    bencher.counter(ItemsCount::new(1u32)).bench_local(|| {
        match parse_line(black_box(line.trim_end().as_bytes()), 8) {
            Ok(Line::Share { params, .. }) => Some(params.count()),
            Ok(Line::Request(request)) => Params::parse(request.params).map(|params| params.len()),
            _ => unreachable!("a share is a request"),
        }
    });
}

#[divan::bench]
fn header(bencher: Bencher<'_, '_>) {
    let (layout, _) = layout(&form(1));
    let mut solution =
        Solution { extranonce: Extranonce::new(&[1; 4], &[2; 4]).unwrap(), ntime: 1, nonce: 1, version: 1 };
    bencher.counter(ItemsCount::new(1u32)).bench_local(|| {
        solution.nonce += 1;
        layout.assemble(black_box(&solution))
    });
}
