//! What a block paid, line by line, and the document that proves one line of it.
//!
//! A statement is a pure function of what is stored with the block: the window's (account, work) list, the fee, and the
//! two amounts that the chain gave. Anybody who has the numbers can compute it again.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use crate::ids::{Account, AlgorithmName, BlockHash};
use crate::proof::{self, WindowProof};
use crate::split::{Split, SplitError, split};
use crate::target::U256;
use crate::units::{Amount, BasisPoints, Work};

/// One account's line of a statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StatementLine {
    /// Place of its leaf in the tree, from 0.
    pub index: usize,
    /// Who is paid.
    pub account: Account,
    /// Its work inside the window.
    pub work: Work,
    /// Its part of the block's own reward; `None` until that is known.
    pub reward: Option<Amount>,
    /// Its part of the income for merged reds; `None` until that is known.
    pub red_merge_income: Option<Amount>,
}

/// A block's money, divided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Sum of the work of all lines.
    pub total_work: Work,
    /// The pool's fee on the reward.
    pub reward_fee: Option<Amount>,
    /// The pool's fee on the income for merged reds.
    pub red_merge_fee: Option<Amount>,
    /// Every account of the window, in the order of the tree.
    pub lines: Vec<StatementLine>,
}

/// Divides what the chain gave for a block by its window.
///
/// # Errors
/// [`SplitError`].
pub fn statement(
    weights: &[(Account, Work)],
    fee: BasisPoints,
    reward: Option<Amount>,
    red_merge_income: Option<Amount>,
) -> Result<Statement, SplitError> {
    let divide = |amount: Option<Amount>| amount.map(|amount| split(amount, fee, weights)).transpose();
    let (reward, income) = (divide(reward)?, divide(red_merge_income)?);
    let lines = weights.iter().enumerate().map(|(index, (account, work))| StatementLine {
        index,
        account: account.clone(),
        work: *work,
        reward: reward.as_ref().map(|parts| part_of(parts, account)),
        red_merge_income: income.as_ref().map(|parts| part_of(parts, account)),
    });
    Ok(Statement {
        total_work: weights.iter().map(|(_, work)| *work).sum(),
        reward_fee: reward.as_ref().map(|parts| parts.fee),
        red_merge_fee: income.as_ref().map(|parts| parts.fee),
        lines: lines.collect(),
    })
}

/// Parts come in the order of the weights, which is by account; zero parts are left out.
fn part_of(parts: &Split, account: &Account) -> Amount {
    let found = parts.parts.binary_search_by(|(name, _)| name.cmp(account));
    found.map_or(Amount::ZERO, |at| parts.parts[at].1)
}

/// Names the form of a [`ProofDocument`].
pub const PROOF_FORMAT: &str = "dagpool-proof-1";

/// What a miner keeps, and checks without asking anybody: its line of a block, the way to the root, and the figures that
/// its amounts follow from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofDocument {
    /// [`PROOF_FORMAT`].
    pub format: String,
    /// The block.
    pub block: BlockHash,
    /// Its proof-of-work function.
    pub algorithm: AlgorithmName,
    /// How shares became weights.
    pub scheme: String,
    /// Root over all lines, as stored with the block: 64 hexadecimal digits in the order they are hashed.
    pub root: BlockHash,
    /// Whose line it is.
    pub account: Account,
    /// Its work inside the window.
    pub work: Work,
    /// From the line to the root.
    pub proof: WindowProof,
    /// Work of all lines together.
    pub total_work: Work,
    /// The pool's fee.
    pub fee_basis_points: BasisPoints,
    /// The block's own reward, once known.
    pub reward: Option<Amount>,
    /// Income for merged reds, once known.
    pub red_merge_income: Option<Amount>,
    /// The account's part of the reward.
    pub reward_part: Option<Amount>,
    /// The account's part of the income for merged reds.
    pub red_merge_part: Option<Amount>,
}

/// Why a document proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// Another form.
    #[error("the format is \"{0}\", this program checks \"dagpool-proof-1\"")]
    Format(String),
    /// Line, branch and root do not fit together.
    #[error("the line of {0} is not below the root {1}")]
    NotInTree(Account, BlockHash),
    /// The document's root is not the one that was expected.
    #[error("the root is {got}, expected {expected}")]
    OtherRoot {
        /// In the document.
        got: BlockHash,
        /// Known from elsewhere.
        expected: BlockHash,
    },
    /// The sum of all work is less than this line's.
    #[error("the line's work {0} is more than all work {1}")]
    Work(Work, Work),
    /// An amount does not follow from the figures.
    #[error("{what} is {got}, by the figures it must be {least} or one unit more")]
    Amount {
        /// Which one.
        what: &'static str,
        /// In the document.
        got: Amount,
        /// Rounded down.
        least: Amount,
    },
    /// Figures that no block can have.
    #[error("{0} is out of range")]
    Range(&'static str),
}

impl ProofDocument {
    /// Checks it: the line is below the root (which is `expected`, if that is known from elsewhere), and the amounts are
    /// the line's share of what the chain gave.
    ///
    /// # Errors
    /// [`ProofError`].
    pub fn verify(&self, expected: Option<BlockHash>) -> Result<(), ProofError> {
        if self.format != PROOF_FORMAT {
            return Err(ProofError::Format(self.format.clone()));
        }
        if let Some(expected) = expected.filter(|expected| *expected != self.root) {
            return Err(ProofError::OtherRoot { got: self.root, expected });
        }
        if !proof::verify(&self.root.0, &self.account, self.work, &self.proof) {
            return Err(ProofError::NotInTree(self.account.clone(), self.root));
        }
        if self.work > self.total_work || self.total_work == Work::ZERO {
            return Err(ProofError::Work(self.work, self.total_work));
        }
        self.check_part("reward_part", self.reward, self.reward_part)?;
        self.check_part("red_merge_part", self.red_merge_income, self.red_merge_part)
    }

