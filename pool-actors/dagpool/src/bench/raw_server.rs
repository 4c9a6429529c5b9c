//! `dagpool bench raw-server`: the limit that the pool is compared with.
//!
//! The least that can answer shares truthfully: an event loop per core, the same header and hash for every share, and,
//! if durable, one write and sync per group of shares before they are answered. No actors, no accounts, no duplicates,
//! no limits, no metrics.

use std::{
    cell::{Cell, RefCell},
    io,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    pin::Pin,
    process::ExitCode,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::Sender,
    },
    task::{Context, Poll},
    time::Duration,
};

use plugin_sdk::PowAlgorithm;
use pool_actors::{
    error::{Code, Failure},
    runtime::threads::Thread,
};
use pool_domain::{
    difficulty::{Difficulty, DifficultyScale},
    target::Target,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::{
    io::{AsyncRead, ReadBuf},
    net::TcpStream,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::LocalSet,
};

use super::{
    process,
    raw_commit::{self, Forming, RECORD_BYTES, Waiting},
    raw_job::{PREFIX, RawJob},
    wire,
};

/// Jobs that shares may still be for.
const JOBS_KEPT: u64 = 8;

/// Options of `dagpool bench raw-server`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// Where to listen; port 0 takes a free one. The address is printed.
    #[arg(long, default_value = "127.0.0.1:3334")]
    pub(crate) listen: SocketAddr,
    /// Answer only what is on the disk.
    #[arg(long)]
    pub(crate) durable: bool,
    /// The file for that.
    #[arg(long, default_value = "dagpool-raw.journal", requires = "durable")]
    pub(crate) file: PathBuf,
    /// Least time between two commits, microseconds.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) commit_interval_us: u64,
    /// Time between two jobs, milliseconds; 0 = one job for ever.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) job_interval_ms: u64,
    /// Take over the job of the pool that listens here, so that both hash the same.
    #[arg(long)]
    pub(crate) like: Option<SocketAddr>,
    /// Event loops; 0 = as many as there are cores.
    #[arg(long, default_value_t = 0)]
    pub(crate) threads: usize,
}

/// What all threads share.
struct Shared {
    job: RawJob,
    algorithm: Arc<dyn PowAlgorithm>,
    share_target: Target,
    current: AtomicU64,
    blocks: AtomicU64,
}

/// A thread's own.
struct Worker {
    shared: Arc<Shared>,
    read_buffer: RefCell<Vec<u8>>,
    write_buffer: RefCell<Vec<u8>>,
    sessions: RefCell<Vec<Option<Rc<Session>>>>,
    number: u32,
    durable: Option<RefCell<Durable>>,
}

/// Shares on their way to the disk.
struct Durable {
    commit: Sender<Arc<Forming>>,
    forming: Arc<Forming>,
    /// What this turn brought.
    waiting: Vec<Waiting>,
    records: Vec<u8>,
}

impl Durable {
    fn hand_in(&mut self) {
        if !self.waiting.is_empty() && self.forming.put(&mut self.waiting, &mut self.records) {
            // The commit thread ends with an error only, which it prints.
            let _ = self.commit.send(Arc::clone(&self.forming));
        }
    }
}

struct Session {
    stream: RefCell<TcpStream>,
    index: usize,
    prefix: [u8; PREFIX],
    partial: RefCell<Vec<u8>>,
    unsent: RefCell<Vec<u8>>,
    flushing: Cell<bool>,
    authorised: Cell<bool>,
}

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
    method: &'a str,
    #[serde(borrow)]
    params: &'a RawValue,
}

/// Worker, job, extranonce2, time, nonce.
type Submit<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str);

/// Runs until it is killed.
///
/// # Errors
/// When the address, the file or a thread can't be had.
pub(super) async fn command(options: &Options) -> Result<ExitCode, Failure> {
    let refused = |what: String| {
        move |error: io::Error| {
            Failure::new(Code::SystemRefused, format!("raw server: {what}: {error}"), "choose another one")
        }
    };
    process::raise_file_limit(64)?;
    let listener = TcpListener::bind(options.listen).map_err(refused(options.listen.to_string()))?;
    let address = listener.local_addr().map_err(refused(options.listen.to_string()))?;
    let job = options.like.map_or_else(|| Ok(RawJob::made_up()), RawJob::like)?;
    let shared = Arc::new(Shared {
        job,
        algorithm: pool_engine::Registry::linked_in().get("sha256d").expect("sha256d is linked in"),
        share_target: DifficultyScale::SHA256D.tolerant_target(Difficulty::MIN),
        current: AtomicU64::new(1),
        blocks: AtomicU64::new(0),
    });
    let commit = options
        .durable
        .then(|| raw_commit::start(&options.file, Duration::from_micros(options.commit_interval_us)))
        .transpose()
        .map_err(refused(options.file.display().to_string()))?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = if options.threads == 0 { cores } else { options.threads };
    let mut lanes = Vec::new();
    for number in 0..u32::try_from(threads).unwrap_or(1) {
        let (sender, receiver) = unbounded_channel();
        lanes.push(sender);
        let (shared, commit) = (Arc::clone(&shared), commit.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(refused("event loop".to_owned()))?;
        Thread::spawn("raw-server", move || {
            LocalSet::new().block_on(&runtime, serve(number, shared, commit, receiver));
        })
        .map_err(refused("thread".to_owned()))?;
    }
    println!("raw server listening on {address}");
    accept(listener, &lanes, &shared, options.job_interval_ms).await.map_err(refused(address.to_string()))?;
    Ok(ExitCode::SUCCESS)
}

/// To a thread.
enum Order {
    Serve(std::net::TcpStream),
    NewJob,
}

async fn accept(
    listener: TcpListener,
    lanes: &[UnboundedSender<Order>],
    shared: &Shared,
    job_interval_ms: u64,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let never = Duration::from_secs(u64::from(u32::MAX));
    let period = if job_interval_ms == 0 { never } else { Duration::from_millis(job_interval_ms) };
    let mut new_job = tokio::time::interval_at(tokio::time::Instant::now() + period, period);
    let mut next = 0;
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let stream = accepted?.0.into_std()?;
                // Threads live as long as the process.
                let _ = lanes[next % lanes.len()].send(Order::Serve(stream));
                next += 1;
            }
            _ = new_job.tick() => {
                shared.current.fetch_add(1, Ordering::Relaxed);
                for lane in lanes {
                    let _ = lane.send(Order::NewJob);
                }
            }
        }
    }
}

