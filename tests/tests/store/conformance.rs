//! What every store must do, whatever database is behind it: atomic, idempotent, exact, and only ever forward.

use std::sync::Arc;

use pool_actors::ports::{
    books::{Adjusted, Adjustment, BookItem, BooksPort, CreditQuery, CreditState},
    store::{
        Anchor, BlockChange, BlockQuery, BlockRow, BlockStep, HISTORY_DAYS, HOUR_MS, LedgerCommit, Position,
        Posting, ShareDelta, SharedStore, Split, StoreError, StorePort, WindowMark,
    },
};
use pool_domain::{
    accounting::{Cause, CreditId, Income, LedgerAccount, Transaction},
    ids::{Account, AdjustmentId, AlgorithmName, BlockHash, ShareSeq, WorkerName},
    maturity::{BlockEvent, BlockLife, BlockStatus, Color},
    postings::Credit,
    proof::window_root,
    split::split as divide,
    units::{Amount, BasisPoints, TimeMs, Work},
};
use rand::{Rng as _, SeedableRng as _, rngs::SmallRng};

pub(crate) fn account(name: &str) -> Account {
    Account::new(name).unwrap()
}

/// A correction with this number: what the chain gives (`None`) or a miner gets.
pub(crate) fn posting(number: u64, entries: &[(LedgerAccount, i128)]) -> Posting {
    let cause = Cause::Adjustment { id: AdjustmentId(number), author: "test".into(), reason: "test".into() };
    let entries = entries.iter().map(|(account, amount)| (account.clone(), Amount(*amount)));
    Posting { transaction: Transaction::new(cause, entries).unwrap(), block: None, at: TimeMs(5) }
}

pub(crate) fn balanced(number: u64) -> Posting {
    posting(number, &[(LedgerAccount::ChainPending, -5), (LedgerAccount::FeePending, 5)])
}

pub(crate) fn commit(expected: Position, seq: u64) -> LedgerCommit {
    LedgerCommit { node: "n1".into(), expected, seq: ShareSeq(seq), at: TimeMs(7), ..LedgerCommit::default() }
}

pub(crate) fn block(hash: u8) -> BlockRow {
    BlockRow {
        number: 0,
        hash: BlockHash([hash; 32]),
        candidate: u64::MAX - u64::from(hash),
        candidate_seq: ShareSeq(u64::from(hash)),
        anchor: None,
        fallback: ShareSeq(5),
        algorithm: AlgorithmName::new("blake2s").unwrap(),
        network_work: Work(u128::MAX),
        height: Some(9),
        parents: vec![BlockHash([1; 32]), BlockHash([2; 32])],
        account: account("alice"),
        worker: WorkerName::new("rig").unwrap(),
        found_at: TimeMs(3),
        life: BlockLife::new(),
        income: BlockLife::new(),
        confirmations: 0,
        merging_block: None,
        reason: None,
    }
}

pub(crate) fn split(weights: Vec<(Account, Work)>) -> Split {
    Split {
        scheme: "pplns".into(),
        factor: Some(BasisPoints(20_000)),
        fee: BasisPoints(100),
        first_seq: Some(ShareSeq(1)),
        first_counted: Some(Work(u128::MAX)),
        last_seq: ShareSeq(10),
        root: window_root(&weights),
        weights,
    }
}

pub(crate) fn change(row: BlockRow) -> BlockChange {
    let step = BlockStep {
        at: TimeMs(7),
        status: row.life.stage(),
        color: row.life.color(),
        reason: row.reason.clone(),
    };
    BlockChange { row, split: None, steps: vec![step], parents_changed: true }
}

