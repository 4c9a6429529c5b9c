//! MinerAlerts: tells people what happens to addresses that they have claimed, and miners what happens to their account.
//!
//! * **receives** events from the hub (blocks), [`BringNow`], [`Observe`]; looks at the live figures, at payouts that were
//!   sent, and at sessions that want to hear, every so often
//! * **sends** texts to sessions; brings messages over each person's own channels
//! * **supervised by** the factory supervisor; a new one expects the workers that the database says were here, and tells of
//!   payouts that nobody was told of
//! * **on overload** messages beyond an account's number in an hour, or beyond what may be under way, are dropped and counted
//!
//! What is told of figures is decided by [`Watch`](super::watch::Watch).

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use actix::{
    Actor, ActorFutureExt as _, AsyncContext as _, Context, Handler, ResponseFuture, StreamHandler,
    WrapFuture as _,
};
use futures_util::stream;
use pool_domain::{
    ids::{Account, BlockHash, SessionId},
    maturity::BlockStatus,
    units::TimeMs,
};
use serde::Serialize;
use tokio::sync::{Semaphore, broadcast::error::RecvError};

use super::{
    courier::{FAILURES_MAX, pause},
    watch::{News, Told, Watch},
};
use crate::{
    messages::{
        alert::BringNow,
        event::PoolEvent,
        live::{Events, PoolSnapshot},
        session::{ListNotices, Listening, ShowTexts},
    },
    metrics::NOTIFICATIONS_TOTAL,
    ports::{
        clock::SharedClock,
        notifier::NotifyError,
        personal::{PersonalMessage, PersonalRow, SentPayout, SharedMessenger, Target, Wishes, digest},
        store::StoreError,
        users::SharedUsers,
    },
    runtime::{
        observe::{Observation, Observe},
        outbox::Outbox,
        watch::Watched,
    },
};

/// Messages under way or waiting for another try; of one user.
const WAITING_MAX: usize = 2_000;
const WAITING_OF_USER_MAX: usize = 16;
/// Of these, on the wire.
const UNDER_WAY_MAX: usize = 64;
/// Sessions that are told.
const LISTENING_MAX: usize = 1_000;
/// Lines of payouts that the database gives at once.
const PAYOUTS_MAX: usize = 10_000;
/// Blocks that are remembered, so that each is told once.
const BLOCKS_MAX: usize = 1_000;
const HOUR_MS: u64 = 3_600_000;

/// What the actor works with.
#[derive(Clone)]
pub struct Parts {
    /// Name of the pool.
    pub pool: String,
    /// Pause between two looks.
    pub every: Duration,
    /// Messages about an account in an hour.
    pub per_hour_max: usize,
    /// Digits behind the point of the currency, and its sign.
    pub currency: (u8, &'static str),
    /// Payouts are sent by this process: it tells of them, and no other that shares its database.
    pub payouts: bool,
    /// Who wants to hear what.
    pub users: SharedUsers,
    /// The live figures.
    pub snapshot: Watched<PoolSnapshot>,
    /// Everything that happens here.
    pub events: Events,
    /// How it is brought.
    pub messenger: SharedMessenger,
    /// Which sessions want to hear.
    pub notices: Vec<Outbox<ListNotices>>,
    /// How they are told.
    pub show: Vec<Outbox<ShowTexts>>,
    /// Time.
    pub clock: SharedClock,
}

/// Who is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Audience {
    /// Whoever has claimed the account.
    Owner,
    /// A session.
    Session(SessionId),
}

/// A message on its way.
struct Parcel {
    user: String,
    target: Target,
    message: PersonalMessage,
    failures: u32,
    /// Of a payout: it counts as told once all that are told of it were, or can't be.
    of_payout: bool,
}

/// What a look found.
struct Found {
    rows: Result<Vec<PersonalRow>, StoreError>,
    listening: Vec<Listening>,
    payouts: Option<Result<(u64, Vec<SentPayout>), StoreError>>,
}

