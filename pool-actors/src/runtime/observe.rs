//! Which actors there are, how they fare, and what they say about themselves.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use actix::{Message, dev::MessageResponse};
use serde::Serialize;
use tokio::time::Instant;

use super::{deathwatch::Kill, outbox::Outbox};

/// Asks an actor for its state. The handler answers with [`Observation::of`] a serialisable value.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Observation")]
pub struct Observe;

/// An actor's state, as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, MessageResponse)]
pub struct Observation(pub serde_json::Value);

impl Observation {
    /// What the actor says about itself.
    pub fn of(state: &impl Serialize) -> Self {
        // A state that can't be serialised is a mistake in that actor, worth seeing, not worth dying for.
        Self(serde_json::to_value(state).unwrap_or_else(|error| error.to_string().into()))
    }
}

/// Where a supervised actor is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Life {
    /// It runs.
    Running,
    /// It died and comes back after a pause.
    Restarting,
    /// It ended by itself or was ended.
    Stopped,
    /// It died and does not come back.
    Failed,
}

/// One line of the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ActorStatus {
    /// Unique name, such as `journal-shard-2`.
    pub name: String,
    /// Its type, such as `JournalShard`.
    pub kind: &'static str,
    /// Where it is in its life.
    pub life: Life,
    /// Times it was built again.
    pub restarts: u64,
    /// What ended it last, if anything did.
    pub last_death: Option<String>,
}

/// An actor's answer to [`Observe`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Observed {
    /// Its line in the registry.
    #[serde(flatten)]
    pub status: ActorStatus,
    /// What it says about itself, if it was able to.
    pub state: Option<serde_json::Value>,
    /// How long the question took, in microseconds: what a message waits in that mailbox now.
    pub mailbox_delay_us: Option<u64>,
}

struct Entry {
    /// Which of those that had this name, one after the other.
    number: u64,
    status: ActorStatus,
    ask: Option<Outbox<Observe>>,
    kill: Option<Kill>,
}

/// The process's supervised actors, by name. Sessions are not in it: their listener counts them.
#[derive(Clone, Default)]
pub struct Registry {
    entries: Arc<Mutex<BTreeMap<String, Entry>>>,
    entered: Arc<AtomicU64>,
}

/// An actor's own line. A successor of the same name has another one, which this one does not touch.
pub(super) struct Line {
    registry: Registry,
    name: String,
    number: u64,
}

impl Line {
    fn change(&self, change: impl FnOnce(&mut Entry)) {
        self.registry.with(|entries| {
            if let Some(entry) = entries.get_mut(&self.name).filter(|entry| entry.number == self.number) {
                change(entry);
            }
        });
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut ActorStatus)) {
        self.change(|entry| change(&mut entry.status));
    }

    pub(super) fn observable(&self, ask: Outbox<Observe>) {
        self.change(|entry| entry.ask = Some(ask));
    }

    pub(super) fn lives(&self, kill: Kill) {
        self.change(|entry| entry.kill = Some(kill));
    }

    /// The actor is gone, and nobody will ask what became of it.
    pub(super) fn leave(&self) {
        self.registry.with(|entries| {
            if entries.get(&self.name).is_some_and(|entry| entry.number == self.number) {
                entries.remove(&self.name);
            }
        });
    }
}

impl Registry {
    /// An empty registry.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn with<R>(&self, f: impl FnOnce(&mut BTreeMap<String, Entry>) -> R) -> R {
        f(&mut self.entries.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn enter(&self, name: &str, kind: &'static str) -> Line {
        let number = self.entered.fetch_add(1, Ordering::Relaxed);
        let status =
            ActorStatus { name: name.to_owned(), kind, life: Life::Running, restarts: 0, last_death: None };
        let entry = Entry { number, status, ask: None, kill: None };
        self.with(|entries| entries.insert(name.to_owned(), entry));
        Line { registry: self.clone(), name: name.to_owned(), number }
    }

    /// Makes the named actor panic where it waits next, as a defect in it would: for tests of what follows from that.
    /// False if there is no such actor.
    #[must_use]
    pub fn crash(&self, name: &str) -> bool {
        let kill = self.with(|entries| entries.get(name)?.kill.clone());
        kill.as_ref().map(Kill::crash).is_some()
    }

    /// All actors, by name.
    #[must_use]
    pub fn list(&self) -> Vec<ActorStatus> {
        self.with(|entries| entries.values().map(|entry| entry.status.clone()).collect())
    }

    /// Asks one actor for its state; `None` if there is no such actor. The state is missing if the actor does not
    /// answer within `patience`.
    pub async fn observe(&self, name: &str, patience: Duration) -> Option<Observed> {
        let (status, ask) =
            self.with(|entries| entries.get(name).map(|entry| (entry.status.clone(), entry.ask.clone())))?;
        let mut observed = Observed { status, state: None, mailbox_delay_us: None };
        if let Some(ask) = ask {
            let asked = Instant::now();
            if let Ok(Ok(answer)) = tokio::time::timeout(patience, ask.ask(Observe)).await {
                observed.state = Some(answer.0);
                observed.mailbox_delay_us = u64::try_from(asked.elapsed().as_micros()).ok();
            }
        }
        Some(observed)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.list()).finish()
    }
}
