//! How the payout dispatcher is made.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use pool_domain::payout_plan::{PlanRules, SpendingLimits};

use super::start::{Wiring, restarting};
use crate::{
    config::Config,
    error::Failure,
    ledger::{
        payout_dispatcher::{self, PayoutDispatcher},
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
        watch::Publisher,
    },
};

/// The dispatcher that runs, and how it is reached.
pub(super) type Dispatcher = (Supervised<PayoutDispatcher>, PayoutDoors);

/// Starts the dispatcher, if there is a wallet.
pub(super) fn start(
    runtime: &Runtime,
    wiring: &Wiring,
    config: &Config,
    store: &SharedPayouts,
    wallet: Option<(SharedWallet, SharedSigner)>,
    status: &Arc<Publisher<PayoutStatus>>,
) -> Result<Option<Dispatcher>, Failure> {
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
    let parts = payout_dispatcher::Parts {
        rounds: rounds.clone(),
        poll_interval: Duration::from_millis(payout.poll_interval_ms),
        plan_interval: Duration::from_secs(payout.interval_s),
        events: wiring.events.clone(),
        status: Arc::clone(status),
    };
    let dispatcher = supervise(runtime, restarting("payout-dispatcher", "PayoutDispatcher", 0), move |_| {
        PayoutDispatcher::new(parts.clone())
    })
    .observable();
    let look = Arc::new(move || {
        let rounds = rounds.clone();
        let looking = async move {
            let outlook = payout_rounds::look(&rounds, &mut BTreeSet::new()).await;
            outlook.map_err(|trouble| trouble.to_string())
        };
        Box::pin(looking) as futures_util::future::BoxFuture<'static, _>
    });
    let rules = PayoutRules {
        threshold,
        limit_per_hour: per_hour,
        limit_per_day: per_day,
        recipients_max: rules.recipients_max.min(rules.chain.recipients_max).max(1),
        interval_s: payout.interval_s,
        confirmations: depth,
    };
    let doors = PayoutDoors { run: dispatcher.outbox::<RunPayouts>(), look, rules };
    Ok(Some((dispatcher, doors)))
}
