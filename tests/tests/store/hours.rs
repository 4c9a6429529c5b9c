//! The history of hash rates: how long it takes to read, from as many rows as 100 million shares of thirty days leave, and
//! what of it is kept.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use pool_actors::{
    adapters::{
        postgres::{PostgresSettings, PostgresStore},
        system_clock::SystemClock,
    },
    ports::store::{HOUR_MS, LedgerCommit, Position, ShareDelta, StorePort as _},
};
use pool_domain::{
    ids::{AlgorithmName, WorkerName},
    units::{TimeMs, Work},
};
use pool_tests::postgres::Postgres;

use crate::conformance::{account, commit};

/// A thousand accounts with two rigs each, a row an hour: 1.44 million rows of seventy shares.
const ACCOUNTS: u64 = 1_000;
const DAYS: u64 = 30;
const SHARES_PER_HOUR: u64 = 70;
const FIRST_DAY: u64 = 20_000;
const WITHIN: Duration = Duration::from_millis(50);

fn crowd() -> LedgerCommit {
    let delta = |n: u64| ShareDelta {
        account: account(&format!("account{}", n / 2)),
        worker: WorkerName::new(&format!("rig{n}")).unwrap(),
        algorithm: AlgorithmName::new("blake2s").unwrap(),
        accepted: 1,
        work: Work(1),
        last_share_at: TimeMs((FIRST_DAY + DAYS) * 24 * HOUR_MS),
    };
    let mut all = commit(Position::default(), 1);
    all.shares = (0..ACCOUNTS * 2).map(delta).collect();
    all
}

#[actix_rt::test]
#[ignore = "long form: make soak"]
async fn thirty_days_of_a_hundred_million_shares_are_read_within_50_ms() {
    let server = Postgres::start();
    let store = super::postgres::store(&server);
    store.commit(Arc::new(crowd())).await.unwrap();
    server
        .sql(&format!(
            "SELECT share_hours_day(date '1970-01-01' + day, 90) FROM generate_series({FIRST_DAY}, {}) AS day; \
             INSERT INTO share_hours SELECT w.id, 'blake2s', to_timestamp(hour * 3600), {SHARES_PER_HOUR}, 1234567890123 \
             FROM workers AS w, generate_series({}, {}) AS hour; ANALYZE share_hours",
            FIRST_DAY + DAYS - 1,
            FIRST_DAY * 24,
            (FIRST_DAY + DAYS) * 24 - 1,
        ))
        .unwrap();
    let (from, to) = (TimeMs(FIRST_DAY * 24 * HOUR_MS), TimeMs((FIRST_DAY + DAYS) * 24 * HOUR_MS));
    let mut took = Vec::new();
    for n in 0..400 {
        let account = account(&format!("account{}", n * 7 % ACCOUNTS));
        let begun = Instant::now();
        let hours = store.share_hours(account, from, to).await.unwrap();
        took.push(begun.elapsed());
        assert_eq!(hours.len() as u64, DAYS * 24);
        assert_eq!(hours.iter().map(|hour| hour.accepted).sum::<u64>(), 2 * DAYS * 24 * SHARES_PER_HOUR);
    }
    took.sort_unstable();
    let (median, p95, worst) = (took[took.len() / 2], took[took.len() * 95 / 100], took[took.len() - 1]);
    let shares = ACCOUNTS * 2 * DAYS * 24 * SHARES_PER_HOUR;
    println!(
        "{shares} shares in {} rows: median {median:?}, p95 {p95:?}, worst {worst:?}",
        ACCOUNTS * 2 * DAYS * 24
    );
    assert!(p95 <= WITHIN, "p95 is {p95:?}");
}

/// Partitions of the history, oldest first.
fn partitions(server: &Postgres) -> Vec<String> {
    let names = "SELECT c.relname FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid \
                 WHERE i.inhparent = 'share_hours'::regclass ORDER BY 1";
    server.sql(names).unwrap().lines().map(str::to_owned).collect()
}

#[actix_rt::test]
async fn as_many_days_are_kept_as_the_operator_says_and_whole_partitions_go() {
    let server = Postgres::start();
    let mut settings = PostgresSettings::new(&server.url(), None).unwrap();
    settings.history_days = 2;
    let (store, thread) = PostgresStore::open(settings, None, Arc::new(SystemClock)).unwrap();
    crate::start(thread);
    let mut position = Position::default();
    let mut mine = async |day: u64| {
        let mut next = commit(position, position.seq.0 + 1);
        next.shares =
            vec![ShareDelta { last_share_at: TimeMs(day * 24 * HOUR_MS), ..crowd().shares[0].clone() }];
        position = store.commit(Arc::new(next)).await.unwrap();
    };
    for day in 0..4 {
        mine(FIRST_DAY + day).await;
    }
    assert_eq!(partitions(&server), ["share_hours_20241005", "share_hours_20241006", "share_hours_20241007"]);
    let hours = store.share_hours(account("account0"), TimeMs(0), TimeMs(u64::from(u32::MAX) * 1_000)).await;
    assert_eq!(hours.unwrap().len(), 3);
    // The pool's clock is a century ahead: counted from the database's own date, all of 2024 is old.
    mine(FIRST_DAY + 36_500).await;
    assert_eq!(partitions(&server), ["share_hours_21240910"]);
    mine(FIRST_DAY + 4).await;
    let today = server.sql("SELECT (now() AT TIME ZONE 'UTC')::date - date '1970-01-01'").unwrap();
    let today: u64 = today.parse().unwrap();
    mine(today - 1).await;
    mine(today).await;
    mine(today + 3_000).await;
    let left = partitions(&server);
    assert_eq!(left.len(), 4, "yesterday and today stay, whatever is claimed of the future: {left:?}");
    let account = store.account(account("account0")).await.unwrap().unwrap();
    assert_eq!(account.workers[0].accepted, 9, "what is credited stays");
}
