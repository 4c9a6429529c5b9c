//! A correction by an operator, as one transaction.

use pool_domain::units::{Amount, TimeMs};
use rusqlite::{Row, TransactionBehavior, named_params};

use super::{Limbs, Step, Writer, corrupt, key, read, signed, sql, unavailable};
use crate::ports::{
    books::{Adjusted, Adjustment, AdjustmentRow},
    store::StoreError,
};

impl Writer {
    pub(in super::super) fn adjust(
        &mut self,
        at: TimeMs,
        adjustment: Adjustment,
    ) -> Result<Adjusted, StoreError> {
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(unavailable)?;
        let reference = adjustment.reference.as_str();
        let known = read::rows(&tx, sql::ADJUSTMENT_GET, named_params! { ":reference": reference }, row)?;
        if let Some(known) = known.into_iter().next() {
            return Ok(adjustment.met(known));
        }
        let address = adjustment.account.as_str();
        let Some(account_id) = key(&tx, sql::ACCOUNT_ID, named_params! { ":address": address })? else {
            return Ok(Adjusted::UnknownAccount);
        };
        let of_it = named_params! { ":account_id": account_id, ":kind": "miner_confirmed" };
        let confirmed = read::rows(&tx, sql::BALANCE_GET, of_it, |row| read::amount(row, 0))?;
        let confirmed = confirmed.first().copied().unwrap_or(Amount::ZERO);
        if !adjustment.is_covered(confirmed) {
            return Ok(Adjusted::Overdrawn { confirmed });
        }
        let limbs = Limbs::from(adjustment.amount);
        let id = key(
            &tx,
            sql::ADJUSTMENT_ADD,
            named_params! {
                ":reference": reference, ":account_id": account_id,
                ":amount_hi": limbs.hi, ":amount_mid": limbs.mid, ":amount_lo": limbs.lo,
                ":author": adjustment.author, ":reason": adjustment.reason, ":below_zero": adjustment.below_zero,
                ":at": signed(at.0)?,
            },
        )?
        .ok_or_else(|| corrupt("a correction has no number"))?;
        let id = id.unsigned_abs();
        let posting = adjustment.posting(id, at)?;
        Step { tx: &tx, keys: &mut self.keys, at }.post(&[posting])?;
        tx.commit().map_err(unavailable)?;
        Ok(Adjusted::Made(AdjustmentRow { id, adjustment, at }))
    }
}

/// A row of `adjustments`.
pub(in super::super) fn row(row: &Row<'_>) -> Result<AdjustmentRow, StoreError> {
    Ok(AdjustmentRow {
        id: read::count(row, 0)?,
        adjustment: Adjustment {
            reference: read::column(row, 1)?,
            account: read::text(row, 2, |name| pool_domain::ids::Account::new(name).ok())?,
            amount: read::amount(row, 3)?,
            author: read::column(row, 6)?,
            reason: read::column(row, 7)?,
            below_zero: read::column(row, 8)?,
        },
        at: TimeMs(read::count(row, 9)?),
    })
}
