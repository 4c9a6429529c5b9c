//! What a session promises: back-pressure, terms per job, slow readers, time-outs, bans. Time is paused: nothing sleeps.

use actix::Actor as _;
use pool_actors::{
    config::{Banning, Stratum},
    messages::{
        event::PoolEvent,
        job::WorkPaused,
        session::{CommandSessions, ListNotices, ListSessions, SessionCommand, ShowTexts},
    },
    ports::node::HeaderForm,
    runtime::observe::Observe,
    stratum::hub::SessionHub,
};
use pool_domain::{
    difficulty::{Difficulty, DifficultyScale},
    ids::SessionId,
    share::{RejectReason, Verdict},
    target::Target,
};
use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};

use super::rig::{Client, Rig, ask, coinbase, listener, number_of, share};

fn fixed(difficulty: &str) -> Stratum {
    Stratum { listener: vec![listener("standard", difficulty, true)], ..Stratum::default() }
}

fn target(difficulty: &str) -> Target {
    DifficultyScale::SHA256D.tolerant_target(Difficulty::parse(difficulty).unwrap())
}

fn accepted(nonce: u32) -> String {
    format!(r#"{{"id":{nonce},"result":true,"error":null}}"#)
}

fn code(reply: &serde_json::Value) -> i64 {
    reply["error"][0].as_i64().unwrap_or(0)
}

#[actix::test]
async fn without_credit_the_socket_is_not_read_and_nothing_is_lost() {
    let mut rig = Rig::with(Stratum { shares_outstanding_max: 4, ..fixed("1") });
    rig.judge(|_| None);
    rig.job(coinbase(7), false).await;
    let mut miner = rig.connect();
    miner.log_in("account.rig").await;
    let lines: String = (0..100).map(|nonce| share("account.rig", "100", nonce) + "\n").collect();
    miner.send_bytes(lines.as_bytes()).await;
    rig.pass(2_000).await;
    assert_eq!(rig.seen.get().len(), 4, "the session's credit");
    let mut answered = 0;
    while answered < 100 {
        let released = rig.release(Verdict::Accepted);
        assert!(released > 0 && released <= 4);
        for _ in 0..released {
            assert_eq!(miner.line().await, accepted(answered));
            answered += 1;
        }
        rig.pass(1).await;
    }
    assert!(rig.seen.get().iter().all(|share| share.account == "account" && share.worker == "rig"));
}

#[actix::test]
async fn shares_of_one_read_travel_together() {
    let mut rig = Rig::with(Stratum { shares_outstanding_max: 100, ..fixed("1") });
    rig.job(coinbase(7), false).await;
    let mut miner = rig.connect();
    miner.log_in("account.rig").await;
    let lines: String = (0..10).map(|nonce| share("account.rig", "100", nonce) + "\n").collect();
    // Cut in the middle of a line: the rest of that share comes with the second read.
    let (head, tail) = lines.split_at(lines.len() / 2);
    miner.send_bytes(head.as_bytes()).await;
    for nonce in 0..5 {
        assert_eq!(miner.line().await, accepted(nonce));
    }
    miner.send_bytes(tail.as_bytes()).await;
    for nonce in 5..10 {
        assert_eq!(miner.line().await, accepted(nonce));
    }
    // More than would make a message is still one: what was read together is committed and answered together.
    let lines: String = (10..110).map(|nonce| share("account.rig", "100", nonce) + "\n").collect();
    miner.send_bytes(lines.as_bytes()).await;
    for nonce in 10..110 {
        assert_eq!(miner.line().await, accepted(nonce));
    }
    let together: Vec<_> = rig.seen.get().iter().map(|share| share.together).collect();
    assert_eq!((&together[..10], &together[10..]), (&[5; 10][..], &[100; 100][..]));
}

#[actix::test]
async fn a_share_is_judged_by_the_difficulty_of_its_job() {
    let mut rig = Rig::new("standard", "1");
    rig.job(coinbase(7), false).await;
    let mut miner = rig.connect();
    let (difficulty, notify) = miner.log_in("account.rig").await;
    assert_eq!(difficulty, r#"{"id":null,"method":"mining.set_difficulty","params":[1]}"#);
    assert_eq!(number_of(&notify), "100");
    miner.send(r#"{"id":9,"method":"mining.suggest_difficulty","params":[8]}"#).await;
    assert_eq!(miner.line().await, r#"{"id":9,"result":true,"error":null}"#);
    assert_eq!(miner.line().await, r#"{"id":null,"method":"mining.set_difficulty","params":[8]}"#);
    assert_eq!(number_of(&miner.line().await), "101");
    miner.submit("account.rig", "100", 1).await;
    miner.submit("account.rig", "101", 2).await;
    miner.submit("account.rig", "102", 3).await;
    assert_eq!(
        miner.line().await,
        r#"{"id":3,"result":null,"error":[21,"Job not found",null]}"#,
        "never sent"
    );
    assert_eq!(miner.line().await, accepted(1));
    assert_eq!(miner.line().await, accepted(2));
    let targets: Vec<_> = rig.seen.get().iter().map(|share| share.target).collect();
    assert_eq!(targets, [target("1"), target("8")]);
    // The same header under the other number is the same work.
    miner.submit("account.rig", "101", 1).await;
    assert_eq!(code(&miner.json().await), 22);
    // The next job needs no other number, and keeps the difficulty.
    rig.job(coinbase(7), false).await;
    assert_eq!(number_of(&miner.line().await), "200");
}

#[actix::test]
async fn vardiff_raises_and_lowers_with_new_job_numbers() {
    let mut rig = Rig::new("standard", "1");
    rig.job(coinbase(7), false).await;
    let mut miner = rig.connect();
    let (_, notify) = miner.log_in("account.rig").await;
    let first = number_of(&notify);
    let mut changed = None;
    for nonce in 0..8 {
        miner.submit("account.rig", &first, nonce).await;
        assert_eq!(miner.line().await, accepted(nonce));
        rig.pass(20).await;
        if !miner.is_quiet(10).await {
            changed = Some((miner.json().await, miner.line().await));
            break;
        }
    }
    let (difficulty, notify) = changed.expect("four shares in 100 ms are too fast");
    assert_eq!(difficulty["method"], "mining.set_difficulty");
    assert!(difficulty["params"][0].as_f64().unwrap() > 1.0);
    assert_eq!(number_of(&notify), "101");
    // And down again while nothing comes.
    rig.pass(60_000).await;
    let lower = miner.json().await;
    assert!(lower["params"][0].as_f64().unwrap() < difficulty["params"][0].as_f64().unwrap());
    assert_eq!(number_of(&miner.line().await), "102");
    assert!(rig.event_names().contains(&"difficulty"));
}

#[actix::test]
async fn difficulty_never_exceeds_the_networks() {
    let mut rig = Rig::with(fixed("1000"));
    rig.job_at(coinbase(7), false, Difficulty::whole(16)).await;
    let mut miner = rig.connect();
    let (difficulty, _) = miner.log_in("account.rig").await;
    assert_eq!(difficulty, r#"{"id":null,"method":"mining.set_difficulty","params":[16]}"#);
    rig.job_at(coinbase(8), false, Difficulty::whole(4)).await;
    assert_eq!(miner.line().await, r#"{"id":null,"method":"mining.set_difficulty","params":[4]}"#);
    assert_eq!(number_of(&miner.line().await), "200");
}

#[actix::test]
async fn replaced_jobs_are_late_after_their_grace_and_invalidated_ones_at_once() {
    let mut rig = Rig::with(fixed("1"));
    rig.judge(|share| {
        Some(if share.late { Verdict::Rejected(RejectReason::StaleJob) } else { Verdict::Accepted })
    });
    rig.job(coinbase(7), false).await;
    let mut miner = rig.connect();
    miner.log_in("account.rig").await;
    rig.job(coinbase(8), false).await;
    assert_eq!(number_of(&miner.line().await), "200");
    miner.submit("account.rig", "100", 1).await;
    assert_eq!(miner.line().await, accepted(1), "within the grace of 30 s");
    rig.pass(31_000).await;
    miner.submit("account.rig", "100", 2).await;
    assert_eq!(miner.line().await, r#"{"id":2,"result":null,"error":[21,"Job not found",null]}"#);
    assert!(rig.seen.get()[1].late, "hashed all the same, in case it is a block");
    rig.job(coinbase(9), true).await;
    assert!(miner.line().await.ends_with(",true]}"));
    miner.submit("account.rig", "200", 3).await;
    assert_eq!(code(&miner.json().await), 21);
    assert!(rig.seen.get()[2].late);
    // Long after, the job is forgotten.
    rig.pass(100_000).await;
    rig.job(coinbase(10), false).await;
    while number_of_or_none(&miner.line().await).as_deref() != Some("400") {}
    miner.submit("account.rig", "100", 4).await;
    assert_eq!(code(&miner.json().await), 21);
    assert_eq!(rig.seen.get().len(), 3);
}

fn number_of_or_none(line: &str) -> Option<String> {
    line.contains("mining.notify").then(|| number_of(line))
}

#[actix::test]
async fn a_slow_reader_skips_to_the_newest_job() {
    let mut rig = Rig::with(fixed("1"));
    rig.job(coinbase(7), false).await;
    // A pipe that holds one job's line and a bit.
    let mut miner = rig.connect_with(600);
    miner.log_in("account.rig").await;
    rig.pass(1).await;
    for parent in 10..60 {
        rig.job(coinbase(parent), parent == 20).await;
        rig.pass(300).await;
    }
    let mut numbers = Vec::new();
    let mut clean = false;
    while numbers.last().map(String::as_str) != Some("3300") {
        let line = miner.line().await;
        clean |= line.ends_with(",true]}");
        numbers.push(number_of(&line));
    }
    assert!(numbers.len() < 10, "{numbers:?}");
    assert!(clean, "the invalidation that it skipped reaches it with the newest job");
    assert!(miner.is_quiet(1_000).await);
}

#[actix::test]
async fn who_reads_nothing_at_all_is_closed() {
    let mut rig = Rig::with(Stratum { unsent_bytes_max: 4_096, ..fixed("1") });
    rig.job(coinbase(7), false).await;
    let mut miner = rig.connect_with(512);
    let mut closed = false;
    for _ in 0..2_000 {
        let sent = miner.try_send(b"{\"id\":1,\"method\":\"mining.ping\",\"params\":[]}\n");
        match tokio::time::timeout(std::time::Duration::from_secs(1), sent).await {
            Ok(Ok(())) => {}
            // The server reads no more while it has something unsent.
            Err(_) => break,
            Ok(Err(_)) => {
                closed = true;
                break;
            }
        }
    }
    assert!(closed || rig.context.connections() == 1);
    rig.pass(700_000).await;
    assert_eq!(rig.context.connections(), 0, "closed in the end");
}

#[actix::test]
async fn silence_has_its_limits() {
    let mut rig = Rig::with(fixed("1"));
    rig.job(coinbase(7), false).await;
    let mut silent = rig.connect();
    let mut dawdler = rig.connect();
    dawdler.send(r#"{"id":1,"method":"mining.subscribe","params":[]}"#).await;
    dawdler.line().await;
    let mut worker = rig.connect();
    worker.log_in("account.rig").await;
    rig.pass(31_000).await;
    assert_eq!(dawdler.next().await, None, "30 s to authorise");
    assert_eq!(rig.context.connections(), 2);
    rig.pass(31_000).await;
    assert_eq!(silent.next().await, None, "60 s to say anything");
    assert!(rig.shared.gate.bans(rig.shared.clock.now()).is_empty(), "no offence");
    assert_eq!(rig.context.connections(), 1);
    // Something comes at least every 60 s, and it is a line that every miner knows.
    assert_eq!(worker.line().await, r#"{"id":null,"method":"mining.set_difficulty","params":[1]}"#);
    rig.pass(600_000).await;
    let lines = worker.until_closed().await;
    assert!(lines.len() >= 10, "{}", lines.len());
    assert_eq!(rig.event_names(), ["connected", "disconnected"]);
    assert_eq!(rig.ended.get().len(), 1);
}

#[actix::test]
async fn rubbish_is_answered_and_then_the_end() {
    let rig = Rig::with_banning(fixed("1"), Banning { malformed_max: 3, ..Banning::default() });
    let mut stranger = rig.connect();
    stranger.send("GET / HTTP/1.1\r\nHost: pool\r\n").await;
    let lines = stranger.until_closed().await;
    assert_eq!(
        lines,
        [r#"{"id":null,"result":null,"error":[-32700,"Parse error: not a JSON object",null]}"#]
    );
    let mut endless = rig.connect();
    let _ = endless.try_send(&[b'{'; 20_000]).await;
    let lines = endless.until_closed().await;
    assert_eq!(
        lines,
        [r#"{"id":null,"result":null,"error":[-32700,"Line too long: at most 4096 bytes",null]}"#]
    );
    let mut buggy = rig.connect();
    buggy.log_in_without_work("account.rig").await;
    for _ in 0..3 {
        buggy.send("{{{").await;
    }
    assert_eq!(buggy.until_closed().await.len(), 3);
    let bans = rig.shared.gate.bans(rig.shared.clock.now());
    assert_eq!(bans.len(), 1);
    assert!(rig.event_names().contains(&"security"));
}

impl<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin> Client<S> {
    /// As `log_in`, where there is no job.
    async fn log_in_without_work(&mut self, user: &str) {
        self.send(r#"{"id":1,"method":"mining.subscribe","params":[]}"#).await;
        self.line().await;
        self.send(&format!(r#"{{"id":2,"method":"mining.authorize","params":["{user}","x"]}}"#)).await;
        self.line().await;
    }
}

#[actix::test]
async fn a_flood_of_invalid_shares_is_banned_and_stale_ones_are_not() {
    let mut rig = Rig::with_banning(fixed("1"), Banning { invalid_min: 50, ..Banning::default() });
    rig.job(coinbase(7), false).await;
    let mut late = rig.connect();
    late.log_in("account.rig").await;
    for nonce in 0..200 {
        late.submit("account.rig", "7700", nonce).await;
        assert_eq!(code(&late.json().await), 21);
    }
    rig.judge(|_| Some(Verdict::Rejected(RejectReason::LowDifficulty)));
    for nonce in 0..50 {
        late.submit("account.rig", "100", nonce).await;
        assert_eq!(code(&late.json().await), 23);
    }
    assert_eq!(late.next().await, None);
    assert_eq!(rig.shared.gate.bans(rig.shared.clock.now()).len(), 1);
    rig.pass(1_100).await;
    let tallies = rig.tallies.get();
    let sum = tallies
        .iter()
        .flat_map(|tally| &tally.sessions)
        .fold((0, 0), |sum, session| (sum.0 + session.counts.stale, sum.1 + session.counts.low_difficulty));
    assert_eq!(sum, (200, 50));
}

#[actix::test]
async fn too_many_requests_only_wait() {
    let mut rig = Rig::with(Stratum { requests_per_second_max: 10, ..fixed("1") });
    rig.job(coinbase(7), false).await;
    let mut miner = rig.connect();
    miner.log_in("account.rig").await;
    let started = tokio::time::Instant::now();
    let lines: String = (0..150).map(|nonce| share("account.rig", "100", nonce) + "\n").collect();
    miner.send_bytes(lines.as_bytes()).await;
    for nonce in 0..150 {
        assert_eq!(miner.line().await, accepted(nonce));
    }
    let took = started.elapsed().as_millis();
    assert!((4_000..8_000).contains(&took), "98 at once, 52 at ten a second: {took} ms");
}

#[actix::test]
async fn work_pauses_with_a_word_and_resumes() {
    let mut rig = Rig::with(fixed("1"));
    rig.job(coinbase(7), false).await;
    let mut miner = rig.connect();
    miner.log_in("account.rig").await;
    let pause = |reason: Option<&str>| WorkPaused { reason: reason.map(str::to_owned) };
    ask(&rig.hub, pause(Some("the node is syncing"))).await;
    ask(&rig.hub, pause(Some("the node is syncing"))).await;
    assert_eq!(
        miner.line().await,
        r#"{"id":null,"method":"client.show_message","params":["The pool has no work just now: the node is syncing"]}"#
    );
    let mut newcomer = rig.connect();
    newcomer.log_in_without_work("account.two").await;
    assert!(newcomer.is_quiet(5_000).await && miner.is_quiet(5_000).await);
    miner.submit("account.rig", "100", 1).await;
    assert_eq!(miner.line().await, accepted(1), "work in hand is still good");
    rig.job(coinbase(8), false).await;
    assert_eq!(number_of(&miner.line().await), "200");
    assert_eq!(newcomer.json().await["method"], "mining.set_difficulty");
    assert_eq!(number_of(&newcomer.line().await), "200");
}

#[actix::test]
async fn sessions_do_as_they_are_told() {
    let mut rig = Rig::with(fixed("1"));
    rig.job(coinbase(7), false).await;
    let mut miner = rig.connect();
    miner.log_in("account.rig").await;
    miner.submit("account.rig", "100", 1).await;
    assert_eq!(miner.line().await, accepted(1));
    let tell = async |command| ask(&rig.hub, CommandSessions { session: None, command }).await;
    assert_eq!(tell(SessionCommand::RenewExtranonce).await, 1);
    assert!(miner.is_quiet(100).await, "it did not say that it can");
    miner.send(r#"{"id":5,"method":"mining.extranonce.subscribe","params":[]}"#).await;
    miner.line().await;
    tell(SessionCommand::RenewExtranonce).await;
    assert_eq!(miner.line().await, r#"{"id":null,"method":"mining.set_extranonce","params":["a1000001",4]}"#);
    assert_eq!(number_of(&miner.line().await), "101");
    // The same miner's part under another prefix is other work; under the old number it is the old work.
    miner.submit("account.rig", "101", 1).await;
    assert_eq!(miner.line().await, accepted(1));
    miner.submit("account.rig", "100", 1).await;
    assert_eq!(code(&miner.json().await), 22);
    tell(SessionCommand::ShowMessage("hello \"you\"".to_owned())).await;
    assert_eq!(
        miner.line().await,
        r#"{"id":null,"method":"client.show_message","params":["hello \"you\""]}"#
    );
    tell(SessionCommand::AskVersion).await;
    assert_eq!(miner.line().await, r#"{"id":"version","method":"client.get_version","params":[]}"#);
    miner.send(r#"{"id":"version","result":"firmware/3","error":null}"#).await;
    assert!(miner.is_quiet(100).await);
    let list = ask(&rig.hub, ListSessions).await;
    assert_eq!(list[0].miner.agent.as_deref(), Some("firmware/3"));
    assert!(list[0].last_share_at.0 > 0);
    tell(SessionCommand::Reconnect { host: "b.example".to_owned(), port: 3334, wait_s: 5 }).await;
    let lines = miner.until_closed().await;
    assert_eq!(lines, [r#"{"id":null,"method":"client.reconnect","params":["b.example",3334,5]}"#]);
}

/// What a session wants to be told of its account: never where, and for its owner only with the owner's password.
#[actix::test]
async fn notifications_are_the_connections_and_the_owners_only_with_the_password() {
    let mut rig = Rig::with(fixed("1"));
    rig.job(coinbase(7), false).await;
    let mut miner = rig.connect();
    let wants = r#"{"id":4,"method":"mining.configure_notifications","params":[{"worker_offline_minutes":10,"payout":true}]}"#;
    miner.send(wants).await;
    assert_eq!(code(&miner.json().await), 24, "of whose account?");
    miner.log_in("account.rig").await;
    for (params, expected) in [
        ("[]", -32602),
        ("[{},{}]", -32602),
        ("[[]]", -32602),
        (r#"[{"worker_offline_minutes":-1}]"#, -32602),
        (r#"[{"worker_offline_minutes":1441}]"#, -32602),
        (r#"[{"hashrate_drop_percent":5}]"#, -32602),
        (r#"[{"hashrate_drop_percent":"30"}]"#, -32602),
        (r#"[{"payout":1}]"#, -32602),
        (r#"[{"email":"victim@example.org"}]"#, -32602),
        (r#"[{"webhook":"http://169.254.169.254/"}]"#, -32602),
        ("{}", -32602),
    ] {
        let line = format!(r#"{{"id":4,"method":"mining.configure_notifications","params":{params}}}"#);
        miner.send(&line).await;
        let answer = miner.json().await;
        assert_eq!(code(&answer), expected, "{params}: {answer}");
        assert!(!answer.to_string().contains("victim"), "{answer}");
    }
    assert!(ask(&rig.hub, ListNotices).await.is_empty());
    miner.send(wants).await;
    let effective = r#"{"worker_offline_minutes":10,"hashrate_drop_percent":0,"payout":true,"block":false,"show_message":true,"account":"unchanged"}"#;
    assert_eq!(miner.line().await, format!(r#"{{"id":4,"result":{effective},"error":null}}"#));
    let listening = ask(&rig.hub, ListNotices).await;
    assert_eq!((listening.len(), &*listening[0].account), (1, "account"));
    assert!(listening[0].shows && listening[0].wishes.payout && listening[0].key.is_none());
    let texts = [(listening[0].session, "hello".to_owned()), (SessionId(999), "nobody".to_owned())];
    ask(&rig.hub, ShowTexts(texts.into())).await;
    assert_eq!(miner.line().await, r#"{"id":null,"method":"client.show_message","params":["hello"]}"#);

    // With a password for it the owner's are asked for, once for each time that the miner does.
    let mut other = rig.connect();
    other.send(r#"{"id":1,"method":"mining.subscribe","params":["test/1"]}"#).await;
    other.line().await;
    other.send(r#"{"id":2,"method":"mining.authorize","params":["account.b","d=1,alerts-00"]}"#).await;
    for _ in 0..3 {
        other.line().await;
    }
    other.send(&wants.replace("true", r#"true,"show_message":false"#)).await;
    let answer = other.json().await;
    assert_eq!(
        (&answer["result"]["account"], &answer["result"]["show_message"]),
        (&"asked".into(), &false.into())
    );
    let keys = async || {
        let listening = ask(&rig.hub, ListNotices).await;
        listening.into_iter().filter_map(|one| one.key).collect::<Vec<_>>()
    };
    assert_eq!(keys().await, ["alerts-00"]);
    assert!(keys().await.is_empty(), "told once");
    drop((miner, other));
    rig.pass(100).await;
    assert!(ask(&rig.hub, ListNotices).await.is_empty());
}

#[actix::test]
async fn a_rolled_version_is_in_the_header_and_the_mask_follows_the_job() {
    let mut rig = Rig::with(fixed("1"));
    rig.job(coinbase(7), false).await;
    let mut miner = rig.connect();
    miner.send(r#"{"id":1,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"00ffe000"}]}"#).await;
    assert_eq!(miner.json().await["result"]["version-rolling.mask"], "00ffe000");
    miner.log_in_without_work("account.rig").await;
    assert_eq!(miner.line().await, r#"{"id":null,"method":"mining.set_version_mask","params":["00ffe000"]}"#);
    miner.line().await;
    assert_eq!(number_of(&miner.line().await), "100");
    miner.send(r#"{"id":3,"method":"mining.submit","params":["account.rig","100","00000000","65540000","00000001","00402000"]}"#).await;
    assert_eq!(miner.line().await, accepted(3));
    assert_eq!(rig.seen.get()[0].header[..4], 0x2040_2000u32.to_le_bytes());
    let HeaderForm::Coinbase {
        version,
        previous,
        coinbase1,
        coinbase2,
        branches,
        bits,
        time,
        time_range,
        ..
    } = coinbase(8)
    else {
        unreachable!()
    };
    let version_mask = 0x0000_e000;
    let narrow = HeaderForm::Coinbase {
        version,
        previous,
        coinbase1,
        coinbase2,
        branches,
        bits,
        time,
        time_range,
        version_mask,
    };
    rig.job(narrow, false).await;
    assert_eq!(miner.line().await, r#"{"id":null,"method":"mining.set_version_mask","params":["0000e000"]}"#);
    assert_eq!(number_of(&miner.line().await), "200");
    miner.send(r#"{"id":4,"method":"mining.submit","params":["account.rig","200","00000000","65540000","00000001","00402000"]}"#).await;
    assert_eq!(code(&miner.json().await), 20);
}

#[actix::test]
async fn the_end_of_a_session_gives_everything_back() {
    let mut rig = Rig::with(fixed("1"));
    rig.job(coinbase(7), false).await;
    for nonce in 0..3 {
        let mut miner = rig.connect();
        miner.log_in("account.rig").await;
        miner.submit("account.rig", "100", nonce).await;
        assert_eq!(miner.line().await, accepted(nonce));
    }
    rig.pass(1_100).await;
    assert_eq!(rig.context.connections(), 0);
    assert_eq!(rig.shared.gate.counts().connections, 0);
    assert_eq!(rig.ended.get().len(), 3);
    assert_eq!(rig.event_names(), ["connected", "disconnected"].repeat(3));
    {
        let events = rig.events.get();
        let PoolEvent::MinerConnected(seen) = &events[0].event else { panic!("{events:?}") };
        assert_eq!((seen.account.as_deref(), seen.worker.as_deref()), (Some("account"), Some("rig")));
    }
    let accepted: u64 = rig
        .tallies
        .get()
        .iter()
        .flat_map(|tally| &tally.sessions)
        .map(|session| session.counts.accepted)
        .sum();
    assert_eq!(accepted, 3);
    // A prefix rests before somebody else gets it.
    let mut next = rig.connect();
    next.send(r#"{"id":1,"method":"mining.subscribe","params":[]}"#).await;
    assert!(next.line().await.contains("\"a1000003\""));
}

#[actix::test]
async fn a_panic_takes_one_session_only() {
    let mut rig = Rig::with(fixed("1"));
    rig.job(coinbase(7), false).await;
    let mut doomed = rig.connect();
    let mut other = rig.connect();
    other.log_in("account.rig").await;
    // The account check of this rig panics on this name.
    doomed.send(r#"{"id":1,"method":"mining.authorize","params":["panic.rig","x"]}"#).await;
    assert_eq!(doomed.next().await, None);
    other.submit("account.rig", "100", 1).await;
    assert_eq!(other.line().await, accepted(1));
    assert_eq!(rig.context.connections(), 1);
    assert_eq!(rig.shared.gate.counts().connections, 1);
}

#[actix::test]
async fn a_rebuilt_hub_begins_with_the_newest_job() {
    let mut rig = Rig::with(fixed("1"));
    rig.job(coinbase(7), false).await;
    rig.job(coinbase(8), false).await;
    let successor = SessionHub::new(0, std::sync::Arc::clone(&rig.shared)).start();
    assert_eq!(ask(&successor, Observe).await.0["newest_job"], 2);
}

/// Bytes as miners, fuzzers and port scanners send them.
fn rubbish() -> impl Strategy<Value = Vec<u8>> {
    let method = prop::sample::select(vec![
        "mining.submit",
        "mining.subscribe",
        "mining.authorize",
        "mining.configure",
        "mining.suggest_difficulty",
        "mining.suggest_target",
        "mining.extranonce.subscribe",
        "x",
    ]);
    let value = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        "-?[0-9]{1,40}(\\.[0-9]{1,9})?([eE][+-]?[0-9]{1,5})?",
        "\"[0-9a-fx]{0,70}\"",
        "\"[ -!#-\\[\\]-~]{0,30}\"",
        "\"account\\.rig\"",
        Just("\"100\"".to_owned()),
        Just("[[[\"version-rolling\"]]]".to_owned()),
        Just("[\"version-rolling\",\"minimum-difficulty\"]".to_owned()),
        Just("{\"version-rolling.mask\":\"ffffffff\",\"minimum-difficulty.value\":1e30}".to_owned()),
        (1usize..3_000).prop_map(|depth| "[".repeat(depth)),
    ];
    let request =
        (method, prop::collection::vec(value.clone(), 0..8), value).prop_map(|(method, params, id)| {
            format!("{{\"id\":{id},\"method\":\"{method}\",\"params\":[{}]}}\n", params.join(","))
                .into_bytes()
        });
    prop_oneof![request.clone(), request, prop::collection::vec(any::<u8>(), 0..2_000)]
}

#[actix::test]
async fn no_bytes_panic_or_pile_up() {
    let mut rig = Rig::with_banning(fixed("1"), Banning { enabled: false, ..Banning::default() });
    rig.job(coinbase(7), false).await;
    let mut honest = rig.connect();
    honest.log_in("account.rig").await;
    let mut runner = TestRunner::deterministic();
    let cases = prop::collection::vec(rubbish(), 1..12);
    for nonce in 0..300 {
        let pieces = cases.new_tree(&mut runner).unwrap().current();
        let mut stranger = rig.connect();
        for piece in &pieces {
            if stranger.try_send(piece).await.is_err() {
                break;
            }
        }
        drop(stranger);
        honest.submit("account.rig", "100", nonce).await;
        assert_eq!(honest.line().await, accepted(nonce), "after {pieces:?}");
    }
    rig.pass(1_000).await;
    assert_eq!(rig.context.connections(), 1);
    assert_eq!(rig.shared.gate.counts().connections, 1);
}
