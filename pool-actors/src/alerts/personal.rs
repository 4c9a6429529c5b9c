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
//!
//! | file | holds |
//! |---|---|
//! | `deliver` | messages on their way to people |
//! | `payouts` | payouts that were sent: each is told once |
//! | `sessions` | what is shown on sessions, and the wishes that they send |

mod deliver;
mod payouts;
mod sessions;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use actix::{
    Actor, ActorFutureExt as _, AsyncContext as _, Context, Handler, StreamHandler, WrapFuture as _,
};
use futures_util::stream;
use pool_domain::{
    ids::{Account, BlockHash, SessionId},
    maturity::BlockStatus,
    units::TimeMs,
};
use serde::Serialize;
use tokio::sync::{Semaphore, broadcast::error::RecvError};

use super::watch::{News, Told, Watch};
use crate::{
    messages::{
        event::PoolEvent,
        live::{Events, PoolSnapshot},
        session::{ListNotices, Listening, ShowTexts},
    },
    ports::{
        clock::SharedClock,
        personal::{PersonalRow, SentPayout, SharedMessenger, Wishes},
        store::StoreError,
        users::SharedUsers,
    },
    runtime::{
        observe::{Observation, Observe},
        outbox::Outbox,
        watch::Watched,
    },
};

use payouts::sent;

/// Messages on the wire.
const UNDER_WAY_MAX: usize = 64;
/// Sessions that are told.
const LISTENING_MAX: usize = 1_000;
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

impl Handler<Observe> for MinerAlerts {
    type Result = Observation;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Observation {
        Observation::of(&Counts { waiting: self.waiting, ..self.counts.clone() })
    }
}
