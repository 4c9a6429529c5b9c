//! Supervision: what follows from an actor's death.
//!
//! actix's own `Supervisor` neither rebuilds an actor from a factory nor notices a panic. This one does both: a new
//! actor from the factory, at a new address, after a back-off; and when restarts exceed their limit it stops the
//! process with a sentence that says why. Actors whose half-changed state must never be served (journal, ledger) stop
//! the process at the first panic: the process recovers from disk.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actix::{Actor, Addr, Context, Handler, Message};
use tokio::{sync::oneshot, time::Instant};

use super::{
    Runtime,
    deathwatch::{Death, DeathWatch, Kill},
    observe::{Life, Line, Observe},
    outbox::Outbox,
    shutdown::StopReason,
    watch::{Publisher, Watched, watched},
};
use crate::metrics::{ACTOR_RESTARTS_TOTAL, MESSAGES_UNDELIVERED_TOTAL};

/// What to do when the actor panics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Build another one, within these limits.
    Restart(RestartLimits),
    /// Build another one however often, at the longest pause once the limit is reached: for an actor that one
    /// miner's input may kill, which must not take all others with it.
    KeepRestarting(RestartLimits),
    /// Stop the process: its state can't be trusted, the disk can.
    StopProcess,
}

/// How soon and how often an actor is built again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartLimits {
    /// Pause before the first restart; doubles with each further one inside the window.
    pub backoff_first: Duration,
    /// Longest pause.
    pub backoff_max: Duration,
    /// Restarts allowed inside the window; one more stops the process, or waits for the longest pause.
    pub restarts_max: usize,
    /// The window.
    pub window: Duration,
}

impl Default for RestartLimits {
    fn default() -> Self {
        Self {
            backoff_first: Duration::from_millis(50),
            backoff_max: Duration::from_secs(5),
            restarts_max: 8,
            window: Duration::from_secs(60),
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::Restart(RestartLimits::default())
    }
}

/// How to run one supervised actor.
#[derive(Debug, Clone)]
pub struct Spec {
    /// Unique name.
    pub name: String,
    /// Its type's name, for the registry and for outboxes.
    pub kind: &'static str,
    /// Arbiter seat.
    pub seat: usize,
    /// Capacity of its mailbox for messages without credit.
    pub mailbox: usize,
    /// What its death means.
    pub policy: Policy,
}

type Follower<A> = Box<dyn Fn(Option<&Addr<A>>) + Send>;

struct Shared<A: Actor> {
    runtime: Runtime,
    spec: Spec,
    line: Line,
    /// Its line leaves the registry with it.
    passing: AtomicBool,
    address: Publisher<Option<Addr<A>>>,
    followers: Mutex<Vec<Follower<A>>>,
}

/// A supervised actor: who it is now, and how to reach it through restarts. Dropping it changes nothing.
pub struct Supervised<A: Actor> {
    shared: Arc<Shared<A>>,
    stop: Option<oneshot::Sender<()>>,
    ended: Watched<Option<Death>>,
}

/// Starts an actor made by `factory`, and makes a new one whenever it dies, as its [`Policy`] says.
///
/// `factory` runs on the actor's own thread, once per life.
pub fn supervise<A, F>(runtime: &Runtime, spec: Spec, factory: F) -> Supervised<A>
where
    A: Actor<Context = Context<A>>,
    F: Fn(&mut Context<A>) -> A + Send + Sync + 'static,
{
    metrics::counter!(ACTOR_RESTARTS_TOTAL, "kind" => spec.kind).increment(0);
    let line = runtime.registry.enter(&spec.name, spec.kind);
    let shared = Arc::new(Shared {
        runtime: runtime.clone(),
        spec,
        line,
        passing: AtomicBool::new(false),
        address: watched(None).0,
        followers: Mutex::new(Vec::new()),
    });
    let factory = Arc::new(factory);
    let (stop, stopped) = oneshot::channel();
    let (end, ended) = watched(None);
    let first = shared.launch(&factory);
    let supervisor = Arc::clone(&shared);
    runtime.arbiters.spawn_home(async move {
        let death = supervisor.watch_over(first, &factory, stopped).await;
        end.set(Some(death));
    });
    Supervised { shared, stop: Some(stop), ended }
}

impl<A: Actor<Context = Context<A>>> Shared<A> {
    fn launch<F>(&self, factory: &Arc<F>) -> (DeathWatch, Kill)
    where
        F: Fn(&mut Context<A>) -> A + Send + Sync + 'static,
    {
        let factory = Arc::clone(factory);
        let (address, death, kill) =
            self.runtime
                .arbiters
                .start_watched(self.spec.seat, self.spec.mailbox, move |context| factory(context));
        self.line.lives(kill.clone());
        self.publish(Some(address));
        (death, kill)
    }

