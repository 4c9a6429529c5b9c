//! What only a database server can do wrong: it is killed, paused, restarted, fails over, is shared by mistake, and is
//! tampered with by people.

use std::sync::Arc;

use pool_actors::{
    adapters::{
        postgres::{PostgresSettings, PostgresStore},
        system_clock::SystemClock,
    },
    ports::{
        payouts::{PayoutStore, Scope},
        store::{LedgerCommit, Position, ShareDelta, StoreError, StorePort},
    },
};
use pool_domain::{
    accounting::LedgerAccount,
    ids::{Account, AlgorithmName, ShareSeq, WorkerName},
    units::{Amount, TimeMs, Work},
};
use pool_tests::postgres::Postgres;

use crate::conformance::{account, balanced, block, change, commit, posting};

/// A store on this server.
pub(crate) fn store(server: &Postgres) -> PostgresStore {
    let settings = PostgresSettings::new(&server.url(), None).unwrap();
    let (store, thread) = PostgresStore::open(settings, None, Arc::new(SystemClock)).unwrap();
    crate::start(thread);
    store
}

fn shares(expected: Position, accepted: u64) -> Arc<LedgerCommit> {
    let mut next = commit(expected, expected.seq.0 + accepted);
    next.shares = vec![ShareDelta {
        account: account("alice"),
        worker: WorkerName::new("rig").unwrap(),
        algorithm: AlgorithmName::new("blake2s").unwrap(),
        accepted,
        work: Work(u128::from(accepted)),
        last_share_at: TimeMs(expected.seq.0),
    }];
    Arc::new(next)
}

