//! The wall clock of a running pool steps back and forth: no share is lost or wrongly refused, blocks mature, everybody is paid
//! once, and the books come out as if it had gone right.

use std::{collections::BTreeSet, time::Duration};

use pool_tests::{
    pool::{PATIENCE, PoolProcess},
    postgres::Postgres,
    wall_clock::WallClock,
};

use crate::{
    audit::assert_clean,
    mining,
    payouts::{MINERS, assert_paid_once, payouts, setup},
    postgres::assert_credited,
};

/// Where the clock is put, one after the other, seconds from what it should be.
const STEPS_S: [i64; 9] = [7_200, -3_600, 300, -300, 61, -86_400, 86_400, -7, 0];
/// Shares after each.
const SOME: u64 = 60;

async fn settled(pool: &PoolProcess) -> usize {
    payouts(pool).await.iter().filter(|payout| payout["state"] == "settled").count()
}

async fn steps(database: Option<&Postgres>) {
    let node = mining::node("blake2s", 250, 1);
    let clock = WallClock::new();
    let mut setup = setup(&node.rpc_url).await;
    setup.environment.extend(clock.environment());
    if let Some(server) = database {
        setup.more.push_str(&format!("[store]\nurl = \"{}\"\n", server.url()));
    }
    let mut pool = PoolProcess::start(setup);
    let mut swarm = mining::miners(pool.stratum, "blake2s", MINERS, None);
    pool.until("/api/stats", |_, stats| stats["ledger"]["paid"] != "0").await;
    let mut hours = BTreeSet::new();
    for step in STEPS_S {
        let before = swarm.stats().accepted;
        let paid = settled(&pool).await;
        clock.set(step * 1_000);
        let begun = tokio::time::Instant::now();
        tokio::time::timeout(PATIENCE, swarm.accepted(before + SOME)).await.expect("miners mine on");
        // It has stepped: what the pool answers now is of that time.
        let (_, health) = pool.get("/health/ready").await;
        hours.insert(health["at"].as_str().unwrap()[..13].to_owned());
        while settled(&pool).await == paid {
            assert!(begun.elapsed() < PATIENCE, "nothing is paid at {step} s\n{}", pool.log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        println!(
            "{step:>7} s: {} shares, paid after {} ms",
            swarm.stats().accepted - before,
            begun.elapsed().as_millis()
        );
    }
    assert!(hours.len() >= 4, "the pool saw its clock step: {hours:?}");
    // It is killed while its clock is ahead, and started when it goes right: behind what is in journal and books.
    clock.set(3_600_000);
    let before = swarm.stats().accepted;
    tokio::time::timeout(PATIENCE, swarm.accepted(before + SOME)).await.expect("miners mine on");
    pool.kill();
    clock.set(0);
    pool.restart();
    let before = swarm.stats().accepted;
    tokio::time::timeout(PATIENCE, swarm.accepted(before + SOME)).await.expect("miners mine on");

    let paid = assert_paid_once(&pool, &node, &mut swarm, "ten steps of the clock").await;
    assert!(paid > STEPS_S.len(), "{paid}");
    let stats = swarm.stats();
    assert!(stats.rejected.is_empty(), "nothing is wrongly refused: {stats:?}");
    assert_eq!(stats.reconnects, MINERS as u64, "nobody is disconnected but by the restart: {stats:?}");
    // Roll-ups, balances and windows are what the journal's shares come to.
    assert_credited(&mut pool, &swarm).await;
    assert_clean(&pool);
}

#[actix_rt::test]
async fn a_clock_that_steps_back_and_forth_costs_nobody_anything() {
    steps(None).await;
}

#[actix_rt::test]
async fn a_clock_that_steps_back_and_forth_costs_nobody_anything_on_postgres() {
    steps(Some(&Postgres::start())).await;
}
