//! Statements, proofs and earnings over HTTP.

use std::sync::Arc;

use actix_web::{http::StatusCode, test::TestRequest};
use pool_domain::{
    accounting::{CreditId, Income},
    ids::{BlockHash, ShareSeq},
    maturity::{BlockEvent, Color},
    postings::Credit,
    proof::window_root,
    split::split,
    statement::ProofDocument,
    units::{Amount, BasisPoints, Work},
};
use serde_json::{Value, json};

use super::tests::{NOW, Rig, TOKEN, account, bearer, block_row};
use crate::ports::store::{BlockChange, LedgerCommit, Position, Posting, Split};

/// Block 9 with a reward of 1,000: alice worked 3, bob 1, the fee is 1%. Credited twice, since its reward was another one
/// at first.
async fn credited(rig: &Rig) {
    let weights = vec![(account("alice"), Work(3)), (account("bob"), Work(1))];
    let blue = |reward| BlockEvent::Colored { color: Color::Blue, reward: Some(Amount(reward)) };
    let events = [BlockEvent::Submitted, BlockEvent::Accepted, blue(400), blue(1_000)];
    let split_of = |reward| split(Amount(reward), BasisPoints(100), &weights).unwrap();
    let credit = |revision, reward| {
        let id = CreditId { block: BlockHash([9; 32]), income: Income::Block, revision };
        Credit { id, split: split_of(reward) }
    };
    let transactions =
        [credit(1, 400).pending(), credit(1, 400).void(), credit(2, 1_000).pending()].map(Result::unwrap);
    let postings =
        transactions.map(|transaction| Posting { transaction, block: Some(BlockHash([9; 32])), at: NOW });
    let stored = Split {
        scheme: "pplns".into(),
        factor: Some(BasisPoints(20_000)),
        fee: BasisPoints(100),
        first_seq: Some(ShareSeq(2)),
        first_counted: Some(Work(1)),
        last_seq: ShareSeq(5),
        root: window_root(&weights),
        weights,
    };
    let commit = LedgerCommit {
        node: "n".into(),
        expected: Position { seq: ShareSeq(9), commits: 1 },
        seq: ShareSeq(10),
        at: NOW,
        blocks: vec![BlockChange { split: Some(stored), ..block_row(9, &events) }],
        postings: postings.into(),
        ..LedgerCommit::default()
    };
    rig.store.commit(Arc::new(commit)).await.unwrap();
}

fn block(number: u8) -> String {
    BlockHash([number; 32]).to_string()
}

#[actix_rt::test]
async fn a_statement_says_who_gets_what_and_why() {
    let rig = Rig::new().await;
    credited(&rig).await;
    let shown = rig.get(&format!("/api/blocks/{}/statement", block(9))).await;
    assert_eq!((&shown["scheme"], &shown["factor_basis_points"]), (&json!("pplns"), &json!(20_000)));
    assert_eq!(shown["network_work"], (1_u64 << 40).to_string());
    assert_eq!(shown["window_work"], (1_u64 << 41).to_string());
    assert_eq!(shown["shares"], json!({ "first": 2, "first_counted": "1", "last": 5 }));
    assert_eq!((&shown["reward"], &shown["red_merge_income"]), (&json!("1000"), &Value::Null));
    assert_eq!(shown["fee"], json!({ "reward": "10", "red_merge_income": null }));
    assert_eq!(
        (&shown["total_work"], &shown["accounts"], &shown["next"]),
        (&json!("4"), &json!(2), &Value::Null)
    );
    let alice = json!({ "index": 0, "account": "alice", "work": "3", "reward": "743", "red_merge_income": null, "amount": "743" });
    assert_eq!(shown["items"][0], alice);
    assert_eq!(shown["items"][1]["amount"], "247");
    let first = rig.get(&format!("/api/blocks/{}/statement?limit=1", block(9))).await;
    assert_eq!((first["items"].as_array().unwrap().len(), &first["next"]), (1, &json!("1")));
    let second = rig.get(&format!("/api/blocks/{}/statement?limit=1&cursor=1", block(9))).await;
    assert_eq!((&second["items"][0]["account"], &second["next"]), (&json!("bob"), &Value::Null));
    let past = rig.get(&format!("/api/blocks/{}/statement?cursor=99", block(9))).await;
    assert_eq!((&past["items"], &past["next"]), (&json!([]), &Value::Null));
}

#[actix_rt::test]
async fn a_proof_is_checked_without_the_pool() {
    let rig = Rig::new().await;
    credited(&rig).await;
    let shown = rig.get(&format!("/api/blocks/{}/proof?account=bob", block(9))).await;
    let root = shown["root"].as_str().unwrap().parse().unwrap();
    let document: ProofDocument = serde_json::from_value(shown).unwrap();
    assert_eq!(document.verify(Some(root)), Ok(()));
    assert_eq!((document.work, document.reward_part), (Work(1), Some(Amount(247))));
}

