//! A rig for the API (real store, real hub), and its routes.

use std::{
    borrow::Cow,
    io::Read as _,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, LazyLock, Mutex},
};

use actix_web::{
    http::{Method, StatusCode, header},
    test::{TestRequest, call_service, read_body},
};
use async_trait::async_trait;
use pool_domain::{
    ban_list::{Ban, BanList, BanReason},
    difficulty::Difficulty,
    ids::{Account, AlgorithmName, BlockHash, PayoutId, SessionId, ShareSeq, WorkerName},
    maturity::{BlockEvent, BlockLife, Color},
    units::{Amount, BasisPoints, TimeMs, Work},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    Asset, Assets, ConfigDesk, ConfigShown, Context, Currency, DeployDefaults, MetricsHandle, SessionDesk,
    errors::{ApiError, ErrorCode},
    schema::Described,
};
use crate::{
    adapters::{cache_memory::MemoryCache, sqlite::SqliteStore},
    auth::{self, Auth},
    config::{self, Http},
    error::{Code, Failure},
    messages::{
        cache::{BanDesk, CacheStatus},
        deployment::{
            AlgorithmDoors, AlgorithmsView, Deploy, DeployError, DeploymentView, StagePackage,
            SteerDeployment,
        },
        event::MinerSeen,
        job::{CurrentJob, NodeState},
        ledger::LedgerSummary,
        live::{
            Events, HistoryPoint, LiveMiners, MinerStats, Miners, MinersFound, MinersWanted, PoolSnapshot,
            WorkerDifficulties, WorkerStats,
        },
        payout::{InTheWay, PayoutStatus, Stuck},
        session::{SessionCommand, SessionView},
        share::WorkerIdentity,
        stats::ShareCounts,
    },
    ports::{
        cache::Cache,
        clock::Clock,
        deployments::{DeployPlan, Strategy},
        logs::{LogBook, LogLevel},
        store::{
            BlockChange, BlockRow, BlockStep, Finding, LedgerCommit, Position, ShareDelta, SharedStore,
            StoreError,
        },
    },
    runtime::{
        observe::Registry,
        outbox::Outbox,
        shutdown::{Shutdown, StopReason},
        threads::Thread,
        watch::{Publisher, watched},
    },
};

pub(super) const TOKEN: &str = "a-token-for-tests";
pub(super) const NOW: TimeMs = TimeMs(1_700_000_000_000);

/// The application as it is served. (Its type can't be written without naming actix-web's lower layers.)
/// The whole API of a rig, as the server has it.
macro_rules! app {
    ($rig:expr) => {
        actix_web::test::init_service(
            actix_web::App::new()
                .app_data($crate::api::Api::new($rig.context()))
                .wrap(actix_web::middleware::from_fn($crate::api::access::guard))
                .wrap(actix_web::middleware::Compress::default())
                .configure($crate::api::server::configure),
        )
        .await
    };
}
pub(super) use app;

struct StoppedClock;

impl Clock for StoppedClock {
    fn now(&self) -> TimeMs {
        NOW
    }
}

#[derive(Default)]
struct Desk(Mutex<Vec<SessionCommand>>);

#[async_trait]
impl SessionDesk for Desk {
    async fn list(&self) -> Vec<SessionView> {
        vec![SessionView {
            miner: MinerSeen {
                session: SessionId(5),
                account: Some("alice".into()),
                worker: Some("rig".into()),
                peer: "192.0.2.1:5".into(),
                agent: None,
            },
            listener: 0,
            variant: "plain",
            difficulty: Some(Difficulty::whole(8)),
            algorithm: Some("blake2s".into()),
            algorithms: None,
            without_work: false,
            connected_at: NOW,
            last_share_at: TimeMs(0),
            claim: None,
        }]
    }

    async fn command_all(&self, command: SessionCommand) -> usize {
        self.0.lock().unwrap().push(command);
        3
    }

    async fn close(&self, session: SessionId) -> bool {
        self.0.lock().unwrap().push(SessionCommand::Close);
        session == SessionId(5)
    }

    async fn close_from(&self, _: IpAddr) -> usize {
        2
    }
}

/// A list of bans without anybody who would enforce them.
#[derive(Default)]
struct Bans(Mutex<BanList>);

impl BanDesk for Bans {
    fn list(&self) -> BanList {
        self.0.lock().unwrap().clone()
    }

    fn changes(&self) -> u64 {
        0
    }

    fn take(&self, bans: &BanList) {
        self.0.lock().unwrap().extend(bans.clone());
    }

    fn forbid(&self, address: IpAddr, for_ms: u64, _: &str) -> (IpAddr, Ban) {
        let ban =
            Ban { decided_at: NOW, lifted: false, until: NOW.plus_ms(for_ms), reason: BanReason::Operator };
        self.take(&[(address, ban)].into());
        (address, ban)
    }

    fn words(&self, _: IpAddr, ban: &Ban) -> Option<String> {
        (ban.reason == BanReason::Operator).then(|| "it floods".to_owned())
    }

    fn lift(&self, address: IpAddr) -> bool {
        self.0.lock().unwrap().remove(&address).is_some()
    }
}

/// A configuration whose newer file is good for a dry run, and has a fault else.
struct Configured;

impl ConfigDesk for Configured {
    fn shown(&self) -> ConfigShown {
        let sections = config::view(&config::Config::default(), &config::Sources::new());
        ConfigShown { file: Some("pool.toml".into()), read_at: NOW, sections, waiting: Vec::new() }
    }

    fn reload(&self, dry_run: bool) -> Result<Vec<config::Change>, Failure> {
        let change = config::Change {
            key: "log.level".into(),
            from: "\"info\"".into(),
            to: "\"debug\"".into(),
            live: true,
        };
        let fault =
            Failure::new(Code::ConfigInvalid, "pool.toml: unknown key log.levl", "did you mean `level`?");
        if dry_run { Ok(vec![change]) } else { Err(fault) }
    }
}

/// A supervisor that has nothing to deploy, or has ended.
struct Idle {
    ended: bool,
}

impl actix::Actor for Idle {
    type Context = actix::Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        if self.ended {
            actix::ActorContext::stop(context);
        }
    }
}

impl actix::Handler<StagePackage> for Idle {
    type Result = ();
    fn handle(&mut self, _: StagePackage, _: &mut Self::Context) {}
}

impl actix::Handler<Deploy> for Idle {
    type Result = Result<DeploymentView, DeployError>;
    fn handle(&mut self, deploy: Deploy, _: &mut Self::Context) -> Self::Result {
        Err(match (deploy.plan.at, deploy.digest) {
            (Some(_), _) => DeployError::InProgress(7),
            (None, Some(_)) => DeployError::StagedChanged { staged: "blake2s_1.0.0".into() },
            (None, None) => DeployError::NothingStaged,
        })
    }
}

impl actix::Handler<SteerDeployment> for Idle {
    type Result = Result<DeploymentView, DeployError>;
    fn handle(&mut self, order: SteerDeployment, _: &mut Self::Context) -> Self::Result {
        Err(DeployError::NotUnderWay(order.id))
    }
}

fn algorithms(ended: bool) -> AlgorithmDoors {
    use actix::Actor as _;
    let idle = Idle { ended }.start();
    AlgorithmDoors {
        view: watched(AlgorithmsView::default()).1,
        stage: Outbox::new("AlgorithmSupervisor", idle.clone().recipient()),
        deploy: Outbox::new("AlgorithmSupervisor", idle.clone().recipient()),
        steer: Outbox::new("AlgorithmSupervisor", idle.recipient()),
    }
}

