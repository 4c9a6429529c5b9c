//! What the payout dispatcher does, without actor and timers: each step is decided by `pool_domain::payout`, and written
//! down before it is acted on. All state is in the store, so that whoever begins a round goes on where anybody, crashed or
//! not, has left off.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use pool_domain::{
    ids::{Account, PayoutId},
    payout::{ChainView, Hold, PayoutAction, PayoutEvent, next_action},
    payout_plan::{PlanRules, Spent, plan},
    units::{Amount, TimeMs},
};

use crate::{
    messages::payout::{InTheWay, Outlook, PayoutView},
    ports::{
        clock::SharedClock,
        payouts::{Ending, PayoutRow, Reserved, SharedPayouts, Token},
        store::StoreError,
        wallet::{Payment, Sent, SharedSigner, SharedWallet, Spend, WalletError},
    },
};

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;
/// Steps of one payout in one round; more than its life has.
const STEPS_MAX: usize = 8;
/// Reservations in one transaction of the database.
const RESERVED_AT_ONCE: usize = 20;

/// What payouts are made with.
#[derive(Clone)]
pub struct Parts {
    /// Where they are kept.
    pub store: SharedPayouts,
    /// The chain's payments.
    pub wallet: SharedWallet,
    /// Who has the keys.
    pub signer: SharedSigner,
    /// Time.
    pub clock: SharedClock,
    /// Who is paid, and how much at a time.
    pub rules: PlanRules,
    /// How deep a transaction must be to be final.
    pub depth: u64,
    /// How long ago payouts were made.
    pub ages: Ages,
}

/// When payouts were made, by the clock that does not step: a wall clock that is set forward must not let the spending
/// limits be used up twice, and one that is set back not keep them used up until it has come to the old time again. What
/// was made before this process began has the age that the wall clock gives it when it is first looked at, none if that
/// lies ahead.
#[derive(Debug, Clone, Default)]
pub struct Ages(Arc<Mutex<BTreeMap<PayoutId, TimeMs>>>);

impl Ages {
    fn locked(&self) -> MutexGuard<'_, BTreeMap<PayoutId, TimeMs>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn made(&self, ids: &[PayoutId], steady: TimeMs) {
        self.locked().extend(ids.iter().map(|id| (*id, steady)));
    }

    /// From which number on payouts are asked for whatever the wall clock says: the first that is younger than a day, or
    /// that was not seen yet.
    fn first(&self, steady: TimeMs) -> Option<PayoutId> {
        let made = self.locked();
        let young = made.iter().find(|(_, at)| steady.since(**at) < DAY_MS).map(|(id, _)| *id);
        young.or_else(|| made.keys().next_back().map(|last| PayoutId(last.0.saturating_add(1))))
    }

    /// What of these counts now.
    fn spent(&self, all: &[Reserved], wall: TimeMs, steady: TimeMs) -> Result<Spent, StoreError> {
        let mut made = self.locked();
        let newest = made.keys().next_back().copied();
        let mut spent = Spent::default();
        for one in all {
            let at = *made.entry(one.id).or_insert_with(|| {
                // Made since the last look, though nobody heard of it: just now.
                let missed = newest.is_some_and(|newest| one.id > newest);
                let age_ms = if missed { 0 } else { wall.since(one.created_at) };
                TimeMs(steady.0.saturating_sub(age_ms))
            });
            let age_ms = steady.since(at);
            for (sum, within_ms) in [(&mut spent.hour, HOUR_MS), (&mut spent.day, DAY_MS)] {
                if age_ms < within_ms {
                    *sum = sum.checked_add(one.amount).ok_or_else(|| StoreError::Corrupt {
                        what: "the payouts of a day are beyond 128 bits".into(),
                    })?;
                }
            }
        }
        // Whatever the wall clock still brings up stays known, or it would be young again.
        made.retain(|id, at| steady.since(*at) < DAY_MS || all.iter().any(|one| one.id == *id));
        Ok(spent)
    }
}

