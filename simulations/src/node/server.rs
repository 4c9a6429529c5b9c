//! Starting and stopping a node: one thread with its own actix system, so that it can be used from any program and test.

use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc;
use std::thread::JoinHandle;

use actix::prelude::*;
use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer, web};
use thiserror::Error;

use super::actor::NodeActor;
use super::config::NodeConfig;
use super::core::Core;
use super::http::{Site, routes};
use crate::{clock::unix_ms, runtime::spawn_thread};

/// Why a node did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// A setting can't be used.
    #[error("{0}")]
    Config(String),
    /// The address is taken or not ours.
    #[error("can't listen on {address}: {error}; choose another port, or 0 for a free one")]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        /// What the system said.
        error: std::io::Error,
    },
    /// No thread, or the server ended at once.
    #[error("{0}")]
    Server(String),
}

/// Starts nodes.
pub struct SimNode;

impl SimNode {
    /// Starts a node and returns when it listens.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn start(config: NodeConfig) -> Result<NodeHandle, StartError> {
        config.check().map_err(StartError::Config)?;
        let (listen, auth) = (config.listen, config.auth.clone());
        let failed = |error| StartError::Listen { address: listen, error };
        let listener = TcpListener::bind(listen).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let core = Core::open(config, unix_ms()).map_err(StartError::Config)?;
        let (sender, started) = mpsc::channel();
        let thread = spawn_thread("sim-node".to_owned(), move || run(core, auth.as_ref(), listener, &sender))
            .map_err(|error| StartError::Server(error.to_string()))?;
        let server = match started.recv() {
            Ok(Ok(server)) => server,
            Ok(Err(error)) => return Err(StartError::Server(error.to_string())),
            Err(_) => return Err(StartError::Server("the thread ended at once".to_owned())),
        };
        Ok(NodeHandle {
            rpc_url: format!("http://{address}/"),
            admin_url: format!("http://{address}/admin"),
            ws_url: format!("ws://{address}/ws"),
            address,
            server,
            thread: Some(thread),
        })
    }
}

fn run(
    core: Core,
    auth: Option<&(String, String)>,
    listener: TcpListener,
    started: &mpsc::Sender<std::io::Result<ServerHandle>>,
) {
    actix_rt::System::new().block_on(async move {
        let node = NodeActor::new(core).start();
        let site = web::Data::new(Site::new(node, auth));
        let server = HttpServer::new(move || App::new().app_data(site.clone()).configure(routes))
            .workers(1)
            .disable_signals()
            .listen(listener)
            .map(HttpServer::run);
        match server {
            Ok(server) => {
                // Nobody waits for the handle only if the starter is gone, and then the node ends with the process.
                let _ = started.send(Ok(server.handle()));
                if let Err(error) = server.await {
                    tracing::error!(%error, "the simulated node's server ended");
                }
            }
            Err(error) => {
                let _ = started.send(Err(error));
            }
        }
    });
}

/// A running node; it ends when this is dropped.
#[derive(Debug)]
pub struct NodeHandle {
    /// JSON-RPC, e.g. `http://127.0.0.1:38131/`.
    pub rpc_url: String,
    /// Fault switches, same protocol.
    pub admin_url: String,
    /// Notifications, e.g. `ws://127.0.0.1:38131/ws`.
    pub ws_url: String,
    /// Where it listens.
    pub address: SocketAddr,
    server: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl NodeHandle {
    /// Stops the node and waits until its port is free.
    pub fn stop(self) {
        drop(self);
    }

    /// Waits until the node ends by itself, which it does only on an error.
    pub fn wait(mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for NodeHandle {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        // The command is sent by the call itself; the future only waits for its end, as does the join.
        drop(self.server.stop(false));
        let _ = thread.join();
    }
}
