//! How the payout dispatcher is made.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use pool_domain::payout_plan::{PlanRules, SpendingLimits};

use super::start::{Wiring, restarting};
use crate::{
    config::Config,
    error::Failure,
    ledger::{
        payout_dispatcher::{self, Pace, PayoutDispatcher},
        payout_rounds::{self, Ages, Parts as RoundParts},
    },
    messages::payout::{PayoutDoors, PayoutRules, PayoutStatus, RunPayouts},
    ports::{
        payouts::SharedPayouts,
        wallet::{SharedSigner, SharedWallet},
    },
    runtime::{
        Runtime,
        supervisor::{Supervised, supervise},
        watch::{Publisher, watched},
    },
};

/// The dispatcher that runs, and how it is reached and turned.
pub(super) struct Running {
    pub(super) dispatcher: Supervised<PayoutDispatcher>,
    pub(super) doors: PayoutDoors,
    pub(super) knobs: Knobs,
}

/// What can be turned while it runs.
#[derive(Clone)]
pub(super) struct Knobs {
    pace: Arc<Publisher<Pace>>,
    shown: Arc<Publisher<PayoutRules>>,
}

impl Knobs {
    /// Takes over thresholds, limits and the interval.
    pub(super) fn turn(&self, config: &Config) {
        let (before, shown) = (*self.pace.get(), *self.shown.get());
        // It was checked before it was taken over.
        let Ok((threshold, per_hour, per_day)) = config.payout.amounts(config.chain.profile.decimals())
        else {
            return;
        };
        let recipients_max = config.payout.recipients_max;
        let limits = SpendingLimits { per_hour, per_day };
        let rules = PlanRules { threshold, recipients_max, limits, ..before.rules };
        self.pace.set(Pace { rules, interval: Duration::from_secs(config.payout.interval_s) });
        self.shown.set(PayoutRules {
            threshold,
            limit_per_hour: per_hour,
            limit_per_day: per_day,
            recipients_max: recipients_max.min(rules.chain.recipients_max).max(1),
            interval_s: config.payout.interval_s,
            ..shown
        });
    }
}

/// Starts the dispatcher, if there is a wallet.
pub(super) fn start(
    runtime: &Runtime,
    wiring: &Wiring,
    config: &Config,
    store: &SharedPayouts,
    wallet: Option<(SharedWallet, SharedSigner)>,
    status: &Arc<Publisher<PayoutStatus>>,
) -> Result<Option<Running>, Failure> {
    let Some((wallet, signer)) = wallet else {
        tracing::info!("nothing is paid out: payout.enabled is false");
        return Ok(None);
    };
    let payout = &config.payout;
    let (threshold, per_hour, per_day) = payout.amounts(config.chain.profile.decimals())?;
    let rules = PlanRules {
        threshold,
        chain: wallet.limits(),
        recipients_max: payout.recipients_max,
        limits: SpendingLimits { per_hour, per_day },
    };
    let depth = if payout.confirmations > 0 { payout.confirmations } else { wallet.depth() };
    let clock = Arc::clone(&wiring.clock);
    let rounds =
        RoundParts { store: Arc::clone(store), wallet, signer, clock, rules, depth, ages: Ages::default() };
    let pace = Arc::new(watched(Pace { rules, interval: Duration::from_secs(payout.interval_s) }).0);
    let parts = payout_dispatcher::Parts {
        rounds: rounds.clone(),
        poll_interval: Duration::from_millis(payout.poll_interval_ms),
        pace: pace.watched(),
        events: wiring.events.clone(),
        status: Arc::clone(status),
    };
    let dispatcher = supervise(runtime, restarting("payout-dispatcher", "PayoutDispatcher", 0), move |_| {
        PayoutDispatcher::new(parts.clone())
    })
    .observable();
    let ahead = pace.watched();
    let look = Arc::new(move || {
        let mut rounds = rounds.clone();
        rounds.rules = ahead.load().rules;
        let looking = async move {
            let outlook = payout_rounds::look(&rounds, &mut BTreeSet::new()).await;
            outlook.map_err(|trouble| trouble.to_string())
        };
        Box::pin(looking) as futures_util::future::BoxFuture<'static, _>
    });
    let shown = PayoutRules {
        threshold,
        limit_per_hour: per_hour,
        limit_per_day: per_day,
        recipients_max: rules.recipients_max.min(rules.chain.recipients_max).max(1),
        interval_s: payout.interval_s,
        confirmations: depth,
    };
    let shown = Arc::new(watched(shown).0);
    let doors = PayoutDoors { run: dispatcher.outbox::<RunPayouts>(), look, rules: shown.watched() };
    Ok(Some(Running { dispatcher, doors, knobs: Knobs { pace, shown } }))
}
