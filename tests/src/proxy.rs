//! A TCP proxy between a pool and its database that cuts connections on purpose, at the worst moments, or lets nothing
//! through while they stay open.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use pool_actors::runtime::threads::Thread;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{oneshot, watch},
};

/// Where a connection to PostgreSQL is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Some bytes into the rows of a binary COPY.
    InCopy,
    /// After the server has answered a COMMIT, and before the answer is handed on.
    AfterCommit,
}

/// First bytes of a binary COPY.
const COPY: &[u8] = b"PGCOPY\n";
/// How much of it comes through.
const COPY_PART: usize = 24;
/// A COMMIT as tokio-postgres sends it.
const COMMIT: &[u8] = b"COMMIT\0";

struct State {
    target: SocketAddr,
    armed: Mutex<Option<Cut>>,
    cuts: watch::Sender<u64>,
    blocked: watch::Sender<bool>,
}

/// A running proxy; its connections end with it.
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    state: Arc<State>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<Thread>,
}

impl Proxy {
    /// Listens on loopback, and hands everything on to `target`.
    ///
    /// # Panics
    /// When the system refuses a port or a thread.
    #[must_use]
    pub fn start(target: SocketAddr) -> Self {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        listener.set_nonblocking(true).expect("non-blocking");
        let address = listener.local_addr().expect("bound");
        let state = Arc::new(State {
            target,
            armed: Mutex::new(None),
            cuts: watch::Sender::new(0),
            blocked: watch::Sender::new(false),
        });
        let (stop, stopped) = oneshot::channel();
        let shared = Arc::clone(&state);
        // Tests block their own thread while they start a process.
        let thread = Thread::spawn("proxy", move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                tokio::select! {
                    () = accept(listener, shared) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address, state, stop: Some(stop), thread: Some(thread.expect("a thread")) }
    }

    /// Cuts the next connection that comes to that point, and waits until it has.
    pub async fn cut(&self, cut: Cut) {
        let mut cuts = self.state.cuts.subscribe();
        let before = *cuts.borrow();
        *self.state.armed.lock().unwrap_or_else(PoisonError::into_inner) = Some(cut);
        // The sender lives as long as this proxy.
        let _ = cuts.wait_for(|count| *count > before).await;
    }

    /// Lets nothing through, in either direction, or everything again. Connections stay open.
    pub fn block(&self, blocked: bool) {
        self.state.blocked.send_replace(blocked);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: std::net::TcpListener, state: Arc<State>) {
    let listener = TcpListener::from_std(listener).expect("a listener");
    while let Ok((client, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            // Whatever ends it, both sides are closed.
            let _ = carry(client, &state).await;
        });
    }
}

impl State {
    /// Whether these bytes of the client are where a connection is to be cut; no other one is then.
    fn is_due(&self, cut: Cut, bytes: &[u8], mark: &[u8]) -> Option<usize> {
        let at = bytes.windows(mark.len()).position(|window| window == mark)?;
        let mut armed = self.armed.lock().unwrap_or_else(PoisonError::into_inner);
        (armed.as_ref() == Some(&cut)).then(|| {
            *armed = None;
            at
        })
    }
}

async fn until(blocked: &mut watch::Receiver<bool>, wanted: bool) {
    // The sender lives as long as the connections.
    let _ = blocked.wait_for(|now| *now == wanted).await;
}

async fn carry(mut client: TcpStream, state: &State) -> std::io::Result<()> {
    let mut blocked = state.blocked.subscribe();
    until(&mut blocked, false).await;
    let mut server = TcpStream::connect(state.target).await?;
    let (mut up, mut down) = (vec![0; 65_536], vec![0; 65_536]);
    let mut begins = state.blocked.subscribe();
    loop {
        until(&mut blocked, false).await;
        tokio::select! {
            read = client.read(&mut up) => {
                let bytes = &up[..read?];
                if bytes.is_empty() {
                    return Ok(());
                }
                until(&mut blocked, false).await;
                if let Some(at) = state.is_due(Cut::InCopy, bytes, COPY) {
                    server.write_all(&bytes[..bytes.len().min(at + COPY_PART)]).await?;
                    server.flush().await?;
                    state.cuts.send_modify(|count| *count += 1);
                    return Ok(());
                }
                let due = state.is_due(Cut::AfterCommit, bytes, COMMIT);
                server.write_all(bytes).await?;
                if due.is_some() {
                    // Its answer: it is done, and nobody will know.
                    let _ = server.read(&mut down).await?;
                    state.cuts.send_modify(|count| *count += 1);
                    return Ok(());
                }
            }
            read = server.read(&mut down) => {
                let bytes = &down[..read?];
                if bytes.is_empty() {
                    return Ok(());
                }
                until(&mut blocked, false).await;
                client.write_all(bytes).await?;
            }
            () = until(&mut begins, true) => {}
        }
    }
}