/// As the ledger does it: again and again, until there is another answer than "not available".
async fn persist(store: &PostgresStore, commit: &Arc<LedgerCommit>) -> Result<Position, StoreError> {
    loop {
        match store.commit(Arc::clone(commit)).await {
            Err(StoreError::Unavailable { .. }) => {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            answer => return answer,
        }
    }
}

async fn accepted(store: &PostgresStore) -> u64 {
    loop {
        match store.totals().await {
            Ok(totals) => return totals.accepted,
            Err(StoreError::Unavailable { .. }) => {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[actix_rt::test]
async fn the_database_itself_refuses_to_forget() {
    let server = Postgres::start();
    let store = store(&server);
    let mut first = commit(Position::default(), 1);
    first.blocks = vec![change(block(7))];
    first.postings = vec![balanced(1)];
    store.commit(Arc::new(first)).await.unwrap();
    let header = "INSERT INTO ledger_transactions (reference, kind, at) VALUES ('r', 'k', now())";
    let entry =
        "INSERT INTO ledger_lines SELECT id, 'network_fees', 0, '{0}', '{1}' FROM ledger_transactions";
    for (tampering, words) in [
        ("UPDATE ledger_lines SET amounts = '{9}'", "append-only"),
        ("DELETE FROM ledger_lines", "append-only"),
        ("TRUNCATE ledger_lines", "append-only"),
        ("UPDATE ledger_rows SET amount = 9", "append-only"),
        ("DELETE FROM ledger_rows", "append-only"),
        ("TRUNCATE ledger_rows", "append-only"),
        // What was written before rows held many entries is closed.
        ("INSERT INTO ledger_rows VALUES (1, 9, 'fee_pending', 0, 1)", "append-only"),
        ("UPDATE ledger_transactions SET kind = 'x'", "append-only"),
        ("DELETE FROM ledger_transactions", "append-only"),
        ("TRUNCATE ledger_transactions", "append-only"),
        ("DELETE FROM block_history", "append-only"),
        ("UPDATE block_history SET at = now()", "append-only"),
        ("UPDATE block_splits SET last_seq = 0", "append-only"),
        ("DELETE FROM accounts", "append-only"),
        (
            "INSERT INTO ledger_lines VALUES (1, 'network_fees', 0, '{0}', '{1}'), (1, 'adjustments', 0, '{0}', '{-1}')",
            "sealed",
        ),
        (
            "INSERT INTO ledger_lines VALUES (7, 'network_fees', 0, '{0}', '{1}'), (7, 'adjustments', 0, '{0}', '{-1}')",
            "does not exist",
        ),
        ("INSERT INTO ledger_lines VALUES (1, 'network_fees', 0, '{0}', '{1}')", "sum to zero"),
        ("INSERT INTO ledger_lines VALUES (1, 'network_fees', 0, '{0,1}', '{1}')", "check"),
        ("INSERT INTO ledger_lines VALUES (1, 'network_fees', 0, '{0,1}', '{1,NULL}')", "check"),
        ("INSERT INTO ledger_lines VALUES (1, 'network_fees', 0, '{0,64}', '{1,-1}')", "check"),
        ("INSERT INTO ledger_lines VALUES (1, 'miner_pending', 1, '{63,64}', '{1,-1}')", "check"),
        ("INSERT INTO ledger_lines VALUES (1, 'network_fees', 0, '{0,1}', '{NaN,1}')", "sum to zero"),
        (header, "sum to zero"),
        (&format!("{header}; {entry}"), "sum to zero"),
        (
            &format!(
                "{header}; INSERT INTO ledger_lines SELECT id, 'miner_pending', 1, '{{99,100}}', '{{1,-1}}' \
                 FROM ledger_transactions WHERE reference = 'r'"
            ),
            "account 99 does not exist",
        ),
    ] {
        let refused = server.sql(tampering).unwrap_err();
        assert!(refused.contains(words), "{tampering}: {refused}");
    }
    assert_eq!(store.check().await.unwrap(), vec![]);
    // What the triggers can't see, the audits do.
    server.sql("UPDATE pool_balances SET amount = amount + 1 WHERE kind = 'fee_pending'").unwrap();
    let findings = store.check().await.unwrap();
    assert_eq!(findings.iter().map(|finding| finding.check).collect::<Vec<_>>(), ["balances_match_entries"]);
    assert_eq!(store.totals().await.unwrap().imbalance().0, 1);
}

#[actix_rt::test]
async fn a_second_process_is_refused_and_the_next_one_goes_on() {
    let server = Postgres::start();
    let first = store(&server);
    let after = first.commit(shares(Position::default(), 3)).await.unwrap();
    let second = store(&server);
    let refused = second.load("n1").await.unwrap_err();
    assert!(matches!(&refused, StoreError::InUse { node, .. } if node == "n1"), "{refused}");
    assert!(refused.to_string().contains("another pool process"), "{refused}");
    // Another node of the same pool is welcome.
    second.load("n2").await.unwrap();
    // The first one is gone: its lock falls free by itself.
    drop(first);
    assert_eq!(second.load("n1").await.unwrap().position, after);
    second.commit(shares(after, 4)).await.unwrap();
    assert_eq!(server.sql("SELECT token FROM writers WHERE node = 'n1'").unwrap(), "2");
    assert_eq!(accepted(&second).await, 7);
}

/// The n-th miner: rows lie as they were made, so the order of names is another one.
fn miner(n: u64) -> Account {
    account(&format!("m{:05}", (n * 7_919) % 10_007))
}

/// A commit of this node with one posting.
async fn posted(
    store: &PostgresStore,
    (node, expected): (&str, Position),
    number: u64,
    lines: &[(LedgerAccount, i128)],
) -> Position {
    let mut next = commit(expected, expected.seq.0 + 1);
    node.clone_into(&mut next.node);
    next.postings = vec![posting(number, lines)];
    // Not `persist`: a deadlock would be told as "not available", and must not occur at all.
    store.commit(Arc::new(next)).await.unwrap()
}

/// Commits of one node, each to the same accounts and to some that have no such balance yet.
async fn credits(store: &PostgresStore, node: &str, first: u64) {
    store.load(node).await.unwrap();
    let mut position = Position::default();
    for number in 0..ROUNDS {
        let miners = number * 50..number * 50 + 400;
        let paid = miners.map(|n| (LedgerAccount::MinerConfirmed(miner(n)), 1));
        let lines: Vec<_> = paid.chain([(LedgerAccount::ChainIncome, -400)]).collect();
        position = posted(store, (node, position), first + number, &lines).await;
    }
}

/// Commits of each.
const ROUNDS: u64 = 20;

#[actix_rt::test]
async fn nodes_that_credit_the_same_accounts_neither_block_each_other_nor_lose_a_balance() {
    let server = Postgres::start();
    let (one, two) = (store(&server), store(&server));
    // Everybody is known: making their accounts would keep the two apart.
    let everybody = 400 + (ROUNDS - 1) * 50;
    let known = (0..everybody).map(|n| (LedgerAccount::MinerPending(miner(n)), 1));
    let known: Vec<_> = known.chain([(LedgerAccount::ChainPending, -i128::from(everybody))]).collect();
    one.load("n0").await.unwrap();
    posted(&one, ("n0", Position::default()), 5_000, &known).await;
    tokio::join!(credits(&one, "n1", 1), credits(&two, "n2", 1_000));
    let sums = "SELECT sum(amount), count(*) FROM balances WHERE kind = 'miner_confirmed'";
    assert_eq!(server.sql(sums).unwrap(), format!("{}|{}", 2 * ROUNDS * 400, 400 + (ROUNDS - 1) * 50));
    assert_eq!(one.check().await.unwrap(), vec![]);
}

/// Rows are changed in any order, so two that change balances at once could wait for each other, or both insert the same one.
#[actix_rt::test]
async fn who_changes_balances_waits_until_nobody_else_does() {
    let server = Postgres::start();
    let store = store(&server);
    store.load("n1").await.unwrap();
    let (other, connection) = tokio_postgres::connect(&server.url(), tokio_postgres::NoTls).await.unwrap();
    actix_rt::spawn(connection);
    other.batch_execute("BEGIN; SELECT pg_advisory_xact_lock(1145128784, 2)").await.unwrap();
    let committing = actix_rt::spawn({
        let store = store.clone();
        async move {
            let lines = [(LedgerAccount::MinerPending(miner(1)), 1), (LedgerAccount::ChainPending, -1)];
            posted(&store, ("n1", Position::default()), 1, &lines).await
        }
    });
    let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 2 AND NOT granted";
    while server.sql(waiting).unwrap() != "1" {
        assert!(!committing.is_finished(), "it does not wait");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    other.batch_execute("COMMIT").await.unwrap();
    committing.await.unwrap();
    assert_eq!(store.check().await.unwrap(), vec![]);
}

/// How PostgreSQL finds an account's credits in books of many: by the index that holds nothing but credits.
#[actix_rt::test]
async fn an_account_s_credits_are_found_by_their_index() {
    let server = Postgres::start();
    let store = store(&server);
    store.load("n1").await.unwrap();
    let lines = [(LedgerAccount::MinerPending(miner(1)), 1), (LedgerAccount::ChainPending, -1)];
    posted(&store, ("n1", Position::default()), 1, &lines).await;
    let text =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../sql/postgres/statements/credits_page.sql"));
    let text = text.replace("$1", "'m00001'").replace("$2", "999").replace("$3", "10");
    let plan = server.sql(&format!("SET enable_seqscan = off; EXPLAIN {text}")).unwrap();
    assert!(plan.contains("ledger_entries_credits") && plan.contains("ledger_lines_credits"), "{plan}");
}

#[actix_rt::test]
async fn a_process_that_was_fenced_off_writes_nothing_more() {
    let server = Postgres::start();
    let store = store(&server);
    let after = store.commit(shares(Position::default(), 3)).await.unwrap();
    // Somebody else took the node while this process was cut off: its connection is gone, and the token is newer.
    server.sql("UPDATE writers SET token = token + 1").unwrap();
    let refused = store.commit(shares(after, 4)).await.unwrap_err();
    assert!(matches!(refused, StoreError::InUse { .. }), "{refused}");
    server
        .sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename = current_user")
        .unwrap();
    let refused = persist(&store, &shares(after, 4)).await.unwrap_err();
    assert!(matches!(refused, StoreError::InUse { .. }), "{refused}");
    assert_eq!(accepted(&store).await, 3);
}

#[actix_rt::test]
async fn a_server_that_is_killed_and_restarted_has_every_commit_once() {
    let mut server = Postgres::start();
    let store = store(&server);
    let mut position = store.load("n1").await.unwrap().position;
    for round in 0..3 {
        for _ in 0..5 {
            position = persist(&store, &shares(position, 5)).await.unwrap();
        }
        let next = shares(position, 7);
        let committing = actix_rt::spawn({
            let (store, next) = (store.clone(), Arc::clone(&next));
            async move { store.commit(next).await }
        });
        // At some moment of the commit: before, in the middle, after it, or after its answer.
        for _ in 0..round * 40 {
            tokio::task::yield_now().await;
        }
        server.kill();
        let answer = committing.await.unwrap();
        assert!(matches!(answer, Ok(_) | Err(StoreError::Unavailable { .. })), "{answer:?}");
        let away = store.totals().await.unwrap_err();
        assert!(matches!(away, StoreError::Unavailable { .. }), "{away}");
        server.restart();
        position = persist(&store, &next).await.unwrap();
        assert_eq!(position.seq, ShareSeq((round + 1) * 32));
        assert_eq!(accepted(&store).await, position.seq.0);
    }
    assert_eq!(store.check().await.unwrap(), vec![]);
}

#[actix_rt::test]
async fn a_server_that_stands_still_is_given_up_on_and_comes_back() {
    let server = Postgres::start();
    let mut settings = PostgresSettings::new(&server.url(), None).unwrap();
    settings.statement_timeout = std::time::Duration::from_millis(300);
    settings.connect_timeout = std::time::Duration::from_millis(300);
    let (store, thread) = PostgresStore::open(settings, None, Arc::new(SystemClock)).unwrap();
    crate::start(thread);
    let position = persist(&store, &shares(Position::default(), 5)).await.unwrap();
    store.totals().await.unwrap();
    server.pause();
    let still = store.totals().await.unwrap_err();
    assert!(matches!(still, StoreError::Unavailable { .. }), "{still}");
    let still = store.commit(shares(position, 6)).await.unwrap_err();
    assert!(matches!(still, StoreError::Unavailable { .. }), "{still}");
    server.resume();
    // What was under way when it stopped is a commit or nothing; either way it is there once.
    let position = persist(&store, &shares(position, 6)).await.unwrap();
    assert_eq!((position.seq, position.commits), (ShareSeq(11), 2));
    assert_eq!(accepted(&store).await, 11);
}

#[actix_rt::test]
async fn schemas_of_other_programs_and_refusals_are_said_in_one_sentence() {
    let server = Postgres::start();
    assert!(store(&server).probe().await.unwrap().contains("PostgreSQL"));
    store(&server).nodes().await.unwrap();
    server.sql("UPDATE schema_migrations SET checksum = 'x'").unwrap();
    let differs = store(&server).load("n1").await.unwrap_err();
    assert!(matches!(&differs, StoreError::Schema { what } if what.contains("differs")), "{differs}");
    server.sql("UPDATE schema_migrations SET version = 998 + version").unwrap();
    let newer = store(&server).load("n1").await.unwrap_err();
    assert!(matches!(&newer, StoreError::Schema { what } if what.contains("newer pool")), "{newer}");
    let nowhere = server.url().replace("/dagpool", "/nowhere");
    let settings = PostgresSettings::new(&nowhere, None).unwrap();
    let (nowhere, thread) = PostgresStore::open(settings, None, Arc::new(SystemClock)).unwrap();
    crate::start(thread);
    let refused = nowhere.load("n1").await.unwrap_err();
    assert!(matches!(&refused, StoreError::Schema { what } if what.contains("does not exist")), "{refused}");
}

#[actix_rt::test]
async fn two_dispatchers_started_by_mistake_do_not_both_pay() {
    let server = Postgres::start();
    let (first, second) = (store(&server), store(&server));
    let token = first.take_payouts(TimeMs(1_700_000_000_000)).await.unwrap();
    let refused = second.take_payouts(TimeMs(1_700_000_000_000)).await.unwrap_err();
    assert!(matches!(refused, StoreError::InUse { .. }), "{refused}");
    // What operators say is taken by any process.
    second.hold(TimeMs(1_700_000_000_001), Scope::All, Some("why".into()), "ann".into()).await.unwrap();
    assert_eq!(first.held().await.unwrap().as_deref(), Some("why"));
    // The first one loses its connection, takes its lock again, and goes on under the same token.
    server
        .sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename = current_user")
        .unwrap();
    let amounts = vec![vec![(account("alice"), Amount(5))]];
    let reserve = || first.reserve(token, TimeMs(1_700_000_000_002), amounts.clone());
    let answer = loop {
        match reserve().await {
            Err(StoreError::Unavailable { .. }) => tokio::task::yield_now().await,
            answer => break answer,
        }
    };
    assert!(matches!(answer, Err(StoreError::Stale { .. })), "nobody has anything: {answer:?}");
    // Gone for good: the next one takes over, and whoever was cut off meanwhile is refused.
    server.sql("UPDATE payout_control SET token = token + 1").unwrap();
    let fenced = reserve().await.unwrap_err();
    assert!(matches!(fenced, StoreError::InUse { .. }), "{fenced}");
    drop(first);
    assert!(second.take_payouts(TimeMs(1_700_000_000_003)).await.unwrap() > token + 1);
}

#[actix_rt::test]
async fn the_database_itself_refuses_to_pay_out_of_order() {
    let server = Postgres::start();
    let store = store(&server);
    let (shared, payouts) = (Arc::new(store.clone()), Arc::new(store.clone()));
    crate::payouts::a_payout_is_settled_once_with_all_its_steps(shared, payouts).await;
    for (tampering, words) in [
        ("UPDATE payouts SET state = 'returned'", "has ended"),
        ("DELETE FROM payouts", "append-only"),
        ("UPDATE payout_items SET amount = 1", "append-only"),
        ("UPDATE payout_transactions SET txid = 'x'", "append-only"),
        ("DELETE FROM payout_history", "append-only"),
        ("DELETE FROM payout_spends", "append-only"),
        ("UPDATE payout_spends SET spend = 'x'", "append-only"),
        (
            "INSERT INTO payouts (id, state, created_at, updated_at) VALUES (9, 'reserved', now(), now()); \
             UPDATE payouts SET state = 'broadcast' WHERE id = 9",
            "no persisted transaction",
        ),
    ] {
        let refused = server.sql(tampering).unwrap_err();
        assert!(refused.contains(words), "{tampering}: {refused}");
    }
    // A payout without postings is found by the audits.
    server
        .sql("INSERT INTO payouts (id, state, created_at, updated_at) VALUES (9, 'reserved', now(), now())")
        .unwrap();
    server.sql("INSERT INTO payout_items VALUES (9, 0, 1, 5)").unwrap();
    let found: Vec<_> = store.check().await.unwrap().iter().map(|finding| finding.check).collect();
    assert_eq!(found, ["payouts_match_balances", "payouts_match_their_postings"]);
}
