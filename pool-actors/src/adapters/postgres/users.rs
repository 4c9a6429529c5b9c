//! Users, their tokens, and the trail of who did what. All of it is read where it is written: a replica may lag, and who was
//! disabled a moment ago must not get in.

use std::sync::Arc;

use async_trait::async_trait;
use pool_domain::{ids::PayoutId, units::TimeMs};
use serde_json::Value;
use tokio_postgres::{Row, types::ToSql};

use super::{
    PostgresStore, ask,
    codec::Stamp,
    read::{Question, amount, column, corrupt, count, signed, text, time},
    session::Session,
    statements::{self as sql, Sql},
    write::clean,
};
use crate::ports::{
    personal::{PersonalRow, PersonalSettings, SentPayout},
    store::StoreError,
    users::{
        AuditLine, AuditQuery, ClaimedAccount, ClaimedBy, LinkPurpose, MailLink, NewUser, Outcome, Role,
        TokenRow, UserChange, UserRow, UserStore,
    },
};

type Parameter = Box<dyn ToSql + Send + Sync>;

/// A statement, and what becomes of its rows.
struct Asked<T> {
    sql: Sql,
    parameters: Vec<Parameter>,
    make: fn(&Row) -> Result<T, StoreError>,
}

impl<T: Send + 'static> Question for Asked<T> {
    type Answer = Vec<T>;

    async fn ask(&self, session: &Session) -> Result<Self::Answer, StoreError> {
        let parameters: Vec<&(dyn ToSql + Sync)> =
            self.parameters.iter().map(|parameter| &**parameter as &(dyn ToSql + Sync)).collect();
        session.query(self.sql, &parameters).await?.iter().map(self.make).collect()
    }
}

/// A row that says no more than that something was changed.
fn any(_: &Row) -> Result<(), StoreError> {
    Ok(())
}

impl PostgresStore {
    async fn of_users<T: Send + 'static>(
        &self,
        sql: Sql,
        parameters: Vec<Parameter>,
        make: fn(&Row) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let inner = Arc::clone(&self.inner);
        let asked = Asked { sql, parameters, make };
        self.on_thread(async move { ask(&inner.gate, &inner.readers, &asked).await }).await
    }

    async fn changes(&self, sql: Sql, parameters: Vec<Parameter>) -> Result<bool, StoreError> {
        Ok(!self.of_users(sql, parameters, any).await?.is_empty())
    }
}

macro_rules! parameters {
    ($($value:expr),* $(,)?) => { vec![$(Box::new($value) as Parameter),*] };
}

/// Text that a browser sent, as PostgreSQL takes it.
fn told(text: &str) -> String {
    clean(text).into_owned()
}

