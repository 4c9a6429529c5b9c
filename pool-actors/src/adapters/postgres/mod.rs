//! The ledger's store on PostgreSQL: for production, on a machine of its own.
//!
//! One thread serves all connections: one that writes (and holds the lock that makes it the only writer of its node), two
//! that read for the ledger, a pool that reads for the API, and one more pool for a read replica. Callers on whatever
//! arbiter wait for an answer only. The database may be away when the store is opened, and at any later time: calls
//! fail as [`StoreError::Unavailable`], the next ones connect again (see `session`). How it is set up, and what happens
//! when it is away: `pool-actors/docs/stores.md`.

mod books;
mod codec;
mod copy;
mod deployments;
mod payouts;
mod read;
mod schema;
mod session;
mod settings;
mod statements;
mod tls;
mod users;
mod write;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
pub use deployments::PostgresDeployments;
use pool_domain::{
    ids::{Account, BlockHash},
    units::TimeMs,
};
pub use settings::PostgresSettings;
use tokio::{
    runtime::{Builder, Handle, Runtime},
    sync::{Mutex, mpsc},
    time::timeout,
};

use self::{
    read::Question,
    session::{Gate, Purpose, Readers, Session},
    statements::SERVER_VERSION,
    write::{Writer, payouts::Desk},
};
use super::{Migration, StoreThread};
use crate::ports::{
    clock::SharedClock,
    store::{
        AccountRow, BlockQuery, BlockRow, BlockStep, Finding, LedgerCommit, LedgerState, Position, ShareHour,
        Split, StoreError, StorePort, Totals,
    },
};

/// Longest time for which an audit may hold its connection.
const AUDIT_MAX: Duration = Duration::from_secs(1_800);
/// The ledger's own connections for reading: its sums, and an audit beside them.
const LEDGER_CONNECTIONS: u32 = 2;

/// Handle to the database; clones share its connections.
#[derive(Clone)]
pub struct PostgresStore {
    inner: Arc<Inner>,
    runtime: Handle,
    /// The thread ends when the last clone of it is gone.
    _alive: mpsc::Sender<()>,
}

struct Inner {
    gate: Arc<Gate>,
    writer: Mutex<Writer>,
    desk: Mutex<Desk>,
    ledger: bb8::Pool<Readers>,
    readers: bb8::Pool<Readers>,
    replica: Option<(Arc<Gate>, bb8::Pool<Readers>)>,
}

/// A runtime that may be dropped inside another one.
struct OwnRuntime(Option<Runtime>);

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl PostgresStore {
    /// A store on this database, with a read replica for statistics if there is one. Returns the handle and the thread
    /// that does its work, with its name; calls wait until it runs. Nothing is connected yet.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the system refuses a runtime.
    pub fn open(
        settings: PostgresSettings,
        replica: Option<PostgresSettings>,
        clock: SharedClock,
    ) -> Result<(Self, (&'static str, StoreThread)), StoreError> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| {
            StoreError::Unavailable { what: format!("the system refused a runtime ({error})") }
        })?;
        let now: session::Clock = Arc::new(move || clock.now());
        let gate = Arc::new(Gate::new(settings, Arc::clone(&now)));
        let entered = runtime.enter();
        let connections = gate.settings.connections;
        let replica = replica.map(|settings| {
            let gate = Arc::new(Gate::new(settings, now));
            let pool = pool(&gate, Purpose::Replica, gate.settings.connections);
            (gate, pool)
        });
        let inner = Arc::new(Inner {
            ledger: pool(&gate, Purpose::Read, LEDGER_CONNECTIONS),
            readers: pool(&gate, Purpose::Read, connections),
            writer: Mutex::new(Writer::new(Arc::clone(&gate))),
            desk: Mutex::new(Desk::new(Arc::clone(&gate))),
            gate,
            replica,
        });
        drop(entered);
        let (alive, mut ended) = mpsc::channel(1);
        let store = Self { inner, runtime: runtime.handle().clone(), _alive: alive };
        let mut runtime = OwnRuntime(Some(runtime));
        let body: StoreThread = Box::new(move || {
            if let Some(runtime) = &mut runtime.0 {
                // Nothing is ever sent: it ends when all senders are gone.
                let _: Option<()> = runtime.block_on(ended.recv());
            }
        });
        Ok((store, ("store-postgres", body)))
    }

    /// Connects, and says what answered: where, and which version. The schema is not looked at.
    ///
    /// # Errors
    /// As any call.
    pub async fn probe(&self) -> Result<String, StoreError> {
        self.probe_as(Purpose::Read).await
    }

    /// The same, of a replica: one that takes no writes is welcome.
    ///
    /// # Errors
    /// As any call.
    pub async fn probe_replica(&self) -> Result<String, StoreError> {
        self.probe_as(Purpose::Replica).await
    }

    async fn probe_as(&self, purpose: Purpose) -> Result<String, StoreError> {
        let inner = Arc::clone(&self.inner);
        let asking = async move {
            let client = session::connect(&inner.gate.settings, purpose).await?;
            let row = client.query_one(SERVER_VERSION.text, &[]).await.map_err(session::failure)?;
            let version: String = row.get(0);
            Ok(format!("{}, PostgreSQL {version}", inner.gate.settings))
        };
        self.on_thread(self.inner.gate.settings.bounded(asking)).await
    }

    /// The changes of the schema that the database has had and lacks; with `apply`, it gets what it lacks.
    ///
    /// # Errors
    /// As any call.
    pub async fn migrations(&self, apply: bool) -> Result<Vec<Migration>, StoreError> {
        let inner = Arc::clone(&self.inner);
        let work = async move {
            let mut client = session::connect(&inner.gate.settings, Purpose::Read).await?;
            if apply {
                schema::migrate(&mut client, (inner.gate.clock)()).await?;
                // A connection may have been refused for the very schema that is there now.
                inner.gate.reopen();
            }
            schema::status(&client).await
        };
        if apply {
            self.on_thread(work).await
        } else {
            self.on_thread(self.inner.gate.settings.bounded(work)).await
        }
    }

    /// Runs `work` where the connections live. It goes on when whoever asked has gone.
    async fn on_thread<R: Send + 'static>(
        &self,
        work: impl Future<Output = Result<R, StoreError>> + Send + 'static,
    ) -> Result<R, StoreError> {
        self.runtime.spawn(work).await.map_err(|_| StoreError::Corrupt {
            what: "the thread of the PostgreSQL store has ended; restart the pool".into(),
        })?
    }

    /// For the API: from the replica if there is one that answers.
    async fn read<Q: Question>(&self, question: Q) -> Result<Q::Answer, StoreError> {
        let inner = Arc::clone(&self.inner);
        self.on_thread(async move {
            if let Some((gate, pool)) = &inner.replica {
                match ask(gate, pool, &question).await {
                    Ok(answer) => return Ok(answer),
                    Err(error) => {
                        tracing::debug!("the read replica can't answer, asking the primary: {error}");
                    }
                }
            }
            ask(&inner.gate, &inner.readers, &question).await
        })
        .await
    }

    /// For the ledger: whoever floods the API must not make it seem that the database is away.
    async fn read_for_ledger<Q: Question>(&self, question: Q) -> Result<Q::Answer, StoreError> {
        let inner = Arc::clone(&self.inner);
        self.on_thread(async move { ask(&inner.gate, &inner.ledger, &question).await }).await
    }
}

