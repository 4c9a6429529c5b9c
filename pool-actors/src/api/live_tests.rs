//! The live feed over real sockets.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use futures_util::{SinkExt as _, StreamExt as _};
use pool_domain::{
    ids::{BlockHash, SessionId},
    maturity::{BlockStatus, Color},
};
use serde_json::{Value, json};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest as _},
};

use super::{
    ServerHandle,
    tests::{NOW, Rig, TOKEN, snapshot},
};
use crate::{
    auth::{LoggedIn, Origin},
    messages::{
        block::BlockView,
        event::{MinerSeen, PoolEvent},
        ledger::LedgerSummary,
    },
    ports::users::Role,
    runtime::shutdown::StopReason,
};

type Socket = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

struct Feed(Socket);

impl Feed {
    async fn open(server: &ServerHandle, query: &str) -> Self {
        Self(connect_async(format!("ws://{}/api/live{query}", server.address())).await.unwrap().0)
    }

    /// The next message; pings are answered by the library while it reads.
    async fn next(&mut self) -> Value {
        loop {
            match self.0.next().await.unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) => {}
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    async fn next_of(&mut self, kind: &str) -> Value {
        loop {
            let message = self.next().await;
            if message["type"] == kind {
                return message;
            }
        }
    }
}

fn serve(rig: &Rig) -> ServerHandle {
    super::serve(rig.context(), SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap()
}

fn block(number: u16) -> PoolEvent {
    let mut hash = [0xee; 32];
    hash[..2].copy_from_slice(&number.to_be_bytes());
    PoolEvent::Block(BlockView {
        hash: BlockHash(hash),
        height: Some(number.into()),
        parents: Vec::new(),
        status: None,
        color: Color::Unknown,
        confirmations: 0,
        reward: None,
        account: None,
        worker: None,
        found_at: NOW,
        algorithm: None,
        ours: false,
    })
}

fn miner() -> PoolEvent {
    PoolEvent::MinerConnected(MinerSeen {
        session: SessionId(4),
        account: Some("alice".into()),
        worker: None,
        peer: "192.0.2.7:1".into(),
        agent: Some("cpuminer".into()),
    })
}

/// actix looks at a frame's length only once all of it is there.
#[actix_rt::test]
async fn a_frame_without_end_closes_the_feed() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let rig = Rig::new().await;
    let server = serve(&rig);
    let mut socket = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    let opening = "GET /api/live HTTP/1.1\r\nHost: pool\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    socket.write_all(opening.as_bytes()).await.unwrap();
    // A masked text frame of 2^62 bytes.
    socket.write_all(&[0x81, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]).await.unwrap();
    socket.write_all(&[0; 2 * super::live::UNHEARD_BYTES_MAX]).await.unwrap();
    let mut heard = Vec::new();
    // Well before the feed would be closed for not answering pings.
    let closing = tokio::time::timeout(super::live::SILENCE_MAX / 2, socket.read_to_end(&mut heard));
    // A reset is as good as an orderly end.
    let _ = closing.await.expect("the feed is closed");
    assert!(heard.starts_with(b"HTTP/1.1 101"));
    server.stop().await;
}

#[actix_rt::test]
async fn a_snapshot_comes_first_then_figures_and_events_in_order() {
    let rig = Rig::new().await;
    let server = serve(&rig);
    rig.events.publish(NOW, block(1));
    let mut feed = Feed::open(&server, "").await;
    let first = feed.next().await;
    assert_eq!((&first["type"], &first["seq"]), (&"snapshot".into(), &(NOW.0 + 1).into()));
    assert_eq!(first["at"], "2023-11-14T22:13:20.000Z");
    let data = &first["data"];
    assert_eq!(data["stats"]["pool"]["hashrate"], 1_000_000);
    assert_eq!(data["blocks"].as_array().unwrap().len(), 4, "one told, three from the store");
    assert_eq!((&data["blocks"][0]["ours"], &data["blocks"][3]["ours"]), (&false.into(), &true.into()));
    assert_eq!(data["miners"][0]["account"], "alice");
    assert_eq!(data["miners"][0]["workers"], 1);
    assert_eq!((&data["job"]["id"], &data["job"]["age_ms"]), (&"5a1".into(), &1_500.into()));
    assert_eq!((&data["node"]["endpoint_count"], &data["node"]["reason"]), (&2.into(), &Value::Null));
    assert_eq!(data["history"][0]["shares_per_second"], 1.5);
    assert_eq!(data["currency"]["symbol"], "SIM");

    rig.events.publish(NOW, miner());
    rig.events.publish(NOW, PoolEvent::SecurityEvent { code: "BAN".into(), message: "x".into() });
    rig.events.publish(NOW, block(2));
    let connected = feed.next().await;
    assert_eq!(
        (&connected["type"], &connected["data"]["agent"]),
        (&"miner_connected".into(), &"cpuminer".into())
    );
    assert_eq!(connected["data"]["peer"], Value::Null, "addresses are not for the public");
    let found = feed.next().await;
    assert_eq!((&found["type"], &found["seq"]), (&"block".into(), &(NOW.0 + 4).into()));
    // As the StatsAggregator does, only faster: figures are left out while the pong is on its way.
    let mut seconds = tokio::time::interval(std::time::Duration::from_millis(20));
    let stats = loop {
        tokio::select! {
            stats = feed.next_of("stats") => break stats,
            _ = seconds.tick() => rig.snapshot.set(snapshot()),
        }
    };
    assert!(stats["seq"].as_u64() > found["seq"].as_u64());
    assert_eq!(stats["data"]["point"]["hashrate"], 1_000_000);
    assert_eq!(stats["data"]["node"]["ready"], true);
    server.stop().await;
}

#[actix_rt::test]
async fn who_comes_back_gets_what_was_missed_and_nothing_twice() {
    let rig = Rig::new().await;
    let server = serve(&rig);
    for number in 1..=5 {
        rig.events.publish(NOW, block(number));
    }
    let mut feed = Feed::open(&server, &format!("?since={}", NOW.0 + 3)).await;
    for expected in [NOW.0 + 4, NOW.0 + 5] {
        let message = feed.next().await;
        assert_eq!((&message["type"], &message["seq"]), (&"block".into(), &expected.into()));
    }
    let mut stranger = Feed::open(&server, "?since=12&topics=miner_connected").await;
    assert_eq!(stranger.next().await["type"], "snapshot", "a number of another process");
    rig.events.publish(NOW, block(6));
    rig.events.publish(NOW, miner());
    assert_eq!(stranger.next().await["type"], "miner_connected", "only the topic it asked for");
    server.stop().await;
}

#[actix_rt::test]
async fn a_slow_client_skips_to_the_newest_snapshot() {
    let rig = Rig::new().await;
    let server = serve(&rig);
    let mut feed = Feed::open(&server, "").await;
    assert_eq!(feed.next().await["type"], "snapshot");
    // The ping behind the snapshot is not answered while nobody reads.
    for number in 1..=600 {
        rig.events.publish(NOW, block(number));
    }
    rig.snapshot.set(snapshot());
    while rig.events.counts().waiting > 0 {
        tokio::task::yield_now().await;
    }
    let mut blocks = 0;
    let newest = loop {
        let message = feed.next().await;
        match message["type"].as_str().unwrap() {
            "block" => blocks += 1,
            "snapshot" => break message,
            other => panic!("unexpected {other}"),
        }
    };
    assert_eq!(blocks, 256);
    assert_eq!(newest["data"]["blocks"][0]["height"], 600);
    rig.events.publish(NOW, block(601));
    assert_eq!(feed.next_of("block").await["data"]["height"], 601, "and it goes on");
    server.stop().await;
}

#[actix_rt::test]
async fn an_operator_sees_addresses_and_security_events() {
    let rig = Rig::new().await;
    let server = serve(&rig);
    let mut request = format!("ws://{}/api/live", server.address()).into_client_request().unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {TOKEN}").parse().unwrap());
    let mut feed = Feed(connect_async(request).await.unwrap().0);
    assert_eq!(feed.next().await["type"], "snapshot");
    rig.events.publish(NOW, miner());
    rig.events.publish(NOW, PoolEvent::SecurityEvent { code: "BAN".into(), message: "x".into() });
    assert_eq!(feed.next().await["data"]["peer"], "192.0.2.7:1");
    assert_eq!(feed.next().await["data"]["code"], "BAN");
    server.stop().await;
}

/// A browser can't send headers with a WebSocket: it says who it is, and is nobody again when its session ends.
#[actix_rt::test]
async fn who_says_who_it_is_hears_more_until_the_session_ends() {
    let rig = Rig::new().await;
    rig.auth.add("vera", None, "tuna fence orbit".into(), Role::Viewer).await.unwrap();
    rig.auth.add("mole", None, "tuna fence orbit".into(), Role::Miner).await.unwrap();
    let signed_in = async |name: &str| match rig
        .auth
        .log_in(&Origin::default(), name, "tuna fence orbit".into())
        .await
        .unwrap()
    {
        LoggedIn::In(pair) => pair.access,
        LoggedIn::MfaNeeded(_) => panic!("a second factor is asked for"),
    };
    let server = serve(&rig);
    let mut feed = Feed::open(&server, "?topics=security_event,node_state").await;
    feed.next().await;
    let secret = |n: u8| PoolEvent::SecurityEvent { code: n.to_string(), message: "x".into() };
    let viewer = signed_in("vera").await;
    for (token, audience) in [
        ("rubbish", "public"),
        (&*signed_in("mole").await, "public"),
        (&*viewer, "operator"),
        (TOKEN, "operator"),
    ] {
        let said = json!({ "type": "auth", "token": token }).to_string();
        feed.0.send(Message::text(said)).await.unwrap();
        let answer = feed.next().await;
        assert_eq!((&answer["type"], &answer["data"]["audience"]), (&json!("auth"), &json!(audience)));
        // The second is for everybody: if it comes first, the first was kept back.
        rig.events.publish(NOW, secret(1));
        rig.events.publish(NOW, PoolEvent::NodeState { ready: true, reason: String::new() });
        if audience == "operator" {
            assert_eq!(feed.next().await["data"]["code"], "1");
        }
        assert_eq!(feed.next().await["type"], "node_state");
    }
    // Its session ends: the feed notices with its next look.
    feed.0.send(Message::text(json!({ "type": "auth", "token": viewer }).to_string())).await.unwrap();
    assert_eq!(feed.next().await["data"]["audience"], "operator");
    let who = rig.auth.whose(&viewer).await.unwrap().unwrap();
    rig.auth.log_out(&Origin::default(), &who).await.unwrap();
    let begun = tokio::time::Instant::now();
    loop {
        rig.events.publish(NOW, secret(2));
        rig.events.publish(NOW, PoolEvent::NodeState { ready: true, reason: String::new() });
        let event = feed.next().await;
        if event["type"] == "node_state" {
            break;
        }
        assert_eq!(event["data"]["code"], "2");
        assert_eq!(feed.next().await["type"], "node_state");
        assert!(begun.elapsed() < Duration::from_secs(30), "the feed still tells what is not for everybody");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    server.stop().await;
}

#[actix_rt::test]
async fn feeds_are_limited_and_places_come_back() {
    let mut rig = Rig::new().await;
    rig.http.feeds_max = 1;
    let server = serve(&rig);
    let mut first = Feed::open(&server, "").await;
    first.next().await;
    let url = format!("ws://{}/api/live", server.address());
    match connect_async(&url).await {
        Err(Error::Http(response)) => {
            assert_eq!(response.status(), 503);
            assert_eq!(response.headers()["retry-after"], "5");
        }
        other => panic!("unexpected {other:?}"),
    }
    first.0.close(None).await.unwrap();
    while first.0.next().await.is_some() {}
    let mut second = loop {
        // The server frees the place when it has dropped the actor, a moment after the socket closed.
        if let Ok((socket, _)) = connect_async(&url).await {
            break Feed(socket);
        }
    };
    assert_eq!(second.next().await["type"], "snapshot");
    server.stop().await;
}

/// Topics are chosen when a feed is opened, and later; `share_rate` comes only to who asks for it.
#[actix_rt::test]
async fn topics_are_chosen_and_changed() {
    let rig = Rig::new().await;
    let server = serve(&rig);
    let mut feed = Feed::open(&server, "?topics=share_rate").await;
    feed.next_of("snapshot").await;
    let mut seconds = tokio::time::interval(Duration::from_millis(20));
    let rate = loop {
        tokio::select! {
            message = feed.next() => break message,
            _ = seconds.tick() => rig.snapshot.set(snapshot()),
        }
    };
    assert_eq!((&rate["type"], &rate["data"]["shares_per_second"]), (&json!("share_rate"), &json!(1.5)));
    let say = async |feed: &mut Feed, said: Value| {
        feed.0.send(Message::text(said.to_string())).await.unwrap();
        feed.next_of("topics").await["data"].clone()
    };
    let unknown = say(&mut feed, json!({ "type": "topics", "topics": ["block", "nonsense"] })).await;
    assert_eq!(unknown, json!({ "unknown": "nonsense" }));
    let chosen = say(&mut feed, json!({ "type": "topics", "topics": ["block", "miner_connected"] })).await;
    assert_eq!(chosen, json!({ "topics": ["block", "miner_connected"] }));
    rig.events.publish(NOW, block(7));
    assert_eq!(feed.next_of("block").await["data"]["height"], 7);
    let all = say(&mut feed, json!({ "type": "topics", "topics": null })).await;
    assert_eq!(all, json!({ "topics": null }));
    server.stop().await;
}

/// Whatever is said, asked for, or claimed: a feed goes on, or is refused in words.
#[actix_rt::test]
async fn rubbish_does_not_disturb_a_feed() {
    let rig = Rig::new().await;
    let server = serve(&rig);
    for query in
        ["?topics=nonsense", "?topics=", "?topics=stats,,block", "?since=x", "?since=-1", "?since=1e3"]
    {
        match connect_async(format!("ws://{}/api/live{query}", server.address())).await {
            Err(Error::Http(response)) => assert_eq!(response.status(), 400, "{query}"),
            other => panic!("{query}: unexpected {other:?}"),
        }
    }
    let mut feed = Feed::open(&server, &format!("?since={}", u64::MAX)).await;
    assert_eq!(feed.next().await["type"], "snapshot", "a number that is yet to come");
    for said in [
        "",
        "null",
        "[]",
        "7",
        "{",
        "\u{0}",
        "{\"type\":7}",
        "{\"type\":\"auth\"}",
        "{\"type\":\"auth\",\"token\":7}",
        "{\"type\":\"topics\"}x",
        "{\"type\":\"topics\",\"topics\":\"stats\"}",
        "{\"type\":\"topics\",\"topics\":[1]}",
        "{\"type\":\"other\",\"token\":\"x\"}",
        &"[".repeat(2_000),
    ] {
        feed.0.send(Message::text(said)).await.unwrap();
    }
    feed.0.send(Message::binary(vec![0xff; 2_000])).await.unwrap();
    feed.0.send(Message::Pong(vec![0xff; 100].into())).await.unwrap();
    rig.events.publish(NOW, block(8));
    let next = feed.next().await;
    assert_eq!(
        (&next["type"], &next["data"]["height"]),
        (&json!("block"), &json!(8)),
        "nothing was answered before"
    );
    server.stop().await;
}

#[actix_rt::test]
async fn chatter_and_huge_frames_end_a_feed() {
    let rig = Rig::new().await;
    let server = serve(&rig);
    let mut chatty = Feed::open(&server, "").await;
    for _ in 0..200 {
        if chatty.0.send(Message::Text("hello".into())).await.is_err() {
            break;
        }
    }
    while let Some(Ok(_)) = chatty.0.next().await {}
    let mut huge = Feed::open(&server, "").await;
    huge.next().await;
    huge.0.send(Message::Text("x".repeat(10_000).into())).await.unwrap();
    while let Some(Ok(_)) = huge.0.next().await {}
    server.stop().await;
}

async fn refused(server: &ServerHandle, path: &str) -> Option<(u16, Value)> {
    match connect_async(format!("ws://{}{path}", server.address())).await {
        Err(Error::Http(response)) => {
            let body = response.body().as_deref().unwrap_or_default();
            Some((response.status().as_u16(), serde_json::from_slice(body).unwrap_or_default()))
        }
        Ok(_) => None,
        Err(other) => panic!("unexpected {other:?}"),
    }
}

#[actix_rt::test]
async fn one_address_does_not_take_all_feeds() {
    let mut rig = Rig::new().await;
    rig.http.feeds_per_address = 2;
    let server = serve(&rig);
    let mut first = Feed::open(&server, "").await;
    let _second = connect_async(format!("ws://{}/notifications", server.address())).await.unwrap();
    for path in ["/api/live", "/notifications"] {
        let (status, body) = refused(&server, path).await.expect("two are enough");
        assert_eq!((status, &body["error"]["code"]), (503, &json!("FEEDS_EXHAUSTED")), "{path}: {body}");
        assert_eq!(body["error"]["details"], json!({ "feeds_per_address": 2 }), "{path}");
    }
    first.0.close(None).await.unwrap();
    while first.0.next().await.is_some() {}
    let begun = tokio::time::Instant::now();
    while refused(&server, "/api/live").await.is_some() {
        assert!(begun.elapsed() < Duration::from_secs(30), "its place does not come back");
    }
    server.stop().await;
}

/// Why a feed was closed.
async fn farewell(feed: &mut Feed) -> String {
    loop {
        match feed.0.next().await {
            Some(Ok(Message::Close(Some(why)))) => return why.reason.to_string(),
            Some(Ok(_)) => {}
            other => panic!("closed without a word: {other:?}"),
        }
    }
}

#[actix_rt::test]
async fn a_pool_that_stops_says_so_and_waits_for_no_feed() {
    let rig = Rig::new().await;
    let server = serve(&rig);
    let mut feed = Feed::open(&server, "").await;
    feed.next().await;
    rig.shutdown.stop(StopReason::requested("interrupted"));
    assert_eq!(farewell(&mut feed).await, "the pool stops");
    // Nor does somebody who comes now stay.
    assert_eq!(farewell(&mut Feed::open(&server, "").await).await, "the pool stops");
    server.stop().await;
}

#[actix_rt::test]
async fn tokens_are_not_guessed_at_by_a_feed() {
    let mut rig = Rig::new().await;
    let guess = |n: usize| {
        let token = format!("bdp_{n:016x}_00");
        Message::text(json!({ "type": "auth", "token": token }).to_string())
    };
    let server = serve(&rig);
    let mut feed = Feed::open(&server, "").await;
    // Its look at the clock may come in between, once.
    for n in 0..12 {
        let _ = feed.0.send(guess(n)).await;
    }
    assert_eq!(farewell(&mut feed).await, "too many tokens");
    server.stop().await;
    // Each takes one of the address's requests, as it does over HTTP.
    rig.http.rate_limit_per_second = 1;
    rig.http.rate_limit_burst = 3;
    let server = serve(&rig);
    let mut feed = Feed::open(&server, "?topics=block").await;
    for n in 0..3 {
        let _ = feed.0.send(guess(n)).await;
    }
    assert_eq!(farewell(&mut feed).await, "too many tokens");
    server.stop().await;
}

#[actix_rt::test]
async fn what_answers_a_ping_can_not_be_known_before() {
    let rig = Rig::new().await;
    let server = serve(&rig);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let mut feed = Feed::open(&server, "").await;
        let payload = loop {
            if let Message::Ping(payload) = feed.0.next().await.unwrap().unwrap() {
                break payload;
            }
        };
        assert!(payload.len() >= 16, "{payload:?}");
        assert!(seen.insert(payload.to_vec()), "at the same number the same ping");
    }
    server.stop().await;
}

#[actix_rt::test]
async fn what_was_found_counts_from_the_start_whoever_looks() {
    let rig = Rig::new().await;
    let server = serve(&rig);
    let mut live = rig.events.subscribe(None).live;
    rig.snapshot.set(snapshot());
    live.recv().await.unwrap();
    // Nobody has looked yet when three more are found.
    let mut ledger = LedgerSummary::clone(&rig.ledger.watched().load());
    ledger.totals.blocks.push((BlockStatus::Accepted, Color::Blue, 3));
    rig.ledger.set(ledger);
    rig.snapshot.set(snapshot());
    live.recv().await.unwrap();
    let mut feed = Feed::open(&server, "").await;
    let opening = feed.next_of("snapshot").await;
    assert_eq!(opening["data"]["stats"]["pool"]["luck"]["found"], 3, "{opening}");
    server.stop().await;
}

/// Whoever hardly reads slows the actor down, which lives in the body of the answer, and would not take its farewell: its
/// connection is shut. Of who reads nothing at all, `feeds` or the system does that (see `peers`).
#[actix_rt::test]
async fn who_hardly_reads_loses_the_place() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let mut rig = Rig::new().await;
    rig.http.feeds_max = 1;
    let server = serve(&rig);
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut socket = socket.connect(server.address()).await.unwrap();
    let opening = "GET /api/live HTTP/1.1\r\nHost: pool\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    socket.write_all(opening.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    socket.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 101");
    // Far more than all buffers between the two hold.
    for number in 1..=250 {
        let PoolEvent::Block(mut view) = block(number) else { unreachable!() };
        view.parents = vec![BlockHash([7; 32]); 500];
        rig.events.publish(NOW, PoolEvent::Block(view));
    }
    let begun = tokio::time::Instant::now();
    while refused(&server, "/api/live").await.is_some() {
        assert!(begun.elapsed() < Duration::from_secs(60), "its place is held for ever");
        let mut some = [0; 4_096];
        let _ = socket.read(&mut some).await.unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    println!("its place came back after {:?}", begun.elapsed());
    assert!(begun.elapsed() > super::live::SILENCE_MAX, "it was not heard of for that long");
    // And its connection has ended.
    let mut rest = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(10), socket.read_to_end(&mut rest)).await.unwrap();
    server.stop().await;
}
