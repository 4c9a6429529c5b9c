//! Chains, nodes and wallets that misbehave.

use std::{sync::Arc, time::Duration};

use pool_actors::{
    ledger::payout_rounds::{Ages, Parts, Rounds, Trouble, look},
    ports::{
        payouts::{PayoutQuery, Scope},
        store::StoreError,
        wallet::WalletError,
    },
};
use pool_domain::{
    ids::{Account, PayoutId},
    payout::PayoutState,
    payout_plan::{Skip, SpendingLimits},
    units::Amount,
};
use serde_json::json;

use crate::world::{COIN, DEPTH, World, advance, rpc, wallet_on};

async fn states(world: &World) -> Vec<PayoutState> {
    let query = PayoutQuery { limit: 100, ..PayoutQuery::default() };
    let mut rows = world.payouts.payouts(query).await.unwrap();
    rows.reverse();
    rows.iter().map(|row| row.state).collect()
}

#[actix_rt::test]
async fn an_answer_that_gets_lost_after_sending_pays_once() {
    let mut world = World::on_sqlite().await;
    world.credit(&[("alice", COIN), ("bob", COIN)]).await;
    world.faults(json!({"lose_send_answer": true})).await;
    let mut rounds = Rounds::take(world.parts()).await.unwrap();
    rounds.reserve().await.unwrap();
    let lost = advance(&mut rounds).await.unwrap_err();
    assert!(matches!(lost, Trouble::Wallet(WalletError::Unavailable { .. })), "{lost}");
    assert_eq!(states(&world).await, [PayoutState::Broadcast]);
    // It is in the mempool all the same: nothing is built anew, the same transaction gets into the chain.
    let txid = world.payouts.open_payouts().await.unwrap()[0].transaction.as_ref().unwrap().txid.clone();
    let waiting = rpc(&world.node.rpc_url, "getMempool", json!([])).await;
    assert_eq!(waiting, json!([txid]));
    world.settle(&mut rounds).await;
    world.assert_all_paid("a lost answer").await;
    assert_eq!(world.on_chain("alice").await.1, 1);
}

#[actix_rt::test]
async fn a_node_that_is_down_or_refuses_is_waited_for() {
    let mut world = World::on_sqlite().await;
    let address = rpc(&world.node.rpc_url, "getNewAddress", json!(["pool"])).await;
    (world.wallet, world.signer) =
        wallet_on(&world.node.rpc_url, address.as_str().unwrap(), Duration::from_secs(5));
    world.credit(&[("alice", COIN)]).await;
    world.faults(json!({"drop_connections": true})).await;
    let mut rounds = Rounds::take(world.parts()).await.unwrap();
    let down = rounds.reserve().await.unwrap_err();
    assert!(matches!(down, Trouble::Wallet(WalletError::Unavailable { .. })), "{down}");
    assert_eq!(states(&world).await, [], "nothing is reserved for addresses that can't be checked");
    world.faults(json!({"drop_connections": false, "refuse_send": "mempool is full"})).await;
    rounds.reserve().await.unwrap();
    for _ in 0..3 {
        // However often: the same bytes, and nothing is given up.
        let round = advance(&mut rounds).await.unwrap();
        assert!(round.troubles[0].what.contains("mempool is full"), "{:?}", round.troubles);
        assert_eq!(states(&world).await, [PayoutState::Broadcast]);
    }
    world.faults(json!({"refuse_send": null})).await;
    world.settle(&mut rounds).await;
    world.assert_all_paid("a node that was down").await;
}

/// Somebody else who has the keys spends the very same outputs.
async fn spend_the_same(world: &World, spends: &[String]) {
    let wanted = json!([{"outputs": [["thief", 1_000_000]], "from": "pool", "avoid": []}]);
    let created = rpc(&world.node.rpc_url, "createTransaction", wanted).await;
    let input = &created["inputs"][0];
    let taken = format!("{}:{}", input["txid"].as_str().unwrap(), input["vout"]);
    assert!(spends.contains(&taken), "the oldest output is taken first, by both: {taken} of {spends:?}");
    let signed = rpc(&world.node.rpc_url, "signTransaction", json!([created["hex"]])).await;
    rpc(&world.node.rpc_url, "sendRawTransaction", json!([signed])).await;
}

