//! Users, their tokens, and the trail of who did what.

use async_trait::async_trait;
use pool_domain::{ids::PayoutId, units::TimeMs};
use rusqlite::{Connection, Row, named_params, types::ToSql};
use serde_json::Value;

use super::{
    SqliteStore,
    read::{amount, column, corrupt, count, rows, signed, text},
    statements as sql,
    write::{Step, run},
};
use crate::ports::{
    personal::{PersonalRow, PersonalSettings, SentPayout},
    store::StoreError,
    users::{
        AuditLine, AuditQuery, ClaimedAccount, ClaimedBy, LinkPurpose, MailLink, NewUser, Outcome, Role,
        TokenRow, UserChange, UserRow, UserStore,
    },
};

#[async_trait]
impl UserStore for SqliteStore {
    async fn add_user(&self, at: TimeMs, user: NewUser) -> Result<bool, StoreError> {
        self.write(at, move |step| {
            let NewUser { id, username, email, role, password_hash } = user;
            changed(
                step,
                sql::USER_ADD,
                named_params! {
                    ":id": id, ":username": username, ":email": email, ":role": role.as_str(),
                    ":password_hash": password_hash, ":at": signed(at.0)?,
                },
            )
        })
        .await
    }

    async fn user(&self, id: String) -> Result<Option<UserRow>, StoreError> {
        self.read(move |db| one(db, sql::USER_GET, named_params! { ":id": id }, user)).await
    }

    async fn user_named(&self, username: String) -> Result<Option<UserRow>, StoreError> {
        self.read(move |db| one(db, sql::USER_NAMED, named_params! { ":username": username }, user)).await
    }

    async fn users(&self, after: Option<String>, limit: usize) -> Result<Vec<UserRow>, StoreError> {
        let (after, limit) = (after.unwrap_or_default(), i64::try_from(limit).unwrap_or(i64::MAX));
        self.read(move |db| {
            rows(db, sql::USERS_PAGE, named_params! { ":after": after, ":limit": limit }, user)
        })
        .await
    }

    async fn change_user(&self, at: TimeMs, id: String, change: UserChange) -> Result<bool, StoreError> {
        self.write(at, move |step| change_user(step, &id, change)).await
    }

    async fn take_mfa_step(&self, id: String, step: u64) -> Result<bool, StoreError> {
        self.write(TimeMs(0), move |writing| {
            let parameters = named_params! { ":id": id, ":step": signed(step)? };
            changed(writing, sql::USER_MFA_STEP_TAKE, parameters)
        })
        .await
    }

    async fn take_backup_code(&self, at: TimeMs, id: String, digest: [u8; 32]) -> Result<bool, StoreError> {
        self.write(at, move |step| {
            let parameters = named_params! { ":id": id, ":digest": digest, ":at": signed(at.0)? };
            changed(step, sql::BACKUP_CODE_TAKE, parameters)
        })
        .await
    }

    async fn backup_codes_left(&self, id: String) -> Result<u64, StoreError> {
        self.read(move |db| {
            let left =
                one(db, sql::BACKUP_CODES_LEFT, named_params! { ":id": id }, |row: &Row<'_>| count(row, 0))?;
            Ok(left.unwrap_or_default())
        })
        .await
    }

    async fn users_with_email(&self, email: String, limit: usize) -> Result<Vec<UserRow>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(move |db| {
            rows(db, sql::USERS_WITH_EMAIL, named_params! { ":email": email, ":limit": limit }, user)
        })
        .await
    }

    async fn add_mail_link(&self, link: MailLink) -> Result<(), StoreError> {
        self.write(link.created_at, move |step| {
            let (at, purpose) = (signed(link.created_at.0)?, link.purpose.as_str());
            let old = named_params! { ":user_id": link.user, ":at": at, ":purpose": purpose };
            run(step.tx, sql::MAIL_LINKS_FORGET, old)?;
            run(
                step.tx,
                sql::MAIL_LINK_ADD,
                named_params! {
                    ":digest": link.digest, ":user_id": link.user, ":purpose": purpose, ":email": link.email,
                    ":at": at, ":expires_at": signed(link.expires_at.0)?,
                },
            )
            .map(drop)
        })
        .await
    }

    async fn mail_link_user(
        &self,
        at: TimeMs,
        digest: [u8; 32],
        purpose: LinkPurpose,
    ) -> Result<Option<UserRow>, StoreError> {
        let at = signed(at.0)?;
        self.read(move |db| {
            let parameters = named_params! { ":digest": digest, ":purpose": purpose.as_str(), ":at": at };
            one(db, sql::MAIL_LINK_USER, parameters, user)
        })
        .await
    }

