//! The auditor: a second opinion on all of the ledger, from the journal's records and the database's rows.
//!
//! It is written apart from the ledger (`ledger/book.rs`, `ledger/windows.rs`, `pool_domain::{pplns, split, postings, proof}`) and
//! shares none of their code: it keeps every share, walks back from each winning share, divides by hand, hashes by the
//! definition of RFC 6962, and adds up every entry. It is slow and simple where the ledger is fast.
//!
//! | file | recomputes |
//! |---|---|
//! | `replay` | one node's journal: shares by worker, where each block's window begins and ends, who worked in it |
//! | `division` | a reward's parts, and the root over a window |
//! | `money` | what a block's transactions must be, and what balances follow from all of them |
//! | `chain` | what the chain's node says of blocks and payouts |
//!
//! [`Auditor::item`] takes the books' items in the order of [`crate::ports::books::BookItem`]; [`Auditor::finish`] says what differs. What can't be
//! checked (the journal's beginning was dropped by retention, a node's folder is elsewhere) is said, and is no difference.

mod chain;
mod division;
mod money;
mod replay;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use chain::BookedBlock;
pub use replay::{Line, Replay};
use serde::Serialize;

use crate::ports::{
    books::{BookBlock, BookItem},
    node::BlockObservation,
    payouts::PayoutRow,
    store::Position,
    wallet::Paid,
};

/// Differences that are described; all are counted.
const DESCRIBED_MAX: usize = 100;

/// Something that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What kind of thing: `journal`, `block`, `window`, `root`, `posting`, `balance`, `shares`, `chain`.
    pub area: &'static str,
    /// Which one.
    pub subject: String,
    /// What is stored, and what it must be.
    pub what: String,
}

/// Something that could not be checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unchecked {
    /// Which things.
    pub subject: String,
    /// How many of them.
    pub count: u64,
    /// Why not.
    pub why: String,
}

/// How much was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Records of journals.
    pub journal_records: u64,
    /// Blocks.
    pub blocks: u64,
    /// Windows recomputed from shares.
    pub windows: u64,
    /// Movements of money.
    pub transactions: u64,
    /// Their lines.
    pub entries: u64,
    /// Cached balances.
    pub balances: u64,
    /// Roll-ups of shares.
    pub share_rows: u64,
    /// Blocks that the chain's node was asked about.
    pub chain_blocks: u64,
    /// Payouts whose transactions were looked for on the chain.
    pub chain_payouts: u64,
}

/// A node whose journal was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditedNode {
    /// Its name.
    pub node: String,
    /// Where the database stands.
    pub position: u64,
    /// The oldest record that is kept: from here on windows and shares are checked.
    pub journal_from: Option<u64>,
}

/// What an audit found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Nothing differs.
    pub clean: bool,
    /// How many things differ.
    pub differences: u64,
    /// The first of them.
    pub first: Vec<Difference>,
    /// What was looked at.
    pub checked: Checked,
    /// What could not be.
    pub unchecked: Vec<Unchecked>,
    /// Whose journals were read.
    pub nodes: Vec<AuditedNode>,
}

/// Gathers differences while an audit goes on.
#[derive(Debug, Default)]
struct Findings {
    count: u64,
    first: Vec<Difference>,
    unchecked: BTreeMap<(String, String), u64>,
    checked: Checked,
}

impl Findings {
    fn differs(&mut self, area: &'static str, subject: impl Into<String>, what: impl Into<String>) {
        self.count += 1;
        if self.first.len() < DESCRIBED_MAX {
            self.first.push(Difference { area, subject: subject.into(), what: what.into() });
        }
    }

    fn unchecked(&mut self, subject: impl Into<String>, why: impl Into<String>) {
        *self.unchecked.entry((subject.into(), why.into())).or_default() += 1;
    }