    fn publish(&self, address: Option<Addr<A>>) {
        let followers = self.followers.lock().unwrap_or_else(PoisonError::into_inner);
        for follower in followers.iter() {
            follower(address.as_ref());
        }
        self.address.set(address);
    }

    /// One life after the other. Returns the death that was the last.
    async fn watch_over<F>(
        &self,
        first: (DeathWatch, Kill),
        factory: &Arc<F>,
        stop: oneshot::Receiver<()>,
    ) -> Death
    where
        F: Fn(&mut Context<A>) -> A + Send + Sync + 'static,
    {
        let mut history = History::default();
        let (mut watch, mut kill) = first;
        let mut stop = Some(stop);
        loop {
            let death = self.one_life(watch, kill, &mut stop).await;
            self.publish(None);
            let message = match &death {
                Death::Panicked(message) => message.clone(),
                Death::Stopped | Death::Killed | Death::ArbiterGone => {
                    self.note(Life::Stopped, &death);
                    return death;
                }
            };
            tracing::error!(actor = self.spec.name, "actor panicked: {message}");
            let pause = match self.spec.policy {
                Policy::StopProcess => Err(format!(
                    "{} panicked ({message}): stopping, so that nothing half-changed is served; start again to recover from disk",
                    self.spec.name
                )),
                Policy::KeepRestarting(limits) => Ok(history.next_pause(&limits, Instant::now()).unwrap_or_else(|| {
                    tracing::error!(
                        actor = self.spec.name,
                        "panicked more than {} times in {} s: degraded, back after {} s; this is a defect, please report it",
                        limits.restarts_max,
                        limits.window.as_secs(),
                        limits.backoff_max.as_secs()
                    );
                    limits.backoff_max
                })),
                Policy::Restart(limits) => history.next_pause(&limits, Instant::now()).ok_or_else(|| {
                    format!(
                        "{} panicked more than {} times in {} s (last: {message}): stopping; this is a defect, please report it",
                        self.spec.name,
                        limits.restarts_max,
                        limits.window.as_secs()
                    )
                }),
            };
            match pause {
                Err(sentence) => {
                    self.note(Life::Failed, &death);
                    self.runtime.shutdown.stop(StopReason::failure("ACTOR_FAILED", sentence));
                    return death;
                }
                Ok(pause) => {
                    self.note(Life::Restarting, &death);
                    tokio::time::sleep(pause).await;
                }
            }
            (watch, kill) = self.launch(factory);
            self.line.update(|status| {
                status.life = Life::Running;
                status.restarts += 1;
            });
            metrics::counter!(ACTOR_RESTARTS_TOTAL, "kind" => self.spec.kind).increment(1);
        }
    }

    async fn one_life(
        &self,
        watch: DeathWatch,
        kill: Kill,
        stop: &mut Option<oneshot::Receiver<()>>,
    ) -> Death {
        let mut death = std::pin::pin!(watch.death());
        if let Some(asked) = stop {
            tokio::select! {
                biased;
                death = &mut death => return death,
                asked = asked => {
                    *stop = None;
                    if asked.is_ok() {
                        kill.kill();
                    }
                }
            }
        }
        death.await
    }

