//! `/api/live`: the live feed, a [`DashboardFeed`] actor per client.
//!
//! * **receives** frames of its WebSocket; events from the EventPublisher's channel
//! * **sends** `{type, seq, at, data}` frames: a snapshot first (or, with `?since=seq`, what was missed), then events
//! * **supervised by** nobody: it dies with its socket
//! * **on overload** nothing piles up. The queue of a WebSocket context has no bound, so a ping with the sequence follows
//!   each snapshot and each second's figures; until its pong came, the next figures are left out and at most
//!   [`UNANSWERED_MAX`] events are sent. Whoever missed some gets a snapshot with the next pong; whoever does not answer
//!   for [`SILENCE_MAX`] is closed.

use std::{
    cell::Cell,
    collections::HashSet,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use actix::{
    Actor, ActorContext as _, ActorFutureExt as _, AsyncContext as _, SpawnHandle, StreamHandler,
    WrapFuture as _,
};
use actix_web::{HttpRequest, HttpResponse, error::PayloadError, http::header::ORIGIN, web};
use actix_web_actors::ws;
use futures_util::StreamExt as _;
use pool_domain::{ids::BlockHash, units::TimeMs};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{sync::broadcast, time::Instant};

use super::{
    Api, access, alerts, algorithms,
    errors::{ApiError, ErrorCode},
    views,
    wire::rfc3339,
};
use crate::{
    auth::Principal,
    messages::{
        block::BlockView,
        event::{PoolEvent, Relayed},
        live::{Audience, Numbered, PoolSnapshot, Subscription},
    },
    metrics::WS_CLIENTS,
    ports::store::BlockQuery,
};

/// Events sent beyond the last pong.
const UNANSWERED_MAX: usize = 256;
/// A client that leaves a ping unanswered for so long is closed.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(20);
/// How often that is checked.
const CHECK: Duration = Duration::from_secs(5);
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
#[derive(Debug, Deserialize)]
pub(super) struct Wish {
    since: Option<u64>,
    topics: Option<String>,
}

/// Counts a feed for as long as it lives.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(api: &Api) -> Option<Self> {
        let taken = api.feeds.fetch_update(Ordering::AcqRel, Ordering::Acquire, |open| {
            (open < api.http.feeds_max).then_some(open + 1)
        });
        taken.ok()?;
        metrics::gauge!(WS_CLIENTS).increment(1.0);
        Some(Self(Arc::clone(&api.feeds)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
        metrics::gauge!(WS_CLIENTS).decrement(1.0);
    }
}

/// Opens a feed.
pub(super) async fn open(
    api: web::Data<Api>,
    wish: web::Query<Wish>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, actix_web::Error> {
    if matches!(access::site(&api, request.headers()), access::Site::Foreign) {
        let told = request.headers().get(ORIGIN).and_then(|origin| origin.to_str().ok()).unwrap_or("?");
        return Err(ApiError::of(ErrorCode::OriginRefused, &[("origin", told)]).into());
    }
    let place = Place::take(&api).ok_or_else(|| {
        ApiError::of(ErrorCode::FeedsExhausted, &[("feeds_max", &api.http.feeds_max.to_string())])
            .with(json!({ "feeds_max": api.http.feeds_max }))
    })?;
    let token = access::bearer(request.headers()).map(str::to_owned);
    let who = match &token {
        Some(token) => access::seen(&api, token).await,
        None => None,
    };
    let audience = audience(who.as_ref());
    let unheard_bytes = Rc::new(Cell::new(0));
    let topics = wish.topics.as_deref().map(|topics| topics.split(',').map(str::to_owned).collect());
    let feed = DashboardFeed {
        api: api.clone(),
        audience,
        token,
        topics,
        since: wish.since,
        live: None,
        pinged: None,
        unanswered: 0,
        behind: false,
        opening: false,
        heard: 0,
        unheard_bytes: Rc::clone(&unheard_bytes),
        _place: place,
    };
    let bounded = body.map(move |chunk| {
        let chunk = chunk?;
        unheard_bytes.set(unheard_bytes.get().saturating_add(chunk.len()));
        if unheard_bytes.get() > UNHEARD_BYTES_MAX { Err(PayloadError::Overflow) } else { Ok(chunk) }
    });
    ws::WsResponseBuilder::new(feed, &request, bounded).frame_size(FRAME_BYTES_MAX).start()
}

fn audience(who: Option<&Principal>) -> Audience {
    if who.is_some_and(access::sees) { Audience::Operator } else { Audience::Public }
}

/// What a client may say: `{"type":"auth","token":"..."}`, since a browser can't send headers with a WebSocket, and a token in
/// an address would be in logs.
#[derive(Deserialize)]
struct Said {
    #[serde(rename = "type")]
    kind: String,
    token: String,
}

/// One client of the live feed. See the module's documentation.
pub(super) struct DashboardFeed {
    api: web::Data<Api>,
    audience: Audience,
    /// What lets its client see more; looked at again and again, since a session may end before the feed does.
    token: Option<String>,
    /// Types of messages that are wanted; `None` = all. A snapshot is always sent.
    topics: Option<HashSet<String>>,
    /// Where the client wants to go on.
    since: Option<u64>,
    /// The stream of events.
    live: Option<SpawnHandle>,
    /// The ping that waits for its pong, and since when.
    pinged: Option<(u64, Instant)>,
    /// Events sent since the last pong.
    unanswered: usize,
    /// Something was left out: a snapshot is due.
    behind: bool,
    /// A snapshot is on its way.
    opening: bool,
    /// Frames of the client since the last check.
    heard: usize,
    /// Bytes since its last frame.
    unheard_bytes: Rc<Cell<usize>>,
    _place: Place,
}

/// What a feed hears from the publisher's channel.
pub(super) enum Told {
    /// An event.
    Event(Arc<Numbered>),
    /// The channel dropped events, because this feed was too slow.
    Lost,
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
            Some(text) => context.text(text),
            None => {
                for event in &opening.missed {
                    if let Some(text) = self.frame(event) {
                        context.text(&*text);
                    }
                }
            }
        }
        self.ping(opening.seq, context);
        self.live = Some(context.add_stream(stream(opening.live)));
    }

    fn ping(&mut self, seq: u64, context: &mut Context) {
        context.ping(seq.to_string().as_bytes());
        self.pinged = Some((seq, Instant::now()));
        self.unanswered = 0;
    }

    fn frame(&self, event: &Numbered) -> Option<Arc<str>> {
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
        let Some(text) = self.frame(event) else { return };
        context.text(&*text);
        if figures {
            self.ping(event.seq, context);
        } else {
            self.unanswered += 1;
        }
    }

    /// A client says who it is. The answer is `{"type":"auth","data":{"audience"}}`; the next events are for that audience.
    fn told(&mut self, text: &str, context: &mut Context) {
        let Ok(Said { kind, token }) = serde_json::from_str(text) else { return };
        if kind != "auth" {
            return;
        }
        self.token = Some(token);
        self.recognise(true, context);
    }

    /// Asks whom its token stands for by now.
    fn recognise(&mut self, say: bool, context: &mut Context) {
        let (api, Some(token)) = (self.api.clone(), self.token.clone()) else { return };
        let asked = async move { access::seen(&api, &token).await };
        context.spawn(asked.into_actor(self).map(move |who, feed, context| {
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
        let expected = self.pinged.is_some_and(|(seq, _)| seq.to_string().as_bytes() == pong);
        if !expected {
            return;
        }
        self.pinged = None;
        self.unanswered = 0;
        if self.behind {
            self.begin(None, context);
        }
    }

    fn check(&mut self, context: &mut Context) {
        self.heard = 0;
        self.recognise(false, context);
        match self.pinged {
            Some((_, at)) if at.elapsed() > SILENCE_MAX => {
                close(context, ws::CloseCode::Policy, "no pong came");
            }
            Some(_) => {}
            // Without figures (or when they are not wanted) nothing else would find out that the client has gone.
            None => self.ping(0, context),
        }
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
            close(context, ws::CloseCode::Policy, "too many frames: this feed is for listening");
            return;
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

fn stream(receiver: broadcast::Receiver<Arc<Numbered>>) -> impl futures_util::Stream<Item = Told> {
    futures_util::stream::unfold(receiver, |mut receiver| async move {
        match receiver.recv().await {
            Ok(event) => Some((Told::Event(event), receiver)),
            Err(broadcast::error::RecvError::Lagged(_)) => Some((Told::Lost, receiver)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    })
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
        PoolEvent::Alert(trouble) => (Some(views::alert(trouble, false)), views::alert(trouble, true)),
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
