//! The connection that writes payouts, the lock of the only dispatcher, and each change as one transaction.

use std::sync::Arc;

use pool_domain::{
    ids::{Account, PayoutId},
    payout::{PayoutEvent, PayoutState},
    postings::Payout,
    units::{Amount, TimeMs},
};
use tokio::time::{Instant, sleep, timeout};

use super::{
    super::{
        payouts::{assemble, numbers},
        session::Gate,
    },
    Keys, LOCK_POLL, LOCK_WAIT, LedgerCommit, Numeric, Purpose, Session, Stamp, Step, StoreError, clean,
    column, corrupt, failure, signed, sql,
};
use crate::ports::{
    payouts::{Ending, PayoutRow, Scope, Token},
    store::Posting,
    wallet::Signed,
};

/// What is to be written.
#[derive(Debug)]
pub(in super::super) enum Change {
    Reserve(Vec<Vec<(Account, Amount)>>),
    Signed(PayoutId, Signed),
    Step(PayoutId, PayoutEvent, String),
    End(PayoutId, Ending),
    SetAside(Account, String),
    Hold { scope: Scope, reason: Option<String>, by: String },
    Threshold { account: Account, threshold: Option<Amount>, by: String },
}

/// What was written.
pub(in super::super) enum Done {
    Reserved(Vec<PayoutId>),
    Changed,
}

/// The connection that writes payouts.
pub(in super::super) struct Desk {
    gate: Arc<Gate>,
    session: Option<Session>,
    /// This process is the dispatcher, or was when its connection broke.
    dispatches: bool,
    /// The lock is held by this very connection.
    locked: bool,
    keys: Keys,
}

impl Desk {
    pub(in super::super) fn new(gate: Arc<Gate>) -> Self {
        Self { gate, session: None, dispatches: false, locked: false, keys: Keys::default() }
    }

    /// Becomes the only dispatcher.
    pub(in super::super) async fn take(&mut self, _at: TimeMs) -> Result<Token, StoreError> {
        self.dispatches = true;
        let taken = self
            .within(async |desk: &mut Self| {
                desk.ready().await?;
                let session = desk.session.as_ref().ok_or_else(|| corrupt("the connection is not open"))?;
                let taken = session.query(sql::PAYOUT_TOKEN_TAKE, &[]).await?;
                column::<i64>(taken.first().ok_or_else(|| corrupt("payout_control has no row"))?, 0)
            })
            .await;
        // Who is refused does not wait for the lock with what operators ask of it.
        self.dispatches = taken.is_ok();
        taken.map(i64::unsigned_abs)
    }

    pub(in super::super) async fn change(
        &mut self,
        at: TimeMs,
        token: Option<Token>,
        change: &Change,
    ) -> Result<Done, StoreError> {
        let done = self
            .within(async |desk: &mut Self| {
                desk.ready().await?;
                desk.apply(Stamp(at), token, change).await
            })
            .await;
        if done.is_err() {
            // Keys given in a transaction that was rolled back do not exist.
            self.keys = Keys::default();
        }
        done
    }

    /// Gives up on a server that does not answer, and on the connection with it.
    async fn within<R>(
        &mut self,
        work: impl AsyncFnOnce(&mut Self) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        let settings = &self.gate.settings;
        let bound = settings.statement_timeout * 2 + settings.connect_timeout * 2 + LOCK_WAIT;
        let described = format!("{settings} did not answer within {} ms", bound.as_millis());
        let done = timeout(bound, work(self)).await;
        let broken = match &done {
            Ok(Err(StoreError::Unavailable { what })) => what.contains("25006"),
            Ok(_) => false,
            Err(_) => true,
        };
        if broken {
            self.session = None;
        }
        done.unwrap_or(Err(StoreError::Unavailable { what: described }))
    }

    async fn ready(&mut self) -> Result<(), StoreError> {
        if !self.session.as_ref().is_some_and(Session::is_usable) {
            self.session = None;
            self.locked = false;
            self.keys = Keys::default();
            self.session = Some(self.gate.open(Purpose::Write).await?);
        }
        if self.dispatches && !self.locked {
            let session = self.session.as_ref().ok_or_else(|| corrupt("the connection is not open"))?;
            lock(session).await?;
            self.locked = true;
        }
        Ok(())
    }

    async fn apply(&mut self, at: Stamp, token: Option<Token>, change: &Change) -> Result<Done, StoreError> {
        let Some(session) = &mut self.session else { return Err(corrupt("the connection is not open")) };
        let statements = &session.statements;
        let tx = session.client.transaction().await.map_err(failure)?;
        let mut step = Step { tx: &tx, statements, keys: &mut self.keys, at };
        // Payouts change one after the other, whoever changes them.
        let control = step.query(sql::PAYOUT_CONTROL_LOCK, &[]).await?;
        let newest: i64 = column(control.first().ok_or_else(|| corrupt("payout_control has no row"))?, 0)?;
        if token.is_some_and(|token| token != newest.unsigned_abs()) {
            return Err(taken_over());
        }
        let done = step.payout_change(change).await?;
        tx.commit().await.map_err(failure)?;
        Ok(done)
    }
}

