//! `dagpool run`: the pool, until a signal or a failure stops it.

use std::{path::Path, process::ExitCode};

use pool_actors::{
    app::{Origin, Parts, Pool},
    config::{self, Config, Loaded},
    ports::logs::LogBook,
    runtime::shutdown::StopReason,
};
use tokio::signal::unix::{SignalKind, signal};

use crate::{Outcome, logging, token};

/// Runs the pool of this configuration.
pub(crate) async fn run(path: &Path) -> Outcome {
    let Loaded { config, sources } = config::load_with_sources(path)?;
    let book = LogBook::new(config.log.kept_lines);
    let log = logging::start(config.log.format, &config.log.level, book.clone())?;
    let (token, fresh) = token::admin_token(&config.auth)?;
    let file = path.to_owned();
    let origin = Origin {
        file: path.display().to_string(),
        sources,
        load: Box::new(move || config::load_with_sources(&file)),
        log: Box::new(move |level, apply| log.set(level, apply)),
    };
    let pool = start(config, token.clone(), Some(origin), book).await?;
    announce(&pool, fresh.then_some(token.as_str()));
    Ok(until_stopped(pool, true).await)
}

/// Starts a pool with the real clock, disk, node and the embedded dashboard.
pub(crate) async fn start(
    config: Config,
    admin_token: String,
    origin: Option<Origin>,
    logs: LogBook,
) -> Result<Pool, pool_actors::error::Failure> {
    let parts = Parts { origin, logs, ..Parts::real(&config, admin_token, assets())? };
    Pool::start(config, parts).await
}

/// The dashboard's files.
fn assets() -> pool_actors::api::Assets {
    pool_actors::api::Assets::new(|path| {
        let asset = dashboard::asset(path)?;
        Some(pool_actors::api::Asset {
            bytes: asset.bytes,
            brotli: asset.brotli,
            content_type: asset.content_type,
            etag: asset.etag,
            is_missing: asset.is_missing,
        })
    })
}

/// Prints where everything listens, on standard output, for people and scripts.
pub(crate) fn announce(pool: &Pool, fresh_token: Option<&str>) {
    println!("dashboard  http://{}/", pool.http_address());
    for (address, dialect) in pool.stratum_addresses() {
        println!("stratum    stratum+tcp://{address}  ({dialect})");
    }
    println!("metrics    http://{}/metrics", pool.metrics_address());
    if let Some(token) = fresh_token {
        println!(
            "admin      Authorization: Bearer {token}  (printed once; set auth.admin_token to keep one)"
        );
    }
}

/// Waits for SIGINT, SIGTERM or the pool's own end, and stops in order. SIGHUP reloads where
/// there is something to reload, and stops else.
pub(crate) async fn until_stopped(pool: Pool, reloads: bool) -> ExitCode {
    let shutdown = pool.shutdown();
    #[cfg(debug_assertions)]
    crash_on_request(&pool);
    // Signals can't be missed: the handlers are installed before this waits.
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hang_up)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()), signal(SignalKind::hangup()))
    else {
        eprintln!("error: the system refused signal handlers");
        return ExitCode::FAILURE;
    };
    let reason = loop {
        tokio::select! {
            reason = shutdown.requested() => break reason,
            _ = interrupt.recv() => break StopReason::requested("interrupted"),
            _ = terminate.recv() => break StopReason::requested("asked to terminate"),
            _ = hang_up.recv() => {
                if !reloads {
                    break StopReason::requested("the terminal is gone");
                }
                if let Err(failure) = pool.reload("SIGHUP").await {
                    tracing::error!("the configuration was not reloaded, the running one stays: {failure}");
                }
            }
        }
    };
    shutdown.stop(reason.clone());
    pool.stop().await;
    tracing::info!("stopped");
    if reason.requested {
        return ExitCode::SUCCESS;
    }
    eprintln!("error: {reason} [{}]", reason.code);
    ExitCode::FAILURE
}

/// SIGUSR2 makes the actor panic that `DAGPOOL_CRASH_ACTOR` names, for tests of what follows in a real process. No
/// release has this: it is compiled with debug assertions only, and does nothing without the variable.
#[cfg(debug_assertions)]
fn crash_on_request(pool: &Pool) {
    let (Ok(actor), Ok(mut asked)) =
        (std::env::var("DAGPOOL_CRASH_ACTOR"), signal(SignalKind::user_defined2()))
    else {
        return;
    };
    let registry = pool.runtime().registry.clone();
    actix_rt::spawn(async move {
        while asked.recv().await.is_some() {
            if !registry.crash(&actor) {
                tracing::error!(actor, "there is no such actor to crash");
            }
        }
    });
}