/// Why a round did not get through.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Node, wallet or signer.
    #[error(transparent)]
    Wallet(#[from] WalletError),
}

/// What a round did, as far as it came.
#[derive(Debug, Default)]
pub struct Round {
    /// Payouts that took a step, as they were after it.
    pub changed: Vec<PayoutView>,
    /// Payouts that have not ended.
    pub open: usize,
    /// What is in single payouts' way.
    pub troubles: Vec<InTheWay>,
    /// Payouts that something is in the way of.
    pub failed: BTreeSet<PayoutId>,
    /// Payouts that are neither out nor impossible: another transaction spends what they spend, not deep enough yet.
    pub undecided: BTreeSet<PayoutId>,
}

impl Round {
    /// A payout is looked at (again): what was found about it before is not what is.
    fn look_at(&mut self, payout: PayoutId) {
        self.undecided.remove(&payout);
        if self.failed.remove(&payout) {
            self.troubles.retain(|trouble| trouble.payout != Some(payout));
        }
    }

    fn trouble(&mut self, payout: PayoutId, what: impl std::fmt::Display) {
        // Once, however often a round tries.
        if self.failed.insert(payout) {
            self.troubles.push(InTheWay { payout: Some(payout), what: what.to_string() });
        }
    }
}

/// The one dispatcher of a database.
pub struct Rounds {
    parts: Parts,
    token: Token,
    /// Accounts whose address the chain takes, as long as this process lives.
    good: BTreeSet<Account>,
}

impl Rounds {
    /// Other rules from the next round on.
    pub fn set_rules(&mut self, rules: PlanRules) {
        self.parts.rules = rules;
    }

    /// Becomes the dispatcher.
    ///
    /// # Errors
    /// [`StoreError::InUse`] while another process is it.
    pub async fn take(parts: Parts) -> Result<Self, StoreError> {
        let token = parts.store.take_payouts(parts.clock.now()).await?;
        tracing::info!(
            token,
            wallet = parts.wallet.name(),
            signer = parts.signer.name(),
            "payouts are dispatched here"
        );
        Ok(Self { parts, token, good: BTreeSet::new() })
    }

    fn now(&self) -> TimeMs {
        self.parts.clock.now()
    }

    /// Takes every payout that has not ended as far as it goes now. What was done is in `round`, whatever happens after it.
    ///
    /// # Errors
    /// The first thing that is in the way of all: store, node or wallet.
    pub async fn advance(&mut self, round: &mut Round) -> Result<(), Trouble> {
        let all_held = self.parts.store.held().await?.is_some();
        let open = self.parts.store.open_payouts().await?;
        let mut in_flight: Vec<Spend> = open
            .iter()
            .filter_map(|payout| payout.transaction.as_ref())
            .flat_map(|transaction| transaction.spends.iter().cloned())
            .collect();
        round.open = open.len();
        for mut payout in open {
            let hold = payout.held(all_held);
            round.look_at(payout.id);
            match self.go(&mut payout, hold, &mut in_flight, round).await {
                Ok(()) => {}
                // Of this payout only.
                Err(Trouble::Wallet(error @ (WalletError::Funds { .. } | WalletError::Refused { .. }))) => {
                    round.trouble(payout.id, error);
                }
                Err(trouble) => return Err(trouble),
            }
            if payout.state.is_final() {
                round.open -= 1;
            }
        }
        Ok(())
    }

    async fn go(
        &mut self,
        payout: &mut PayoutRow,
        hold: Hold,
        in_flight: &mut Vec<Spend>,
        round: &mut Round,
    ) -> Result<(), Trouble> {
        for _ in 0..STEPS_MAX {
            let before = payout.state;
            let step = self.step(payout, hold, in_flight, round).await;
            // A step that was recorded was taken, though what came after it may have failed.
            if payout.state != before {
                tracing::info!(payout = payout.id.0, state = payout.state.as_str(), "payout");
                round.changed.push(PayoutView::from(&*payout));
            }
            if !step? {
                break;
            }
        }
        Ok(())
    }

