//! The connection: made when it is needed, dropped when it fails, made again after a pause that grows.
//!
//! The crate's own connection manager is not used: it knows no Sentinels, and lets callers wait while it connects again;
//! here whoever asks while the server is away is told so at once.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, ErrorKind, Pipeline, RedisError, RedisFuture,
    RedisResult, ServerErrorKind, Value,
    aio::{ConnectionLike, MultiplexedConnection, PubSub},
    cluster::ClusterClient,
    cluster_async::ClusterConnection,
    sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType},
};
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

use super::settings::{Place, RedisSettings};
use crate::ports::cache::CacheError;

/// Pause after the first failed try to connect...
const PAUSE_MIN: Duration = Duration::from_millis(50);
/// ...doubled with each further one, up to this.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// A connection that commands of all callers share.
#[derive(Clone)]
pub(super) enum Link {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl ConnectionLike for Link {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::One(link) => link.req_packed_command(cmd),
            Self::Cluster(link) => link.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::One(link) => link.req_packed_commands(pipeline, offset, count),
            Self::Cluster(link) => link.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::One(link) => link.get_db(),
            Self::Cluster(link) => link.get_db(),
        }
    }
}

#[derive(Clone)]
enum State {
    /// Nobody has asked yet, or what was there broke.
    Idle,
    Connecting,
    /// Which connection it is, by number.
    Up(u64, Link),
    Down {
        error: CacheError,
        until: Instant,
    },
}

/// See the module's documentation.
pub(super) struct Line {
    settings: RedisSettings,
    state: watch::Sender<State>,
    pause: Mutex<Duration>,
}

impl Line {
    pub(super) fn new(settings: RedisSettings) -> Self {
        Self { settings, state: watch::Sender::new(State::Idle), pause: Mutex::new(PAUSE_MIN) }
    }

    /// Runs commands within the bound on one; on the thread of the connections.
    pub(super) async fn run<R, F: Future<Output = RedisResult<R>>>(
        self: &Arc<Self>,
        commands: impl FnOnce(Link) -> F,
    ) -> Result<R, CacheError> {
        let work = async {
            let (number, link) = self.link().await?;
            commands(link).await.map_err(|error| self.failed(number, &error))
        };
        match timeout(self.settings.timeout, work).await {
            Ok(done) => done,
            Err(_) => {
                // What it still has to say would be the answer to an older question.
                let what = format!(
                    "{} did not answer within {} ms",
                    self.settings,
                    self.settings.timeout.as_millis()
                );
                self.state.send_if_modified(|state| {
                    let is_up = matches!(state, State::Up(..));
                    if is_up {
                        *state = State::Idle;
                    }
                    is_up
                });
                Err(CacheError::Unavailable { what })
            }
        }
    }

    async fn link(self: &Arc<Self>) -> Result<(u64, Link), CacheError> {
        let mut states = self.state.subscribe();
        loop {
            let state = states.borrow_and_update().clone();
            match state {
                State::Up(number, link) => return Ok((number, link)),
                State::Down { error, until } if Instant::now() < until => return Err(error),
                State::Connecting => {}
                State::Idle | State::Down { .. } => {
                    self.state.send_replace(State::Connecting);
                    // On its own: it is of use to the next one when this one has no time left.
                    tokio::spawn(Arc::clone(self).connect());
                }
            }
            if states.changed().await.is_err() {
                return Err(CacheError::Unavailable { what: "the pool stops".to_owned() });
            }
        }
    }

    async fn connect(self: Arc<Self>) {
        let made = self.bounded(connect(&self.settings)).await;
        let mut pause = self.pause.lock().unwrap_or_else(PoisonError::into_inner);
        let state = match made {
            Ok(link) => {
                *pause = PAUSE_MIN;
                State::Up(rand::random(), link)
            }
            Err(error) => {
                let until = Instant::now() + *pause;
                *pause = (*pause * 2).min(PAUSE_MAX);
                State::Down { error, until }
            }
        };
        self.state.send_replace(state);
    }

    /// A connection of its own for messages.
    pub(super) async fn subscribe(&self, channel: &str) -> Result<PubSub, CacheError> {
        self.bounded(async {
            let mut subscriber = subscriber(&self.settings).await?;
            subscriber.subscribe(channel).await?;
            Ok(subscriber)
        })
        .await
    }

