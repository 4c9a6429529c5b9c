//! Two branches of the DAG that spend the same: the payout's block on one, somebody else's payment of the very same outputs on
//! the other. Whichever wins, and however often that changes: settled, or returned with a proof, and paid once.

use pool_actors::{ledger::payout_rounds::Rounds, ports::payouts::PayoutQuery};
use pool_domain::payout::PayoutState::{self, Broadcast, Confirming, Returned, Settled};
use serde_json::{Value, json};

use crate::world::{COIN, DEPTH, World, advance, rpc};

/// What the pool's and the other payment are in, and where both branches begin.
struct Branches {
    ours: String,
    theirs: String,
}

async fn mined(world: &World, parent: &str, transactions: &[&str], count: u64) -> String {
    let options =
        json!([{"count": count, "parents": [parent], "transactions": transactions, "label": "rival"}]);
    let made = rpc(&world.node.admin_url, "mineBlocks", options).await;
    made.as_array().unwrap().last().unwrap().as_str().unwrap().to_owned()
}

async fn state(world: &World) -> PayoutState {
    let query = PayoutQuery { limit: 100, ..PayoutQuery::default() };
    world.payouts.payouts(query).await.unwrap().last().unwrap().state
}

/// Alice's payout is sent; blocks on the same parent hold it, and a payment of the same outputs to somebody else.
async fn fork(world: &mut World) -> (Branches, Rounds) {
    world.credit(&[("alice", COIN)]).await;
    // Both wallets take the oldest output: theirs is signed before ours is sent, as the other holder of the keys would.
    let wanted = json!([{"outputs": [["thief", 1_000_000]], "from": "pool", "avoid": []}]);
    let created = rpc(&world.node.rpc_url, "createTransaction", wanted).await;
    let theirs = rpc(&world.node.rpc_url, "signTransaction", json!([created["hex"]])).await;
    let mut rounds = Rounds::take(world.parts()).await.unwrap();
    rounds.reserve().await.unwrap();
    advance(&mut rounds).await.unwrap();
    let open = world.payouts.open_payouts().await.unwrap();
    let signed = open[0].transaction.as_ref().unwrap();
    let input =
        format!("{}:{}", created["inputs"][0]["txid"].as_str().unwrap(), created["inputs"][0]["vout"]);
    assert!(signed.spends.iter().any(|spend| spend.to_string() == input), "both spend {input}");
    let tips = rpc(&world.node.rpc_url, "tips", json!([])).await;
    let parent = tips[0]["hash"].as_str().unwrap().to_owned();
    let hex: String = signed.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let ours = mined(world, &parent, &[&hex], 1).await;
    let theirs = mined(world, &parent, &[theirs.as_str().unwrap()], 1).await;
    (Branches { ours, theirs }, rounds)
}

/// Rounds until the payout has this state and keeps it.
async fn becomes(world: &World, rounds: &mut Rounds, wanted: PayoutState) {
    advance(rounds).await.unwrap();
    assert_eq!(state(world).await, wanted);
    advance(rounds).await.unwrap();
    assert_eq!(state(world).await, wanted);
}

async fn taken_by_thief(world: &World) -> Value {
    rpc(&world.node.rpc_url, "listTransactions", json!(["thief"])).await
}

#[actix_rt::test]
async fn our_branch_wins_and_the_payout_is_settled() {
    let mut world = World::on_sqlite().await;
    let (branches, mut rounds) = fork(&mut world).await;
    mined(&world, &branches.ours, &[], DEPTH + 2).await;
    becomes(&world, &mut rounds, Settled).await;
    world.assert_all_paid("our branch").await;
    assert_eq!((world.on_chain("alice").await.1, taken_by_thief(&world).await), (1, json!([])));
    // Nothing is left to pay, and nothing is paid again when the branches have long been merged.
    world.mine(DEPTH + 2).await;
    assert_eq!(rounds.reserve().await.unwrap().plan.payouts.len(), 0);
    advance(&mut rounds).await.unwrap();
    world.assert_all_paid("our branch, merged").await;
}

#[actix_rt::test]
async fn their_branch_wins_and_the_payout_is_returned_with_a_proof_and_made_anew() {
    let mut world = World::on_sqlite().await;
    let (branches, mut rounds) = fork(&mut world).await;
    mined(&world, &branches.theirs, &[], 1).await;
    becomes(&world, &mut rounds, Broadcast).await;
    mined(&world, &branches.theirs, &[], DEPTH + 3).await;
    becomes(&world, &mut rounds, Returned).await;
    let (row, steps) = world.payouts.payout(pool_domain::ids::PayoutId(1)).await.unwrap().unwrap();
    assert!(row.reason.as_ref().unwrap().contains("another transaction"), "{row:?}");
    assert_eq!(steps.last().unwrap().state, Returned);
    world.assert_exact("their branch").await;
    assert_eq!(world.on_chain("alice").await, (0, 0));
    rounds.reserve().await.unwrap();
    world.settle(&mut rounds).await;
    world.assert_all_paid("made anew").await;
    assert_eq!(world.on_chain("alice").await.1, 1);
}

#[actix_rt::test]
async fn branches_that_overtake_each_other_end_it_once() {
    let mut world = World::on_sqlite().await;
    let (branches, mut rounds) = fork(&mut world).await;
    // Theirs overtakes, ours comes back, theirs again, which then is deep.
    let ours = mined(&world, &branches.ours, &[], 1).await;
    becomes(&world, &mut rounds, Confirming).await;
    let theirs = mined(&world, &branches.theirs, &[], 2).await;
    becomes(&world, &mut rounds, Broadcast).await;
    mined(&world, &ours, &[], 2).await;
    becomes(&world, &mut rounds, Confirming).await;
    assert_eq!(world.store.check().await.unwrap(), vec![]);
    mined(&world, &theirs, &[], 2).await;
    becomes(&world, &mut rounds, Returned).await;
    rounds.reserve().await.unwrap();
    world.settle(&mut rounds).await;
    world.assert_all_paid("branches that overtook each other").await;
    assert_eq!(
        (world.on_chain("alice").await.1, taken_by_thief(&world).await.as_array().unwrap().len()),
        (1, 1)
    );
}