    /// Whether there may be a next step.
    async fn step(
        &mut self,
        payout: &mut PayoutRow,
        hold: Hold,
        in_flight: &mut Vec<Spend>,
        round: &mut Round,
    ) -> Result<bool, Trouble> {
        let view = match &payout.transaction {
            Some(transaction) => Some(self.parts.wallet.view(&transaction.txid, &transaction.spends).await?),
            None => None,
        };
        if matches!(view, Some(ChainView::Replaced { depth }) if depth < self.parts.depth) {
            round.undecided.insert(payout.id);
        }
        match next_action(payout.state, hold, view, self.parts.depth) {
            PayoutAction::Wait => return Ok(false),
            PayoutAction::Sign => match self.sign(payout, in_flight).await {
                Err(Trouble::Wallet(refusal @ WalletError::Refused { .. })) => {
                    self.drop_refused(payout, refusal).await?;
                }
                done => done?,
            },
            PayoutAction::Withdraw => {
                self.end(payout, Ending::Withdrawn("a recipient is held".into())).await?;
            }
            PayoutAction::Send => {
                self.record(payout, PayoutEvent::Sent, "sent").await?;
                self.send(payout, round).await?;
            }
            PayoutAction::SendAgain => {
                self.send(payout, round).await?;
                return Ok(false);
            }
            PayoutAction::Record(event) => {
                let detail = match event {
                    PayoutEvent::InBlock => "in a block",
                    PayoutEvent::Vanished => "its block left the chain",
                    _ => "seen on its way",
                };
                self.record(payout, event, detail).await?;
            }
            PayoutAction::Settle => {
                let fee = payout.transaction.as_ref().map_or(Amount::ZERO, |transaction| transaction.fee);
                self.end(payout, Ending::Settled { fee }).await?;
            }
            PayoutAction::Return => {
                let why = format!("another transaction, {} deep, spends what it spends", self.parts.depth);
                self.end(payout, Ending::Impossible(why)).await?;
            }
        }
        Ok(true)
    }

    /// Builds, has it signed, makes sure that it is what was asked for, and persists it. Nothing is sent here.
    async fn sign(&self, payout: &mut PayoutRow, in_flight: &mut Vec<Spend>) -> Result<(), Trouble> {
        let payment = Payment { payout: payout.id, recipients: payout.items.clone() };
        let unsigned = self.parts.wallet.prepare(&payment, in_flight, self.parts.depth).await?;
        let bytes = self.parts.signer.sign(&payment, &unsigned).await?;
        let signed = self.parts.wallet.read(&payment, &unsigned, &bytes).map_err(|what| {
            let signer = self.parts.signer.name();
            WalletError::Refused {
                what: format!("{signer} signed another transaction than it was asked to: {what}"),
            }
        })?;
        self.parts.store.record_signed(self.token, self.now(), payout.id, signed.clone()).await?;
        in_flight.extend(signed.spends.iter().cloned());
        payout.transaction = Some(signed);
        payout.state = after(payout, PayoutEvent::Signed)?;
        Ok(())
    }

    /// Nothing was signed because the chain refuses a recipient, though it took its address before: that one is set aside,
    /// and the others are paid by the next plan. Any other refusal stays what it is.
    async fn drop_refused(&mut self, payout: &mut PayoutRow, refusal: WalletError) -> Result<(), Trouble> {
        let mut refused = Vec::new();
        for (account, _) in &payout.items {
            if let Err(why) = self.parts.wallet.check_address(account).await? {
                refused.push((account.clone(), why));
            }
        }
        if refused.is_empty() {
            return Err(refusal.into());
        }
        let mut reasons = Vec::new();
        for (account, why) in refused {
            self.good.remove(&account);
            reasons.push(format!("the chain refuses {account}: {why}"));
            self.parts.store.set_aside(self.token, self.now(), account, why).await?;
        }
        self.end(payout, Ending::Withdrawn(reasons.join("; "))).await
    }

