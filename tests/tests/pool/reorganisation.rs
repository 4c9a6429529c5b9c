//! A node that re-organises twenty blocks of ours after their rewards were credited as pending: the credits are voided, nothing
//! that the chain took back is confirmed or paid, and balances are what the chain gives.

use std::time::Duration;

use pool_tests::{
    pool::{PATIENCE, PoolProcess, amount},
    postgres::Postgres,
};
use serde_json::{Value, json};
use simulations::node::{AlgorithmConfig, NodeConfig, SimNode};

use crate::{
    audit::assert_clean,
    mining,
    payouts::{MINERS, assert_paid_once, rpc, setup},
};

/// Blocks that are taken back.
const DEPTH: usize = 20;
/// By how much blue score the other chain leaves the old one: the newest blocks may not have been credited yet, and a node
/// refuses what is more than 32 behind.
const FORK: u64 = 30;
/// Blocks by which the other chain is ahead: one that was found for the old tips and comes late must not turn it back.
const LEAD: usize = 10;
/// Blocks until a reward is final: more than are taken back, as on any chain that is worth it.
const MATURITY: u64 = 40;

async fn blocks(pool: &PoolProcess) -> Vec<Value> {
    let (_, page) = pool.get("/api/blocks?limit=500").await;
    assert!(page["next"].is_null(), "one page holds them all");
    page["items"].as_array().unwrap().clone()
}

fn with<'a>(blocks: &'a [Value], status: &str) -> Vec<&'a str> {
    let found = blocks.iter().filter(|block| block["status"] == status);
    found.map(|block| block["hash"].as_str().unwrap()).collect()
}

/// The newest block of the selected chain.
async fn tip(node: &str) -> String {
    let template = rpc(node, "getBlockTemplate", json!([[], null])).await;
    template["parents"][0]["hash"].as_str().unwrap().to_owned()
}

async fn blue_score(node: &str, block: &str) -> (u64, String) {
    let block = rpc(node, "getBlock", json!([block])).await;
    (block["blue_score"].as_u64().unwrap(), block["selected_parent"].as_str().unwrap_or_default().to_owned())
}

/// Mines a chain of its own from before the last blues, until it is the selected one and stays it. How many blocks it took.
async fn reorganise(node: &str, admin: &str) -> usize {
    let mut newest = tip(node).await;
    let (top, mut parent) = blue_score(node, &newest).await;
    loop {
        let (score, before) = blue_score(node, &parent).await;
        if score + FORK < top {
            break;
        }
        newest = std::mem::replace(&mut parent, before);
    }
    for mined in 1..=20 * DEPTH {
        let made = rpc(admin, "mineBlocks", json!([{"parents": [newest], "label": "rival"}])).await;
        newest = made[0].as_str().unwrap().to_owned();
        if tip(node).await == newest {
            rpc(admin, "mineBlocks", json!([{"parents": [newest], "label": "rival", "count": LEAD}])).await;
            return mined + LEAD;
        }
    }
    panic!("the other chain does not win");
}

/// What the chain gives for each of our blocks that is final, and what the books hold of what is final.
async fn by_chain_and_books(pool: &PoolProcess, node: &str) -> (i128, i128) {
    let mut earned = 0;
    for block in blocks(pool).await.iter().filter(|block| block["status"] == "paid") {
        let told = rpc(node, "getBlockRewardInfo", json!([block["hash"]])).await;
        assert_eq!((&told["blockColor"], &told["isMature"]), (&json!("blue"), &json!(true)), "{told:#}");
        let merged = rpc(node, "getBlock", json!([block["hash"]])).await;
        // Its coinbase, which collects what reds forfeit, counts on the selected chain alone.
        let collects = merged["is_chain_block"] == true;
        let reds = if collects { merged["red_reward_amount"].as_u64().unwrap() } else { 0 };
        earned += i128::from(told["rewardAmount"].as_u64().unwrap()) + i128::from(reds);
    }
    let (_, stats) = pool.get("/api/stats").await;
    let held = ["confirmed", "paid", "fee_confirmed", "network_fees"];
    (earned, held.iter().map(|held| amount(&stats["ledger"][held])).sum())
}

