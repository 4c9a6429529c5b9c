//! `/api/live`: the live feed, a [`DashboardFeed`] actor per client.
//!
//! * **receives** frames of its WebSocket; events from the EventPublisher's channel, when it is its turn (`pace`)
//! * **sends** `{type, seq, at, data}` frames: a snapshot first (or, with `?since=seq`, what was missed), then events
//! * **supervised by** nobody: it dies with its socket
//! * **on overload** nothing piles up. The queue of a WebSocket context has no bound, so a ping with the sequence follows
//!   each snapshot and each second's figures; until its pong came, the next figures are left out and at most
//!   [`UNANSWERED_MAX`] events are sent. Whoever missed some gets a snapshot with the next pong; whoever does not answer
//!   for [`SILENCE_MAX`] is closed, by `feeds` where it does not even read.

use std::{cell::Cell, collections::HashSet, net::IpAddr, rc::Rc, sync::Arc, time::Duration};

use actix::{
    Actor, ActorContext as _, ActorFutureExt as _, AsyncContext as _, SpawnHandle, StreamHandler,
    WrapFuture as _,
};
use actix_web::{HttpRequest, HttpResponse, error::PayloadError, http::header::ORIGIN, web};
use actix_web_actors::ws;
use bytestring::ByteString;
use futures_util::StreamExt as _;
use pool_domain::{ids::BlockHash, units::TimeMs};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{sync::broadcast, time::Instant};

use super::{
    Api, access, alerts, algorithms,
    errors::{ApiError, ErrorCode},
    feeds::{Full, Place},
    miningcore,
    pace::Told,
    views,
    wire::{number, per_second, rfc3339},
};
use crate::{
    auth::Principal,
    messages::{
        block::BlockView,
        event::{PoolEvent, Relayed},
        live::{Audience, Numbered, PoolSnapshot, Subscription},
    },
    metrics::AUTH_FAILURES_TOTAL,
    ports::store::BlockQuery,
};

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
/// Largest frame of a client, bytes.
const FRAME_BYTES_MAX: usize = 4_096;
/// Bytes of a client that are taken in while no frame of it is complete. A frame can claim any length, and actix gathers it
/// all before it looks at [`FRAME_BYTES_MAX`].
pub(super) const UNHEARD_BYTES_MAX: usize = 65_536;
/// Miners in a snapshot and in each second's figures: the fastest.
const MINERS_SHOWN: usize = 50;
/// Blocks in a snapshot.
const BLOCKS_SHOWN: usize = 120;

/// `?since=seq&topics=stats,block`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(super) struct Wish {
    /// The last message that was seen: what followed comes first, where the pool still knows it.
    since: Option<u64>,
    /// Types of messages, with commas between them; all but `share_rate` without it.
    topics: Option<String>,
}

/// What can be asked for by `topics`.
const TOPICS: &[&str] = &[
    "stats",
    SHARE_RATE,
    "block",
    "miner_connected",
    "miner_disconnected",
    "node_state",
    "deployment",
    "payout",
    "alert",
    "alert_state",
    "difficulty_adjusted",
    "security_event",
    "defect",
    "relayed",
];

/// A few bytes a second for who wants no more than that. Only for who asks for it, since `stats` has it, too.
const SHARE_RATE: &str = "share_rate";

/// The topics that a text names.
fn topics_of<'a>(names: impl Iterator<Item = &'a str>) -> Result<HashSet<String>, String> {
    let known = |name: &str| TOPICS.contains(&name).then(|| name.to_owned());
    names.map(|name| known(name).ok_or_else(|| name.chars().take(50).collect())).collect()
}

/// Whose words a feed speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Voice {
    /// The pool's own.
    Own,
    /// Miningcore's, at `/notifications`: no snapshot, no numbers, a few kinds of events.
    Miningcore,
}