/// See the module's documentation.
pub struct MinerAlerts {
    parts: Parts,
    rows: Vec<PersonalRow>,
    listening: Vec<Listening>,
    watches: HashMap<String, Watch>,
    told: HashMap<(String, Audience), Told>,
    /// Of the last hour; of blocks apart, which are many where they come by the second, and must crowd out nothing.
    sent: HashMap<(String, Audience, bool), VecDeque<TimeMs>>,
    blocks: VecDeque<BlockHash>,
    under_way: Arc<Semaphore>,
    waiting: usize,
    waiting_of: BTreeMap<String, usize>,
    /// To be shown on sessions.
    texts: Vec<(SessionId, String)>,
    is_looking: bool,
    /// The step up to which people were told of payouts, once known.
    payouts_told: Option<u64>,
    /// Up to which they are being told, and how many messages of that are left.
    payouts_under_way: Option<(u64, usize)>,
    counts: Counts,
}

#[derive(Debug, Default, Clone, Serialize)]
struct Counts {
    accounts: usize,
    sessions: usize,
    told: u64,
    limited: u64,
    waiting: usize,
}

fn count(outcome: &'static str) {
    metrics::counter!(NOTIFICATIONS_TOTAL, "kind" => "personal", "outcome" => outcome).increment(1);
}

