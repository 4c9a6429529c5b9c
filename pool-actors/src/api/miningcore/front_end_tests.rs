//! The routes of Miningcore, against the shapes that its front ends read: `shapes.json` has one of each, written by hand,
//! `recorded.json` the names and types of its own source.

use std::{collections::BTreeSet, sync::Arc};

use actix_web::{http::StatusCode, test::TestRequest};
use futures_util::StreamExt as _;
use pool_domain::{
    accounting::{CreditId, Income},
    ids::{BlockHash, PayoutId, ShareSeq},
    maturity::{BlockEvent, BlockStatus, Color},
    payout::PayoutState,
    postings::Credit,
    split::split,
    units::{Amount, BasisPoints, TimeMs, Work},
};
use serde_json::{Value, json};
use tokio_tungstenite::{connect_async, tungstenite::Message};

use super::{
    super::{
        Api,
        tests::{NOW, Rig, TOKEN, account, bearer, block_row},
    },
    notification, notify,
};
use crate::{
    messages::{block::BlockView, event::PoolEvent, live::Numbered, payout::PayoutView},
    ports::{
        store::{LedgerCommit, Position, Posting},
        wallet::Signed,
    },
};

fn shapes() -> Value {
    serde_json::from_str(include_str!("shapes.json")).unwrap()
}

/// Whether all that is wanted is there, and of its kind. An object with names that are not known beforehand (ports, workers)
/// stands for any.
fn like(wanted: &Value, given: &Value, at: &str) {
    match (wanted, given) {
        (Value::Object(wanted), Value::Object(given))
            if at.ends_with("/ports") || at.ends_with("/workers") =>
        {
            let (one, other) = (wanted.values().next().unwrap(), given.values().next());
            like(one, other.unwrap_or_else(|| panic!("{at} is empty")), &format!("{at}/*"));
        }
        (Value::Object(wanted), Value::Object(given)) => {
            for (name, wanted) in wanted {
                let given = given.get(name).unwrap_or_else(|| panic!("{at}: no {name}"));
                like(wanted, given, &format!("{at}/{name}"));
            }
        }
        (Value::Array(wanted), Value::Array(given)) => {
            let given = given.first().unwrap_or_else(|| panic!("{at} is empty"));
            like(&wanted[0], given, &format!("{at}/0"));
        }
        (Value::Number(_), Value::Number(_))
        | (Value::String(_), Value::String(_))
        | (Value::Bool(_), Value::Bool(_)) => {}
        _ => panic!("{at} is {given}, a front end expects something like {wanted}"),
    }
}

#[actix_rt::test]
async fn answers_have_the_shapes_that_front_ends_read() {
    let rig = Rig::new().await;
    rig.paid_and_credited().await;
    for (route, wanted) in shapes().as_object().unwrap() {
        let Some(path) = route.strip_prefix("GET ") else { continue };
        let uri = path.replace("{pool}", "sim1").replace("{address}", "alice");
        like(wanted, &rig.get(&uri).await, route);
    }
    let pool = rig.get("/api/pools/sim1").await;
    let pools = rig.get("/api/pools").await;
    assert_eq!(pool["pool"], pools["pools"][0]);
    assert_eq!((&pool["pool"]["totalBlocks"], &pool["pool"]["poolFeePercent"]), (&json!(3), &json!(1.0)));
    let alice = rig.get("/api/pools/sim1/miners/alice").await;
    assert_eq!((&alice["pendingShares"], &alice["todayPaid"]), (&json!(12), &json!(0.00003)));
    let paid = rig.get("/api/pools/sim1/payments").await;
    assert_eq!((&paid[0]["address"], &paid[0]["amount"]), (&json!("alice"), &json!(0.00003)));
    assert_eq!(rig.get("/api/pools/sim1/miners/bob/payments").await, json!([]));
    let changes = rig.get("/api/pools/sim1/miners/alice/balancechanges").await;
    let amounts: Vec<&Value> = changes.as_array().unwrap().iter().map(|change| &change["amount"]).collect();
    assert!(amounts.contains(&&json!(-0.00003)), "{changes}");
}

