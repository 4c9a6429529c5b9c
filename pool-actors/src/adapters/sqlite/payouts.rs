//! Payouts: each call one transaction of the database, under the newest dispatcher's token.

use async_trait::async_trait;
use pool_domain::{
    ids::{Account, PayoutId},
    payout::{PayoutEvent, PayoutState},
    payout_plan::Candidate,
    postings::Payout,
    units::{Amount, TimeMs},
};
use rusqlite::{Connection, Row, named_params};
use tokio::sync::oneshot;

use super::{
    Job, SqliteStore, ended,
    limbs::Limbs,
    read::{amount, column, corrupt, count, rows, signed, text},
    statements as sql,
    write::{Step, Writer, key, run},
};
use crate::ports::{
    payouts::{
        AccountTerms, Ending, PayoutAudit, PayoutQuery, PayoutRow, PayoutStep, PayoutStore, Reserved, Scope,
        Token,
    },
    store::{Posting, StoreError},
    wallet::{Signed, Spend},
};

impl SqliteStore {
    /// Runs `work` in a transaction on the thread that writes.
    pub(super) async fn write<R: Send + 'static>(
        &self,
        at: TimeMs,
        work: impl FnOnce(&mut Step<'_>) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job: Job<Writer> = Box::new(move |writer| {
            // Whoever asked may have gone.
            let _ = answer.send(writer.step(at, work));
        });
        self.writer.send(job).await.map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }
}

#[async_trait]
impl PayoutStore for SqliteStore {
    async fn take_payouts(&self, at: TimeMs) -> Result<Token, StoreError> {
        self.write(at, |step| {
            let token = key(step.tx, sql::PAYOUT_TOKEN_TAKE, &[])?;
            token.map(i64::unsigned_abs).ok_or_else(|| corrupt("payout_control has no row"))
        })
        .await
    }

    async fn candidates(&self, threshold: Amount) -> Result<Vec<Candidate>, StoreError> {
        let least = Limbs::from(threshold);
        let parameters = move |db: &Connection| {
            rows(
                db,
                sql::PAYOUT_CANDIDATES,
                named_params! { ":hi": least.hi, ":mid": least.mid, ":lo": least.lo },
                |row| {
                    Ok(Candidate {
                        account: account(row, 0)?,
                        confirmed: amount(row, 1)?,
                        threshold: optional_amount(row, 4)?,
                        last_payout_at: TimeMs(count(row, 7)?),
                    })
                },
            )
        };
        self.read_for_ledger(parameters).await
    }

    async fn reserved(&self, from: TimeMs, first: Option<PayoutId>) -> Result<Vec<Reserved>, StoreError> {
        self.read_for_ledger(move |db| {
            let first = first.map(|id| signed(id.0)).transpose()?;
            let named = named_params! { ":from": signed(from.0)?, ":first": first };
            rows(db, sql::PAYOUT_SPENT, named, |row| {
                let (id, created_at) = (PayoutId(count(row, 0)?), TimeMs(count(row, 1)?));
                Ok(Reserved { id, created_at, amount: amount(row, 2)? })
            })
        })
        .await
    }

    async fn held(&self) -> Result<Option<String>, StoreError> {
        self.read_for_ledger(|db| {
            let found = rows(db, sql::PAYOUT_CONTROL_GET, &[], |row| column::<Option<String>>(row, 1))?;
            Ok(found.into_iter().flatten().next())
        })
        .await
    }

    async fn open_payouts(&self) -> Result<Vec<PayoutRow>, StoreError> {
        self.read_for_ledger(|db| with_parts(db, rows(db, sql::PAYOUTS_OPEN, &[], payout)?)).await
    }

    async fn reserve(
        &self,
        token: Token,
        at: TimeMs,
        payouts: Vec<Vec<(Account, Amount)>>,
    ) -> Result<Vec<PayoutId>, StoreError> {
        self.write(at, move |step| reserve(step, token, payouts)).await
    }

    async fn record_signed(
        &self,
        token: Token,
        at: TimeMs,
        id: PayoutId,
        signed: Signed,
    ) -> Result<(), StoreError> {
        self.write(at, move |step| record_signed(step, token, id, &signed)).await
    }

    async fn record_step(
        &self,
        token: Token,
        at: TimeMs,
        id: PayoutId,
        event: PayoutEvent,
        detail: String,
    ) -> Result<(), StoreError> {
        self.write(at, move |step| {
            own(step, token)?;
            let before = stored(step, id)?;
            advance(step, &before, event, &detail, None)
        })
        .await
    }