async fn serve(
    number: u32,
    shared: Arc<Shared>,
    commit: Option<Sender<Arc<Forming>>>,
    mut orders: UnboundedReceiver<Order>,
) {
    let (done, mut committed) = unbounded_channel();
    let durable = commit.map(|commit| {
        RefCell::new(Durable {
            commit,
            forming: Forming::new(done),
            waiting: Vec::new(),
            records: Vec::new(),
        })
    });
    let worker = Rc::new(Worker {
        shared,
        read_buffer: RefCell::new(vec![0; 64 << 10]),
        write_buffer: RefCell::default(),
        sessions: RefCell::default(),
        number,
        durable,
    });
    loop {
        tokio::select! {
            biased;
            Some(group) = committed.recv() => worker.committed(&group),
            order = orders.recv() => match order {
                Some(Order::Serve(stream)) => worker.welcome(stream),
                Some(Order::NewJob) => worker.new_job(),
                None => return,
            },
        }
    }
}

impl Worker {
    fn welcome(self: &Rc<Self>, stream: std::net::TcpStream) {
        let Ok(stream) = stream.set_nodelay(true).and_then(|()| TcpStream::from_std(stream)) else { return };
        let mut sessions = self.sessions.borrow_mut();
        let index = sessions.len();
        let [.., a, b, c] = u32::try_from(index).unwrap_or(u32::MAX).to_be_bytes();
        let session = Rc::new(Session {
            stream: RefCell::new(stream),
            index,
            prefix: [self.number.to_be_bytes()[3], a, b, c],
            partial: RefCell::default(),
            unsent: RefCell::default(),
            flushing: Cell::new(false),
            authorised: Cell::new(false),
        });
        sessions.push(Some(Rc::clone(&session)));
        tokio::task::spawn_local(session.run(Rc::clone(self)));
    }

    fn new_job(&self) {
        let line = self.shared.job.notify(self.shared.current.load(Ordering::Relaxed));
        for session in self.sessions.borrow().iter().flatten().filter(|session| session.authorised.get()) {
            session.send(line.as_bytes());
        }
    }

    /// Answers what is on the disk now.
    fn committed(&self, group: &[Waiting]) {
        let sessions = self.sessions.borrow();
        let mut out = self.write_buffer.borrow_mut();
        for run in group.chunk_by(|a, b| a.connection == b.connection) {
            let Some(Some(session)) = sessions.get(run[0].connection) else { continue };
            out.clear();
            run.iter().for_each(|waiting| accept_line(&mut out, waiting.id));
            session.send(&out);
        }
    }