/// A UUID; whatever else somebody writes is nobody's id, which is no reason for an error of the database's.
fn is_id(id: &str) -> bool {
    id.len() == 36 && id.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

#[async_trait]
impl UserStore for PostgresStore {
    async fn add_user(&self, at: TimeMs, user: NewUser) -> Result<bool, StoreError> {
        let NewUser { id, username, email, role, password_hash } = user;
        self.changes(sql::USER_ADD, parameters![id, username, email, role.as_str(), password_hash, Stamp(at)])
            .await
    }

    async fn user(&self, id: String) -> Result<Option<UserRow>, StoreError> {
        if !is_id(&id) {
            return Ok(None);
        }
        Ok(self.of_users(sql::USER_GET, parameters![id], user).await?.into_iter().next())
    }

    async fn user_named(&self, username: String) -> Result<Option<UserRow>, StoreError> {
        let found = self.of_users(sql::USER_NAMED, parameters![told(&username)], user).await?;
        Ok(found.into_iter().next())
    }

    async fn users(&self, after: Option<String>, limit: usize) -> Result<Vec<UserRow>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.of_users(sql::USERS_PAGE, parameters![told(&after.unwrap_or_default()), limit], user).await
    }

    async fn change_user(&self, at: TimeMs, id: String, change: UserChange) -> Result<bool, StoreError> {
        if !is_id(&id) {
            return Ok(false);
        }
        let at_stamp = Stamp(at);
        let (sql, parameters) = match change {
            UserChange::Role(role) => (sql::USER_ROLE_SET, parameters![id, role.as_str(), at_stamp]),
            UserChange::Disabled(disabled) => {
                (sql::USER_DISABLED_SET, parameters![id, disabled.then_some(Stamp(at)), at_stamp])
            }
            UserChange::Password(hash) => (sql::USER_PASSWORD_SET, parameters![id, hash, at_stamp]),
            UserChange::Email(email) => (sql::USER_EMAIL_SET, parameters![id, email, at_stamp]),
            UserChange::MfaPrepared(sealed) => (sql::USER_MFA_PREPARE, parameters![id, sealed, at_stamp]),
            UserChange::MfaOn(codes) => {
                let codes: Vec<Vec<u8>> = codes.iter().map(|code| code.to_vec()).collect();
                (sql::USER_MFA_ON, parameters![id, codes, at_stamp])
            }
            UserChange::MfaOff => (sql::USER_MFA_OFF, parameters![id, at_stamp]),
        };
        self.changes(sql, parameters).await
    }

    async fn take_mfa_step(&self, id: String, step: u64) -> Result<bool, StoreError> {
        self.changes(sql::USER_MFA_STEP_TAKE, parameters![id, signed(step)?]).await
    }

    async fn take_backup_code(&self, at: TimeMs, id: String, digest: [u8; 32]) -> Result<bool, StoreError> {
        self.changes(sql::BACKUP_CODE_TAKE, parameters![id, digest.to_vec(), Stamp(at)]).await
    }

    async fn backup_codes_left(&self, id: String) -> Result<u64, StoreError> {
        let left = self.of_users(sql::BACKUP_CODES_LEFT, parameters![id], |row| count(row, 0)).await?;
        Ok(left.first().copied().unwrap_or_default())
    }

    async fn users_with_email(&self, email: String, limit: usize) -> Result<Vec<UserRow>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.of_users(sql::USERS_WITH_EMAIL, parameters![told(&email), limit], user).await
    }

    async fn add_mail_link(&self, link: MailLink) -> Result<(), StoreError> {
        let MailLink { digest, user, purpose, email, created_at, expires_at } = link;
        let (created_at, expires_at) = (Stamp(created_at), Stamp(expires_at));
        let parameters =
            parameters![digest.to_vec(), user, purpose.as_str(), told(&email), created_at, expires_at];
        self.of_users(sql::MAIL_LINK_ADD, parameters, any).await.map(drop)
    }

    async fn mail_link_user(
        &self,
        at: TimeMs,
        digest: [u8; 32],
        purpose: LinkPurpose,
    ) -> Result<Option<UserRow>, StoreError> {
        let parameters = parameters![digest.to_vec(), purpose.as_str(), Stamp(at)];
        Ok(self.of_users(sql::MAIL_LINK_USER, parameters, user).await?.into_iter().next())
    }

    async fn confirm_email(&self, at: TimeMs, digest: [u8; 32]) -> Result<bool, StoreError> {
        self.changes(sql::MAIL_LINK_CONFIRM, parameters![digest.to_vec(), Stamp(at)]).await
    }

    async fn reset_password(
        &self,
        at: TimeMs,
        digest: [u8; 32],
        password_hash: String,
    ) -> Result<bool, StoreError> {
        self.changes(sql::MAIL_LINK_RESET, parameters![digest.to_vec(), password_hash, Stamp(at)]).await
    }

    async fn claim_account(
        &self,
        at: TimeMs,
        account: String,
        user: String,
        by: ClaimedBy,
    ) -> Result<bool, StoreError> {
        let (account, by) = (told(&account), by.as_str());
        // Two statements, since an account changes hands only by way of nobody: in between it is nobody's.
        self.changes(sql::ACCOUNT_FREE, parameters![account.clone(), user.clone(), by]).await?;
        self.changes(sql::ACCOUNT_CLAIM, parameters![account, user, by, Stamp(at)]).await
    }

    async fn release_account(&self, account: String, user: String) -> Result<bool, StoreError> {
        self.changes(sql::ACCOUNT_RELEASE, parameters![told(&account), user]).await
    }

    async fn accounts_of(&self, user: String) -> Result<Vec<ClaimedAccount>, StoreError> {
        self.of_users(sql::ACCOUNTS_OF_USER, parameters![user], claimed).await
    }

    async fn personal_of(&self, account: String, user: String) -> Result<Option<PersonalRow>, StoreError> {
        let found =
            self.of_users(sql::PERSONAL_ALERTS_OF, parameters![told(&account), user], personal).await?;
        Ok(found.into_iter().next())
    }

    async fn set_personal(
        &self,
        at: TimeMs,
        account: String,
        user: String,
        settings: PersonalSettings,
    ) -> Result<bool, StoreError> {
        let settings = serde_json::to_string(&settings).map_err(|error| corrupt(error.to_string()))?;
        let parameters = parameters![told(&account), user, settings, Stamp(at)];
        self.changes(sql::PERSONAL_ALERTS_PUT, parameters).await
    }

    async fn personal_all(&self) -> Result<Vec<PersonalRow>, StoreError> {
        self.of_users(sql::PERSONAL_ALERTS_ALL, parameters![], personal).await
    }

    async fn set_personal_workers(
        &self,
        account: String,
        user: String,
        workers: Vec<String>,
    ) -> Result<(), StoreError> {
        let workers = serde_json::to_string(&workers).map_err(|error| corrupt(error.to_string()))?;
        self.changes(sql::PERSONAL_WORKERS_PUT, parameters![told(&account), user, workers]).await.map(drop)
    }

    async fn sent_payouts(&self, after: u64) -> Result<Vec<SentPayout>, StoreError> {
        self.of_users(sql::PERSONAL_PAYOUTS, parameters![signed(after)?], |row| {
            Ok(SentPayout {
                step: count(row, 0)?,
                payout: PayoutId(count(row, 1)?),
                account: column(row, 2)?,
                txid: column(row, 3)?,
                amount: amount(row, 4)?,
            })
        })
        .await
    }

    async fn payouts_told(&self) -> Result<u64, StoreError> {
        let told = self.of_users(sql::PERSONAL_TOLD_GET, parameters![], |row| count(row, 0)).await?;
        Ok(told.into_iter().next().unwrap_or(0))
    }

    async fn set_payouts_told(&self, told: u64) -> Result<(), StoreError> {
        self.changes(sql::PERSONAL_TOLD_PUT, parameters![signed(told)?]).await.map(drop)
    }

    async fn add_token(&self, token: TokenRow) -> Result<(), StoreError> {
        let TokenRow { id, user, name, digest, scopes, created_at, expires_at, revoked_at: _ } = token;
        let (created_at, expires_at) = (Stamp(created_at), Stamp(expires_at));
        let parameters = parameters![id, user, told(&name), digest.to_vec(), scopes, created_at, expires_at];
        self.of_users(sql::API_TOKEN_ADD, parameters, any).await.map(drop)
    }

    async fn token(&self, id: String) -> Result<Option<TokenRow>, StoreError> {
        Ok(self.of_users(sql::API_TOKEN_GET, parameters![told(&id)], token).await?.into_iter().next())
    }

    async fn tokens_of(&self, user: String) -> Result<Vec<TokenRow>, StoreError> {
        self.of_users(sql::API_TOKENS_OF, parameters![user], token).await
    }

    async fn revoke_token(&self, at: TimeMs, id: String) -> Result<bool, StoreError> {
        self.changes(sql::API_TOKEN_REVOKE, parameters![told(&id), Stamp(at)]).await
    }

    async fn add_audit(&self, line: AuditLine) -> Result<(), StoreError> {
        let AuditLine { at, node, actor, address, action, subject, outcome, before, after } = line;
        let json = |value: Option<Value>| value.map(|value| value.to_string());
        let parameters = parameters![
            Stamp(at),
            node,
            told(&actor),
            address,
            told(&action),
            told(&subject),
            outcome.as_str(),
            json(before),
            json(after),
        ];
        self.of_users(sql::AUDIT_ADD, parameters, any).await.map(drop)
    }

    async fn audit(&self, query: AuditQuery) -> Result<Vec<(u64, AuditLine)>, StoreError> {
        let before = query.before.map_or(Ok(i64::MAX), signed)?;
        let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
        let text = |text: Option<String>| text.map(|text| told(&text));
        self.of_users(
            sql::AUDIT_PAGE,
            parameters![before, text(query.actor), text(query.action), limit],
            line,
        )
        .await
    }
}

