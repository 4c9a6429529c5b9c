//! Sessions: each log-in is one, and each trade of its refresh token makes the next generation of it. They live in the cache,
//! where pools that share one see them.
//!
//! A refresh token that comes twice was copied: by whom can't be known, so the whole session ends.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::try_join_all;
use pool_domain::units::TimeMs;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::ports::{
    cache::{Cache, CacheError},
    users::{Role, UserRow},
};

/// How long one trade keeps others of the same token out; past it, the session's own record does.
const TRADE: Duration = Duration::from_secs(60);
/// Sessions of one user at once; the oldest makes room.
const PER_USER_MAX: usize = 20;
/// How often what ended by itself is taken off the list of all.
const SWEEP: Duration = Duration::from_secs(3_600);
/// Trades that came to nothing and are remembered; past it all are forgotten.
const UNDONE_MAX: usize = 10_000;

/// A log-in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Whose: the id.
    pub user: String,
    /// Whose: the name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Which refresh token is the one in force.
    pub generation: u64,
    /// Good for nothing but setting up a second factor.
    pub setup: bool,
    /// Of the password that it began with; another one ends it. None in what an earlier version began.
    #[serde(default)]
    pub stamp: Option<Stamp>,
    /// Where it began.
    pub address: Option<String>,
    /// What it began with.
    pub agent: Option<String>,
    /// When it began.
    pub created_at: TimeMs,
    /// Its last trade.
    pub seen_at: TimeMs,
    /// It ends then, whatever happens.
    pub ends_at: TimeMs,
}

/// Part of the SHA-256 of a password's hash: tells one password from another, and nothing of either.
pub(super) type Stamp = [u8; 16];

/// The stamp of a password's hash.
pub(super) fn stamp(password_hash: &str) -> Stamp {
    let digest: [u8; 32] = Sha256::digest(password_hash.as_bytes()).into();
    std::array::from_fn(|at| digest[at])
}

/// See the module's documentation.
#[derive(Debug, Clone)]
pub(super) struct Sessions {
    cache: Cache,
    idle: Duration,
    longest: Duration,
    undone: Undone,
}

/// Trades that began here and handed out no pair: the cache failed, or whoever asked hung up. Their tokens are good once more.
type Undone = Arc<Mutex<HashSet<(String, u64)>>>;

/// A trade under way. If it is dropped before it is [`Trade::done`], it never was.
#[derive(Debug)]
pub(super) struct Trade {
    undone: Undone,
    token: Option<(String, u64)>,
}

impl Trade {
    fn done(mut self) {
        self.token = None;
    }
}

impl Drop for Trade {
    fn drop(&mut self) {
        let Some(token) = self.token.take() else { return };
        let mut undone = self.undone.lock().unwrap_or_else(PoisonError::into_inner);
        if undone.len() >= UNDONE_MAX {
            undone.clear();
        }
        undone.insert(token);
    }
}

/// What became of a trade.
#[derive(Debug)]
pub(super) enum Traded {
    /// The session as it is now, to be written down by [`Sessions::go_on`].
    Next(Box<Session>, Trade),
    /// There is no such session any more.
    Ended,
    /// The token was traded before: the session was ended.
    Reused(Box<Session>),
}

/// 128 random bits.
#[must_use]
pub(super) fn fresh_id() -> String {
    hex::encode(rand::random::<[u8; 16]>())
}

impl Sessions {
    /// In this cache; a session ends unused after `idle`, and after `longest` in any case.
    #[must_use]
    pub(super) fn new(cache: Cache, idle: Duration, longest: Duration) -> Self {
        Self { cache, idle: idle.min(longest), longest, undone: Undone::default() }
    }

    /// How long a refresh token is good.
    #[must_use]
    pub(super) fn idle(&self) -> Duration {
        self.idle
    }

    fn lives(&self, session: &Session, now: TimeMs) -> Duration {
        self.idle.min(Duration::from_millis(session.ends_at.0.saturating_sub(now.0)))
    }

    async fn keep(&self, id: &str, session: &Session, now: TimeMs) -> Result<(), CacheError> {
        self.cache.put_session(id, session, self.lives(session, now)).await
    }