async fn twenty_blocks(database: Option<&Postgres>) {
    let blake2s = AlgorithmConfig::named("blake2s").unwrap();
    let node = SimNode::start(NodeConfig {
        algorithms: vec![blake2s],
        block_time: Duration::from_millis(150),
        latency: Duration::from_millis(20),
        rivals: vec![],
        k: Some(1),
        coinbase_maturity: MATURITY,
        ..NodeConfig::default()
    })
    .unwrap();
    let mut setup = setup(&node.rpc_url).await;
    // A payout is final as late as a reward.
    setup.more = setup.more.replace("confirmations = 3\n", &format!("confirmations = {MATURITY}\n"));
    if let Some(server) = database {
        setup.more.push_str(&format!("[store]\nurl = \"{}\"\n", server.url()));
    }
    let pool = PoolProcess::start(setup);
    let swarm = mining::miners(pool.stratum, "blake2s", MINERS, None);
    // Some are final and a payout is on its way; the newest ones are pending.
    let credited = |page: &Value| {
        let open = page["items"].as_array().unwrap().iter();
        open.filter(|block| block["status"] == "accepted" && block["color"] == "blue").count()
    };
    pool.until("/api/stats", |_, stats| amount(&stats["ledger"]["reserved"]) > 0).await;
    pool.until("/api/blocks?limit=500", |_, page| credited(page) > DEPTH + LEAD).await;
    drop(swarm.stop());
    pool.until("/api/stats", |_, stats| stats["ledger"]["lag"] == 0).await;
    let pending = blocks(&pool).await;
    let was_credited = |hash: &Value| {
        let before = pending.iter().find(|block| block["hash"] == *hash);
        before.is_some_and(|block| block["status"] == "accepted" && block["color"] == "blue")
    };
    let (_, before) = pool.get("/api/stats").await;
    assert!(amount(&before["ledger"]["pending"]) > 0, "{before:#}");
    let final_before = with(&pending, "paid").len();

    let rivals = reorganise(&node.rpc_url, &node.admin_url).await;
    // Whoever mines on merges what was left behind.
    rpc(&node.admin_url, "mineBlocks", json!([{"count": 2, "label": "rival"}])).await;
    let turned = |page: &Value| -> Vec<Value> {
        let reds = page["items"].as_array().unwrap().iter().filter(|block| block["color"] == "red");
        reds.filter(|block| was_credited(&block["hash"])).cloned().collect()
    };
    let page = pool.until("/api/blocks?limit=500", |_, page| turned(page).len() >= DEPTH).await;
    let taken_back = turned(&page);
    assert!(taken_back.iter().all(|block| block["status"] == "accepted"), "nothing is final yet");
    // Their credits are gone at once, not only when the blocks are void.
    let held = amount(&before["ledger"]["pending"]);
    let less = pool.until("/api/stats", |_, stats| amount(&stats["ledger"]["pending"]) < held).await;
    mining::assert_balanced(&less);

    let mut swarm = mining::miners(pool.stratum, "blake2s", MINERS, None);
    let voids = |page: &Value| with(page["items"].as_array().unwrap(), "void").len();
    pool.until("/api/blocks?limit=500", |_, page| voids(page) >= taken_back.len()).await;
    pool.until("/api/stats", |_, stats| {
        stats["ledger"]["paid"] != "0" && stats["blocks"]["paid"].as_u64() > Some(final_before as u64 + 3)
    })
    .await;
    let paid = assert_paid_once(&pool, &node, &mut swarm, "a reorganisation of twenty blocks").await;

    assert_clean(&pool);
    // The ledger may still be following the last blocks: it comes to what the chain gives, or never.
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let (mut earned, mut books) = by_chain_and_books(&pool, &node.rpc_url).await;
    while earned != books {
        assert!(tokio::time::Instant::now() < deadline, "{earned} by the chain, {books} in the books");
        tokio::time::sleep(Duration::from_millis(100)).await;
        (earned, books) = by_chain_and_books(&pool, &node.rpc_url).await;
    }
    let all = blocks(&pool).await;
    for block in &taken_back {
        let now = all.iter().find(|now| now["hash"] == block["hash"]).unwrap();
        assert_eq!((&now["status"], &now["color"]), (&json!("void"), &json!("red")), "{now:#}");
    }
    println!(
        "{rivals} rival blocks, {} of ours taken back and void; {earned} earned by the chain, {books} in the books, {paid} payouts",
        taken_back.len()
    );
    mining::assert_balanced(&pool.get("/api/stats").await.1);
}

#[actix_rt::test]
async fn twenty_blocks_are_taken_back_after_they_were_credited() {
    twenty_blocks(None).await;
}

#[actix_rt::test]
async fn twenty_blocks_are_taken_back_after_they_were_credited_on_postgres() {
    twenty_blocks(Some(&Postgres::start())).await;
}