/// What Miningcore has and these answers leave out (`docs/miningcore.md` says so).
const LEFT_OUT: &[&str] = &[
    "ApiCoinConfig/canonicalName",
    "ApiCoinConfig/discord",
    "ApiCoinConfig/market",
    "ApiCoinConfig/telegram",
    "ApiCoinConfig/twitter",
    "ApiCoinConfig/website",
    "ApiPoolPaymentProcessingConfig/extra",
    "ApiPoolPaymentProcessingConfig/payoutSchemeConfig",
    "Block/effort",
    "Block/infoLink",
    "BlockchainStats/nextNetworkBits",
    "BlockchainStats/nextNetworkTarget",
    "MinerStats/lastPaymentLink",
    "Payment/addressInfoLink",
    "Payment/transactionInfoLink",
    "PoolEndpoint/tcpProxyProtocol",
    "PoolEndpoint/tlsAuto",
    "PoolEndpoint/tlsPfxFile",
    "PoolEndpoint/tlsPfxPassword",
    "PoolInfo/addressInfoLink",
    "PoolInfo/shareBasedBanning",
    "PoolStats/lastPoolBlockTime",
    "VarDiffConfig/maxDelta",
    "VarDiffConfig/retargetTime",
    "VarDiffConfig/targetTime",
    "VarDiffConfig/variancePercent",
    "blockfound/minerExplorerLink",
    "blockunlocked/effort",
    "blockunlocked/explorerLink",
    "blockunlocked/minerExplorerLink",
    "blockunlockprogress/effort",
    "hashrateupdated/miner",
    "hashrateupdated/worker",
    "payment/error",
    "payment/txExplorerLinks",
    "payment/txFee",
];

/// What these answers have, and Miningcore does not.
const ADDED: &[&str] = &["AggregatedPoolStats/connectedWorkers", "PoolStats/connectedWorkers"];

/// The shapes of Miningcore's source, and what was found to differ.
struct Recorded {
    shapes: Value,
    seen: BTreeSet<String>,
    missing: BTreeSet<String>,
    added: BTreeSet<String>,
}

impl Recorded {
    fn new() -> Self {
        let shapes = serde_json::from_str(include_str!("recorded.json")).unwrap();
        Self { shapes, seen: BTreeSet::new(), missing: BTreeSet::new(), added: BTreeSet::new() }
    }

    fn check(&mut self, kind: &str, given: &Value, at: &str) {
        if let Some(inner) = kind.strip_suffix('?') {
            if !given.is_null() {
                self.check(inner, given, at);
            }
            return;
        }
        let inside = |open: char, close: char| kind.strip_prefix(open)?.strip_suffix(close);
        let fits = if let Some(inner) = inside('[', ']') {
            let items = given.as_array().unwrap_or_else(|| panic!("{at} is {given}, not a list"));
            assert!(!items.is_empty(), "{at}: nothing to look at");
            items.iter().for_each(|item| self.check(inner, item, at));
            true
        } else if let Some(inner) = inside('{', '}') {
            let entries = given.as_object().unwrap_or_else(|| panic!("{at} is {given}, not an object"));
            assert!(!entries.is_empty(), "{at}: nothing to look at");
            entries.values().for_each(|entry| self.check(inner, entry, at));
            true
        } else {
            match kind {
                "string" => given.is_string(),
                "boolean" => given.is_boolean(),
                "integer" => given.is_u64() || given.is_i64(),
                "number" => given.is_number(),
                "time" => given.as_str().is_some_and(|text| text.len() == 24 && text.ends_with('Z')),
                "object" => given.is_object(),
                name => {
                    self.fields(name, given);
                    true
                }
            }
        };
        assert!(fits, "{at} is {given}, Miningcore has {kind}");
    }

    fn fields(&mut self, name: &str, given: &Value) {
        let shape = self.shapes["types"].get(name).unwrap_or_else(|| panic!("{name} is not recorded"));
        let fields = shape["fields"].as_object().unwrap().clone();
        let given = given.as_object().unwrap_or_else(|| panic!("{name} is {given}"));
        for (field, kind) in &fields {
            let at = format!("{name}/{field}");
            match given.get(field).filter(|value| !value.is_null()) {
                Some(value) => {
                    self.check(kind.as_str().unwrap(), value, &at);
                    self.seen.insert(at);
                }
                None => {
                    let may = kind.as_str().unwrap().ends_with('?') || LEFT_OUT.contains(&&*at);
                    assert!(may, "{at} is missing");
                    self.missing.insert(at);
                }
            }
        }
        let more = given.keys().filter(|field| !fields.contains_key(*field));
        self.added.extend(more.map(|field| format!("{name}/{field}")));
    }

    /// Nothing differs but what is known to.
    fn done(self) {
        let never: Vec<&str> = self.missing.difference(&self.seen).map(String::as_str).collect();
        assert_eq!(never, LEFT_OUT);
        assert_eq!(self.added.iter().map(String::as_str).collect::<Vec<_>>(), ADDED);
    }
}

