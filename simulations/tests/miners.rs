//! Swarms against a small scripted pool that checks every share itself.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bitcoin::hashes::{Hash as _, sha256d};
use ruint::aliases::U256;
use serde_json::{Value, json};
use simulations::miners::{Dialect, Swarm, SwarmConfig};
use simulations::pow;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// How the scripted pool behaves.
#[derive(Clone)]
struct Script {
    dialect: Dialect,
    algorithm: &'static str,
    /// Hang up without an answer to this share of each connection.
    hang_up_at: Option<usize>,
}

#[derive(Default)]
struct Seen {
    shares: HashSet<Vec<u8>>,
    users: HashSet<String>,
    connections: usize,
}

const VERSION: u32 = 0x2000_0064;
const BITS: u32 = 0x1f00_ffff;
const TIME: u32 = 0x6b03_6110;
const BRANCH: [u8; 32] = [0x22; 32];

async fn pool(script: Script) -> (String, Arc<Mutex<Seen>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let seen = Arc::new(Mutex::new(Seen::default()));
    let shared = Arc::clone(&seen);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let number = {
                let mut seen = shared.lock().unwrap();
                seen.connections += 1;
                seen.connections
            };
            tokio::spawn(serve(stream, script.clone(), number, Arc::clone(&shared)));
        }
    });
    (address, seen)
}