    fn note(&self, life: Life, death: &Death) {
        let text = match death {
            Death::Stopped => "stopped".to_owned(),
            Death::Killed => "stopped on request".to_owned(),
            Death::ArbiterGone => "its arbiter ended".to_owned(),
            Death::Panicked(message) => format!("panicked: {message}"),
        };
        self.line.update(|status| {
            status.life = life;
            status.last_death = Some(text);
        });
        if life == Life::Stopped && self.passing.load(Ordering::SeqCst) {
            self.line.leave();
        }
    }
}

impl<A: Actor<Context = Context<A>>> Supervised<A> {
    /// The actor's address now; `None` while it is down. Don't keep it: the next life has another.
    #[must_use]
    pub fn address(&self) -> Option<Addr<A>> {
        self.shared.address.get().as_ref().clone()
    }

    /// Follows the address through restarts.
    #[must_use]
    pub fn addresses(&self) -> Watched<Option<Addr<A>>> {
        self.shared.address.watched()
    }

    /// An outbox to this actor, whichever life it is in.
    #[must_use]
    pub fn outbox<M>(&self) -> Outbox<M>
    where
        A: Handler<M>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        for cause in ["given_up", "dead"] {
            metrics::counter!(MESSAGES_UNDELIVERED_TOTAL, "to" => self.shared.spec.kind, "cause" => cause)
                .increment(0);
        }
        // Under the followers' lock, so that no restart slips in between.
        let mut followers = self.shared.followers.lock().unwrap_or_else(PoisonError::into_inner);
        let (route, following) = watched(self.address().map(Addr::recipient));
        followers.push(Box::new(move |address| route.set(address.cloned().map(Addr::recipient))));
        Outbox::following(self.shared.spec.kind, following)
    }

    /// Lets the registry ask this actor for its state.
    #[must_use]
    pub fn observable(self) -> Self
    where
        A: Handler<Observe>,
    {
        let ask = self.outbox::<Observe>();
        self.shared.line.observable(ask);
        self
    }

    /// One of many that come and go: its line leaves the registry when it has ended.
    #[must_use]
    pub fn passing(self) -> Self {
        self.shared.passing.store(true, Ordering::SeqCst);
        // It may have ended in between.
        if self.ended.load().is_some() {
            self.shared.line.leave();
        }
        self
    }

    /// Ends the actor for good, ahead of what is in its mailbox; its tickets resolve as lost. Returns when it has ended.
    pub async fn stop(mut self) -> Death {
        if let Some(stop) = self.stop.take() {
            // The supervisor may have ended already.
            let _ = stop.send(());
        }
        self.ended().await
    }

    /// Waits until the actor has ended for good.
    pub async fn ended(&self) -> Death {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await {
            Ok(death) => death.as_ref().clone().unwrap_or(Death::ArbiterGone),
            Err(_) => Death::ArbiterGone,
        }
    }
}

/// When an actor was restarted lately.
#[derive(Debug, Default)]
struct History {
    restarts: VecDeque<Instant>,
}

impl History {
    /// The pause before the next restart, or `None` if the limit is reached.
    fn next_pause(&mut self, limits: &RestartLimits, now: Instant) -> Option<Duration> {
        while self.restarts.front().is_some_and(|at| now.duration_since(*at) > limits.window) {
            self.restarts.pop_front();
        }
        let recent = self.restarts.len();
        if recent >= limits.restarts_max {
            return None;
        }
        self.restarts.push_back(now);
        let doublings = u32::try_from(recent).unwrap_or(u32::MAX).min(20);
        Some(limits.backoff_first.saturating_mul(1 << doublings).min(limits.backoff_max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_end_at_the_limit() {
        let limits = RestartLimits {
            backoff_first: Duration::from_millis(100),
            backoff_max: Duration::from_millis(300),
            restarts_max: 3,
            window: Duration::from_secs(10),
        };
        let start = Instant::now();
        let mut history = History::default();
        let pauses: Vec<_> = (0..4).map(|_| history.next_pause(&limits, start)).collect();
        let ms = |n| Some(Duration::from_millis(n));
        assert_eq!(pauses, [ms(100), ms(200), ms(300), None]);
        assert_eq!(
            history.next_pause(&limits, start + Duration::from_secs(11)),
            ms(100),
            "the window has passed"
        );
    }
}