fn pool(gate: &Arc<Gate>, purpose: Purpose, connections: u32) -> bb8::Pool<Readers> {
    bb8::Pool::builder()
        .max_size(connections.max(1))
        .min_idle(0)
        .connection_timeout(gate.settings.connect_timeout)
        .idle_timeout(Duration::from_secs(300))
        .build_unchecked(Readers { gate: Arc::clone(gate), purpose })
}

/// Puts a question to one of the pool's connections, within the bound on statements.
async fn ask<Q: Question>(
    gate: &Gate,
    pool: &bb8::Pool<Readers>,
    question: &Q,
) -> Result<Q::Answer, StoreError> {
    if pool.state().idle_connections == 0 {
        gate.is_open()?;
    }
    let got = tokio::select! {
        got = pool.get() => got,
        error = gate.next_failure() => return Err(error),
    };
    let mut session = got.map_err(|error| match error {
        bb8::RunError::User(error) => error,
        bb8::RunError::TimedOut => {
            StoreError::Unavailable { what: "no connection to PostgreSQL came free in time".into() }
        }
    })?;
    // The server enforces its own bound; this one is for a server that has stopped altogether.
    let bound =
        if Q::LONG { AUDIT_MAX } else { gate.settings.statement_timeout + gate.settings.connect_timeout };
    // Whoever is dropped in the middle leaves a connection with somebody else's answer on its way.
    let session: &mut Session = &mut session;
    session.spoilt = true;
    let answer = timeout(bound, question.ask(session)).await.map_err(|_| StoreError::Unavailable {
        what: format!("{} did not answer within {} ms", gate.settings, bound.as_millis()),
    })?;
    session.spoilt = Q::LONG;
    answer
}

#[async_trait]
impl StorePort for PostgresStore {
    fn name(&self) -> &'static str {
        "postgres"
    }

    async fn nodes(&self) -> Result<Vec<String>, StoreError> {
        self.read_for_ledger(read::Nodes).await
    }

    async fn load(&self, node: &str) -> Result<LedgerState, StoreError> {
        let (inner, node) = (Arc::clone(&self.inner), node.to_owned());
        self.on_thread(async move { inner.writer.lock().await.load(&node).await }).await
    }

    async fn commit(&self, commit: Arc<LedgerCommit>) -> Result<Position, StoreError> {
        let inner = Arc::clone(&self.inner);
        self.on_thread(async move { inner.writer.lock().await.commit(&commit).await }).await
    }

    async fn splits(&self, blocks: Vec<BlockHash>) -> Result<BTreeMap<BlockHash, Split>, StoreError> {
        self.read_for_ledger(read::Splits(blocks)).await
    }

    async fn accounts(&self, after: Option<Account>, limit: usize) -> Result<Vec<AccountRow>, StoreError> {
        self.read(read::Accounts { after, limit }).await
    }

    async fn accounts_named(&self, accounts: Vec<Account>) -> Result<Vec<AccountRow>, StoreError> {
        self.read(read::AccountsNamed(accounts)).await
    }

    async fn share_hours(
        &self,
        account: Account,
        from: TimeMs,
        to: TimeMs,
    ) -> Result<Vec<ShareHour>, StoreError> {
        self.read(read::ShareHours { account, from, to }).await
    }

    async fn blocks(&self, query: BlockQuery) -> Result<Vec<BlockRow>, StoreError> {
        self.read(read::Blocks(query)).await
    }

    async fn block(&self, hash: BlockHash) -> Result<Option<(BlockRow, Vec<BlockStep>)>, StoreError> {
        self.read(read::OneBlock(hash)).await
    }

    async fn totals(&self) -> Result<Totals, StoreError> {
        self.read_for_ledger(read::AllTotals).await
    }

    async fn size_bytes(&self) -> Result<u64, StoreError> {
        self.read(read::SizeBytes).await
    }

    async fn check(&self) -> Result<Vec<Finding>, StoreError> {
        self.read_for_ledger(read::Check).await
    }
}
