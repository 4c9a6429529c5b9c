//! Replays the recorded sessions in `tests/transcripts/`. `C` lines are sent, `S` lines must come exactly so; lines that
//! begin with `@` steer the pool.

use std::path::Path;

use pool_domain::share::{LostReason, RejectReason, Verdict};

use super::rig::{Client, Rig, bdag, coinbase, kaspa};

fn header(form: &str, parent: u8) -> pool_actors::ports::node::HeaderForm {
    match form {
        "coinbase" => coinbase(parent),
        "bdag" => bdag(),
        "kaspa" => kaspa(parent),
        other => panic!("no header form {other}"),
    }
}

fn verdict(name: &str) -> Verdict {
    match name {
        "accept" => Verdict::Accepted,
        "low" => Verdict::Rejected(RejectReason::LowDifficulty),
        "stale" => Verdict::Rejected(RejectReason::StaleJob),
        "lost" => Verdict::Lost(LostReason::JournalUnavailable),
        other => panic!("no verdict {other}"),
    }
}

async fn replay(path: &Path) {
    let text = std::fs::read_to_string(path).unwrap();
    let mut rig: Option<Rig> = None;
    let mut client: Option<Client<tokio::io::DuplexStream>> = None;
    for (number, line) in text.lines().enumerate() {
        let at = format!("{}:{}", path.display(), number + 1);
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [] => {}
            [first, ..] if first.starts_with('#') => {}
            ["@listener", dialect, difficulty] => {
                let new = Rig::new(dialect, difficulty);
                client = Some(new.connect());
                rig = Some(new);
            }
            ["@job", form, parent, clean @ ..] => {
                let rig = rig.as_mut().unwrap();
                rig.job(header(form, parent.parse().unwrap()), clean == ["clean"]).await;
            }
            ["@verdict", name] => {
                let verdict = verdict(name);
                rig.as_ref().unwrap().judge(move |_| Some(verdict));
            }
            ["@verdict", "only", number] => {
                let good: u64 = number.parse().unwrap();
                rig.as_ref()
                    .unwrap()
                    .judge(move |share| Some(verdict(if share.job.id.0 == good { "accept" } else { "low" })));
            }
            ["@pass", ms] => rig.as_ref().unwrap().pass(ms.parse().unwrap()).await,
            ["@quiet", ms] => {
                assert!(
                    client.as_mut().unwrap().is_quiet(ms.parse().unwrap()).await,
                    "{at}: nothing was to come"
                );
            }
            ["@closed"] => {
                assert_eq!(client.as_mut().unwrap().next().await, None, "{at}: it was to be closed");
            }
            ["C", ..] => client.as_mut().unwrap().send(&line[2..]).await,
            ["S", ..] => assert_eq!(client.as_mut().unwrap().line().await, &line[2..], "{at}"),
            _ => panic!("{at}: what is {line:?}?"),
        }
    }
}

macro_rules! transcripts {
    ($($name:ident)*) => {
        $(#[actix::test]
        async fn $name() {
            let file = concat!(stringify!($name), ".txt");
            replay(&Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts").join(file)).await;
        })*

        #[test]
        fn every_transcript_is_replayed() {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts");
            let mut found: Vec<_> = std::fs::read_dir(folder)
                .unwrap()
                .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
                .collect();
            found.sort();
            let mut named = vec![$(stringify!($name)),*];
            named.sort_unstable();
            assert_eq!(found, named);
        }
    };
}

transcripts! {
    bdag_cpu
    errors
    kaspa_bitmain
    kaspa_default
    kaspa_iceriver
    kaspa_miner
    standard_bip310
    standard_cpuminer
}
