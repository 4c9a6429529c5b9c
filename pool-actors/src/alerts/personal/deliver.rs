//! Messages on their way to people: how many an hour, how many at once, and again if need be.

use std::{sync::Arc, time::Duration};

use actix::{ActorFutureExt as _, AsyncContext as _, Context, Handler, ResponseFuture, WrapFuture as _};

use super::{Audience, HOUR_MS, MinerAlerts};
use crate::{
    alerts::{
        courier::{FAILURES_MAX, pause},
        watch::News,
    },
    messages::alert::BringNow,
    metrics::NOTIFICATIONS_TOTAL,
    ports::{
        notifier::NotifyError,
        personal::{PersonalMessage, PersonalRow, Target},
    },
};

/// Messages under way or waiting for another try; of one user.
const WAITING_MAX: usize = 2_000;
const WAITING_OF_USER_MAX: usize = 16;

/// A message on its way.
struct Parcel {
    user: String,
    target: Target,
    message: PersonalMessage,
    failures: u32,
    /// Of a payout: it counts as told once all that are told of it were, or can't be.
    of_payout: bool,
}

impl MinerAlerts {
    /// Whether one more message may be sent this hour.
    pub(super) fn may(&mut self, account: &str, audience: Audience, kind: &str) -> bool {
        let now = self.parts.clock.steady();
        let sent = self.sent.entry((account.to_owned(), audience, kind == "block")).or_default();
        while sent.front().is_some_and(|first| now.since(*first) >= HOUR_MS) {
            sent.pop_front();
        }
        let may = sent.len() < self.parts.per_hour_max;
        if may {
            sent.push_back(now);
            self.counts.told += 1;
        } else {
            self.counts.limited += 1;
            count("limited");
        }
        may
    }

    /// Tells an account's owner; returns how many messages are on their way.
    pub(super) fn tell(
        &mut self,
        row: &PersonalRow,
        news: &[News],
        id: Option<String>,
        context: &mut Context<Self>,
    ) -> usize {
        let (Some(first), targets) = (news.first(), row.targets()) else { return 0 };
        if targets.is_empty() || !self.may(&row.account, Audience::Owner, first.kind) {
            return 0;
        }
        let of_payout = id.is_some();
        let message = PersonalMessage {
            id: id.unwrap_or_else(|| format!("{:032x}", rand::random::<u128>())),
            pool: self.parts.pool.clone(),
            account: row.account.clone(),
            kind: first.kind,
            text: news.iter().map(|news| news.text.as_str()).collect::<Vec<_>>().join("\n"),
        };
        let mut under_way = 0;
        for target in targets {
            let of_user = self.waiting_of.entry(row.user.clone()).or_default();
            if *of_user >= WAITING_OF_USER_MAX || self.waiting >= WAITING_MAX {
                self.counts.limited += 1;
                count("limited");
                continue;
            }
            *of_user += 1;
            self.waiting += 1;
            under_way += 1;
            let (user, message) = (row.user.clone(), message.clone());
            self.bring(Parcel { user, target, message, failures: 0, of_payout }, context);
        }
        under_way
    }

    fn bring(&mut self, parcel: Parcel, context: &mut Context<Self>) {
        let (messenger, under_way) = (Arc::clone(&self.parts.messenger), Arc::clone(&self.under_way));
        let bringing = async move {
            // It is never closed; and if it were, nothing would be under way any more.
            let _permit = under_way.acquire_owned().await;
            (messenger.bring(&parcel.target, &parcel.message).await, parcel)
        };
        context.spawn(bringing.into_actor(self).map(|(result, mut parcel_back), actor, context| {
            let failures = parcel_back.failures + 1;
            match result {
                Err(NotifyError::Later { what, after }) if failures < FAILURES_MAX => {
                    parcel_back.failures = failures;
                    tracing::debug!(
                        kind = parcel_back.target.kind(),
                        account = parcel_back.message.account,
                        "somebody could not be told, and is tried again: {what}"
                    );
                    count("retried");
                    let pause = pause(failures).max(after.unwrap_or_default().min(Duration::from_secs(600)));
                    context.run_later(pause, |actor, context| actor.bring(parcel_back, context));
                }
                Ok(()) => actor.brought(&parcel_back, "delivered", context),
                Err(error) => {
                    tracing::info!(
                        kind = parcel_back.target.kind(),
                        account = parcel_back.message.account,
                        "somebody could not be told: {error}"
                    );
                    actor.brought(&parcel_back, "unreached", context);
                }
            }
        }));
    }

    fn brought(&mut self, parcel: &Parcel, outcome: &'static str, context: &mut Context<Self>) {
        count(outcome);
        self.waiting = self.waiting.saturating_sub(1);
        if let Some(of_user) = self.waiting_of.get_mut(&parcel.user) {
            *of_user = of_user.saturating_sub(1);
            if *of_user == 0 {
                self.waiting_of.remove(&parcel.user);
            }
        }
        if let Some((_, left)) = self.payouts_under_way.as_mut().filter(|_| parcel.of_payout) {
            *left = left.saturating_sub(1);
            self.payouts_end(context);
        }
    }
}

impl Handler<BringNow> for MinerAlerts {
    type Result = ResponseFuture<Result<(), String>>;

    fn handle(
        &mut self,
        BringNow { target, account, kind, text }: BringNow,
        _: &mut Self::Context,
    ) -> Self::Result {
        let (messenger, under_way) = (Arc::clone(&self.parts.messenger), Arc::clone(&self.under_way));
        let id = format!("{:032x}", rand::random::<u128>());
        let message = PersonalMessage { id, pool: self.parts.pool.clone(), account, kind, text };
        Box::pin(async move {
            let _permit = under_way.acquire_owned().await;
            let brought = messenger.bring(&target, &message).await;
            count(if brought.is_ok() { "delivered" } else { "unreached" });
            brought.map_err(|error| error.to_string())
        })
    }
}

fn count(outcome: &'static str) {
    metrics::counter!(NOTIFICATIONS_TOTAL, "kind" => "personal", "outcome" => outcome).increment(1);
}
