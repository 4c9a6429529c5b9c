//! The books against the chain itself: what colour and reward its node tells of each block, and what each payout's transaction
//! really pays. The journal knows neither.

use pool_domain::{ids::BlockHash, maturity::Color, payout::PayoutState, units::Amount};

use super::Findings;
use crate::ports::{books::BookBlock, node::BlockObservation, payouts::PayoutRow, wallet::Paid};

/// What the books say of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookedBlock {
    /// Which one.
    pub hash: BlockHash,
    status: String,
    reward: Option<Amount>,
    income: Option<Amount>,
}

impl BookedBlock {
    /// Of a block that the chain has a say in: one that was accepted, whatever became of it.
    #[must_use]
    pub fn of(block: &BookBlock) -> Option<Self> {
        let known = ["accepted", "matured", "paid", "void"].contains(&block.status.as_str());
        known.then(|| Self {
            hash: block.row.hash,
            status: block.status.clone(),
            reward: block.reward,
            income: block.income,
        })
    }

    /// Compares it with what the node says. `prunes`: a node of this chain forgets old blocks.
    pub(super) fn compare(&self, seen: &BlockObservation, prunes: bool, findings: &mut Findings) {
        findings.checked.chain_blocks += 1;
        let subject = format!("block {}", self.hash);
        let is_final = self.status == "paid" || self.status == "void";
        if !seen.known {
            if prunes {
                findings.unchecked("blocks on the chain", "the node no longer knows them: it has pruned");
            } else if self.status == "paid" {
                findings.differs("chain", subject, "it is paid, and the node does not know it");
            }
            return;
        }
        if !is_final || !seen.mature {
            // The chain goes on while the books are read, and what is not mature may turn.
            if self.status == "paid" {
                findings.differs("chain", subject, "it is paid, and the chain does not hold it for mature");
            } else {
                findings.unchecked("blocks on the chain", "they may still change their colour");
            }
            return;
        }
        let wanted = if self.status == "paid" { Color::Blue } else { Color::Red };
        if seen.color != wanted {
            let what = format!("it is {}, and {} on the chain", self.status, seen.color);
            findings.differs("chain", &subject, what);
            return;
        }
        if self.status == "paid" {
            if self.reward != seen.reward {
                findings.differs("chain", &subject, said("its reward", self.reward, seen.reward));
            }
            // Of a mature block, what is not told is nothing: it merged no reds.
            if self.income.unwrap_or_default() != seen.red_merge_income.unwrap_or_default() {
                let what = said("its income from merged reds", self.income, seen.red_merge_income);
                findings.differs("chain", &subject, what);
            }
        }
    }
}

/// What the books and the chain say of an amount. Not told is not zero, and a finding says which it is.
fn said(name: &str, booked: Option<Amount>, told: Option<Amount>) -> String {
    let words = |amount: Option<Amount>, none: &str| amount.map_or_else(|| none.into(), |it| it.to_string());
    format!(
        "{name} is {} in the books, and {} on the chain",
        words(booked, "unknown"),
        words(told, "not told")
    )
}

/// Compares a payout with its transaction; `paid` is what a block of the chain holds, if one does.
pub(super) fn payout(row: &PayoutRow, paid: Option<&Paid>, findings: &mut Findings) {
    findings.checked.chain_payouts += 1;
    let subject = format!("payout {}", row.id);
    match (row.state, paid) {
        (PayoutState::Settled, None) => {
            findings.differs(
                "chain",
                subject,
                "it is settled, and no block of the chain holds its transaction",
            );
        }
        (PayoutState::Settled, Some(paid)) => {
            for ((account, amount), given) in row.items.iter().zip(&paid.amounts) {
                let name = format!("what it pays to {account}");
                findings.same("chain", &subject, &name, amount, given);
            }
        }
        (PayoutState::Returned, Some(paid)) => {
            let what = format!("it was returned, and the chain holds its transaction, {} deep", paid.depth);
            findings.differs("chain", subject, what);
        }
        _ => {}
    }
}
