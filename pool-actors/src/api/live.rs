//! `/api/live`: the live feed, a [`DashboardFeed`] actor per client.
//!
//! * **receives** frames of its WebSocket; events from the EventPublisher's channel, when it is its turn (`pace`)
//! * **sends** `{type, seq, at, data}` frames: a snapshot first (or, with `?since=seq`, what was missed), then events
//! * **supervised by** nobody: it dies with its socket
//! * **on overload** nothing piles up. The queue of a WebSocket context has no bound, so a ping with the sequence follows
//!   each snapshot and each second's figures; until its pong came, the next figures are left out and at most
//!   [`UNANSWERED_MAX`] events are sent. Whoever missed some gets a snapshot with the next pong; whoever does not answer
//!   for [`SILENCE_MAX`] is closed, by `feeds` where it does not even read.
//!
//! | file | holds |
//! |---|---|
//! | `open` | who may open a feed, and how much of a client is taken in |
//! | `said` | what a client says: who it is, what it wants to hear |
//! | `snapshot` | what a feed begins with, and the figures of each second |
//! | `topics` | the kinds of events |
//! | `frames` | events as texts |

mod frames;
mod open;
mod said;
mod snapshot;
mod topics;

use std::{cell::Cell, collections::HashSet, net::IpAddr, rc::Rc, time::Duration};

use actix::{
    Actor, ActorContext as _, ActorFutureExt as _, AsyncContext as _, SpawnHandle, StreamHandler,
    WrapFuture as _,
};
use actix_web::web;
use actix_web_actors::ws;
use bytestring::ByteString;
use serde_json::json;
use tokio::time::Instant;

use super::{
    Api,
    feeds::Place,
    miningcore,
    pace::Told,
    views,
    wire::{number, per_second},
};
use crate::messages::{
    event::PoolEvent,
    live::{Audience, Numbered},
};

pub use frames::relayed;
pub(super) use open::{Wish, notifications, open};

use frames::{envelope, render};
use snapshot::Opening;
use topics::{SHARE_RATE, topic};

/// Events sent beyond the last pong.
const UNANSWERED_MAX: usize = 256;
/// A client that leaves a ping unanswered for so long is closed.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(20);
/// How often that is checked.
pub(super) const CHECK: Duration = Duration::from_secs(5);
/// Times that a client says who it is between two checks.
const AUTHS_MAX: usize = 5;
/// Frames of a client between two checks; feeds are for listening.
const HEARD_MAX: usize = 100;
/// Bytes of a client that are taken in while no frame of it is complete. A frame can claim any length, and actix gathers it
/// all before it looks at the largest frame.
pub(super) const UNHEARD_BYTES_MAX: usize = 65_536;

/// Whose words a feed speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Voice {
    /// The pool's own.
    Own,
    /// Miningcore's, at `/notifications`: no snapshot, no numbers, a few kinds of events.
    Miningcore,
}

/// One client of the live feed. See the module's documentation.
pub(super) struct DashboardFeed {
    api: web::Data<Api>,
    audience: Audience,
    /// What lets its client see more; looked at again and again, since a session may end before the feed does.
    token: Option<String>,
    /// Types of messages that are wanted; `None` = all. A snapshot is always sent.
    topics: Option<HashSet<String>>,
    voice: Voice,
    /// Where the client wants to go on.
    since: Option<u64>,
    /// The stream of events.
    live: Option<SpawnHandle>,
    /// The ping that waits for its pong, and since when.
    pinged: Option<(String, Instant)>,
    /// Events sent since the last pong.
    unanswered: usize,
    /// Something was left out: a snapshot is due.
    behind: bool,
    /// A snapshot is on its way.
    opening: bool,
    /// Its client was greeted (Miningcore's does not get a snapshot).
    greeted: bool,
    /// Frames of the client since the last check.
    heard: usize,
    /// Times that it said who it is since the last check.
    auths: usize,
    /// Whose bucket of requests that takes from.
    limited: Option<IpAddr>,
    /// Bytes since its last frame.
    unheard_bytes: Rc<Cell<usize>>,
    place: Place,
}

type Context = ws::WebsocketContext<DashboardFeed>;

impl DashboardFeed {
    /// Subscribes (again) and sends what the client begins with.
    fn begin(&mut self, since: Option<u64>, context: &mut Context) {
        if std::mem::replace(&mut self.opening, true) {
            return;
        }
        self.behind = false;
        if let Some(before) = self.live.take() {
            context.cancel_future(before);
        }
        let api = self.api.clone();
        let opened = async move { Opening::make(&api, since).await };
        context.spawn(opened.into_actor(self).map(|opening, feed, context| {
            feed.opening = false;
            feed.go_on(opening, context);
        }));
    }

    fn go_on(&mut self, opening: Opening, context: &mut Context) {
        match opening.snapshot {
            Some(_) if self.voice == Voice::Miningcore => {
                if !std::mem::replace(&mut self.greeted, true) {
                    context.text(miningcore::GREETING);
                }
            }
            Some(text) => context.text(text),
            None => {
                for event in &opening.missed {
                    if let Some(text) = self.frame(event) {
                        context.text(text);
                    }
                }
            }
        }
        self.ping(opening.seq, context);
        self.live = Some(context.add_stream(self.api.pace.paced(opening.live)));
    }

