//! What the transactions of a block must be, and what balances follow from all of them.

use std::collections::BTreeMap;

use pool_domain::{
    ids::{Account, BlockHash},
    maturity::BlockLife,
    units::Amount,
};

use super::{Findings, division};
use crate::ports::books::{BookBlock, BookTransaction};

/// Kind and owner of a ledger account.
type Holder = (String, Option<Account>);

fn shown((kind, owner): &Holder) -> String {
    owner.as_ref().map_or_else(|| kind.clone(), |owner| format!("{kind}:{owner}"))
}

/// Sums over everything.
#[derive(Debug, Default)]
pub(super) struct Money {
    sums: BTreeMap<Holder, i128>,
    /// What each payout has set aside and not yet sent or given back.
    reserved: BTreeMap<String, BTreeMap<Account, i128>>,
    /// Accounts that an operator took something from.
    taken_from: std::collections::BTreeSet<Account>,
    cached: BTreeMap<Holder, i128>,
}

/// Credits of one income of a block.
#[derive(Debug, Default)]
struct Credits {
    revision: u32,
    /// Pending just now.
    open: Option<u128>,
    posted: Option<u128>,
}

/// A block while its transactions come.
#[derive(Debug)]
pub(super) struct BlockMoney {
    block: BookBlock,
    own: Credits,
    merged: Credits,
}

impl BlockMoney {
    pub(super) fn new(block: BookBlock) -> Self {
        Self { block, own: Credits::default(), merged: Credits::default() }
    }

    pub(super) fn hash(&self) -> BlockHash {
        self.block.row.hash
    }

    /// A credit begins or ends: its lines are what the block's split makes of its amount.
    fn credit(&mut self, transaction: &BookTransaction, findings: &mut Findings) {
        let subject = format!("transaction {} ({})", transaction.id, transaction.reference);
        let mut parts = transaction.reference.split(':');
        let (income, hash, revision, step) = (parts.next(), parts.next(), parts.next(), parts.next());
        let revision: Option<u32> = revision.and_then(|revision| revision.parse().ok());
        let (credits, source) = match income {
            Some("block") => (&mut self.own, "chain_income"),
            Some("red_merge") => (&mut self.merged, "red_merge_income"),
            _ => return findings.differs("posting", subject, "its reference names no credit"),
        };
        let hash_text = self.block.row.hash.to_string();
        let (Some(revision), Some(step)) = (revision, step) else {
            return findings.differs("posting", subject, "its reference names no revision");
        };
        if hash != Some(hash_text.as_str()) {
            return findings.differs(
                "posting",
                subject,
                format!("its reference names another block than {hash_text}"),
            );
        }
        let amount = match (step, transaction.kind.as_str()) {
            ("pending", "credit_pending") => {
                if revision != credits.revision + 1 || credits.open.is_some() || credits.posted.is_some() {
                    let what = format!(
                        "revision {revision} follows {}, which has not ended or is posted",
                        credits.revision
                    );
                    return findings.differs("posting", subject, what);
                }
                let given = sum_of(transaction, "chain_pending");
                let Ok(amount) = u128::try_from(-given) else {
                    return findings.differs("posting", subject, format!("it credits {}", -given));
                };
                (credits.revision, credits.open) = (revision, Some(amount));
                amount
            }
            ("end", "credit_posted" | "credit_voided") => {
                let open = credits.open.take().filter(|_| revision == credits.revision);
                let Some(amount) = open else {
                    return findings.differs(
                        "posting",
                        subject,
                        "there is no pending credit that it could end",
                    );
                };
                if transaction.kind == "credit_posted" {
                    credits.posted = Some(amount);
                }
                amount
            }
            _ => {
                return findings.differs(
                    "posting",
                    subject,
                    format!("a {} can't have this reference", transaction.kind),
                );
            }
        };
        let Some(split) = &self.block.split else {
            return findings.differs("posting", subject, "its block has no split");
        };
        let Some((fee, parts)) = division::parts(amount, split.fee.0, &split.weights) else {
            return findings.differs("posting", subject, "nobody has any work in its block's split");
        };
        let expected = lines(&transaction.kind, source, amount, fee, &parts);
        compare(transaction, &expected, &subject, findings);
    }

