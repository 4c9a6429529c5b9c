//! `dagpool run`: the pool, until a signal or a failure stops it.

use std::{path::Path, process::ExitCode};

use pool_actors::{
    app::{Parts, Pool},
    config::{self, Change, Config},
    runtime::shutdown::StopReason,
};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    Outcome,
    logging::{self, LogLevel},
    token,
};

/// Runs the pool of this configuration.
pub(crate) async fn run(path: &Path) -> Outcome {
    let config = config::load(path)?;
    let log = logging::start(config.log.format, &config.log.level)?;
    let (token, fresh) = token::admin_token(&config.auth)?;
    let pool = start(config, token.clone()).await?;
    announce(&pool, fresh.then_some(token.as_str()));
    Ok(until_stopped(pool, Some(|pool: &mut Pool| reload(pool, path, &log))).await)
}

/// SIGHUP: what can change while the pool runs does, and the log says what can't.
fn reload(pool: &mut Pool, path: &Path, log: &LogLevel) {
    let wanted = config::load(path).and_then(|wanted| log.set(&wanted.log.level).map(|()| wanted));
    let wanted = match wanted {
        Ok(wanted) => wanted,
        Err(failure) => {
            tracing::error!("the configuration was not reloaded, the running one stays: {failure}");
            return;
        }
    };
    let changes = pool.reload(&wanted);
    for change in &changes {
        let Change { key, from, to, live } = change;
        if *live {
            tracing::info!("{key} is {to} from now on (was {from})");
        } else {
            tracing::warn!(
                "{key} can't change while the pool runs: {to} takes effect with the next start (now {from})"
            );
        }
    }
    let live = changes.iter().filter(|change| change.live).count();
    tracing::info!(changed = live, waiting = changes.len() - live, "configuration reloaded");
}

/// Starts a pool with the real clock, disk, node and the embedded dashboard.
pub(crate) async fn start(config: Config, admin_token: String) -> Result<Pool, pool_actors::error::Failure> {
    let parts = Parts::real(&config, admin_token, assets())?;
    Pool::start(config, parts).await
}

/// The dashboard's files.
fn assets() -> pool_actors::api::Assets {
    pool_actors::api::Assets::new(|path| {
        let asset = dashboard::asset(path)?;
        Some(pool_actors::api::Asset {
            bytes: asset.bytes,
            content_type: asset.content_type,
            etag: asset.etag,
        })
    })
}

/// Prints where everything listens, on standard output, for people and scripts.
pub(crate) fn announce(pool: &Pool, fresh_token: Option<&str>) {
    println!("dashboard  http://{}/", pool.http_address());
    for (address, dialect) in pool.stratum_addresses() {
        println!("stratum    stratum+tcp://{address}  ({dialect})");
    }
    println!("metrics    http://{}/metrics", pool.http_address());
    if let Some(token) = fresh_token {
        println!(
            "admin      Authorization: Bearer {token}  (printed once; set auth.admin_token to keep one)"
        );
    }
}

/// Waits for SIGINT, SIGTERM or the pool's own end, and stops in order. SIGHUP reloads where
/// there is something to reload, and stops else.
pub(crate) async fn until_stopped(mut pool: Pool, reload: Option<impl Fn(&mut Pool)>) -> ExitCode {
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
            _ = hang_up.recv() => match &reload {
                Some(reload) => reload(&mut pool),
                None => break StopReason::requested("the terminal is gone"),
            },
        }
    };
    shutdown.stop(reason.clone());
    pool.stop().await;
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
