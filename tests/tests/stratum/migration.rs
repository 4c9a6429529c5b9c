//! A migration as miners see it: who can switch is told and moved, who can't stays, without work in the end, and knows why.

use std::collections::BTreeMap;

use pool_actors::{
    config::{Listener, Stratum},
    messages::stats::ShareCounts,
    stratum::dialect::wire_id,
};
use pool_domain::{
    difficulty::Difficulty,
    functions::{Functions, Moving},
    ids::{AlgorithmName, JobId},
    units::BasisPoints,
};
use serde_json::{Value, json};
use tokio::io::DuplexStream;

use crate::rig::{Client, Rig, coinbase, listener, number_of};

fn name(text: &str) -> AlgorithmName {
    AlgorithmName::new(text).unwrap()
}

fn only(function: &str) -> Functions {
    Functions::only(name(function))
}

fn moving(to: &str, percent: u32) -> Functions {
    let moving = Moving { to: name(to), share: BasisPoints::percent(percent), salt: 1 };
    Functions { main: name("blake2s"), moving: Some(moving) }
}

fn rig() -> Rig {
    let listener =
        Listener { difficulty_min: Difficulty::parse("0.001").unwrap(), ..listener("standard", "1", true) };
    Rig::with(Stratum { listener: vec![listener], ..Stratum::default() })
}

const ABLE: &str = r#"{"id":5,"method":"mining.multi_version","params":[["blake2s","blake3","scrypt"]]}"#;

