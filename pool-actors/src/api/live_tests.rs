//! The live feed over real sockets.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use futures_util::{SinkExt as _, StreamExt as _};
use pool_domain::{
    ids::{BlockHash, SessionId},
    maturity::Color,
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
    },
    ports::users::Role,
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
        rig.events.publish(NOW, secret(1));
        if audience == "operator" {
            assert_eq!(feed.next().await["data"]["code"], "1");
        }
    }
    // Its session ends: the feed notices with its next look.
    feed.0.send(Message::text(json!({ "type": "auth", "token": viewer }).to_string())).await.unwrap();
    assert_eq!(feed.next().await["data"]["audience"], "operator");
    let who = rig.auth.whose(&viewer).await.unwrap().unwrap();
    rig.auth.log_out(&Origin::default(), &who).await.unwrap();
    let begun = tokio::time::Instant::now();
    loop {
        // The second is for everybody: if it comes first, the first was kept back.
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
