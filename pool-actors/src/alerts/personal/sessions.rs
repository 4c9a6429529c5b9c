//! Sessions that want to hear: what is shown on them, and the wishes that they send with an account's password.

use std::sync::Arc;

use actix::{ActorFutureExt as _, AsyncContext as _, Context, WrapFuture as _};

use super::{Audience, MinerAlerts};
use crate::{
    alerts::watch::News,
    messages::session::{Listening, ShowTexts},
    ports::personal::digest,
};

impl MinerAlerts {
    /// Shows texts on a miner.
    pub(super) fn show(&mut self, session: &Listening, news: &[News]) {
        let Some(first) = news.first().filter(|_| session.shows) else { return };
        if !self.may(&session.account, Audience::Session(session.session), first.kind) {
            return;
        }
        for news in news {
            self.texts.push((session.session, format!("{}: {}", session.account, news.text)));
        }
    }

    /// In one message to each hub: they must not crowd out its jobs.
    pub(super) fn say(&mut self) {
        if self.texts.is_empty() {
            return;
        }
        let texts: Arc<[_]> = std::mem::take(&mut self.texts).into();
        for hub in &self.parts.show {
            hub.offer(ShowTexts(Arc::clone(&texts)));
        }
    }

    /// Sessions that showed an account's password for this change what its owner hears of.
    pub(super) fn obey_keys(&mut self, context: &mut Context<Self>) {
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
