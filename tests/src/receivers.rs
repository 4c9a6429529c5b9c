//! Where notices arrive in tests: an HTTP server, a mail server and one that never answers, on loopback, each of which ends
//! with its handle.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// What arrived over HTTP.
#[derive(Debug, Clone)]
pub struct Received {
    /// Method and path.
    pub line: String,
    /// Header lines, as they came.
    pub headers: Vec<String>,
    /// The body.
    pub body: String,
}

impl Received {
    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// A receiver.
#[derive(Debug)]
pub struct Receiver<T> {
    /// Where it listens.
    pub address: SocketAddr,
    arrived: Arc<Mutex<Vec<T>>>,
    task: JoinHandle<()>,
}

impl<T: Clone> Receiver<T> {
    /// Everything that arrived so far.
    ///
    /// # Panics
    /// When the receiver panicked.
    #[must_use]
    pub fn arrived(&self) -> Vec<T> {
        self.arrived.lock().expect("the receiver lives").clone()
    }

    /// Nobody is let in any more; what arrived stays.
    pub fn close(&self) {
        self.task.abort();
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn receive<T, F>(at: &str, serve: fn(TcpStream, Arc<Mutex<Vec<T>>>) -> F) -> Receiver<T>
where
    T: Send + 'static,
    F: Future<Output = Option<()>> + Send + 'static,
{
    let listener = TcpListener::bind(at).await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let arrived = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&arrived);
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&shared)));
        }
    });
    Receiver { address, arrived, task }
}

/// An HTTP server that takes everything with 200, but what is sent to `/busy` the first time: that gets a 503.
pub async fn http() -> Receiver<Received> {
    http_at("127.0.0.1:0").await
}

/// The same at an address at which there was one before.
pub async fn http_at(at: &str) -> Receiver<Received> {
    receive(at, |stream, arrived| async move {
        let mut stream = BufReader::new(stream);
        loop {
            let mut head = Vec::new();
            loop {
                let mut line = String::new();
                if stream.read_line(&mut line).await.ok()? == 0 {
                    return None;
                }
                if line.trim().is_empty() {
                    break;
                }
                head.push(line.trim_end().to_owned());
            }
            let received = Received { line: head.remove(0), headers: head, body: String::new() };
            let length = received.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await.ok()?;
            let received = Received { body: String::from_utf8_lossy(&body).into_owned(), ..received };
            let is_busy = received.line.contains("/busy");
            let is_first = {
                let mut arrived = arrived.lock().ok()?;
                let is_first = !arrived.iter().any(|before: &Received| before.line == received.line);
                arrived.push(received);
                is_first
            };
            let status = if is_busy && is_first { "503 Service Unavailable" } else { "200 OK" };
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\nok");
            stream.get_mut().write_all(answer.as_bytes()).await.ok()?;
        }
    })
    .await
}

/// A mail server (RFC 5321) that takes every mail.
pub async fn smtp() -> Receiver<String> {
    receive("127.0.0.1:0", |stream, arrived| async move {
        let mut stream = BufReader::new(stream);
        stream.get_mut().write_all(b"220 test ESMTP\r\n").await.ok()?;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            let verb = line.split([' ', ':', '\r']).next().unwrap_or_default().to_ascii_uppercase();
            let answer = match verb.as_str() {
                "EHLO" => "250 test\r\n",
                "DATA" => {
                    stream.get_mut().write_all(b"354 go on\r\n").await.ok()?;
                    let mut mail = String::new();
                    loop {
                        let mut line = String::new();
                        stream.read_line(&mut line).await.ok()?;
                        if line == ".\r\n" {
                            break;
                        }
                        mail.push_str(&line);
                    }
                    arrived.lock().ok()?.push(mail);
                    "250 taken\r\n"
                }
                "QUIT" => "221 bye\r\n",
                _ => "250 ok\r\n",
            };
            stream.get_mut().write_all(answer.as_bytes()).await.ok()?;
        }
    })
    .await
}

/// A server that takes connections and never says a word; what arrived is the connections' number.
pub async fn hangs() -> Receiver<()> {
    receive("127.0.0.1:0", |mut stream, arrived| async move {
        arrived.lock().ok()?.push(());
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.ok()?;
        Some(())
    })
    .await
}