fn deploy_defaults() -> DeployDefaults {
    DeployDefaults {
        plan: DeployPlan {
            isolation: Default::default(),
            strategy: Strategy::Gradual,
            shadow_ms: 300_000,
            phase_ms: 600_000,
            shadow_share: BasisPoints(100),
            steps: [5, 10, 25, 50, 75, 100].map(BasisPoints::percent).to_vec(),
            at: None,
            rollback_on_error: true,
            notify: Vec::new(),
        },
        drain_ms: 2_000,
    }
}

/// An API with everything around it that a test can turn.
pub(super) struct Rig {
    pub(super) events: Events,
    pub(super) snapshot: Publisher<PoolSnapshot>,
    pub(super) http: Http,
    readers: crate::config::Metrics,
    node: Publisher<NodeState>,
    pub(super) ledger: Publisher<LedgerSummary>,
    pub(super) store: SharedStore,
    sqlite: SqliteStore,
    desk: Arc<Desk>,
    trouble: Option<String>,
    cache: Publisher<CacheStatus>,
    payouts: Publisher<PayoutStatus>,
    bans: Arc<Bans>,
    logs: LogBook,
    pub(super) auth: Auth,
    pub(super) shared: Cache,
    pub(super) shutdown: Shutdown,
    supervisor_ended: bool,
    system: crate::messages::system::SystemFigures,
    folder: TempDir,
}

fn auth(store: &SqliteStore, cache: &Cache, folder: &TempDir, settings: crate::config::Auth) -> Auth {
    Auth::new(auth::Parts {
        users: Arc::new(store.clone()),
        cache: cache.clone(),
        clock: Arc::new(StoppedClock),
        key: vec![7; 32],
        settings,
        pool_name: "Test Pool".into(),
        node: "node-0".into(),
        alarm: Arc::new(|_, _| {}),
        mailer: crate::adapters::notify::mailer(&crate::config::Mail::default(), folder.path()).unwrap(),
        public_url: "https://pool.example.org".into(),
    })
}

impl Rig {
    /// A pool that is ready, with three blocks and some shares of two accounts.
    pub(super) async fn new() -> Self {
        let rig = Self::with_store(true);
        rig.store.commit(Arc::new(commit())).await.unwrap();
        let totals = rig.store.totals().await.unwrap();
        rig.ledger.set(LedgerSummary { ready: true, totals, at: NOW, ..LedgerSummary::default() });
        rig
    }

    pub(super) fn with_store(running: bool) -> Self {
        let folder = TempDir::new().unwrap();
        let (store, threads) = SqliteStore::open(&folder.path().join("pool.db"), NOW).unwrap();
        for (name, body) in threads.into_iter().filter(|_| running) {
            // Ends with the store.
            drop(Thread::spawn(name, body).unwrap());
        }
        let events = Events::new();
        events.begin(NOW);
        let shared = Cache::new(Arc::new(MemoryCache::default()), "test");
        let auth = auth(&store, &shared, &folder, crate::config::Auth::default());
        Self {
            auth,
            shared,
            events,
            snapshot: watched(snapshot()).0,
            http: Http { feeds_max: 10, ..Http::default() },
            readers: crate::config::Metrics::default(),
            node: watched(node()).0,
            ledger: watched(LedgerSummary { ready: true, ..LedgerSummary::default() }).0,
            store: Arc::new(store.clone()),
            sqlite: store,
            desk: Arc::default(),
            trouble: None,
            cache: watched(CacheStatus::default()).0,
            payouts: watched(PayoutStatus::default()).0,
            bans: Arc::default(),
            logs: LogBook::new(100),
            shutdown: Shutdown::new(),
            supervisor_ended: false,
            system: crate::messages::system::SystemFigures::default(),
            folder,
        }
    }

    /// From now on the role asks for a second factor.
    pub(super) fn demand_second_factor_of(&mut self, role: crate::ports::users::Role) {
        let settings =
            crate::config::Auth { mfa_required: vec![role.to_string()], ..crate::config::Auth::default() };
        self.auth = auth(&self.sqlite, &self.shared, &self.folder, settings);
    }

    pub(super) fn context(&self) -> Context {
        let trouble = self.trouble.clone();
        Context {
            pool_name: "Test Pool".into(),
            about: super::PoolAbout::of(&crate::config::Config::default()),
            currency: Currency { symbol: "SIM", decimals: 8 },
            clock: Arc::new(StoppedClock),
            store: Arc::clone(&self.store),
            books: Arc::new(self.sqlite.clone()),
            snapshot: self.snapshot.watched(),
            node: self.node.watched(),
            ledger: self.ledger.watched(),
            journal: Arc::new(move || trouble.clone()),
            cache: self.cache.watched(),
            node_name: "node-0".to_owned(),
            shared_cache: self.shared.clone(),
            bans: Arc::<Bans>::clone(&self.bans),
            config: Arc::new(Configured),
            logs: self.logs.clone(),
            alerts: crate::alerts::tests::doors(),
            events: self.events.clone(),
            signed: Arc::new(|_, _, _| None),
            sessions: Arc::<Desk>::clone(&self.desk),
            algorithms: algorithms(self.supervisor_ended),
            payouts: Arc::new(self.sqlite.clone()),
            payout_doors: None,
            payout_status: self.payouts.watched(),
            deployments: Arc::new(self.sqlite.clone()),
            row_view: Arc::new(|row| crate::algorithm::deployment::view(row, None)),
            deploy_defaults: deploy_defaults(),
            shelf: None,
            upload_bytes_max: 1_000,
            import: Arc::new(|_| Err("nothing is imported".to_owned())),
            shutdown: self.shutdown.clone(),
            registry: Registry::new(),
            metrics_readers: super::MetricsReaders::of(&self.readers).unwrap(),
            metrics: MetricsHandle::install(),
            system: watched(self.system).1,
            admin_token: TOKEN.into(),
            auth: self.auth.clone(),
            assets: Assets::new(asset),
            http: self.http.clone(),
            history_days: 90,
        }
    }

    /// Keeps an address out.
    pub(super) fn ban(&self, address: IpAddr, ban: Ban) {
        self.bans.0.lock().unwrap().insert(address, ban);
    }