    async fn confirm_email(&self, at: TimeMs, digest: [u8; 32]) -> Result<bool, StoreError> {
        self.write(at, move |step| {
            let at = signed(at.0)?;
            let link =
                named_params! { ":digest": digest, ":purpose": LinkPurpose::Confirm.as_str(), ":at": at };
            Ok(changed(step, sql::MAIL_LINK_TAKE, link)?
                && changed(step, sql::MAIL_LINK_CONFIRM, named_params! { ":digest": digest, ":at": at })?)
        })
        .await
    }

    async fn reset_password(
        &self,
        at: TimeMs,
        digest: [u8; 32],
        password_hash: String,
    ) -> Result<bool, StoreError> {
        self.write(at, move |step| {
            let at = signed(at.0)?;
            let link =
                named_params! { ":digest": digest, ":purpose": LinkPurpose::Reset.as_str(), ":at": at };
            if !changed(step, sql::MAIL_LINK_TAKE, link)? {
                return Ok(false);
            }
            run(step.tx, sql::MAIL_LINKS_END_WITH, named_params! { ":digest": digest, ":at": at })?;
            let parameters = named_params! { ":digest": digest, ":password_hash": password_hash, ":at": at };
            changed(step, sql::MAIL_LINK_RESET, parameters)
        })
        .await
    }

    async fn claim_account(
        &self,
        at: TimeMs,
        account: String,
        user: String,
        by: ClaimedBy,
    ) -> Result<bool, StoreError> {
        self.write(at, move |step| {
            let by = by.as_str();
            let weaker = named_params! { ":address": account, ":user_id": user, ":by": by };
            run(step.tx, sql::ACCOUNT_FREE, weaker)?;
            let parameters =
                named_params! { ":address": account, ":user_id": user, ":by": by, ":at": signed(at.0)? };
            changed(step, sql::ACCOUNT_CLAIM, parameters)
        })
        .await
    }

    async fn release_account(&self, account: String, user: String) -> Result<bool, StoreError> {
        self.write(TimeMs(0), move |step| {
            changed(step, sql::ACCOUNT_RELEASE, named_params! { ":address": account, ":user_id": user })
        })
        .await
    }

    async fn accounts_of(&self, user: String) -> Result<Vec<ClaimedAccount>, StoreError> {
        self.read(move |db| rows(db, sql::ACCOUNTS_OF_USER, named_params! { ":user_id": user }, claimed))
            .await
    }

    async fn personal_of(&self, account: String, user: String) -> Result<Option<PersonalRow>, StoreError> {
        self.read(move |db| {
            one(
                db,
                sql::PERSONAL_ALERTS_OF,
                named_params! { ":address": account, ":user_id": user },
                personal,
            )
        })
        .await
    }

    async fn set_personal(
        &self,
        at: TimeMs,
        account: String,
        user: String,
        settings: PersonalSettings,
    ) -> Result<bool, StoreError> {
        let settings = serde_json::to_string(&settings).map_err(|error| corrupt(error.to_string()))?;
        self.write(at, move |step| {
            let parameters = named_params! {
                ":address": account, ":user_id": user, ":settings": settings, ":at": signed(at.0)?,
            };
            changed(step, sql::PERSONAL_ALERTS_PUT, parameters)
        })
        .await
    }

    async fn personal_all(&self) -> Result<Vec<PersonalRow>, StoreError> {
        self.read(move |db| rows(db, sql::PERSONAL_ALERTS_ALL, &[], personal)).await
    }

    async fn set_personal_workers(
        &self,
        account: String,
        user: String,
        workers: Vec<String>,
    ) -> Result<(), StoreError> {
        let workers = serde_json::to_string(&workers).map_err(|error| corrupt(error.to_string()))?;
        self.write(TimeMs(0), move |step| {
            let parameters = named_params! { ":address": account, ":user_id": user, ":workers": workers };
            changed(step, sql::PERSONAL_WORKERS_PUT, parameters).map(drop)
        })
        .await
    }

    async fn sent_payouts(&self, after: u64) -> Result<Vec<SentPayout>, StoreError> {
        let after = signed(after)?;
        self.read(move |db| {
            rows(db, sql::PERSONAL_PAYOUTS, named_params! { ":after": after }, |row| {
                Ok(SentPayout {
                    step: count(row, 0)?,
                    payout: PayoutId(count(row, 1)?),
                    account: column(row, 2)?,
                    txid: column(row, 3)?,
                    amount: amount(row, 4)?,
                })
            })
        })
        .await
    }