impl MinerAlerts {
    /// One that has not looked yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self {
            parts,
            rows: Vec::new(),
            listening: Vec::new(),
            watches: HashMap::new(),
            told: HashMap::new(),
            sent: HashMap::new(),
            blocks: VecDeque::new(),
            under_way: Arc::new(Semaphore::new(UNDER_WAY_MAX)),
            waiting: 0,
            waiting_of: BTreeMap::new(),
            texts: Vec::new(),
            is_looking: false,
            payouts_told: None,
            payouts_under_way: None,
            counts: Counts::default(),
        }
    }

    fn ask(&mut self, context: &mut Context<Self>) {
        if std::mem::replace(&mut self.is_looking, true) {
            return;
        }
        let (users, hubs) = (Arc::clone(&self.parts.users), self.parts.notices.clone());
        let after = (self.parts.payouts && self.payouts_under_way.is_none()).then_some(self.payouts_told);
        let asked = async move {
            let rows = users.personal_all().await;
            let mut listening = Vec::new();
            for hub in hubs {
                listening.extend(hub.ask(ListNotices).await.unwrap_or_default());
            }
            listening.truncate(LISTENING_MAX);
            let payouts = match after {
                Some(after) => Some(sent(&users, after).await),
                None => None,
            };
            Found { rows, listening, payouts }
        };
        context.spawn(asked.into_actor(self).map(|found, actor, context| {
            actor.is_looking = false;
            actor.look(found, context);
        }));
    }

    fn look(&mut self, found: Found, context: &mut Context<Self>) {
        // Who is told stays as it was while the database is away; the figures go on.
        if let Ok(rows) = found.rows {
            self.rows = rows;
        }
        self.listening = found.listening;
        self.obey_keys(context);
        self.forget();
        let (rows, listening) = (self.rows.clone(), self.listening.clone());
        self.look_at_figures(&rows, &listening, context);
        self.keep_workers(&rows, context);
        match found.payouts {
            Some(Ok((after, payouts))) => {
                self.payouts_told.get_or_insert(after);
                self.tell_of_payouts(&rows, &listening, payouts, context);
            }
            Some(Err(error)) => tracing::debug!(%error, "payouts can't be told of just now"),
            None => {}
        }
        (self.counts.accounts, self.counts.sessions) = (rows.len(), listening.len());
        self.say();
    }

    /// What nobody wants to hear of any more.
    fn forget(&mut self) {
        let now = self.parts.clock.steady();
        let mut audiences: BTreeSet<&str> = self.rows.iter().map(|row| row.account.as_str()).collect();
        let sessions: HashMap<SessionId, &str> =
            self.listening.iter().map(|session| (session.session, session.account.as_str())).collect();
        let owners = audiences.clone();
        audiences.extend(sessions.values());
        self.watches.retain(|account, _| audiences.contains(account.as_str()));
        self.told.retain(|(account, audience), _| match audience {
            Audience::Owner => owners.contains(account.as_str()),
            Audience::Session(id) => sessions.contains_key(id),
        });
        self.sent.retain(|_, sent| sent.back().is_some_and(|last| now.since(*last) < HOUR_MS));
    }

    fn look_at_figures(
        &mut self,
        rows: &[PersonalRow],
        listening: &[Listening],
        context: &mut Context<Self>,
    ) {
        let now = self.parts.clock.steady();
        let snapshot = self.parts.snapshot.load();
        let mut looked = BTreeSet::new();
        let expected = rows.iter().map(|row| (row.account.as_str(), row.workers.as_slice()));
        let others = listening.iter().map(|session| (session.account.as_str(), [].as_slice()));
        for (name, workers) in expected.chain(others).filter(|(name, _)| looked.insert((*name).to_owned())) {
            let Ok(account) = Account::new(name) else { continue };
            let miner = snapshot.miners.find(&account);
            let watch = self.watches.entry(name.to_owned()).or_insert_with(|| Watch::expecting(workers, now));
            watch.look(now, miner.as_ref());
        }
        for row in rows {
            let news = self.news(&row.account, Audience::Owner, now, &row.settings.wishes);
            self.tell(row, &news, None, context);
        }
        for session in listening {
            let audience = Audience::Session(session.session);
            let news = self.news(&session.account, audience, now, &session.wishes);
            self.show(session, &news);
        }
        self.watches.values_mut().for_each(Watch::settle);
    }

    fn news(&mut self, account: &str, audience: Audience, now: TimeMs, wishes: &Wishes) -> Vec<News> {
        let Some(watch) = self.watches.get(account) else { return Vec::new() };
        watch.news(now, wishes, self.told.entry((account.to_owned(), audience)).or_default())
    }

    /// Whether one more message may be sent this hour.
    fn may(&mut self, account: &str, audience: Audience, kind: &str) -> bool {
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
    fn tell(
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

    /// Once everybody was told of the payouts under way, they count as told.
    fn payouts_end(&mut self, context: &mut Context<Self>) {
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

    fn tell_of_payouts(
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

    /// Workers are kept whose coming back is waited for, so that a restart of the pool is no way to miss that they don't.
    fn keep_workers(&self, rows: &[PersonalRow], context: &mut Context<Self>) {
        let mut changed = Vec::new();
        for row in rows.iter().filter(|row| row.settings.wishes.worker_offline_minutes > 0) {
            let Some(watch) = self.watches.get(&row.account) else { continue };
            let expected = watch.expected(self.told.get(&(row.account.clone(), Audience::Owner)));
            if expected != row.workers {
                changed.push((row.account.clone(), row.user.clone(), expected));
            }
        }
        let users = Arc::clone(&self.parts.users);
        let keep = async move {
            for (account, user, workers) in changed {
                if let Err(error) = users.set_personal_workers(account, user, workers).await {
                    return tracing::debug!(%error, "who was connected can't be kept just now");
                }
            }
        };
        context.spawn(keep.into_actor(self));
    }

    /// Shows texts on a miner.
    fn show(&mut self, session: &Listening, news: &[News]) {
        let Some(first) = news.first().filter(|_| session.shows) else { return };
        if !self.may(&session.account, Audience::Session(session.session), first.kind) {
            return;
        }
        for news in news {
            self.texts.push((session.session, format!("{}: {}", session.account, news.text)));
        }
    }

    /// In one message to each hub: they must not crowd out its jobs.
    fn say(&mut self) {
        if self.texts.is_empty() {
            return;
        }
        let texts: Arc<[_]> = std::mem::take(&mut self.texts).into();
        for hub in &self.parts.show {
            hub.offer(ShowTexts(Arc::clone(&texts)));
        }
    }

    /// Sessions that showed an account's password for this change what its owner hears of.
    fn obey_keys(&mut self, context: &mut Context<Self>) {
        for session in &self.listening {
            let Some(key) = session.key.as_deref().map(digest) else { continue };
            let id = session.session;
            let row = self.rows.iter().find(|row| row.account == session.account);
            let row = row.filter(|row| row.settings.key.as_ref() == Some(&key));
            let Some(row) = row.filter(|_| session.wishes.check().is_ok()) else {
                let text = "notifications: the password is not the account's; they are this connection's";
                self.texts.push((id, text.to_owned()));
                continue;
            };
            let (account, user, mut settings) = (row.account.clone(), row.user.clone(), row.settings.clone());
            settings.wishes = session.wishes;
            let (users, at) = (Arc::clone(&self.parts.users), self.parts.clock.now());
            let kept = async move { users.set_personal(at, account, user, settings).await };
            context.spawn(kept.into_actor(self).map(move |kept, actor, _| {
                let text = match kept {
                    Ok(true) => "notifications: kept for the account",
                    _ => "notifications: they could not be kept for the account just now; ask again",
                };
                actor.texts.push((id, text.to_owned()));
                actor.say();
            }));
        }
    }
}

/// Payouts that were sent after a step; all of the last one's, or none of it.
async fn sent(users: &SharedUsers, after: Option<u64>) -> Result<(u64, Vec<SentPayout>), StoreError> {
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

/// A block of an account was accepted.
struct BlockFound {
    account: String,
    worker: String,
    hash: BlockHash,
}

impl Actor for MinerAlerts {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.run_interval(self.parts.every, Self::ask);
        let live = self.parts.events.subscribe(None).live;
        context.add_stream(stream::unfold(live, |mut live| async move {
            loop {
                match live.recv().await {
                    Ok(event) => {
                        let PoolEvent::Block(block) = &event.event else { continue };
                        if !block.ours || block.status != Some(BlockStatus::Accepted) {
                            continue;
                        }
                        let Some(account) = block.account.clone() else { continue };
                        let worker = block.worker.clone().unwrap_or_default();
                        return Some((BlockFound { account, worker, hash: block.hash }, live));
                    }
                    Err(RecvError::Lagged(events)) => {
                        tracing::warn!(events, "personal alerts missed these events");
                    }
                    Err(RecvError::Closed) => return None,
                }
            }
        }));
    }
}

impl StreamHandler<BlockFound> for MinerAlerts {
    fn handle(&mut self, found: BlockFound, context: &mut Self::Context) {
        if self.blocks.contains(&found.hash) {
            return;
        }
        self.blocks.push_back(found.hash);
        if self.blocks.len() > BLOCKS_MAX {
            self.blocks.pop_front();
        }
        let by = if found.worker.is_empty() { String::new() } else { format!(", by {}", found.worker) };
        let news = News { kind: "block", text: format!("a block was found{by}: {}", found.hash) };
        let (rows, listening) = (self.rows.clone(), self.listening.clone());
        for row in rows.iter().filter(|row| row.account == found.account && row.settings.wishes.block) {
            self.tell(row, std::slice::from_ref(&news), None, context);
        }
        for session in listening.iter().filter(|one| one.account == found.account && one.wishes.block) {
            self.show(session, std::slice::from_ref(&news));
        }
        self.say();
    }

    /// The pool ends, and the supervisor ends the actor.
    fn finished(&mut self, _: &mut Self::Context) {}
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

impl Handler<Observe> for MinerAlerts {
    type Result = Observation;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Observation {
        Observation::of(&Counts { waiting: self.waiting, ..self.counts.clone() })
    }
}
