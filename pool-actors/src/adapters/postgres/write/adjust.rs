//! A correction by an operator, as one transaction. It needs no node's lock: it is its own, by the account's row.

use pool_domain::{
    ids::Account,
    units::{Amount, TimeMs},
};
use tokio_postgres::Row;

use super::{Keys, Numeric, Stamp, Step, Writer, clean, column, corrupt, failure, read, sql};
use crate::ports::{
    books::{Adjusted, Adjustment, AdjustmentRow},
    store::StoreError,
};

impl Writer {
    pub(in super::super) async fn adjust(
        &mut self,
        at: TimeMs,
        adjustment: Adjustment,
    ) -> Result<Adjusted, StoreError> {
        self.within(async |writer: &mut Self| {
            writer.connected().await?;
            writer.apply_adjustment(at, adjustment).await
        })
        .await
    }

    async fn apply_adjustment(&mut self, at: TimeMs, adjustment: Adjustment) -> Result<Adjusted, StoreError> {
        let Some(session) = &mut self.session else {
            return Err(corrupt("the writing connection is not open"));
        };
        let statements = &session.statements;
        let tx = session.client.transaction().await.map_err(failure)?;
        // Keys of its own: those of commits stay what they are should this be rolled back.
        let mut keys = Keys::default();
        let step = Step { tx: &tx, statements, keys: &mut keys, at: Stamp(at) };
        let address = adjustment.account.as_str();
        let found = step.query(sql::ACCOUNT_LOCK, &[&address]).await?;
        let reference = clean(&adjustment.reference).into_owned();
        let known = step.query(sql::ADJUSTMENT_GET, &[&reference]).await?;
        if let Some(known) = known.first() {
            return Ok(adjustment.met(row(known)?));
        }
        let Some(account_id) = found.first().map(|row| column::<i64>(row, 0)).transpose()? else {
            return Ok(Adjusted::UnknownAccount);
        };
        // Before the balance's own row, as everybody who changes balances.
        step.run(sql::BALANCES_LOCK, &[]).await?;
        let confirmed = step.query(sql::BALANCE_LOCK, &[&account_id]).await?;
        let confirmed =
            confirmed.first().map(|row| read::amount(row, 0)).transpose()?.unwrap_or(Amount::ZERO);
        if !adjustment.is_covered(confirmed) {
            return Ok(Adjusted::Overdrawn { confirmed });
        }
        let (author, reason) =
            (clean(&adjustment.author).into_owned(), clean(&adjustment.reason).into_owned());
        let amount = Numeric::from(adjustment.amount);
        let added = step
            .query(
                sql::ADJUSTMENT_ADD,
                &[&reference, &account_id, &amount, &author, &reason, &adjustment.below_zero, &Stamp(at)],
            )
            .await?;
        let id: i64 = column(added.first().ok_or_else(|| corrupt("a correction has no number"))?, 0)?;
        let id = id.unsigned_abs();
        let posting = adjustment.posting(id, at)?;
        step.keys.accounts.insert(adjustment.account.clone(), account_id);
        step.post(&[posting]).await?;
        tx.commit().await.map_err(failure)?;
        Ok(Adjusted::Made(AdjustmentRow { id, adjustment, at }))
    }
}

/// A row of `adjustments`.
pub(in super::super) fn row(row: &Row) -> Result<AdjustmentRow, StoreError> {
    Ok(AdjustmentRow {
        id: read::count(row, 0)?,
        adjustment: Adjustment {
            reference: column(row, 1)?,
            account: read::text(row, 2, |name| Account::new(name).ok())?,
            amount: read::amount(row, 3)?,
            author: column(row, 4)?,
            reason: column(row, 5)?,
            below_zero: column(row, 6)?,
        },
        at: read::time(row, 7)?,
    })
}
