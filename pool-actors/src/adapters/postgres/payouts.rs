//! Payouts: the port, over one connection that writes and the pool's readers.
//!
//! The connection that writes also holds the lock of the only dispatcher. When it is lost, the next call takes the lock
//! again; whether somebody else was dispatcher in between is told by the token, which each transaction compares.

use std::sync::Arc;

use async_trait::async_trait;
use pool_domain::{
    ids::{Account, PayoutId},
    payout::{PayoutEvent, PayoutState},
    payout_plan::Candidate,
    units::{Amount, TimeMs},
};
use tokio_postgres::Row;

use super::{
    PostgresStore,
    codec::{Numeric, Stamp},
    read::{Question, address, amount, column, corrupt, count, limit, signed, text, time},
    session::Session,
    statements as sql,
    write::payouts::{Change, Done},
};
use crate::ports::{
    payouts::{
        AccountTerms, Ending, PayoutAudit, PayoutQuery, PayoutRow, PayoutStep, PayoutStore, Reserved, Scope,
        Token,
    },
    store::StoreError,
    wallet::{Signed, Spend},
};

impl PostgresStore {
    async fn on_desk(&self, at: TimeMs, token: Option<Token>, change: Change) -> Result<Done, StoreError> {
        let inner = Arc::clone(&self.inner);
        self.on_thread(async move { inner.desk.lock().await.change(at, token, &change).await }).await
    }

    /// Reads what the dispatcher decides by: never from a replica, which may lag.
    async fn read_newest<Q: Question>(&self, question: Q) -> Result<Q::Answer, StoreError> {
        self.read_for_ledger(question).await
    }
}

#[async_trait]
impl PayoutStore for PostgresStore {
    async fn take_payouts(&self, at: TimeMs) -> Result<Token, StoreError> {
        let inner = Arc::clone(&self.inner);
        self.on_thread(async move { inner.desk.lock().await.take(at).await }).await
    }

    async fn candidates(&self, threshold: Amount) -> Result<Vec<Candidate>, StoreError> {
        self.read_newest(Candidates(threshold)).await
    }

    async fn reserved(&self, from: TimeMs, first: Option<PayoutId>) -> Result<Vec<Reserved>, StoreError> {
        self.read_newest(ReservedSince(from, first)).await
    }

    async fn held(&self) -> Result<Option<String>, StoreError> {
        self.read_newest(Held).await
    }

    async fn open_payouts(&self) -> Result<Vec<PayoutRow>, StoreError> {
        self.read_newest(Open).await
    }

    async fn reserve(
        &self,
        token: Token,
        at: TimeMs,
        payouts: Vec<Vec<(Account, Amount)>>,
    ) -> Result<Vec<PayoutId>, StoreError> {
        match self.on_desk(at, Some(token), Change::Reserve(payouts)).await? {
            Done::Reserved(ids) => Ok(ids),
            Done::Changed => Err(corrupt("a reservation has no numbers")),
        }
    }

    async fn record_signed(
        &self,
        token: Token,
        at: TimeMs,
        id: PayoutId,
        signed: Signed,
    ) -> Result<(), StoreError> {
        self.on_desk(at, Some(token), Change::Signed(id, signed)).await.map(drop)
    }

    async fn record_step(
        &self,
        token: Token,
        at: TimeMs,
        id: PayoutId,
        event: PayoutEvent,
        detail: String,
    ) -> Result<(), StoreError> {
        self.on_desk(at, Some(token), Change::Step(id, event, detail)).await.map(drop)
    }

    async fn end(&self, token: Token, at: TimeMs, id: PayoutId, ending: Ending) -> Result<(), StoreError> {
        self.on_desk(at, Some(token), Change::End(id, ending)).await.map(drop)
    }

    async fn set_aside(
        &self,
        token: Token,
        at: TimeMs,
        account: Account,
        reason: String,
    ) -> Result<(), StoreError> {
        self.on_desk(at, Some(token), Change::SetAside(account, reason)).await.map(drop)
    }

    async fn hold(
        &self,
        at: TimeMs,
        scope: Scope,
        reason: Option<String>,
        by: String,
    ) -> Result<(), StoreError> {
        self.on_desk(at, None, Change::Hold { scope, reason, by }).await.map(drop)
    }