    /// Largest remainder gives each account its share rounded down, or one unit more.
    fn check_part(
        &self,
        what: &'static str,
        whole: Option<Amount>,
        part: Option<Amount>,
    ) -> Result<(), ProofError> {
        let (Some(whole), Some(part)) = (whole, part) else {
            return if whole.is_some() == part.is_some() { Ok(()) } else { Err(ProofError::Range(what)) };
        };
        let units = u128::try_from(whole.0).map_err(|_| ProofError::Range(what))?;
        if !self.fee_basis_points.is_fraction() {
            return Err(ProofError::Range("fee_basis_points"));
        }
        let fee = U256::from(units) * U256::from(self.fee_basis_points.0) / U256::from(BasisPoints::ALL.0);
        let rest = U256::from(units) - fee;
        let least: U256 = rest * U256::from(self.work.0) / U256::from(self.total_work.0);
        let least = i128::try_from(least.saturating_to::<u128>()).map_err(|_| ProofError::Range(what))?;
        if part.0 == least || part.0 == least + 1 {
            Ok(())
        } else {
            Err(ProofError::Amount { what, got: part, least: Amount(least) })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::format;

    use proptest::prelude::*;

    use super::*;
    use crate::proof::{prove, window_root};

    fn document(works: &[u64], at: usize, reward: i128, fee: u32) -> ProofDocument {
        let weights: Vec<_> = works
            .iter()
            .enumerate()
            .map(|(n, work)| (Account::new(&format!("account{n:03}")).unwrap(), Work(u128::from(*work))))
            .collect();
        let made = statement(&weights, BasisPoints(fee), Some(Amount(reward)), None).unwrap();
        let line = &made.lines[at];
        ProofDocument {
            format: PROOF_FORMAT.into(),
            block: BlockHash([7; 32]),
            algorithm: AlgorithmName::new("blake2s").unwrap(),
            scheme: "pplns".into(),
            root: BlockHash(window_root(&weights)),
            account: line.account.clone(),
            work: line.work,
            proof: prove(&weights, &line.account).unwrap(),
            total_work: made.total_work,
            fee_basis_points: BasisPoints(fee),
            reward: Some(Amount(reward)),
            red_merge_income: None,
            reward_part: line.reward,
            red_merge_part: None,
        }
    }

    #[test]
    fn a_changed_document_is_refused() {
        let good = document(&[3, 5, 9], 1, 1_000, 100);
        assert_eq!(good.verify(None), Ok(()));
        assert_eq!(good.verify(Some(good.root)), Ok(()));
        let other = BlockHash([1; 32]);
        assert!(matches!(good.verify(Some(other)), Err(ProofError::OtherRoot { .. })));
        let refused = |change: &dyn Fn(&mut ProofDocument)| {
            let mut bad = good.clone();
            change(&mut bad);
            bad.verify(None).unwrap_err()
        };
        assert!(matches!(refused(&|bad| bad.format = "x".into()), ProofError::Format(_)));
        assert!(matches!(refused(&|bad| bad.work.0 += 1), ProofError::NotInTree(..)));
        assert!(matches!(refused(&|bad| bad.root.0[0] ^= 1), ProofError::NotInTree(..)));
        assert!(matches!(refused(&|bad| bad.total_work = Work(4)), ProofError::Work(..)));
        assert!(matches!(refused(&|bad| bad.reward = Some(Amount(1_010))), ProofError::Amount { .. }));
        assert!(matches!(refused(&|bad| bad.reward_part = Some(Amount(290))), ProofError::Amount { .. }));
        assert!(matches!(refused(&|bad| bad.reward_part = None), ProofError::Range(_)));
        assert!(matches!(refused(&|bad| bad.reward = Some(Amount(-1))), ProofError::Range(_)));
        assert!(matches!(refused(&|bad| bad.fee_basis_points = BasisPoints(20_000)), ProofError::Range(_)));
        assert_eq!(
            serde_json::from_str::<ProofDocument>(&serde_json::to_string(&good).unwrap()).unwrap(),
            good
        );
    }

    proptest! {
        #[test]
        fn every_line_of_a_statement_is_provable(
            works in prop::collection::vec(1_u64.., 1..40),
            index in any::<prop::sample::Index>(),
            reward in 0_i128..=i128::MAX,
            fee in 0_u32..=10_000,
        ) {
            let made = document(&works, index.index(works.len()), reward, fee);
            prop_assert_eq!(made.verify(Some(made.root)), Ok(()));
        }

        #[test]
        fn lines_and_fee_are_the_reward(works in prop::collection::vec(1_u64.., 1..40), reward in 0_i128..=i128::MAX, fee in 0_u32..=10_000) {
            let weights: Vec<_> = works.iter().enumerate()
                .map(|(n, work)| (Account::new(&format!("account{n:03}")).unwrap(), Work(u128::from(*work)))).collect();
            let made = statement(&weights, BasisPoints(fee), Some(Amount(reward)), Some(Amount(7))).unwrap();
            let sum = Amount::checked_sum(made.lines.iter().filter_map(|line| line.reward).chain(made.reward_fee));
            prop_assert_eq!(sum, Some(Amount(reward)));
            let income = Amount::checked_sum(made.lines.iter().filter_map(|line| line.red_merge_income).chain(made.red_merge_fee));
            prop_assert_eq!(income, Some(Amount(7)));
        }
    }
}