    /// A request's status and JSON.
    pub(super) async fn ask(&self, request: TestRequest) -> (StatusCode, Value) {
        let app = app!(self);
        let request = request.to_request();
        let (method, path) = (request.method().to_string(), request.path().to_owned());
        let response = call_service(&app, request).await;
        let status = response.status();
        let media = media(response.headers());
        let body = read_body(response).await;
        as_described(&method, &path, status, &media, &body);
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    pub(super) async fn get(&self, uri: &str) -> Value {
        let (status, body) = self.ask(TestRequest::get().uri(uri)).await;
        assert_eq!(status, StatusCode::OK, "{uri}: {body}");
        body
    }

    /// An answer that is not JSON.
    pub(super) async fn text(&self, uri: &str) -> String {
        let app = app!(self);
        let response = call_service(&app, TestRequest::get().uri(uri).to_request()).await;
        assert_eq!(response.status(), StatusCode::OK, "{uri}");
        String::from_utf8(read_body(response).await.to_vec()).unwrap()
    }

    /// The error of a request.
    /// The account is the user's.
    pub(super) async fn claim(&self, account: &str, user: &str) {
        use crate::ports::users::{ClaimedBy, UserStore as _};
        let (account, user) = (account.to_owned(), user.to_owned());
        assert!(self.sqlite.claim_account(NOW, account, user, ClaimedBy::Signature).await.unwrap());
    }

    pub(super) async fn refused(&self, request: TestRequest, status: StatusCode, code: &str) -> Value {
        let (answered, body) = self.ask(request).await;
        assert_eq!((answered, body["error"]["code"].as_str()), (status, Some(code)), "{body}");
        body["error"].clone()
    }
}

fn media(headers: &header::HeaderMap) -> String {
    headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_owned()
}

/// Every answer that a test gets is as the API's description says.
pub(super) fn as_described(method: &str, path: &str, status: StatusCode, media: &str, body: &[u8]) {
    static DESCRIBED: LazyLock<Described> = LazyLock::new(|| Described::new(super::openapi()));
    if let Err(error) = DESCRIBED.check(method, path, status.as_u16(), media, body) {
        panic!("{method} {path} is not answered as described: {error}");
    }
}

fn asset(path: &str) -> Option<Asset> {
    let (bytes, kind) = match path {
        "/assets/app-123.js" | "/assets/packed-1.js" => {
            ("console.log('pool');".repeat(200), "text/javascript")
        }
        "/api-docs.html" => ("<!doctype html>api".to_owned(), "text/html; charset=utf-8"),
        path if path.contains('.') => return None,
        _ => ("<!doctype html>".to_owned(), "text/html; charset=utf-8"),
    };
    Some(Asset {
        bytes: Cow::Owned(bytes.into_bytes()),
        // Whatever a client that can't unpack it would stumble over.
        brotli: path.contains("packed").then_some(Cow::Borrowed(b"packed".as_slice())),
        content_type: kind.to_owned(),
        etag: "\"e1\"".to_owned(),
        is_missing: path.ends_with("/nothing-here"),
    })
}

pub(super) fn account(name: &str) -> Account {
    Account::new(name).unwrap()
}

fn algorithm() -> AlgorithmName {
    AlgorithmName::new("blake2s").unwrap()
}

pub(super) fn block_row(number: u8, events: &[BlockEvent]) -> BlockChange {
    let mut life = BlockLife::new();
    for event in events {
        life.apply(event.clone()).unwrap();
    }
    let row = BlockRow {
        number: 0,
        hash: BlockHash([number; 32]),
        candidate: number.into(),
        candidate_seq: ShareSeq(number.into()),
        anchor: None,
        fallback: ShareSeq(0),
        algorithm: algorithm(),
        network_work: Work(1 << 40),
        height: Some(number.into()),
        parents: vec![BlockHash([number - 1; 32])],
        account: account("alice"),
        worker: WorkerName::new("rig").unwrap(),
        found_at: NOW,
        life,
        income: BlockLife::new(),
        confirmations: 2,
        merging_block: None,
        reason: None,
    };
    let step = BlockStep { at: NOW, status: row.life.stage(), color: row.life.color(), reason: None };
    BlockChange { row, split: None, steps: vec![step], parents_changed: true }
}

fn commit() -> LedgerCommit {
    let delta = |name: &str, worker: &str, accepted| ShareDelta {
        account: account(name),
        worker: WorkerName::new(worker).unwrap(),
        algorithm: algorithm(),
        accepted,
        work: Work(u128::from(accepted) << 70),
        last_share_at: NOW,
    };
    let blue = BlockEvent::Colored { color: Color::Blue, reward: Some(Amount(5_000_000_000)) };
    LedgerCommit {
        node: "n".into(),
        expected: Position::default(),
        seq: ShareSeq(9),
        at: NOW,
        shares: vec![delta("alice", "rig", 7), delta("alice", "old", 5), delta("bob", "", 1)],
        blocks: vec![
            block_row(1, &[]),
            block_row(2, &[BlockEvent::Submitted, BlockEvent::Rejected("bad".into())]),
            block_row(3, &[BlockEvent::Submitted, BlockEvent::Accepted, blue]),
        ],
        ..LedgerCommit::default()
    }
}

pub(super) fn snapshot() -> PoolSnapshot {
    let counts = ShareCounts { accepted: 99, rejected: 3, stale: 2, duplicate: 1, ..ShareCounts::default() };
    let worker = WorkerStats {
        identity: Arc::new(WorkerIdentity {
            account: account("alice"),
            worker: WorkerName::new("rig").unwrap(),
        }),
        hashrate: 1_000_000,
        shares: counts,
        sessions: 1,
        difficulty: Difficulty::whole(8),
        last_share_at: NOW,
        connected_since: Some(NOW),
    };
    let miner = MinerStats {
        account: account("alice"),
        hashrate: 1_000_000,
        shares: counts,
        connected_since: Some(NOW),
        last_share_at: NOW,
        workers: vec![worker],
    };
    PoolSnapshot {
        at: NOW,
        algorithm: Some(algorithm()),
        hashrate: 1_000_000,
        shares: counts,
        shares_per_1000_s: 1_500,
        connections: 1,
        miners_connected: 1,
        workers_connected: 1,
        miners: Miners::new(Arc::new(Listed(vec![miner]))),
        work: Work(1 << 39),
        history: [HistoryPoint { at: NOW, hashrate: 1_000_000, shares_per_1000_s: 1_500 }].into(),
    }
}

/// Figures that do not change.
struct Listed(Vec<MinerStats>);

impl LiveMiners for Listed {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn fastest(&self, most: usize) -> Vec<MinerStats> {
        self.0.iter().take(most).cloned().collect()
    }

    fn find(&self, account: &Account) -> Option<MinerStats> {
        self.0.iter().find(|miner| miner.account == *account).cloned()
    }

    fn mining_after(&self, after: Option<&Account>, most: usize) -> Vec<MinerStats> {
        let after = |miner: &&MinerStats| after.is_none_or(|after| miner.account > *after);
        self.0.iter().filter(after).take(most).cloned().collect()
    }

    fn sorted(&self, wanted: &MinersWanted) -> MinersFound {
        let fits = |miner: &&MinerStats| {
            wanted.search.as_deref().is_none_or(|search| miner.account.as_str().contains(search))
        };
        let items: Vec<_> = self.0.iter().filter(fits).map(|miner| (miner.hashrate, miner.clone())).collect();
        MinersFound { total: items.len(), items }
    }

