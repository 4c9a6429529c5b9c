//! What miners want to hear of their address arrives, over every kind of channel, and though the pool is killed in between;
//! and nobody makes the pool talk to whom it should not.

use std::time::Duration;

use pool_tests::{
    pool::{PATIENCE, PoolProcess, Setup},
    receivers::{self, Received, Receiver},
};
use serde_json::{Value, json};
use simulations::miners::{Swarm, SwarmConfig, SwarmHandle};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    time::Instant,
};

use crate::{mining, payouts};

const ALERTS: &str = "/api/auth/accounts/miner0/alerts";

/// What is there once it is.
async fn arrives<T>(what: &str, pool: &PoolProcess, within: Duration, look: impl Fn() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not arrive\n{}", pool.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Alice, who is signed in and whose machines have shown that miner0 is hers. Her miners.
async fn owner(pool: &PoolProcess, email: Option<&str>) -> (String, SwarmHandle) {
    let who = json!({ "username": "alice", "password": "tuna fence orbit" });
    let mut new = who.clone();
    if let Some(email) = email {
        new["email"] = email.into();
    }
    assert_eq!(pool.send("POST", "/api/auth/register", "", new).await.0, 201);
    let (_, pair) = pool.send("POST", "/api/auth/login", "", who).await;
    let token = pair["token"].as_str().unwrap().to_owned();
    let account = json!({ "account": "miner0" });
    let (_, claim) = pool.send("POST", "/api/auth/accounts/claims", &token, account.clone()).await;
    let password = claim["password"].as_str().unwrap().to_owned();
    let swarm =
        Swarm::start(SwarmConfig { password, ..mining::miners_of(pool.stratum, "blake2s", 1) }).unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (status, body) =
            pool.send("POST", "/api/auth/accounts/claims/verify", &token, account.clone()).await;
        if status == 200 {
            return (token, swarm);
        }
        assert!(Instant::now() < deadline, "{body}\n{}", pool.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The text of what was sent to a path of the receiver, and the message's number.
fn texts(http: &Receiver<Received>, path: &str) -> Vec<(String, String)> {
    let at = http.arrived().into_iter().filter(|one| one.line.contains(path));
    at.map(|one| {
        let body: Value = serde_json::from_str(&one.body).unwrap();
        let text = ["/data/text", "/content", "/text"].iter().find_map(|at| body.pointer(at)?.as_str());
        (text.unwrap().to_owned(), one.header("webhook-id").unwrap_or_default().to_owned())
    })
    .collect()
}

fn code_in(text: &str) -> String {
    let number = |word: &&str| word.len() == 8 && word.bytes().all(|byte| byte.is_ascii_digit());
    text.split_whitespace().find(number).expect("a code").to_owned()
}

async fn confirmed(pool: &PoolProcess, token: &str, http: &Receiver<Received>, kind: &str, path: &str) {
    let found =
        || texts(http, path).into_iter().map(|(text, _)| text).find(|text| text.contains("the code "));
    let text = arrives("the code", pool, PATIENCE, found).await;
    let shown = json!({ "channel": kind, "code": code_in(&text) });
    let (status, body) = pool.send("POST", &format!("{ALERTS}/confirm"), token, shown).await;
    assert_eq!(status, 200, "{body}");
}

fn with_personal(setup: &mut Setup, more: &str) {
    setup.more.push_str(&format!("[alerts.personal]\nevery_s = 1\nper_hour_max = 100000\n{more}"));
}

#[actix_rt::test]
async fn payouts_and_workers_are_told_over_every_channel_though_the_pool_is_killed() {
    let node = mining::node("blake2s", 250, 0);
    let (http, mail) = (receivers::http().await, receivers::smtp().await);
    let at = http.address;
    let mut setup = payouts::setup(&node.rpc_url).await;
    setup.more.push_str(&format!("[mail]\nurl = \"smtp://{}\"\nfrom = \"pool@example.org\"\n", mail.address));
    let more = format!(
        "allow_http = true\nallow_private = true\ntelegram_token = \"12:bot\"\ntelegram_url = \"http://{at}\"\n"
    );
    with_personal(&mut setup, &more);
    let mut pool = PoolProcess::start(setup);
    pool.until("/health/ready", |status, _| status == 200).await;
    let (token, swarm) = owner(&pool, Some("alice@example.org")).await;

    // Mail only to an address that is confirmed.
    let wishes = json!({ "worker_offline_minutes": 1, "payout": true, "block": true, "email": true });
    let (status, body) = pool.send("POST", ALERTS, &token, wishes.clone()).await;
    assert_eq!((status, &body["error"]["details"]["parameter"]), (400, &json!("email")), "{body}");
    let link = arrives("the link", &pool, PATIENCE, || {
        let text = mail.arrived().first()?.replace("=\r\n", "").replace("=3D", "=");
        Some(text.split_once("/verify#")?.1.chars().take_while(char::is_ascii_hexdigit).collect::<String>())
    })
    .await;
    assert_eq!(pool.send("POST", "/api/auth/email/verify", "", json!({ "token": link })).await.0, 200);

    let mut all = wishes.clone();
    (all["webhook"], all["discord"]) =
        (json!(format!("http://{at}/s3cret")), json!(format!("http://{at}/d1scord")));
    all["telegram"] = json!("777123");
    let (status, body) = pool.send("POST", ALERTS, &token, all).await;
    assert_eq!(status, 200, "{body}");
    assert!(body["sent"].as_array().unwrap().iter().all(|sent| sent["ok"] == true), "{body}");
    assert!(body["channels"].as_array().unwrap().iter().all(|one| one["confirmed"] == false), "{body}");
    let shown = body.to_string();
    assert!(!shown.contains("s3cret") && !shown.contains("d1scord") && !shown.contains("777123"), "{shown}");
    // Until codes are shown, only mail arrives.
    let (_, tried) = pool.send("POST", &format!("{ALERTS}/test"), &token, json!({})).await;
    assert_eq!(tried["sent"], json!([{ "channel": "email", "ok": true, "message": null }]));
    let wrong = json!({ "channel": "webhook", "code": "00000000" });
    assert_eq!(pool.send("POST", &format!("{ALERTS}/confirm"), &token, wrong).await.0, 400);
    for (kind, path) in
        [("webhook", "/s3cret"), ("discord", "/d1scord"), ("telegram", "/bot12:bot/sendMessage")]
    {
        confirmed(&pool, &token, &http, kind, path).await;
    }
    let (_, tried) = pool.send("POST", &format!("{ALERTS}/test"), &token, json!({})).await;
    assert_eq!(
        tried["sent"].as_array().unwrap().iter().filter(|sent| sent["ok"] == true).count(),
        4,
        "{tried}"
    );

    // A payout and a block, everywhere.
    for what in ["a payout of ", "a block was found"] {
        for path in ["/s3cret", "/d1scord", "/bot12:bot/sendMessage"] {
            let found = || texts(&http, path).into_iter().find(|(text, _)| text.contains(what));
            arrives(what, &pool, PATIENCE, found).await;
        }
        arrives(what, &pool, PATIENCE, || mail.arrived().into_iter().find(|mail| mail.contains(what))).await;
    }
    let chats: Vec<_> = http.arrived().into_iter().filter(|one| one.line.contains("/bot12:bot")).collect();
    assert!(chats.iter().all(|one| one.body.contains("\"777123\"")), "{chats:?}");

    // Its receiver goes away; the pool tries again, and is killed meanwhile; and the machine goes with it.
    let only = json!({ "worker_offline_minutes": 1, "payout": true, "discord": "", "telegram": "" });
    assert_eq!(pool.send("POST", ALERTS, &token, only).await.0, 200);
    http.close();
    let is_retried = |line: &str| {
        let of = line.starts_with("dagpool_notifications_total{") && line.contains("\"personal\"");
        of && line.contains("\"retried\"") && !line.ends_with(" 0")
    };
    let deadline = Instant::now() + PATIENCE;
    while !pool.text("/metrics").await.lines().any(is_retried) {
        assert!(Instant::now() < deadline, "nothing was tried again\n{}", pool.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Nothing arrives any more. What is paid from now on, nobody is told of before the kill.
    let before: Vec<String> = texts(&http, "/s3cret").into_iter().map(|(_, id)| id).collect();
    let missing = loop {
        let all = payouts::payouts(&pool).await;
        let sent = all
            .iter()
            .filter(|one| matches!(one["state"].as_str(), Some("broadcast" | "confirming" | "settled")));
        let mut ids = sent.map(|one| format!("payout-{}-", one["id"].to_string().trim_matches('"')));
        if let Some(id) = ids.find(|id| !before.iter().any(|told| told.starts_with(id))) {
            break id;
        }
        assert!(Instant::now() < deadline, "nothing was paid\n{}", pool.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    pool.kill();
    drop(swarm);
    let log = pool.log();
    let http = receivers::http_at(&at.to_string()).await;
    pool.restart();
    arrives("the payout from before the kill", &pool, PATIENCE, || {
        texts(&http, "/s3cret").into_iter().find(|(_, id)| id.starts_with(&missing))
    })
    .await;
    // The worker did not come back: it is missed, though it went while there was no pool.
    let away = arrives("that the worker is away", &pool, Duration::from_secs(120), || {
        texts(&http, "/s3cret").into_iter().find(|(text, _)| text.contains("offline for 1 minutes"))
    })
    .await;
    assert!(away.0.contains("offline for 1 minutes: rig1"), "{away:?}");
    assert!(texts(&http, "/d1scord").is_empty(), "what was taken away hears nothing");
    // And it is here again.
    let _swarm = mining::miners(pool.stratum, "blake2s", 1, None);
    arrives("that it is back", &pool, PATIENCE, || {
        texts(&http, "/s3cret").into_iter().find(|(text, _)| text.contains("online again: rig1"))
    })
    .await;
    for log in [log, pool.log()] {
        for secret in ["s3cret", "d1scord", "777123", "12:bot"] {
            assert!(!log.contains(secret), "{secret} is in the log");
        }
    }
}

/// A raw miner.
struct Line(BufReader<TcpStream>);

impl Line {
    async fn of(pool: &PoolProcess, user: &str, password: &str) -> Self {
        let mut line = Self(BufReader::new(TcpStream::connect(pool.stratum).await.unwrap()));
        line.ask(json!({ "id": 1, "method": "mining.subscribe", "params": ["test/1"] })).await;
        let answer =
            line.ask(json!({ "id": 2, "method": "mining.authorize", "params": [user, password] })).await;
        assert_eq!(answer["result"], true);
        line
    }

    async fn next(&mut self) -> Value {
        let mut line = String::new();
        let read = tokio::time::timeout(PATIENCE, self.0.read_line(&mut line));
        assert!(read.await.expect("the pool says something").unwrap() > 0, "it is open");
        serde_json::from_str(&line).unwrap()
    }

    async fn ask(&mut self, request: Value) -> Value {
        self.0.get_mut().write_all(format!("{request}\n").as_bytes()).await.unwrap();
        loop {
            let answer = self.next().await;
            if answer["id"] == request["id"] {
                return answer;
            }
        }
    }

    async fn configure(&mut self, wishes: Value) -> Value {
        self.ask(json!({ "id": 3, "method": "mining.configure_notifications", "params": [wishes] })).await
    }

    /// The next text that is shown and holds this.
    async fn shown(&mut self, what: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.next().await;
            if answer["method"] == "client.show_message"
                && answer["params"][0].as_str().unwrap().contains(what)
            {
                return answer["params"][0].as_str().unwrap().to_owned();
            }
            assert!(Instant::now() < deadline, "{what} is not shown");
        }
    }
}

#[actix_rt::test]
async fn a_connection_hears_of_its_account_and_changes_the_owners_only_with_the_password() {
    let node = mining::node("blake2s", 250, 0);
    let mut setup = Setup::simulated(&node.rpc_url, "blake2s").await;
    with_personal(&mut setup, "");
    let pool = PoolProcess::start(setup);
    pool.until("/health/ready", |status, _| status == 200).await;
    let (token, _swarm) = owner(&pool, None).await;

    // Somebody who has shown nothing hears on his own line, and nowhere else; the owner's stay as they are.
    let mut stranger = Line::of(&pool, "miner0.stranger", "x").await;
    let refused = stranger.configure(json!({ "email": "victim@example.org", "payout": true })).await;
    assert_eq!(refused["error"][0], -32602, "{refused}");
    assert!(refused["error"][1].as_str().unwrap().contains("page ACCOUNT"), "{refused}");
    let wants = json!({ "worker_offline_minutes": 10, "hashrate_drop_percent": 30, "block": true });
    let answer = stranger.configure(wants.clone()).await;
    assert_eq!(
        (&answer["result"]["block"], &answer["result"]["account"]),
        (&json!(true), &json!("unchanged"))
    );
    let text = stranger.shown("a block was found").await;
    assert!(text.starts_with("miner0: a block was found, by rig1: "), "{text}");
    let (_, own) = pool.send("GET", ALERTS, &token, Value::Null).await;
    assert_eq!(
        (&own["block"], &own["worker_offline_minutes"], &own["channels"]),
        (&json!(false), &json!(0), &json!([]))
    );

    // A password that is not the account's changes nothing either.
    let mut guesser = Line::of(&pool, "miner0.guesser", "alerts-000000000000000000000000").await;
    assert_eq!(guesser.configure(wants.clone()).await["result"]["account"], "asked");
    guesser.shown("the password is not the account's").await;
    let (_, own) = pool.send("GET", ALERTS, &token, Value::Null).await;
    assert_eq!(own["block"], false);

    // With the owner's, what the owner hears of changes.
    let (status, key) = pool.send("POST", &format!("{ALERTS}/key"), &token, json!({})).await;
    assert_eq!(status, 201, "{key}");
    let mut own = Line::of(&pool, "miner0.rig2", key["password"].as_str().unwrap()).await;
    // The actor looks at what is kept once a second; a password of that very moment may come too early.
    let deadline = Instant::now() + PATIENCE;
    loop {
        assert_eq!(own.configure(wants.clone()).await["result"]["account"], "asked");
        if own.shown("notifications: ").await.contains("kept for the account") {
            break;
        }
        assert!(Instant::now() < deadline, "{}", pool.log());
    }
    let (_, kept) = pool.send("GET", ALERTS, &token, Value::Null).await;
    let of = |name: &str| kept[name].clone();
    assert_eq!(
        [of("worker_offline_minutes"), of("hashrate_drop_percent"), of("block"), of("key")],
        [10.into(), 30.into(), true.into(), json!(true)]
    );
    assert!(!pool.log().contains(key["password"].as_str().unwrap()));
}

#[actix_rt::test]
async fn nobody_makes_the_pool_talk_to_its_own_network() {
    let node = mining::node("blake2s", 250, 0);
    let here = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = here.local_addr().unwrap().port();
    let mut setup = Setup::simulated(&node.rpc_url, "blake2s").await;
    with_personal(&mut setup, "");
    let pool = PoolProcess::start(setup);
    pool.until("/health/ready", |status, _| status == 200).await;
    let (token, _swarm) = owner(&pool, None).await;
    for url in [
        "https://169.254.169.254/latest/meta-data/iam/".to_owned(),
        "https://[fd00:ec2::254]/latest/".to_owned(),
        format!("https://localhost:{port}/"),
        format!("https://127.0.0.1:{port}/"),
        format!("https://2130706433:{port}/"),
        format!("https://[::ffff:127.0.0.1]:{port}/"),
    ] {
        let (status, body) = pool.send("POST", ALERTS, &token, json!({ "webhook": url })).await;
        assert_eq!((status, &body["sent"][0]["ok"]), (200, &json!(false)), "{url}: {body}");
        assert_eq!(body["sent"][0]["message"], "it does not lead to the public Internet", "{url}");
        assert_eq!(body["channels"][0]["confirmed"], false);
    }
    let thousand: Vec<String> = (0..1_000).map(|n| format!("https://victim{n}.example.org/")).collect();
    for body in [
        json!({ "webhook": format!("http://127.0.0.1:{port}/") }),
        json!({ "webhook": "file:///etc/passwd" }),
        json!({ "webhook": thousand }),
        json!({ "webhooks": thousand }),
        json!({ "channels": thousand }),
        json!({ "discord": format!("https://127.0.0.1:{port}/api/webhooks/1/x") }),
        json!({ "telegram": "7" }),
        json!({ "worker_offline_minutes": -1 }),
        json!({ "worker_offline_minutes": 1.5 }),
        json!({ "hashrate_drop_percent": 96 }),
        json!([]),
    ] {
        let (status, answer) = pool.send("POST", ALERTS, &token, body.clone()).await;
        assert_eq!(status, 400, "{body}: {answer}");
    }
    let other = "/api/auth/accounts/miner1/alerts";
    assert_eq!(pool.send("GET", other, &token, Value::Null).await.0, 404, "nobody's");
    assert_eq!(pool.send("POST", other, &token, json!({ "payout": true })).await.0, 404);
    let came = tokio::time::timeout(Duration::from_millis(100), here.accept()).await;
    assert!(came.is_err(), "the pool came to a machine of its own network");
}
