//! SystemWatch: figures of the process and its disk, every few seconds.
//!
//! * **receives** [`Observe`]
//! * **sends** nothing; publishes [`SystemFigures`] in a watch, and the metrics `process_*` and `dagpool_disk_*`
//! * **supervised by** the factory supervisor
//! * **on overload** looks later

use std::{sync::Arc, time::Duration};

use actix::{Actor, ActorFutureExt as _, AsyncContext as _, Context, Handler, fut::wrap_future};
use serde_json::json;

use crate::{
    messages::system::SystemFigures,
    metrics,
    ports::{clock::SharedClock, disk::SharedDisk, store::SharedStore, system::SharedSystem},
    runtime::{
        observe::{Observation, Observe},
        watch::Publisher,
    },
};

/// How often the process is looked at.
const TICK: Duration = Duration::from_secs(5);
/// The sizes of journal and database, which cost more, are asked for every so many ticks.
const SIZES_TICKS: u64 = 6;

/// What it works with.
#[derive(Clone)]
pub struct SystemParts {
    /// The operating system.
    pub system: SharedSystem,
    /// The journal's folder.
    pub disk: SharedDisk,
    /// The database.
    pub store: SharedStore,
    /// Time.
    pub clock: SharedClock,
    /// Where figures are published.
    pub figures: Arc<Publisher<SystemFigures>>,
}

/// See the module's documentation.
pub struct SystemWatch {
    parts: SystemParts,
    ticks: u64,
    trouble: Option<String>,
}

impl SystemWatch {
    /// A watch that has looked at nothing yet.
    #[must_use]
    pub fn new(parts: SystemParts) -> Self {
        Self { parts, ticks: 0, trouble: None }
    }

    fn tick(&mut self, context: &mut Context<Self>) {
        let looks_at_sizes = self.ticks.is_multiple_of(SIZES_TICKS);
        self.ticks += 1;
        if let Err(error) = self.look(looks_at_sizes) {
            let trouble = error.to_string();
            if self.trouble.as_ref() != Some(&trouble) {
                tracing::warn!("figures of the system are missing: {trouble}");
            }
            self.trouble = Some(trouble);
        } else {
            self.trouble = None;
        }
        if looks_at_sizes {
            let store = Arc::clone(&self.parts.store);
            let size = wrap_future(async move { store.size_bytes().await });
            context.spawn(size.map(|size, actor: &mut Self, _| {
                // That the database is away is told elsewhere.
                if let Ok(size) = size {
                    let known = *actor.parts.figures.get();
                    actor.publish(SystemFigures { database_bytes: Some(size), ..known });
                }
            }));
        }
    }

    fn look(&self, looks_at_sizes: bool) -> std::io::Result<()> {
        let SystemParts { system, disk, clock, figures, .. } = &self.parts;
        let mut now = *figures.get();
        now.at = clock.now();
        now.process = system.process()?;
        now.space = system.space()?;
        if looks_at_sizes {
            now.journal_bytes = disk.list()?.iter().map(|entry| entry.len).sum();
        }
        self.publish(now);
        Ok(())
    }

    fn publish(&self, figures: SystemFigures) {
        metrics::record_system(&metrics::SystemGauges {
            cpu_us: figures.process.cpu_us,
            resident_bytes: figures.process.resident_bytes,
            virtual_bytes: figures.process.virtual_bytes,
            open_fds: figures.process.open_fds,
            max_fds: figures.process.max_fds,
            threads: figures.process.threads,
            started_at_s: figures.process.started_at_s,
            fds_used: figures.fds_used(),
            memory_limit_bytes: figures.process.memory_limit_bytes,
            memory_used: figures.memory_used(),
            disk_total_bytes: figures.space.total_bytes,
            disk_free_bytes: figures.space.available_bytes,
            disk_free: figures.disk_free(),
            journal_bytes: figures.journal_bytes,
            database_bytes: figures.database_bytes,
        });
        self.parts.figures.set(figures);
    }
}

impl Actor for SystemWatch {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.tick(context);
        context.run_interval(TICK, Self::tick);
    }
}

impl Handler<Observe> for SystemWatch {
    type Result = Observation;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Observation {
        Observation(json!({ "looks": self.ticks, "trouble": self.trouble }))
    }
}