fn time_or_none(row: &Row, index: usize) -> Result<Option<TimeMs>, StoreError> {
    Ok(column::<Option<Stamp>>(row, index)?.map(|stamp| stamp.0))
}

fn user(row: &Row) -> Result<UserRow, StoreError> {
    Ok(UserRow {
        id: column(row, 0)?,
        username: column(row, 1)?,
        email: column(row, 2)?,
        role: text(row, 3, |name| name.parse::<Role>().ok())?,
        password_hash: column(row, 4)?,
        mfa_sealed: column(row, 5)?,
        mfa_enabled: column(row, 6)?,
        disabled_at: time_or_none(row, 7)?,
        created_at: time(row, 8)?,
        updated_at: time(row, 9)?,
        email_verified_at: time_or_none(row, 10)?,
    })
}

fn claimed(row: &Row) -> Result<ClaimedAccount, StoreError> {
    let by: Option<String> = column(row, 2)?;
    Ok(ClaimedAccount {
        account: column(row, 0)?,
        user: column(row, 1)?,
        by: by.and_then(|by| by.parse().ok()),
        at: time_or_none(row, 3)?,
    })
}

fn personal(row: &Row) -> Result<PersonalRow, StoreError> {
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

fn token(row: &Row) -> Result<TokenRow, StoreError> {
    let digest = column::<Vec<u8>>(row, 3)?.try_into();
    Ok(TokenRow {
        id: column(row, 0)?,
        user: column(row, 1)?,
        name: column(row, 2)?,
        digest: digest.map_err(|_| corrupt("a token's digest has another length"))?,
        scopes: column(row, 4)?,
        created_at: time(row, 5)?,
        expires_at: time(row, 6)?,
        revoked_at: time_or_none(row, 7)?,
    })
}

fn json(row: &Row, index: usize) -> Result<Option<Value>, StoreError> {
    let stored: Option<String> = column(row, index)?;
    let read = |text: String| serde_json::from_str(&text);
    stored.map(read).transpose().map_err(|error| corrupt(format!("the trail, column {index}: {error}")))
}

fn line(row: &Row) -> Result<(u64, AuditLine), StoreError> {
    let outcome = |name: &str| {
        [Outcome::Done, Outcome::Refused, Outcome::Failed].into_iter().find(|known| known.as_str() == name)
    };
    Ok((
        count(row, 0)?,
        AuditLine {
            at: time(row, 1)?,
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
