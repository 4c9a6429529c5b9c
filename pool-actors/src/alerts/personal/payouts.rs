//! Payouts that were sent: each is told once, over restarts, too.

use std::sync::Arc;

use actix::{ActorFutureExt as _, AsyncContext as _, Context, WrapFuture as _};

use super::MinerAlerts;
use crate::{
    alerts::watch::News,
    messages::session::Listening,
    ports::{
        personal::{PersonalRow, SentPayout, digest},
        store::StoreError,
        users::SharedUsers,
    },
};

/// Lines of payouts that the database gives at once.
const PAYOUTS_MAX: usize = 10_000;

impl MinerAlerts {
    /// Once everybody was told of the payouts under way, they count as told.
    pub(super) fn payouts_end(&mut self, context: &mut Context<Self>) {
        let Some((step, 0)) = self.payouts_under_way else { return };
        let users = Arc::clone(&self.parts.users);
        let kept = async move { users.set_payouts_told(step).await }.into_actor(self);
        context.spawn(kept.map(move |kept, actor, _| {
            if let Err(error) = kept {
                // After a restart they are told of it once more.
                tracing::warn!(%error, "that people were told of payouts could not be kept");
            }
            actor.payouts_told = Some(step);
            actor.payouts_under_way = None;
        }));
    }

    pub(super) fn tell_of_payouts(
        &mut self,
        rows: &[PersonalRow],
        listening: &[Listening],
        payouts: Vec<SentPayout>,
        context: &mut Context<Self>,
    ) {
        let Some(step) = payouts.last().map(|payout| payout.step) else { return };
        self.payouts_under_way = Some((step, 0));
        let (decimals, sign) = self.parts.currency;
        let mut under_way = 0;
        for payout in payouts {
            let amount = pool_domain::currency::format_amount(payout.amount, decimals);
            let text = format!("a payout of {amount} {sign} was sent, transaction {}", payout.txid);
            let news = News { kind: "payout", text };
            let owners =
                rows.iter().filter(|row| row.account == payout.account && row.settings.wishes.payout);
            for row in owners {
                let id = format!("payout-{}-{}", payout.payout.0, &digest(&payout.account)[..16]);
                under_way += self.tell(row, std::slice::from_ref(&news), Some(id), context);
            }
            let told = |session: &&Listening| session.account == payout.account && session.wishes.payout;
            for session in listening.iter().filter(told) {
                self.show(session, std::slice::from_ref(&news));
            }
        }
        self.payouts_under_way = Some((step, under_way));
        self.payouts_end(context);
    }
}

/// Payouts that were sent after a step; all of the last one's, or none of it.
pub(super) async fn sent(
    users: &SharedUsers,
    after: Option<u64>,
) -> Result<(u64, Vec<SentPayout>), StoreError> {
    let after = match after {
        Some(after) => after,
        None => users.payouts_told().await?,
    };
    let mut payouts = users.sent_payouts(after).await?;
    // A list that may be cut ends between two steps, so that no payout is told of by half.
    let last = payouts.last().map(|payout| payout.step);
    if payouts.len() >= PAYOUTS_MAX && payouts.first().map(|payout| payout.step) != last {
        payouts.retain(|payout| Some(payout.step) != last);
    }
    Ok((after, payouts))
}
