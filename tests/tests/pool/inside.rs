//! A pool inside this process, between a simulated node's RPC and real Stratum sockets: its parts can be made to fail.

use std::{path::Path, sync::Arc};

use pool_actors::{
    adapters::disk_folder::FolderDisk,
    api::Assets,
    app::{Parts, Pool},
    config::{Config, Profile},
    ports::disk::SharedDisk,
    runtime::shutdown::StopReason,
};
use pool_tests::pool::{ADMIN_TOKEN, PATIENCE, Setup, journalled};
use simulations::{miners::SwarmHandle, node::NodeHandle};
use tempfile::TempDir;

use crate::mining;

/// The journal's segments, as small as they may be.
pub(crate) const SEGMENT_BYTES: u64 = 1 << 20;
/// The journal's budget, as small as it may be.
pub(crate) const BUDGET_BYTES: u64 = 4 * SEGMENT_BYTES;

/// A pool without a process of its own.
pub(crate) struct Inside {
    pub(crate) pool: Pool,
    config: Config,
    folder: TempDir,
    node: NodeHandle,
}

impl Inside {
    /// On two arbiters, so that messages cross threads, after a change of what it is made of.
    pub(crate) async fn start(change: impl FnOnce(&mut Parts)) -> Self {
        Self::on(mining::node("blake2s", 300, 0), change).await
    }

    /// As [`Self::start`], on this node.
    pub(crate) async fn on(node: NodeHandle, change: impl FnOnce(&mut Parts)) -> Self {
        Self::within(node, Config::default().journal.disk_budget_bytes, change).await
    }

    /// As [`Self::start`], with a journal of [`BUDGET_BYTES`].
    pub(crate) async fn small(change: impl FnOnce(&mut Parts)) -> Self {
        Self::within(mining::node("blake2s", 300, 0), BUDGET_BYTES, change).await
    }

    async fn within(node: NodeHandle, journal_bytes: u64, change: impl FnOnce(&mut Parts)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let setup = Setup::simulated(&node.rpc_url, "blake2s").await;
        let mut config = Config::default();
        config.pool.data_dir = folder.path().join("data");
        config.pool.arbiters = 2;
        config.chain.profile = Profile::Simulated;
        config.chain.nodes = setup.nodes;
        config.chain.payout_address = setup.payout_address;
        config.algorithms.active = setup.algorithm;
        config.http.address = "127.0.0.1:0".parse().unwrap();
        config.journal.segment_bytes = SEGMENT_BYTES;
        config.journal.disk_budget_bytes = journal_bytes;
        let listener = &mut config.stratum.listener[0];
        listener.address = config.http.address;
        listener.difficulty = Some(setup.difficulty.parse().unwrap());
        listener.fixed = true;
        Self::open(config, folder, node, change).await
    }

    async fn open(
        config: Config,
        folder: TempDir,
        node: NodeHandle,
        change: impl FnOnce(&mut Parts),
    ) -> Self {
        let mut parts = Parts::real(&config, ADMIN_TOKEN.to_owned(), Assets::none()).unwrap();
        change(&mut parts);
        let pool = Pool::start(config.clone(), parts).await.unwrap();
        Self { pool, config, folder, node }
    }

    /// Stops it, and starts another one in the same folder, at the same addresses.
    pub(crate) async fn restart(self, change: impl FnOnce(&mut Parts)) -> Self {
        let Self { pool, mut config, folder, node } = self;
        config.http.address = pool.http_address();
        config.stratum.listener[0].address = pool.stratum_addresses()[0].0;
        tokio::time::timeout(PATIENCE, pool.stop()).await.expect("the pool stops in order");
        Self::open(config, folder, node, change).await
    }

    pub(crate) fn miners(&self) -> SwarmHandle {
        mining::miners(self.pool.stratum_addresses()[0].0, "blake2s", 4, None)
    }

    /// The simulated node.
    pub(crate) fn node(&self) -> &NodeHandle {
        &self.node
    }

    /// Its data folder.
    pub(crate) fn data(&self) -> &Path {
        &self.config.pool.data_dir
    }

    /// Waits for the pool's own end.
    pub(crate) async fn end(&self) -> StopReason {
        tokio::time::timeout(PATIENCE, self.pool.shutdown().requested())
            .await
            .expect("the pool stops by itself")
    }

    /// Stops it; its folder goes with what is returned.
    pub(crate) async fn stop(self) -> TempDir {
        tokio::time::timeout(PATIENCE, self.pool.stop()).await.expect("the pool stops in order");
        self.folder
    }
}

/// The journal of a stopped pool.
pub(crate) fn journal_of(folder: &TempDir) -> SharedDisk {
    Arc::new(
        FolderDisk::open(&folder.path().join("data/journal")).expect("the pool has let go of its folder"),
    )
}

/// Each miner's acknowledged shares are in the journal, and nothing else is that was not submitted.
pub(crate) fn assert_durable(swarm: &SwarmHandle, disk: SharedDisk) {
    let journalled = journalled(disk);
    for miner in swarm.miners() {
        let durable = journalled.get(miner.user.split('.').next().unwrap()).copied().unwrap_or(0);
        // A share that was told lost, or not answered, may be durable all the same.
        let possible = miner.accepted..=miner.submitted;
        assert!(possible.contains(&durable), "{durable} shares are in the journal: {miner:?}");
    }
}

/// The miners go on.
pub(crate) async fn more_shares(swarm: &SwarmHandle, what: &str) {
    let target = swarm.stats().accepted + 30;
    let more = tokio::time::timeout(PATIENCE, swarm.accepted(target)).await;
    assert!(more.is_ok(), "after {what}: {:?} {:?}", swarm.stats(), swarm.miners());
}