    /// Begins one. Its id was never used before.
    ///
    /// # Errors
    /// [`CacheError`], as all calls.
    pub(super) async fn begin(
        &self,
        user: &UserRow,
        setup: bool,
        address: Option<String>,
        agent: Option<String>,
        now: TimeMs,
    ) -> Result<(String, Session), CacheError> {
        let gone = self.make_room(&user.id).await?;
        if self.cache.count("sessions:sweep", SWEEP).await?.count == 1 {
            self.sweep().await?;
        }
        let id = fresh_id();
        let session = Session {
            user: user.id.clone(),
            name: user.username.clone(),
            role: user.role,
            generation: 1,
            setup,
            stamp: Some(stamp(&user.password_hash)),
            address,
            agent,
            created_at: now,
            seen_at: now,
            ends_at: TimeMs(
                now.0.saturating_add(u64::try_from(self.longest.as_millis()).unwrap_or(u64::MAX)),
            ),
        };
        self.keep(&id, &session, now).await?;
        self.list(&id, &session, gone).await?;
        Ok((id, session))
    }

    /// Ends a user's oldest sessions where there are too many; those that are off their list.
    async fn make_room(&self, user: &str) -> Result<Vec<String>, CacheError> {
        let listed: BTreeMap<String, Session> = self.cache.sessions_of(user).await?;
        if listed.len() < PER_USER_MAX {
            return Ok(Vec::new());
        }
        let (alive, mut gone) = self.sorted_out(listed).await?;
        let mut own: Vec<(TimeMs, String)> =
            alive.into_iter().map(|(id, session)| (session.seen_at, id)).collect();
        own.sort_unstable();
        let too_many = (own.len() + 1).saturating_sub(PER_USER_MAX);
        for (_, id) in own.into_iter().take(too_many) {
            self.end(&id).await?;
            gone.push(id);
        }
        Ok(gone)
    }

    /// Those of a list that live, and the names of those that don't.
    async fn sorted_out(
        &self,
        listed: BTreeMap<String, Session>,
    ) -> Result<(Vec<(String, Session)>, Vec<String>), CacheError> {
        let (mut alive, mut gone) = (Vec::new(), Vec::new());
        let mut listed: Vec<String> = listed.into_keys().collect();
        while !listed.is_empty() {
            let some = listed.split_off(listed.len().saturating_sub(100));
            let found = try_join_all(some.iter().map(|id| self.alive(id))).await?;
            for (id, session) in some.into_iter().zip(found) {
                match session {
                    Some(session) => alive.push((id, session)),
                    None => gone.push(id),
                }
            }
        }
        Ok((alive, gone))
    }

    /// Takes what ended by itself off the list of all.
    async fn sweep(&self) -> Result<(), CacheError> {
        let (_, gone) = self.sorted_out(self.cache.sessions().await?).await?;
        if gone.is_empty() {
            return Ok(());
        }
        self.cache.change_sessions::<Session>(None, None, gone, rand::random(), self.longest).await
    }

    /// Writes a session into both lists, and takes others off that of its user.
    async fn list(&self, id: &str, session: &Session, gone: Vec<String>) -> Result<(), CacheError> {
        let (all, own) = tokio::join!(
            self.cache.change_sessions(None, Some((id, session)), vec![], rand::random(), self.longest),
            self.cache.change_sessions(
                Some(&session.user),
                Some((id, session)),
                gone,
                rand::random(),
                self.longest
            ),
        );
        all.and(own)
    }

    /// A session that has not ended.
    ///
    /// # Errors
    /// [`CacheError`].
    pub(super) async fn alive(&self, id: &str) -> Result<Option<Session>, CacheError> {
        let (session, revoked) = tokio::join!(self.cache.session(id), self.cache.is_revoked(id));
        Ok(if revoked? { None } else { session? })
    }

