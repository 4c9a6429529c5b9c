//! The protocol by recorded transcripts: what cpuminer-family clients, Kaspa's and BlockDAG's really send.

use serde_json::json;

use super::*;

fn config(dialect: Dialect) -> SessionConfig {
    SessionConfig {
        dialect,
        algorithm: "blake2s",
        also: Vec::new(),
        user: "account.rig1".to_owned(),
        password: "x".to_owned(),
        version_rolling: false,
        first_counter: 0,
        conduct: Conduct::Honest,
        shares_limit: None,
    }
}

fn sent(actions: &[Action]) -> Vec<&str> {
    actions
        .iter()
        .filter_map(|action| match action {
            Action::Send(line) => Some(line.as_str()),
            _ => None,
        })
        .collect()
}

fn task(actions: &[Action]) -> Option<Task> {
    actions.iter().find_map(|action| match action {
        Action::Work(task) => task.clone(),
        _ => None,
    })
}

const NOTIFY: &str = r#"{"params":["6b03611000000000","0000000000000000000000000000000000000000000000000000000000000001","01","02",[],"20000000","207fffff","6b036110",true],"id":null,"method":"mining.notify"}"#;

#[test]
fn speaks_the_transcript_of_a_cpuminer() {
    let mut stats = MinerStats::default();
    let mut session = Session::new(config(Dialect::Standard));
    assert_eq!(
        sent(&session.open()),
        [r#"{"id": 1, "method": "mining.subscribe", "params": ["dagsim/1.0"]}"#]
    );
    let actions = session
        .line(r#"{"result":[[["mining.notify","6b036111"]],"1161036b",8],"id":1,"error":null}"#, &mut stats);
    assert_eq!(
        sent(&actions),
        [r#"{"id": 2, "method": "mining.authorize", "params": ["account.rig1", "x"]}"#]
    );
    assert!(
        session
            .line(r#"{"params":[0.01],"id":null,"method":"mining.set_difficulty"}"#, &mut stats)
            .is_empty()
    );
    // A job before the authorization waits for it.
    assert_eq!(task(&session.line(NOTIFY, &mut stats)), None);
    let actions = session.line(r#"{"id":2,"result":true,"error":null}"#, &mut stats);
    assert_eq!(sent(&actions), [r#"{"id": 3, "method": "mining.extranonce.subscribe", "params": []}"#]);
    let first = task(&actions).unwrap();
    assert_eq!(first.target, share_target(Dialect::Standard, "blake2s", 0.01));
    assert!(session.line(r#"{"id":3,"result":true,"error":null}"#, &mut stats).is_empty());
    let submit = session.solved(first.id, 0x517c_1800, &mut stats);
    assert_eq!(
        sent(&submit),
        [
            r#"{"method": "mining.submit", "params": ["account.rig1", "6b03611000000000", "0000000000000000", "6b036110", "517c1800"], "id":4}"#
        ]
    );
    // The same id again, pipelined; answers come in order.
    assert!(sent(&session.solved(first.id, 7, &mut stats))[0].ends_with(r#""id":4}"#));
    session.line(r#"{"id":4,"result":true,"error":null}"#, &mut stats);
    session.line(r#"{"id":4,"result":null,"error":[23,"Low difficulty share",null]}"#, &mut stats);
    assert_eq!((stats.submitted, stats.accepted, stats.rejected[&23]), (2, 1, 1));
    assert_eq!(session.unanswered(), 0);
}

fn ready(config: SessionConfig, stats: &mut MinerStats) -> Session {
    let mut session = Session::new(config);
    session.open();
    session.line(r#"{"id":1,"result":[[],"1161036b",4],"error":null}"#, stats);
    session.line(r#"{"id":2,"result":true,"error":null}"#, stats);
    session
}

#[test]
fn a_difficulty_counts_from_the_next_job() {
    let mut stats = MinerStats::default();
    let mut session = ready(config(Dialect::Standard), &mut stats);
    session.line(r#"{"id":null,"method":"mining.set_difficulty","params":[2]}"#, &mut stats);
    let first = task(&session.line(NOTIFY, &mut stats)).unwrap();
    session.line(r#"{"id":null,"method":"mining.set_difficulty","params":[4]}"#, &mut stats);
    session.line(r#"{"id":null,"method":"mining.set_difficulty","params":["8"]}"#, &mut stats);
    let again = task(&session.next_piece(&stats)).unwrap();
    assert_eq!(again.target, first.target);
    assert_ne!(again.puzzle.header, first.puzzle.header, "a new piece has another extranonce");
    let second = task(&session.line(NOTIFY, &mut stats)).unwrap();
    assert_eq!(second.target, share_target(Dialect::Standard, "blake2s", 4.0));
}

#[test]
fn who_withholds_keeps_blocks_and_nothing_else() {
    // The job's bits, 207fffff.
    let block = U256::from(0x007f_ffff_u64) << 232_usize;
    let share = block + U256::from(1_u64);
    for (conduct, sent_of) in [
        (Conduct::Honest, [1, 1]),
        (Conduct::Withhold, [0, 1]),
        (Conduct::BlocksOnly, [1, 0]),
        (Conduct::Stripes, [1, 1]),
    ] {
        let mut stats = MinerStats::default();
        let mut session = ready(SessionConfig { conduct, ..config(Dialect::Standard) }, &mut stats);
        let work = task(&session.line(NOTIFY, &mut stats)).unwrap().id;
        let lines = [block, share].map(|hash| sent(&session.found(work, 7, hash, &mut stats)).len());
        assert_eq!(lines, sent_of, "{conduct:?}");
        assert_eq!(stats.withheld, 2 - stats.submitted);
    }
}

#[test]
fn clean_jobs_void_older_work_and_others_do_not() {
    let mut stats = MinerStats::default();
    let mut session = ready(config(Dialect::Standard), &mut stats);
    let old = task(&session.line(NOTIFY, &mut stats)).unwrap();
    session.line(&NOTIFY.replace("true", "false"), &mut stats);
    assert_eq!(sent(&session.solved(old.id, 1, &mut stats)).len(), 1);
    session.line(NOTIFY, &mut stats);
    assert!(session.solved(old.id, 2, &mut stats).is_empty());
    assert_eq!((stats.jobs, stats.clean_jobs), (3, 2));
}

#[test]
fn a_new_extranonce_counts_from_the_next_job() {
    let mut stats = MinerStats::default();
    let mut session = ready(config(Dialect::Standard), &mut stats);
    session.line(r#"{"id":null,"method":"mining.set_extranonce","params":["ffee",2]}"#, &mut stats);
    let work = task(&session.line(NOTIFY, &mut stats)).unwrap();
    let line = session.solved(work.id, 1, &mut stats);
    assert!(sent(&line)[0].contains(r#""0000", "6b036110""#), "{line:?}");
}

#[test]
fn the_limit_of_shares_is_met_exactly() {
    let mut stats = MinerStats::default();
    let mut session = ready(SessionConfig { shares_limit: Some(2), ..config(Dialect::Standard) }, &mut stats);
    let work = task(&session.line(NOTIFY, &mut stats)).unwrap();
    assert_eq!(sent(&session.solved(work.id, 1, &mut stats)).len(), 1);
    assert_eq!(sent(&session.solved(work.id, 2, &mut stats)).len(), 1);
    assert_eq!(session.solved(work.id, 3, &mut stats), [Action::Work(None)]);
    // One is refused: the search goes on.
    let again = session.line(r#"{"id":4,"result":null,"error":[21,"Job not found",null]}"#, &mut stats);
    let work = task(&again).unwrap();
    session.solved(work.id, 4, &mut stats);
    session.line(r#"{"id":4,"result":true,"error":null}"#, &mut stats);
    assert_eq!(session.line(r#"{"id":4,"result":true,"error":null}"#, &mut stats), [Action::Work(None)]);
    assert_eq!(session.line(NOTIFY, &mut stats), [Action::Work(None)]);
    assert_eq!((stats.accepted, stats.submitted), (2, 3));
}

#[test]
fn versions_roll_when_both_sides_agree() {
    let mut stats = MinerStats::default();
    let config = SessionConfig { version_rolling: true, first_counter: 5, ..config(Dialect::Standard) };
    let mut session = Session::new(config);
    assert!(sent(&session.open())[0].starts_with(r#"{"id": 0, "method": "mining.configure", "params": [["version-rolling"], {"version-rolling.mask": "1fffe000""#));
    let configured = json!({"id": 0, "result": {"version-rolling": true, "version-rolling.mask": "00ffe000"}, "error": null});
    session.line(&configured.to_string(), &mut stats);
    session.line(r#"{"id":1,"result":[[],"1161036b",4],"error":null}"#, &mut stats);
    session.line(r#"{"id":2,"result":true,"error":null}"#, &mut stats);
    let work = task(&session.line(NOTIFY, &mut stats)).unwrap();
    let header_version = u32::from_le_bytes(work.puzzle.header[..4].try_into().unwrap());
    assert_eq!(header_version, 0x2000_a000);
    assert!(sent(&session.solved(work.id, 1, &mut stats))[0].contains(r#""0000a000"], "id":4"#));
}

#[test]
fn the_algorithm_switches_only_to_what_was_offered() {
    let mut stats = MinerStats::default();
    let mut session = Session::new(SessionConfig { also: vec!["blake3"], ..config(Dialect::Standard) });
    session.open();
    let actions = session.line(r#"{"id":1,"result":[[],"1161036b",4],"error":null}"#, &mut stats);
    let offered = r#"{"id": 5, "method": "mining.multi_version", "params": [["blake2s", "blake3"]]}"#;
    assert_eq!(sent(&actions)[0], offered, "before the authorisation");
    session.line(r#"{"id":2,"result":true,"error":null}"#, &mut stats);
    assert!(
        session
            .line(r#"{"id":null,"method":"mining.set_algorithm","params":["blake3"]}"#, &mut stats)
            .is_empty()
    );
    assert_eq!(task(&session.line(NOTIFY, &mut stats)).unwrap().algorithm, "blake3");
    assert_eq!((stats.switches, stats.algorithm.as_str()), (1, "blake3"));
    let actions =
        session.line(r#"{"id":null,"method":"mining.set_algorithm","params":["scrypt"]}"#, &mut stats);
    assert!(matches!(actions.as_slice(), [Action::Fail(_)]));
}

#[test]
fn speaks_kaspas_default_form() {
    let mut stats = MinerStats::default();
    let config =
        SessionConfig { algorithm: "kheavyhash", user: "kaspa:qq.rig1".to_owned(), ..config(Dialect::Kaspa) };
    let mut session = Session::new(config);
    assert_eq!(
        sent(&session.open()),
        [r#"{"id":1,"method":"mining.subscribe","params":["dagsim/1.0","EthereumStratum/1.0.0"]}"#]
    );
    let actions =
        session.line(r#"{"id":1,"result":[true,"EthereumStratum/1.0.0"],"error":null}"#, &mut stats);
    assert_eq!(sent(&actions), [r#"{"id":2,"method":"mining.authorize","params":["kaspa:qq.rig1","x"]}"#]);
    session.line(r#"{"id":2,"result":true,"error":null}"#, &mut stats);
    session.line(r#"{"id":null,"method":"mining.set_extranonce","params":["0001"]}"#, &mut stats);
    session.line(r#"{"id":null,"method":"mining.set_difficulty","params":[0.5]}"#, &mut stats);
    let notify =
        r#"{"id":null,"method":"mining.notify","params":["12",[1,2,3,18446744073709551615],1700000000000]}"#;
    let work = task(&session.line(notify, &mut stats)).unwrap();
    assert_eq!(work.target, (U256::ONE << 225) - U256::from(2));
    assert_eq!(
        sent(&session.solved(work.id, 0xab, &mut stats)),
        [r#"{"id":1000,"method":"mining.submit","params":["kaspa:qq.rig1","12","00010000000000ab"]}"#]
    );
    session.line(r#"{"id":1000,"result":true,"error":null}"#, &mut stats);
    assert_eq!(stats.accepted, 1);
}

#[test]
fn speaks_the_bdag_transcript() {
    let mut stats = MinerStats::default();
    let address = format!("0x{}", "ab".repeat(20));
    let config =
        SessionConfig { algorithm: "scrypt-bdag", user: format!("{address}.rig1"), ..config(Dialect::Bdag) };
    let mut session = Session::new(config);
    session.open();
    let subscribed = r#"{"id":1,"result":[[["mining.set_difficulty","s1"],["mining.notify","s1"]],"a1b2c3d4",4],"error":null}"#;
    let actions = session.line(subscribed, &mut stats);
    let authorize = format!(r#"{{"id":2,"method":"mining.authorize","params":["{address}","rig1"]}}"#);
    assert_eq!(sent(&actions), [authorize]);
    session.line(r#"{"id":2,"result":true,"error":null}"#, &mut stats);
    session.line(r#"{"id":null,"method":"mining.set_difficulty","params":[0.0005]}"#, &mut stats);
    let notify = format!(
        r#"{{"id":null,"method":"mining.notify","params":["job1","{}","12000000","1d00ffff","6a447f30",true]}}"#,
        "11".repeat(32)
    );
    let work = task(&session.line(&notify, &mut stats)).unwrap();
    assert_eq!(hex::encode(&work.puzzle.header[..4]), "12000000");
    assert_eq!(hex::encode(&work.puzzle.header[68..76]), "6a447f301d00ffff");
    assert_eq!(
        sent(&session.solved(work.id, 1, &mut stats)),
        [format!(
            r#"{{"id":1000,"method":"mining.submit","params":["{address}","job1","00000000","6a447f30","01000000"]}}"#
        )]
    );
    // A new difficulty counts at once here.
    let harder = session.line(r#"{"id":null,"method":"mining.set_difficulty","params":[0.001]}"#, &mut stats);
    assert!(task(&harder).unwrap().target < work.target);
}

#[test]
fn answers_requests_and_follows_reconnects() {
    let mut stats = MinerStats::default();
    let mut session = ready(config(Dialect::Standard), &mut stats);
    let version = session.line(r#"{"id":"v","method":"client.get_version","params":[]}"#, &mut stats);
    assert_eq!(sent(&version), [r#"{"id":"v","result":"dagsim/1.0","error":null}"#]);
    assert!(session.line(r#"{"id":null,"method":"client.reconnect","params":[]}"#, &mut stats).is_empty());
    let moved =
        session.line(r#"{"id":null,"method":"client.reconnect","params":["h","3334",2]}"#, &mut stats);
    assert_eq!(moved, [Action::Reconnect { address: Some("h:3334".to_owned()), wait: 2 }]);
    session.line(r#"{"id":null,"method":"client.show_message","params":["hello"]}"#, &mut stats);
    assert_eq!(stats.last_message.as_deref(), Some("hello"));
}

#[test]
fn rubbish_ends_the_connection() {
    for line in [
        "",
        "[]",
        "nonsense",
        r#"{"id":99,"result":true,"error":null}"#,
        r#"{"method":"mining.notify","params":["j","zz"]}"#,
    ] {
        let mut stats = MinerStats::default();
        let mut session = ready(config(Dialect::Standard), &mut stats);
        assert!(matches!(session.line(line, &mut stats).as_slice(), [Action::Fail(_)]), "{line}");
    }
}
