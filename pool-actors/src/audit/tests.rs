//! The auditor on small books made by hand: what is right passes, and one unit more anywhere is found.

use pool_domain::{
    accounting::{CreditId, Income},
    ids::{Account, AlgorithmName, BlockHash, ShareSeq, WorkerName},
    maturity::{BlockEvent, BlockLife, Color},
    postings::Credit,
    proof::window_root,
    split::split,
    units::{Amount, BasisPoints, TimeMs, Work},
};

use super::*;
use crate::ports::{
    books::BookTransaction,
    store::{BlockRow, Split},
};

fn account(name: &str) -> Account {
    Account::new(name).unwrap()
}

fn algorithm() -> AlgorithmName {
    AlgorithmName::new("blake2s").unwrap()
}

fn share(name: &str, work: u128, candidate: Option<u64>) -> Line {
    Line::Share {
        account: account(name),
        worker: WorkerName::default(),
        algorithm: algorithm(),
        work: Work(work),
        at: TimeMs(1_000),
        candidate,
    }
}

const HASH: BlockHash = BlockHash([7; 32]);

/// alice 30, bob 20, alice 10 (the block, window 35: bob's 20, alice's 10 and 5 of her 30).
fn journal() -> Replay {
    journal_from(1)
}

/// The same, without what retention dropped.
fn journal_from(first: u64) -> Replay {
    let mut replay = Replay::new(ShareSeq(first));
    if first <= 3 {
        replay.line(ShareSeq(3), share("alice", 30, None));
    }
    replay.line(ShareSeq(4), share("bob", 20, None));
    replay.line(ShareSeq(5), share("alice", 10, Some(99)));
    let found = Line::Candidate {
        id: 99,
        hash: HASH,
        algorithm: algorithm(),
        network_work: Work(35),
        account: account("alice"),
        worker: WorkerName::default(),
        at: TimeMs(1_000),
    };
    replay.line(ShareSeq(6), found);
    replay.line(ShareSeq(7), Line::Verdict { hash: HASH, at: TimeMs(1_001), accepted: true });
    replay
}

fn paid(reward: i128) -> BlockLife {
    let mut life = BlockLife::new();
    let blue = BlockEvent::Colored { color: Color::Blue, reward: Some(Amount(reward)) };
    for event in [BlockEvent::Submitted, BlockEvent::Accepted, blue, BlockEvent::Matured, BlockEvent::Closed]
    {
        life.apply(event).unwrap();
    }
    life
}

/// What the ledger makes of it.
fn books() -> Vec<BookItem> {
    let weights = vec![(account("alice"), Work(15)), (account("bob"), Work(20))];
    let row = BlockRow {
        number: 1,
        hash: HASH,
        candidate: 99,
        candidate_seq: ShareSeq(6),
        anchor: Some(ShareSeq(5)),
        fallback: ShareSeq(5),
        algorithm: algorithm(),
        network_work: Work(35),
        height: None,
        parents: vec![],
        account: account("alice"),
        worker: WorkerName::default(),
        found_at: TimeMs(1_000),
        life: paid(1_001),
        income: paid(0),
        confirmations: 9,
        merging_block: None,
        reason: None,
    };
    let root = window_root(&weights);
    let id = CreditId { block: HASH, income: Income::Block, revision: 1 };
    let credit = Credit { id, split: split(Amount(1_001), BasisPoints(100), &weights).unwrap() };
    let stored = Split {
        scheme: "pplns".into(),
        factor: Some(BasisPoints(10_000)),
        fee: BasisPoints(100),
        first_seq: Some(ShareSeq(3)),
        first_counted: Some(Work(5)),
        last_seq: ShareSeq(5),
        weights,
        root,
    };
    let mut items = vec![
        BookItem::Position { node: "n".into(), position: Position { seq: ShareSeq(7), commits: 1 } },
        BookItem::Block(Box::new(BookBlock {
            node: "n".into(),
            row,
            split: Some(stored),
            stored_root: Some(root),
            status: "paid".into(),
            color: "blue".into(),
            reward: Some(Amount(1_001)),
            income: Some(Amount(0)),
        })),
    ];
    let mut sums: BTreeMap<(String, Option<Account>), i128> = BTreeMap::new();
    for (id, made) in (1..).zip([credit.pending().unwrap(), credit.post().unwrap()]) {
        let lines = made.entries().iter();
        let lines = lines
            .map(|entry| (entry.account.kind().to_owned(), entry.account.owner().cloned(), entry.amount));
        let lines: Vec<_> = lines.collect();
        for (kind, owner, amount) in &lines {
            *sums.entry((kind.clone(), owner.clone())).or_default() += amount.0;
        }
        let (reference, kind) = (made.cause().key(), made.cause().kind().to_owned());
        let transaction = BookTransaction { id, reference, kind, block: Some(HASH), at: TimeMs(2), lines };
        items.push(BookItem::Transaction(transaction));
    }
    items.extend(sums.into_iter().map(|((kind, owner), amount)| BookItem::Balance {
        kind,
        owner,
        amount: Amount(amount),
    }));
    for (name, accepted, work) in [("alice", 2, 40), ("bob", 1, 20)] {
        let (account, worker) = (account(name), WorkerName::default());
        items.push(BookItem::Shares { account, worker, algorithm: algorithm(), accepted, work: Work(work) });
    }
    items
}

