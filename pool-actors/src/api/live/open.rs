//! Opening a feed: who may, and how much of a client is taken in.

use std::{cell::Cell, rc::Rc};

use actix_web::{HttpRequest, HttpResponse, error::PayloadError, http::header::ORIGIN, web};
use actix_web_actors::ws;
use futures_util::StreamExt as _;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{
    DashboardFeed, UNHEARD_BYTES_MAX, Voice,
    said::{audience, wrong_token},
    topics::{TOPICS, topics_of},
};
use crate::api::{
    Api, access,
    errors::{ApiError, ErrorCode},
    feeds::Full,
};

/// Largest frame of a client, bytes.
const FRAME_BYTES_MAX: usize = 4_096;

/// `?since=seq&topics=stats,block`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(in crate::api) struct Wish {
    /// The last message that was seen: what followed comes first, where the pool still knows it.
    since: Option<u64>,
    /// Types of messages, with commas between them; all but `share_rate` without it.
    topics: Option<String>,
}

/// Opens a feed.
pub(in crate::api) async fn open(
    api: web::Data<Api>,
    wish: web::Query<Wish>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, actix_web::Error> {
    start(api, wish.into_inner(), Voice::Own, &request, body).await
}

/// `GET /notifications`: Miningcore's WebSocket.
pub(in crate::api) async fn notifications(
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
