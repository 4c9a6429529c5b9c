//! PayoutDispatcher: pays confirmed balances out, once.
//!
//! * **receives** its own timer, [`RunPayouts`], [`Observe`]
//! * **sends** [`Publish`] to the EventPublisher; publishes [`PayoutStatus`] in a watch
//! * **supervised by** the factory supervisor: it comes back after a panic, since everything that it knows is in the store,
//!   where each step was written before it was acted on
//! * **on overload** one round is under way at a time; what is asked for meanwhile waits for its end
//!
//! The rules are in `pool_domain::payout` and `payout_plan`, what is done about them in [`Rounds`].

use std::{sync::Arc, time::Duration};

use actix::{
    Actor, ActorFutureExt as _, AsyncContext as _, Context, Handler, MessageResult, WrapFuture as _,
};
use pool_domain::{
    payout_plan::{PlanRules, Skip},
    units::TimeMs,
};
use tokio::time::Instant;

use super::payout_rounds::{Parts as RoundParts, Round, Rounds, Trouble};
use crate::{
    messages::{
        event::{PoolEvent, Publish},
        payout::{InTheWay, Outlook, PayoutStatus, RunPayouts, Stuck},
    },
    metrics::{PAYOUTS_IN_TROUBLE, PAYOUTS_TOTAL},
    ports::store::StoreError,
    runtime::{
        observe::{Observation, Observe},
        outbox::Outbox,
        watch::{Publisher, Watched},
    },
};

/// First pause after trouble; doubles.
const PAUSE_FIRST: Duration = Duration::from_millis(500);
/// Longest pause after trouble.
const PAUSE_MAX: Duration = Duration::from_secs(15);
/// How often a dispatcher on stand-by asks whether the other one is gone.
const STANDBY: Duration = Duration::from_secs(3);

/// What can change while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Who is paid, and how much at a time.
    pub rules: PlanRules,
    /// How often new payouts are planned.
    pub interval: Duration,
}

/// What a PayoutDispatcher works with.
#[derive(Clone)]
pub struct Parts {
    /// Store, wallet, signer; the rules in it give way to those of `pace`.
    pub rounds: RoundParts,
    /// How often payouts under way are looked at.
    pub poll_interval: Duration,
    /// Rules and interval, as they are now.
    pub pace: Watched<Pace>,
    /// Who tells the world.
    pub events: Outbox<Publish>,
    /// How it fares.
    pub status: Arc<Publisher<PayoutStatus>>,
}

/// See the module's documentation.
pub struct PayoutDispatcher {
    parts: Parts,
    /// `None` while a round is under way, and before this process became the dispatcher.
    rounds: Option<Rounds>,
    busy: bool,
    /// When it planned last, or began.
    planned: Instant,
    /// Somebody asked for a plan.
    asked: bool,
    /// No round before this.
    resting_until: Instant,
    pause: Duration,
}