    async fn end(&self, token: Token, at: TimeMs, id: PayoutId, ending: Ending) -> Result<(), StoreError> {
        self.write(at, move |step| end(step, token, id, &ending)).await
    }

    async fn set_aside(
        &self,
        token: Token,
        at: TimeMs,
        account: Account,
        reason: String,
    ) -> Result<(), StoreError> {
        self.write(at, move |step| {
            own(step, token)?;
            let account_id = known_account(step, &account)?;
            run(
                step.tx,
                sql::PAYOUT_SET_ASIDE,
                named_params! { ":account_id": account_id, ":reason": reason },
            )?;
            audit(step, "pool", "set_aside", &Scope::Account(account), &reason)
        })
        .await
    }

    async fn hold(
        &self,
        at: TimeMs,
        scope: Scope,
        reason: Option<String>,
        by: String,
    ) -> Result<(), StoreError> {
        self.write(at, move |step| {
            match &scope {
                Scope::All => run(step.tx, sql::PAYOUT_HOLD_ALL, named_params! { ":reason": reason })?,
                Scope::Payout(id) => {
                    if stored(step, *id)?.state.is_final() && reason.is_some() {
                        return Err(StoreError::Ended { what: format!("payout {id}") });
                    }
                    run(
                        step.tx,
                        sql::PAYOUT_HOLD_ONE,
                        named_params! { ":id": signed(id.0)?, ":reason": reason },
                    )?
                }
                Scope::Account(account) => {
                    let account_id = known_account(step, account)?;
                    run(
                        step.tx,
                        sql::PAYOUT_HOLD_ACCOUNT,
                        named_params! { ":account_id": account_id, ":reason": reason },
                    )?
                }
            };
            let action = if reason.is_some() { "hold" } else { "release" };
            audit(step, &by, action, &scope, reason.as_deref().unwrap_or_default())
        })
        .await
    }

    async fn set_threshold(
        &self,
        at: TimeMs,
        account: Account,
        threshold: Option<Amount>,
        by: String,
    ) -> Result<(), StoreError> {
        self.write(at, move |step| {
            let account_id = known_account(step, &account)?;
            let limbs = threshold.map(Limbs::from);
            run(
                step.tx,
                sql::PAYOUT_THRESHOLD_SET,
                named_params! {
                    ":account_id": account_id, ":hi": limbs.map(|limbs| limbs.hi),
                    ":mid": limbs.map(|limbs| limbs.mid), ":lo": limbs.map(|limbs| limbs.lo),
                },
            )?;
            let value = threshold.map_or_else(|| "the pool's".to_owned(), |amount| amount.to_string());
            audit(step, &by, "threshold", &Scope::Account(account), &value)
        })
        .await
    }

    async fn terms(&self, account: Account) -> Result<AccountTerms, StoreError> {
        let found = self.read(move |db| terms(db, account.as_str())).await?;
        Ok(found.into_iter().next().map(|(_, terms)| terms).unwrap_or_default())
    }

    async fn all_terms(&self) -> Result<Vec<(Account, AccountTerms)>, StoreError> {
        self.read(|db| terms(db, "")).await
    }

    async fn payouts(&self, query: PayoutQuery) -> Result<Vec<PayoutRow>, StoreError> {
        self.read(move |db| {
            let page = rows(
                db,
                sql::PAYOUTS_PAGE,
                named_params! {
                    ":before": query.before.map_or(Ok(i64::MAX), signed)?,
                    ":state": query.state.map_or("", PayoutState::as_str),
                    ":account": query.account.as_ref().map_or("", Account::as_str),
                    ":limit": i64::try_from(query.limit).unwrap_or(i64::MAX),
                },
                payout,
            )?;
            with_parts(db, page)
        })
        .await
    }

    async fn payout(&self, id: PayoutId) -> Result<Option<(PayoutRow, Vec<PayoutStep>)>, StoreError> {
        self.read(move |db| {
            let found =
                with_parts(db, rows(db, sql::PAYOUT_GET, named_params! { ":id": signed(id.0)? }, payout)?)?;
            let Some(row) = found.into_iter().next() else { return Ok(None) };
            let steps = rows(db, sql::PAYOUT_HISTORY, named_params! { ":id": signed(id.0)? }, |row| {
                Ok(PayoutStep {
                    at: TimeMs(count(row, 0)?),
                    state: text(row, 1, PayoutState::named)?,
                    detail: column(row, 2)?,
                })
            })?;
            Ok(Some((row, steps)))
        })
        .await
    }

