//! The audit's questions to the chain: blocks and payouts of the books, as the node that the configuration names knows them.

use std::sync::Arc;

use pool_domain::ids::Account;

use super::{books::OpenBooks, chain};
use crate::{
    adapters::system_clock::SystemClock,
    audit::{Auditor, BookedBlock},
    config::{Config, Profile},
    error::{Code, Failure},
    ports::{
        clock::SharedClock,
        node::SharedNode,
        payouts::{PayoutQuery, PayoutRow},
        wallet::SharedWallet,
    },
};

/// Blocks that are asked about at once.
const BLOCKS: usize = 200;
/// Payouts that are read at a time.
const PAGE: usize = 500;

/// The chain that the books are about.
pub struct Chain {
    node: SharedNode,
    /// Where the chain's payments can be read.
    wallet: Option<SharedWallet>,
    /// Its nodes forget old blocks.
    prunes: bool,
}

impl Chain {
    /// The chain of this configuration; nothing is connected yet.
    ///
    /// # Errors
    /// [`Code::NodeUnusable`], [`Code::ConfigInvalid`].
    pub fn of(config: &Config) -> Result<Self, Failure> {
        let clock: SharedClock = Arc::new(SystemClock);
        Ok(Self {
            node: chain::node(config, &clock)?,
            wallet: chain::reading_wallet(config)?,
            prunes: config.chain.profile == Profile::Kaspa,
        })
    }

    pub(super) async fn compare(
        &self,
        auditor: &mut Auditor,
        blocks: &[BookedBlock],
        open: &OpenBooks,
    ) -> Result<(), Failure> {
        for some in blocks.chunks(BLOCKS) {
            let hashes: Vec<_> = some.iter().map(|block| block.hash).collect();
            let seen = self.node.observe(&hashes).await.map_err(|error| unanswered(&error))?;
            for (block, seen) in some
                .iter()
                .filter_map(|block| Some((block, seen.iter().find(|seen| seen.hash == block.hash)?)))
            {
                auditor.chain_block(block, seen, self.prunes);
            }
        }
        let Some(wallet) = &self.wallet else { return Ok(()) };
        let mut before = None;
        loop {
            let query = PayoutQuery { before, limit: PAGE, ..PayoutQuery::default() };
            let page: Vec<PayoutRow> = open.payouts.payouts(query).await.map_err(|error| {
                Failure::new(
                    Code::StoreUnusable,
                    format!("{}: {error}", open.place),
                    "see whether the database is up",
                )
            })?;
            for row in page.iter().filter(|row| row.state.is_final()) {
                let Some(transaction) = &row.transaction else {
                    auditor.chain_payout(row, None);
                    continue;
                };
                let accounts: Vec<Account> = row.items.iter().map(|(account, _)| account.clone()).collect();
                let paid =
                    wallet.paid(&transaction.txid, &accounts).await.map_err(|error| unanswered(&error))?;
                auditor.chain_payout(row, paid.as_ref());
            }
            match page.last() {
                Some(last) if page.len() == PAGE => before = Some(last.id.0),
                _ => return Ok(()),
            }
        }
    }
}

fn unanswered(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(
        Code::NodeUnusable,
        format!("the chain can't be compared: {error}"),
        "start the node, or leave the chain out: --no-chain",
    )
}