    fn difficulties(&self, account: &Account) -> Vec<WorkerDifficulties> {
        let miner = self.find(account);
        let worker = miner.and_then(|miner| miner.workers.first().cloned());
        let known = worker.map(|worker| WorkerDifficulties {
            identity: worker.identity,
            changes: vec![(NOW, Difficulty::whole(8)), (NOW, worker.difficulty)],
        });
        known.into_iter().collect()
    }
}

fn node() -> NodeState {
    NodeState {
        name: "simulated".into(),
        ready: true,
        network: "simnet".into(),
        endpoints: 2,
        last_template_at: NOW,
        latency_ms: 3,
        job: Some(CurrentJob {
            id: "5a1".into(),
            algorithm: "blake2s".into(),
            height: Some(12),
            parents: vec!["bb".into()],
            network_difficulty: "4096".into(),
            network_work: Work(1 << 40),
            template_at: NOW.minus_ms(1_500),
        }),
        ..NodeState::default()
    }
}

/// The value of a header that must be there.
fn text<B>(response: &actix_web::dev::ServiceResponse<B>, name: &str) -> String {
    let value = response.headers().get(name).unwrap_or_else(|| panic!("no header {name}"));
    value.to_str().unwrap().to_owned()
}

pub(super) fn bearer(request: TestRequest, token: &str) -> TestRequest {
    request.insert_header((header::AUTHORIZATION, format!("Bearer {token}")))
}

#[actix_rt::test]
async fn every_route_asks_for_the_token_that_it_should() {
    let rig = Rig::new().await;
    let public = [
        "/",
        "/miners",
        "/assets/app-123.js",
        "/health/live",
        "/health/ready",
        "/metrics",
        "/api/stats",
        "/api/miners",
        "/api/miners/alice",
        "/api/miners/alice/earnings",
        "/api/blocks",
        "/docs/errors",
        "/docs/errors/UNAUTHORIZED",
    ];
    for path in public {
        let (status, _) = rig.ask(TestRequest::get().uri(path)).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        for wrong in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
            let request = TestRequest::default().method(wrong.clone()).uri(path);
            rig.refused(request, StatusCode::UNAUTHORIZED, "UNAUTHORIZED").await;
        }
    }
    let guarded = [
        (Method::GET, "/api/admin/system", StatusCode::OK),
        (Method::GET, "/api/admin/connections", StatusCode::OK),
        (Method::POST, "/api/admin/announce", StatusCode::BAD_REQUEST),
        (Method::GET, "/api/admin/ledger/adjustments", StatusCode::OK),
        (Method::POST, "/api/admin/ledger/adjustments", StatusCode::BAD_REQUEST),
        (Method::GET, "/api/payouts", StatusCode::OK),
        (Method::GET, "/api/payouts/7", StatusCode::NOT_FOUND),
        (Method::GET, "/api/admin/payouts", StatusCode::OK),
        (Method::GET, "/api/admin/payouts/audit", StatusCode::OK),
        (Method::GET, "/api/admin/payouts/dry-run", StatusCode::CONFLICT),
        (Method::POST, "/api/admin/payouts/run", StatusCode::CONFLICT),
        (Method::POST, "/api/admin/payouts/hold", StatusCode::BAD_REQUEST),
        (Method::POST, "/api/admin/payouts/release", StatusCode::BAD_REQUEST),
        (Method::POST, "/api/admin/payouts/threshold", StatusCode::BAD_REQUEST),
        (Method::POST, "/api/payouts", StatusCode::METHOD_NOT_ALLOWED),
        (Method::GET, "/api", StatusCode::NOT_FOUND),
        (Method::GET, "/api/statsx", StatusCode::NOT_FOUND),
        (Method::POST, "/api/stats", StatusCode::METHOD_NOT_ALLOWED),
        (Method::GET, "/api/admin/../stats", StatusCode::NOT_FOUND),
        // The router decodes before it matches.
        (Method::GET, "/%61pi/admin/system", StatusCode::OK),
        (Method::GET, "/api/%61dmin/connections", StatusCode::OK),
        (Method::GET, "/a%70i/admin/%73ystem", StatusCode::OK),
        (Method::GET, "/healthz", StatusCode::OK),
    ];
    for (method, path, with_token) in guarded {
        let request = || TestRequest::default().method(method.clone()).uri(path);
        if path != "/healthz" {
            for token in [None, Some(""), Some("wrong"), Some("a-token-for-test")] {
                let request = token.map_or_else(&request, |token| bearer(request(), token));
                rig.refused(request, StatusCode::UNAUTHORIZED, "UNAUTHORIZED").await;
            }
            let basic = request().insert_header((header::AUTHORIZATION, format!("Basic {TOKEN}")));
            rig.refused(basic, StatusCode::UNAUTHORIZED, "UNAUTHORIZED").await;
        }
        let (status, body) = rig.ask(bearer(request(), TOKEN)).await;
        assert_eq!(status, with_token, "{method} {path}: {body}");
    }
}