pub(crate) async fn a_commit_is_applied_once_and_as_a_whole(store: SharedStore) {
    let mut first = commit(Position::default(), 10);
    let delta = ShareDelta {
        account: account("alice"),
        worker: WorkerName::new("rig").unwrap(),
        algorithm: AlgorithmName::new("blake2s").unwrap(),
        accepted: 3,
        work: Work(u128::MAX / 4),
        last_share_at: TimeMs(4),
    };
    first.shares = vec![delta.clone(), ShareDelta { work: Work(1), ..delta.clone() }];
    first.windows = vec![WindowMark {
        algorithm: delta.algorithm.clone(),
        oldest: ShareSeq(1),
        newest: ShareSeq(10),
        state: vec![1, 2],
    }];
    first.anchors_added = vec![Anchor { candidate: u64::MAX, seq: ShareSeq(10) }];
    let split = split(vec![(account("alice"), Work(u128::MAX)), (account("bob"), Work(1))]);
    first.blocks = vec![BlockChange { split: Some(split.clone()), ..change(block(7)) }];
    first.postings = vec![posting(
        1,
        &[
            (LedgerAccount::ChainPending, -1_000_000_000_000_000_000_000),
            (LedgerAccount::MinerPending(account("alice")), 999_999_999_999_999_999_999),
            (LedgerAccount::FeePending, 1),
        ],
    )];
    let first = Arc::new(first);
    let after = store.commit(Arc::clone(&first)).await.unwrap();
    assert_eq!(after, Position { seq: ShareSeq(10), commits: 1 });
    // Its answer got lost and it is sent again: nothing is counted twice.
    assert_eq!(store.commit(Arc::clone(&first)).await.unwrap(), after);
    let alice = store.account(account("alice")).await.unwrap().unwrap();
    assert_eq!((alice.workers[0].accepted, alice.workers[0].work), (6, Work(u128::MAX / 4 + 1)));
    assert_eq!(alice.balance.pending, Amount(999_999_999_999_999_999_999));

    let state = store.load("n1").await.unwrap();
    assert_eq!(state.position, after);
    assert_eq!(state.windows, first.windows);
    assert_eq!(state.anchors, first.anchors_added);
    assert_eq!(state.open_blocks, vec![BlockRow { number: 1, ..block(7) }]);
    let splits = store.splits(vec![BlockHash([7; 32]), BlockHash([8; 32])]).await.unwrap();
    assert_eq!(splits.into_iter().collect::<Vec<_>>(), vec![(BlockHash([7; 32]), split)]);
    assert_eq!(store.totals().await.unwrap().imbalance(), Amount::ZERO);
    assert_eq!(store.check().await.unwrap(), vec![]);
    let size = store.size_bytes().await.unwrap();
    assert!((10_000..1 << 30).contains(&size), "{size}");
    assert_eq!(store.account(account("nobody")).await.unwrap(), None);
    let named = vec![account("alice"), account("nobody")];
    assert_eq!(store.accounts_named(named).await.unwrap(), std::slice::from_ref(&alice));
    assert_eq!(store.accounts_named(Vec::new()).await.unwrap(), []);

    // Half of a commit that fails is not there.
    let mut broken = commit(after, 20);
    broken.shares = vec![delta];
    broken.postings = vec![balanced(2), balanced(2)];
    let refused = store.commit(Arc::new(broken)).await.unwrap_err();
    assert!(
        matches!(&refused, StoreError::Corrupt { what } if what.to_lowercase().contains("unique")),
        "{refused}"
    );
    assert_eq!(store.load("n1").await.unwrap().position, after);
    assert_eq!(store.account(account("alice")).await.unwrap().unwrap(), alice);
}

pub(crate) async fn a_second_writer_and_a_second_posting_are_refused(store: SharedStore) {
    let mut first = commit(Position::default(), 1);
    first.postings = vec![balanced(1)];
    let after = store.commit(Arc::new(first)).await.unwrap();
    let other = store.commit(Arc::new(commit(Position::default(), 2))).await.unwrap_err();
    assert_eq!(other, StoreError::Conflict { node: "n1".into(), expected: 0, found: 1 });
    let mut twice = commit(after, 2);
    twice.postings = vec![balanced(1)];
    assert!(matches!(store.commit(Arc::new(twice)).await, Err(StoreError::Corrupt { .. })));
    let backwards = store.commit(Arc::new(commit(after, 0))).await;
    assert!(matches!(backwards, Err(StoreError::Conflict { .. })), "the journal position never goes back");
}