    async fn set_threshold(
        &self,
        at: TimeMs,
        account: Account,
        threshold: Option<Amount>,
        by: String,
    ) -> Result<(), StoreError> {
        self.on_desk(at, None, Change::Threshold { account, threshold, by }).await.map(drop)
    }

    async fn terms(&self, account: Account) -> Result<AccountTerms, StoreError> {
        let found = self.read(Terms(Some(account))).await?;
        Ok(found.into_iter().next().map(|(_, terms)| terms).unwrap_or_default())
    }

    async fn all_terms(&self) -> Result<Vec<(Account, AccountTerms)>, StoreError> {
        self.read(Terms(None)).await
    }

    async fn payouts(&self, query: PayoutQuery) -> Result<Vec<PayoutRow>, StoreError> {
        self.read(Page(query)).await
    }

    async fn payout(&self, id: PayoutId) -> Result<Option<(PayoutRow, Vec<PayoutStep>)>, StoreError> {
        self.read(One(id)).await
    }

    async fn payout_audit(&self, before: Option<u64>, limit: usize) -> Result<Vec<PayoutAudit>, StoreError> {
        self.read(Audit { before, limit }).await
    }
}

fn optional_amount(row: &Row, index: usize) -> Result<Option<Amount>, StoreError> {
    column::<Option<Numeric>>(row, index)?.map(|stored| Amount::try_from(stored).map_err(corrupt)).transpose()
}

struct Candidates(Amount);

impl Question for Candidates {
    type Answer = Vec<Candidate>;

    async fn ask(&self, session: &Session) -> Result<Self::Answer, StoreError> {
        let found = session.query(sql::PAYOUT_CANDIDATES, &[&Numeric::from(self.0)]).await?;
        let candidate = |row: &Row| {
            Ok(Candidate {
                account: address(row, 0)?,
                confirmed: amount(row, 1)?,
                threshold: optional_amount(row, 2)?,
                last_payout_at: time(row, 3)?,
            })
        };
        found.iter().map(candidate).collect()
    }
}

struct ReservedSince(TimeMs, Option<PayoutId>);

impl Question for ReservedSince {
    type Answer = Vec<Reserved>;

    async fn ask(&self, session: &Session) -> Result<Self::Answer, StoreError> {
        let first = self.1.map(|id| signed(id.0)).transpose()?;
        let found = session.query(sql::PAYOUT_SPENT, &[&Stamp(self.0), &first]).await?;
        let row = |row: &Row| {
            Ok(Reserved { id: PayoutId(count(row, 0)?), created_at: time(row, 1)?, amount: amount(row, 2)? })
        };
        found.iter().map(row).collect()
    }
}

struct Held;

impl Question for Held {
    type Answer = Option<String>;

    async fn ask(&self, session: &Session) -> Result<Self::Answer, StoreError> {
        let found = session.query(sql::PAYOUT_CONTROL_GET, &[]).await?;
        column(found.first().ok_or_else(|| corrupt("payout_control has no row"))?, 1)
    }
}

struct Open;

impl Question for Open {
    type Answer = Vec<PayoutRow>;

    async fn ask(&self, session: &Session) -> Result<Self::Answer, StoreError> {
        let found = session.query(sql::PAYOUTS_OPEN, &[]).await?;
        payout_rows(session, &found).await
    }
}

struct Page(PayoutQuery);

impl Question for Page {
    type Answer = Vec<PayoutRow>;

    async fn ask(&self, session: &Session) -> Result<Self::Answer, StoreError> {
        let before = self.0.before.map_or(Ok(i64::MAX), signed)?;
        let state = self.0.state.map_or("", PayoutState::as_str);
        let account = self.0.account.as_ref().map_or("", Account::as_str);
        let found =
            session.query(sql::PAYOUTS_PAGE, &[&before, &state, &account, &limit(self.0.limit)]).await?;
        payout_rows(session, &found).await
    }
}

struct One(PayoutId);

impl Question for One {
    type Answer = Option<(PayoutRow, Vec<PayoutStep>)>;

