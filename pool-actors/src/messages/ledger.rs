//! What the ledger tells everybody, in a watch: the only source of money shown anywhere.

use pool_domain::{ids::ShareSeq, units::TimeMs};

use crate::ports::store::{Finding, Totals};

/// The ledger at a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LedgerSummary {
    /// The ledger has read its state and follows the journal.
    pub ready: bool,
    /// Records taken in.
    pub position: ShareSeq,
    /// Records that are durable in the journal.
    pub committed: ShareSeq,
    /// The journal must keep what comes after this record.
    pub journal_needed_after: ShareSeq,
    /// The store's last complaint while it is away; figures are stale then.
    pub store_error: Option<String>,
    /// Sums over the whole ledger.
    pub totals: Totals,
    /// Audits that found something; empty when all is well.
    pub findings: Vec<Finding>,
    /// When the sums were read.
    pub at: TimeMs,
}

impl LedgerSummary {
    /// Journalled records that the ledger has not taken in yet.
    #[must_use]
    pub fn lag(&self) -> u64 {
        self.committed.0.saturating_sub(self.position.0)
    }
}