pub(crate) async fn blocks_change_while_their_history_stays(store: SharedStore) {
    let mut first = commit(Position::default(), 1);
    first.blocks = vec![change(block(7)), change(block(8))];
    let after = store.commit(Arc::new(first)).await.unwrap();
    let mut second = commit(after, 1);
    let mut life = BlockLife::new();
    let red = BlockEvent::Colored { color: Color::Red, reward: None };
    for event in [BlockEvent::Submitted, BlockEvent::Accepted, red, BlockEvent::Matured, BlockEvent::Closed] {
        life.apply(event).unwrap();
    }
    let mut income = BlockLife::new();
    let blue = BlockEvent::Colored { color: Color::Blue, reward: Some(Amount(i128::MAX)) };
    for event in [BlockEvent::Submitted, BlockEvent::Accepted, blue] {
        income.apply(event).unwrap();
    }
    let red = BlockRow {
        life,
        income,
        merging_block: Some(BlockHash([4; 32])),
        confirmations: 100,
        reason: Some("red at maturity".into()),
        ..block(7)
    };
    second.blocks = vec![change(red.clone())];
    store.commit(Arc::new(second)).await.unwrap();
    let (row, steps) = store.block(BlockHash([7; 32])).await.unwrap().unwrap();
    assert_eq!(row, BlockRow { number: 1, ..red });
    assert_eq!(
        steps.iter().map(|step| step.status).collect::<Vec<_>>(),
        [BlockStatus::Candidate, BlockStatus::Void]
    );
    let page = |query: BlockQuery| {
        let store = Arc::clone(&store);
        async move { store.blocks(query).await.unwrap().iter().map(|row| row.number).collect::<Vec<_>>() }
    };
    let all = BlockQuery { limit: 10, ..BlockQuery::default() };
    assert_eq!(page(all.clone()).await, [2, 1]);
    assert_eq!(page(BlockQuery { before: Some(2), ..all.clone() }).await, [1]);
    assert_eq!(page(BlockQuery { limit: 1, ..all.clone() }).await, [2]);
    assert_eq!(page(BlockQuery { color: Some(Color::Red), ..all.clone() }).await, [1]);
    assert_eq!(page(BlockQuery { status: Some(BlockStatus::Paid), ..all.clone() }).await, [0_u64; 0]);
    assert_eq!(page(BlockQuery { account: Some(account("alice")), ..all }).await, [2, 1]);
    let open = store.load("n1").await.unwrap().open_blocks;
    assert_eq!(open.iter().map(|row| row.number).collect::<Vec<_>>(), [2], "void is settled");
    assert_eq!(store.accounts(None, 5).await.unwrap().len(), 1);
    assert_eq!(store.accounts(Some(account("alice")), 5).await.unwrap(), vec![]);
}

/// Cached balances and audited sums are exact at 18 decimals and beyond 64 bits.
pub(crate) async fn sums_are_exact(store: SharedStore) {
    let mut random = SmallRng::seed_from_u64(7);
    let names = ["a", "b", "c", "d"];
    let (mut expected, mut position) = ([0_i128; 4], Position::default());
    for number in 0..40 {
        let mut next = commit(position, number);
        for index in 0..random.random_range(1..8) {
            let who = random.random_range(0..names.len());
            let amount = random.random_range(-(1_i128 << 112)..(1_i128 << 112)) | 1;
            expected[who] += amount;
            let miner = LedgerAccount::MinerConfirmed(account(names[who]));
            let entries = [(miner, amount), (LedgerAccount::Adjustments, -amount)];
            next.postings.push(posting(number * 100 + index, &entries));
        }
        position = store.commit(Arc::new(next)).await.unwrap();
    }
    for (name, expected) in names.into_iter().zip(expected) {
        let found = store.account(account(name)).await.unwrap().unwrap();
        assert_eq!(found.balance.confirmed, Amount(expected), "{name}");
    }
    assert_eq!(store.check().await.unwrap(), vec![]);
    assert_eq!(store.totals().await.unwrap().imbalance(), Amount::ZERO);
}

