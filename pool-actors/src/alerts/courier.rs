//! Courier: brings notices to people over one channel.
//!
//! * **receives** [`Deliver`], [`TryChannel`], [`AskChannel`], [`Observe`]
//! * **sends** over its [`Notifier`](crate::ports::notifier::Notifier)
//! * **supervised by** the factory supervisor; what waited dies with it, and is told again when it is due again
//! * **on overload** what waits becomes one notice: a channel that hangs costs one notice's memory, and holds up nobody else

use std::{collections::VecDeque, time::Duration};

use actix::{
    Actor, ActorFutureExt as _, AsyncContext as _, Context, Handler, ResponseFuture, WrapFuture as _,
};
use pool_domain::units::TimeMs;

use crate::{
    messages::alert::{AskChannel, ChannelView, Deliver, TryChannel},
    metrics::NOTIFICATIONS_TOTAL,
    ports::{
        clock::SharedClock,
        notifier::{Notice, NotifyError, SharedNotifier},
    },
    runtime::observe::{Observation, Observe},
};

/// Alerts that one notice names; the rest is counted.
const ALERTS_MAX: usize = 100;
/// Pause after the first failure; doubles with each further one.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
/// Longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Failures after which a notice is given up: about ten minutes.
pub(super) const FAILURES_MAX: u32 = 14;
const HOUR_MS: u64 = 3_600_000;

/// Before another try, after so many failures.
pub(super) fn pause(failures: u32) -> Duration {
    PAUSE_FIRST.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(PAUSE_MAX)
}

/// What a courier works with.
#[derive(Clone)]
pub struct Parts {
    /// Name of the channel.
    pub name: String,
    /// Name of the pool.
    pub pool: String,
    /// The way.
    pub notifier: SharedNotifier,
    /// Notices in any hour; 0 = no limit. What comes beyond waits, and goes as one.
    pub per_hour_max: usize,
    /// Time.
    pub clock: SharedClock,
}

/// See the module's documentation.
pub struct Courier {
    parts: Parts,
    waiting: Option<Notice>,
    is_busy: bool,
    failures: u32,
    /// When the notices of the last hour were sent, by the steady clock.
    sent: VecDeque<TimeMs>,
    view: ChannelView,
}

impl Courier {
    /// A courier with nothing to bring.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let view = ChannelView {
            name: parts.name.clone(),
            kind: parts.notifier.kind().to_owned(),
            delivered: 0,
            given_up: 0,
            waiting: 0,
            delivered_at: None,
            trouble: None,
        };
        Self { parts, waiting: None, is_busy: false, failures: 0, sent: VecDeque::new(), view }
    }

    /// Brings what waits, unless it is under way already or must wait.
    fn go(&mut self, context: &mut Context<Self>) {
        if self.is_busy {
            return;
        }
        let wait = self.wait();
        let Some(notice) = self.waiting.take_if(|_| wait.is_none()) else {
            if let Some(wait) = wait.filter(|_| self.waiting.is_some()) {
                self.pause(wait, context);
            }
            return;
        };
        self.is_busy = true;
        let notifier = self.parts.notifier.clone();
        let sending = async move { (notifier.notify(&notice).await, notice) }.into_actor(self);
        let sending = sending.map(|(result, notice), courier, context| {
            courier.is_busy = false;
            courier.came_back(result, notice, context);
        });
        context.spawn(sending);
    }

    /// How long the limit of the hour asks to wait.
    fn wait(&mut self) -> Option<Duration> {
        let (now, most) = (self.parts.clock.steady(), self.parts.per_hour_max);
        self.sent.retain(|at| now.since(*at) < HOUR_MS);
        let is_full = most > 0 && self.sent.len() >= most;
        self.sent.front().filter(|_| is_full).map(|first| Duration::from_millis(HOUR_MS - now.since(*first)))
    }

    fn pause(&mut self, pause: Duration, context: &mut Context<Self>) {
        self.is_busy = true;
        context.run_later(pause, |courier, context| {
            courier.is_busy = false;
            courier.go(context);
        });
    }

    fn came_back(&mut self, result: Result<(), NotifyError>, notice: Notice, context: &mut Context<Self>) {
        let count = |outcome: &'static str, kind: &str| {
            metrics::counter!(NOTIFICATIONS_TOTAL, "kind" => kind.to_owned(), "outcome" => outcome)
                .increment(1);
        };
        match result {
            Ok(()) => {
                self.failures = 0;
                self.sent.push_back(self.parts.clock.steady());
                self.view.delivered += 1;
                self.view.delivered_at = Some(self.parts.clock.now());
                self.view.trouble = None;
                count("delivered", &self.view.kind);
                self.go(context);
            }
            Err(NotifyError::Later { what, after }) if self.failures + 1 < FAILURES_MAX => {
                self.failures += 1;
                tracing::warn!(
                    channel = self.view.name,
                    failures = self.failures,
                    "a notice did not arrive, and is tried again: {what}"
                );
                self.view.trouble = Some(what);
                count("retried", &self.view.kind);
                self.put_back(notice);
                self.pause(
                    pause(self.failures).max(after.unwrap_or_default().min(Duration::from_millis(HOUR_MS))),
                    context,
                );
            }
            Err(error) => {
                self.failures = 0;
                tracing::error!(
                    channel = self.view.name,
                    "a notice was given up: {error}; it said: {}",
                    notice.subject()
                );
                self.view.given_up += 1;
                self.view.trouble = Some(error.to_string());
                count("given_up", &self.view.kind);
                self.go(context);
            }
        }
    }

    /// What did not arrive goes with what came since, which knows better.
    fn put_back(&mut self, mut notice: Notice) {
        if let Some(newer) = self.waiting.take() {
            notice.absorb(newer);
        }
        self.waiting = Some(notice);
    }
}

impl Actor for Courier {
    type Context = Context<Self>;
}

impl Handler<Deliver> for Courier {
    type Result = ();

    fn handle(&mut self, Deliver(notice): Deliver, context: &mut Self::Context) {
        match &mut self.waiting {
            Some(waiting) => waiting.absorb(notice),
            None => self.waiting = Some(notice),
        }
        if let Some(waiting) = &mut self.waiting {
            waiting.shorten(ALERTS_MAX);
        }
        self.go(context);
    }
}

impl Handler<TryChannel> for Courier {
    type Result = ResponseFuture<Result<(), String>>;

    fn handle(&mut self, _: TryChannel, _: &mut Self::Context) -> Self::Result {
        let (notifier, pool) = (self.parts.notifier.clone(), self.parts.pool.clone());
        Box::pin(async move {
            let notice = Notice { pool, test: true, ..Notice::default() };
            notifier.notify(&notice).await.map_err(|error| error.to_string())
        })
    }
}

impl Handler<AskChannel> for Courier {
    type Result = actix::MessageResult<AskChannel>;

    fn handle(&mut self, _: AskChannel, _: &mut Self::Context) -> Self::Result {
        let waiting = self.waiting.as_ref().map_or(0, |notice| notice.firing.len() + notice.resolved.len());
        actix::MessageResult(ChannelView { waiting, ..self.view.clone() })
    }
}

impl Handler<Observe> for Courier {
    type Result = Observation;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Observation {
        Observation::of(&self.view)
    }
}
