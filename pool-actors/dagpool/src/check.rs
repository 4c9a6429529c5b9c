//! `dagpool check`: one line for each thing that the pool needs, and what to do about each that fails.

use std::{net::TcpListener, process::ExitCode};

use pool_actors::{
    app::preflight,
    config::{self, Config},
    error::Failure,
};

use crate::{Outcome, args::Check};

/// One line of the report.
struct Line {
    name: &'static str,
    result: Result<String, Failure>,
}

/// Checks configuration, folder, database, node, ports and limits.
pub(crate) async fn check(args: &Check) -> Outcome {
    let config = match config::load(&args.file.config) {
        Ok(config) => config,
        Err(failure) => {
            report(&[Line { name: "config", result: Err(failure) }], args.json);
            return Ok(ExitCode::FAILURE);
        }
    };
    let mut lines = vec![Line { name: "config", result: Ok(args.file.config.display().to_string()) }];
    let probes = preflight::probe(&config).await;
    lines.extend(probes.into_iter().map(|(name, result)| Line { name, result }));
    lines.extend(ports(&config));
    lines.push(Line { name: "file limit", result: file_limit(&config) });
    report(&lines, args.json);
    let failed = lines.iter().any(|line| line.result.is_err());
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn ports(config: &Config) -> Vec<Line> {
    let stratum = config.stratum.listener.iter().map(|listener| ("stratum port", listener.address));
    let metrics = config.metrics.address.map(|address| ("metrics port", address));
    let all = stratum.chain([("http port", config.http.address)]).chain(metrics);
    all.map(|(name, address)| {
        let result = TcpListener::bind(address).map(|_| address.to_string()).map_err(|error| {
            Failure::new(
                pool_actors::error::Code::AddressUnavailable,
                format!("{address} can't be listened on ({error})"),
                "stop what uses it, or configure another",
            )
        });
        Line { name, result }
    })
    .collect()
}

/// Each connection is an open file; the journal, the database and the API need some more.
fn file_limit(config: &Config) -> Result<String, Failure> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let wanted = config.stratum.connections_max as u64 + 256;
    match limit.maximum {
        Some(hard) if hard < wanted => Err(Failure::new(
            pool_actors::error::Code::SystemRefused,
            format!("{hard} open files are allowed, {wanted} are needed for stratum.connections_max"),
            "raise the hard limit (ulimit -Hn, LimitNOFILE), or lower stratum.connections_max",
        )),
        _ => Ok(format!(
            "{wanted} of {}",
            limit.maximum.map_or_else(|| "any".to_owned(), |hard| hard.to_string())
        )),
    }
}

fn report(lines: &[Line], json: bool) {
    if json {
        let lines: Vec<_> = lines
            .iter()
            .map(|line| match &line.result {
                Ok(found) => serde_json::json!({"check": line.name, "ok": true, "message": found}),
                Err(failure) => serde_json::json!({
                    "check": line.name, "ok": false, "code": failure.code.as_str(),
                    "message": failure.what, "advice": failure.advice,
                }),
            })
            .collect();
        println!("{}", serde_json::Value::from(lines));
        return;
    }
    for line in lines {
        match &line.result {
            Ok(found) => println!("ok    {:13} {found}", line.name),
            Err(failure) => println!("FAIL  {:13} {failure}", line.name),
        }
    }
}