    async fn bounded<R>(&self, work: impl Future<Output = RedisResult<R>>) -> Result<R, CacheError> {
        let bound = self.settings.connect_timeout;
        match timeout(bound, work).await {
            Ok(done) => done.map_err(|error| self.means(&error)),
            Err(_) => Err(CacheError::Unavailable {
                what: format!("{} can't be connected to within {} ms", self.settings, bound.as_millis()),
            }),
        }
    }

    fn failed(&self, number: u64, error: &RedisError) -> CacheError {
        let meaning = self.means(error);
        if matches!(meaning, CacheError::Unavailable { .. }) {
            self.state.send_if_modified(|state| {
                // Somebody may have connected again meanwhile.
                let is_ours = matches!(state, State::Up(of, _) if *of == number);
                if is_ours {
                    *state = State::Idle;
                }
                is_ours
            });
        }
        meaning
    }

    /// An error of the server itself is an answer, unless it says that another server would have to be asked, or later.
    fn means(&self, error: &RedisError) -> CacheError {
        use ServerErrorKind::{BusyLoading, ClusterDown, MasterDown, ReadOnly, TryAgain};
        let what = format!("{}: {error}", self.settings);
        match error.kind() {
            ErrorKind::Server(BusyLoading | ClusterDown | MasterDown | ReadOnly | TryAgain) => {
                CacheError::Unavailable { what }
            }
            ErrorKind::Server(_)
            | ErrorKind::Extension
            | ErrorKind::AuthenticationFailed
            | ErrorKind::UnexpectedReturnType => CacheError::Refused { what },
            _ => CacheError::Unavailable { what },
        }
    }
}

async fn connect(settings: &RedisSettings) -> RedisResult<Link> {
    // The bound on a command is kept above; the crate's own comes after it, for what nobody waits for any more.
    let given_up = settings.timeout + settings.connect_timeout;
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(settings.connect_timeout))
        .set_response_timeout(Some(given_up));
    match &settings.place {
        Place::One(info) => {
            let client = client(settings, info)?;
            Ok(Link::One(client.get_multiplexed_async_connection_with_config(&config).await?))
        }
        Place::Sentinel { .. } => {
            let client = master(&settings.place).await?;
            Ok(Link::One(client.get_multiplexed_async_connection_with_config(&config).await?))
        }
        Place::Cluster(nodes) => {
            let mut builder = ClusterClient::builder(nodes.clone())
                .connection_timeout(settings.connect_timeout)
                .response_timeout(given_up);
            if let Some(certificates) = settings.certificates() {
                builder = builder.certs(certificates);
            }
            Ok(Link::Cluster(builder.build()?.get_async_connection().await?))
        }
    }
}

/// One server. Its certificate is checked as the address says: by whom the system trusts, or by the named authority.
fn client(settings: &RedisSettings, info: &ConnectionInfo) -> RedisResult<Client> {
    match settings.certificates() {
        Some(certificates) => Client::build_with_tls(info.clone(), certificates),
        None => Client::open(info.clone()),
    }
}

/// Asks the Sentinels anew each time: after a failover another server is the one that takes writes.
async fn master(place: &Place) -> RedisResult<Client> {
    let Place::Sentinel { sentinels, service, server } = place else {
        return Err(RedisError::from((ErrorKind::InvalidClientConfig, "no Sentinels are configured")));
    };
    let server = SentinelNodeConnectionInfo::default().set_redis_connection_info(server.clone());
    SentinelClient::build(sentinels.clone(), service.clone(), Some(server), SentinelServerType::Master)?
        .async_get_client()
        .await
}

/// A cluster hands a message to all its nodes: any will do.
async fn subscriber(settings: &RedisSettings) -> RedisResult<PubSub> {
    match &settings.place {
        Place::One(info) => client(settings, info)?.get_async_pubsub().await,
        place @ Place::Sentinel { .. } => master(place).await?.get_async_pubsub().await,
        Place::Cluster(nodes) => {
            let mut failure = None;
            for node in nodes {
                match client(settings, node)?.get_async_pubsub().await {
                    Ok(subscriber) => return Ok(subscriber),
                    Err(error) => failure = Some(error),
                }
            }
            Err(failure.unwrap_or_else(|| RedisError::from((ErrorKind::InvalidClientConfig, "no nodes"))))
        }
    }
}