#[actix_rt::test]
async fn what_is_to_be_held_is_said_once_and_by_name() {
    let rig = Rig::new().await;
    let of = |path: &str, body: &str| {
        let request = TestRequest::post().uri(path).insert_header((header::CONTENT_TYPE, "application/json"));
        bearer(request.set_payload(body.to_owned()), TOKEN)
    };
    for path in ["/api/admin/payouts/hold", "/api/admin/payouts/release"] {
        for (body, words) in [
            (r#"{"scope":"all","id":"7","reason":"x"}"#, "id: belongs to scope payout, not to all"),
            (
                r#"{"scope":"all","account":"alice","reason":"x"}"#,
                "account: belongs to scope account, not to all",
            ),
            (r#"{"scope":"account","id":"7","account":"alice","reason":"x"}"#, "id: belongs to scope payout"),
            (
                r#"{"scope":"payout","id":"7","account":"alice","reason":"x"}"#,
                "account: belongs to scope account",
            ),
            (r#"["all",null,null,"x"]"#, "expected an object"),
        ] {
            let error = rig.refused(of(path, body), StatusCode::BAD_REQUEST, "BAD_REQUEST").await;
            assert!(error["message"].as_str().unwrap().contains(words), "{path} {body}: {error}");
        }
    }
    for (path, body) in [
        ("/api/admin/payouts/threshold", r#"["alice",null]"#),
        ("/api/admin/announce", r#"["hello"]"#),
        ("/api/admin/ledger/adjustments", r#"["r","alice","1","a","b",false]"#),
        ("/api/algorithms/deploy", "[{}]"),
        ("/api/algorithms/deploy", r#"{"config":[]}"#),
    ] {
        let error = rig.refused(of(path, body), StatusCode::BAD_REQUEST, "BAD_REQUEST").await;
        assert!(error["message"].as_str().unwrap().contains("expected an object"), "{path} {body}: {error}");
    }
    let ended = super::errors::ApiError::from(StoreError::Ended { what: "payout 7".into() });
    assert_eq!(actix_web::ResponseError::status_code(&ended), StatusCode::CONFLICT);
    assert_eq!(ended.to_string(), "nothing is held: payout 7 has ended");
}

#[actix_rt::test]
async fn payouts_that_are_stuck_are_named_with_what_is_in_their_way() {
    let rig = Rig::new().await;
    let desk = async || {
        let (status, body) = rig.ask(bearer(TestRequest::get().uri("/api/admin/payouts"), TOKEN)).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        body
    };
    let calm = desk().await;
    assert_eq!(calm["stuck"], json!({ "round": false, "plan": false, "payouts": [] }));
    let nothing = (&Value::Null, &json!([]), &json!([]));
    assert_eq!((&calm["trouble"], &calm["troubles"], &calm["suggested_actions"]), nothing);

    let words = "another process of this database pays";
    rig.payouts.set(PayoutStatus { standing_by: Some(words.to_owned()), ..PayoutStatus::default() });
    let other = desk().await;
    assert_eq!(other["standing_by"], words);
    assert_eq!((&other["trouble"], &other["troubles"], &other["suggested_actions"]), nothing);

    let payout = PayoutId(7);
    let away = InTheWay { payout: None, what: "away".into() };
    let refused = InTheWay { payout: Some(payout), what: "not now; not yet".into() };
    rig.payouts.set(PayoutStatus {
        stuck: Stuck { round: true, plan: false, payouts: [payout].into() },
        troubles: vec![away, refused],
        ..PayoutStatus::default()
    });
    let stuck = desk().await;
    assert_eq!(stuck["stuck"], json!({ "round": true, "plan": false, "payouts": ["7"] }));
    assert_eq!(stuck["trouble"], "away; payout 7: not now; not yet");
    let each =
        [json!({ "payout": null, "what": "away" }), json!({ "payout": "7", "what": "not now; not yet" })];
    assert_eq!(stuck["troubles"], json!(each));
    assert!(!stuck["suggested_actions"].as_array().unwrap().is_empty());
}

#[actix_rt::test]
async fn stats_have_the_shape_that_scripts_and_dashboard_rely_on() {
    let rig = Rig::new().await;
    let stats = rig.get("/api/stats").await;
    assert_eq!(stats["pool"]["hashrate"], 1_000_000);
    assert_eq!((&stats["pool"]["miners"], &stats["pool"]["workers"]), (&json!(1), &json!(1)));
    assert_eq!(stats["pool"]["shares"]["accepted"], 99);
    assert_eq!(stats["pool"]["shares"]["low_difficulty"], 0);
    assert_eq!(stats["pool"]["shares_per_second"], 1.5);
    assert_eq!(stats["pool"]["effort_basis_points"], 5_000);
    assert_eq!(stats["pool"]["currency"], json!({ "symbol": "SIM", "decimals": 8 }));
    assert_eq!(stats["network"]["algorithm"], "blake2s");
    assert_eq!(stats["network"]["difficulty"], "4096");
    assert_eq!((&stats["network"]["ready"], &stats["network"]["reason"]), (&json!(true), &Value::Null));
    let blocks = json!({ "candidate": 3, "submitted": 2, "accepted": 1, "rejected": 1, "matured": 0, "paid": 0,
        "void": 0, "blue": 1, "red": 0 });
    assert_eq!(stats["blocks"], blocks);
    for key in ["pending", "confirmed", "paid", "imbalance"] {
        assert_eq!(stats["ledger"][key], "0", "{key}");
    }
    assert_eq!(stats["at"], "2023-11-14T22:13:20.000Z");
}

#[actix_rt::test]
async fn miners_come_in_pages_and_credited_shares_from_the_ledger() {
    let rig = Rig::new().await;
    let first = rig.get("/api/miners?limit=1").await;
    assert_eq!((&first["items"][0]["account"], &first["next"]), (&json!("alice"), &json!("alice")));
    assert_eq!(first["items"][0]["shares"]["accepted"], 12);
    assert_eq!(
        (&first["items"][0]["workers"], &first["items"][0]["hashrate"]),
        (&json!(1), &json!(1_000_000))
    );
    let second = rig.get("/api/miners?limit=1&cursor=alice").await;
    assert_eq!((&second["items"][0]["account"], &second["next"]), (&json!("bob"), &Value::Null));
    assert_eq!(second["items"][0]["connected_since"], Value::Null);
    let active = rig.get("/api/miners?active=true").await;
    assert_eq!(active["items"].as_array().unwrap().len(), 1);

    let alice = rig.get("/api/miners/alice").await;
    assert_eq!((&alice["shares"]["accepted"], &alice["shares"]["stale"]), (&json!(12), &json!(2)));
    assert_eq!(alice["work"], (12_u128 << 70).to_string());
    assert_eq!(alice["balance"], json!({ "pending": "0", "confirmed": "0", "reserved": "0", "paid": "0" }));
    let workers = alice["workers"].as_array().unwrap();
    assert_eq!((&workers[0]["name"], &workers[0]["difficulty"]), (&json!("old"), &Value::Null));
    assert_eq!((&workers[1]["name"], &workers[1]["shares"]["accepted"]), (&json!("rig"), &json!(7)));
    assert_eq!(workers[1]["last_share_at"], "2023-11-14T22:13:20.000Z");

    let error =
        rig.refused(TestRequest::get().uri("/api/miners/carol"), StatusCode::NOT_FOUND, "NOT_FOUND").await;
    assert_eq!(error["details"]["account"], "carol");
    for bad in [
        "/api/miners?limit=0",
        "/api/miners?limit=501",
        "/api/miners?limit=x",
        "/api/miners?cursor=a.b",
        "/api/miners?odd=1",
        "/api/miners/a.b",
    ] {
        rig.refused(TestRequest::get().uri(bad), StatusCode::BAD_REQUEST, "BAD_REQUEST").await;
    }
}

#[actix_rt::test]
async fn those_that_mine_now_are_sorted_and_searched() {
    let rig = Rig::new().await;
    for asked in ["sort=hashrate", "sort=account&order=desc", "search=ALI&active=true", "order=asc&search="] {
        let found = rig.get(&format!("/api/miners?{asked}")).await;
        assert_eq!(found["items"][0]["account"], "alice", "{asked}");
        assert_eq!((&found["total"], &found["next"]), (&json!(1), &Value::Null), "{asked}");
        assert_eq!(found["at"], "2023-11-14T22:13:20.000Z");
    }
    assert_eq!(rig.get("/api/miners?search=carol").await["items"], json!([]));
    let long = "a".repeat(129);
    for bad in [
        "sort=money",
        "sort=hashrate&order=up",
        "sort=hashrate&cursor=alice",
        "sort=hashrate&cursor=x:alice",
        "sort=hashrate&cursor=1:a.b",
        "sort=hashrate&active=false",
        &format!("search={long}"),
    ] {
        let request = TestRequest::get().uri(&format!("/api/miners?{bad}"));
        rig.refused(request, StatusCode::BAD_REQUEST, "BAD_REQUEST").await;
    }
    let workers = rig.get("/api/miners/alice").await["workers"].clone();
    assert_eq!(workers[0]["difficulties"], json!([]), "not here any more");
    assert_eq!(workers[1]["difficulties"][0]["at"], "2023-11-14T22:13:20.000Z");
    assert_eq!(workers[1]["difficulties"][0]["difficulty"], json!(Difficulty::whole(8)));
}

#[actix_rt::test]
async fn the_dag_goes_back_as_far_as_the_pool_remembers() {
    let rig = Rig::new().await;
    let empty = rig.get("/api/blocks/dag").await;
    assert_eq!(empty, json!({ "items": [], "next": null }));
    for bad in ["limit=0", "cursor=x", "status=paid"] {
        let request = TestRequest::get().uri(&format!("/api/blocks/dag?{bad}"));
        rig.refused(request, StatusCode::BAD_REQUEST, "BAD_REQUEST").await;
    }
}

#[actix_rt::test]
async fn blocks_come_newest_first_in_pages_with_filters() {
    let rig = Rig::new().await;
    let first = rig.get("/api/blocks?limit=2").await;
    let hash = |number: u8| json!(BlockHash([number; 32]).to_string());
    assert_eq!((&first["items"][0]["hash"], &first["items"][1]["hash"]), (&hash(3), &hash(2)));
    let newest = &first["items"][0];
    assert_eq!((&newest["status"], &newest["color"]), (&json!("accepted"), &json!("blue")));
    assert_eq!((&newest["reward"], &newest["confirmations"]), (&json!("5000000000"), &json!(2)));
    assert_eq!(newest["parents"], json!([hash(2)]));
    let next = first["next"].as_str().unwrap();
    let second = rig.get(&format!("/api/blocks?limit=2&cursor={next}")).await;
    assert_eq!((&second["items"][0]["hash"], &second["next"]), (&hash(1), &Value::Null));
    assert_eq!(second["items"][0]["reward"], Value::Null);
    for (filter, found) in [
        ("status=rejected", 1),
        ("color=blue", 1),
        ("account=alice", 3),
        ("account=bob", 0),
        ("status=paid", 0),
    ] {
        let page = rig.get(&format!("/api/blocks?{filter}")).await;
        assert_eq!(page["items"].as_array().unwrap().len(), found, "{filter}");
    }
    let details = rig.get(&format!("/api/blocks/{}", hash(3).as_str().unwrap())).await;
    assert_eq!((&details["hash"], &details["steps"][0]["status"]), (&hash(3), &json!("accepted")));
    let unknown = format!("/api/blocks/{}", "ee".repeat(32));
    rig.refused(TestRequest::get().uri(&unknown), StatusCode::NOT_FOUND, "NOT_FOUND").await;
    for bad in ["/api/blocks/xyz", "/api/blocks?status=odd", "/api/blocks?cursor=x"] {
        rig.refused(TestRequest::get().uri(bad), StatusCode::BAD_REQUEST, "BAD_REQUEST").await;
    }
}

#[actix_rt::test]
async fn ready_says_everything_that_is_missing() {
    let mut rig = Rig::new().await;
    assert_eq!(rig.get("/health/ready").await["status"], "ready");
    let findings = vec![Finding { check: "balances_match_entries", rows: 2 }];
    rig.ledger.set(LedgerSummary { ready: true, findings, ..LedgerSummary::default() });
    let (status, body) = rig.ask(TestRequest::get().uri("/health/ready")).await;
    assert_eq!(
        (status, &body["reasons"][0]["code"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("LEDGER_AUDIT"))
    );
    let found = json!([{ "check": "balances_match_entries", "rows": 2 }]);
    assert_eq!(rig.get("/api/stats").await["ledger"]["findings"], found);
    rig.node.set(NodeState { reason: "syncing".into(), ..NodeState::default() });
    rig.ledger.set(LedgerSummary { store_error: Some("locked".into()), ..LedgerSummary::default() });
    rig.trouble = Some("the disk is full".into());
    let (status, body) = rig.ask(TestRequest::get().uri("/health/ready")).await;
    assert_eq!((status, &body["status"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("not_ready")));
    let codes: Vec<_> = body["reasons"].as_array().unwrap().iter().map(|reason| &reason["code"]).collect();
    assert_eq!(codes, ["NODE_NOT_READY", "STORE_UNAVAILABLE", "JOURNAL_TROUBLE"]);
    assert_eq!(body["reasons"][0]["message"], "syncing");
    assert_eq!(rig.get("/health/live").await["status"], "live");
    let stats = rig.get("/api/stats").await;
    assert_eq!((&stats["network"]["reason"], &stats["stale"]), (&json!("syncing"), &json!(true)));
    let away = &stats["degraded"][0];
    let expected = ("STORE_UNAVAILABLE", "2023-11-14T22:13:20.000Z", 0);
    let told = (&away["code"], &away["since"], &away["waiting_shares"]);
    assert_eq!(told, (&json!(expected.0), &json!(expected.1), &json!(expected.2)), "{away:#}");
    assert_eq!(stats["degraded"][1]["message"], "the disk is full");
    assert!(
        stats["stale_reason"].as_str().unwrap().contains("journal") && !stats.to_string().contains("locked")
    );
}

#[actix_rt::test]
async fn without_the_cache_the_pool_is_ready_and_says_what_it_lacks() {
    let rig = Rig::new().await;
    assert_eq!(rig.get("/health/ready").await["degraded"], json!([]));
    let error = Some("redis://secret-host: gone".to_owned());
    rig.cache.set(CacheStatus { name: "redis", error, since: NOW });
    let ready = rig.get("/health/ready").await;
    assert_eq!(
        (&ready["status"], &ready["degraded"][0]["code"]),
        (&json!("ready"), &json!("CACHE_UNAVAILABLE"))
    );
    assert!(!ready.to_string().contains("secret-host"));
    let stats = rig.get("/api/stats").await;
    assert_eq!((&stats["degraded"], &stats["stale"]), (&ready["degraded"], &json!(false)));
}

#[actix_rt::test]
async fn bans_are_listed_and_lifted_by_operators() {
    let rig = Rig::new().await;
    let ban = |until: u64| Ban {
        decided_at: NOW,
        lifted: false,
        until: TimeMs(until),
        reason: BanReason::InvalidShares,
    };
    let address = |last: u8| IpAddr::from([192, 0, 2, last]);
    rig.bans.take(&[(address(1), ban(NOW.0 + 60_000)), (address(2), ban(NOW.0))].into());
    let admin = |request: TestRequest| request.insert_header(("Authorization", format!("Bearer {TOKEN}")));
    let (_, listed) = rig.ask(admin(TestRequest::get().uri("/api/admin/bans"))).await;
    let items = listed["items"].as_array().unwrap();
    assert_eq!((items.len(), &items[0]["address"]), (1, &json!("192.0.2.1")), "{listed}");
    assert_eq!(items[0]["reason"], "invalid_shares");
    let lift = |address: &str| admin(TestRequest::delete().uri(&format!("/api/admin/bans/{address}")));
    assert_eq!(rig.ask(lift("192.0.2.1")).await.0, StatusCode::NO_CONTENT);
    rig.refused(lift("192.0.2.1"), StatusCode::NOT_FOUND, "NOT_FOUND").await;
    rig.refused(lift("nobody"), StatusCode::BAD_REQUEST, "BAD_REQUEST").await;
    let stranger = TestRequest::delete().uri("/api/admin/bans/192.0.2.1");
    rig.refused(stranger, StatusCode::UNAUTHORIZED, "UNAUTHORIZED").await;
}

#[actix_rt::test]
async fn operators_ban_by_hand_and_close_sessions() {
    let rig = Rig::new().await;
    let admin = |request: TestRequest| bearer(request, TOKEN);
    let ban = |body: Value| admin(TestRequest::post().uri("/api/admin/bans").set_json(body));
    let (status, made) =
        rig.ask(ban(json!({ "address": " 192.0.2.9", "for_s": 60, "reason": "it floods" }))).await;
    assert_eq!((status, &made["sessions"]), (StatusCode::CREATED, &json!(2)));
    assert_eq!((&made["address"], &made["reason"]), (&json!("192.0.2.9"), &json!("operator")));
    let (_, listed) = rig.ask(admin(TestRequest::get().uri("/api/admin/bans"))).await;
    assert_eq!(listed["items"][0]["words"], "it floods");
    for (body, parameter) in [
        (json!({ "address": "nobody", "for_s": 60, "reason": "x" }), "address"),
        (json!({ "address": "192.0.2.9", "for_s": 0, "reason": "x" }), "for_s"),
        (json!({ "address": "192.0.2.9", "for_s": 31_536_001, "reason": "x" }), "for_s"),
        (json!({ "address": "192.0.2.9", "for_s": 60, "reason": " " }), "reason"),
        (json!({ "address": "192.0.2.9", "for_s": 60, "reason": "a\nb" }), "reason"),
    ] {
        let (status, error) = rig.ask(ban(body)).await;
        let named = &error["error"]["details"]["parameter"];
        assert_eq!((status, named), (StatusCode::BAD_REQUEST, &json!(parameter)), "{error}");
    }
    let kick = |id: &str| admin(TestRequest::delete().uri(&format!("/api/admin/connections/{id}")));
    assert_eq!(rig.ask(kick("5")).await.0, StatusCode::NO_CONTENT);
    rig.refused(kick("6"), StatusCode::NOT_FOUND, "NOT_FOUND").await;
    rig.refused(kick("x"), StatusCode::BAD_REQUEST, "BAD_REQUEST").await;
    let found = async |query: &str| {
        let uri = format!("/api/admin/connections?{query}");
        let (_, found) = rig.ask(admin(TestRequest::get().uri(&uri))).await;
        (found["total"].clone(), found["items"].as_array().map_or(0, Vec::len))
    };
    assert_eq!(found("search=ALI&limit=9").await, (json!(1), 1));
    assert_eq!(found("search=192.0.2.1:").await, (json!(1), 1));
    assert_eq!(found("search=bob").await, (json!(0), 0));
    assert_eq!(found("cursor=5").await, (json!(1), 0));
}

#[actix_rt::test]
async fn the_configuration_is_shown_and_reloaded() {
    let rig = Rig::new().await;
    let admin = |request: TestRequest| bearer(request, TOKEN);
    let (status, shown) = rig.ask(admin(TestRequest::get().uri("/api/admin/config"))).await;
    assert_eq!((status, &shown["file"]), (StatusCode::OK, &json!("pool.toml")));
    assert_eq!(shown["sections"][0]["keys"][0]["name"], "name");
    let reload = |body: Value| admin(TestRequest::post().uri("/api/admin/config/reload").set_json(body));
    let (status, dry) = rig.ask(reload(json!({ "dry_run": true }))).await;
    assert_eq!((status, &dry["live"], &dry["waiting"]), (StatusCode::OK, &json!(1), &json!(0)));
    assert_eq!(dry["changes"][0]["to"], "\"debug\"");
    let (status, fault) = rig.ask(reload(json!({}))).await;
    assert_eq!(
        (status, &fault["error"]["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("CONFIG_NOT_RELOADED"))
    );
    assert_eq!(fault["error"]["details"]["advice"], "did you mean `level`?");
    let bare = admin(TestRequest::post().uri("/api/admin/config/reload"));
    assert_eq!(rig.ask(bare).await.0, StatusCode::UNPROCESSABLE_ENTITY, "without a body it is no dry run");
    rig.refused(reload(json!({ "dry": true })), StatusCode::BAD_REQUEST, "BAD_REQUEST").await;
}

#[actix_rt::test]
async fn the_log_is_read_in_pages_and_followed() {
    let rig = Rig::new().await;
    let say = |level, text: &str| rig.logs.add(NOW, level, "pool_actors::stratum::hub", text, Vec::new());
    say(LogLevel::Info, "one");
    say(LogLevel::Warn, "two, Bearer 0123456789abcdef");
    let get = |query: &str| bearer(TestRequest::get().uri(&format!("/api/admin/logs?{query}")), TOKEN);
    let (status, page) = rig.ask(get("level=warn&category=stratum&search=TWO")).await;
    assert_eq!((status, page["items"].as_array().map(Vec::len)), (StatusCode::OK, Some(1)), "{page}");
    assert_eq!(page["items"][0]["message"], "two, Bearer ***");
    let (_, newest) = rig.ask(get("limit=1")).await;
    assert_eq!((&newest["items"][0]["seq"], &newest["next"]), (&json!(2), &json!("2")));
    let (_, older) = rig.ask(get("limit=1&cursor=2")).await;
    assert_eq!((&older["items"][0]["message"], &older["next"]), (&json!("one"), &Value::Null));
    // Whoever follows is answered as soon as there is a line that fits, and at the end of the time without one.
    let (_, late) = rig.ask(get("after=2&wait_ms=1")).await;
    assert_eq!((&late["items"], &late["seen"]), (&json!([]), &json!(2)));
    let logs = rig.logs.clone();
    let (answer, ()) = tokio::join!(rig.ask(get("after=2&wait_ms=20000&level=error")), async move {
        logs.add(NOW, LogLevel::Info, "dagpool", "not this one", Vec::new());
        logs.add(NOW, LogLevel::Error, "dagpool", "this one", Vec::new());
    });
    assert_eq!((&answer.1["items"][0]["message"], &answer.1["seen"]), (&json!("this one"), &json!(4)));
    for bad in ["level=loud", "category=none", "since=noon", "limit=0", "limit=2001", "after=x", "more=1"] {
        rig.refused(get(bad), StatusCode::BAD_REQUEST, "BAD_REQUEST").await;
    }
}

#[actix_rt::test]
async fn without_the_store_live_figures_still_come() {
    let away = StoreError::Unavailable { what: "secret words of the database".into() };
    let error = ApiError::from(away).body("1", &Rig::new().await.context().clock);
    assert_eq!(error["error"]["code"], "STORE_UNAVAILABLE");
    assert!(!error.to_string().contains("secret"));
    let rig = Rig::with_store(false);
    rig.refused(TestRequest::get().uri("/api/blocks"), StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL").await;
    assert_eq!(rig.get("/api/stats").await["pool"]["hashrate"], 1_000_000);
}

#[actix_rt::test]
async fn errors_have_all_their_parts_and_a_page() {
    let rig = Rig::new().await;
    let app = app!(rig);
    let response = call_service(&app, TestRequest::get().uri("/api/none").to_request()).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(text(&response, header::WWW_AUTHENTICATE.as_str()), "Bearer realm=\"pool\"");
    let id = text(&response, "x-request-id");
    let body: Value = serde_json::from_slice(&read_body(response).await).unwrap();
    let error = &body["error"];
    assert_eq!(
        (error["id"].as_str(), error["timestamp"].as_str()),
        (Some(&*id), Some("2023-11-14T22:13:20.000Z"))
    );
    assert_eq!(error["suggested_actions"][0]["priority"], "high");
    assert!(error["message"].as_str().unwrap().contains("/api/none"));
    for code in ErrorCode::ALL {
        let body = ApiError::new(*code, "x").body("1", &rig.context().clock);
        let link = body["error"]["documentation_link"].as_str().unwrap();
        let response = call_service(&app, TestRequest::get().uri(link).to_request()).await;
        assert_eq!(response.status(), StatusCode::OK, "{link}");
    }
    rig.refused(TestRequest::get().uri("/docs/errors/NONE"), StatusCode::NOT_FOUND, "NOT_FOUND").await;
    rig.refused(TestRequest::get().uri("/robots.txt"), StatusCode::NOT_FOUND, "NOT_FOUND").await;
}

#[actix_rt::test]
async fn files_are_cached_packed_and_guarded() {
    let rig = Rig::new().await;
    let app = app!(rig);
    let page = call_service(&app, TestRequest::get().uri("/blocks/12").to_request()).await;
    assert_eq!(text(&page, header::CACHE_CONTROL.as_str()), "no-cache");
    assert_eq!(text(&page, header::CONTENT_TYPE.as_str()), "text/html; charset=utf-8");
    let policy = text(&page, header::CONTENT_SECURITY_POLICY.as_str());
    assert!(policy.contains("default-src 'self'") && !policy.contains("script-src 'unsafe"));
    assert!(!policy.contains("wasm-unsafe-eval"), "only the worker compiles wasm");
    assert_eq!(text(&page, header::X_CONTENT_TYPE_OPTIONS.as_str()), "nosniff");
    let worker = call_service(&app, TestRequest::get().uri("/assets/bench-worker-1.js").to_request()).await;
    let policy = text(&worker, header::CONTENT_SECURITY_POLICY.as_str());
    assert_eq!(policy, "default-src 'none'; script-src 'wasm-unsafe-eval'");

    let packed =
        TestRequest::get().uri("/assets/app-123.js").insert_header((header::ACCEPT_ENCODING, "gzip"));
    let packed = call_service(&app, packed.to_request()).await;
    assert_eq!(text(&packed, header::CONTENT_ENCODING.as_str()), "gzip");
    assert!(text(&packed, header::CACHE_CONTROL.as_str()).contains("immutable"));
    let body = read_body(packed).await;
    assert!(body.len() < 400, "{} bytes", body.len());
    let mut magic = [0; 2];
    (&body[..]).read_exact(&mut magic).unwrap();
    assert_eq!(magic, [0x1f, 0x8b]);

    for tag in ["\"e1\"", "W/\"e1\", \"other\"", "*"] {
        let again = TestRequest::get().uri("/").insert_header((header::IF_NONE_MATCH, tag)).to_request();
        let again = call_service(&app, again).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{tag}");
        assert!(read_body(again).await.is_empty());
    }

    // Nothing is there, and people get the page that says so, however often; programs get an error.
    for (path, tag) in
        [("/nothing-here", "\"e0\""), ("/nothing-here", "\"e1\""), ("/assets/nothing-here", "*")]
    {
        let request = TestRequest::get().uri(path).insert_header((header::IF_NONE_MATCH, tag));
        let program = request.insert_header((header::ACCEPT, "*/*")).to_request();
        let refused = call_service(&app, program).await;
        assert_eq!(refused.status(), StatusCode::NOT_FOUND);
        assert_eq!(text(&refused, header::CONTENT_TYPE.as_str()), "application/json");
        let request = TestRequest::get().uri(path).insert_header((header::IF_NONE_MATCH, tag));
        let browser = request.insert_header((header::ACCEPT, "text/html,application/xhtml+xml,*/*;q=0.8"));
        let missing = call_service(&app, browser.to_request()).await;
        assert_eq!(missing.status(), StatusCode::NOT_FOUND, "{tag}");
        assert_eq!(text(&missing, header::CONTENT_TYPE.as_str()), "text/html; charset=utf-8");
        assert_eq!(text(&missing, header::CACHE_CONTROL.as_str()), "no-cache");
        assert_eq!(read_body(missing).await, "<!doctype html>");
    }
}

#[actix_rt::test]
async fn an_operator_sees_actors_and_connections_and_speaks_to_miners() {
    let rig = Rig::new().await;
    let admin = |request: TestRequest| rig.ask(bearer(request, TOKEN));
    let (_, system) = admin(TestRequest::get().uri("/api/admin/system")).await;
    assert_eq!((&system["actors"], &system["figures"]), (&json!([]), &Value::Null));
    let (_, connections) = admin(TestRequest::get().uri("/api/admin/connections")).await;
    assert_eq!(connections["items"][0]["peer"], "192.0.2.1:5");
    assert_eq!(connections["items"][0]["difficulty"], "8");
    let announce = |message: &str| {
        TestRequest::post().uri("/api/admin/announce").set_json(json!({ "message": message }))
    };
    let (status, told) = admin(announce("maintenance at noon")).await;
    assert_eq!((status, &told["sessions"]), (StatusCode::OK, &json!(3)));
    assert_eq!(*rig.desk.0.lock().unwrap(), [SessionCommand::ShowMessage("maintenance at noon".into())]);
    for bad in ["", "two\nlines", &"x".repeat(201)] {
        assert_eq!(admin(announce(bad)).await.0, StatusCode::BAD_REQUEST, "{bad:?}");
    }
    assert_eq!(rig.desk.0.lock().unwrap().len(), 1);
}

#[actix_rt::test]
async fn an_operator_sees_process_and_disk() {
    let mut rig = Rig::new().await;
    rig.system = crate::messages::system::SystemFigures {
        at: TimeMs(1_700_000_000_000),
        process: crate::ports::system::ProcessFigures {
            cpu_us: 1_500_000,
            resident_bytes: 25,
            open_fds: 10,
            max_fds: 40,
            started_at_s: 1_699_999_999.25,
            memory_limit_bytes: 100,
            ..Default::default()
        },
        space: crate::ports::system::DiskSpace { total_bytes: 1_000, available_bytes: 50 },
        journal_bytes: 7,
        database_bytes: None,
    };
    let (_, system) = rig.ask(bearer(TestRequest::get().uri("/api/admin/system"), TOKEN)).await;
    let figures = &system["figures"];
    assert_eq!(figures["started_at"], "2023-11-14T22:13:19.250Z", "{figures}");
    assert_eq!(figures["files"], json!({ "open": 10, "max": 40, "used": 0.25 }));
    assert_eq!(figures["memory"]["used"], 0.25);
    assert_eq!((&figures["disk"]["free"], &figures["disk"]["database_bytes"]), (&json!(0.05), &Value::Null));
}

#[actix_rt::test]
async fn metrics_are_text_with_buckets() {
    let rig = Rig::new().await;
    let app = app!(rig);
    metrics::histogram!(crate::metrics::SHARE_ACK_SECONDS).record(0.002);
    let response = call_service(&app, TestRequest::get().uri("/metrics").to_request()).await;
    assert!(text(&response, header::CONTENT_TYPE.as_str()).starts_with("text/plain; version=0.0.4"));
    let text = String::from_utf8(read_body(response).await.to_vec()).unwrap();
    assert!(text.contains("dagpool_share_ack_seconds_bucket{le=\"0.0025\"}"), "{text}");
}

#[actix_rt::test]
async fn figures_that_are_closed_are_for_their_readers_and_for_operators() {
    let mut rig = Rig::new().await;
    let ask = |token: Option<&str>| {
        let request = TestRequest::get().uri("/metrics");
        match token {
            Some(token) => bearer(request, token),
            None => request,
        }
    };
    // A token of their own, an address of their own, both.
    let (token, address) =
        (Some(crate::config::Secret::new("scrape")), Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 9_464))));
    for (token, address) in [(token.clone(), None), (None, address), (token, address)] {
        rig.readers = crate::config::Metrics { token, address };
        let app = app!(rig);
        for (shown, good) in [
            (None, false),
            (Some("guess"), false),
            (Some("scrape"), rig.readers.token.is_some()),
            (Some(TOKEN), true),
        ] {
            let status = call_service(&app, ask(shown).to_request()).await.status();
            let wanted = if good { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
            assert_eq!(status, wanted, "{shown:?} {:?}", rig.readers);
        }
    }
}

#[actix_rt::test]
async fn an_address_in_use_is_told_in_words() {
    let rig = Rig::new().await;
    let server = super::serve(rig.context(), SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let failure = super::serve(rig.context(), server.address()).unwrap_err();
    assert_eq!(failure.code, crate::error::Code::AddressUnavailable);
    assert!(failure.to_string().contains("http.address"), "{failure}");
    server.stop().await;
}

#[actix_web::test]
async fn errors_of_deployments_have_their_codes_and_advice() {
    let rig = Rig::new().await;
    let post = |uri: &str, body: Value| {
        let request =
            TestRequest::post().uri(uri).insert_header(("authorization", format!("Bearer {TOKEN}")));
        rig.ask(request.set_json(body))
    };
    let deploy = "/api/algorithms/deploy";
    let config = |config: Value| json!({ "config": config });
    for (uri, body, status, code) in [
        (deploy, json!({}), 409, "NO_STAGED_ALGORITHM"),
        (
            deploy,
            config(json!({ "strategy": "scheduled", "at": "2030-01-01T00:00:00Z" })),
            409,
            "DEPLOYMENT_IN_PROGRESS",
        ),
        (deploy, config(json!({ "phase_duration": -1 })), 400, "DEPLOYMENT_CONFIG_INVALID"),
        (deploy, config(json!({ "phases": [5, 101] })), 400, "DEPLOYMENT_CONFIG_INVALID"),
        (deploy, config(json!({ "at": "soon" })), 400, "DEPLOYMENT_CONFIG_INVALID"),
        (deploy, config(json!({ "digest": "ab" })), 409, "STAGED_ALGORITHM_CHANGED"),
        (
            deploy,
            config(json!({ "notification_channels": ["dashboard", "ops"] })),
            409,
            "NO_STAGED_ALGORITHM",
        ),
        (deploy, config(json!({ "notification_channels": ["email"] })), 400, "DEPLOYMENT_CONFIG_INVALID"),
        (deploy, config(json!({ "strategy": "yolo" })), 400, "BAD_REQUEST"),
        (deploy, config(json!({ "unknown": 1 })), 400, "BAD_REQUEST"),
        ("/api/deployments/3/pause", json!({}), 409, "DEPLOYMENT_NOT_UNDER_WAY"),
        ("/api/deployments/3/explode", json!({}), 404, "NOT_FOUND"),
    ] {
        let (got, answer) = post(uri, body.clone()).await;
        assert_eq!(
            (got.as_u16(), answer["error"]["code"].as_str()),
            (status, Some(code)),
            "{uri} {body}: {answer}"
        );
        assert!(!answer["error"]["suggested_actions"].as_array().unwrap().is_empty());
    }
    let (status, _) = rig.ask(TestRequest::post().uri(deploy)).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let status = rig.get("/api/algorithms/status").await;
    assert_eq!(status["migration_state"], Value::Null);
    assert_eq!(status["health"], "unknown");
}

#[actix_rt::test]
async fn an_order_to_a_pool_that_stops_is_told_so() {
    let mut rig = Rig::new().await;
    rig.supervisor_ended = true;
    let pause = || bearer(TestRequest::post().uri("/api/deployments/1/pause"), TOKEN);
    let restarting = rig.refused(pause(), StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL").await;
    assert!(restarting["message"].as_str().unwrap().contains("is restarting"), "{restarting}");
    rig.shutdown
        .stop(StopReason::failure("JOURNAL_UNUSABLE", "the share journal could not be written: disk full"));
    for request in [pause(), bearer(TestRequest::post().uri("/api/algorithms/deploy"), TOKEN)] {
        let error = rig.refused(request, StatusCode::SERVICE_UNAVAILABLE, "POOL_STOPPING").await;
        assert_eq!(
            error["message"],
            "the pool is stopping: the share journal could not be written: disk full"
        );
    }
}