/// Two nodes of one pool, each with its own place, share accounts and blocks' numbers.
pub(crate) async fn nodes_have_places_of_their_own(store: SharedStore) {
    let mut first = commit(Position::default(), 5);
    first.blocks = vec![change(block(7))];
    let after = store.commit(Arc::new(first)).await.unwrap();
    let mut other = LedgerCommit { node: "n2".into(), ..commit(Position::default(), 9) };
    other.blocks = vec![change(BlockRow { parents: vec![], ..block(9) }), change(block(8))];
    store.commit(Arc::new(other)).await.unwrap();
    assert_eq!(store.nodes().await.unwrap(), ["n1", "n2"]);
    assert_eq!(store.load("n1").await.unwrap().position, after);
    assert_eq!(store.load("n2").await.unwrap().position, Position { seq: ShareSeq(9), commits: 1 });
    assert_eq!(store.load("n3").await.unwrap().position, Position::default());
    let open = store.load("n2").await.unwrap().open_blocks;
    assert_eq!(open.iter().map(|row| (row.number, row.hash.0[0])).collect::<Vec<_>>(), [(2, 9), (3, 8)]);
    assert_eq!(store.totals().await.unwrap().blocks, [(BlockStatus::Candidate, Color::Unknown, 3)]);
}

/// As many accounts and workers as a large pool has, in one commit and again in the next.
pub(crate) async fn thousands_of_workers_in_one_commit(store: SharedStore) {
    let delta = |n: u64| ShareDelta {
        account: account(&format!("account{}", n / 2)),
        worker: WorkerName::new(&format!("rig{n}")).unwrap(),
        algorithm: AlgorithmName::new("blake2s").unwrap(),
        accepted: n + 1,
        work: Work(u128::from(n) << 64),
        last_share_at: TimeMs(n),
    };
    let mut position = Position::default();
    for round in 1..=2 {
        let mut next = commit(position, round);
        next.shares = (0..2_000).map(delta).collect();
        let pay = |n: u64| (LedgerAccount::MinerPending(account(&format!("account{n}"))), 3);
        let mut entries: Vec<_> = (0..1_000).map(pay).collect();
        entries.push((LedgerAccount::ChainPending, -3_000));
        next.postings = vec![posting(round, &entries)];
        position = store.commit(Arc::new(next)).await.unwrap();
    }
    let totals = store.totals().await.unwrap();
    assert_eq!((totals.accounts, totals.workers, totals.accepted), (1_000, 2_000, 2 * 2_001_000));
    assert_eq!(totals.of("miner_pending"), Amount(6_000));
    let mut page = store.accounts(None, 400).await.unwrap();
    while let Some(last) = page.last().map(|row| row.account.clone()) {
        let next = store.accounts(Some(last), 400).await.unwrap();
        if next.is_empty() {
            break;
        }
        page.extend(next);
    }
    assert_eq!(page.len(), 1_000);
    assert!(page.is_sorted_by(|a, b| a.account < b.account));
    assert!(page.iter().all(|row| row.workers.len() == 2 && row.balance.pending == Amount(6)));
    let found = store.account(account("account999")).await.unwrap().unwrap();
    assert_eq!((found.workers[1].accepted, found.workers[1].work), (4_000, Work(1_999 << 65)));
    assert_eq!(store.check().await.unwrap(), vec![]);
}

/// A store whose books can be read, too.
pub(crate) trait Books: StorePort + BooksPort {}
impl<T: StorePort + BooksPort> Books for T {}

