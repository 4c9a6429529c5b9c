//! The whole server on real sockets, and what strangers send to its port.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use pool_actors::{
    config::{Banning, Stratum},
    error::Code,
    messages::{
        block::CandidateFound,
        job::PublishJob,
        session::{CommandSessions, SessionCommand},
    },
    runtime::{Runtime, critical::CriticalOutbox},
    stratum::server::{self, StratumServer},
};
use pool_domain::difficulty::Difficulty;
use tokio::net::{TcpSocket, TcpStream};

use super::rig::{Client, Exit, coinbase, collect, exits, job, listener, number_of, parts};

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
        let job = job(self.next_job, coinbase(7), false, Difficulty::whole(1 << 30), self.owner.clone());
        self.next_job += 1;
        let job = Arc::new(job);
        for hub in self.server.jobs() {
            hub.ask(PublishJob(Arc::clone(&job))).await.unwrap();
        }
    }

    async fn connect(&self) -> Client<TcpStream> {
        Client::new(TcpStream::connect(self.server.addresses()[0]).await.unwrap())
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
        if tokio::time::timeout(Duration::from_millis(300), miner.next())
            .await
            .is_ok_and(|line| line.is_none())
        {
            closed += 1;
        }
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
            "can't listen for miners on {taken}: the port is in use by another program: stop that program, or choose another port in [[stratum.listener]] address [ADDRESS_UNAVAILABLE]"
        )
    );
    pool.stop().await;
}