#[actix_rt::test]
async fn what_is_not_there_is_said() {
    let rig = Rig::new().await;
    credited(&rig).await;
    for (path, words) in [
        (format!("{}/statement", block(77)), "did not find"),
        (format!("{}/statement", block(3)), "not settled"),
        (format!("{}/proof?account=alice", block(2)), "not settled"),
        (format!("{}/proof?account=carol", block(9)), "carol has no work"),
    ] {
        let request = TestRequest::get().uri(&format!("/api/blocks/{path}"));
        let error = rig.refused(request, StatusCode::NOT_FOUND, "NOT_FOUND").await;
        assert!(error["message"].as_str().unwrap().contains(words), "{error}");
    }
    for path in
        ["x/statement".to_owned(), format!("{}/proof", block(9)), format!("{}/statement?limit=501", block(9))]
    {
        let request = TestRequest::get().uri(&format!("/api/blocks/{path}"));
        rig.refused(request, StatusCode::BAD_REQUEST, "BAD_REQUEST").await;
    }
}

#[actix_rt::test]
async fn earnings_come_in_pages_and_as_files() {
    let rig = Rig::new().await;
    credited(&rig).await;
    let first = rig.get("/api/miners/alice/earnings?limit=1").await;
    let credit = &first["items"][0];
    assert_eq!((&credit["block"], &credit["income"]), (&json!(block(9)), &json!("block")));
    assert_eq!(
        (&credit["amount"], &credit["state"], &credit["ended_at"]),
        (&json!("743"), &json!("pending"), &Value::Null)
    );
    let next = first["next"].as_str().unwrap();
    let second = rig.get(&format!("/api/miners/alice/earnings?limit=1&cursor={next}")).await;
    let credit = &second["items"][0];
    assert_eq!(
        (&credit["amount"], &credit["state"], &credit["revision"]),
        (&json!("297"), &json!("voided"), &json!(1))
    );
    assert_eq!((&credit["ended_at"], &second["next"]), (&json!("2023-11-14T22:13:20.000Z"), &Value::Null));
    let all = rig.get("/api/miners/alice/earnings?format=json").await;
    assert_eq!(all, json!([first["items"][0], second["items"][0]]));
    assert_eq!(rig.get("/api/miners/nobody/earnings?format=json").await, json!([]));
    let csv = rig.text("/api/miners/alice/earnings?format=csv").await;
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[0].starts_with("id,credited_at,block,"));
    assert!(lines[1].ends_with(",9,block,2,743,pending,,accepted,blue"), "{}", lines[1]);
}

#[actix_rt::test]
async fn a_balance_is_corrected_once_and_never_below_zero_unless_said() {
    let rig = Rig::new().await;
    let decide = |reference: &str, amount: &str, more: Value| {
        let mut body = json!({ "reference": reference, "account": "alice", "amount": amount, "author": "eve", "reason": "a mistake" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        bearer(TestRequest::post().uri("/api/admin/ledger/adjustments").set_json(body), TOKEN)
    };
    let (status, made) = rig.ask(decide("ticket-1", "100", json!({}))).await;
    assert_eq!(
        (status, &made["id"], &made["amount"]),
        (StatusCode::CREATED, &json!(1), &json!("100")),
        "{made}"
    );
    assert_eq!((&made["author"], &made["at"]), (&json!("eve"), &json!("2023-11-14T22:13:20.000Z")));
    let (status, again) = rig.ask(decide("ticket-1", "100", json!({}))).await;
    assert_eq!((status, &again), (StatusCode::OK, &made), "the same again is the same");
    let error =
        rig.refused(decide("ticket-1", "101", json!({})), StatusCode::CONFLICT, "ADJUSTMENT_CONFLICT").await;
    assert_eq!(error["details"]["made"], made);
    let error = rig
        .refused(decide("ticket-2", "-101", json!({})), StatusCode::CONFLICT, "ADJUSTMENT_OVERDRAWN")
        .await;
    assert_eq!(error["details"]["confirmed"], "100");
    let (status, _) = rig.ask(decide("ticket-2", "-101", json!({ "below_zero": true }))).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(rig.get("/api/miners/alice").await["balance"]["confirmed"], "-1");
    for (more, status, code) in [
        (json!({ "account": "nobody" }), StatusCode::NOT_FOUND, "NOT_FOUND"),
        (json!({ "account": "a.b" }), StatusCode::BAD_REQUEST, "BAD_REQUEST"),
        (json!({ "amount": "0" }), StatusCode::BAD_REQUEST, "BAD_REQUEST"),
        (json!({ "author": " " }), StatusCode::BAD_REQUEST, "BAD_REQUEST"),
        (json!({ "reason": "\u{7}" }), StatusCode::BAD_REQUEST, "BAD_REQUEST"),
        (json!({ "odd": 1 }), StatusCode::BAD_REQUEST, "BAD_REQUEST"),
    ] {
        rig.refused(decide("ticket-3", "1", more), status, code).await;
    }
    let uri = "/api/admin/ledger/adjustments?limit=1";
    let (_, first) = rig.ask(bearer(TestRequest::get().uri(uri), TOKEN)).await;
    assert_eq!((&first["items"][0]["reference"], &first["next"]), (&json!("ticket-2"), &json!("2")));
    let (_, second) = rig.ask(bearer(TestRequest::get().uri(&format!("{uri}&cursor=2")), TOKEN)).await;
    assert_eq!((&second["items"][0], &second["next"]), (&made, &Value::Null));
    assert_eq!(rig.store.check().await.unwrap(), []);
    assert!(rig.store.totals().await.unwrap().imbalance().is_zero());
}
