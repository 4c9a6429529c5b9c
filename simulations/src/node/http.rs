//! JSON-RPC over HTTP and over the WebSocket.

use actix::prelude::*;
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, WWW_AUTHENTICATE};
use actix_web::{HttpRequest, HttpResponse, web};
use actix_web_actors::ws;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::actor::{Answer, NodeActor, Push, Request, Watch};
use super::rpc::RpcError;
use crate::runtime;

/// Notifications that may wait for a watcher.
const WATCHER_BACKLOG: usize = 1_024;
/// Largest request: a block in hex, with room to spare.
const MAX_BODY: usize = 4_000_000;

/// What every handler needs.
#[derive(Clone)]
pub(super) struct Site {
    pub(super) node: Addr<NodeActor>,
    /// The `Authorization` header to expect.
    pub(super) authorization: Option<String>,
}

impl Site {
    pub(super) fn new(node: Addr<NodeActor>, auth: Option<&(String, String)>) -> Self {
        let header = |(user, password): &(String, String)| {
            format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
        };
        Self { node, authorization: auth.map(header) }
    }

    fn is_allowed(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        self.authorization.as_deref().is_none_or(|expected| given == Some(expected))
    }
}

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .app_data(web::PayloadConfig::new(MAX_BODY))
        .route("/", web::post().to(call))
        .route("/admin", web::post().to(call))
        .route("/ws", web::get().to(watch));
}

async fn call(site: web::Data<Site>, http: HttpRequest, body: web::Bytes) -> HttpResponse {
    if !site.is_allowed(http.headers()) {
        return unauthorized();
    }
    let media = http.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    if media.split(';').next().map(str::trim) != Some("application/json") {
        return HttpResponse::UnsupportedMediaType()
            .content_type("text/plain")
            .body("Content-Type must be application/json\n");
    }
    let (id, request) = match parse(&body, http.path() == "/admin") {
        Ok(parsed) => parsed,
        Err((id, error)) => return HttpResponse::Ok().json(answer_json(&id, Err(error))),
    };
    let Ok(Answer { result, delay, rubbish, drop }) = runtime::ask(&site.node, request).await else {
        return HttpResponse::new(StatusCode::SERVICE_UNAVAILABLE);
    };
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    if drop {
        // A body that fails makes the server close the connection.
        let broken = futures_util::stream::once(async {
            Err::<web::Bytes, _>(std::io::Error::from(std::io::ErrorKind::ConnectionAborted))
        });
        return HttpResponse::Ok().streaming(broken);
    }
    if rubbish {
        return HttpResponse::Ok().content_type("application/json").body("<html>\u{0}{]not json");
    }
    HttpResponse::Ok().json(answer_json(&id, result))
}

fn unauthorized() -> HttpResponse {
    HttpResponse::Unauthorized()
        .insert_header((WWW_AUTHENTICATE, "Basic realm=\"node\""))
        .content_type("text/plain")
        .body("401 Unauthorized.\n")
}

fn parse(body: &[u8], admin: bool) -> Result<(Value, Request), (Value, RpcError)> {
    let error = |code, message: &str| RpcError { code, message: message.to_owned() };
    let Ok(Value::Object(mut call)) = serde_json::from_slice::<Value>(body) else {
        return Err((Value::Null, error(-32_700, "the body is not a JSON object")));
    };
    let id = call.remove("id").unwrap_or(Value::Null);
    let Some(Value::String(method)) = call.remove("method") else {
        return Err((id, error(-32_600, "method is missing")));
    };
    let params = match call.remove("params") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(params)) => params,
        Some(_) => return Err((id, error(-32_602, "params must be a list"))),
    };
    Ok((id, Request { admin, method, params }))
}

fn answer_json(id: &Value, result: Result<Value, RpcError>) -> Value {
    match result {
        Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
        Err(error) => {
            json!({"jsonrpc": "2.0", "id": id, "error": {"code": error.code, "message": error.message}})
        }
    }
}

async fn watch(
    site: web::Data<Site>,
    http: HttpRequest,
    stream: web::Payload,
) -> Result<HttpResponse, actix_web::Error> {
    if !site.is_allowed(http.headers()) {
        return Ok(unauthorized());
    }
    ws::WsResponseBuilder::new(Watcher { node: site.node.clone() }, &http, stream)
        .frame_size(MAX_BODY)
        .start()
}

/// One WebSocket.
struct Watcher {
    node: Addr<NodeActor>,
}

impl Actor for Watcher {
    type Context = ws::WebsocketContext<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(WATCHER_BACKLOG);
    }
}

impl Handler<Push> for Watcher {
    type Result = ();

    fn handle(&mut self, push: Push, ctx: &mut Self::Context) {
        match push {
            Push::Text(text) => ctx.text(text.as_ref()),
            Push::Close => {
                ctx.close(None);
                ctx.stop();
            }
        }
    }
}

impl StreamHandler<Result<ws::Message, ws::ProtocolError>> for Watcher {
    fn handle(&mut self, message: Result<ws::Message, ws::ProtocolError>, ctx: &mut Self::Context) {
        match message {
            Ok(ws::Message::Text(text)) => self.text(text.as_bytes(), ctx),
            Ok(ws::Message::Ping(data)) => ctx.pong(&data),
            Ok(ws::Message::Close(reason)) => {
                ctx.close(reason);
                ctx.stop();
            }
            Ok(_) => {}
            Err(_) => ctx.stop(),
        }
    }
}

impl Watcher {
    fn text(&self, text: &[u8], ctx: &mut ws::WebsocketContext<Self>) {
        let (id, request) = match parse(text, false) {
            Ok(parsed) => parsed,
            Err((id, error)) => return ctx.text(answer_json(&id, Err(error)).to_string()),
        };
        let me = ctx.address().recipient();
        let watch = match request.method.as_str() {
            "notifyBlocks" => Some(Watch::Start(me)),
            "stopNotifyBlocks" => Some(Watch::Stop(me)),
            _ => None,
        };
        if let Some(watch) = watch {
            runtime::post(&self.node, watch);
            return ctx.text(answer_json(&id, Ok(Value::Null)).to_string());
        }
        let reply =
            runtime::ask(&self.node, request).into_actor(self).map(move |answer, _, ctx| match answer {
                Ok(Answer { drop: true, .. }) | Err(_) => ctx.stop(),
                Ok(Answer { rubbish: true, .. }) => ctx.text("{]not json"),
                Ok(Answer { result, delay, .. }) => {
                    let text = answer_json(&id, result).to_string();
                    ctx.run_later(delay, move |_, ctx| ctx.text(text));
                }
            });
        ctx.spawn(reply);
    }
}