#[actix_rt::test]
async fn answers_have_the_names_and_types_of_miningcores_source() {
    let rig = Rig::new().await;
    rig.paid_and_credited().await;
    let mut recorded = Recorded::new();
    let shapes = recorded.shapes.clone();
    let uri = |path: &str| path.replace("{pool}", "sim1").replace("{address}", "alice");
    // The account has a threshold of its own.
    let threshold = json!({ "account": "alice", "threshold": "5000" });
    let request = TestRequest::post().uri("/api/admin/payouts/threshold").set_json(threshold);
    assert_eq!(rig.ask(bearer(request, TOKEN)).await.0, StatusCode::OK);
    for (path, kind) in shapes["routes"].as_object().unwrap() {
        recorded.check(kind.as_str().unwrap(), &rig.get(&uri(path)).await, path);
    }
    for (path, kind) in shapes["paged_routes"].as_object().unwrap() {
        let answer = rig.get(&uri(path)).await;
        let names: Vec<&String> = answer.as_object().unwrap().keys().collect();
        assert_eq!(
            names,
            shapes["paged"]["fields"].as_object().unwrap().keys().collect::<Vec<_>>(),
            "{path}"
        );
        assert_eq!(answer["success"], json!(true));
        recorded.check("integer", &answer["pageCount"], path);
        recorded.check(kind.as_str().unwrap(), &answer["result"], path);
        // The same as without a page count.
        assert_eq!(answer["result"], rig.get(&uri(&path.replace("/api/v2", "/api"))).await);
    }
    for block in rig.get("/api/pools/sim1/blocks").await.as_array().unwrap() {
        let status = block["status"].as_str().unwrap();
        assert!(["pending", "confirmed", "orphaned"].contains(&status), "{block}");
    }
    let api = Api::new(rig.context());
    let greeting: Value = serde_json::from_str(notify::GREETING).unwrap();
    recorded.check("greeting", &greeting, "greeting");
    for (kind, event) in notices(&rig) {
        let event = Numbered::new(1, TimeMs(NOW.0 / 10_000 * 10_000), event);
        let told = serde_json::from_str(&notification(&api, &event).unwrap()).unwrap();
        recorded.check(kind, &told, kind);
    }
    recorded.done();
}