    async fn payout_audit(&self, before: Option<u64>, limit: usize) -> Result<Vec<PayoutAudit>, StoreError> {
        let before = before.map_or(Ok(i64::MAX), signed)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(move |db| {
            rows(db, sql::PAYOUT_AUDIT, named_params! { ":before": before, ":limit": limit }, |row| {
                Ok(PayoutAudit {
                    id: count(row, 0)?,
                    at: TimeMs(count(row, 1)?),
                    actor: column(row, 2)?,
                    action: column(row, 3)?,
                    subject: column(row, 4)?,
                    detail: column(row, 5)?,
                })
            })
        })
        .await
    }
}

/// Refuses whoever is not the newest dispatcher.
fn own(step: &Step<'_>, token: Token) -> Result<(), StoreError> {
    let newest = key(step.tx, sql::PAYOUT_CONTROL_GET, &[])?;
    if newest == Some(signed(token)?) {
        return Ok(());
    }
    Err(StoreError::InUse { node: "payout dispatcher".into(), what: "has taken over".into() })
}

fn reserve(
    step: &mut Step<'_>,
    token: Token,
    payouts: Vec<Vec<(Account, Amount)>>,
) -> Result<Vec<PayoutId>, StoreError> {
    own(step, token)?;
    let next = key(step.tx, sql::PAYOUT_NEXT_ID, &[])?.ok_or_else(|| corrupt("no next payout"))?;
    let (mut ids, mut postings, mut touched) = (Vec::new(), Vec::new(), Vec::new());
    for (number, amounts) in (next..).zip(payouts) {
        let id = PayoutId(number.unsigned_abs());
        run(step.tx, sql::PAYOUT_ADD, named_params! { ":id": number, ":at": signed(step.at.0)? })?;
        for (line, (account, amount)) in (0_i64..).zip(&amounts) {
            let (account_id, limbs) = (step.account(account)?, Limbs::from(*amount));
            run(
                step.tx,
                sql::PAYOUT_ITEM_ADD,
                named_params! {
                    ":id": number, ":line": line, ":account_id": account_id,
                    ":hi": limbs.hi, ":mid": limbs.mid, ":lo": limbs.lo,
                },
            )?;
            touched.push(account_id);
        }
        history(step, number, PayoutState::Reserved, "reserved")?;
        let transaction = Payout { id, amounts }.reserve().map_err(|error| corrupt(error.to_string()))?;
        postings.push(Posting { transaction, block: None, at: step.at });
        ids.push(id);
    }
    step.post(&postings)?;
    for account_id in touched {
        let overdrawn =
            rows(step.tx, sql::PAYOUT_OVERDRAWN, named_params! { ":account_id": account_id }, |row| {
                Ok((column::<String>(row, 0)?, column::<String>(row, 1)?))
            })?;
        if let Some((address, kind)) = overdrawn.first() {
            return Err(StoreError::Stale {
                what: format!("{kind} of {address} is less than what was to be reserved"),
            });
        }
    }
    Ok(ids)
}

fn record_signed(
    step: &mut Step<'_>,
    token: Token,
    id: PayoutId,
    transaction: &Signed,
) -> Result<(), StoreError> {
    own(step, token)?;
    let before = stored(step, id)?;
    if let Some(known) = &before.transaction {
        // Its answer got lost: the same bytes are no news, others must never be.
        return if known.bytes == transaction.bytes {
            Ok(())
        } else {
            Err(corrupt(format!("payout {id} has other bytes already")))
        };
    }
    let fee = Limbs::from(transaction.fee);
    run(
        step.tx,
        sql::PAYOUT_TRANSACTION_ADD,
        named_params! {
            ":id": signed(id.0)?, ":txid": transaction.txid, ":bytes": transaction.bytes,
            ":hi": fee.hi, ":mid": fee.mid, ":lo": fee.lo, ":at": signed(step.at.0)?,
        },
    )?;
    for spend in &transaction.spends {
        run(
            step.tx,
            sql::PAYOUT_SPEND_ADD,
            named_params! { ":id": signed(id.0)?, ":spend": spend.to_string() },
        )?;
    }
    advance(step, &before, PayoutEvent::Signed, &format!("transaction {}", transaction.txid), None)
}

fn end(step: &mut Step<'_>, token: Token, id: PayoutId, ending: &Ending) -> Result<(), StoreError> {
    own(step, token)?;
    let before = stored(step, id)?;
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
    advance(step, &before, ending.event(), ending.detail(), reason)?;
    if reason.is_some() {
        run(step.tx, sql::PAYOUT_SPENDS_FREE, named_params! { ":id": signed(id.0)? })?;
    }
    step.post(&[Posting { transaction, block: None, at: step.at }])
}

