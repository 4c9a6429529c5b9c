//! What the pool needs from outside, tried without starting it.

use std::sync::Arc;

use pool_domain::ids::AlgorithmName;
use pool_engine::Registry;

use super::{chain, identity};
use crate::{
    adapters::{disk_folder::FolderDisk, sqlite::SqliteStore, system_clock::SystemClock},
    config::Config,
    error::{Code, Failure},
    ports::clock::{Clock as _, SharedClock},
    runtime::threads::Thread,
};

/// A name and what was found, or what to do.
pub type Probe = (&'static str, Result<String, Failure>);

/// Tries data folder, database, algorithm and node.
pub async fn probe(config: &Config) -> Vec<Probe> {
    vec![
        ("data folder", data_folder(config)),
        ("database", database(config)),
        ("node number", node_number(config).await),
        ("algorithm", algorithm(config)),
        ("node", node(config).await),
    ]
}

fn data_folder(config: &Config) -> Result<String, Failure> {
    let folder = &config.pool.data_dir;
    FolderDisk::open(&folder.join("journal")).map_err(|error| super::parts::folder(folder, &error))?;
    Ok(folder.display().to_string())
}

fn database(config: &Config) -> Result<String, Failure> {
    let path = super::parts::database_path(config);
    // Opening migrates and checks; the threads that would serve it are not needed.
    let opened =
        SqliteStore::open(&path, SystemClock.now()).map_err(|error| super::parts::database(&path, &error))?;
    drop(opened);
    Ok(format!("{}, schema current", path.display()))
}

/// Whether the folder was begun under this `pool.node_id`.
async fn node_number(config: &Config) -> Result<String, Failure> {
    let (folder, path) = (&config.pool.data_dir, super::parts::database_path(config));
    let disk =
        FolderDisk::open(&folder.join("journal")).map_err(|error| super::parts::folder(folder, &error))?;
    let (store, threads) =
        SqliteStore::open(&path, SystemClock.now()).map_err(|error| super::parts::database(&path, &error))?;
    let mut running = Vec::new();
    for (name, body) in threads {
        running.push(Thread::spawn(name, body).map_err(|error| super::start::refused("threads", &error))?);
    }
    let marked = identity::check(&disk, &store, config.pool.node_id).await;
    drop(store);
    for thread in running {
        // What it was asked is answered.
        let _ = thread.join();
    }
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