    fn ping(&mut self, seq: u64, context: &mut Context) {
        // Only who has read it knows what to answer.
        let payload = format!("{seq}.{:016x}", rand::random::<u64>());
        context.ping(payload.as_bytes());
        self.pinged = Some((payload, Instant::now()));
        self.unanswered = 0;
    }

    fn frame(&self, event: &Numbered) -> Option<ByteString> {
        if self.voice == Voice::Miningcore {
            return miningcore::notification(&self.api, event).map(ByteString::from);
        }
        let wanted = self.topics.as_ref().is_none_or(|topics| topics.contains(topic(&event.event)));
        if !wanted {
            return None;
        }
        event.frame(self.audience, |event| render(&self.api, event, self.audience))
    }

    fn tell(&mut self, event: &Numbered, context: &mut Context) {
        let figures = matches!(event.event, PoolEvent::Stats(_));
        if figures && self.pinged.is_some() {
            // The next second brings newer ones.
            return;
        }
        if !figures && self.unanswered >= UNANSWERED_MAX {
            self.behind = true;
            return;
        }
        let rate = self.share_rate(event);
        let frame = self.frame(event);
        if rate.is_none() && frame.is_none() {
            return;
        }
        for text in rate.map(ByteString::from).into_iter().chain(frame) {
            context.text(text);
        }
        if figures {
            self.ping(event.seq, context);
        } else {
            self.unanswered += 1;
        }
    }

    /// The short form of a second's figures, for who asked for it by name.
    fn share_rate(&self, event: &Numbered) -> Option<String> {
        let PoolEvent::Stats(pool) = &event.event else { return None };
        self.topics.as_ref().filter(|topics| topics.contains(SHARE_RATE))?;
        let data = json!({
            "shares_per_second": per_second(pool.shares_per_1000_s),
            "hashrate": number(pool.hashrate),
            "shares": views::shares(&pool.shares),
        });
        Some(envelope(SHARE_RATE, event.seq, event.at, &data))
    }

    fn answered(&mut self, pong: &[u8], context: &mut Context) {
        if self.pinged.as_ref().is_none_or(|(payload, _)| payload.as_bytes() != pong) {
            return;
        }
        self.place.heard();
        self.pinged = None;
        self.unanswered = 0;
        if self.behind {
            self.begin(None, context);
        }
    }

    fn check(&mut self, context: &mut Context) {
        self.heard = 0;
        self.auths = 0;
        self.recognise(false, context);
        match self.pinged {
            Some((_, at)) if at.elapsed() > SILENCE_MAX => self.refuse("no pong came", context),
            Some(_) => {}
            // Without figures (or when they are not wanted) nothing else would find out that the client has gone.
            None => self.ping(0, context),
        }
    }

    /// Sends its client away, who may not even read that.
    fn refuse(&self, why: &str, context: &mut Context) {
        self.place.leave();
        close(context, ws::CloseCode::Policy, why);
    }
}

fn close(context: &mut Context, code: ws::CloseCode, why: &str) {
    context.close(Some(ws::CloseReason { code, description: Some(why.to_owned()) }));
    context.stop();
}

impl Actor for DashboardFeed {
    type Context = Context;

    fn started(&mut self, context: &mut Context) {
        let since = self.since;
        self.begin(since, context);
        context.run_interval(CHECK, Self::check);
        // The server waits for its connections when it stops: none is kept by somebody who only listens.
        let shutdown = self.api.shutdown.clone();
        let stops = async move { shutdown.requested().await }.into_actor(self);
        context.spawn(stops.map(|_, _, context| close(context, ws::CloseCode::Away, "the pool stops")));
    }
}

impl StreamHandler<Told> for DashboardFeed {
    fn handle(&mut self, told: Told, context: &mut Context) {
        match told {
            Told::Event(event) => self.tell(&event, context),
            Told::Lost => {
                self.behind = true;
                if self.pinged.is_none() {
                    self.begin(None, context);
                }
            }
        }
    }

    fn finished(&mut self, context: &mut Context) {
        close(context, ws::CloseCode::Away, "the pool stops");
    }
}

impl StreamHandler<Result<ws::Message, ws::ProtocolError>> for DashboardFeed {
    fn handle(&mut self, frame: Result<ws::Message, ws::ProtocolError>, context: &mut Context) {
        self.heard += 1;
        self.unheard_bytes.set(0);
        if self.heard > HEARD_MAX {
            return self.refuse("too many frames: this feed is for listening", context);
        }
        match frame {
            Ok(ws::Message::Ping(payload)) => context.pong(&payload),
            Ok(ws::Message::Pong(payload)) => self.answered(&payload, context),
            Ok(ws::Message::Close(reason)) => {
                context.close(reason);
                context.stop();
            }
            Ok(ws::Message::Text(text)) => self.told(&text, context),
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(%error, "a live feed broke");
                context.stop();
            }
        }
    }
}