/// Statements, credits and the walk over everything say what was committed.
pub(crate) async fn books_say_what_was_committed<T: Books>(store: Arc<T>) {
    let weights = vec![(account("alice"), Work(3)), (account("bob"), Work(1))];
    let credit = |revision, reward| {
        let id = CreditId { block: BlockHash([7; 32]), income: Income::Block, revision };
        Credit { id, split: divide(Amount(reward), BasisPoints(100), &weights).unwrap() }
    };
    let made = [
        credit(1, 400).pending(),
        credit(1, 400).void(),
        credit(2, 1_000).pending(),
        credit(2, 1_000).post(),
    ];
    let mut first = commit(Position::default(), 10);
    first.shares = vec![ShareDelta {
        account: account("alice"),
        worker: WorkerName::new("rig").unwrap(),
        algorithm: AlgorithmName::new("blake2s").unwrap(),
        accepted: 3,
        work: Work(u128::MAX / 4),
        last_share_at: TimeMs(4),
    }];
    let stored = split(weights.clone());
    let row = BlockRow { height: None, ..block(8) };
    first.blocks = vec![BlockChange { split: Some(stored.clone()), ..change(block(7)) }, change(row.clone())];
    let postings = made.map(|made| Posting {
        transaction: made.unwrap(),
        block: Some(BlockHash([7; 32])),
        at: TimeMs(9),
    });
    first.postings = postings.into();
    first.postings.push(balanced(1));
    let first = Arc::new(first);
    let position = store.commit(Arc::clone(&first)).await.unwrap();

    let (found, split) = store.statement(BlockHash([7; 32])).await.unwrap().unwrap();
    assert_eq!((found, split), (BlockRow { number: 1, ..block(7) }, Some(stored.clone())));
    assert_eq!(store.statement(BlockHash([8; 32])).await.unwrap().unwrap().1, None);
    assert_eq!(store.statement(BlockHash([9; 32])).await.unwrap(), None);

    let query = CreditQuery { account: account("alice"), before: None, limit: 1 };
    let newest = store.credits(query.clone()).await.unwrap();
    assert_eq!((newest.len(), newest[0].revision, newest[0].amount), (1, 2, Amount(743)));
    assert_eq!((newest[0].state, newest[0].ended_at), (CreditState::Confirmed, Some(TimeMs(9))));
    let older =
        store.credits(CreditQuery { before: Some(newest[0].id), limit: 9, ..query.clone() }).await.unwrap();
    assert_eq!((older.len(), older[0].revision, older[0].state), (1, 1, CreditState::Voided));
    assert_eq!(
        (older[0].amount, older[0].block, older[0].height),
        (Amount(297), BlockHash([7; 32]), Some(9))
    );
    assert_eq!(store.credits(CreditQuery { before: Some(u64::MAX), ..query.clone() }).await.unwrap(), newest);
    assert_eq!(store.credits(CreditQuery { account: account("nobody"), ..query }).await.unwrap(), []);

    let items = walk(&*store).await;
    assert_eq!(items[0], BookItem::Position { node: "n1".into(), position });
    let blocks: Vec<_> = items
        .iter()
        .filter_map(|item| if let BookItem::Block(block) = item { Some(block) } else { None })
        .collect();
    assert_eq!((blocks[0].split.as_ref(), blocks[0].stored_root), (Some(&stored), Some(stored.root)));
    assert_eq!(
        (blocks[0].node.as_str(), blocks[0].status.as_str(), blocks[0].color.as_str()),
        ("n1", "candidate", "unknown")
    );
    assert_eq!(blocks[1].row, BlockRow { number: 2, parents: vec![], ..row });
    assert_eq!((&blocks[1].split, blocks[1].stored_root, blocks[1].reward), (&None, None, None));
    let transactions: Vec<_> = items
        .iter()
        .filter_map(|item| if let BookItem::Transaction(one) = item { Some(one) } else { None })
        .collect();
    assert_eq!(transactions.len(), 5);
    for (found, posting) in transactions.iter().zip(&first.postings) {
        let lines = posting.transaction.entries().iter();
        let mut lines: Vec<_> = lines
            .map(|entry| (entry.account.kind().to_owned(), entry.account.owner().cloned(), entry.amount))
            .collect();
        let mut stored = found.lines.clone();
        lines.sort();
        stored.sort();
        assert_eq!((stored, &found.reference), (lines, &posting.transaction.cause().key()));
        assert_eq!(
            (found.kind.as_str(), found.block, found.at),
            (posting.transaction.cause().kind(), posting.block, posting.at)
        );
    }
    let confirmed = BookItem::Balance {
        kind: "miner_confirmed".into(),
        owner: Some(account("bob")),
        amount: Amount(247),
    };
    assert!(items.contains(&confirmed), "{items:?}");
    assert!(
        matches!(items.last(), Some(BookItem::Shares { accepted: 3, work, .. }) if work.0 == u128::MAX / 4)
    );
    // Whoever has seen enough is left alone, and the connection serves others.
    store.walk(Box::new(|_| false)).await.unwrap();
    assert_eq!(walk(&*store).await, items);
}

