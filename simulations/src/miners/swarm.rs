//! Many miners in one thread with its own actix system, and the handle on them.

use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

use actix::prelude::*;
use thiserror::Error;
use tokio::sync::{oneshot, watch};

use super::client::{Client, SharedStats};
use super::config::{Dialect, SwarmConfig};
use super::session::SessionConfig;
use super::stats::{MinerStats, SwarmStats};
use crate::grinder::Grinder;
use crate::pow;
use crate::runtime::spawn_thread;

/// Why a swarm did not start.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SwarmError {
    /// No such algorithm.
    #[error("virtual miners: there is no algorithm {0}; there are {1}")]
    Algorithm(String, String),
    /// A conduct needs to know which solutions are blocks.
    #[error("virtual miners: the dialect does not say which solutions are blocks; use standard")]
    Conduct,
    /// The system gave no thread.
    #[error("virtual miners: {0}")]
    Thread(String),
}

/// Starts swarms.
pub struct Swarm;

impl Swarm {
    /// Starts the miners; they connect, and connect again, by themselves.
    ///
    /// # Errors
    /// See [`SwarmError`].
    pub fn start(config: SwarmConfig) -> Result<SwarmHandle, SwarmError> {
        let algorithm = find(&config.algorithm)?;
        let also = config.also.iter().map(|name| find(name)).collect::<Result<Vec<_>, _>>()?;
        if config.conduct.looks_for_blocks() && config.dialect != Dialect::Standard {
            return Err(SwarmError::Conduct);
        }
        let grinder = Grinder::start(config.threads);
        let (progress, accepted) = watch::channel(0);
        let (stop, stopped) = oneshot::channel();
        let stats: Vec<SharedStats> = (0..config.count)
            .map(|index| {
                Arc::new(Mutex::new(MinerStats { user: config.user(index), ..MinerStats::default() }))
            })
            .collect();
        let config = Arc::new(config);
        let sessions: Vec<SessionConfig> = (0..config.count)
            .map(|index| SessionConfig {
                dialect: config.dialect,
                algorithm,
                also: also.clone(),
                user: config.user(index),
                password: config.password.clone(),
                version_rolling: config.version_rolling,
                first_counter: 0,
                conduct: config.conduct,
                shares_limit: config.shares_limit,
            })
            .collect();
        let (started, running) = mpsc::channel();
        let thread = {
            let (config, grinder, stats) = (Arc::clone(&config), grinder.clone(), stats.clone());
            spawn_thread("sim-miners".to_owned(), move || {
                actix_rt::System::new().block_on(async move {
                    for (index, (session, stats)) in sessions.into_iter().zip(stats).enumerate() {
                        let config = Arc::clone(&config);
                        Client::new(config, session, index, stats, grinder.clone(), progress.clone()).start();
                    }
                    // The starter waits for this message.
                    let _ = started.send(());
                    // The end of the handle is the order to stop as well.
                    let _ = stopped.await;
                });
            })
        };
        let thread = thread.map_err(|error| SwarmError::Thread(error.to_string()))?;
        running.recv().map_err(|_| SwarmError::Thread("the thread ended at once".to_owned()))?;
        Ok(SwarmHandle { config, stats, grinder, accepted, stop: Some(stop), thread: Some(thread) })
    }
}

fn find(name: &str) -> Result<&'static str, SwarmError> {
    let names = || pow::ALGORITHMS.map(|algorithm| algorithm.name).join(", ");
    let algorithm = pow::by_name(name).ok_or_else(|| SwarmError::Algorithm(name.to_owned(), names()))?;
    Ok(algorithm.name)
}

/// Running miners; they stop when this is dropped.
pub struct SwarmHandle {
    config: Arc<SwarmConfig>,
    stats: Vec<SharedStats>,
    grinder: Grinder,
    accepted: watch::Receiver<u64>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl SwarmHandle {
    /// Sums over all miners.
    pub fn stats(&self) -> SwarmStats {
        let mut sums = SwarmStats { hashes: self.grinder.hashes(), ..SwarmStats::default() };
        for stats in &self.stats {
            sums.add(&stats.lock().unwrap_or_else(PoisonError::into_inner), self.config.shares_limit);
        }
        sums
    }

    /// Each miner's counters.
    pub fn miners(&self) -> Vec<MinerStats> {
        self.stats.iter().map(|stats| stats.lock().unwrap_or_else(PoisonError::into_inner).clone()).collect()
    }

    /// Waits until so many shares were accepted in all.
    pub async fn accepted(&self, shares: u64) {
        let mut accepted = self.accepted.clone();
        // An error means that all miners are gone, so that nothing would ever change.
        let _ = accepted.wait_for(|count| *count >= shares).await;
    }

    /// Waits until every miner has reached its limit of shares; for ever without a limit.
    pub async fn finished(&self) {
        match self.config.shares_limit {
            Some(limit) => self.accepted(limit.saturating_mul(self.config.count as u64)).await,
            None => std::future::pending().await,
        }
    }

    /// Stops all miners and returns the last sums.
    pub fn stop(mut self) -> SwarmStats {
        self.end();
        self.stats()
    }

    /// Stops all miners; their counters stay as they are then.
    pub fn end(&mut self) {
        // A swarm that ended by itself needs no order.
        self.stop.take().map(|stop| stop.send(()));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for SwarmHandle {
    fn drop(&mut self) {
        self.end();
    }
}