    /// Trades the refresh token of `generation` for the next one.
    ///
    /// # Errors
    /// [`CacheError`].
    pub(super) async fn trade(&self, id: &str, generation: u64, now: TimeMs) -> Result<Traded, CacheError> {
        let Some(mut session) = self.alive(id).await? else { return Ok(Traded::Ended) };
        if session.ends_at <= now {
            self.end(id).await?;
            return Ok(Traded::Ended);
        }
        let token = (id.to_owned(), generation);
        let was_undone = self.undone.lock().unwrap_or_else(PoisonError::into_inner).remove(&token);
        let fresh = if was_undone {
            // It may have been written down before the answer was lost.
            session.generation == generation || session.generation == generation.saturating_add(1)
        } else {
            // Of two that come at once, one is first; everywhere, since the cache counts.
            session.generation == generation
                && self.cache.count(&format!("trade:{id}:{generation}"), TRADE).await?.count == 1
        };
        if !fresh {
            self.end(id).await?;
            return Ok(Traded::Reused(Box::new(session)));
        }
        // From here on nobody else gets a pair for this token.
        let trade = Trade { undone: Arc::clone(&self.undone), token: Some(token) };
        session.generation = generation.saturating_add(1);
        session.seen_at = now;
        Ok(Traded::Next(Box::new(session), trade))
    }

    /// Writes a session down after a trade. Not if it was ended meanwhile.
    ///
    /// # Errors
    /// [`CacheError`].
    pub(super) async fn go_on(
        &self,
        id: &str,
        session: &Session,
        now: TimeMs,
        trade: Trade,
    ) -> Result<bool, CacheError> {
        if self.alive(id).await?.is_none() {
            trade.done();
            return Ok(false);
        }
        self.list(id, session, Vec::new()).await?;
        self.keep(id, session, now).await?;
        trade.done();
        Ok(true)
    }

    /// The session may go on with another password, which whoever is signed in by it is about to set. Not written into the session
    /// itself, which a trade may be writing at this moment.
    ///
    /// # Errors
    /// [`CacheError`].
    pub(super) async fn may_change_to(&self, id: &str, stamp: Stamp) -> Result<(), CacheError> {
        self.cache.keep(&format!("stamp:{id}"), &stamp, self.longest).await
    }

    /// Whether a session may go on with the password that this is the stamp of.
    ///
    /// # Errors
    /// [`CacheError`].
    pub(super) async fn goes_with(
        &self,
        id: &str,
        session: &Session,
        stamp: Stamp,
    ) -> Result<bool, CacheError> {
        if session.stamp.is_none_or(|began| began == stamp) {
            return Ok(true);
        }
        Ok(self.cache.kept::<Stamp>(&format!("stamp:{id}")).await? == Some(stamp))
    }

    /// Ends one; whether there was one.
    ///
    /// # Errors
    /// [`CacheError`].
    pub(super) async fn end(&self, id: &str) -> Result<bool, CacheError> {
        // A trade that is under way must not write it down again.
        self.cache.revoke(id, self.longest).await?;
        let was = self.cache.end_session(id).await?;
        // That of its user is put in order when it is long.
        let gone = vec![id.to_owned()];
        self.cache.change_sessions::<Session>(None, None, gone, rand::random(), self.longest).await?;
        Ok(was)
    }

    /// Those that have not ended, of one user or of all, newest first.
    ///
    /// # Errors
    /// [`CacheError`].
    pub(super) async fn all(&self, of: Option<&str>) -> Result<Vec<(String, Session)>, CacheError> {
        let known: BTreeMap<String, Session> = self.cache.sessions().await?;
        let mut found = Vec::new();
        for (id, session) in known {
            if of.is_none_or(|user| session.user == user)
                && let Some(session) = self.alive(&id).await?
            {
                found.push((id, session));
            }
        }
        found.sort_by_key(|(id, session)| (std::cmp::Reverse(session.seen_at), id.clone()));
        Ok(found)
    }

    /// Ends a user's sessions, except one; how many.
    ///
    /// # Errors
    /// [`CacheError`].
    pub(super) async fn end_all(&self, user: &str, except: Option<&str>) -> Result<usize, CacheError> {
        let mut ended = 0;
        for (id, _) in self.all(Some(user)).await? {
            if Some(id.as_str()) != except {
                ended += usize::from(self.end(&id).await?);
            }
        }
        Ok(ended)
    }
}