    /// The block's rows and credits must say the same of its life.
    pub(super) fn close(self, findings: &mut Findings) {
        let Self { block, own, merged } = self;
        let subject = format!("block {}", block.row.hash);
        let (life, income) = (&block.row.life, &block.row.income);
        findings.same("block", &subject, "its status", &block.status, &life.stage().to_string());
        findings.same("block", &subject, "its colour", &block.color, &life.color().to_string());
        for (name, column, life) in [("reward", block.reward, life), ("income", block.income, income)] {
            if column != life.reward() {
                let what = format!("its {name} is {column:?}, its life says {:?}", life.reward());
                findings.differs("block", &subject, what);
            }
        }
        let stage = life.stage().as_str();
        for (name, credits, life) in [("reward", &own, life), ("red merge income", &merged, income)] {
            let what = credit_fault(stage, credits, life);
            if let Some(what) = what {
                findings.differs("posting", &subject, format!("{name}: {what}"));
            }
        }
    }
}

/// What is wrong with a block's credits at this stage, if anything.
fn credit_fault(stage: &str, credits: &Credits, life: &BlockLife) -> Option<String> {
    let amount = |amount: Option<Amount>| {
        amount.and_then(|amount| u128::try_from(amount.0).ok()).filter(|amount| *amount > 0)
    };
    let (open, posted) = match stage {
        "accepted" | "matured" => (amount(life.credited().map(|(_, reward)| reward)), None),
        "paid" => (None, amount(life.reward())),
        _ => (None, None),
    };
    let say = |amount: Option<u128>| amount.map_or_else(|| "nothing".to_owned(), |amount| amount.to_string());
    if credits.open != open {
        return Some(format!(
            "{} is pending, must be {} for a block that is {stage}",
            say(credits.open),
            say(open)
        ));
    }
    if credits.posted != posted {
        return Some(format!(
            "{} is posted, must be {} for a block that is {stage}",
            say(credits.posted),
            say(posted)
        ));
    }
    None
}

fn sum_of(transaction: &BookTransaction, kind: &str) -> i128 {
    let lines = transaction.lines.iter().filter(|(of, ..)| of == kind);
    lines.fold(0, |sum: i128, (.., amount)| sum.saturating_add(amount.0))
}

/// The lines that a credit's transaction must have.
fn lines(
    kind: &str,
    source: &str,
    amount: u128,
    fee: u128,
    parts: &BTreeMap<Account, u128>,
) -> BTreeMap<Holder, i128> {
    let mut lines = BTreeMap::new();
    let mut add = |kind: &str, owner: Option<&Account>, amount: i128| {
        if amount != 0 {
            lines.insert((kind.to_owned(), owner.cloned()), amount);
        }
    };
    // Amounts come from 127 bits.
    let signed = |amount: u128| i128::try_from(amount).unwrap_or(i128::MAX);
    let mut side = |sign: i128, miner: &str, pool: &str, chain: &str| {
        for (account, part) in parts {
            add(miner, Some(account), sign * signed(*part));
        }
        add(pool, None, sign * signed(fee));
        add(chain, None, -sign * signed(amount));
    };
    match kind {
        "credit_pending" => side(1, "miner_pending", "fee_pending", "chain_pending"),
        "credit_posted" => {
            side(-1, "miner_pending", "fee_pending", "chain_pending");
            side(1, "miner_confirmed", "fee_confirmed", source);
        }
        _ => side(-1, "miner_pending", "fee_pending", "chain_pending"),
    }
    lines
}

fn compare(
    transaction: &BookTransaction,
    expected: &BTreeMap<Holder, i128>,
    subject: &str,
    findings: &mut Findings,
) {
    let stored = summed(transaction);
    if stored == *expected {
        return;
    }
    let holders = stored.keys().chain(expected.keys());
    let Some(other) = holders.filter(|holder| stored.get(*holder) != expected.get(*holder)).min() else {
        return;
    };
    let say = |amount: Option<&i128>| amount.map_or_else(|| "nothing".to_owned(), ToString::to_string);
    let what = format!(
        "{} gets {}, by the block's split it must be {}",
        shown(other),
        say(stored.get(other)),
        say(expected.get(other))
    );
    findings.differs("posting", subject, what);
}

