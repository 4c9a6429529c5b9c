//! A hostile miner that found an input which the algorithm panics on: it loses its shares, its sessions and its place;
//! the pool and everybody else go on.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use plugin_sdk::{
    AlgorithmError, AlgorithmInfo, Benchmark, Compatibility, DifficultyAdjuster, HashFunction, Health,
    Migration, PowAlgorithm,
};
use pool_tests::pool::PATIENCE;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::{
        TcpSocket,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use crate::inside::{Inside, assert_durable, journal_of, more_shares};

/// The nonce that the algorithm below panics on.
const POISON: &str = "deadbeef";

/// A sound algorithm with a defect that one nonce strikes.
struct Defective(Arc<dyn PowAlgorithm>);

impl HashFunction for Defective {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn hash(&self, input: &[u8]) -> Result<[u8; 32], AlgorithmError> {
        let mut nonce = [0xde, 0xad, 0xbe, 0xef];
        let struck = input[76..80] == nonce || {
            nonce.reverse();
            input[76..80] == nonce
        };
        assert!(!struck, "the algorithm panics on purpose");
        self.0.hash(input)
    }
}

impl DifficultyAdjuster for Defective {}
impl Benchmark for Defective {}
impl Compatibility for Defective {}
impl Migration for Defective {}
impl Health for Defective {}
impl PowAlgorithm for Defective {
    fn info(&self) -> AlgorithmInfo {
        self.0.info()
    }
}

/// A miner written by hand.
struct Hostile {
    lines: Lines<BufReader<OwnedReadHalf>>,
    socket: OwnedWriteHalf,
}

impl Hostile {
    /// From an address of its own.
    async fn connect(pool: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from((Ipv4Addr::new(127, 66, 6, 6), 0))).unwrap();
        let (read, socket) = socket.connect(pool).await.unwrap().into_split();
        Self { lines: BufReader::new(read).lines(), socket }
    }

    async fn send(&mut self, request: Value) {
        // A pool that has hung up already tells on reading.
        let _ = self.socket.write_all(format!("{request}\n").as_bytes()).await;
    }

    /// The next line; `None` when the pool has hung up.
    async fn line(&mut self) -> Option<Value> {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await.expect("the pool answers");
        Some(serde_json::from_str(&line.ok()??).unwrap())
    }

    async fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Option<Value> {
        loop {
            let line = self.line().await?;
            if wanted(&line) {
                return Some(line);
            }
        }
    }

    /// Subscribes, authorises and sends a poisonous share; the answer to it, if the pool speaks to this miner at all.
    async fn poison(&mut self) -> Option<Value> {
        self.send(json!({"id": 1, "method": "mining.subscribe", "params": ["hostile"]})).await;
        let subscribed = self.until(|line| line["id"] == 1).await?;
        let extranonce2 = "00".repeat(usize::try_from(subscribed["result"][2].as_u64().unwrap()).unwrap());
        self.send(json!({"id": 2, "method": "mining.authorize", "params": ["mallory", "x"]})).await;
        let notify = self.until(|line| line["method"] == "mining.notify").await?;
        let (job, ntime) = (&notify["params"][0], &notify["params"][7]);
        let params = json!(["mallory", job, extranonce2, ntime, POISON]);
        self.send(json!({"id": 3, "method": "mining.submit", "params": params})).await;
        self.until(|line| line["id"] == 3).await
    }
}

#[actix_rt::test]
async fn a_share_that_the_algorithm_panics_on_costs_its_miner_only() {
    let inside =
        Inside::start(|parts| parts.algorithm = Arc::new(Defective(Arc::clone(&parts.algorithm)))).await;
    let mut swarm = inside.miners();
    more_shares(&swarm, "the start").await;
    let before = swarm.stats();
    let pool = inside.pool.stratum_addresses()[0].0;
    for _ in 0..3 {
        let mut hostile = Hostile::connect(pool).await;
        let answer = hostile.poison().await.expect("it is answered");
        assert_eq!(answer["error"][0], 20, "{answer}");
        assert_eq!(answer["error"][1], "Share lost: its algorithm failed on it", "{answer}");
        assert_eq!(hostile.until(|_| false).await, None, "its session is closed");
        more_shares(&swarm, "a poisonous share").await;
    }
    assert_eq!(Hostile::connect(pool).await.poison().await, None, "it is banned by now");
    let sessions = inside.pool.runtime().registry.list();
    assert!(sessions.iter().all(|actor| actor.restarts == 0), "{sessions:#?}");
    assert_eq!(inside.pool.shutdown().reason(), None);
    let after = swarm.stats();
    assert_eq!((after.connected, after.reconnects, after.lost), (4, before.reconnects, before.lost));
    assert!(after.rejected.is_empty(), "{after:?}");
    swarm.end();
    let folder = inside.stop().await;
    assert_durable(&swarm, journal_of(&folder));
}
