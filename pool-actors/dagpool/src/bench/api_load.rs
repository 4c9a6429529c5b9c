//! Requests to the API that are sent when they are due, whatever is unanswered: over keep-alive connections, by a reader of
//! HTTP/1.1 that costs little, since it runs on the cores that are measured.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use pool_actors::{
    error::{Code, Failure},
    runtime::threads::Thread,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Semaphore,
    task::LocalSet,
};

use super::histogram::Histogram;

/// Largest head of an answer.
const HEAD_BYTES: usize = 8_192;

/// How late a request may be sent before it counts as failed.
const LATE_MAX: Duration = Duration::from_secs(5);

/// What is asked, of a hundred: what a dashboard, front ends and scripts of miners ask for. `{}` is an account of the load.
const MIX: [(&str, &str, usize); 9] = [
    ("stats", "/api/stats", 25),
    ("miner", "/api/miners/{}", 25),
    ("miners", "/api/miners?limit=50", 12),
    ("hashrate", "/api/miners/{}/hashrate", 10),
    ("blocks", "/api/blocks?limit=50", 10),
    ("earnings", "/api/miners/{}/earnings", 5),
    ("status", "/api/algorithms/status", 5),
    ("ready", "/health/ready", 5),
    ("miner payouts", "/api/miners/{}/payouts", 3),
];

/// What was answered.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) all: Histogram,
    pub(super) by_name: BTreeMap<&'static str, Histogram>,
    /// By status, other than 200.
    pub(super) refused: BTreeMap<u16, u64>,
    pub(super) failed: u64,
    pub(super) bytes: u64,
}

impl Answers {
    pub(super) fn merge(&mut self, other: Self) {
        self.all.merge(&other.all);
        for (name, histogram) in other.by_name {
            self.by_name.entry(name).or_default().merge(&histogram);
        }
        for (status, count) in other.refused {
            *self.refused.entry(status).or_default() += count;
        }
        self.failed += other.failed;
        self.bytes += other.bytes;
    }
}

/// Asks for a while at a rate; what came of it.
///
/// # Errors
/// When the system refuses a thread.
pub(super) async fn ask(
    pool: SocketAddr,
    rate: u64,
    length: Duration,
    connections: usize,
    accounts: usize,
) -> Result<Answers, Failure> {
    let refused = |error: &io::Error| {
        Failure::new(Code::SystemRefused, format!("the load on the API: {error}"), "free memory")
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| refused(&error))?;
    let (sender, answered) = tokio::sync::oneshot::channel();
    Thread::spawn("bench-api", move || {
        let answers = LocalSet::new().block_on(&runtime, run(pool, rate, length, connections, accounts));
        // The receiver is gone only when the run was given up.
        let _ = sender.send(answers);
    })
    .map_err(|error| refused(&error))?;
    answered.await.map_err(|_| refused(&io::Error::other("its thread died")))
}

