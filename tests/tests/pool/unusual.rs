//! Attackers, and miners who are none, in one pool: each attack is an alert about its account, and nobody else is suspected.
//!
//! Only the windows are shorter than usual, by configuration; the bounds of every test are the usual ones.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use pool_tests::{
    pool::{PATIENCE, PoolProcess, Setup, amount},
    receivers::{self, Received, Receiver},
};
use serde_json::Value;
use simulations::{
    miners::{Conduct, Swarm, SwarmConfig, SwarmHandle},
    node::{AlgorithmConfig, NodeConfig, NodeHandle, SimNode},
};

/// Windows of 0.15 s: a rate is known after 27 s, not half an hour.
const WINDOW_MS: u64 = 150;
/// When the one that jumps does so: its rate is known by then.
const JUMP_AFTER: Duration = Duration::from_millis(WINDOW_MS * 190);
/// In hashes: of these, any miner finds many a second.
const EASY: u64 = 430;
/// The nonces of these are judged (16,384 hashes and more).
const HARD: u64 = 17_000;

/// The password that asks for shares of so many hashes.
fn shares_of(hashes: u64) -> String {
    format!("d={:.12}", hashes as f64 / f64::from(u32::MAX))
}

/// A chain on which blocks are as hard from the start as these miners make them.
fn node(hashes: u64, block_time_ms: u64) -> NodeHandle {
    let blake2s = AlgorithmConfig { start_hashes: hashes, ..AlgorithmConfig::named("blake2s").unwrap() };
    SimNode::start(NodeConfig {
        algorithms: vec![blake2s],
        block_time: Duration::from_millis(block_time_ms),
        ..NodeConfig::quiet()
    })
    .unwrap()
}

async fn pool(node: &NodeHandle, receiver: &Receiver<Received>, detector: &str) -> PoolProcess {
    let mut setup = Setup::simulated(&node.rpc_url, "blake2s").await;
    setup.more = format!(
        "[journal]\ndurability = \"os\"\n\
         [alerts]\nevery_s = 1\n\
         [alerts.detector]\n{detector}\n\
         [[alerts.channel]]\nname = \"hook\"\nkind = \"webhook\"\nurl = \"http://{}/hook\"\nper_hour_max = 0\n",
        receiver.address
    );
    PoolProcess::start(setup)
}

/// Miners that come from an address of their own, all with the same account unless `users` numbers them.
fn miners(pool: &PoolProcess, users: &str, count: usize, hashrate: u64, host: u8) -> SwarmConfig {
    SwarmConfig {
        address: pool.stratum.to_string(),
        account_prefix: users.to_owned(),
        count,
        hashrate,
        password: shares_of(EASY),
        from: vec![[127, 9, 9, host].into()],
        ramp: Duration::from_millis(500),
        ..SwarmConfig::default()
    }
}

fn start(config: SwarmConfig) -> SwarmHandle {
    Swarm::start(config).unwrap()
}

/// Everything that the detector has told, as `(code, subject)`.
async fn suspected(pool: &PoolProcess) -> BTreeSet<(String, String)> {
    let (status, body) = pool.get_as_admin("/api/alerts?limit=200").await;
    assert_eq!(status, 200, "{body}");
    let all = body["firing"].as_array().unwrap().iter().chain(body["items"].as_array().unwrap());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    all.map(|alert| (text(&alert["rule"]), text(&alert["subject"])))
        .filter(|(code, _)| ALL.contains(&code.as_str()))
        .collect()
}

/// What the detector tells.
const ALL: &[&str] = &[
    "BLOCKS_WITHHELD",
    "UNUSUAL_LUCK",
    "UNUSUAL_NONCES",
    "UNUSUAL_BURSTS",
    "UNUSUAL_HASHRATE",
    "SHARED_ADDRESS",
    "MANY_ADDRESSES",
];

