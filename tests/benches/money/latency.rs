//! How long miners wait for an answer while the database is up, killed, stopped, restarting, and fed with what it missed.

use std::time::Duration;

use serde_json::Value;

use crate::site::{Load, Raw, Running, Site};

/// A rate at which neither the disk nor the two cores are the limit.
const PACED: Load = Load { connections: 100, outstanding: 16, rate: 2_000, seconds: 8, warmup: 2 };
/// What makes a backlog.
const FULL: Load = Load { connections: 100, outstanding: 16, rate: 0, seconds: 6, warmup: 0 };
/// How long a server that restarts all the time lives.
const LIFE: Duration = Duration::from_millis(700);

pub(crate) async fn measure() {
    let mut site = Site::start().await;
    println!("| database | shares/s | p50 us | p99 us | p50 : up | p99 : up |\n|---|---|---|---|---|---|");
    // Once for nothing: files grow, caches fill.
    site.load(PACED).report().await;
    let mut up = vec![shown(&site.load(PACED).report().await)];
    let mut others = Vec::new();

    site.server.kill();
    others.push(("killed", shown(&site.load(PACED).report().await)));
    site.server.restart();
    site.caught_up().await;
    up.push(shown(&site.load(PACED).report().await));

    site.server.pause();
    others.push(("stopped (SIGSTOP)", shown(&site.load(PACED).report().await)));
    site.server.resume();
    site.caught_up().await;
    up.push(shown(&site.load(PACED).report().await));

    let load = site.load(PACED);
    others.push(("restarting all the time", restarting(&mut site, load).await));
    site.caught_up().await;
    up.push(shown(&site.load(PACED).report().await));
    // What of that is the machine's: a server without a database, while one restarts beside it.
    let raw = Raw::start(site.pool.stratum);
    let raw_up = shown(&site.load_at(raw.address, PACED).report().await);
    let load = site.load_at(raw.address, PACED);
    let raw_beside = restarting(&mut site, load).await;
    drop(raw);
    site.caught_up().await;

    site.server.kill();
    site.load(FULL).report().await;
    let load = site.load(PACED);
    tokio::time::sleep(Duration::from_secs(PACED.warmup + 1)).await;
    site.server.restart();
    others.push(("back, catching up", shown(&load.report().await)));
    site.caught_up().await;
    up.push(shown(&site.load(PACED).report().await));

    let middle = |pick: fn(&Shown) -> u64| {
        let mut all: Vec<u64> = up.iter().map(pick).collect();
        all.sort_unstable();
        all[all.len() / 2]
    };
    let (p50, p99) = (middle(|shown| shown.p50), middle(|shown| shown.p99));
    for line in &up {
        print("up", line, p50, p99);
    }
    for (name, line) in &others {
        print(name, line, p50, p99);
    }
    print("raw server, database up", &raw_up, raw_up.p50, raw_up.p99);
    print("raw server, database restarting beside it", &raw_beside, raw_up.p50, raw_up.p99);
    let shares = site.assert_exactly_once().await;
    println!("\n{shares} shares in the journal, each credited once");
}

/// What miners see while the database is killed and started again and again.
async fn restarting(site: &mut Site, load: Running) -> Shown {
    let report = actix_rt::spawn(load.report());
    while !report.is_finished() {
        site.server.kill();
        site.server.restart();
        tokio::time::sleep(LIFE).await;
    }
    shown(&report.await.expect("it is waited for"))
}

struct Shown {
    rate: u64,
    p50: u64,
    p99: u64,
}

fn shown(report: &Value) -> Shown {
    let number = |value: &Value| value.as_u64().expect("a number");
    assert_eq!(report["refused"], serde_json::json!({}), "nothing is refused");
    Shown {
        rate: number(&report["shares_per_second"]),
        p50: number(&report["latency_us"]["p50"]),
        p99: number(&report["latency_us"]["p99"]),
    }
}

fn print(name: &str, line: &Shown, p50: u64, p99: u64) {
    let ratio = |value: u64, to: u64| format!("{}.{:02}", value / to.max(1), value * 100 / to.max(1) % 100);
    println!(
        "| {name} | {} | {} | {} | {} | {} |",
        line.rate,
        line.p50,
        line.p99,
        ratio(line.p50, p50),
        ratio(line.p99, p99)
    );
}