impl PayoutDispatcher {
    /// A dispatcher that has done nothing yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let now = Instant::now();
        // The first plan comes after a first interval: a pool that was just started may still be catching up. One that the
        // dispatcher before this one failed at is waited for already.
        let asked = parts.status.get().stuck.plan;
        let (planned, resting_until) = (now, now);
        Self { parts, rounds: None, busy: false, planned, asked, resting_until, pause: PAUSE_FIRST }
    }

    fn tick(&mut self, context: &mut Context<Self>) {
        let now = Instant::now();
        if self.busy || now < self.resting_until {
            return;
        }
        self.busy = true;
        let pace = *self.parts.pace.get();
        // Who asks from here on asks for a plan after this one.
        let asked = std::mem::take(&mut self.asked);
        let due = asked || now >= self.planned + pace.interval;
        self.parts.rounds.rules = pace.rules;
        if let Some(rounds) = &mut self.rounds {
            rounds.set_rules(pace.rules);
        }
        let (rounds, parts) = (self.rounds.take(), self.parts.rounds.clone());
        let round = async move {
            let mut done = Done::default();
            let mut rounds = match rounds {
                Some(rounds) => rounds,
                None => match Rounds::take(parts).await {
                    Ok(rounds) => rounds,
                    Err(error) => return (None, done, Err(Trouble::from(error))),
                },
            };
            let result = one_round(&mut rounds, due, &mut done).await;
            (Some(rounds), done, result)
        };
        context.spawn(round.into_actor(self).map(move |(rounds, done, result), actor, _| {
            actor.busy = false;
            actor.rounds = rounds;
            // A plan that was asked for and not made is still asked for.
            actor.asked |= asked && done.outlook.is_none();
            actor.ended(due, done, &result);
        }));
    }

    fn ended(&mut self, due: bool, done: Done, result: &Result<(), Trouble>) {
        let now = self.parts.rounds.clock.now();
        let Done { round, outlook } = done;
        // What was done is told, whatever came after it.
        for view in round.changed {
            metrics::counter!(PAYOUTS_TOTAL, "state" => view.state.as_str()).increment(1);
            self.parts.events.offer(Publish { at: now, event: PoolEvent::Payout(view) });
        }
        let mut status = PayoutStatus::clone(&self.parts.status.get());
        status.dispatching = self.rounds.is_some();
        status.standing_by = None;
        let mut met = round.troubles;
        match result {
            Ok(()) => {
                self.pause = PAUSE_FIRST;
                status.stuck.after(&round.failed, &round.undecided, outlook.is_some());
                status.open = round.open;
                status.looked_at = now;
            }
            Err(trouble) => {
                self.in_trouble(trouble);
                match trouble {
                    // Another process pays, and says how it fares.
                    Trouble::Store(StoreError::InUse { what, .. }) => {
                        status.dispatching = false;
                        status.standing_by = Some(standing_by(what));
                        status.stuck = Stuck::default();
                        met.clear();
                    }
                    // The balances moved meanwhile: that round proved nothing but what it came past.
                    Trouble::Store(StoreError::Stale { .. }) => status.stuck.payouts.extend(&round.failed),
                    _ => {
                        status.stuck.after_failure(&round.failed, due, outlook.is_some());
                        met.insert(0, InTheWay { payout: None, what: trouble.to_string() });
                    }
                }
            }
        }
        metrics::gauge!(PAYOUTS_IN_TROUBLE).set(f64::from(u8::from(status.stuck.is_any())));
        status.troubles = status.stuck.in_the_way(met, &round.undecided, &status.troubles);
        if result.is_ok() && status.troubles != self.parts.status.get().troubles {
            for trouble in &status.troubles {
                tracing::warn!("payouts: {trouble}");
            }
        }
        if let Some(outlook) = outlook {
            self.planned = Instant::now();
            self.planned(&outlook, now, &mut status);
        }
        if *self.parts.status.get() != status {
            self.parts.status.set(status);
        }
    }

    fn planned(&self, outlook: &Outlook, now: TimeMs, status: &mut PayoutStatus) {
        let plan = &outlook.plan;
        status.planned_at = now;
        let waiting = plan.skipped.iter().map(|(account, amount, skip)| {
            let why = match skip {
                Skip::WaitsForLimit => "the spending limit is used up for now",
                Skip::AboveLimit => "more than the spending limit: raise it, or pay by hand",
                Skip::AboveChainLimit => "more than one transaction of this chain carries",
            };
            (account.clone(), *amount, why.to_owned())
        });
        let refused = outlook.refused.iter().cloned();
        status.waiting = waiting.chain(refused).collect();
        if plan.payouts.is_empty() || outlook.held.is_some() {
            return;
        }
        let accounts = plan.payouts.iter().map(Vec::len).sum();
        tracing::info!(payouts = plan.payouts.len(), accounts, total = %plan.total(), "payouts planned");
        let event =
            PoolEvent::PayoutCalculated { payouts: plan.payouts.len(), accounts, amount: plan.total() };
        self.parts.events.offer(Publish { at: now, event });
    }

    /// Whatever it is, the next round begins anew from what the store holds.
    fn in_trouble(&mut self, trouble: &Trouble) {
        match trouble {
            Trouble::Store(StoreError::InUse { what, .. }) => {
                // Somebody else pays: stand by.
                self.rounds = None;
                self.pause = STANDBY;
                // Said once, however long it lasts.
                let words = standing_by(what);
                if self.parts.status.get().standing_by.as_ref() != Some(&words) {
                    tracing::info!("payouts: {words}");
                }
            }
            // The balances moved between look and reservation: look again.
            Trouble::Store(StoreError::Stale { .. }) => tracing::info!("payouts: {trouble}"),
            Trouble::Store(StoreError::Unavailable { .. }) | Trouble::Wallet(_) => {
                tracing::warn!("payouts: {trouble}; again in {} ms", self.pause.as_millis());
            }
            Trouble::Store(_) => {
                self.pause = PAUSE_MAX;
                tracing::error!("payouts: {trouble}");
            }
        }
        self.resting_until = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(PAUSE_MAX);
    }
}

/// Nothing is wrong: another process does it.
fn standing_by(what: &str) -> String {
    format!("another pool process {what}; this one stands by, and pays once that one is gone")
}

/// What was done, whether or not it ended well.
#[derive(Debug, Default)]
struct Done {
    round: Round,
    /// The plan that was made, if one was.
    outlook: Option<Outlook>,
}

/// What is under way goes on; then, if it is time, new payouts are reserved and go as far as they can.
async fn one_round(rounds: &mut Rounds, due: bool, done: &mut Done) -> Result<(), Trouble> {
    rounds.advance(&mut done.round).await?;
    if !due {
        return Ok(());
    }
    let outlook = rounds.reserve().await?;
    let more = !outlook.plan.payouts.is_empty();
    done.outlook = Some(outlook);
    if more {
        rounds.advance(&mut done.round).await?;
    }
    Ok(())
}

impl Actor for PayoutDispatcher {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let interval = self.parts.poll_interval;
        context.run_interval(interval, Self::tick);
    }
}

impl Handler<RunPayouts> for PayoutDispatcher {
    type Result = ();

    fn handle(&mut self, _: RunPayouts, context: &mut Self::Context) {
        self.asked = true;
        self.resting_until = Instant::now();
        self.tick(context);
    }
}

impl Handler<Observe> for PayoutDispatcher {
    type Result = MessageResult<Observe>;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Self::Result {
        MessageResult(Observation::of(&*self.parts.status.get()))
    }
}

#[cfg(test)]
#[path = "payout_dispatcher_tests.rs"]
mod tests;
