//! `dagpool bench restart`: a pool that was killed with millions of shares in its journal, and how long it takes until it
//! serves again. The journal is written by the pool's own writer, and how fast that goes is told beside what the disk does
//! with the same bytes.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use pool_actors::{
    adapters::{disk_folder::FolderDisk, system_clock::SystemClock},
    error::{Code, Failure},
    ledger::journal::{Durability, Journal, Lane, NewShare, Options as JournalOptions},
    messages::share::WorkerIdentity,
    ports::clock::Clock as _,
};
use pool_domain::{
    ids::{Account, AlgorithmName, Generation, JobId, Route, SlotId, WorkerName},
    units::Work,
};
use serde_json::Value;

use super::{children::Server, process, run};

/// Shares of a batch, as a validator hands them on.
const BATCH: u64 = 1_000;
/// Batches of a group: what gathers while the disk writes the group before. One write and one sync for all of them.
const GROUP: u64 = 16;
/// Workers, each with an account of its own.
const WORKERS: u64 = 10_000;
/// How long is waited for a pool.
const WAIT_MAX: Duration = Duration::from_secs(120);
/// How often it is asked.
const POLL: Duration = Duration::from_millis(10);

/// Options of `dagpool bench restart`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// Folder for the journal, on the disk that is to be measured; a fresh one below it is used and removed.
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    pub(crate) dir: PathBuf,
    /// Shares in the journal.
    #[arg(long, default_value_t = 10_000_000)]
    pub(crate) shares: u64,
}

/// Runs it and prints what was measured.
///
/// # Errors
/// When the disk or a server does not do what it should.
pub(super) async fn command(options: &Options) -> Result<ExitCode, Failure> {
    let dir = options.dir.join(format!("dagpool-restart-{}", std::process::id()));
    fs::create_dir_all(&dir).map_err(|error| disk(&dir, &error))?;
    let outcome = in_folder(options.shares, &dir).await;
    if let Err(error) = fs::remove_dir_all(&dir) {
        eprintln!("{} could not be removed: {error}", dir.display());
    }
    outcome.map(|()| ExitCode::SUCCESS)
}

fn disk(at: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Code::DataDirUnwritable, format!("{}: {error}", at.display()), "choose another --dir")
}

/// Time since then, and what of it the pool has computed: on a busy machine the second is what it takes.
fn spent(begun: Instant, pool: &Server) -> Result<String, Failure> {
    let took = begun.elapsed().as_millis();
    Ok(format!("{took} ms, {} ms of processor time", process::cpu_micros(pool.pid())? / 1_000))
}

fn per_second(shares: u64, took: Duration) -> u128 {
    u128::from(shares) * 1_000_000 / took.as_micros().max(1)
}

async fn in_folder(shares: u64, dir: &Path) -> Result<(), Failure> {
    let data = dir.join("data");
    let (written, bytes) = write(&data.join("journal"), shares)?;
    let raw = raw(dir, shares, bytes)?;
    println!(
        "journal          {shares} shares ({bytes} bytes) in batches of {BATCH}, {GROUP} batches to a group, one sync per group: {}/s",
        per_second(shares, written)
    );
    println!("raw disk         the same bytes, as many writes and syncs: {}/s", per_second(shares, raw));

    let (node, payout) = run::start_node().await?;
    let config = dir.join("pool.toml");
    let text = run::pool_config("disk", dir, &node.rpc_url, &payout);
    fs::write(&config, text).map_err(|error| disk(&config, &error))?;
    let config = config.to_string_lossy();
    let begun = Instant::now();
    let mut pool = Server::start("pool", dir, &["run", "--config", &config])?;
    let url = ready(&mut pool).await?;
    println!("first start      nothing in the database: ready after {}", spent(begun, &pool)?);
    caught_up(&url).await?;
    println!("                 all shares credited after {}", spent(begun, &pool)?);

    pool.kill();
    let begun = Instant::now();
    let mut pool = Server::start("pool", dir, &["run", "--config", &config])?;
    pool.address("stratum+tcp://").await?;
    println!("after kill -9    miners are served after {}", spent(begun, &pool)?);
    let url = ready(&mut pool).await?;
    println!("                 ready (ledger restored, work from the node) after {}", spent(begun, &pool)?);
    caught_up(&url).await
}