    /// `stored` must be `expected`.
    fn same<T: PartialEq + std::fmt::Display>(
        &mut self,
        area: &'static str,
        subject: &str,
        name: &str,
        stored: &T,
        expected: &T,
    ) -> bool {
        if stored != expected {
            self.differs(area, subject, format!("{name} is {stored}, must be {expected}"));
        }
        stored == expected
    }
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Auditor {
    findings: Findings,
    positions: BTreeMap<String, Position>,
    replays: BTreeMap<String, Replay>,
    money: money::Money,
    /// The block whose transactions come now.
    open: Option<money::BlockMoney>,
    shares: replay::ShareTotals,
    shares_seen: bool,
}

impl Auditor {
    /// Takes a node's journal, replayed through the database's position; before the first block.
    pub fn replayed(&mut self, node: &str, replay: Replay) {
        self.findings.checked.journal_records += replay.records();
        self.replays.insert(node.to_owned(), replay);
    }

    /// A node's journal can't be read, or ends too early.
    pub fn unusable_journal(&mut self, node: &str, what: impl Into<String>) {
        self.findings.differs("journal", node, what);
    }

    /// Takes the next item of the books.
    pub fn item(&mut self, item: BookItem) {
        match item {
            BookItem::Position { node, position } => {
                self.positions.insert(node, position);
            }
            BookItem::Block(block) => {
                self.close_block();
                self.block(&block);
                self.open = Some(money::BlockMoney::new(*block));
            }
            BookItem::Transaction(transaction) => {
                let about = self.open.as_mut().filter(|open| transaction.block == Some(open.hash()));
                if about.is_none() {
                    self.close_block();
                }
                self.money.transaction(&transaction, self.open.as_mut(), &mut self.findings);
            }
            BookItem::Balance { kind, owner, amount } => {
                self.close_block();
                self.money.balance(kind, owner, amount, &mut self.findings);
            }
            BookItem::Shares { account, worker, algorithm, accepted, work } => {
                self.close_block();
                self.shares_seen = true;
                self.findings.checked.share_rows += 1;
                self.shares.insert((account, worker, algorithm), (accepted, work.0));
            }
        }
    }

    /// Takes what the chain's node says of a block; `prunes`: it forgets old ones.
    pub fn chain_block(&mut self, booked: &BookedBlock, seen: &BlockObservation, prunes: bool) {
        booked.compare(seen, prunes, &mut self.findings);
    }

    /// Takes what a block of the chain holds of a payout's transaction, if one does.
    pub fn chain_payout(&mut self, row: &PayoutRow, paid: Option<&Paid>) {
        chain::payout(row, paid, &mut self.findings);
    }

    fn close_block(&mut self) {
        if let Some(open) = self.open.take() {
            open.close(&mut self.findings);
        }
    }

    fn block(&mut self, block: &BookBlock) {
        self.findings.checked.blocks += 1;
        division::check_root(block, &mut self.findings);
        match self.replays.get_mut(&block.node) {
            Some(replay) => replay.check(block, &mut self.findings),
            None => self.findings.unchecked(
                "windows of blocks",
                format!("the journal of {} was not given: name its data folder", block.node),
            ),
        }
    }

    /// What differs.
    #[must_use]
    pub fn finish(mut self) -> Report {
        self.close_block();
        self.money.finish(&mut self.findings);
        for (node, replay) in &self.replays {
            replay.finish(node, &mut self.findings);
        }
        replay::check_totals(&self.shares, &self.positions, &self.replays, &mut self.findings);
        let nodes = self.positions.iter().map(|(node, position)| AuditedNode {
            node: node.clone(),
            position: position.seq.0,
            journal_from: self.replays.get(node).map(Replay::first),
        });
        let Findings { count, first, unchecked, checked } = self.findings;
        let unchecked =
            unchecked.into_iter().map(|((subject, why), count)| Unchecked { subject, count, why });
        Report {
            clean: count == 0,
            differences: count,
            first,
            checked,
            unchecked: unchecked.collect(),
            nodes: nodes.collect(),
        }
    }
}