#[actix_rt::test]
async fn an_input_that_others_spent_returns_the_payout_only_when_that_is_final() {
    let mut world = World::on_sqlite().await;
    world.credit(&[("alice", COIN)]).await;
    let mut rounds = Rounds::take(world.parts()).await.unwrap();
    // Signed and persisted, but the node does not take it.
    world.faults(json!({"refuse_send": "not now"})).await;
    rounds.reserve().await.unwrap();
    advance(&mut rounds).await.unwrap();
    let spends: Vec<String> = world.payouts.open_payouts().await.unwrap()[0]
        .transaction
        .as_ref()
        .unwrap()
        .spends
        .iter()
        .map(ToString::to_string)
        .collect();
    world.faults(json!({"refuse_send": null})).await;
    spend_the_same(&world, &spends).await;
    // In the mempool, or in a block that is not deep: that proves nothing.
    for _ in 0..=DEPTH {
        advance(&mut rounds).await.unwrap();
        assert_eq!(states(&world).await, [PayoutState::Broadcast]);
        world.mine(1).await;
    }
    world.mine(1).await;
    advance(&mut rounds).await.unwrap();
    assert_eq!(states(&world).await, [PayoutState::Returned]);
    world.assert_exact("a payout that was impossible").await;
    assert_eq!(world.on_chain("alice").await, (0, 0));
    // Owed as before, and paid by the next one.
    rounds.reserve().await.unwrap();
    world.settle(&mut rounds).await;
    world.assert_all_paid("after an impossible payout").await;
    assert_eq!(states(&world).await, [PayoutState::Returned, PayoutState::Settled]);
}

#[actix_rt::test]
async fn a_reorganisation_before_the_depth_settles_nothing() {
    let mut world = World::on_sqlite().await;
    world.credit(&[("alice", COIN)]).await;
    let mut rounds = Rounds::take(world.parts()).await.unwrap();
    rounds.reserve().await.unwrap();
    advance(&mut rounds).await.unwrap();
    let fork = rpc(&world.node.rpc_url, "tips", json!([])).await;
    let fork = fork[0]["hash"].as_str().or(fork[0].as_str()).unwrap().to_owned();
    // The payment's block and one that merges it: confirmed, not deep.
    world.mine(DEPTH).await;
    advance(&mut rounds).await.unwrap();
    assert_eq!(states(&world).await, [PayoutState::Confirming]);
    let view = || async {
        let open = world.payouts.open_payouts().await.unwrap();
        let transaction = open[0].transaction.clone().unwrap();
        world.wallet.view(&transaction.txid, &transaction.spends).await.unwrap()
    };
    let before = view().await;
    // A longer branch from below it.
    let mut parent = fork;
    for _ in 0..DEPTH + 3 {
        let mined = rpc(
            &world.node.admin_url,
            "mineBlocks",
            json!([{"count": 1, "parents": [parent], "label": "rival"}]),
        )
        .await;
        parent = mined[0].as_str().unwrap().to_owned();
    }
    let after = view().await;
    assert_ne!(before, after, "the payment is less deep, or gone");
    advance(&mut rounds).await.unwrap();
    assert_eq!(world.payouts.open_payouts().await.unwrap().len(), 1, "nothing is settled");
    world.settle(&mut rounds).await;
    world.assert_all_paid("a reorganisation").await;
    assert_eq!(world.on_chain("alice").await.1, 1);
}