/// Waits until all of these are suspected; nobody else is, nor anybody for what is not theirs.
async fn all_are_told(pool: &PoolProcess, expected: &[(&str, &str)], patience: Duration) {
    let expected: BTreeSet<_> =
        expected.iter().map(|(code, subject)| ((*code).to_owned(), (*subject).to_owned())).collect();
    let began = Instant::now();
    let mut seen = BTreeSet::new();
    while !seen.is_superset(&expected) {
        for new in suspected(pool).await.difference(&seen.clone()) {
            println!("{:5.1} s {} {}", began.elapsed().as_secs_f64(), new.0, new.1);
            seen.insert(new.clone());
        }
        let missing: Vec<_> = expected.difference(&seen).collect();
        assert!(began.elapsed() < patience, "not told: {missing:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(seen, expected);
}

/// Everything that the webhook was sent, once all of it is there.
async fn told(receiver: &Receiver<Received>, expected: &[(&str, &str)]) -> String {
    let began = Instant::now();
    loop {
        let told: String = receiver.arrived().iter().map(|one| one.body.clone()).collect();
        let missing = |(code, subject): &&(&str, &str)| !told.contains(code) || !told.contains(subject);
        let Some(missing) = expected.iter().find(missing) else { return told };
        assert!(began.elapsed() < PATIENCE, "{missing:?} was not sent: {told}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[actix_rt::test]
async fn attackers_are_told_and_honest_miners_are_not() {
    let (node, receiver) = (node(24_000, 200), receivers::http().await);
    let detector =
        format!("window_ms = {WINDOW_MS}\naccounts_per_address_max = 20\naddresses_per_account_max = 10\n");
    let pool = pool(&node, &receiver, &detector).await;
    let conduct = |config: SwarmConfig, conduct: Conduct| start(SwarmConfig { conduct, ..config });

    // A farm with twenty machines, and a large machine alone.
    let farm = start(miners(&pool, "farm.rig{n}", 20, 1_200, 1));
    let steady = start(miners(&pool, "steady.rig{n}", 1, 20_000, 2));
    let mole = conduct(miners(&pool, "mole.rig{n}", 2, 10_000, 3), Conduct::Withhold);
    let lucky = conduct(miners(&pool, "lucky.rig{n}", 1, 20_000, 4), Conduct::BlocksOnly);
    let hoard = Conduct::Hoard(Duration::from_millis(WINDOW_MS * 6));
    let hoarder = conduct(miners(&pool, "hoarder.rig{n}", 1, 15_000, 5), hoard);
    let jumper =
        start(SwarmConfig { raise: Some((JUMP_AFTER, 50_000)), ..miners(&pool, "jumper.rig{n}", 1, 500, 6) });
    // As many accounts as miners from one address, and one account from as many addresses.
    let _crowd = start(miners(&pool, "crowd{n}.rig", 30, 250, 7));
    let many = (1..=12).map(|host| [127, 9, 10, host].into()).collect();
    let _roamer = start(SwarmConfig { from: many, ..miners(&pool, "roamer.rig{n}", 12, 250, 8) });

    let expected = [
        ("BLOCKS_WITHHELD", "mole"),
        ("UNUSUAL_LUCK", "lucky"),
        ("UNUSUAL_BURSTS", "hoarder"),
        ("UNUSUAL_HASHRATE", "jumper"),
        ("SHARED_ADDRESS", "127.9.9.7"),
        ("MANY_ADDRESSES", "roamer"),
    ];
    all_are_told(&pool, &expected, Duration::from_secs(100)).await;

    // The honest did what can be judged, and the attackers what they are told of.
    let (_, blocks) = pool.get("/api/blocks?limit=500").await;
    let found = |account: &str| {
        blocks["items"].as_array().unwrap().iter().filter(|block| block["account"] == account).count()
    };
    let (farm, steady, mole, lucky) = (farm.stop(), steady.stop(), mole.stop(), lucky.stop());
    for (name, honest) in [("farm", farm), ("steady", steady)] {
        assert!(honest.accepted > 300 && honest.rejected.is_empty(), "{honest:?}");
        assert!(found(name) > 3, "{name} found {} blocks", found(name));
    }
    assert!(mole.withheld > 5 && mole.accepted > 300, "{mole:?}");
    assert_eq!(found("mole"), 0);
    assert!(lucky.withheld > lucky.submitted, "{lucky:?}");
    assert!(hoarder.stop().accepted > 100 && jumper.stop().accepted > 50);

    // People were told, by the channel; and nobody was punished.
    let told = told(&receiver, &expected).await;
    for honest in ["farm", "steady"] {
        assert!(!told.contains(honest), "{honest}: {told}");
    }
    let (_, bans) = pool.get_as_admin("/api/admin/bans").await;
    assert!(bans["items"].as_array().is_none_or(Vec::is_empty), "{bans}");
    let (_, stats) = pool.get("/api/stats").await;
    assert_eq!(amount(&stats["ledger"]["imbalance"]), 0, "{stats:#}");
}

/// With the windows that are usual: nonces are counted, whatever time passes.
#[actix_rt::test]
async fn every_sixteenth_nonce_is_a_pattern_and_all_of_them_are_none() {
    let (node, receiver) = (node(400_000, 1_000), receivers::http().await);
    let pool = pool(&node, &receiver, "").await;
    let hard = |users: &str, host: u8| SwarmConfig {
        password: shares_of(HARD),
        ..miners(&pool, users, 1, 400_000, host)
    };
    let steady = start(hard("steady.rig{n}", 2));
    let striped = start(SwarmConfig { conduct: Conduct::Stripes, ..hard("striped.rig{n}", 3) });
    steady.accepted(330).await;
    let expected = [("UNUSUAL_NONCES", "striped")];
    all_are_told(&pool, &expected, PATIENCE).await;
    assert!(striped.stop().accepted >= 320);
    assert!(!told(&receiver, &expected).await.contains("steady"));
}