/// An event for each kind of notification.
fn notices(rig: &Rig) -> [(&'static str, PoolEvent); 6] {
    [
        ("newchainheight", view(None, 0)),
        ("blockfound", view(Some(BlockStatus::Accepted), 0)),
        ("blockunlockprogress", view(Some(BlockStatus::Accepted), 5)),
        ("blockunlocked", view(Some(BlockStatus::Matured), 100)),
        ("payment", payout(PayoutState::Settled)),
        ("hashrateupdated", PoolEvent::Stats(rig.snapshot.watched().get())),
    ]
}

#[actix_rt::test]
async fn pages_are_counted_from_the_newest_block() {
    let rig = Rig::new().await;
    let heights = |answer: &Value| -> Vec<u64> {
        answer.as_array().unwrap().iter().map(|block| block["blockHeight"].as_u64().unwrap()).collect()
    };
    assert_eq!(heights(&rig.get("/api/pools/sim1/blocks").await), [3, 2, 1]);
    assert_eq!(heights(&rig.get("/api/pools/sim1/blocks?page=1&pageSize=2").await), [1]);
    assert_eq!(heights(&rig.get("/api/pools/sim1/blocks?state=orphaned").await), [2]);
    assert_eq!(heights(&rig.get("/api/pools/sim1/blocks?state=Orphaned&state=pending").await), [3, 2, 1]);
    let paged = rig.get("/api/v2/pools/sim1/blocks?pageSize=2").await;
    assert_eq!(
        (&paged["success"], &paged["pageCount"], heights(&paged["result"])),
        (&json!(true), &json!(2), vec![3, 2])
    );
    let last = rig.get("/api/v2/pools/sim1/blocks?pageSize=2&page=1").await;
    assert_eq!((&last["pageCount"], heights(&last["result"])), (&json!(2), vec![1]));
    for uri in [
        "/api/pools/sim1/blocks?pageSize=0",
        "/api/pools/sim1/blocks?page=-1",
        "/api/pools/sim1/blocks?page=99999999",
        "/api/pools/sim1/blocks?state=lost",
        "/api/v2/pools/sim1/payments?pageSize=501",
        "/api/pools/sim1/miners/a.b",
        "/api/pools/sim1/miners/alice/performance?mode=Year",
    ] {
        rig.refused(TestRequest::get().uri(uri), StatusCode::BAD_REQUEST, "BAD_REQUEST").await;
    }
    for uri in [
        "/api/pools/btc1",
        "/api/pools/btc1/blocks",
        "/api/v2/pools/btc1/payments",
        "/api/pools/sim1/nothing",
        "/api/pools/sim1/miners/nobody",
        "/api/pools/sim1/miners/alice/settings",
    ] {
        rig.refused(TestRequest::get().uri(uri), StatusCode::NOT_FOUND, "NOT_FOUND").await;
    }
}

fn view(status: Option<BlockStatus>, confirmations: u64) -> PoolEvent {
    PoolEvent::Block(BlockView {
        hash: BlockHash([7; 32]),
        height: Some(197),
        parents: Vec::new(),
        status,
        color: Color::Blue,
        confirmations,
        reward: Some(Amount(1_250_000_000)),
        account: status.map(|_| "alice".into()),
        worker: status.map(|_| "rig".into()),
        found_at: NOW,
        algorithm: None,
        ours: status.is_some(),
    })
}

fn payout(state: PayoutState) -> PoolEvent {
    PoolEvent::Payout(PayoutView {
        id: PayoutId(1),
        state,
        recipients: 3,
        amount: Amount(750_000_000),
        txid: Some("aa2b".into()),
        reason: None,
    })
}

#[actix_rt::test]
async fn notifications_are_those_of_miningcore() {
    let rig = Rig::new().await;
    let api = Api::new(rig.context());
    let told = |event: PoolEvent| -> Option<Value> {
        let text = notification(&api, &Numbered::new(1, TimeMs(NOW.0 / 10_000 * 10_000), event))?;
        Some(serde_json::from_str(&text).unwrap())
    };
    let shapes = shapes();
    for (kind, event) in notices(&rig) {
        let told = told(event).unwrap_or_else(|| panic!("nothing is told of {kind}"));
        assert_eq!(told["type"], kind, "{told}");
        like(&shapes[kind], &told, kind);
    }
    assert_eq!(told(view(Some(BlockStatus::Void), 0)).unwrap()["status"], "orphaned");
    assert_eq!(told(view(Some(BlockStatus::Candidate), 0)), None);
    assert_eq!(told(payout(PayoutState::Signed)), None);
    assert_eq!(told(PoolEvent::SecurityEvent { code: "X".into(), message: "x".into() }), None);
}

#[actix_rt::test]
async fn a_front_end_listens_at_notifications() {
    let rig = Rig::new().await;
    let server = crate::api::serve(rig.context(), "127.0.0.1:0".parse().unwrap()).unwrap();
    let (mut socket, _) = connect_async(format!("ws://{}/notifications", server.address())).await.unwrap();
    let mut next = async || loop {
        if let Message::Text(text) = socket.next().await.unwrap().unwrap() {
            return serde_json::from_str::<Value>(&text).unwrap();
        }
    };
    assert_eq!(next().await["type"], "greeting");
    rig.events.publish(NOW, PoolEvent::SecurityEvent { code: "X".into(), message: "x".into() });
    rig.events.publish(NOW, view(Some(BlockStatus::Accepted), 0));
    let found = next().await;
    assert_eq!((&found["type"], &found["miner"]), (&json!("blockfound"), &json!("alice")));
    server.stop().await;
}

impl Rig {
    /// A block whose reward of 10,000 is confirmed, and a payout of 3,000 to alice that was sent today.
    async fn paid_and_credited(&self) {
        let weights = vec![(account("alice"), Work(3)), (account("bob"), Work(1))];
        let id = CreditId { block: BlockHash([9; 32]), income: Income::Block, revision: 1 };
        let credit = Credit { id, split: split(Amount(10_000), BasisPoints(100), &weights).unwrap() };
        let postings = [credit.pending(), credit.post()].map(|transaction| Posting {
            transaction: transaction.unwrap(),
            block: Some(BlockHash([9; 32])),
            at: NOW,
        });
        let blue = BlockEvent::Colored { color: Color::Blue, reward: Some(Amount(10_000)) };
        let commit = LedgerCommit {
            node: "n".into(),
            expected: Position { seq: ShareSeq(9), commits: 1 },
            seq: ShareSeq(10),
            at: NOW,
            blocks: vec![block_row(9, &[BlockEvent::Submitted, BlockEvent::Accepted, blue])],
            postings: postings.into(),
            ..LedgerCommit::default()
        };
        self.store.commit(Arc::new(commit)).await.unwrap();
        let payouts = self.context().payouts;
        let token = payouts.take_payouts(NOW).await.unwrap();
        let ids = payouts.reserve(token, NOW, vec![vec![(account("alice"), Amount(3_000))]]).await.unwrap();
        let signed = Signed { bytes: vec![1], txid: "aa2b".into(), spends: Vec::new(), fee: Amount(1) };
        payouts.record_signed(token, NOW, ids[0], signed).await.unwrap();
    }
}