#[actix_rt::test]
async fn refused_addresses_are_set_aside_and_the_others_are_paid() {
    let mut world = World::on_sqlite().await;
    world.credit(&[("alice", COIN), ("mallory", COIN), ("kaspa:qqqq", COIN), ("bob", COIN)]).await;
    world.faults(json!({"refuse_addresses": ["mallory"]})).await;
    let mut rounds = Rounds::take(world.parts()).await.unwrap();
    let outlook = rounds.reserve().await.unwrap();
    assert_eq!(outlook.refused.len(), 2, "{outlook:?}");
    world.settle(&mut rounds).await;
    world.faults(json!({"refuse_addresses": []})).await;
    assert_eq!((world.on_chain("alice").await.0, world.on_chain("bob").await.0), (COIN, COIN));
    assert_eq!(world.on_chain("mallory").await.0, 0);
    let mallory = Account::new("mallory").unwrap();
    let terms = world.payouts.terms(mallory.clone()).await.unwrap();
    assert!(terms.set_aside.unwrap().contains("refused"));
    // Still set aside, until an operator says otherwise.
    assert_eq!(rounds.reserve().await.unwrap().plan.payouts, Vec::<Vec<_>>::new());
    world.payouts.hold(world.parts().clock.now(), Scope::Account(mallory), None, "ann".into()).await.unwrap();
    rounds.reserve().await.unwrap();
    world.settle(&mut rounds).await;
    assert_eq!(world.on_chain("mallory").await.0, COIN);
    // It is refused when it is reserved already, together with somebody else: that one is paid all the same.
    world.credit(&[("mallory", COIN), ("alice", COIN)]).await;
    rounds.reserve().await.unwrap();
    world.faults(json!({"refuse_addresses": ["mallory"]})).await;
    advance(&mut rounds).await.unwrap();
    assert_eq!(states(&world).await.last(), Some(&PayoutState::Returned));
    rounds.reserve().await.unwrap();
    world.settle(&mut rounds).await;
    world.faults(json!({"refuse_addresses": []})).await;
    assert_eq!(world.on_chain("alice").await.0, 2 * COIN);
    assert_eq!(world.on_chain("mallory").await.0, COIN);
}

#[actix_rt::test]
async fn holds_stop_what_was_not_sent_and_limits_spread_the_rest() {
    let mut world = World::on_sqlite().await;
    world.credit(&[("alice", 2 * COIN), ("bob", 2 * COIN), ("carol", 6 * COIN)]).await;
    let limits = SpendingLimits { per_hour: Some(Amount(3 * COIN)), per_day: Some(Amount(5 * COIN)) };
    let parts = world.parts();
    let parts = Parts { rules: pool_domain::payout_plan::PlanRules { limits, ..parts.rules }, ..parts };
    let now = || parts.clock.now();
    let mut rounds = Rounds::take(parts.clone()).await.unwrap();
    world.payouts.hold(now(), Scope::All, Some("audit".into()), "ann".into()).await.unwrap();
    let outlook = rounds.reserve().await.unwrap();
    assert_eq!((outlook.held.as_deref(), states(&world).await.len()), (Some("audit"), 0));
    let dry = look(&parts, &mut std::collections::BTreeSet::new()).await.unwrap();
    assert_eq!(dry.plan.total(), Amount(2 * COIN), "a dry run shows what the hold holds back");
    world.payouts.hold(now(), Scope::All, None, "ann".into()).await.unwrap();
    let outlook = rounds.reserve().await.unwrap();
    let skips: Vec<_> =
        outlook.plan.skipped.iter().map(|(account, _, skip)| (account.as_str(), *skip)).collect();
    assert_eq!(skips, [("bob", Skip::WaitsForLimit), ("carol", Skip::AboveLimit)]);
    // Reserved, and held before it is signed; then one of its recipients.
    world.payouts.hold(now(), Scope::Payout(PayoutId(1)), Some("look".into()), "ann".into()).await.unwrap();
    advance(&mut rounds).await.unwrap();
    assert_eq!(states(&world).await, [PayoutState::Reserved]);
    world.payouts.hold(now(), Scope::Payout(PayoutId(1)), None, "ann".into()).await.unwrap();
    let alice = Account::new("alice").unwrap();
    world
        .payouts
        .hold(now(), Scope::Account(alice.clone()), Some("hacked".into()), "ann".into())
        .await
        .unwrap();
    advance(&mut rounds).await.unwrap();
    assert_eq!(
        states(&world).await,
        [PayoutState::Returned],
        "what is not signed goes back, for the others' sake"
    );
    world.payouts.hold(now(), Scope::Account(alice), None, "ann".into()).await.unwrap();
    // What was returned did not use up the limit; bob comes first now, he never had a payout.
    rounds.reserve().await.unwrap();
    world.settle(&mut rounds).await;
    assert_eq!((world.on_chain("alice").await.0, world.on_chain("bob").await.0), (0, 2 * COIN));
    assert_eq!(rounds.reserve().await.unwrap().plan.total(), Amount::ZERO);
    world.clock.pass(3_600_001);
    rounds.reserve().await.unwrap();
    world.settle(&mut rounds).await;
    assert_eq!(world.on_chain("alice").await.0, 2 * COIN);
    world.assert_exact("limits").await;
}

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: i64 = 24 * 3_600_000;

