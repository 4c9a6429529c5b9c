//! What all sessions of all arbiters share: settings, the clock, the gate, extranonces, and the ways out.

use std::{
    collections::BTreeMap,
    fmt,
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use arc_swap::{ArcSwap, ArcSwapOption};
use pool_domain::{
    difficulty::Difficulty,
    extranonce::{ExtranonceError, ExtranonceLayout, ExtranoncePrefix},
    ids::{Account, SessionId, WorkerName},
    units::{BasisPoints, TimeMs},
    vardiff::VardiffSettings,
};

use super::{
    dialect::Dialect,
    gate::{GateLimits, SharedGate},
    prefixes::{NoPrefix, Prefixes},
};
use crate::{
    config::{Banning, Listener, Stratum, Vardiff},
    error::{Code, Failure},
    messages::{
        event::{PoolEvent, Publish},
        job::Job,
        route::RouteTable,
        stats::{SessionEnded, StatsTally},
    },
    ports::clock::SharedClock,
    runtime::{outbox::Outbox, watch::Watched},
};

/// A prefix rests for the jobs' grace, past which its old owner's shares are refused anyway, and so much more.
const REST_BEYOND_GRACE_MS: u64 = 60_000;

/// Reads `account.worker`: the chain's address check and the canonical form. The error is told to the miner.
pub type AccountCheck = Arc<dyn Fn(&str) -> Result<(Account, WorkerName), String> + Send + Sync>;

/// Where sessions and hubs send to.
#[derive(Debug, Clone)]
pub struct Exits {
    /// Followers of events.
    pub events: Outbox<Publish>,
    /// The StatsAggregator, on counters.
    pub tallies: Outbox<StatsTally>,
    /// The StatsAggregator, on ended sessions.
    pub ended: Outbox<SessionEnded>,
    /// Validators by route.
    pub routes: Watched<RouteTable>,
}

/// What the server is made of.
pub struct Parts {
    /// `[stratum]` with its listeners.
    pub settings: Stratum,
    /// `[vardiff]`.
    pub vardiff: Vardiff,
    /// `[banning]`.
    pub banning: Banning,
    /// Time for which a replaced job's shares earn credit, milliseconds.
    pub job_grace_ms: u64,
    /// How often hubs tell what their sessions did, milliseconds.
    pub tally_ms: u64,
    /// Number of this start, persisted and greater than any before: extranonce prefixes begin with it.
    pub extranonce_epoch: u64,
    /// Miners may ask to be told of their account (`mining.configure_notifications`).
    pub notices: bool,
    /// The clock.
    pub clock: SharedClock,
    /// The profile's address check.
    pub accounts: AccountCheck,
    /// Ways out.
    pub exits: Exits,
}

/// A listener as its sessions see it.
#[derive(Debug)]
pub struct ListenerProfile {
    /// What its miners speak.
    pub dialect: &'static Dialect,
    vardiff: ArcSwap<VardiffSettings>,
    /// The start difficulty is configured: it counts, whatever a package says.
    pub explicit: bool,
    /// No vardiff.
    pub fixed: bool,
}

impl ListenerProfile {
    /// Limits and start of the difficulty, for sessions that begin now.
    #[must_use]
    pub fn vardiff(&self) -> Arc<VardiffSettings> {
        self.vardiff.load_full()
    }

    /// Where sessions begin that work on this job: as configured, else as the package says whose function it is.
    #[must_use]
    pub fn start(&self, job: Option<&Job>) -> Difficulty {
        let settings = self.vardiff();
        match job.and_then(|job| job.start_difficulty) {
            Some(start) if !self.explicit => start.clamp(settings.minimum, settings.maximum).quantise(),
            _ => settings.initial,
        }
    }
}

/// See the module's documentation.
pub struct Shared {
    /// `[stratum]`.
    pub settings: Stratum,
    banning: ArcSwap<Banning>,
    /// By number.
    pub listeners: Vec<ListenerProfile>,
    /// See [`Parts::job_grace_ms`].
    pub job_grace_ms: u64,
    /// See [`Parts::tally_ms`].
    pub tally_ms: u64,
    /// The clock.
    pub clock: SharedClock,
    /// The profile's address check.
    pub accounts: AccountCheck,
    /// See [`Parts::notices`].
    pub notices: bool,
    /// Ways out.
    pub exits: Exits,
    /// Who may connect.
    pub gate: SharedGate,
    /// The newest job of each function in service that any hub received, by number: where a restarted hub begins.
    pub newest_jobs: ArcSwap<Vec<Arc<Job>>>,
    /// Why there is no work just now, if so: a restarted hub must not hand out the newest job then.
    pub paused: ArcSwapOption<String>,
    /// By length of the prefix.
    extranonces: BTreeMap<usize, Mutex<Prefixes>>,
    sessions: AtomicU64,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("listeners", &self.listeners).finish_non_exhaustive()
    }
}