async fn walk(store: &impl BooksPort) -> Vec<BookItem> {
    let items = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = Arc::clone(&items);
    store
        .walk(Box::new(move |item| {
            seen.lock().unwrap().push(item);
            true
        }))
        .await
        .unwrap();
    let items = items.lock().unwrap();
    items.clone()
}

/// Shares by the hour: each batch in the hour of its newest share, over all workers of an account, and no further back than
/// is kept.
pub(crate) async fn hours_add_up_and_old_ones_are_forgotten(store: SharedStore) {
    let first = 20_000 * 24;
    let delta = |rig: &str, hour: u64, accepted: u64, work: u128| ShareDelta {
        account: account("alice"),
        worker: WorkerName::new(rig).unwrap(),
        algorithm: AlgorithmName::new("blake2s").unwrap(),
        accepted,
        work: Work(work),
        last_share_at: TimeMs(hour * HOUR_MS + 1_234),
    };
    let big = u128::MAX / 8;
    let mut next = commit(Position::default(), 1);
    next.shares = vec![
        delta("a", first, 1, big),
        delta("a", first, 2, big),
        delta("b", first, 3, big),
        delta("b", first + 1, 4, 7),
        ShareDelta { account: account("bob"), ..delta("b", first, 9, 9) },
    ];
    let after = store.commit(Arc::new(next)).await.unwrap();
    let mut next = commit(after, 2);
    next.shares = vec![delta("a", first + 1, 5, 1), delta("a", first + 30, 6, 2)];
    let after = store.commit(Arc::new(next)).await.unwrap();
    let between = async |from: u64, to: u64| {
        let hours = store.share_hours(account("alice"), TimeMs(from), TimeMs(to)).await.unwrap();
        hours.iter().map(|hour| (hour.at.0 / HOUR_MS - first, hour.accepted, hour.work.0)).collect::<Vec<_>>()
    };
    let all = [(0, 6, 3 * big), (1, 9, 8), (30, 6, 2)];
    assert_eq!(between(0, u64::from(u32::MAX) * 1_000).await, all);
    // Both ends: an hour belongs to the span in which it begins.
    let begins = first * HOUR_MS;
    assert_eq!(between(begins, begins + HOUR_MS).await, all[..1]);
    assert_eq!(between(begins + 1, begins + HOUR_MS + 1).await, all[1..2]);
    assert_eq!(store.share_hours(account("nobody"), TimeMs(0), TimeMs(begins * 2)).await.unwrap(), []);
    // So much later, the first day is forgotten and the second one just kept.
    let mut next = commit(after, 3);
    next.shares = vec![delta("a", first + (u64::from(HISTORY_DAYS) + 1) * 24, 7, 3)];
    store.commit(Arc::new(next)).await.unwrap();
    let kept = between(0, begins * 2).await;
    assert_eq!(kept, [(30, 6, 2), ((u64::from(HISTORY_DAYS) + 1) * 24, 7, 3)]);
    // What is credited is not forgotten.
    let alice = store.account(account("alice")).await.unwrap().unwrap();
    assert_eq!(alice.workers.iter().map(|worker| worker.accepted).sum::<u64>(), 28);
}