    /// Judges a share; the hash's first bytes if it is one.
    fn judge(&self, session: &Session, submit: &Submit<'_>) -> Result<[u8; 8], &'static str> {
        let current = self.shared.current.load(Ordering::Relaxed);
        let job = u64::from_str_radix(submit.1, 16).ok();
        if job.is_none_or(|job| job > current || job + JOBS_KEPT <= current) {
            return Err("[21,\"Job not found\",null]");
        }
        let job = &self.shared.job;
        let solution =
            job.solution(session.prefix, [submit.2, submit.3, submit.4]).ok_or("[20,\"Bad field\",null]")?;
        let header = job.layout.assemble(&solution);
        let mut hash = [[0; 32]];
        self.shared.algorithm.hash_batch(&[header], &mut hash).map_err(|_| "[20,\"No hash\",null]")?;
        if !self.shared.share_target.is_met_by(&hash[0]) {
            return Err("[23,\"Low difficulty share\",null]");
        }
        if job.network_target.is_met_by(&hash[0]) {
            self.shared.blocks.fetch_add(1, Ordering::Relaxed);
        }
        let mut tag = [0; 8];
        tag.copy_from_slice(&hash[0][..8]);
        Ok(tag)
    }

    fn request(&self, session: &Session, line: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let request: Request<'_> = serde_json::from_slice(line).ok()?;
        let id = request.id.get();
        match request.method {
            "mining.submit" => {
                let number: u64 = id.parse().ok()?;
                let submit: Submit<'_> = serde_json::from_str(request.params.get()).ok()?;
                match (self.judge(session, &submit), &self.durable) {
                    (Ok(tag), Some(durable)) => durable.borrow_mut().take(session.index, number, tag),
                    (Ok(_), None) => accept_line(out, number),
                    (Err(error), _) => out.extend_from_slice(
                        format!("{{\"id\":{id},\"result\":null,\"error\":{error}}}\n").as_bytes(),
                    ),
                }
            }
            "mining.subscribe" => {
                let (prefix, size) = (hex::encode(session.prefix), self.shared.job.extranonce2_size);
                out.extend_from_slice(
                    format!(
                        "{{\"id\":{id},\"result\":[[[\"mining.notify\",\"{prefix}\"]],\"{prefix}\",{size}],\"error\":null}}\n"
                    )
                    .as_bytes(),
                );
            }
            "mining.authorize" => {
                session.authorised.set(true);
                let job = self.shared.job.notify(self.shared.current.load(Ordering::Relaxed));
                out.extend_from_slice(
                    format!(
                        "{{\"id\":{id},\"result\":true,\"error\":null}}\n\
                         {{\"id\":null,\"method\":\"mining.set_difficulty\",\"params\":[2.3283064365386963e-10]}}\n{job}"
                    )
                    .as_bytes(),
                );
            }
            _ => out.extend_from_slice(
                format!("{{\"id\":{id},\"result\":null,\"error\":[-32601,\"Unknown method\",null]}}\n")
                    .as_bytes(),
            ),
        }
        Some(())
    }
}

impl Durable {
    fn take(&mut self, connection: usize, id: u64, tag: [u8; 8]) {
        self.waiting.push(Waiting { connection, id });
        let mut record = [0; RECORD_BYTES];
        record[..8].copy_from_slice(&tag);
        record[8..16].copy_from_slice(&(connection as u64).to_le_bytes());
        record[16..24].copy_from_slice(&id.to_le_bytes());
        self.records.extend_from_slice(&record);
    }
}

fn accept_line(out: &mut Vec<u8>, id: u64) {
    out.extend_from_slice(b"{\"id\":");
    wire::decimal(out, id);
    out.extend_from_slice(b",\"result\":true,\"error\":null}\n");
}

impl Session {
    async fn run(self: Rc<Self>, worker: Rc<Worker>) {
        while let Ok(true) = std::future::poll_fn(|context| self.poll_read(&worker, context)).await {}
        worker.sessions.borrow_mut()[self.index] = None;
    }

    fn poll_read(self: &Rc<Self>, worker: &Worker, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut buffer = worker.read_buffer.borrow_mut();
        let mut read = ReadBuf::new(&mut buffer);
        match Pin::new(&mut *self.stream.borrow_mut()).poll_read(context, &mut read) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) => {}
        }
        if read.filled().is_empty() {
            return Poll::Ready(Ok(false));
        }
        let mut out = worker.write_buffer.borrow_mut();
        out.clear();
        let understood = self.lines(worker, read.filled(), &mut out);
        if let Some(durable) = &worker.durable {
            durable.borrow_mut().hand_in();
        }
        self.send(&out);
        Poll::Ready(Ok(understood))
    }

    fn lines(&self, worker: &Worker, bytes: &[u8], out: &mut Vec<u8>) -> bool {
        let mut joined = self.partial.take();
        let mut rest = if joined.is_empty() {
            bytes
        } else {
            joined.extend_from_slice(bytes);
            &joined
        };
        while let Some(end) = memchr::memchr(b'\n', rest) {
            if worker.request(self, &rest[..end], out).is_none() {
                return false;
            }
            rest = &rest[end + 1..];
        }
        if !rest.is_empty() {
            self.partial.replace(rest.to_vec());
        }
        true
    }

    fn send(self: &Rc<Self>, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let mut unsent = self.unsent.borrow_mut();
        let written = if unsent.is_empty() { self.stream.borrow().try_write(bytes).unwrap_or(0) } else { 0 };
        if written == bytes.len() {
            return;
        }
        unsent.extend_from_slice(&bytes[written..]);
        if !self.flushing.replace(true) {
            tokio::task::spawn_local(Rc::clone(self).flush());
        }
    }

    async fn flush(self: Rc<Self>) {
        loop {
            let ready = std::future::poll_fn(|context| self.stream.borrow().poll_write_ready(context)).await;
            let mut unsent = self.unsent.borrow_mut();
            let written = match self.stream.borrow().try_write(&unsent) {
                Ok(written) => written,
                Err(error) if ready.is_ok() && error.kind() == io::ErrorKind::WouldBlock => 0,
                // The reader sees the error too and ends the session.
                Err(_) => unsent.len(),
            };
            unsent.drain(..written);
            if unsent.is_empty() {
                self.flushing.set(false);
                return;
            }
        }
    }
}