async fn serve(stream: TcpStream, script: Script, number: usize, seen: Arc<Mutex<Seen>>) {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    let extranonce = u16::try_from(number).unwrap().to_be_bytes();
    let mut shares = 0;
    while let Ok(Some(line)) = lines.next_line().await {
        let request: Value = serde_json::from_str(&line).unwrap();
        let reply =
            |result: Value| format!("{}\n", json!({"id": request["id"], "result": result, "error": null}));
        let answer = match request["method"].as_str().unwrap() {
            "mining.subscribe" if script.dialect == Dialect::Kaspa => {
                reply(json!([true, "EthereumStratum/1.0.0"]))
            }
            "mining.subscribe" => reply(json!([[["mining.notify", "s"]], hex::encode(extranonce), 4])),
            "mining.authorize" => {
                seen.lock().unwrap().users.insert(request["params"][0].as_str().unwrap().to_owned());
                reply(json!(true)) + &work(&script, extranonce)
            }
            "mining.submit" => {
                shares += 1;
                if script.hang_up_at == Some(shares) {
                    return;
                }
                let header = header(&script, extranonce, &request["params"]);
                let hash = pow::hash(script.algorithm, &header).unwrap();
                assert!(hash <= target(), "a share above its target: {hash:x}");
                let new = seen.lock().unwrap().shares.insert(header.to_vec());
                assert!(new, "a share was sent twice");
                reply(json!(true))
            }
            _ => reply(json!(true)),
        };
        if writer.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Difficulties that take 64 hashes in each dialect.
fn difficulty(dialect: Dialect) -> f64 {
    match dialect {
        Dialect::Standard | Dialect::Kaspa => 64.0 / 4_294_967_296.0,
        Dialect::Bdag => 64.0 / 65_536.0,
    }
}

/// 2^256 / 64: no dialect's difficulty 1 is above the power of two that it stands for.
fn target() -> U256 {
    U256::MAX >> 6
}

fn work(script: &Script, extranonce: [u8; 2]) -> String {
    let mut lines = Vec::new();
    if script.dialect == Dialect::Kaspa {
        lines.push(
            json!({"id": null, "method": "mining.set_extranonce", "params": [hex::encode(extranonce)]}),
        );
    }
    lines
        .push(json!({"id": null, "method": "mining.set_difficulty", "params": [difficulty(script.dialect)]}));
    let params = match script.dialect {
        Dialect::Standard => json!([
            "job",
            "01020304".repeat(8),
            "aa",
            "bb",
            [hex::encode(BRANCH)],
            format!("{VERSION:08x}"),
            format!("{BITS:08x}"),
            format!("{TIME:08x}"),
            true,
        ]),
        Dialect::Kaspa => json!(["job", [1, 2, 3, 4], 1_700_000_000_000_u64]),
        Dialect::Bdag => json!(["job", "11".repeat(32), "12000000", "1d00ffff", "6a447f30", true]),
    };
    lines.push(json!({"id": null, "method": "mining.notify", "params": params}));
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// The header that a submit stands for, rebuilt from the protocol's description.
fn header(script: &Script, extranonce: [u8; 2], params: &Value) -> [u8; 80] {
    let bytes = |index: usize| hex::decode(params[index].as_str().unwrap()).unwrap();
    let sha = |data: &[u8]| sha256d::Hash::hash(data).to_byte_array();
    assert_eq!(params[1], "job");
    let header = match script.dialect {
        Dialect::Standard => {
            let coinbase = [&[0xaa], extranonce.as_slice(), &bytes(2), &[0xbb]].concat();
            let root = sha(&[sha(&coinbase), BRANCH].concat());
            let number = |index: usize| u32::from_str_radix(params[index].as_str().unwrap(), 16).unwrap();
            [
                &VERSION.to_le_bytes(),
                hex::decode("04030201".repeat(8)).unwrap().as_slice(),
                &root,
                &number(3).to_le_bytes(),
                &BITS.to_le_bytes(),
                &number(4).to_le_bytes(),
            ]
            .concat()
        }
        Dialect::Kaspa => {
            let nonce = u64::from_str_radix(params[2].as_str().unwrap(), 16).unwrap();
            assert_eq!(nonce.to_be_bytes()[..2], extranonce);
            let words: Vec<u8> = (1_u64..=4).flat_map(u64::to_le_bytes).collect();
            [&words, 1_700_000_000_000_u64.to_le_bytes().as_slice(), &[0; 32], &nonce.to_le_bytes()].concat()
        }
        Dialect::Bdag => {
            let root = sha(&[extranonce.as_slice(), &bytes(2)].concat());
            let fixed = |text: &str| hex::decode(text).unwrap();
            [fixed("12000000"), vec![0x11; 32], root.to_vec(), bytes(3), fixed("1d00ffff"), bytes(4)].concat()
        }
    };
    header.try_into().unwrap()
}

async fn run(script: Script, config: SwarmConfig) -> (simulations::miners::SwarmStats, Arc<Mutex<Seen>>) {
    let (address, seen) = pool(script.clone()).await;
    let config = SwarmConfig {
        address,
        algorithm: script.algorithm.to_owned(),
        dialect: script.dialect,
        backoff_min: Duration::from_millis(1),
        ..config
    };
    let swarm = Swarm::start(config).unwrap();
    swarm.finished().await;
    (swarm.stop(), seen)
}

fn script(dialect: Dialect, algorithm: &'static str) -> Script {
    Script { dialect, algorithm, hang_up_at: None }
}

#[tokio::test]
async fn ten_miners_solve_a_hundred_shares_each() {
    let config =
        SwarmConfig { count: 10, shares_limit: Some(100), hashrate: 100_000, ..SwarmConfig::default() };
    let (stats, seen) = run(script(Dialect::Standard, "blake2s"), config).await;
    assert_eq!((stats.accepted, stats.submitted, stats.finished), (1_000, 1_000, 10));
    assert!(stats.rejected.is_empty() && stats.lost == 0 && stats.reconnects == 0);
    let seen = seen.lock().unwrap();
    assert_eq!(seen.shares.len(), 1_000);
    assert_eq!(seen.users.len(), 10);
    assert!(seen.users.contains("miner0.rig1"));
    // About 64 hashes each: really solved, not guessed.
    assert!(stats.hashes > 1_000 * 40, "{}", stats.hashes);
}

#[tokio::test]
async fn every_dialect_is_solved() {
    for (dialect, algorithm) in
        [(Dialect::Kaspa, "kheavyhash"), (Dialect::Bdag, "scrypt-bdag"), (Dialect::Standard, "sha256d")]
    {
        let config =
            SwarmConfig { count: 2, shares_limit: Some(3), hashrate: 20_000, ..SwarmConfig::default() };
        let (stats, _) = run(script(dialect, algorithm), config).await;
        assert_eq!((stats.accepted, stats.finished), (6, 2), "{algorithm}");
    }
}

#[tokio::test]
async fn a_lost_connection_costs_what_was_unanswered_and_nothing_else() {
    let script = Script { hang_up_at: Some(4), ..script(Dialect::Standard, "blake2s") };
    let config =
        SwarmConfig { count: 1, shares_limit: Some(10), hashrate: 100_000, ..SwarmConfig::default() };
    let (stats, seen) = run(script, config).await;
    assert_eq!(stats.accepted, 10);
    assert!(stats.reconnects >= 3 && stats.lost >= 3, "{stats:?}");
    assert_eq!(stats.submitted, stats.accepted + stats.lost);
    assert_eq!(seen.lock().unwrap().shares.len(), 10);
}

#[tokio::test]
async fn miners_wait_for_a_pool_that_is_not_there_yet() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let config = SwarmConfig {
        address: format!("stratum+tcp://{address}"),
        count: 2,
        backoff_min: Duration::from_millis(1),
        backoff_max: Duration::from_millis(20),
        ..SwarmConfig::default()
    };
    let swarm = Swarm::start(config).unwrap();
    let listener = TcpListener::bind(address).await.unwrap();
    let seen = Arc::new(Mutex::new(Seen::default()));
    for number in 1..=2 {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(serve(stream, script(Dialect::Standard, "blake2s"), number, Arc::clone(&seen)));
    }
    swarm.accepted(5).await;
    assert_eq!(swarm.stats().connected, 2);
}

#[test]
fn an_unknown_algorithm_is_one_clear_sentence() {
    let config = SwarmConfig { algorithm: "blake9".to_owned(), ..SwarmConfig::default() };
    let error = Swarm::start(config).err().unwrap().to_string();
    assert!(error.contains("blake9") && error.contains("kheavyhash"), "{error}");
}