/// A correction is one transaction, made once under its reference, and never takes more than there is unless that is said.
pub(crate) async fn corrections_are_made_once<T: Books>(store: Arc<T>) {
    let mut first = commit(Position::default(), 1);
    let lines = [(LedgerAccount::ChainIncome, -100), (LedgerAccount::MinerConfirmed(account("alice")), 100)];
    first.postings = vec![posting(9_000, &lines)];
    store.commit(Arc::new(first)).await.unwrap();
    let take = |reference: &str, amount| Adjustment {
        reference: reference.into(),
        account: account("alice"),
        amount: Amount(amount),
        author: "eve".into(),
        reason: "a mistake".into(),
        below_zero: false,
    };
    let Adjusted::Made(made) = store.adjust(TimeMs(5), take("a", -100)).await.unwrap() else {
        panic!("refused")
    };
    assert_eq!((&made.adjustment, made.at), (&take("a", -100), TimeMs(5)));
    assert_eq!(store.adjust(TimeMs(6), take("a", -100)).await.unwrap(), Adjusted::Before(made.clone()));
    assert_eq!(store.adjust(TimeMs(6), take("a", -99)).await.unwrap(), Adjusted::OtherContent(made.clone()));
    let overdrawn = Adjusted::Overdrawn { confirmed: Amount::ZERO };
    assert_eq!(store.adjust(TimeMs(6), take("b", -1)).await.unwrap(), overdrawn);
    let stranger = Adjustment { account: account("stranger"), ..take("b", 1) };
    assert_eq!(store.adjust(TimeMs(6), stranger).await.unwrap(), Adjusted::UnknownAccount);
    let said = Adjustment { below_zero: true, ..take("b", -(1_i128 << 120)) };
    assert!(matches!(store.adjust(TimeMs(7), said.clone()).await.unwrap(), Adjusted::Made(_)));
    // Giving is always possible, to one who owes, too.
    assert!(matches!(store.adjust(TimeMs(8), take("c", 1)).await.unwrap(), Adjusted::Made(_)));
    let found = store.account(account("alice")).await.unwrap().unwrap();
    assert_eq!(found.balance.confirmed, Amount(1 - (1_i128 << 120)));
    let all = store.adjustments(None, 10).await.unwrap();
    assert_eq!(all.iter().map(|row| row.adjustment.reference.as_str()).collect::<Vec<_>>(), ["c", "b", "a"]);
    assert_eq!((&all[1].adjustment, &all[2]), (&said, &made));
    assert_eq!(store.adjustments(Some(all[1].id), 10).await.unwrap(), [made]);
    assert_eq!(store.check().await.unwrap(), vec![]);
    assert_eq!(store.totals().await.unwrap().imbalance(), Amount::ZERO);
    // The ledger goes on as if nothing had been.
    let mut next = commit(Position { seq: ShareSeq(1), commits: 1 }, 2);
    next.postings = vec![balanced(9_001)];
    store.commit(Arc::new(next)).await.unwrap();
}

/// A block that pays thousands, more than what any statement takes at once.
pub(crate) async fn a_block_of_thousands_of_accounts(store: SharedStore) {
    const ACCOUNTS: i128 = 2_345;
    let owner = |n: i128| account(&format!("miner{n:05}"));
    let mut position = Position::default();
    for (number, sign) in [(1, 1), (2, 1), (3, -1)] {
        let mut next = commit(position, number);
        let paid = (1..=ACCOUNTS).map(|n| (LedgerAccount::MinerPending(owner(n)), sign * n));
        let whole = (LedgerAccount::ChainPending, -sign * ACCOUNTS * (ACCOUNTS + 1) / 2);
        next.postings = vec![posting(number, &paid.chain([whole]).collect::<Vec<_>>())];
        position = store.commit(Arc::new(next)).await.unwrap();
    }
    for n in [1, 99, 100, 101, 2_300, ACCOUNTS] {
        assert_eq!(store.account(owner(n)).await.unwrap().unwrap().balance.pending, Amount(n));
    }
    assert_eq!(store.check().await.unwrap(), vec![]);
    assert_eq!(store.totals().await.unwrap().imbalance(), Amount::ZERO);
}