    async fn ask(&self, session: &Session) -> Result<Self::Answer, StoreError> {
        let id = signed(self.0.0)?;
        let found = session.query(sql::PAYOUT_GET, &[&id]).await?;
        let Some(row) = payout_rows(session, &found).await?.pop() else { return Ok(None) };
        let steps = session.query(sql::PAYOUT_HISTORY, &[&id]).await?;
        let step = |row: &Row| {
            Ok(PayoutStep {
                at: time(row, 0)?,
                state: text(row, 1, PayoutState::named)?,
                detail: column(row, 2)?,
            })
        };
        Ok(Some((row, steps.iter().map(step).collect::<Result<_, StoreError>>()?)))
    }
}

struct Terms(Option<Account>);

impl Question for Terms {
    type Answer = Vec<(Account, AccountTerms)>;

    async fn ask(&self, session: &Session) -> Result<Self::Answer, StoreError> {
        let name = self.0.as_ref().map_or("", Account::as_str);
        let found = session.query(sql::PAYOUT_TERMS_GET, &[&name]).await?;
        let line = |row: &Row| {
            let terms = AccountTerms {
                threshold: optional_amount(row, 1)?,
                hold: column(row, 2)?,
                set_aside: column(row, 3)?,
            };
            Ok((address(row, 0)?, terms))
        };
        found.iter().map(line).collect()
    }
}

struct Audit {
    before: Option<u64>,
    limit: usize,
}

impl Question for Audit {
    type Answer = Vec<PayoutAudit>;

    async fn ask(&self, session: &Session) -> Result<Self::Answer, StoreError> {
        let before = self.before.map_or(Ok(i64::MAX), signed)?;
        let found = session.query(sql::PAYOUT_AUDIT, &[&before, &limit(self.limit)]).await?;
        let line = |row: &Row| {
            Ok(PayoutAudit {
                id: count(row, 0)?,
                at: time(row, 1)?,
                actor: column(row, 2)?,
                action: column(row, 3)?,
                subject: column(row, 4)?,
                detail: column(row, 5)?,
            })
        };
        found.iter().map(line).collect()
    }
}

/// One row of `payouts`, without recipients.
fn payout_row(row: &Row) -> Result<PayoutRow, StoreError> {
    let transaction = column::<Option<String>>(row, 7)?.map(|txid| {
        Ok::<_, StoreError>(Signed { bytes: column(row, 8)?, txid, spends: Vec::new(), fee: amount(row, 9)? })
    });
    Ok(PayoutRow {
        id: PayoutId(count(row, 0)?),
        state: text(row, 1, PayoutState::named)?,
        hold: column(row, 2)?,
        recipient_held: column(row, 10)?,
        items: Vec::new(),
        transaction: transaction.transpose()?,
        created_at: time(row, 4)?,
        updated_at: time(row, 5)?,
        ended_at: column::<Option<Stamp>>(row, 6)?.map(|stamp| stamp.0),
        reason: column(row, 3)?,
    })
}

/// Payouts with their recipients, and with what their transactions spend. `items` and `spends` are the answers to
/// `payout_items` and `payout_spends`.
pub(super) fn assemble(found: &[Row], items: &[Row], spends: &[Row]) -> Result<Vec<PayoutRow>, StoreError> {
    let mut payouts = found.iter().map(payout_row).collect::<Result<Vec<_>, _>>()?;
    for payout in &mut payouts {
        for row in items {
            if count(row, 0)? == payout.id.0 {
                payout.items.push((address(row, 1)?, amount(row, 2)?));
            }
        }
        let Some(transaction) = &mut payout.transaction else { continue };
        for row in spends {
            if count(row, 0)? == payout.id.0 {
                transaction.spends.push(text(row, 1, |spend| spend.parse::<Spend>().ok())?);
            }
        }
    }
    Ok(payouts)
}

/// Numbers of the payouts that a query found.
pub(super) fn numbers(found: &[Row]) -> Result<Vec<i64>, StoreError> {
    found.iter().map(|row| column(row, 0)).collect()
}

async fn payout_rows(session: &Session, found: &[Row]) -> Result<Vec<PayoutRow>, StoreError> {
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let ids = numbers(found)?;
    let items = session.query(sql::PAYOUT_ITEMS, &[&ids]).await?;
    let spends = session.query(sql::PAYOUT_SPENDS, &[&ids]).await?;
    assemble(found, &items, &spends)
}