    async fn payouts_told(&self) -> Result<u64, StoreError> {
        let told = self.read(|db| one(db, sql::PERSONAL_TOLD_GET, &[], |row| count(row, 0))).await?;
        Ok(told.unwrap_or(0))
    }

    async fn set_payouts_told(&self, told: u64) -> Result<(), StoreError> {
        let told = signed(told)?;
        self.write(TimeMs(0), move |step| {
            changed(step, sql::PERSONAL_TOLD_PUT, named_params! { ":payout": told }).map(drop)
        })
        .await
    }

    async fn add_token(&self, token: TokenRow) -> Result<(), StoreError> {
        self.write(token.created_at, move |step| {
            run(
                step.tx,
                sql::API_TOKEN_ADD,
                named_params! {
                    ":id": token.id, ":user_id": token.user, ":name": token.name, ":digest": token.digest,
                    ":scopes": token.scopes, ":created_at": signed(token.created_at.0)?,
                    ":expires_at": signed(token.expires_at.0)?,
                },
            )
            .map(drop)
        })
        .await
    }

    async fn token(&self, id: String) -> Result<Option<TokenRow>, StoreError> {
        self.read(move |db| one(db, sql::API_TOKEN_GET, named_params! { ":id": id }, token)).await
    }

    async fn tokens_of(&self, user: String) -> Result<Vec<TokenRow>, StoreError> {
        self.read(move |db| rows(db, sql::API_TOKENS_OF, named_params! { ":id": user }, token)).await
    }

    async fn revoke_token(&self, at: TimeMs, id: String) -> Result<bool, StoreError> {
        self.write(at, move |step| {
            changed(step, sql::API_TOKEN_REVOKE, named_params! { ":id": id, ":at": signed(at.0)? })
        })
        .await
    }

    async fn add_audit(&self, line: AuditLine) -> Result<(), StoreError> {
        self.write(line.at, move |step| {
            run(
                step.tx,
                sql::AUDIT_ADD,
                named_params! {
                    ":at": signed(line.at.0)?, ":node": line.node, ":actor": line.actor,
                    ":address": line.address, ":action": line.action, ":subject": line.subject,
                    ":outcome": line.outcome.as_str(), ":before": line.before.map(|value| value.to_string()),
                    ":after": line.after.map(|value| value.to_string()),
                },
            )
            .map(drop)
        })
        .await
    }

    async fn audit(&self, query: AuditQuery) -> Result<Vec<(u64, AuditLine)>, StoreError> {
        let before = query.before.map_or(Ok(i64::MAX), signed)?;
        let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
        self.read(move |db| {
            let parameters = named_params! {
                ":before": before, ":actor": query.actor, ":action": query.action, ":limit": limit,
            };
            rows(db, sql::AUDIT_PAGE, parameters, line)
        })
        .await
    }
}

type Parameters<'a> = &'a [(&'a str, &'a dyn ToSql)];

fn changed(step: &Step<'_>, statement: &str, parameters: Parameters<'_>) -> Result<bool, StoreError> {
    Ok(run(step.tx, statement, parameters)? > 0)
}

