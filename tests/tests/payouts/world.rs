//! A node, a database with confirmed balances, and what is to be checked at the end.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use pool_actors::{
    adapters::{
        node_bip22::{Bip22Config, Bip22Wallet, RpcEndpoint, SIMULATED, shared_wallet},
        postgres::{PostgresSettings, PostgresStore},
        sqlite::SqliteStore,
        system_clock::SystemClock,
    },
    ledger::payout_rounds::{Ages, Parts, Round, Rounds, Trouble},
    ports::{
        clock::{Clock, SharedClock},
        payouts::SharedPayouts,
        store::{LedgerCommit, Posting, SharedStore},
        wallet::{SharedSigner, SharedWallet},
    },
    runtime::threads::Thread,
};
use pool_domain::{
    accounting::{Cause, LedgerAccount, Transaction},
    ids::{Account, AdjustmentId, ShareSeq},
    payout_plan::{PlanRules, SpendingLimits},
    units::{Amount, TimeMs},
};
use pool_tests::postgres::Postgres;
use serde_json::{Value, json};
use simulations::node::{NodeConfig, NodeHandle, SimNode};
use tempfile::TempDir;

/// Depth at which a payout is final.
pub(crate) const DEPTH: u64 = 3;
/// One coin.
pub(crate) const COIN: i128 = 100_000_000;

/// Time that only moves when a test says so; begins in 2023.
pub(crate) struct TestClock {
    steady: AtomicU64,
    /// By how much somebody has set the wall clock forward (or back), modulo 2^64.
    stepped: AtomicU64,
}

impl TestClock {
    fn at(ms: u64) -> Self {
        Self { steady: AtomicU64::new(ms), stepped: AtomicU64::new(0) }
    }

    pub(crate) fn pass(&self, ms: u64) {
        self.steady.fetch_add(ms, Ordering::SeqCst);
    }

    /// Sets the wall clock.
    pub(crate) fn step(&self, ms: i64) {
        self.stepped.fetch_add(ms.cast_unsigned(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> TimeMs {
        TimeMs(self.steady().0.wrapping_add(self.stepped.load(Ordering::SeqCst)))
    }

    fn steady(&self) -> TimeMs {
        TimeMs(self.steady.load(Ordering::SeqCst))
    }
}

/// What keeps a database alive.
pub(crate) enum Database {
    Sqlite { _folder: TempDir },
    Postgres { _server: Box<Postgres> },
}

/// Everything outside the dispatcher.
pub(crate) struct World {
    pub(crate) node: NodeHandle,
    pub(crate) store: SharedStore,
    pub(crate) payouts: SharedPayouts,
    pub(crate) wallet: SharedWallet,
    pub(crate) signer: SharedSigner,
    pub(crate) clock: Arc<TestClock>,
    credited: BTreeMap<String, i128>,
    adjustments: u64,
    mined: AtomicU64,
    _database: Database,
}

/// Asks the node, or panics with its complaint.
pub(crate) async fn rpc(url: &str, method: &str, params: Value) -> Value {
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    let client = CLIENT.get_or_init(|| reqwest::Client::builder().no_proxy().build().unwrap());
    let answer: Value = client.post(url).json(&request).send().await.unwrap().json().await.unwrap();
    assert!(answer["error"].is_null(), "{method}: {answer}");
    answer["result"].clone()
}

fn start<B: FnOnce() + Send + 'static>((name, body): (&'static str, B)) {
    drop(Thread::spawn(name, Box::new(body)).unwrap());
}

impl World {
    pub(crate) async fn on_sqlite() -> Self {
        let folder = TempDir::new().unwrap();
        let (store, threads) = SqliteStore::open(&folder.path().join("pool.db"), TimeMs(1)).unwrap();
        threads.into_iter().for_each(start);
        let (ledger, payouts) = (Arc::new(store.clone()), Arc::new(store));
        Self::new(ledger, payouts, Database::Sqlite { _folder: folder }).await
    }

    pub(crate) async fn on_postgres() -> Self {
        let server = Postgres::start();
        let settings = PostgresSettings::new(&server.url(), None).unwrap();
        let (store, thread) = PostgresStore::open(settings, None, Arc::new(SystemClock)).unwrap();
        start(thread);
        let (ledger, payouts) = (Arc::new(store.clone()), Arc::new(store));
        Self::new(ledger, payouts, Database::Postgres { _server: Box::new(server) }).await
    }

    async fn new(store: SharedStore, payouts: SharedPayouts, database: Database) -> Self {
        let mut config = NodeConfig { coinbase_maturity: 2, ..NodeConfig::quiet() };
        config.algorithms[0].start_hashes = 64;
        let node = SimNode::start(config).unwrap();
        let payout_address = rpc(&node.rpc_url, "getNewAddress", json!(["pool"])).await;
        let (wallet, signer) =
            wallet_on(&node.rpc_url, payout_address.as_str().unwrap(), Duration::from_secs(30));
        let clock = Arc::new(TestClock::at(1_700_000_000_000));
        let world = Self {
            node,
            store,
            payouts,
            wallet,
            signer,
            clock,
            credited: BTreeMap::new(),
            adjustments: 0,
            mined: AtomicU64::new(0),
            _database: database,
        };
        world.mine(40).await;
        world
    }