fn profile(listener: &Listener, vardiff: &Vardiff) -> Result<ListenerProfile, Failure> {
    let dialect = Dialect::by_name(&listener.dialect).ok_or_else(|| {
        Failure::new(
            Code::ConfigInvalid,
            format!("stratum listener {}: there is no dialect {:?}", listener.address, listener.dialect),
            "use \"standard\", \"kaspa\" or \"bdag\"",
        )
    })?;
    let vardiff = VardiffSettings {
        target_interval_ms: vardiff.target_interval_ms,
        deadband: BasisPoints(vardiff.deadband_basis_points),
        initial: listener.start_difficulty().quantise(),
        minimum: listener.difficulty_min,
        maximum: listener.difficulty_max.max(listener.difficulty_min),
    };
    Ok(ListenerProfile {
        dialect,
        vardiff: ArcSwap::from_pointee(vardiff),
        explicit: listener.difficulty.is_some(),
        fixed: listener.fixed,
    })
}

fn gate_limits(settings: &Stratum, banning: &Banning) -> GateLimits {
    GateLimits {
        connections_max: settings.connections_max,
        connections_per_ip_max: settings.connections_per_ip_max,
        connect_rate_per_ip_max: settings.connect_rate_per_ip_max,
        handshakes_max: settings.handshakes_max,
        ban_ms: if banning.enabled { banning.duration_s.saturating_mul(1_000) } else { 0 },
        bans_max: banning.entries_max,
    }
}

impl Shared {
    /// Takes over what can change while miners are connected: limits of connections, bans, and the pace of sessions that
    /// begin from now on.
    pub fn reload(&self, settings: &Stratum, vardiff: &Vardiff, banning: &Banning) {
        self.gate.set_limits(gate_limits(settings, banning));
        self.banning.store(Arc::new(banning.clone()));
        for listener in &self.listeners {
            listener.vardiff.store(Arc::new(VardiffSettings {
                target_interval_ms: vardiff.target_interval_ms,
                deadband: BasisPoints(vardiff.deadband_basis_points),
                ..*listener.vardiff()
            }));
        }
    }

    /// `[banning]`, as it is now.
    #[must_use]
    pub fn banning(&self) -> arc_swap::Guard<Arc<Banning>> {
        self.banning.load()
    }