fn one<T>(
    db: &Connection,
    statement: &str,
    parameters: Parameters<'_>,
    make: impl Fn(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    Ok(rows(db, statement, parameters, make)?.into_iter().next())
}

fn change_user(step: &Step<'_>, id: &str, change: UserChange) -> Result<bool, StoreError> {
    let at = signed(step.at.0)?;
    match change {
        UserChange::Role(role) => {
            let parameters = named_params! { ":id": id, ":role": role.as_str(), ":at": at };
            changed(step, sql::USER_ROLE_SET, parameters)
        }
        UserChange::Disabled(disabled) => {
            let since = disabled.then_some(at);
            let parameters = named_params! { ":id": id, ":disabled_at": since, ":at": at };
            changed(step, sql::USER_DISABLED_SET, parameters)
        }
        UserChange::Password(hash) => {
            end_links(step, id)?;
            let parameters = named_params! { ":id": id, ":password_hash": hash, ":at": at };
            changed(step, sql::USER_PASSWORD_SET, parameters)
        }
        UserChange::Email(email) => {
            end_links(step, id)?;
            changed(step, sql::USER_EMAIL_SET, named_params! { ":id": id, ":email": email, ":at": at })
        }
        UserChange::MfaPrepared(sealed) => {
            let parameters = named_params! { ":id": id, ":mfa_sealed": sealed, ":at": at };
            changed(step, sql::USER_MFA_PREPARE, parameters)
        }
        UserChange::MfaOn(codes) => {
            if !changed(step, sql::USER_MFA_ON, named_params! { ":id": id, ":at": at })? {
                return Ok(false);
            }
            run(step.tx, sql::BACKUP_CODES_REMOVE, named_params! { ":id": id })?;
            for digest in codes {
                run(step.tx, sql::BACKUP_CODE_ADD, named_params! { ":id": id, ":digest": digest })?;
            }
            Ok(true)
        }
        UserChange::MfaOff => {
            run(step.tx, sql::BACKUP_CODES_REMOVE, named_params! { ":id": id })?;
            changed(step, sql::USER_MFA_OFF, named_params! { ":id": id, ":at": at })
        }
    }
}

fn end_links(step: &Step<'_>, user: &str) -> Result<(), StoreError> {
    let parameters = named_params! { ":user_id": user, ":at": signed(step.at.0)? };
    run(step.tx, sql::MAIL_LINKS_END, parameters).map(drop)
}

fn time_or_none(row: &Row<'_>, index: usize) -> Result<Option<TimeMs>, StoreError> {
    let stored: Option<i64> = column(row, index)?;
    stored.map(|at| super::read::unsigned(at).map(TimeMs)).transpose()
}

fn user(row: &Row<'_>) -> Result<UserRow, StoreError> {
    Ok(UserRow {
        id: column(row, 0)?,
        username: column(row, 1)?,
        email: column(row, 2)?,
        role: text(row, 3, |name| name.parse::<Role>().ok())?,
        password_hash: column(row, 4)?,
        mfa_sealed: column(row, 5)?,
        mfa_enabled: column(row, 6)?,
        disabled_at: time_or_none(row, 7)?,
        created_at: TimeMs(count(row, 8)?),
        updated_at: TimeMs(count(row, 9)?),
        email_verified_at: time_or_none(row, 10)?,
    })
}

fn claimed(row: &Row<'_>) -> Result<ClaimedAccount, StoreError> {
    let by: Option<String> = column(row, 2)?;
    Ok(ClaimedAccount {
        account: column(row, 0)?,
        user: column(row, 1)?,
        by: by.and_then(|by| by.parse().ok()),
        at: time_or_none(row, 3)?,
    })
}

fn personal(row: &Row<'_>) -> Result<PersonalRow, StoreError> {
    let (settings, workers): (Option<String>, Option<String>) = (column(row, 4)?, column(row, 5)?);
    Ok(PersonalRow {
        account: column(row, 0)?,
        user: column(row, 1)?,
        username: column(row, 2)?,
        email: column(row, 3)?,
        settings: PersonalSettings::read(settings.as_deref()),
        workers: PersonalRow::read_workers(workers.as_deref()),
    })
}

fn token(row: &Row<'_>) -> Result<TokenRow, StoreError> {
    Ok(TokenRow {
        id: column(row, 0)?,
        user: column(row, 1)?,
        name: column(row, 2)?,
        digest: column(row, 3)?,
        scopes: column(row, 4)?,
        created_at: TimeMs(count(row, 5)?),
        expires_at: TimeMs(count(row, 6)?),
        revoked_at: time_or_none(row, 7)?,
    })
}

fn json(row: &Row<'_>, index: usize) -> Result<Option<Value>, StoreError> {
    let stored: Option<String> = column(row, index)?;
    let read = |text: String| serde_json::from_str(&text);
    stored.map(read).transpose().map_err(|error| corrupt(format!("the trail, column {index}: {error}")))
}

fn line(row: &Row<'_>) -> Result<(u64, AuditLine), StoreError> {
    let outcome = |name: &str| {
        [Outcome::Done, Outcome::Refused, Outcome::Failed].into_iter().find(|known| known.as_str() == name)
    };
    Ok((
        count(row, 0)?,
        AuditLine {
            at: TimeMs(count(row, 1)?),
            node: column(row, 2)?,
            actor: column(row, 3)?,
            address: column(row, 4)?,
            action: column(row, 5)?,
            subject: column(row, 6)?,
            outcome: text(row, 7, outcome)?,
            before: json(row, 8)?,
            after: json(row, 9)?,
        },
    ))
}