/// Writes the journal as the commit thread does; how long that took, and its bytes.
fn write(folder: &Path, shares: u64) -> Result<(Duration, u64), Failure> {
    fs::create_dir_all(folder).map_err(|error| disk(folder, &error))?;
    let files = FolderDisk::open(folder).map_err(|error| disk(folder, &error))?;
    let options =
        JournalOptions { durability: Durability::Disk, segment_bytes: 256 << 20, budget_bytes: u64::MAX };
    let unusable = |error: &dyn std::fmt::Display| disk(folder, error);
    let (mut journal, _) = Journal::open(Arc::new(files), options).map_err(|error| unusable(&error))?;
    journal.preallocate_in_background().map_err(|error| unusable(&error))?;
    let workers: Vec<_> = (0..WORKERS).map(worker).collect();
    let algorithm = AlgorithmName::new("sha256d").expect("a name of ours");
    let (begun, mut sent, mut bytes) = (Instant::now(), 0, 0);
    while sent < shares {
        let until = (sent + BATCH * GROUP).min(shares);
        let now = SystemClock.now();
        let appended = journal.append(Lane::Shares, |frame| {
            let before = frame.bytes();
            for n in sent..until {
                frame.share(&NewShare {
                    received_at: now,
                    // In runs of four, as sessions send them.
                    worker: &workers[usize::try_from((n / 4).wrapping_mul(7_919) % WORKERS).unwrap_or(0)],
                    work: Work(1 << 32),
                    algorithm: &algorithm,
                    route: Route { slot: SlotId(0), generation: Generation(1) },
                    job: JobId(now.0 + n / 100_000),
                    hash_tag: n.wrapping_mul(0x9e37_79b9_7f4a_7c15),
                    candidate: None,
                });
            }
            bytes += (frame.bytes() - before) as u64;
        });
        appended.map_err(|error| unusable(&error))?;
        sent = until;
    }
    Ok((begun.elapsed(), bytes))
}

fn worker(n: u64) -> Arc<WorkerIdentity> {
    Arc::new(WorkerIdentity {
        account: Account::new(&format!("account{n:05}")).expect("letters and digits"),
        worker: WorkerName::new("rig").expect("letters"),
    })
}

/// As many bytes in as many writes and syncs, into a file that has its room.
fn raw(dir: &Path, shares: u64, bytes: u64) -> Result<Duration, Failure> {
    let path = dir.join("raw");
    let write = || -> std::io::Result<Duration> {
        let file = OpenOptions::new().create_new(true).write(true).open(&path)?;
        rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, bytes + (1 << 20))?;
        file.sync_all()?;
        let groups = shares.div_ceil(BATCH * GROUP);
        let group = vec![7_u8; usize::try_from(bytes / groups).unwrap_or(1 << 20)];
        let begun = Instant::now();
        for at in 0..groups {
            file.write_all_at(&group, at * group.len() as u64)?;
            file.sync_data()?;
        }
        Ok(begun.elapsed())
    };
    let took = write().map_err(|error| disk(&path, &error))?;
    fs::remove_file(&path).map_err(|error| disk(&path, &error))?;
    Ok(took)
}

/// Waits until `/health/ready` says so; the address of the API.
async fn ready(pool: &mut Server) -> Result<String, Failure> {
    let url = format!("http://{}", pool.address("dashboard  http://").await?);
    let begun = Instant::now();
    let client = reqwest::Client::new();
    loop {
        let answer = client.get(format!("{url}/health/ready")).send().await;
        if answer.is_ok_and(|answer| answer.status().is_success()) {
            return Ok(url);
        }
        if begun.elapsed() > WAIT_MAX {
            return Err(Failure::new(Code::SystemRefused, "the pool is not ready", "see its log"));
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Waits until the ledger has taken in all that is in the journal.
async fn caught_up(url: &str) -> Result<(), Failure> {
    let begun = Instant::now();
    let client = reqwest::Client::new();
    loop {
        let lag = async {
            let stats: Value = client.get(format!("{url}/api/stats")).send().await?.json().await?;
            Ok::<_, reqwest::Error>(stats["ledger"]["lag"].as_u64())
        };
        if matches!(lag.await, Ok(Some(0))) {
            return Ok(());
        }
        if begun.elapsed() > WAIT_MAX {
            return Err(Failure::new(Code::SystemRefused, "the ledger does not catch up", "see its log"));
        }
        tokio::time::sleep(POLL).await;
    }
}