async fn run(pool: SocketAddr, rate: u64, length: Duration, connections: usize, accounts: usize) -> Answers {
    // What is due and not taken yet.
    let due = Rc::new(Due { permits: Semaphore::new(0), times: std::cell::RefCell::default() });
    let tasks: Vec<_> = (0..connections)
        .map(|_| tokio::task::spawn_local(connection(pool, Rc::clone(&due), accounts)))
        .collect();
    let begun = Instant::now();
    let mut sent = 0;
    while begun.elapsed() < length {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let wanted =
            u64::try_from(begun.elapsed().as_micros() * u128::from(rate) / 1_000_000).unwrap_or(sent);
        while sent < wanted {
            let at = begun + Duration::from_micros(sent * 1_000_000 / rate.max(1));
            due.times.borrow_mut().push_back((sent, at));
            due.permits.add_permits(1);
            sent += 1;
        }
    }
    // What is due is still taken: a closed semaphore gives nothing out any more.
    let ended = Instant::now();
    while !due.times.borrow().is_empty() && ended.elapsed() < LATE_MAX {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    due.permits.close();
    let mut answers = Answers::default();
    for task in tasks {
        match task.await {
            Ok(some) => answers.merge(some),
            Err(_) => answers.failed += 1,
        }
    }
    // Those that no connection came to.
    answers.failed += due.times.borrow().len() as u64;
    answers
}

struct Due {
    permits: Semaphore,
    times: std::cell::RefCell<std::collections::VecDeque<(u64, Instant)>>,
}

async fn connection(pool: SocketAddr, due: Rc<Due>, accounts: usize) -> Answers {
    let mut answers = Answers::default();
    let mut stream = None;
    let mut buffer = vec![0; 64 << 10];
    loop {
        let Ok(permit) = due.permits.acquire().await else { return answers };
        permit.forget();
        let Some((number, at)) = due.times.borrow_mut().pop_front() else { continue };
        let (name, path) = page(number, accounts);
        match exchange(&mut stream, pool, &path, &mut buffer).await {
            Ok((200, bytes)) => {
                let took = u64::try_from(at.elapsed().as_nanos()).unwrap_or(u64::MAX);
                answers.all.record(took);
                answers.by_name.entry(name).or_default().record(took);
                answers.bytes += bytes;
            }
            Ok((status, _)) => *answers.refused.entry(status).or_default() += 1,
            Err(_) => {
                stream = None;
                answers.failed += 1;
            }
        }
    }
}

/// The page of a request, spread evenly: neighbours differ.
fn page(number: u64, accounts: usize) -> (&'static str, String) {
    let at = usize::try_from(number * 37 % 100).unwrap_or(0);
    let mut below = 0;
    let found = MIX.iter().find(|(.., part)| {
        below += part;
        at < below
    });
    let (name, path, _) = found.unwrap_or(&MIX[0]);
    let account = number.wrapping_mul(7_919) % (accounts.max(1) as u64);
    (name, path.replace("{}", &format!("bench{account}")))
}

async fn exchange(
    stream: &mut Option<TcpStream>,
    pool: SocketAddr,
    path: &str,
    buffer: &mut [u8],
) -> io::Result<(u16, u64)> {
    let socket = match stream {
        Some(socket) => socket,
        None => {
            let socket = TcpStream::connect(pool).await?;
            socket.set_nodelay(true)?;
            stream.insert(socket)
        }
    };
    let request = format!("GET {path} HTTP/1.1\r\nhost: {pool}\r\naccept: application/json\r\n\r\n");
    socket.write_all(request.as_bytes()).await?;
    let odd = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut read = 0;
    let head = loop {
        let count = socket.read(&mut buffer[read..]).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        read += count;
        if let Some(end) = memchr::memmem::find(&buffer[..read], b"\r\n\r\n") {
            break end + 4;
        }
        if read > HEAD_BYTES {
            return Err(odd("a head without end"));
        }
    };
    let text = std::str::from_utf8(&buffer[..head]).map_err(|_| odd("a head that is no text"))?;
    let status = text.get(9..12).and_then(|code| code.parse().ok()).ok_or_else(|| odd("no status"))?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let length = length.ok_or_else(|| odd("an answer without a length"))?;
    let mut left = (head + length).saturating_sub(read);
    while left > 0 {
        let most = left.min(buffer.len());
        let count = socket.read(&mut buffer[..most]).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        left -= count;
    }
    Ok((status, (head + length) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mix_is_of_a_hundred_and_all_of_it_is_asked() {
        assert_eq!(MIX.iter().map(|(.., part)| part).sum::<usize>(), 100);
        let mut counts = BTreeMap::new();
        for number in 0..1_000 {
            *counts.entry(page(number, 50).0).or_insert(0) += 1;
        }
        for (name, _, part) in MIX {
            assert_eq!(counts[name], part * 10, "{name}");
        }
    }
}
