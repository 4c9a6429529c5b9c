//! `dagpool demo`: everything in one process.

use std::{
    collections::BTreeMap,
    io::BufReader,
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use pool_tests::pool::{self, ADMIN_TOKEN, PATIENCE, as_described};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// A demonstration with blocks twice a second, that ends with its handle.
pub(crate) struct Demo {
    child: Child,
    pub(crate) http: SocketAddr,
    client: reqwest::Client,
}

impl Demo {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(pool::dagpool())
            .args(["demo", "--http", "127.0.0.1:0", "--stratum", "127.0.0.1:0"])
            .args(["--miners", "6", "--block-time", "0.5", "--seed", "7"])
            .args(arguments)
            .env("DAGPOOL__AUTH__ADMIN_TOKEN", ADMIN_TOKEN)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("dagpool runs");
        let stdout = child.stdout.take().expect("its output is piped");
        let announced = pool::announced(BufReader::new(stdout));
        let http = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut demo = Self { child, http, client: reqwest::Client::new() };
        demo.http = announced.expect("the demonstration starts").0;
        demo
    }

    fn end(&mut self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("it runs until it is told to end");
        self.child.wait().expect("it ends");
    }

    /// What one field of each item of a list says, by another.
    async fn list(&self, path: &str, key: &str, value: &str) -> BTreeMap<String, String> {
        let url = format!("http://{}{path}", self.http);
        let answer = self.client.get(url).bearer_auth(ADMIN_TOKEN).send().await.expect("it answers");
        let (_, body) = as_described("GET", path, answer).await;
        let text = |item: &Value, name: &str| item[name].to_string().trim_matches('"').to_owned();
        let items = body["items"].as_array().unwrap_or_else(|| panic!("{path}: {body:#}"));
        items.iter().map(|item| (text(item, key), text(item, value))).collect()
    }

    /// Status of each of the newest blocks, by hash, and state of each of the newest payouts, by number, once `done`.
    async fn books(&self, done: impl Fn(&Books) -> bool) -> Books {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let blocks = self.list("/api/blocks?limit=500", "hash", "status").await;
            let payouts = self.list("/api/payouts?limit=500", "id", "state").await;
            let books = Books { blocks, payouts };
            if done(&books) {
                return books;
            }
            assert!(Instant::now() < deadline, "that does not come to be: {books:#?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Asked, since it removes its folder then; one that ended has given its number back.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
            let _ = self.child.wait();
        }
    }
}

#[derive(Debug)]
struct Books {
    blocks: BTreeMap<String, String>,
    payouts: BTreeMap<String, String>,
}

impl Books {
    fn settled(&self) -> usize {
        self.payouts.values().filter(|state| *state == "settled").count()
    }
}

fn is_final(status: &str) -> bool {
    matches!(status, "paid" | "void" | "rejected")
}

#[actix_rt::test]
async fn a_demonstration_goes_on_with_chain_and_books_of_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let kept = ["--data-dir", folder.path().to_str().unwrap()];
    let mut demo = Demo::start(&kept);
    let before = demo.books(|books| books.settled() > 0).await;
    assert!(before.blocks.values().any(|status| !is_final(status)), "{before:#?}");
    demo.end(Signal::KILL);

    let demo = Demo::start(&kept);
    // What was under way when it was killed comes to its end: blocks are decided, payouts settle, new ones come.
    let after = demo
        .books(|now| {
            let decided = |hash: &String| now.blocks.get(hash).is_some_and(|status| is_final(status));
            before.blocks.keys().all(decided)
                && before.payouts.keys().all(|id| now.payouts.get(id).is_some_and(|state| state == "settled"))
                && now.payouts.len() > before.payouts.len()
        })
        .await;
    for (hash, was) in &before.blocks {
        let is = after.blocks[hash].as_str();
        let may_be: &[&str] = match was.as_str() {
            "accepted" | "matured" => &["paid", "void"],
            "paid" | "void" | "rejected" => &[was],
            _ => &["paid", "void", "rejected"],
        };
        assert!(may_be.contains(&is), "{hash} was {was} and is {is}");
    }

    // Of another chain these books would never hear.
    drop(demo);
    std::fs::remove_file(folder.path().join("simulated-chain")).unwrap();
    let refused = Command::new(pool::dagpool()).arg("demo").args(kept).output().unwrap();
    let why = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && why.contains("of a chain that was not kept there"), "{why}");
}