fn audit(replay: Option<Replay>, items: Vec<BookItem>) -> Report {
    let mut auditor = Auditor::default();
    let mut replay = replay;
    for item in items {
        let is_position = matches!(item, BookItem::Position { .. });
        auditor.item(item);
        if let Some(replay) = replay.take_if(|_| is_position) {
            auditor.replayed("n", replay);
        }
    }
    auditor.finish()
}

/// What the chain is found to say otherwise of the block of these books.
fn on_the_chain(reward: Option<i128>, income: Option<i128>) -> Vec<String> {
    let mut auditor = Auditor::default();
    let seen = BlockObservation {
        hash: HASH,
        known: true,
        color: Color::Blue,
        confirmations: 9,
        mature: true,
        reward: reward.map(Amount),
        red_merge_income: income.map(Amount),
        merging_block: None,
        height: None,
        parents: vec![],
    };
    for item in books() {
        if let BookItem::Block(block) = item {
            auditor.chain_block(&BookedBlock::of(&block).unwrap(), &seen, false);
        }
    }
    auditor.finish().first.into_iter().map(|found| found.what).collect()
}

#[test]
fn what_the_chain_does_not_tell_is_not_zero() {
    assert_eq!(on_the_chain(Some(1_001), None), Vec::<String>::new());
    assert_eq!(on_the_chain(Some(1_001), Some(0)), Vec::<String>::new());
    assert_eq!(on_the_chain(None, None), ["its reward is 1001 in the books, and not told on the chain"]);
    assert_eq!(on_the_chain(Some(0), Some(0)), ["its reward is 1001 in the books, and 0 on the chain"]);
    assert_eq!(
        on_the_chain(Some(1_001), Some(3)),
        ["its income from merged reds is 0 in the books, and 3 on the chain"]
    );
}

#[test]
fn sound_books_are_clean() {
    let report = audit(Some(journal()), books());
    assert!(report.clean, "{:?}", report.first);
    assert_eq!(report.unchecked, []);
    let checked = report.checked;
    assert_eq!((checked.blocks, checked.windows, checked.transactions, checked.share_rows), (1, 1, 2, 2));
    assert_eq!((checked.journal_records, report.nodes[0].journal_from), (5, Some(1)));
}

#[test]
fn without_the_journal_money_is_checked_and_the_rest_is_said() {
    let report = audit(None, books());
    assert!(report.clean, "{:?}", report.first);
    let left: Vec<&str> = report.unchecked.iter().map(|left| left.subject.as_str()).collect();
    assert_eq!(left, ["sums of shares by worker", "windows of blocks"]);
    assert_eq!((report.checked.windows, report.nodes[0].journal_from), (0, None));
}