/// Opens a feed.
pub(super) async fn open(
    api: web::Data<Api>,
    wish: web::Query<Wish>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, actix_web::Error> {
    start(api, wish.into_inner(), Voice::Own, &request, body).await
}

/// `GET /notifications`: Miningcore's WebSocket.
pub(super) async fn notifications(
    api: web::Data<Api>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, actix_web::Error> {
    start(api, Wish::default(), Voice::Miningcore, &request, body).await
}

async fn start(
    api: web::Data<Api>,
    wish: Wish,
    voice: Voice,
    request: &HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, actix_web::Error> {
    let topics = wish.topics.as_deref().map(|names| topics_of(names.split(','))).transpose();
    let topics = topics.map_err(|name| {
        ApiError::bad_request(format!("there is no topic {name:?}, but {}", TOPICS.join(", ")))
            .with(json!({ "parameter": "topics" }))
    })?;
    if matches!(access::site(&api, request.headers()), access::Site::Foreign) {
        let told = request.headers().get(ORIGIN).and_then(|origin| origin.to_str().ok()).unwrap_or("?");
        return Err(ApiError::of(ErrorCode::OriginRefused, &[("origin", told)]).into());
    }
    let (most, of_address) = (api.http.feeds_max, api.http.feeds_per_address);
    let address = api.limits.address(request.headers(), request.peer_addr());
    let place = api.feeds.take(request, address, most, of_address).map_err(|full| match full {
        Full::All => ApiError::of(ErrorCode::FeedsExhausted, &[("feeds_max", &most.to_string())])
            .with(json!({ "feeds_max": most })),
        Full::Address => ApiError::of(ErrorCode::FeedsExhausted, &[("feeds_max", &of_address.to_string())])
            .with(json!({ "feeds_per_address": of_address })),
    })?;
    let mut token = access::bearer(request.headers()).map(str::to_owned);
    let who = match &token {
        Some(text) => match access::whose(&api, text).await {
            Ok(None) => {
                wrong_token();
                token = None;
                None
            }
            known => known.ok().flatten(),
        },
        None => None,
    };
    let audience = audience(who.as_ref());
    let unheard_bytes = Rc::new(Cell::new(0));
    let feed = DashboardFeed {
        api: api.clone(),
        audience,
        token,
        topics,
        voice,
        since: wish.since,
        live: None,
        pinged: None,
        unanswered: 0,
        behind: false,
        opening: false,
        greeted: false,
        heard: 0,
        auths: 0,
        limited: api.limits.limited(address),
        unheard_bytes: Rc::clone(&unheard_bytes),
        place,
    };
    let bounded = body.map(move |chunk| {
        let chunk = chunk?;
        unheard_bytes.set(unheard_bytes.get().saturating_add(chunk.len()));
        if unheard_bytes.get() > UNHEARD_BYTES_MAX { Err(PayloadError::Overflow) } else { Ok(chunk) }
    });
    ws::WsResponseBuilder::new(feed, request, bounded).frame_size(FRAME_BYTES_MAX).start()
}

fn audience(who: Option<&Principal>) -> Audience {
    if who.is_some_and(access::sees) { Audience::Operator } else { Audience::Public }
}

fn wrong_token() {
    metrics::counter!(AUTH_FAILURES_TOTAL, "reason" => "wrong_token").increment(1);
}

/// What a client may say: `{"type":"auth","token":"..."}`, since a browser can't send headers with a WebSocket, and a token in
/// an address would be in logs; `{"type":"topics","topics":["stats"]}` for other topics from now on, null for all.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Said {
    Auth { token: String },
    Topics { topics: Option<Vec<String>> },
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

    /// A client says who it is, or what it wants. The answers are `{"type":"auth","data":{"audience"}}`, and the next events are
    /// for that audience; `{"type":"topics","data":{"topics"}}`, with `unknown` where there is no such topic and all stays as
    /// it was. What is neither is not answered.
    fn told(&mut self, text: &str, context: &mut Context) {
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
    fn recognise(&mut self, say: bool, context: &mut Context) {
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

/// What a feed begins (again) with.
struct Opening {
    seq: u64,
    /// Rendered, unless `missed` is enough.
    snapshot: Option<String>,
    missed: Vec<Arc<Numbered>>,
    live: broadcast::Receiver<Arc<Numbered>>,
}

impl Opening {
    async fn make(api: &Api, since: Option<u64>) -> Self {
        let Subscription { seq, missed, blocks, live } = api.events.subscribe(since);
        if let Some(missed) = missed {
            return Self { seq, snapshot: None, missed, live };
        }
        let blocks = with_older_blocks(api, blocks).await;
        let data = snapshot(api, &blocks);
        let snapshot = Some(envelope("snapshot", seq, api.clock.now(), &data));
        Self { seq, snapshot, missed: Vec::new(), live }
    }
}

/// The picture of the DAG begins empty after a start: our own blocks of earlier are in the store.
async fn with_older_blocks(api: &Api, told: Vec<BlockView>) -> Vec<BlockView> {
    let room = BLOCKS_SHOWN.saturating_sub(told.len());
    let known: HashSet<BlockHash> = told.iter().map(|view| view.hash).collect();
    let older = if room == 0 {
        Vec::new()
    } else {
        let query = BlockQuery { limit: BLOCKS_SHOWN, ..BlockQuery::default() };
        // While the store is away, the picture has a gap; `/health/ready` says why.
        api.store.blocks(query).await.unwrap_or_default()
    };
    let older = older.iter().filter(|row| !known.contains(&row.hash)).take(room);
    let mut blocks: Vec<BlockView> = older.map(BlockView::from).collect();
    blocks.reverse();
    let skipped = told.len().saturating_sub(BLOCKS_SHOWN);
    blocks.extend(told.into_iter().skip(skipped));
    blocks
}

fn envelope(kind: &str, seq: u64, at: TimeMs, data: &Value) -> String {
    json!({ "type": kind, "seq": seq, "at": rfc3339(at), "data": data }).to_string()
}

fn snapshot(api: &Api, blocks: &[BlockView]) -> Value {
    let pool = api.snapshot.get();
    let node = api.node.get();
    json!({
        "stats": views::stats(api, &pool),
        // Newest first, as in /api/blocks.
        "blocks": blocks.iter().rev().map(views::block).collect::<Vec<_>>(),
        "miners": fastest(&pool),
        "job": views::job(&node, api.clock.now()),
        "node": views::node(&node),
        "history": pool.history.iter().map(views::point).collect::<Vec<_>>(),
        "currency": api.currency,
    })
}

fn fastest(pool: &PoolSnapshot) -> Vec<Value> {
    pool.miners.fastest(MINERS_SHOWN).iter().map(views::miner).collect()
}

fn figures(api: &Api, pool: &PoolSnapshot) -> Value {
    let node = api.node.get();
    json!({
        "stats": views::stats(api, pool),
        "job": views::job(&node, pool.at),
        "node": views::node(&node),
        "point": pool.history.last().map(views::point),
        "miners": fastest(pool),
    })
}

/// The `type` of an event on the wire.
fn topic(event: &PoolEvent) -> &'static str {
    match event {
        PoolEvent::MinerConnected(_) => "miner_connected",
        PoolEvent::MinerDisconnected(_) => "miner_disconnected",
        PoolEvent::DifficultyAdjusted { .. } => "difficulty_adjusted",
        PoolEvent::Block(_) => "block",
        PoolEvent::NodeState { .. } => "node_state",
        PoolEvent::Deployment(_) | PoolEvent::Staging { .. } => "deployment",
        PoolEvent::Payout(_) | PoolEvent::PayoutCalculated { .. } => "payout",
        PoolEvent::SecurityEvent { .. } => "security_event",
        PoolEvent::Alert(_) => "alert",
        PoolEvent::AlertState(_) => "alert_state",
        PoolEvent::Defect { .. } => "defect",
        PoolEvent::Relayed(relayed) => {
            RELAYED.iter().find(|kind| **kind == relayed.kind).unwrap_or(&"relayed")
        }
        PoolEvent::Stats(_) => "stats",
    }
}

/// Types of events that pools tell each other: what a pool found, paid, or fears. What miners and roll-outs do is the
/// business of the pool that they are at.
const RELAYED: &[&str] = &["block", "payout", "alert", "security_event"];

/// An event as other pools may have it; `None` for what stays here.
#[must_use]
pub fn relayed(event: &Numbered, from: &str) -> Option<Relayed> {
    let (public, operator) = match &event.event {
        // Of others' blocks each node tells its own pool.
        PoolEvent::Block(view) if view.ours => (Some(views::block(view)), views::block(view)),
        PoolEvent::Payout(view) => (Some(json!(view)), json!(view)),
        PoolEvent::Alert(trouble) => {
            let public = (!trouble.is_private()).then(|| views::alert(trouble, false));
            (public, views::alert(trouble, true))
        }
        PoolEvent::SecurityEvent { code, message } => (None, json!({ "code": code, "message": message })),
        _ => return None,
    };
    let kind = topic(&event.event).to_owned();
    Some(Relayed { from: from.to_owned(), kind, at: event.at, public, operator })
}

/// As [`envelope`], with the pool that it happened in.
fn envelope_from(relayed: &Relayed, kind: &str, seq: u64, operator: bool) -> Option<String> {
    let data = if operator { &relayed.operator } else { relayed.public.as_ref()? };
    let at = rfc3339(relayed.at);
    Some(json!({ "type": kind, "seq": seq, "at": at, "from": relayed.from, "data": data }).to_string())
}

/// An event's text for an audience; `None` where it is not for that audience.
fn render(api: &Api, event: &Numbered, audience: Audience) -> Option<String> {
    let operator = audience == Audience::Operator;
    let data = match &event.event {
        PoolEvent::Relayed(relayed) => {
            return envelope_from(relayed, topic(&event.event), event.seq, operator);
        }
        PoolEvent::MinerConnected(seen) | PoolEvent::MinerDisconnected(seen) => views::peer(seen, operator),
        PoolEvent::Block(view) => views::block(view),
        PoolEvent::NodeState { ready, reason } => json!({ "ready": ready, "reason": reason }),
        PoolEvent::Stats(pool) => figures(api, pool),
        PoolEvent::Deployment(view) => algorithms::deployment(view),
        PoolEvent::Payout(view) => json!(view),
        PoolEvent::PayoutCalculated { payouts, accounts, amount } => {
            json!({ "state": "calculated", "payouts": payouts, "recipients": accounts, "amount": amount })
        }
        PoolEvent::Staging { upload, check } if operator => json!({ "staging": upload, "check": check }),
        PoolEvent::Staging { .. } => return None,
        PoolEvent::Alert(trouble) if trouble.is_private() && !operator => return None,
        PoolEvent::Alert(trouble) => views::alert(trouble, operator),
        PoolEvent::DifficultyAdjusted { session, account, worker, difficulty } if operator => {
            json!({ "session": session, "account": account, "worker": worker, "difficulty": difficulty })
        }
        PoolEvent::SecurityEvent { code, message } | PoolEvent::Defect { code, message } if operator => {
            json!({ "code": code, "message": message })
        }
        PoolEvent::AlertState(alert) if operator => alerts::line(alert),
        PoolEvent::AlertState(_)
        | PoolEvent::DifficultyAdjusted { .. }
        | PoolEvent::SecurityEvent { .. }
        | PoolEvent::Defect { .. } => {
            return None;
        }
    };
    Some(envelope(topic(&event.event), event.seq, event.at, &data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_has_a_topic_that_can_be_asked_for() {
        for kind in RELAYED {
            assert!(TOPICS.contains(kind), "{kind}");
        }
        let names = |text: &'static str| topics_of(text.split(','));
        assert_eq!(names("stats,block").unwrap().len(), 2);
        assert_eq!(names("stats,Block").unwrap_err(), "Block");
        assert_eq!(names("").unwrap_err(), "");
    }
}
