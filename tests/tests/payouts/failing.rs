//! Ports that fail at a chosen call: before it is done, or after it was done but before its answer came.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use pool_actors::{
    ledger::payout_rounds::Parts,
    ports::{
        payouts::{
            AccountTerms, Ending, PayoutAudit, PayoutQuery, PayoutRow, PayoutStep, PayoutStore, Reserved,
            Scope, SharedPayouts, Token,
        },
        store::StoreError,
        wallet::{
            Paid, Payment, Sent, SharedSigner, SharedWallet, Signed, SignerPort, Spend, Unsigned,
            WalletError, WalletPort,
        },
    },
};
use pool_domain::{
    ids::{Account, PayoutId},
    payout::{ChainView, PayoutEvent},
    payout_plan::{Candidate, ChainLimits},
    units::{Amount, TimeMs},
};

/// Where the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Before the call has any effect.
    Before,
    /// After it, before its answer.
    After,
}

/// Counts calls; the chosen one kills, and whatever is tried after it has no effect: the process is dead.
pub(crate) struct Fuse {
    left: AtomicU64,
    moment: Moment,
}

const DEAD: &str = "the process is dead";

impl Fuse {
    /// Blows at call number `call`, from 1.
    pub(crate) fn at(call: u64, moment: Moment) -> Arc<Self> {
        Arc::new(Self { left: AtomicU64::new(call), moment })
    }

    pub(crate) fn blown(&self) -> bool {
        self.left.load(Ordering::SeqCst) == 0
    }

    /// `work` as far as the process lives.
    async fn through<T, E>(&self, work: impl Future<Output = Result<T, E>>, dead: E) -> Result<T, E> {
        if self.blown() {
            return Err(dead);
        }
        let dies = self.left.fetch_sub(1, Ordering::SeqCst) == 1;
        if dies && self.moment == Moment::Before {
            return Err(dead);
        }
        let done = work.await;
        if dies { Err(dead) } else { done }
    }

    /// The same ports, with this fuse in all of them.
    pub(crate) fn wired(self: &Arc<Self>, parts: Parts) -> Parts {
        let fuse = || Arc::clone(self);
        Parts {
            store: Arc::new(Store(parts.store, fuse())),
            wallet: Arc::new(Wallet(parts.wallet, fuse())),
            signer: Arc::new(Signer(parts.signer, fuse())),
            ..parts
        }
    }
}

struct Store(SharedPayouts, Arc<Fuse>);

impl Store {
    async fn through<T>(&self, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        self.1.through(work, StoreError::Unavailable { what: DEAD.into() }).await
    }
}

#[async_trait]
impl PayoutStore for Store {
    async fn take_payouts(&self, at: TimeMs) -> Result<Token, StoreError> {
        self.through(self.0.take_payouts(at)).await
    }

    async fn candidates(&self, threshold: Amount) -> Result<Vec<Candidate>, StoreError> {
        self.0.candidates(threshold).await
    }

    async fn reserved(&self, from: TimeMs, first: Option<PayoutId>) -> Result<Vec<Reserved>, StoreError> {
        self.0.reserved(from, first).await
    }

    async fn held(&self) -> Result<Option<String>, StoreError> {
        self.0.held().await
    }

    async fn open_payouts(&self) -> Result<Vec<PayoutRow>, StoreError> {
        self.0.open_payouts().await
    }

    async fn reserve(
        &self,
        token: Token,
        at: TimeMs,
        payouts: Vec<Vec<(Account, Amount)>>,
    ) -> Result<Vec<PayoutId>, StoreError> {
        self.through(self.0.reserve(token, at, payouts)).await
    }

    async fn record_signed(
        &self,
        token: Token,
        at: TimeMs,
        id: PayoutId,
        signed: Signed,
    ) -> Result<(), StoreError> {
        self.through(self.0.record_signed(token, at, id, signed)).await
    }

    async fn record_step(
        &self,
        token: Token,
        at: TimeMs,
        id: PayoutId,
        event: PayoutEvent,
        detail: String,
    ) -> Result<(), StoreError> {
        self.through(self.0.record_step(token, at, id, event, detail)).await
    }

    async fn end(&self, token: Token, at: TimeMs, id: PayoutId, ending: Ending) -> Result<(), StoreError> {
        self.through(self.0.end(token, at, id, ending)).await
    }

    async fn set_aside(
        &self,
        token: Token,
        at: TimeMs,
        account: Account,
        reason: String,
    ) -> Result<(), StoreError> {
        self.through(self.0.set_aside(token, at, account, reason)).await
    }

    async fn hold(
        &self,
        at: TimeMs,
        scope: Scope,
        reason: Option<String>,
        by: String,
    ) -> Result<(), StoreError> {
        self.0.hold(at, scope, reason, by).await
    }

    async fn set_threshold(
        &self,
        at: TimeMs,
        account: Account,
        threshold: Option<Amount>,
        by: String,
    ) -> Result<(), StoreError> {
        self.0.set_threshold(at, account, threshold, by).await
    }

    async fn terms(&self, account: Account) -> Result<AccountTerms, StoreError> {
        self.0.terms(account).await
    }

    async fn all_terms(&self) -> Result<Vec<(Account, AccountTerms)>, StoreError> {
        self.0.all_terms().await
    }

    async fn payouts(&self, query: PayoutQuery) -> Result<Vec<PayoutRow>, StoreError> {
        self.0.payouts(query).await
    }

    async fn payout(&self, id: PayoutId) -> Result<Option<(PayoutRow, Vec<PayoutStep>)>, StoreError> {
        self.0.payout(id).await
    }

    async fn payout_audit(&self, before: Option<u64>, limit: usize) -> Result<Vec<PayoutAudit>, StoreError> {
        self.0.payout_audit(before, limit).await
    }
}

fn dead() -> WalletError {
    WalletError::Unavailable { what: DEAD.into() }
}

struct Wallet(SharedWallet, Arc<Fuse>);

#[async_trait]
impl WalletPort for Wallet {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn limits(&self) -> ChainLimits {
        self.0.limits()
    }

    fn depth(&self) -> u64 {
        self.0.depth()
    }

    async fn check_address(&self, account: &Account) -> Result<Result<(), String>, WalletError> {
        self.0.check_address(account).await
    }

    async fn prepare(
        &self,
        payment: &Payment,
        in_flight: &[Spend],
        depth: u64,
    ) -> Result<Unsigned, WalletError> {
        self.0.prepare(payment, in_flight, depth).await
    }

    fn read(&self, payment: &Payment, unsigned: &Unsigned, bytes: &[u8]) -> Result<Signed, String> {
        self.0.read(payment, unsigned, bytes)
    }

    async fn broadcast(&self, bytes: &[u8]) -> Result<Sent, WalletError> {
        self.1.through(self.0.broadcast(bytes), dead()).await
    }

    async fn view(&self, txid: &str, spends: &[Spend]) -> Result<ChainView, WalletError> {
        self.0.view(txid, spends).await
    }

    async fn paid(&self, txid: &str, accounts: &[Account]) -> Result<Option<Paid>, WalletError> {
        self.0.paid(txid, accounts).await
    }
}

struct Signer(SharedSigner, Arc<Fuse>);

#[async_trait]
impl SignerPort for Signer {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    async fn sign(&self, payment: &Payment, unsigned: &Unsigned) -> Result<Vec<u8>, WalletError> {
        self.1.through(self.0.sign(payment, unsigned), dead()).await
    }
}
