//! Connections: opened within a bound, checked, with their statements prepared, and not opened too often while the
//! database is away.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use pool_domain::units::TimeMs;
use rand::Rng as _;
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};
use tokio_postgres::{
    Client, NoTls, Row, Statement, config::TargetSessionAttrs, error::SqlState, types::ToSql,
};

use super::{
    schema,
    settings::PostgresSettings,
    statements::{READING, SESSION, SESSION_TIMEOUT, STAGE, Sql, WRITING},
};
use crate::ports::store::StoreError;

/// First pause after a connection that failed; doubles.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
/// Longest pause between two tries to connect.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Parameters of a statement.
pub(super) type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The one that writes, on the primary.
    Write,
    /// Reading from the primary.
    Read,
    /// Reading from a replica, which may lag and can't be migrated.
    Replica,
}

/// A connection with its prepared statements.
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) statements: Statements,
    /// A query was given up on: whatever it still sends must not be taken for another's answer.
    pub(super) spoilt: bool,
}

/// Prepared statements by name.
pub(super) struct Statements(HashMap<&'static str, Statement>);

impl Statements {
    pub(super) fn of(&self, sql: Sql) -> Result<&Statement, StoreError> {
        self.0.get(sql.name).ok_or_else(|| StoreError::Corrupt {
            what: format!("the statement {} is not prepared on this connection", sql.name),
        })
    }
}

impl Session {
    pub(super) async fn query(&self, sql: Sql, parameters: Parameters<'_>) -> Result<Vec<Row>, StoreError> {
        self.client.query(self.statements.of(sql)?, parameters).await.map_err(failure)
    }

    pub(super) fn is_usable(&self) -> bool {
        !self.spoilt && !self.client.is_closed()
    }

    async fn open(settings: &PostgresSettings, purpose: Purpose, now: TimeMs) -> Result<Self, StoreError> {
        let mut client = connect(settings, purpose).await?;
        if purpose != Purpose::Replica {
            if settings.migrate {
                schema::migrate(&mut client, now).await?;
            } else {
                schema::check(&client).await?;
            }
        }
        let mut wanted = READING.to_vec();
        if purpose == Purpose::Write {
            client.batch_execute(STAGE.text).await.map_err(failure)?;
            wanted.extend_from_slice(WRITING);
        }
        let preparing = wanted.iter().map(|sql| client.prepare(sql.text));
        let prepared = futures_util::future::try_join_all(preparing).await.map_err(failure)?;
        let statements = wanted.iter().map(|sql| sql.name).zip(prepared).collect();
        Ok(Self { client, statements: Statements(statements), spoilt: false })
    }
}

/// A connection with its bounds set, of which nothing else is known.
pub(super) async fn connect(settings: &PostgresSettings, purpose: Purpose) -> Result<Client, StoreError> {
    let mut config = settings.config.clone();
    config.connect_timeout(settings.connect_timeout);
    if purpose != Purpose::Replica {
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    }
    // Each ends with the client, or with the connection, which the client then reports.
    let client = if let Some(tls) = &settings.tls {
        let (client, connection) = config.connect(tls.clone()).await.map_err(failure)?;
        tokio::spawn(connection);
        client
    } else {
        let (client, connection) = config.connect(NoTls).await.map_err(failure)?;
        tokio::spawn(connection);
        client
    };
    client.batch_execute(SESSION.text).await.map_err(failure)?;
    let bound = settings.statement_timeout.as_millis().to_string();
    client.query(SESSION_TIMEOUT.text, &[&bound]).await.map_err(failure)?;
    Ok(client)
}

/// Opens connections, and refuses to for a while after one that failed: a database that comes back must not be met by a
/// stampede, and whoever asks meanwhile must not wait for nothing.
pub(super) struct Gate {
    pub(super) settings: PostgresSettings,
    pub(super) clock: Clock,
    state: Mutex<GateState>,
    /// Counts tries that failed, for those who wait for a connection.
    failed: watch::Sender<u64>,
}

/// The wall clock, for what is written when the schema changes.
pub(super) type Clock = std::sync::Arc<dyn Fn() -> TimeMs + Send + Sync>;

#[derive(Default)]
struct GateState {
    connected_once: bool,
    failures: u32,
    closed_until: Option<Instant>,
    why: String,
}

impl Gate {
    pub(super) fn new(settings: PostgresSettings, clock: Clock) -> Self {
        Self { settings, clock, state: Mutex::default(), failed: watch::Sender::new(0) }
    }

    /// Gives the schema what it lacks, if this process may, however long that takes: connections are opened within bounds,
    /// in which a large ledger is not changed.
    pub(super) async fn bring_up_to_date(&self) -> Result<(), StoreError> {
        if !self.settings.migrate {
            return Ok(());
        }
        self.is_open()?;
        let settings = self.settings.clone();
        let looking = async move {
            let client = connect(&settings, Purpose::Write).await?;
            let lacks = schema::lacks(&client).await?;
            Ok((client, lacks))
        };
        let done = match self.settings.bounded(looking).await {
            Ok((mut client, true)) => schema::migrate(&mut client, (self.clock)()).await,
            Ok((_, false)) => Ok(()),
            Err(error) => Err(error),
        };
        self.note(done.as_ref().err());
        done
    }

    pub(super) async fn open(&self, purpose: Purpose) -> Result<Session, StoreError> {
        self.is_open()?;
        let opening = Session::open(&self.settings, purpose, (self.clock)());
        // The server may be stopped in the middle of greeting us.
        let opened = timeout(self.settings.connect_timeout * 2, opening).await.unwrap_or_else(|_| {
            Err(StoreError::Unavailable { what: format!("{} does not answer", self.settings) })
        });
        self.note(opened.as_ref().err());
        match opened {
            // Refused at the first try, it is a mistake to be mended; later, somebody is at work on the database.
            Err(StoreError::Schema { what }) if self.locked().connected_once && what.starts_with(REFUSED) => {
                Err(StoreError::Unavailable { what })
            }
            opened => opened,
        }
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, GateState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is worth trying, or why not.
    pub(super) fn is_open(&self) -> Result<(), StoreError> {
        let state = self.locked();
        match state.closed_until {
            Some(until) if Instant::now() < until => Err(StoreError::Unavailable { what: state.why.clone() }),
            _ => Ok(()),
        }
    }

    /// What failed was mended: the next try need not wait.
    pub(super) fn reopen(&self) {
        let mut state = self.locked();
        state.closed_until = None;
        state.failures = 0;
    }

    /// Waits until a try to connect fails, and says why: bb8 itself would go on trying until its time is up.
    pub(super) async fn next_failure(&self) -> StoreError {
        let mut failed = self.failed.subscribe();
        // The sender lives as long as this gate.
        let _ = failed.changed().await;
        StoreError::Unavailable { what: self.locked().why.clone() }
    }

    fn note(&self, error: Option<&StoreError>) {
        let mut state = self.locked();
        let Some(error) = error else {
            *state = GateState { connected_once: true, ..GateState::default() };
            return;
        };
        let pause = PAUSE_FIRST.saturating_mul(1 << state.failures.min(10)).min(PAUSE_MAX);
        // Half to one and a half times, so that many pools do not come at the same moment.
        let pause = pause.mul_f64(rand::rng().random_range(0.5..1.5));
        state.failures += 1;
        state.closed_until = Some(Instant::now() + pause);
        state.why = match error {
            StoreError::Unavailable { what } => what.clone(),
            other => other.to_string(),
        };
        drop(state);
        self.failed.send_modify(|count| *count += 1);
    }
}

const REFUSED: &str = "PostgreSQL refuses the pool";

/// Sorts PostgreSQL's failures by what can be done about them.
#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
pub(super) fn failure(error: tokio_postgres::Error) -> StoreError {
    let Some(db) = error.as_db_error() else {
        let source =
            std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
        let what = format!("PostgreSQL: {error}{source}");
        // A value of ours that has no form there is a defect; all else came from the connection.
        let ours = error.to_string().contains("serializing parameter")
            || error.to_string().contains("deserializing column");
        return if ours { StoreError::Corrupt { what } } else { StoreError::Unavailable { what } };
    };
    let what = format!("PostgreSQL: {} ({})", db.message(), db.code().code());
    let code = db.code();
    if *code == SqlState::INVALID_CATALOG_NAME || code.code().starts_with("28") {
        return StoreError::Schema { what: format!("{REFUSED}: {} ({})", db.message(), code.code()) };
    }
    // By class: connection, rollback to be tried again, resources (disk full), operator, system; then a lock that was
    // not got in time, and a server that takes no writes (yet).
    let class = code.code().get(..2).unwrap_or_default();
    let passing = ["08", "40", "53", "57", "58"].contains(&class)
        || [SqlState::LOCK_NOT_AVAILABLE, SqlState::READ_ONLY_SQL_TRANSACTION].contains(code);
    if passing { StoreError::Unavailable { what } } else { StoreError::Corrupt { what } }
}

/// Connections for reading, kept by bb8.
pub(super) struct Readers {
    pub(super) gate: std::sync::Arc<Gate>,
    pub(super) purpose: Purpose,
}

impl bb8::ManageConnection for Readers {
    type Connection = Session;
    type Error = StoreError;

    async fn connect(&self) -> Result<Session, StoreError> {
        self.gate.open(self.purpose).await
    }

    async fn is_valid(&self, session: &mut Session) -> Result<(), StoreError> {
        if session.is_usable() {
            Ok(())
        } else {
            Err(StoreError::Unavailable { what: "PostgreSQL: the connection is closed".into() })
        }
    }

    fn has_broken(&self, session: &mut Session) -> bool {
        !session.is_usable()
    }
}