    /// Checks and prepares.
    ///
    /// # Errors
    /// When a listener names a dialect that does not exist.
    pub fn new(parts: Parts) -> Result<Self, Failure> {
        let Parts {
            settings,
            vardiff,
            banning,
            job_grace_ms,
            tally_ms,
            extranonce_epoch,
            notices,
            clock,
            accounts,
            exits,
        } = parts;
        let listeners = settings
            .listener
            .iter()
            .map(|listener| profile(listener, &vardiff))
            .collect::<Result<Vec<_>, _>>()?;
        let quarantine_ms = match settings.extranonce_quarantine_ms {
            0 => job_grace_ms.saturating_add(REST_BEYOND_GRACE_MS),
            given => given,
        };
        let mut extranonces = BTreeMap::new();
        for bytes in listeners.iter().map(|listener| listener.dialect.prefix_bytes) {
            let layout = u8::try_from(bytes).map_err(|_| ExtranonceError::Exhausted(0)).and_then(|bytes| {
                // Two bytes must number many sessions; four starts apart is long enough, since a template lasts seconds.
                ExtranonceLayout::with_epoch_bits(bytes, if bytes <= 2 { 2 } else { 8 })
            });
            let layout = layout.map_err(|error| {
                Failure::new(
                    Code::ConfigInvalid,
                    format!("stratum: {error}"),
                    "report this, a dialect's table is wrong",
                )
            })?;
            extranonces.entry(bytes).or_insert_with(|| {
                Mutex::new(Prefixes::new(
                    layout,
                    extranonce_epoch,
                    quarantine_ms,
                    settings.extranonce_part_per_ip_basis_points,
                ))
            });
        }
        let gate = SharedGate::new(gate_limits(&settings, &banning));
        Ok(Self {
            settings,
            banning: ArcSwap::from_pointee(banning),
            listeners,
            job_grace_ms,
            tally_ms,
            clock,
            accounts,
            notices,
            exits,
            gate,
            newest_jobs: ArcSwap::default(),
            paused: ArcSwapOption::empty(),
            extranonces,
            sessions: AtomicU64::new(1),
        })
    }

    /// Keeps a job for hubs that start later, if it is the newest of its function.
    pub fn note_newest(&self, job: &Arc<Job>) {
        self.newest_jobs.rcu(|known| {
            let newer = |other: &&Arc<Job>| other.algorithm == job.algorithm && other.id >= job.id;
            if known.iter().any(|other| newer(&other)) {
                return Vec::clone(known);
            }
            let in_service = |other: &&Arc<Job>| {
                other.algorithm != job.algorithm
                    && (other.id > job.id || job.functions.includes(&other.algorithm))
            };
            let mut jobs: Vec<_> = known.iter().filter(in_service).cloned().collect();
            jobs.push(Arc::clone(job));
            jobs.sort_by_key(|job| job.id);
            jobs
        });
    }

    /// A number that no session of this process had.
    #[must_use]
    pub fn next_session(&self) -> SessionId {
        SessionId(self.sessions.fetch_add(1, Ordering::Relaxed))
    }

    /// A prefix of that length which nobody else has, for a session of this address.
    ///
    /// # Errors
    /// When all are in use or at rest, or the address has too many.
    pub fn allocate_prefix(
        &self,
        bytes: usize,
        ip: IpAddr,
        now: TimeMs,
    ) -> Result<ExtranoncePrefix, NoPrefix> {
        let pool = self.extranonces.get(&bytes).ok_or(NoPrefix::Exhausted)?;
        pool.lock().unwrap_or_else(PoisonError::into_inner).allocate(ip, now)
    }

    /// Takes a prefix of a session of this address back; one that was searched rests before somebody else gets it.
    pub fn release_prefix(&self, prefix: ExtranoncePrefix, ip: IpAddr, searched: bool) {
        if let Some(pool) = self.extranonces.get(&prefix.as_slice().len()) {
            let now = self.clock.steady();
            let mut pool = pool.lock().unwrap_or_else(PoisonError::into_inner);
            let released = pool.release(prefix, ip, searched, now);
            debug_assert!(released, "a session holds its prefix until it gives it back, once");
        }
    }

    /// Tells whoever follows events; lossy, and counted by the outbox.
    pub fn publish(&self, event: PoolEvent) {
        self.exits.events.offer(Publish { at: self.clock.now(), event });
    }

    /// A difficulty that a miner asks for, as the wire and the listener's limits allow it.
    #[must_use]
    pub fn admissible(&self, listener: usize, wanted: Difficulty) -> Difficulty {
        let limits = self.listeners[listener].vardiff();
        wanted.clamp(limits.minimum, limits.maximum).quantise()
    }
}
