//! Sessions: each log-in is one, and each trade of its refresh token makes the next generation of it. They live in the cache,
//! where pools that share one see them.
//!
//! A refresh token that comes twice was copied: by whom can't be known, so the whole session ends.

use std::{collections::BTreeMap, time::Duration};

use pool_domain::units::TimeMs;
use serde::{Deserialize, Serialize};

use crate::ports::{
    cache::{Cache, CacheError},
    users::{Role, UserRow},
};

/// How long one trade keeps others of the same token out; past it, the session's own record does.
const TRADE: Duration = Duration::from_secs(60);
/// Sessions of one user at once; the oldest makes room.
const PER_USER_MAX: usize = 20;

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

/// See the module's documentation.
#[derive(Debug, Clone)]
pub(super) struct Sessions {
    cache: Cache,
    idle: Duration,
    longest: Duration,
}

/// What became of a trade.
#[derive(Debug)]
pub(super) enum Traded {
    /// The session as it is now.
    Next(Box<Session>),
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
        Self { cache, idle: idle.min(longest), longest }
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
        let mut known = self.cache.sessions::<Session>().await?;
        let mut gone: Vec<String> = Vec::new();
        known.retain(|id, session| {
            let lives = session.ends_at > now;
            if !lives {
                gone.push(id.clone());
            }
            lives
        });
        let mut own: Vec<(&String, TimeMs)> = known
            .iter()
            .filter(|(_, session)| session.user == user.id)
            .map(|(id, session)| (id, session.seen_at))
            .collect();
        own.sort_by_key(|(_, seen_at)| *seen_at);
        for (id, _) in own.iter().take((own.len() + 1).saturating_sub(PER_USER_MAX)) {
            self.end(id).await?;
            gone.push((*id).clone());
        }
        let id = fresh_id();
        let session = Session {
            user: user.id.clone(),
            name: user.username.clone(),
            role: user.role,
            generation: 1,
            setup,
            address,
            agent,
            created_at: now,
            seen_at: now,
            ends_at: TimeMs(
                now.0.saturating_add(u64::try_from(self.longest.as_millis()).unwrap_or(u64::MAX)),
            ),
        };
        self.keep(&id, &session, now).await?;
        self.list(Some((&id, &session)), gone).await?;
        Ok((id, session))
    }

    async fn list(&self, set: Option<(&str, &Session)>, gone: Vec<String>) -> Result<(), CacheError> {
        self.cache.change_sessions(set, gone, rand::random(), self.longest).await
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
        // Of two that come at once, one is first; everywhere, since the cache counts.
        let fresh = session.generation == generation
            && self.cache.count(&format!("trade:{id}:{generation}"), TRADE).await?.count == 1;
        if !fresh {
            self.end(id).await?;
            return Ok(Traded::Reused(Box::new(session)));
        }
        session.generation += 1;
        session.seen_at = now;
        Ok(Traded::Next(Box::new(session)))
    }

    /// Writes a session down after a trade. Not if it was ended meanwhile.
    ///
    /// # Errors
    /// [`CacheError`].
    pub(super) async fn go_on(&self, id: &str, session: &Session, now: TimeMs) -> Result<bool, CacheError> {
        if self.alive(id).await?.is_none() {
            return Ok(false);
        }
        self.keep(id, session, now).await?;
        self.list(Some((id, session)), Vec::new()).await?;
        Ok(true)
    }

    /// Ends one; whether there was one.
    ///
    /// # Errors
    /// [`CacheError`].
    pub(super) async fn end(&self, id: &str) -> Result<bool, CacheError> {
        // A trade that is under way must not write it down again.
        self.cache.revoke(id, self.longest).await?;
        let was = self.cache.end_session(id).await?;
        self.list(None, vec![id.to_owned()]).await?;
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
