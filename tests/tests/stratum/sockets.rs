//! The whole server on real sockets, and what strangers send to its port.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use pool_actors::{
    config::{Banning, Listener, Stratum},
    error::Code,
    messages::{
        block::CandidateFound,
        job::PublishJob,
        session::{CommandSessions, SessionCommand},
    },
    ports::node::HeaderForm,
    runtime::{Runtime, critical::CriticalOutbox},
    stratum::server::{self, StratumServer},
};
use pool_domain::{
    difficulty::Difficulty,
    functions::{Functions, Moving},
    ids::AlgorithmName,
    share::{RejectReason, Verdict},
    units::BasisPoints,
};
use pool_engine::Registry;
use simulations::miners::{Dialect, Swarm, SwarmConfig};
use tokio::net::{TcpSocket, TcpStream};

use super::rig::{Client, Exit, bdag, coinbase, collect, exits, job, kaspa, listener, number_of, parts};

struct Pool {
    runtime: Runtime,
    server: StratumServer,
    exit: Exit,
    owner: CriticalOutbox<CandidateFound>,
    next_job: u64,
}

impl Pool {
    fn start(arbiters: usize, change: impl FnOnce(&mut Stratum, &mut Banning)) -> Self {
        let mut settings = Stratum { listener: vec![listener("standard", "1", true)], ..Stratum::default() };
        let mut banning = Banning::default();
        change(&mut settings, &mut banning);
        let runtime = Runtime::start(arbiters).unwrap();
        let exit = exits();
        let server = server::start(&runtime, parts(settings, banning, exit.exits.clone())).unwrap();
        Self { runtime, server, exit, owner: CriticalOutbox::new(collect().0), next_job: 1 }
    }

    async fn job(&mut self) {
        self.publish(coinbase(7)).await;
    }

    async fn publish(&mut self, header: HeaderForm) {
        let job = job(self.next_job, header, false, Difficulty::whole(1 << 30), self.owner.clone());
        self.next_job += 1;
        let job = Arc::new(job);
        for hub in self.server.jobs() {
            hub.ask(PublishJob(Arc::clone(&job))).await.unwrap();
        }
    }

    /// A job of a function whose package says where sessions begin, while these functions are mined.
    async fn job_from(&mut self, function: &str, functions: &Functions, start: u64) {
        let mut job = job(self.next_job, coinbase(7), false, Difficulty::whole(1 << 30), self.owner.clone());
        self.next_job += 1;
        job.algorithm = AlgorithmName::new(function).unwrap();
        job.functions = Arc::new(functions.clone());
        job.start_difficulty = Some(Difficulty::whole(start));
        let job = Arc::new(job);
        for hub in self.server.jobs() {
            hub.ask(PublishJob(Arc::clone(&job))).await.unwrap();
        }
    }

    async fn connect(&self) -> Client<TcpStream> {
        self.connect_to(0).await
    }

    async fn connect_to(&self, listener: usize) -> Client<TcpStream> {
        Client::new(TcpStream::connect(self.server.addresses()[listener]).await.unwrap())
    }

    /// From another loopback address.
    async fn connect_from(&self, last: u8) -> Client<TcpStream> {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, last], 0))).unwrap();
        Client::new(socket.connect(self.server.addresses()[0]).await.unwrap())
    }

    async fn stop(self) {
        self.server.stop().await;
        self.runtime.arbiters.stop();
    }
}