    /// Blocks at once, on the tips, paid to the pool.
    pub(crate) async fn mine(&self, count: u64) {
        for _ in 0..count {
            // Blocks that come all at once would make the chain hard.
            let seconds = 2 * self.mined.fetch_add(1, Ordering::SeqCst);
            rpc(&self.node.admin_url, "setTimeOffset", json!([seconds])).await;
            rpc(&self.node.admin_url, "mineBlocks", json!([{"count": 1, "label": "pool"}])).await;
        }
    }

    pub(crate) async fn faults(&self, faults: Value) {
        rpc(&self.node.admin_url, "setFaults", json!([faults])).await;
    }

    /// Adds to confirmed balances.
    pub(crate) async fn credit(&mut self, amounts: &[(&str, i128)]) {
        self.adjustments += 1;
        let cause = Cause::Adjustment {
            id: AdjustmentId(self.adjustments),
            author: "test".into(),
            reason: "test".into(),
        };
        let confirmed = |name: &str| LedgerAccount::MinerConfirmed(Account::new(name).unwrap());
        let entries = amounts.iter().map(|(name, amount)| (confirmed(name), Amount(*amount)));
        let sum: i128 = amounts.iter().map(|(_, amount)| amount).sum();
        let entries = entries.chain([(LedgerAccount::ChainIncome, Amount(-sum))]);
        let transaction = Transaction::new(cause, entries).unwrap();
        let expected = self.store.load("n1").await.unwrap().position;
        let commit = LedgerCommit {
            node: "n1".into(),
            expected,
            seq: ShareSeq(expected.seq.0 + 1),
            at: self.clock.now(),
            postings: vec![Posting { transaction, block: None, at: self.clock.now() }],
            ..LedgerCommit::default()
        };
        self.store.commit(Arc::new(commit)).await.unwrap();
        for (name, amount) in amounts {
            *self.credited.entry((*name).to_owned()).or_default() += amount;
        }
    }

    /// What a dispatcher works with.
    pub(crate) fn parts(&self) -> Parts {
        let clock: SharedClock = Arc::clone(&self.clock) as _;
        Parts {
            store: Arc::clone(&self.payouts),
            wallet: Arc::clone(&self.wallet),
            signer: Arc::clone(&self.signer),
            clock,
            rules: PlanRules {
                threshold: Amount(COIN),
                chain: self.wallet.limits(),
                recipients_max: 2,
                limits: SpendingLimits::default(),
            },
            depth: DEPTH,
            ages: Ages::default(),
        }
    }

    /// Rounds and blocks until nothing is under way any more.
    pub(crate) async fn settle(&self, rounds: &mut Rounds) {
        for _ in 0..20 {
            if advance(rounds).await.unwrap().open == 0 {
                return;
            }
            self.mine(1).await;
        }
        panic!("payouts do not end: {:#?}", self.payouts.open_payouts().await.unwrap());
    }

    /// What the chain has paid to an account, and in how many transactions.
    pub(crate) async fn on_chain(&self, account: &str) -> (i128, usize) {
        let resolved = rpc(&self.node.rpc_url, "resolveAddress", json!([account])).await;
        let listed = rpc(&self.node.rpc_url, "listTransactions", json!([account])).await;
        let paid = |transaction: &Value| -> i128 {
            let outputs = transaction["outputs"].as_array().unwrap().iter();
            let own = outputs.filter(|output| output["address"] == resolved["address"]);
            own.map(|output| i128::from(output["amount"].as_u64().unwrap())).sum()
        };
        let listed = listed.as_array().unwrap();
        (listed.iter().map(paid).sum(), listed.len())
    }

    /// Everybody has on the chain exactly what the books say was paid, what was credited is paid or owed, nothing is
    /// reserved, and the audits find nothing.
    pub(crate) async fn assert_exact(&self, what: &str) {
        for (name, credited) in &self.credited {
            let row = self.store.account(Account::new(name).unwrap()).await.unwrap().unwrap();
            let balance = row.balance;
            let (paid, _) = self.on_chain(name).await;
            assert_eq!(paid, balance.paid.0, "{what}: {name} on the chain and in the books");
            assert_eq!(balance.reserved, Amount::ZERO, "{what}: {name}");
            assert_eq!(balance.confirmed.0 + balance.paid.0, *credited, "{what}: {name} credited");
        }
        assert_eq!(self.store.check().await.unwrap(), vec![], "{what}");
        assert_eq!(self.store.totals().await.unwrap().imbalance(), Amount::ZERO, "{what}");
    }

    /// As [`Self::assert_exact`], and everybody was paid everything.
    pub(crate) async fn assert_all_paid(&self, what: &str) {
        self.assert_exact(what).await;
        for (name, credited) in &self.credited {
            assert_eq!(self.on_chain(name).await.0, *credited, "{what}: {name} is paid");
        }
    }
}

/// One round over what is under way: what it did, or what is in its way.
pub(crate) async fn advance(rounds: &mut Rounds) -> Result<Round, Trouble> {
    let mut round = Round::default();
    rounds.advance(&mut round).await.map(|()| round)
}

/// The simulated node's wallet with its own keys.
pub(crate) fn wallet_on(
    rpc_url: &str,
    payout_address: &str,
    patience: Duration,
) -> (SharedWallet, SharedSigner) {
    let config = Bip22Config {
        profile: &SIMULATED,
        endpoints: vec![RpcEndpoint { url: rpc_url.to_owned(), basic_auth: None }],
        payout_address: payout_address.to_owned(),
        coinbase_tag: String::new(),
        network: None,
        maturity: None,
        call_timeout: patience,
    };
    shared_wallet(Bip22Wallet::new(&config).unwrap())
}