/// Takes the step that `event` is, if it can be taken, and writes it down.
fn advance(
    step: &Step<'_>,
    before: &PayoutRow,
    event: PayoutEvent,
    detail: &str,
    reason: Option<&str>,
) -> Result<(), StoreError> {
    let after =
        before.state.after(event).map_err(|error| corrupt(format!("payout {}: {error}", before.id)))?;
    let id = signed(before.id.0)?;
    run(
        step.tx,
        sql::PAYOUT_STATE_SET,
        named_params! {
            ":id": id, ":state": after.as_str(), ":reason": reason, ":at": signed(step.at.0)?,
            ":ended": after.is_final(),
        },
    )?;
    history(step, id, after, detail)
}

fn history(step: &Step<'_>, id: i64, state: PayoutState, detail: &str) -> Result<(), StoreError> {
    run(
        step.tx,
        sql::PAYOUT_HISTORY_ADD,
        named_params! { ":id": id, ":at": signed(step.at.0)?, ":state": state.as_str(), ":detail": detail },
    )?;
    Ok(())
}

fn audit(
    step: &Step<'_>,
    actor: &str,
    action: &str,
    subject: &Scope,
    detail: &str,
) -> Result<(), StoreError> {
    run(
        step.tx,
        sql::PAYOUT_AUDIT_ADD,
        named_params! {
            ":at": signed(step.at.0)?, ":actor": actor, ":action": action, ":subject": subject.to_string(),
            ":detail": detail,
        },
    )?;
    Ok(())
}

fn stored(step: &Step<'_>, id: PayoutId) -> Result<PayoutRow, StoreError> {
    let found = rows(step.tx, sql::PAYOUT_GET, named_params! { ":id": signed(id.0)? }, payout)?;
    let mut found = with_parts(step.tx, found)?;
    found.pop().ok_or_else(|| StoreError::NotFound { what: format!("payout {id}") })
}

fn known_account(step: &Step<'_>, account: &Account) -> Result<i64, StoreError> {
    key(step.tx, sql::ACCOUNT_ID, named_params! { ":address": account.as_str() })?
        .ok_or_else(|| StoreError::NotFound { what: format!("account {account}") })
}

fn account(row: &Row<'_>, index: usize) -> Result<Account, StoreError> {
    text(row, index, |name| Account::new(name).ok())
}

fn optional_amount(row: &Row<'_>, first: usize) -> Result<Option<Amount>, StoreError> {
    column::<Option<i64>>(row, first)?.map(|_| amount(row, first)).transpose()
}

fn terms(db: &Connection, account_name: &str) -> Result<Vec<(Account, AccountTerms)>, StoreError> {
    rows(db, sql::PAYOUT_TERMS_GET, named_params! { ":account": account_name }, |row| {
        let terms = AccountTerms {
            threshold: optional_amount(row, 1)?,
            hold: column(row, 4)?,
            set_aside: column(row, 5)?,
        };
        Ok((account(row, 0)?, terms))
    })
}

fn payout(row: &Row<'_>) -> Result<PayoutRow, StoreError> {
    let transaction = column::<Option<String>>(row, 7)?.map(|txid| {
        Ok::<_, StoreError>(Signed { bytes: column(row, 8)?, txid, spends: Vec::new(), fee: amount(row, 9)? })
    });
    Ok(PayoutRow {
        id: PayoutId(count(row, 0)?),
        state: text(row, 1, PayoutState::named)?,
        hold: column(row, 2)?,
        recipient_held: column(row, 12)?,
        items: Vec::new(),
        transaction: transaction.transpose()?,
        created_at: TimeMs(count(row, 4)?),
        updated_at: TimeMs(count(row, 5)?),
        ended_at: column::<Option<i64>>(row, 6)?.map(|at| TimeMs(at.unsigned_abs())),
        reason: column(row, 3)?,
    })
}

/// With recipients, and with what their transactions spend.
fn with_parts(db: &Connection, mut payouts: Vec<PayoutRow>) -> Result<Vec<PayoutRow>, StoreError> {
    for payout in &mut payouts {
        let id = signed(payout.id.0)?;
        payout.items = rows(db, sql::PAYOUT_ITEMS, named_params! { ":id": id }, |row| {
            Ok((account(row, 0)?, amount(row, 1)?))
        })?;
        if let Some(transaction) = &mut payout.transaction {
            transaction.spends = rows(db, sql::PAYOUT_SPENDS, named_params! { ":id": id }, |row| {
                text(row, 0, |spend| spend.parse::<Spend>().ok())
            })?;
        }
    }
    Ok(payouts)
}