/// Subscribes, authorises, submits: the miner is served.
async fn is_served(miner: &mut Client<TcpStream>, nonce: u32) {
    let (_, notify) = miner.log_in("account.rig").await;
    miner.submit("account.rig", &number_of(&notify), nonce).await;
    assert_eq!(miner.line().await, format!(r#"{{"id":{nonce},"result":true,"error":null}}"#));
}

#[actix::test]
async fn miners_on_all_arbiters_get_work_and_verdicts() {
    let mut pool = Pool::start(2, |_, _| {});
    pool.job().await;
    let mut miners = Vec::new();
    for nonce in 0..6 {
        let mut miner = pool.connect().await;
        is_served(&mut miner, nonce).await;
        miners.push(miner);
    }
    pool.job().await;
    for miner in &mut miners {
        assert_eq!(number_of(&miner.line().await), "200");
    }
    let sessions = pool.server.sessions();
    let list = sessions.list().await;
    assert_eq!(list.len(), 6);
    assert_eq!(list[0].miner.account.as_deref(), Some("account"));
    assert_eq!(list[0].miner.agent.as_deref(), Some("test/1"));
    assert_eq!(list[0].difficulty, Some(Difficulty::ONE));
    assert_eq!(sessions.gate().counts().connections, 6);
    assert_eq!(sessions.gate().counts().handshakes, 0);
    let names: Vec<_> = pool.runtime.registry.list().into_iter().map(|actor| actor.name).collect();
    assert_eq!(names, ["session-hub-0", "session-hub-1", "stratum-listener-0"]);
    let hub = pool.runtime.registry.observe("session-hub-1", Duration::from_secs(5)).await.unwrap();
    assert_eq!(hub.state.unwrap()["connections"], 3);
    let close = CommandSessions { session: Some(list[0].miner.session), command: SessionCommand::Close };
    assert_eq!(sessions.command(close).await, 1);
    let mut closed = 0;
    for mut miner in miners {
        // A command overtakes what the miner sends after it.
        let _ = miner.try_send(b"{\"id\":1,\"method\":\"mining.ping\"}\n").await;
        closed += usize::from(miner.next().await.is_none());
    }
    assert_eq!(closed, 1);
    assert_eq!(pool.exit.seen.get().len(), 6);
    pool.stop().await;
}

#[actix::test]
async fn a_port_in_use_is_one_clear_sentence() {
    let pool = Pool::start(0, |_, _| {});
    let taken = pool.server.addresses()[0];
    let mut settings = Stratum { listener: vec![listener("standard", "1", true)], ..Stratum::default() };
    settings.listener[0].address = taken;
    let failure = server::start(&pool.runtime, parts(settings, Banning::default(), pool.exit.exits.clone()))
        .err()
        .unwrap();
    assert_eq!(failure.code, Code::AddressUnavailable);
    assert_eq!(
        failure.to_string(),
        format!(
            "the address can't be used: can't listen for miners on {taken}: the port is in use by another program: stop that program, or choose another port in [[stratum.listener]] address [ADDRESS_UNAVAILABLE]"
        )
    );
    pool.stop().await;
}

/// A miner that is served before, while and after others misbehave.
struct Witness {
    miner: Client<TcpStream>,
    nonce: u32,
}

impl Witness {
    async fn new(pool: &Pool) -> Self {
        let mut miner = pool.connect_from(99).await;
        is_served(&mut miner, 1).await;
        Self { miner, nonce: 1 }
    }

    async fn is_well(&mut self) {
        self.nonce += 1;
        self.miner.submit("account.rig", "100", self.nonce).await;
        assert_eq!(self.miner.line().await, format!(r#"{{"id":{},"result":true,"error":null}}"#, self.nonce));
    }
}

#[actix::test]
async fn rubbish_on_the_port_hurts_nobody_else() {
    let mut pool = Pool::start(1, |_, _| {});
    pool.job().await;
    let mut witness = Witness::new(&pool).await;
    let deep = format!(r#"{{"id":1,"method":"mining.authorize","params":{}"#, "[".repeat(4_000));
    let strangers: [&[u8]; 6] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n",
        b"GET / HTTP/1.1\r\n\r\n",
        deep.as_bytes(),
        b"{\"id\":1e999999,\"method\":\"mining.submit\",\"params\":[1e999999,[],{}]}\n{}\n[]\n",
        b"{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[{}]}\n\xff\xfe\n",
        b"\n\n\r\n\n",
    ];
    for bytes in strangers {
        let mut stranger = pool.connect_from(3).await;
        // The server may have closed already.
        let _ = stranger.try_send(bytes).await;
        witness.is_well().await;
        let mut stream = stranger.into_inner();
        let _ = tokio::io::AsyncWriteExt::shutdown(&mut stream).await;
        while Client::new(&mut stream).next().await.is_some() {}
    }
    // An endless line: the server closes long before the stranger is done.
    let mut endless = pool.connect_from(3).await;
    let mut sent = 0;
    while endless.try_send(&[b'a'; 65_536]).await.is_ok() {
        sent += 65_536;
        assert!(sent < 64 << 20, "the server must not go on reading");
    }
    witness.is_well().await;
    pool.stop().await;
}

#[actix::test]
async fn half_open_and_slow_strangers_are_closed_without_a_ban() {
    let mut pool = Pool::start(1, |stratum, _| {
        stratum.first_request_timeout_ms = 300;
        stratum.unsent_bytes_max = 16_384;
    });
    pool.job().await;
    let mut witness = Witness::new(&pool).await;
    let mut silent = pool.connect_from(3).await;
    // Asks much and reads nothing: the server stops reading it.
    let mut slow = pool.connect_from(4).await;
    let ask = b"{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n".repeat(2_000);
    let asking = async {
        for _ in 0..200 {
            slow.try_send(&ask).await?;
        }
        std::io::Result::Ok(())
    };
    let stuck = tokio::time::timeout(Duration::from_millis(1_500), asking).await;
    assert!(!matches!(stuck, Ok(Ok(()))), "20 MB of questions can't have been taken in");
    witness.is_well().await;
    assert_eq!(silent.next().await, None);
    let again = pool.connect_from(3).await;
    witness.is_well().await;
    drop(again);
    pool.stop().await;
}

/// Sends its shares in one piece and says at once that it says no more: it is owed an answer to each.
#[actix::test]
async fn who_closes_its_direction_is_answered_to_the_end() {
    let mut pool = Pool::start(1, |stratum, _| stratum.shares_outstanding_max = 4);
    pool.job().await;
    let mut miner = pool.connect().await;
    let (_, notify) = miner.log_in("account.rig").await;
    let job = number_of(&notify);
    for nonce in 100..140 {
        miner.submit("account.rig", &job, nonce).await;
    }
    let mut stream = miner.into_inner();
    tokio::io::AsyncWriteExt::shutdown(&mut stream).await.unwrap();
    let mut miner = Client::new(stream);
    let mut answered = Vec::new();
    while let Some(line) = miner.next().await {
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        answered.extend(line["id"].as_u64());
    }
    answered.sort_unstable();
    assert_eq!(answered, (100..140).collect::<Vec<_>>());
    // Who has nothing to wait for is closed at once.
    let mut stream = pool.connect().await.into_inner();
    tokio::io::AsyncWriteExt::shutdown(&mut stream).await.unwrap();
    assert_eq!(Client::new(stream).next().await, None);
    pool.stop().await;
}

#[actix::test]
async fn who_is_banned_is_turned_away_and_others_are_not() {
    let mut pool = Pool::start(1, |_, banning| banning.malformed_max = 2);
    pool.job().await;
    let mut witness = Witness::new(&pool).await;
    let mut offender = pool.connect_from(3).await;
    offender.log_in("account.rig").await;
    offender.send("{").await;
    offender.send("{").await;
    assert_eq!(offender.until_closed().await.len(), 2);
    let mut again = pool.connect_from(3).await;
    assert_eq!(again.next().await, None);
    witness.is_well().await;
    let sessions = pool.server.sessions();
    assert!(sessions.gate().pardon([127, 0, 0, 3].into(), pool_domain::units::TimeMs(0)));
    let mut pardoned = pool.connect_from(3).await;
    pardoned.log_in("account.rig").await;
    pool.stop().await;
}

#[actix::test]
async fn thousands_of_connects_meet_the_limits() {
    let mut pool = Pool::start(1, |stratum, _| {
        stratum.connections_per_ip_max = 300;
        stratum.handshakes_max = 700;
    });
    pool.job().await;
    let mut witness = Witness::new(&pool).await;
    let mut open = Vec::new();
    for turn in 0..2_000u32 {
        open.push(pool.connect_from(u8::try_from(10 + turn % 4).unwrap()).await);
        if turn % 250 == 0 {
            witness.is_well().await;
        }
    }
    // Accepting goes on behind the connects: the refused ones are closed, the others are not.
    let mut refused = 0;
    for stranger in &mut open {
        let _ = stranger.try_send(b"{\"id\":1,\"method\":\"mining.ping\"}\n").await;
        refused += usize::from(stranger.next().await.is_none());
    }
    let counts = pool.server.sessions().gate().counts();
    assert_eq!((counts.handshakes, refused), (700, 1_300));
    witness.is_well().await;
    drop(open);
    let mut last = pool.connect_from(10).await;
    while last.log_in_or_none().await.is_none() {
        // Places come back as the server sees the ends.
        last = pool.connect_from(10).await;
    }
    pool.stop().await;
}

impl Client<TcpStream> {
    async fn log_in_or_none(&mut self) -> Option<()> {
        self.try_send(b"{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n").await.ok()?;
        self.next().await.map(|_| ())
    }
}

/// The simulator's miners, which put headers together by themselves, solve real shares in every dialect.
#[actix::test]
async fn virtual_miners_solve_what_they_are_sent() {
    for (dialect, form, algorithm, difficulty, hashrate) in [
        (Dialect::Standard, coinbase(7), "sha256d", "0.000001", 50_000),
        (Dialect::Bdag, bdag(), "scrypt-bdag", "0.0005", 500),
        (Dialect::Kaspa, kaspa(7), "kheavyhash", "0.0000001", 5_000),
    ] {
        let name = format!("{dialect:?}").to_lowercase();
        let mut pool =
            Pool::start(1, |stratum, _| stratum.listener = vec![listener(&name, difficulty, true)]);
        let hash = Registry::linked_in().find(algorithm).unwrap();
        pool.exit.judge(move |share| {
            let met = share.target.is_met_by(&hash.hash(&share.header).unwrap());
            Some(if met { Verdict::Accepted } else { Verdict::Rejected(RejectReason::LowDifficulty) })
        });
        pool.publish(form).await;
        let swarm = Swarm::start(SwarmConfig {
            address: pool.server.addresses()[0].to_string(),
            count: 3,
            algorithm: algorithm.to_owned(),
            dialect,
            hashrate,
            shares_limit: Some(5),
            version_rolling: true,
            ..SwarmConfig::default()
        })
        .unwrap();
        swarm.finished().await;
        let stats = swarm.stop();
        assert!(stats.accepted >= 15 && stats.rejected.is_empty(), "{name}: {stats:?}");
        pool.stop().await;
    }
}

#[actix::test]
async fn stopping_the_server_ends_its_sessions() {
    let mut pool = Pool::start(1, |_, _| {});
    pool.job().await;
    let mut miner = pool.connect().await;
    is_served(&mut miner, 1).await;
    pool.stop().await;
    assert_eq!(miner.next().await, None);
}

/// The difficulty that is told before the next job.
async fn told_difficulty(miner: &mut Client<TcpStream>) -> serde_json::Value {
    let mut difficulty = serde_json::Value::Null;
    loop {
        let line = miner.json().await;
        match line["method"].as_str() {
            Some("mining.set_difficulty") => difficulty = line["params"][0].clone(),
            Some("mining.notify") => return difficulty,
            _ => {}
        }
    }
}

#[actix::test]
async fn sessions_begin_where_the_package_says_unless_their_listener_does() {
    let mut pool = Pool::start(1, |stratum, _| {
        let unsaid = |fixed| Listener { difficulty: None, ..listener("standard", "1", fixed) };
        stratum.listener = vec![unsaid(false), unsaid(true), listener("standard", "0.5", false)];
    });
    let name = |text: &str| AlgorithmName::new(text).unwrap();
    pool.job_from("blake2s", &Functions::only(name("blake2s")), 8).await;
    let mut miners = Vec::new();
    for (at, expected) in [8.0, 8.0, 0.5].into_iter().enumerate() {
        let mut miner = pool.connect_to(at).await;
        miner.send(r#"{"id":1,"method":"mining.subscribe","params":["test/1"]}"#).await;
        miner.send(r#"{"id":2,"method":"mining.multi_version","params":[["blake2s","blake3"]]}"#).await;
        miner.send(r#"{"id":3,"method":"mining.authorize","params":["account.rig","x"]}"#).await;
        assert_eq!(told_difficulty(&mut miner).await.as_f64(), Some(expected), "listener {at}");
        miners.push(miner);
    }
    // They are moved.
    let moving = Moving { to: name("blake3"), share: BasisPoints::ALL, salt: 1 };
    pool.job_from("blake3", &Functions { main: name("blake2s"), moving: Some(moving) }, 64).await;
    for (at, expected) in [64.0, 64.0, 0.5].into_iter().enumerate() {
        assert_eq!(told_difficulty(&mut miners[at]).await.as_f64(), Some(expected), "listener {at}, moved");
    }
    pool.stop().await;
}

#[actix::test]
async fn who_comes_before_the_first_job_begins_where_its_package_says() {
    let mut pool = Pool::start(1, |stratum, _| {
        let unsaid = |fixed| Listener { difficulty: None, ..listener("standard", "1", fixed) };
        stratum.listener = vec![unsaid(false), unsaid(true)];
    });
    let mut miners = Vec::new();
    for (at, password) in [(0, "x"), (1, "x"), (0, "d=2")] {
        let mut miner = pool.connect_to(at).await;
        miner.send(r#"{"id":1,"method":"mining.subscribe","params":["test/1"]}"#).await;
        let worker = format!(r#"["account.rig","{password}"]"#);
        miner.send(&format!(r#"{{"id":2,"method":"mining.authorize","params":{worker}}}"#)).await;
        while miner.json().await["id"] != 2 {}
        miners.push(miner);
    }
    let name = AlgorithmName::new("blake2s").unwrap();
    pool.job_from("blake2s", &Functions::only(name), 8).await;
    for (at, expected) in [8.0, 8.0, 2.0].into_iter().enumerate() {
        assert_eq!(told_difficulty(&mut miners[at]).await.as_f64(), Some(expected), "miner {at}");
    }
    pool.stop().await;
}