#[test]
fn a_journal_without_its_beginning_is_checked_from_where_it_begins() {
    let mut replay = Replay::new(ShareSeq(4));
    replay.line(ShareSeq(4), share("bob", 20, None));
    replay.line(ShareSeq(5), share("alice", 10, Some(99)));
    let report = audit(Some(replay), books());
    // The candidate is missing in this journal, and that is a difference; its beginning is not.
    assert_eq!((report.differences, report.first[0].area), (1, "block"));
    let report = audit(Some(journal_from(4)), books());
    assert!(report.clean, "{:?}", report.first);
    assert!(report.unchecked.iter().any(|left| left.why.contains("reach behind")), "{:?}", report.unchecked);
    assert!(report.unchecked.iter().any(|left| left.why.contains("retention")), "{:?}", report.unchecked);
}

/// The books with one thing changed: the area of the first difference, and what it says.
fn tampered(change: impl Fn(&mut BookItem)) -> (&'static str, String) {
    let mut items = books();
    items.iter_mut().for_each(change);
    let report = audit(Some(journal()), items);
    assert!(!report.clean, "nothing was noticed");
    (report.first[0].area, report.first[0].what.clone())
}

#[test]
fn one_unit_anywhere_is_found() {
    let entry = tampered(|item| {
        if let BookItem::Transaction(transaction) = item
            && transaction.id == 2
        {
            for (kind, owner, amount) in &mut transaction.lines {
                if let ("miner_confirmed", Some(owner)) = (kind.as_str(), owner) {
                    amount.0 += if owner.as_str() == "bob" { 1 } else { -1 };
                }
            }
        }
    });
    assert_eq!(
        entry,
        ("posting", "miner_confirmed:alice gets 424, by the block's split it must be 425".into())
    );
    let weights = tampered(|item| {
        if let BookItem::Block(block) = item {
            let split = block.split.as_mut().unwrap();
            split.weights[1].1.0 += 1;
        }
    });
    assert_eq!(weights.0, "root");
    let window = tampered(|item| {
        if let BookItem::Block(block) = item {
            let split = block.split.as_mut().unwrap();
            split.weights[1].1.0 += 1;
            block.stored_root = Some(window_root(&split.weights));
        }
    });
    assert_eq!(window, ("window", "the work of bob is 21, by the journal's shares it is 20".into()));
    let balance = tampered(|item| {
        if let BookItem::Balance { kind, owner: Some(owner), amount } = item
            && kind == "miner_confirmed"
            && owner.as_str() == "bob"
        {
            amount.0 += 1;
        }
    });
    assert_eq!(balance.0, "balance");
    let shares = tampered(|item| {
        if let BookItem::Shares { work, .. } = item {
            work.0 += 1;
        }
    });
    assert_eq!(shares.0, "shares");
    let reward = tampered(|item| {
        if let BookItem::Block(block) = item {
            block.row.life = paid(1_000);
            block.reward = Some(Amount(1_000));
        }
    });
    assert_eq!(reward.0, "posting");
    let status = tampered(|item| {
        if let BookItem::Block(block) = item {
            block.status = "accepted".into();
        }
    });
    assert_eq!(status.0, "block");
    let anchor = tampered(|item| {
        if let BookItem::Block(block) = item {
            block.row.anchor = Some(ShareSeq(4));
            block.split.as_mut().unwrap().last_seq = ShareSeq(4);
        }
    });
    assert_eq!(anchor, ("window", "its window ends with share 4, by the journal it ends with [5]".into()));
    let twice = tampered(|item| {
        if let BookItem::Transaction(transaction) = item {
            let lines = transaction.lines.clone();
            transaction.lines.extend(lines);
        }
    });
    assert_eq!(twice.0, "posting");
}

#[test]
fn a_block_that_is_missing_is_found() {
    let items = books().into_iter().filter(|item| !matches!(item, BookItem::Block(_))).collect();
    let report = audit(Some(journal()), items);
    let found: Vec<&str> = report.first.iter().map(|found| found.what.as_str()).collect();
    assert!(found.iter().any(|what| what.contains("does not exist")), "{found:?}");
    assert!(found.iter().any(|what| what.contains("missing in the database")), "{found:?}");
}