    async fn record(&self, payout: &mut PayoutRow, event: PayoutEvent, detail: &str) -> Result<(), Trouble> {
        let next = after(payout, event)?;
        self.parts.store.record_step(self.token, self.now(), payout.id, event, detail.to_owned()).await?;
        payout.state = next;
        Ok(())
    }

    async fn end(&self, payout: &mut PayoutRow, ending: Ending) -> Result<(), Trouble> {
        let next = after(payout, ending.event())?;
        payout.reason = match &ending {
            Ending::Settled { .. } => None,
            Ending::Withdrawn(why) | Ending::Impossible(why) => Some(why.clone()),
        };
        self.parts.store.end(self.token, self.now(), payout.id, ending).await?;
        payout.state = next;
        Ok(())
    }

    /// Sends the persisted bytes, for the first time or again.
    async fn send(&self, payout: &PayoutRow, round: &mut Round) -> Result<(), Trouble> {
        let Some(transaction) = &payout.transaction else { return Ok(()) };
        if let Sent::Refused(words) = self.parts.wallet.broadcast(&transaction.bytes).await? {
            round.trouble(payout.id, format_args!("the node does not take it now: {words}"));
        }
        Ok(())
    }

    /// Chooses who is paid and sets the amounts aside; [`Self::advance`] does the rest.
    ///
    /// # Errors
    /// What is in the way.
    pub async fn reserve(&mut self) -> Result<Outlook, Trouble> {
        let outlook = self.outlook().await?;
        if outlook.held.is_some() {
            return Ok(outlook);
        }
        for payouts in outlook.plan.payouts.chunks(RESERVED_AT_ONCE) {
            let ids = self.parts.store.reserve(self.token, self.now(), payouts.to_vec()).await?;
            self.parts.ages.made(&ids, self.parts.clock.steady());
        }
        Ok(outlook)
    }

    /// What is to be paid; who can't be is set aside.
    async fn outlook(&mut self) -> Result<Outlook, Trouble> {
        let outlook = look(&self.parts, &mut self.good).await?;
        if outlook.held.is_none() {
            for (account, _, why) in &outlook.refused {
                tracing::warn!(%account, "an account is set aside, the chain refuses its address: {why}");
                self.parts.store.set_aside(self.token, self.now(), account.clone(), why.clone()).await?;
            }
        }
        Ok(outlook)
    }
}

/// Says what would be paid now, and changes nothing but `good`, the accounts whose address the chain is known to take.
///
/// # Errors
/// What is in the way.
pub async fn look(parts: &Parts, good: &mut BTreeSet<Account>) -> Result<Outlook, Trouble> {
    let now = parts.clock.now();
    let held = parts.store.held().await?;
    let steady = parts.clock.steady();
    let day_from = TimeMs(now.0.saturating_sub(DAY_MS));
    let reserved = parts.store.reserved(day_from, parts.ages.first(steady)).await?;
    let spent = parts.ages.spent(&reserved, now, steady)?;
    let (mut takeable, mut refused) = (Vec::new(), Vec::new());
    for candidate in parts.store.candidates(parts.rules.threshold).await? {
        if !good.contains(&candidate.account) {
            if let Err(why) = parts.wallet.check_address(&candidate.account).await? {
                refused.push((candidate.account, candidate.confirmed, why));
                continue;
            }
            good.insert(candidate.account.clone());
        }
        takeable.push(candidate);
    }
    Ok(Outlook { plan: plan(takeable, &parts.rules, spent), refused, spent, held })
}

fn after(payout: &PayoutRow, event: PayoutEvent) -> Result<pool_domain::payout::PayoutState, Trouble> {
    payout
        .state
        .after(event)
        .map_err(|error| StoreError::Corrupt { what: format!("payout {}: {error}", payout.id) }.into())
}
