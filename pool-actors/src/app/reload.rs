//! Taking over a newer configuration while the pool runs: what SIGHUP and the API both do.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use pool_domain::units::TimeMs;

use super::alerts;
use crate::{
    api::{ConfigDesk, ConfigShown},
    config::{self, Change, Config, Loaded, Sources},
    error::{Code, Failure},
    ports::clock::SharedClock,
};

/// Where a newer configuration comes from.
pub struct Origin {
    /// The file, as people name it.
    pub file: String,
    /// Where the values come from that the pool starts with.
    pub sources: Sources,
    /// Reads the file again.
    pub load: Box<dyn Fn() -> Result<Loaded, Failure> + Send + Sync>,
    /// Looks at the log's filter (`apply` = false), or takes it over; the log belongs to the process.
    pub log: LogDesk,
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Origin").field("file", &self.file).finish_non_exhaustive()
    }
}

/// Takes a filter of the log, and whether to apply it.
type LogDesk = Box<dyn Fn(&str, bool) -> Result<(), Failure> + Send + Sync>;

/// Takes over what it is concerned with.
type Taker = Box<dyn Fn(&Config) + Send>;

struct State {
    /// As it is in force.
    running: Config,
    sources: Sources,
    read_at: TimeMs,
    waiting: Vec<Change>,
    takers: Vec<Taker>,
}

/// See the module's documentation.
pub struct Reloader {
    origin: Option<Origin>,
    clock: SharedClock,
    state: Mutex<State>,
}

impl fmt::Debug for Reloader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloader").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl Reloader {
    pub(super) fn new(running: Config, origin: Option<Origin>, clock: SharedClock) -> Arc<Self> {
        let sources = origin.as_ref().map(|origin| origin.sources.clone()).unwrap_or_default();
        let read_at = clock.now();
        let state = State { running, sources, read_at, waiting: Vec::new(), takers: Vec::new() };
        Arc::new(Self { origin, clock, state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on this is told of each newer configuration.
    pub(super) fn tell(&self, taker: impl Fn(&Config) + Send + 'static) {
        self.state().takers.push(Box::new(taker));
    }
}

/// What only a start would find out about a file that reads well.
fn check(wanted: &Config) -> Result<(), Failure> {
    wanted.payout.amounts(wanted.chain.profile.decimals())?;
    alerts::probe(wanted).map(drop)
}

impl ConfigDesk for Reloader {
    fn shown(&self) -> ConfigShown {
        let state = self.state();
        ConfigShown {
            file: self.origin.as_ref().map(|origin| origin.file.clone()),
            read_at: state.read_at,
            sections: config::view(&state.running, &state.sources),
            waiting: state.waiting.clone(),
        }
    }

    fn reload(&self, dry_run: bool) -> Result<Vec<Change>, Failure> {
        let Some(origin) = &self.origin else {
            return Err(Failure::new(
                Code::ConfigUnreadable,
                "this pool was started without a file",
                "start it with dagpool run --config pool.toml",
            ));
        };
        // One at a time: two of them must not mix.
        let mut state = self.state();
        let Loaded { config: wanted, sources } = (origin.load)()?;
        check(&wanted)?;
        (origin.log)(&wanted.log.level, !dry_run)?;
        let changes = config::changes(&state.running, &wanted);
        if dry_run {
            return Ok(changes);
        }
        state.running.adopt(&wanted);
        state.sources = sources;
        state.read_at = self.clock.now();
        state.waiting = changes.iter().filter(|change| !change.live).cloned().collect();
        for taker in &state.takers {
            taker(&state.running);
        }
        for Change { key, from, to, live } in &changes {
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
        Ok(changes)
    }
}
