//! What the pool needs from outside, tried without starting it.

use std::sync::Arc;

use pool_domain::ids::{Account, AlgorithmName};
use pool_engine::Registry;

use super::{
    alerts, cache, chain,
    database::{self, Database, Running},
    identity, influx,
};
use crate::{
    adapters::{disk_folder::FolderDisk, notify, system_clock::SystemClock},
    config::Config,
    error::{Code, Failure},
    ports::clock::SharedClock,
};

/// A name and what was found, or what to do.
pub type Probe = (&'static str, Result<String, Failure>);

/// Tries data folder, database, cache, algorithm and node.
pub async fn probe(config: &Config) -> Vec<Probe> {
    vec![
        ("data folder", data_folder(config)),
        ("database", database::probe(config).await),
        ("migrations", migrations(config).await),
        ("node number", node_number(config).await),
        ("cache", cache::probe(config).await),
        ("algorithm", algorithm(config)),
        ("node", node(config).await),
        ("wallet", wallet(config).await),
        ("mail", mail(config)),
        ("alerts", alerts::probe(config)),
        ("time series", influx::probe(config)),
    ]
}

/// Whether mail can be sent as configured; nothing is sent.
fn mail(config: &Config) -> Result<String, Failure> {
    notify::mailer(&config.mail, &config.pool.data_dir)?;
    let base = super::auth::public_url(config);
    Ok(format!("from {}, links begin with {base}", config.mail.from))
}

fn data_folder(config: &Config) -> Result<String, Failure> {
    let folder = &config.pool.data_dir;
    FolderDisk::open(&folder.join("journal")).map_err(|error| super::parts::folder(folder, &error))?;
    Ok(folder.display().to_string())
}

/// Whether the database has all of this program's schema, or will get it at start.
async fn migrations(config: &Config) -> Result<String, Failure> {
    let schema = database::schema(config, false).await?;
    match schema.pending() {
        0 => Ok(format!("{} applied, none pending", schema.migrations.len())),
        pending if config.store.migrate_at_start => {
            Ok(format!("{pending} of {} pending, applied at start", schema.migrations.len()))
        }
        pending => Err(Failure::new(
            Code::StoreUnusable,
            format!("{pending} of {} migrations are pending in {}", schema.migrations.len(), schema.database),
            "run `dagpool migrate`, or set store.migrate_at_start = true",
        )),
    }
}

/// Whether the folder was begun under this `pool.node_id`.
async fn node_number(config: &Config) -> Result<String, Failure> {
    let folder = &config.pool.data_dir;
    let disk =
        FolderDisk::open(&folder.join("journal")).map_err(|error| super::parts::folder(folder, &error))?;
    let clock: SharedClock = Arc::new(SystemClock);
    let Database { store, books, payouts, deployments, users, threads } = database::open(config, &clock)?;
    let running = Running::start(threads)?;
    let marked = identity::check(&disk, &*store, config.pool.node_id).await;
    drop((store, books, payouts, deployments, users));
    running.join();
    let node = identity::node_name(config.pool.node_id);
    Ok(if marked? { format!("{node} owns the folder") } else { format!("{node} will own the folder") })
}

fn algorithm(config: &Config) -> Result<String, Failure> {
    let found = Registry::linked_in()
        .find(&config.algorithms.active)
        .map_err(|error| Failure::new(Code::AlgorithmUnknown, "algorithms.active", error.to_string()))?;
    Ok(found.info().name)
}

async fn node(config: &Config) -> Result<String, Failure> {
    let clock: SharedClock = Arc::new(SystemClock);
    let node = chain::node(config, &clock)?;
    let advice = "start the node, let it sync, and check chain.nodes and chain.network";
    let unusable = |what: String| Failure::new(Code::NodeUnusable, what, advice);
    let health = node.health().await.map_err(|error| unusable(error.to_string()))?;
    if !health.ready {
        return Err(unusable(format!("the node is not ready: {}", health.reason)));
    }
    let algorithm =
        AlgorithmName::new(&config.algorithms.active).map_err(|error| unusable(error.to_string()))?;
    node.template(&algorithm).await.map_err(|error| unusable(error.to_string()))?;
    Ok(format!("ready, network {}, hands out work for {algorithm}", health.network))
}

/// Whether payments can be built, and whether somebody listens who signs them.
async fn wallet(config: &Config) -> Result<String, Failure> {
    let Some((wallet, signer)) = chain::wallet(config)? else {
        return Ok("payouts are off (payout.enabled)".to_owned());
    };
    let unusable =
        |what: String| Failure::new(Code::NodeUnusable, what, "check [payout] and the node's wallet");
    let own = Account::new(&config.chain.payout_address).map_err(|error| unusable(error.to_string()))?;
    let taken = wallet.check_address(&own).await.map_err(|error| unusable(error.to_string()))?;
    taken.map_err(|why| unusable(format!("chain.payout_address: {why}")))?;
    let socket = &config.payout.signer;
    if !socket.as_os_str().is_empty() {
        tokio::net::UnixStream::connect(socket)
            .await
            .map_err(|error| unusable(format!("payout.signer {}: {error}", socket.display())))?;
    }
    Ok(format!("{} wallet answers, {} signs", wallet.name(), signer.name()))
}
