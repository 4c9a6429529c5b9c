//! What a client says: who it is, and what it wants to hear.

use actix::{ActorFutureExt as _, AsyncContext as _, WrapFuture as _};
use serde::Deserialize;
use serde_json::json;

use super::{AUTHS_MAX, Context, DashboardFeed, frames::envelope, topics::topics_of};
use crate::{api::access, auth::Principal, messages::live::Audience, metrics::AUTH_FAILURES_TOTAL};

/// What a client may say: `{"type":"auth","token":"..."}`, since a browser can't send headers with a WebSocket, and a token in
/// an address would be in logs; `{"type":"topics","topics":["stats"]}` for other topics from now on, null for all.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Said {
    Auth { token: String },
    Topics { topics: Option<Vec<String>> },
}

impl DashboardFeed {
    /// A client says who it is, or what it wants. The answers are `{"type":"auth","data":{"audience"}}`, and the next events are
    /// for that audience; `{"type":"topics","data":{"topics"}}`, with `unknown` where there is no such topic and all stays as
    /// it was. What is neither is not answered.
    pub(super) fn told(&mut self, text: &str, context: &mut Context) {
        match serde_json::from_str(text) {
            Ok(Said::Auth { token }) => {
                self.auths += 1;
                if self.auths > AUTHS_MAX {
                    return self.refuse("too many tokens", context);
                }
                self.token = Some(token);
                self.recognise(true, context);
            }
            Ok(Said::Topics { topics }) => {
                let wanted = topics.as_ref().map(|names| topics_of(names.iter().map(String::as_str)));
                let data = match wanted.transpose() {
                    Ok(topics) => {
                        self.topics = topics;
                        let mut names: Vec<&String> = self.topics.iter().flatten().collect();
                        names.sort();
                        json!({ "topics": self.topics.is_some().then_some(names) })
                    }
                    Err(name) => json!({ "unknown": name }),
                };
                context.text(envelope("topics", 0, self.api.clock.now(), &data));
            }
            Err(_) => {}
        }
    }

    /// Asks whom its token stands for by now.
    pub(super) fn recognise(&mut self, say: bool, context: &mut Context) {
        let (api, Some(token)) = (self.api.clone(), self.token.clone()) else { return };
        let limited = self.limited.filter(|_| say);
        let asked = async move {
            // As every request with a token, so that feeds are no way around the limit.
            if let Some(client) = limited {
                access::take(&api, client).await.map_err(drop)?;
            }
            let who = access::whose(&api, &token).await;
            if matches!(who, Ok(None)) && say {
                wrong_token();
            }
            Ok::<_, ()>((token, who))
        };
        context.spawn(asked.into_actor(self).map(move |asked, feed, context| {
            let Ok((token, who)) = asked else { return feed.refuse("too many tokens", context) };
            if matches!(who, Ok(None)) && feed.token.as_ref() == Some(&token) {
                // It will not be good again: it is not looked up again.
                feed.token = None;
            }
            let who = who.ok().flatten();
            feed.audience = audience(who.as_ref());
            if !say {
                return;
            }
            let data = json!({
                "role": who.as_ref().map(|who| who.role),
                "audience": if feed.audience == Audience::Operator { "operator" } else { "public" },
            });
            context.text(envelope("auth", 0, feed.api.clock.now(), &data));
        }));
    }
}

pub(super) fn audience(who: Option<&Principal>) -> Audience {
    if who.is_some_and(access::sees) { Audience::Operator } else { Audience::Public }
}

pub(super) fn wrong_token() {
    metrics::counter!(AUTH_FAILURES_TOTAL, "reason" => "wrong_token").increment(1);
}