fn summed(transaction: &BookTransaction) -> BTreeMap<Holder, i128> {
    let mut sums = BTreeMap::new();
    for (kind, owner, amount) in &transaction.lines {
        let sum: &mut i128 = sums.entry((kind.clone(), owner.clone())).or_default();
        *sum = sum.saturating_add(amount.0);
    }
    sums
}

impl Money {
    /// Takes a movement of money; `block` is the one that it is about.
    pub(super) fn transaction(
        &mut self,
        transaction: &BookTransaction,
        block: Option<&mut BlockMoney>,
        findings: &mut Findings,
    ) {
        findings.checked.transactions += 1;
        findings.checked.entries += transaction.lines.len() as u64;
        let subject = format!("transaction {} ({})", transaction.id, transaction.reference);
        let mut sum = Some(0_i128);
        for (kind, owner, amount) in &transaction.lines {
            sum = sum.and_then(|sum| sum.checked_add(amount.0));
            let balance = self.sums.entry((kind.clone(), owner.clone())).or_default();
            *balance = balance.saturating_add(amount.0);
        }
        if sum != Some(0) || transaction.lines.len() < 2 {
            let what = format!("its {} lines sum to {sum:?}, not to zero", transaction.lines.len());
            findings.differs("posting", &subject, what);
        }
        match (block, transaction.kind.as_str()) {
            (Some(block), "credit_pending" | "credit_posted" | "credit_voided") => {
                block.credit(transaction, findings);
            }
            (None, kind) if kind.starts_with("credit_") => {
                findings.differs("posting", subject, "the block that it is about does not exist");
            }
            (_, kind) if kind.starts_with("payout_") => self.payout(transaction, &subject, findings),
            (_, "adjustment") => self.adjustment(transaction),
            (_, kind) => findings.differs("posting", subject, format!("a {kind} is no cause that is known")),
        }
    }

    /// What was set aside for a payout is sent or given back, and no more than that.
    fn payout(&mut self, transaction: &BookTransaction, subject: &str, findings: &mut Findings) {
        let id = transaction.reference.split(':').nth(1).unwrap_or_default().to_owned();
        let reserved = self.reserved.entry(id).or_default();
        for (kind, owner, amount) in &transaction.lines {
            if let (true, Some(owner)) = (kind == "miner_reserved", owner) {
                let left = reserved.entry(owner.clone()).or_default();
                *left = left.saturating_add(amount.0);
                if *left < 0 {
                    let what = format!("{owner} is sent or given back {} more than was set aside", -*left);
                    findings.differs("posting", subject, what);
                }
            }
        }
    }

    fn adjustment(&mut self, transaction: &BookTransaction) {
        let taken = transaction.lines.iter().filter(|(.., amount)| amount.0 < 0);
        self.taken_from.extend(taken.filter_map(|(_, owner, _)| owner.clone()));
    }

    pub(super) fn balance(
        &mut self,
        kind: String,
        owner: Option<Account>,
        amount: Amount,
        findings: &mut Findings,
    ) {
        findings.checked.balances += 1;
        self.cached.insert((kind, owner), amount.0);
    }

    /// Cached balances against the sums, and what no account may have.
    pub(super) fn finish(&self, findings: &mut Findings) {
        let holders: std::collections::BTreeSet<_> = self.sums.keys().chain(self.cached.keys()).collect();
        for holder in holders {
            let sum = self.sums.get(holder).copied().unwrap_or_default();
            let cached = self.cached.get(holder).copied().unwrap_or_default();
            findings.same("balance", &shown(holder), "the balance", &cached, &sum);
            let (kind, owner) = holder;
            let overdrawn = owner
                .as_ref()
                .is_some_and(|owner| kind != "miner_confirmed" || !self.taken_from.contains(owner));
            if sum < 0 && overdrawn {
                findings.differs("balance", shown(holder), format!("it is {sum}, below zero"));
            }
        }
        for (id, accounts) in &self.reserved {
            if accounts.values().any(|left| *left > 0) && accounts.values().any(|left| *left < 0) {
                findings.differs(
                    "balance",
                    format!("payout {id}"),
                    "what was set aside for one went to another",
                );
            }
        }
    }
}