fn taken_over() -> StoreError {
    StoreError::InUse { node: "payout dispatcher".into(), what: "has taken over".into() }
}

async fn lock(session: &Session) -> Result<(), StoreError> {
    let deadline = Instant::now() + LOCK_WAIT;
    loop {
        let tried = session.query(sql::PAYOUT_LOCK, &[]).await?;
        if column(tried.first().ok_or_else(|| corrupt("no answer to a lock"))?, 0)? {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(StoreError::InUse { node: "payout dispatcher".into(), what: "pays".into() });
        }
        sleep(LOCK_POLL).await;
    }
}

impl Step<'_> {
    async fn payout_change(&mut self, change: &Change) -> Result<Done, StoreError> {
        match change {
            Change::Reserve(payouts) => return self.reserve(payouts).await.map(Done::Reserved),
            Change::Signed(id, signed) => self.put_signed(*id, signed).await?,
            Change::Step(id, event, detail) => {
                let before = self.payout(*id).await?;
                self.advance(&before, *event, detail, None).await?;
            }
            Change::End(id, ending) => self.end_payout(*id, ending).await?,
            Change::SetAside(account, reason) => {
                let id = self.known_account(account).await?;
                self.run(sql::PAYOUT_SET_ASIDE, &[&id, &clean(reason)]).await?;
                self.audit("pool", "set_aside", &Scope::Account(account.clone()), reason).await?;
            }
            Change::Hold { scope, reason, by } => self.put_hold(scope, reason.as_deref(), by).await?,
            Change::Threshold { account, threshold, by } => {
                let id = self.known_account(account).await?;
                self.run(sql::PAYOUT_THRESHOLD_SET, &[&id, &threshold.map(Numeric::from)]).await?;
                let value = threshold.map_or_else(|| "the pool's".to_owned(), |amount| amount.to_string());
                self.audit(by, "threshold", &Scope::Account(account.clone()), &value).await?;
            }
        }
        Ok(Done::Changed)
    }

    async fn reserve(&mut self, payouts: &[Vec<(Account, Amount)>]) -> Result<Vec<PayoutId>, StoreError> {
        let next = self.query(sql::PAYOUT_NEXT_ID, &[]).await?;
        let next: i64 = column(next.first().ok_or_else(|| corrupt("no next payout"))?, 0)?;
        let (mut ids, mut postings) = (Vec::new(), Vec::new());
        for (number, amounts) in (next..).zip(payouts) {
            let id = PayoutId(number.unsigned_abs());
            let transaction = Payout { id, amounts: amounts.clone() }.reserve();
            let transaction = transaction.map_err(|error| corrupt(error.to_string()))?;
            postings.push(Posting { transaction, block: None, at: self.at.0 });
            ids.push(id);
        }
        let numbers: Vec<i64> = (next..).take(ids.len()).collect();
        self.run(sql::PAYOUTS_ADD, &[&numbers, &self.at]).await?;
        let commit = LedgerCommit { postings, ..LedgerCommit::default() };
        self.find_keys(&commit).await?;
        let (mut of, mut lines, mut accounts, mut amounts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (number, recipients) in (next..).zip(payouts) {
            for (line, (account, amount)) in (0_i32..).zip(recipients) {
                of.push(number);
                lines.push(line);
                accounts.push(self.account(account)?);
                amounts.push(Numeric::from(*amount));
            }
        }
        self.run(sql::PAYOUT_ITEMS_ADD, &[&of, &lines, &accounts, &amounts]).await?;
        self.run(
            sql::PAYOUT_HISTORY_ADD,
            &[&numbers, &self.at, &PayoutState::Reserved.as_str(), &"reserved"],
        )
        .await?;
        self.post(&commit.postings).await?;
        let overdrawn = self.query(sql::PAYOUT_OVERDRAWN, &[&accounts]).await?;
        if let Some(row) = overdrawn.first() {
            let (address, kind): (String, String) = (column(row, 0)?, column(row, 1)?);
            return Err(StoreError::Stale {
                what: format!("{kind} of {address} is less than what was to be reserved"),
            });
        }
        Ok(ids)
    }

    async fn put_signed(&mut self, id: PayoutId, transaction: &Signed) -> Result<(), StoreError> {
        let before = self.payout(id).await?;
        if let Some(known) = &before.transaction {
            // Its answer got lost: the same bytes are no news, others must never be.
            return if known.bytes == transaction.bytes {
                Ok(())
            } else {
                Err(corrupt(format!("payout {id} has other bytes already")))
            };
        }
        let (number, fee) = (signed(id.0)?, Numeric::from(transaction.fee));
        self.run(
            sql::PAYOUT_TRANSACTION_ADD,
            &[&number, &transaction.txid, &transaction.bytes, &fee, &self.at],
        )
        .await?;
        let spends: Vec<String> = transaction.spends.iter().map(ToString::to_string).collect();
        self.run(sql::PAYOUT_SPENDS_ADD, &[&number, &spends]).await?;
        self.advance(&before, PayoutEvent::Signed, &format!("transaction {}", transaction.txid), None).await
    }

    async fn end_payout(&mut self, id: PayoutId, ending: &Ending) -> Result<(), StoreError> {
        let before = self.payout(id).await?;
        if before.state.after(ending.event()) == Ok(before.state) {
            return Ok(());
        }
        let payout = Payout { id, amounts: before.items.clone() };
        let transaction = match ending {
            Ending::Settled { fee } => payout.settle(*fee),
            Ending::Withdrawn(_) | Ending::Impossible(_) => payout.give_back(),
        };
        let transaction = transaction.map_err(|error| corrupt(error.to_string()))?;
        let reason = if matches!(ending, Ending::Settled { .. }) { None } else { Some(ending.detail()) };
        self.advance(&before, ending.event(), ending.detail(), reason).await?;
        if reason.is_some() {
            self.run(sql::PAYOUT_SPENDS_FREE, &[&signed(id.0)?]).await?;
        }
        let postings = vec![Posting { transaction, block: None, at: self.at.0 }];
        let commit = LedgerCommit { postings, ..LedgerCommit::default() };
        self.find_keys(&commit).await?;
        self.post(&commit.postings).await
    }

    /// Takes the step that `event` is, if it can be taken, and writes it down.
    async fn advance(
        &self,
        before: &PayoutRow,
        event: PayoutEvent,
        detail: &str,
        reason: Option<&str>,
    ) -> Result<(), StoreError> {
        let after =
            before.state.after(event).map_err(|error| corrupt(format!("payout {}: {error}", before.id)))?;
        let id = signed(before.id.0)?;
        let reason = reason.map(clean);
        self.run(sql::PAYOUT_STATE_SET, &[&id, &after.as_str(), &reason, &self.at, &after.is_final()])
            .await?;
        self.run(sql::PAYOUT_HISTORY_ADD, &[&vec![id], &self.at, &after.as_str(), &clean(detail)]).await
    }

    async fn put_hold(&self, scope: &Scope, reason: Option<&str>, by: &str) -> Result<(), StoreError> {
        let words = reason.map(clean);
        match scope {
            Scope::All => self.run(sql::PAYOUT_HOLD_ALL, &[&words]).await?,
            Scope::Payout(id) => {
                let payout = self.payout(*id).await?;
                if reason.is_some() && payout.state.is_final() {
                    return Err(StoreError::Ended { what: format!("payout {id}") });
                }
                self.run(sql::PAYOUT_HOLD_ONE, &[&signed(id.0)?, &words]).await?;
            }
            Scope::Account(account) => {
                let id = self.known_account(account).await?;
                self.run(sql::PAYOUT_HOLD_ACCOUNT, &[&id, &words]).await?;
            }
        }
        let action = if reason.is_some() { "hold" } else { "release" };
        self.audit(by, action, scope, reason.unwrap_or_default()).await
    }

    async fn audit(&self, by: &str, action: &str, subject: &Scope, detail: &str) -> Result<(), StoreError> {
        let subject = subject.to_string();
        self.run(sql::PAYOUT_AUDIT_ADD, &[&self.at, &clean(by), &action, &subject, &clean(detail)]).await
    }

    async fn payout(&self, id: PayoutId) -> Result<PayoutRow, StoreError> {
        let found = self.query(sql::PAYOUT_GET, &[&signed(id.0)?]).await?;
        let ids = numbers(&found)?;
        let items = self.query(sql::PAYOUT_ITEMS, &[&ids]).await?;
        let spends = self.query(sql::PAYOUT_SPENDS, &[&ids]).await?;
        let mut rows = assemble(&found, &items, &spends)?;
        rows.pop().ok_or_else(|| StoreError::NotFound { what: format!("payout {id}") })
    }

    async fn known_account(&self, account: &Account) -> Result<i64, StoreError> {
        let found = self.query(sql::ACCOUNT_IDS, &[&[account.as_str()].as_slice()]).await?;
        let row = found.first().ok_or_else(|| StoreError::NotFound { what: format!("account {account}") })?;
        column(row, 0)
    }
}