/// Says what it can do before it authorises; returns its first lines of work.
async fn able(rig: &Rig, says: &str) -> (Client<DuplexStream>, Vec<String>) {
    let mut miner = rig.connect();
    miner.send(r#"{"id":1,"method":"mining.subscribe","params":["test/1"]}"#).await;
    miner.line().await;
    miner.send(says).await;
    assert_eq!(miner.line().await, r#"{"id":5,"result":true,"error":null}"#);
    miner.send(r#"{"id":2,"method":"mining.authorize","params":["account.rig","x"]}"#).await;
    assert_eq!(miner.line().await, r#"{"id":2,"result":true,"error":null}"#);
    let work = work(&mut miner).await;
    (miner, work)
}

/// The lines up to the next job.
async fn work(miner: &mut Client<DuplexStream>) -> Vec<String> {
    let mut lines = vec![miner.line().await];
    while !lines.last().unwrap().contains("mining.notify") {
        lines.push(miner.line().await);
    }
    lines
}

fn methods(lines: &[String]) -> Vec<String> {
    let parsed = lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
    parsed.map(|value| value["method"].as_str().unwrap().to_owned()).collect()
}

fn params(line: &str) -> Value {
    serde_json::from_str::<Value>(line).unwrap()["params"].clone()
}

fn job_of(line: &str) -> JobId {
    wire_id::split(u64::from_str_radix(&number_of(line), 16).unwrap()).0
}

fn is_clean(line: &str) -> bool {
    line.ends_with(",true]}")
}

const SWITCH: [&str; 3] = ["mining.set_algorithm", "mining.set_difficulty", "mining.notify"];

#[actix::test]
async fn who_can_is_told_and_moved_and_moved_back() {
    let mut rig = rig();
    rig.job_of("blake2s", coinbase(7), &only("blake2s")).await;
    let (mut miner, first) = able(&rig, ABLE).await;
    assert_eq!(methods(&first), SWITCH);
    assert_eq!(params(&first[0]), json!(["blake2s"]));
    // Nobody is moved yet.
    rig.job_of("blake2s", coinbase(8), &moving("scrypt", 0)).await;
    rig.job_of("scrypt", coinbase(8), &moving("scrypt", 0)).await;
    let lines = work(&mut miner).await;
    assert_eq!((methods(&lines), is_clean(&lines[0])), (vec!["mining.notify".to_owned()], false));
    assert!(miner.is_quiet(100).await);
    rig.job_of("blake2s", coinbase(8), &moving("scrypt", 100)).await;
    let new = rig.job_of("scrypt", coinbase(8), &moving("scrypt", 100)).await;
    // With the newest job of the new function that there is, and then the next.
    let lines = work(&mut miner).await;
    assert_eq!((methods(&lines), params(&lines[0])), (SWITCH.map(str::to_owned).to_vec(), json!(["scrypt"])));
    assert!(job_of(&lines[2]) < new && is_clean(&lines[2]));
    let lines = work(&mut miner).await;
    assert_eq!((lines.len(), job_of(&lines[0]), is_clean(&lines[0])), (1, new, false));
    // Its shares are judged by the new function's difficulty 1, which is 65,536 times easier; old ones by the old one's.
    miner.submit("account.rig", &number_of(&lines[0]), 1).await;
    miner.submit("account.rig", &number_of(&first[2]), 2).await;
    for _ in 0..2 {
        assert_eq!(miner.json().await["result"], true);
    }
    let targets: Vec<_> = rig.seen.get().iter().map(|seen| (seen.job, seen.target)).collect();
    assert!(targets[0].0 == new && targets[0].1.0 > targets[1].1.0 * ruint::Uint::from(65_000u32));
    // Jobs of the other function are nothing to it.
    rig.job_of("blake2s", coinbase(9), &moving("scrypt", 100)).await;
    assert!(miner.is_quiet(100).await);
    // Back, by the same messages.
    let back = rig.job_of("blake2s", coinbase(9), &only("blake2s")).await;
    let lines = work(&mut miner).await;
    assert_eq!((methods(&lines), job_of(&lines[2])), (SWITCH.map(str::to_owned).to_vec(), back));
    assert!(is_clean(&lines[2]));
    let view = rig.context.cards()[0].view(&rig.context);
    assert_eq!((view.algorithm.as_deref(), view.without_work), (Some("blake2s"), false));
    assert_eq!(view.algorithms.unwrap().len(), 3);
}

#[actix::test]
async fn who_cannot_stays_is_told_why_again_and_again_and_works_when_its_function_returns() {
    let mut rig = rig();
    rig.job_of("blake2s", coinbase(7), &only("blake2s")).await;
    let mut miner = rig.connect();
    miner.log_in("account.rig").await;
    for percent in [0, 100] {
        rig.job_of("blake2s", coinbase(8), &moving("blake3", percent)).await;
        rig.job_of("blake3", coinbase(8), &moving("blake3", percent)).await;
        let lines = work(&mut miner).await;
        assert_eq!(methods(&lines), ["mining.notify"], "the old function goes on");
        assert!(miner.is_quiet(100).await);
    }
    let last = rig.job_of("blake2s", coinbase(8), &moving("blake3", 100)).await;
    let old = number_of(&work(&mut miner).await[0]);
    // The old function ends.
    rig.job_of("blake3", coinbase(8), &only("blake3")).await;
    let told = miner.json().await;
    assert_eq!(told["method"], "client.show_message");
    let text = told["params"][0].as_str().unwrap().to_owned();
    assert!(text.contains("mines blake3 now") && text.contains("works on blake2s"), "{text}");
    rig.job_of("blake3", coinbase(9), &only("blake3")).await;
    assert!(miner.is_quiet(1_000).await, "never fed what it can't do, and told sparingly");
    // What it had under way counts during the grace.
    rig.pass(20_000).await;
    miner.submit("account.rig", &old, 1).await;
    assert_eq!(miner.json().await["result"], true);
    rig.pass(15_000).await;
    miner.submit("account.rig", &old, 2).await;
    rig.judge(|share| {
        let stale = pool_domain::share::Verdict::Rejected(pool_domain::share::RejectReason::StaleJob);
        Some(if share.late { stale } else { pool_domain::share::Verdict::Accepted })
    });
    miner.submit("account.rig", &old, 3).await;
    let answers = [miner.json().await, miner.json().await];
    assert!(answers.iter().any(|answer| answer["error"][0] == 21), "{answers:?}");
    assert_eq!(rig.seen.get().last().unwrap().job, last);
    // Something comes at least every minute, for hours, although it says nothing itself.
    for _ in 0..30 {
        let mut waited = 0;
        while miner.is_quiet(1_000).await {
            waited += 1;
            assert!(waited < 60, "silent for a minute");
        }
        assert_eq!(miner.json().await["params"][0], text);
    }
    // The pool goes back.
    let back = rig.job_of("blake2s", coinbase(9), &only("blake2s")).await;
    let lines = work(&mut miner).await;
    assert_eq!(job_of(lines.last().unwrap()), back);
    assert!(methods(&lines).iter().all(|method| method != "mining.set_algorithm"), "it did not ask for it");
}

/// Shares by function and outcome since the last call: accepted, stale, duplicate.
fn counted(rig: &Rig) -> BTreeMap<String, (u64, u64, u64)> {
    let mut sums = BTreeMap::new();
    for tally in rig.tallies.get().drain(..) {
        for (label, counts) in &tally.shares {
            let sum: &mut (u64, u64, u64) = sums.entry(label.algorithm.to_string()).or_default();
            *sum = (sum.0 + counts.accepted, sum.1 + counts.stale, sum.2 + counts.duplicate);
        }
        assert_eq!(tally.anonymous, ShareCounts::default());
    }
    sums
}

#[actix::test]
async fn shares_are_counted_for_the_function_of_their_job_whatever_is_mined_meanwhile() {
    let mut rig = rig();
    rig.judge(|share| {
        let stale = pool_domain::share::Verdict::Rejected(pool_domain::share::RejectReason::StaleJob);
        Some(if share.late { stale } else { pool_domain::share::Verdict::Accepted })
    });
    rig.job_of("blake2s", coinbase(7), &only("blake2s")).await;
    let (mut able, lines) = able(&rig, ABLE).await;
    let old = number_of(&lines[2]);
    let mut stays = rig.connect();
    let (_, notify) = stays.log_in("stayer.rig").await;
    let old_of_stayer = number_of(&notify);
    // All who can are moved, and with the next job the migration is over.
    rig.job_of("blake2s", coinbase(7), &moving("blake3", 100)).await;
    // The new function's first job comes after the old one's.
    work(&mut able).await;
    rig.job_of("blake3", coinbase(7), &moving("blake3", 100)).await;
    let lines = work(&mut able).await;
    assert_eq!(params(&lines[0]), json!(["blake3"]));
    let new = number_of(&lines[2]);
    work(&mut stays).await;
    rig.job_of("blake3", coinbase(8), &only("blake3")).await;
    work(&mut able).await;
    assert_eq!(stays.json().await["method"], "client.show_message");
    // Old work in its grace, a repetition of it, and new work.
    for (number, nonce) in [(&old, 1), (&old, 1), (&new, 11), (&new, 12)] {
        able.submit("account.rig", number, nonce).await;
        able.json().await;
    }
    stays.submit("stayer.rig", &old_of_stayer, 1).await;
    assert_eq!(stays.json().await["result"], true);
    rig.pass(1_100).await;
    let expected = |old, new| [("blake2s".to_owned(), old), ("blake3".to_owned(), new)].into();
    assert_eq!(counted(&rig), expected((2, 0, 1), (2, 0, 0)));
    // Past the grace; of a job that nobody knows any more; and of one that never was.
    rig.pass(40_000).await;
    able.submit("account.rig", &old, 3).await;
    stays.submit("stayer.rig", &old_of_stayer, 3).await;
    rig.pass(70_000).await;
    rig.job_of("blake3", coinbase(9), &only("blake3")).await;
    stays.submit("stayer.rig", &old_of_stayer, 4).await;
    stays.submit("stayer.rig", "7fffffff", 4).await;
    able.submit("account.rig", "7fffffff", 4).await;
    rig.pass(1_100).await;
    assert_eq!(counted(&rig), expected((0, 4, 0), (0, 1, 0)));
}

#[actix::test]
async fn a_migration_that_is_over_decides_by_what_a_miner_says() {
    let mut rig = rig();
    rig.job_of("blake3", coinbase(7), &only("blake3")).await;
    let (_able, lines) = able(&rig, ABLE).await;
    assert_eq!(params(&lines[0]), json!(["blake3"]));
    // One that can only do the old function is told at once, and never fed.
    let says = r#"{"id":5,"method":"mining.multi_version","params":[["blake2s"]]}"#;
    let mut miner = rig.connect();
    miner.send(r#"{"id":1,"method":"mining.subscribe","params":["test/1"]}"#).await;
    miner.line().await;
    miner.send(says).await;
    miner.line().await;
    miner.send(r#"{"id":2,"method":"mining.authorize","params":["account.rig","x"]}"#).await;
    miner.line().await;
    let told = miner.json().await;
    assert!(told["params"][0].as_str().unwrap().contains("can do blake2s"), "{told}");
    // One that says nothing was pointed at this pool as it is.
    let mut plain = rig.connect();
    let (_, notify) = plain.log_in("account.rig").await;
    assert!(notify.contains("mining.notify"));
    // One that says so late is told what it works on, with a fresh job.
    plain.send(ABLE).await;
    assert_eq!(plain.line().await, r#"{"id":5,"result":true,"error":null}"#);
    let lines = work(&mut plain).await;
    assert_eq!((params(&lines[0]), is_clean(lines.last().unwrap())), (json!(["blake3"]), true));
    assert_ne!(number_of(lines.last().unwrap()), number_of(&notify), "always a new number");
    for bad in [r#"["blake2s"]"#, "[]", "{}", "[7]"] {
        plain.send(&format!(r#"{{"id":6,"method":"mining.multi_version","params":{bad}}}"#)).await;
        assert_eq!(plain.json().await["error"][0], -32_602, "{bad}");
    }
}

#[actix::test]
async fn without_a_job_of_the_new_function_nobody_is_moved() {
    let mut rig = rig();
    rig.job_of("blake2s", coinbase(7), &only("blake2s")).await;
    let (mut miner, _) = able(&rig, ABLE).await;
    for parent in 8..11 {
        rig.job_of("blake2s", coinbase(parent), &moving("blake3", 100)).await;
        let lines = work(&mut miner).await;
        assert_eq!(methods(&lines), ["mining.notify"], "the node gives none: the old function goes on");
    }
    rig.job_of("blake3", coinbase(11), &moving("blake3", 100)).await;
    assert_eq!(params(&work(&mut miner).await[0]), json!(["blake3"]));
}