/// Somebody sets the clock: what may be spent in an hour is neither spent twice in one, nor held back for longer than one.
#[actix_rt::test]
async fn limits_go_by_the_hours_that_pass_whatever_the_clock_is_set_to() {
    for mut world in [World::on_sqlite().await, World::on_postgres().await] {
        let limits = SpendingLimits { per_hour: Some(Amount(3 * COIN)), per_day: Some(Amount(7 * COIN)) };
        let parts = world.parts();
        let parts = Parts { rules: pool_domain::payout_plan::PlanRules { limits, ..parts.rules }, ..parts };
        let mut rounds = Rounds::take(parts.clone()).await.unwrap();
        world.credit(&[("alice", 2 * COIN)]).await;
        assert_eq!(rounds.reserve().await.unwrap().plan.total(), Amount(2 * COIN));
        world.credit(&[("bob", 2 * COIN)]).await;
        for step in [2 * DAY_MS, 3_650 * DAY_MS, -3_660 * DAY_MS, 8 * DAY_MS] {
            world.clock.step(step);
            world.clock.pass(HOUR_MS / 5);
            let outlook = rounds.reserve().await.unwrap();
            assert_eq!(outlook.plan.total(), Amount::ZERO, "after a step of {step} ms");
            assert_eq!((outlook.spent.hour, outlook.spent.day), (Amount(2 * COIN), Amount(2 * COIN)));
        }
        // Back for good: what was paid lies in the future now, and is an hour old all the same.
        world.clock.step(-5 * DAY_MS);
        world.clock.pass(HOUR_MS / 5);
        assert_eq!(rounds.reserve().await.unwrap().plan.total(), Amount(2 * COIN));
        // The process is started again, and finds payouts that lie in the future: they are new at most.
        let mut rounds = Rounds::take(Parts { ages: Ages::default(), ..parts.clone() }).await.unwrap();
        world.credit(&[("carol", 2 * COIN)]).await;
        assert_eq!(rounds.reserve().await.unwrap().plan.total(), Amount::ZERO);
        world.clock.pass(HOUR_MS);
        assert_eq!(rounds.reserve().await.unwrap().plan.total(), Amount(2 * COIN));
        world.credit(&[("dave", 2 * COIN)]).await;
        world.clock.pass(HOUR_MS);
        let outlook = rounds.reserve().await.unwrap();
        assert_eq!((outlook.plan.total(), outlook.spent.day), (Amount::ZERO, Amount(6 * COIN)), "the day's");
        world.clock.pass(23 * HOUR_MS);
        assert_eq!(rounds.reserve().await.unwrap().plan.total(), Amount(2 * COIN));
        world.settle(&mut rounds).await;
        world.assert_exact("a clock that steps").await;
    }
}

#[actix_rt::test]
async fn a_dispatcher_that_was_replaced_does_nothing_more() {
    let mut world = World::on_sqlite().await;
    world.credit(&[("alice", COIN)]).await;
    let mut first = Rounds::take(world.parts()).await.unwrap();
    first.reserve().await.unwrap();
    let mut second = Rounds::take(world.parts()).await.unwrap();
    let fenced = advance(&mut first).await.unwrap_err();
    assert!(matches!(fenced, Trouble::Store(StoreError::InUse { .. })), "{fenced}");
    assert_eq!(rpc(&world.node.rpc_url, "getMempool", json!([])).await, json!([]), "nothing was sent");
    world.settle(&mut second).await;
    world.assert_all_paid("two dispatchers").await;
    assert!(Arc::strong_count(&world.payouts) > 1);
}
