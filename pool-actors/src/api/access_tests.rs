//! Every route by every role; what signing in looks like from outside; and what attackers try.

use std::collections::BTreeSet;

use actix_web::{
    http::{Method, StatusCode, header},
    test::{TestRequest, call_service, read_body},
};
use serde_json::{Value, json};

use super::{
    routes::{self, Needs, ROUTES},
    tests::{NOW, Rig, TOKEN, app},
};
use crate::{
    auth::{Scope, totp},
    ports::users::Role,
};

const PASSWORD: &str = "tuna fence orbit";

fn post(uri: &str, body: &Value) -> TestRequest {
    TestRequest::post().uri(uri).set_json(body)
}

fn with(request: TestRequest, token: &str) -> TestRequest {
    request.insert_header((header::AUTHORIZATION, format!("Bearer {token}")))
}

/// Somebody of this role, signed in; access and refresh token.
async fn signed_in(rig: &Rig, name: &str, role: Role) -> (String, String) {
    rig.auth.add(name, None, PASSWORD.into(), role).await.unwrap();
    log_in(rig, name).await
}

async fn log_in(rig: &Rig, name: &str) -> (String, String) {
    let (status, body) =
        rig.ask(post("/api/auth/login", &json!({ "username": name, "password": PASSWORD }))).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(body["mfa_required"], false);
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    (text("token"), text("refresh_token"))
}

/// What is wanted of each route, written down a second time: the least role (`-` for everybody, `+` for anybody known, `s`
/// for a session).
const WANTED: &[(&str, &str)] = &[
    ("GET /health/live", "-"),
    ("GET /health/ready", "-"),
    ("GET /metrics", "-"),
    ("GET /docs/errors", "-"),
    ("GET /docs/errors/{code}", "-"),
    ("GET /api/openapi.json", "-"),
    ("GET /api/docs", "-"),
    ("GET /api/stats", "-"),
    ("GET /api/miners", "-"),
    ("GET /api/miners/{account}", "-"),
    ("GET /api/miners/{account}/hashrate", "-"),
    ("GET /api/miners/{account}/workers", "-"),
    ("GET /api/miners/{account}/settings", "-"),
    ("PATCH /api/miners/{account}/settings", "s"),
    ("GET /api/miners/{account}/payouts", "-"),
    ("GET /api/miners/{account}/earnings", "-"),
    ("GET /api/blocks", "-"),
    ("GET /api/blocks/dag", "-"),
    ("GET /api/blocks/{hash}", "-"),
    ("GET /api/blocks/{hash}/statement", "-"),
    ("GET /api/blocks/{hash}/proof", "-"),
    ("GET /api/live", "-"),
    ("GET /api/pools", "-"),
    ("GET /api/pools/{pool}", "-"),
    ("GET /api/pools/{pool}/performance", "-"),
    ("GET /api/pools/{pool}/miners", "-"),
    ("GET /api/v2/pools/{pool}/miners", "-"),
    ("GET /api/pools/{pool}/blocks", "-"),
    ("GET /api/v2/pools/{pool}/blocks", "-"),
    ("GET /api/pools/{pool}/payments", "-"),
    ("GET /api/v2/pools/{pool}/payments", "-"),
    ("GET /api/pools/{pool}/miners/{address}/payments", "-"),
    ("GET /api/v2/pools/{pool}/miners/{address}/payments", "-"),
    ("GET /api/pools/{pool}/miners/{address}/balancechanges", "-"),
    ("GET /api/v2/pools/{pool}/miners/{address}/balancechanges", "-"),
    ("GET /api/pools/{pool}/miners/{address}/earnings/daily", "-"),
    ("GET /api/v2/pools/{pool}/miners/{address}/earnings/daily", "-"),
    ("GET /api/pools/{pool}/miners/{address}", "-"),
    ("GET /api/pools/{pool}/miners/{address}/performance", "-"),
    ("GET /api/pools/{pool}/miners/{address}/settings", "-"),
    ("GET /notifications", "-"),
    ("GET /api/algorithms/status", "-"),
    ("POST /api/auth/register", "-"),
    ("POST /api/auth/login", "-"),
    ("POST /api/auth/mfa/verify", "-"),
    ("POST /api/auth/refresh", "-"),
    ("GET /api/auth/me", "+"),
    ("POST /api/auth/logout", "+"),
    ("POST /api/auth/mfa/setup", "+"),
    ("POST /api/auth/mfa/enable", "+"),
    ("POST /api/auth/mfa/disable", "s"),
    ("POST /api/auth/mfa/backup-codes", "s"),
    ("POST /api/auth/password", "s"),
    ("POST /api/auth/password/forgot", "-"),
    ("POST /api/auth/password/reset", "-"),
    ("POST /api/auth/email/verify", "-"),
    ("POST /api/auth/email/resend", "-"),
    ("POST /api/auth/email", "s"),
    ("GET /api/auth/accounts", "s"),
    ("POST /api/auth/accounts/claims", "s"),
    ("POST /api/auth/accounts/claims/verify", "s"),
    ("GET /api/auth/accounts/{account}/alerts", "s"),
    ("POST /api/auth/accounts/{account}/alerts", "s"),
    ("POST /api/auth/accounts/{account}/alerts/confirm", "s"),
    ("POST /api/auth/accounts/{account}/alerts/test", "s"),
    ("POST /api/auth/accounts/{account}/alerts/key", "s"),
    ("DELETE /api/auth/accounts/{account}", "s"),
    ("GET /api/auth/sessions", "s"),
    ("DELETE /api/auth/sessions/{id}", "s"),
    ("GET /api/auth/tokens", "s"),
    ("POST /api/auth/tokens", "s"),
    ("DELETE /api/auth/tokens/{id}", "s"),
    ("GET /api/payouts", "viewer"),
    ("GET /api/payouts/{id}", "viewer"),
    ("GET /api/admin/payouts", "viewer"),
    ("GET /api/admin/payouts/audit", "viewer"),
    ("GET /api/admin/payouts/dry-run", "viewer"),
    ("POST /api/admin/payouts/run", "operator"),
    ("POST /api/admin/payouts/hold", "operator"),
    ("POST /api/admin/payouts/release", "operator"),
    ("POST /api/admin/payouts/threshold", "operator"),
    ("GET /api/algorithms", "viewer"),
    ("GET /api/algorithms/plan", "viewer"),
    ("POST /api/algorithms/plan", "viewer"),
    ("POST /api/algorithms/stage", "operator"),
    ("POST /api/algorithms/deploy", "operator"),
    ("GET /api/deployments", "viewer"),
    ("GET /api/deployments/{id}", "viewer"),
    ("POST /api/deployments/{id}/{action}", "operator"),
    ("GET /api/alerts", "viewer"),
    ("GET /api/alerts/rules", "viewer"),
    ("GET /api/alerts/channels", "viewer"),
    ("POST /api/alerts/channels/{name}/test", "operator"),
    ("POST /api/alerts/silences", "operator"),
    ("DELETE /api/alerts/silences/{id}", "operator"),
    ("POST /api/alerts/{id}/acknowledge", "operator"),
    ("GET /api/admin/system", "viewer"),
    ("GET /api/admin/connections", "viewer"),
    ("DELETE /api/admin/connections/{session}", "operator"),
    ("GET /api/admin/bans", "viewer"),
    ("POST /api/admin/bans", "operator"),
    ("GET /api/admin/config", "operator"),
    ("POST /api/admin/config/reload", "operator"),
    ("GET /api/admin/logs", "operator"),
    ("DELETE /api/admin/bans/{address}", "operator"),
    ("POST /api/admin/announce", "operator"),
    ("GET /api/admin/ledger/adjustments", "viewer"),
    ("POST /api/admin/ledger/adjustments", "admin"),
    ("GET /api/users", "admin"),
    ("GET /api/admin/users", "admin"),
    ("POST /api/admin/users", "admin"),
    ("GET /api/admin/users/{name}", "admin"),
    ("PATCH /api/admin/users/{name}", "admin"),
    ("GET /api/admin/sessions", "admin"),
    ("DELETE /api/admin/sessions/{id}", "admin"),
    ("GET /api/admin/audit", "admin"),
];

#[test]
fn the_table_is_what_is_wanted() {
    let name = |needs: Needs| match needs {
        Needs::Anybody => "-",
        Needs::Known => "+",
        Needs::Session => "s",
        Needs::Role(role, _) => role.as_str(),
    };
    let served: BTreeSet<(String, &str)> =
        ROUTES.iter().map(|route| (format!("{} {}", route.method, route.path), name(route.needs))).collect();
    let wanted: BTreeSet<(String, &str)> =
        WANTED.iter().map(|(route, least)| ((*route).to_owned(), *least)).collect();
    let differ: Vec<_> = served.symmetric_difference(&wanted).collect();
    assert!(differ.is_empty(), "served and wanted differ: {differ:?}");
    assert_eq!(served.len(), ROUTES.len(), "no route is there twice");
}

#[test]
fn what_is_judged_is_what_is_served() {
    let route = |method: Method, path: &str| routes::route(&method, path).map(|route| route.path);
    assert_eq!(route(Method::GET, "/api/admin/payouts/audit"), Some("/api/admin/payouts/audit"));
    assert_eq!(route(Method::HEAD, "/api/stats"), Some("/api/stats"));
    assert_eq!(route(Method::POST, "/api/algorithms/deploy"), Some("/api/algorithms/deploy"));
    for path in ["/api/admin", "/api/admin/", "/api/admin/audit/", "//api/stats", "/api//stats", "/API/stats"]
    {
        assert_eq!(route(Method::GET, path), None, "{path}");
    }
    for path in ["/api/admin/audit/", "/api/admin/x", "/api/", "/api", "/metrics/", "/api/miners//../admin"] {
        let needs = routes::needs(&Method::POST, path);
        assert_eq!(needs, Needs::Known, "{path}");
    }
    assert_eq!(routes::needs(&Method::DELETE, "/"), Needs::Known);
    assert_eq!(routes::needs(&Method::GET, "/payouts"), Needs::Anybody, "a page of the dashboard");
    assert_eq!(routes::needs(&Method::GET, "/apis"), Needs::Anybody, "a page of the dashboard");
}

/// Each route is asked as nobody, with a wrong token, by each role, by a session that must set up its second factor, by a
/// script's token of each scope, and with the pool's own token.
#[actix_rt::test]
async fn every_route_by_every_role() {
    let mut rig = Rig::new().await;
    rig.http.rate_limit_per_second = 0;
    // No more of them than an address may sign in with in a minute.
    let mut sessions = Vec::new();
    for role in Role::ALL {
        sessions.push((role, signed_in(&rig, &format!("a-{role}"), role).await.0));
    }
    rig.demand_second_factor_of(Role::Admin);
    rig.auth.add("half", None, PASSWORD.into(), Role::Admin).await.unwrap();
    let (half, _) = log_in(&rig, "half").await;
    let app = app!(rig);
    let ask = async |method: &str, path: &str, token: Option<&str>| {
        let filled = path
            .replace("{account}", "alice")
            .replace("{pool}", "sim1")
            .replace("{hash}", &"01".repeat(32))
            .replace("{action}", "pause")
            .replace("{address}", "192.0.2.7")
            .replace("{session}", "77")
            .replace("{code}", "NOT_FOUND")
            .replace("{name}", "nobody")
            .replace("{id}", "1");
        let request = TestRequest::default().method(method.parse().unwrap()).uri(&filled);
        let request = match token {
            Some(token) => with(request, token),
            None => request,
        };
        call_service(&app, request.to_request()).await.status()
    };
    let mut tried = 0;
    for route in ROUTES {
        let what = format!("{} {}", route.method, route.path);
        let open = route.needs == Needs::Anybody;
        for token in [None, Some("wrong"), Some(""), Some("bdp_0123456789abcdef_00")] {
            let status = ask(route.method, route.path, token).await;
            assert_eq!(status == StatusCode::UNAUTHORIZED, !open, "{what} with {token:?}: {status}");
            tried += 1;
        }
        for (role, token) in &sessions {
            // It would end its own session.
            if route.path == "/api/auth/logout" {
                continue;
            }
            let status = ask(route.method, route.path, Some(token)).await;
            let may = match route.needs {
                Needs::Role(least, _) => *role >= least,
                _ => true,
            };
            assert_ne!(status, StatusCode::UNAUTHORIZED, "{what} by {role}");
            assert_eq!(status == StatusCode::FORBIDDEN, !may, "{what} by {role}: {status}");
            tried += 1;
        }
        if route.path != "/api/auth/logout" {
            let status = ask(route.method, route.path, Some(&half)).await;
            let may = matches!(route.needs, Needs::Anybody | Needs::Known);
            assert_eq!(status == StatusCode::FORBIDDEN, !may, "{what} by half a session: {status}");
            tried += 1;
        }
        let status = ask(route.method, route.path, Some(TOKEN)).await;
        assert_eq!(status == StatusCode::FORBIDDEN, route.needs == Needs::Session, "{what}: {status}");
        tried += 1;
    }
    // Tokens of an admin's scripts: one scope each.
    let admin = &sessions.last().unwrap().1;
    for scope in Scope::ALL {
        let body = json!({ "name": "x", "scopes": [scope.as_str()], "expires_in_days": 1 });
        let (status, made) = rig.ask(with(post("/api/auth/tokens", &body), admin)).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        let token = made["token"].as_str().unwrap();
        for route in ROUTES {
            let may = match route.needs {
                Needs::Session => false,
                Needs::Role(_, wanted) => wanted == scope,
                _ => true,
            };
            let status = ask(route.method, route.path, Some(token)).await;
            assert_ne!(status, StatusCode::UNAUTHORIZED, "{} {}", route.method, route.path);
            let what = format!("{} {} by {}", route.method, route.path, scope.as_str());
            assert_eq!(status == StatusCode::FORBIDDEN, !may, "{what}: {status}");
            tried += 1;
        }
    }
    println!("{tried} requests of {} routes", ROUTES.len());
    // Methods that a route does not know, and paths that are none: nothing is told to strangers.
    for (method, path) in [("PUT", "/api/admin/users"), ("GET", "/api/nothing"), ("DELETE", "/api/stats")] {
        assert_eq!(ask(method, path, None).await, StatusCode::UNAUTHORIZED, "{method} {path}");
        let known = ask(method, path, Some(TOKEN)).await;
        assert!([StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED].contains(&known), "{known}");
    }
}

#[actix_rt::test]
async fn signing_in_from_outside() {
    let rig = Rig::new().await;
    let body = json!({ "username": "alice", "email": "a@b.org", "password": PASSWORD });
    let (status, user) = rig.ask(post("/api/auth/register", &body)).await;
    assert_eq!((status, user["role"].as_str()), (StatusCode::CREATED, Some("miner")), "{user}");
    rig.refused(post("/api/auth/register", &body), StatusCode::CONFLICT, "NAME_TAKEN").await;
    // Nobody makes themselves an admin.
    let sly = json!({ "username": "mallory", "password": PASSWORD, "role": "admin" });
    rig.refused(post("/api/auth/register", &sly), StatusCode::BAD_REQUEST, "BAD_REQUEST").await;
    let weak = json!({ "username": "bob", "password": "password123" });
    let error = rig.refused(post("/api/auth/register", &weak), StatusCode::BAD_REQUEST, "BAD_REQUEST").await;
    assert_eq!(error["details"]["parameter"], "password");

    let wrong = json!({ "username": "alice", "password": "x" });
    let error =
        rig.refused(post("/api/auth/login", &wrong), StatusCode::UNAUTHORIZED, "SIGN_IN_REFUSED").await;
    let nobody = json!({ "username": "nobody", "password": "x" });
    let other =
        rig.refused(post("/api/auth/login", &nobody), StatusCode::UNAUTHORIZED, "SIGN_IN_REFUSED").await;
    assert_eq!(error["message"], other["message"]);

    let (token, refresh) = log_in(&rig, "alice").await;
    let (status, me) = rig.ask(with(TestRequest::get().uri("/api/auth/me"), &token)).await;
    assert_eq!(
        (status, me["username"].as_str(), me["by"].as_str()),
        (StatusCode::OK, Some("alice"), Some("session"))
    );
    assert!(!me.to_string().contains("argon2"), "{me}");
    let (_, next) = rig.ask(post("/api/auth/refresh", &json!({ "refresh_token": refresh }))).await;
    assert_eq!(next["expires_in"], 900);
    let again = post("/api/auth/refresh", &json!({ "refresh_token": refresh }));
    rig.refused(again, StatusCode::UNAUTHORIZED, "SESSION_ENDED").await;
    let token = next["token"].as_str().unwrap();
    let request = with(TestRequest::get().uri("/api/auth/me"), token);
    rig.refused(request, StatusCode::UNAUTHORIZED, "UNAUTHORIZED").await;

    let (token, _) = log_in(&rig, "alice").await;
    let (status, _) = rig.ask(with(TestRequest::post().uri("/api/auth/logout"), &token)).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let request = with(TestRequest::get().uri("/api/auth/me"), &token);
    rig.refused(request, StatusCode::UNAUTHORIZED, "UNAUTHORIZED").await;
    // No answer of it sets a cookie, or may be kept.
    let app = app!(rig);
    let body = json!({ "username": "alice", "password": PASSWORD });
    let response = call_service(&app, post("/api/auth/login", &body).to_request()).await;
    assert!(!response.headers().contains_key(header::SET_COOKIE));
    assert_eq!(response.headers().get(header::CACHE_CONTROL).unwrap(), "no-store");
    assert!(String::from_utf8_lossy(&read_body(response).await).contains("refresh_token"));
}

#[actix_rt::test]
async fn rapid_log_ins_are_answered_429() {
    let rig = Rig::new().await;
    let app = app!(rig);
    let mut refused = 0;
    for _ in 0..100 {
        let body = json!({ "username": "nobody", "password": "x" });
        let peer = "192.0.2.50:1".parse().unwrap();
        let request = post("/api/auth/login", &body).peer_addr(peer).to_request();
        let response = call_service(&app, request).await;
        if response.status() == StatusCode::TOO_MANY_REQUESTS {
            refused += 1;
            assert_eq!(response.headers().get(header::RETRY_AFTER).unwrap(), "60");
        }
    }
    assert_eq!(refused, 95);
}

#[actix_rt::test]
async fn second_factors_from_outside() {
    let rig = Rig::new().await;
    let (token, _) = signed_in(&rig, "alice", Role::Operator).await;
    let password = json!({ "password": PASSWORD });
    let (status, setup) = rig.ask(with(post("/api/auth/mfa/setup", &password), &token)).await;
    assert_eq!(status, StatusCode::OK, "{setup}");
    assert!(setup["otpauth_uri"].as_str().unwrap().starts_with("otpauth://totp/Test%20Pool:alice?secret="));
    assert!(setup["qr_svg"].as_str().unwrap().starts_with("<svg"));
    let secret = totp::Secret::from_base32(setup["secret"].as_str().unwrap()).unwrap();
    let code = secret.code_at(NOW);
    let (status, enabled) =
        rig.ask(with(post("/api/auth/mfa/enable", &json!({ "code": code })), &token)).await;
    assert_eq!(status, StatusCode::OK, "{enabled}");
    let codes: Vec<String> = serde_json::from_value(enabled["backup_codes"].clone()).unwrap();
    assert_eq!(codes.len(), 10);

    let body = json!({ "username": "alice", "password": PASSWORD });
    let (_, half) = rig.ask(post("/api/auth/login", &body)).await;
    assert_eq!((&half["mfa_required"], &half["token"]), (&json!(true), &Value::Null));
    let half = half["mfa_token"].as_str().unwrap();
    let request = with(TestRequest::get().uri("/api/auth/me"), half);
    rig.refused(request, StatusCode::UNAUTHORIZED, "UNAUTHORIZED").await;
    let verify =
        |field: &str, code: &str| post("/api/auth/mfa/verify", &json!({ "mfa_token": half, field: code }));
    rig.refused(verify("code", &code), StatusCode::UNAUTHORIZED, "MFA_REFUSED").await;
    let (status, body) = rig.ask(verify("backup_code", &codes[0])).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    rig.refused(verify("backup_code", &codes[1]), StatusCode::UNAUTHORIZED, "SESSION_ENDED").await;
    let both = json!({ "mfa_token": half, "code": code, "backup_code": codes[1] });
    rig.refused(post("/api/auth/mfa/verify", &both), StatusCode::BAD_REQUEST, "BAD_REQUEST").await;
}

#[actix_rt::test]
async fn the_trail_says_who_did_what() {
    let rig = Rig::new().await;
    let (admin, _) = signed_in(&rig, "root", Role::Admin).await;
    let (miner, _) = signed_in(&rig, "mole", Role::Miner).await;
    let peer = || "192.0.2.9:1".parse().unwrap();
    let hold = json!({ "scope": "all", "reason": "a test" });
    let (status, _) = rig.ask(with(post("/api/admin/payouts/hold", &hold), &admin).peer_addr(peer())).await;
    assert_eq!(status, StatusCode::OK);
    let body = json!({ "role": "viewer" });
    let request = TestRequest::patch().uri("/api/admin/users/mole").set_json(&body);
    let (status, changed) = rig.ask(with(request, &admin).peer_addr(peer())).await;
    assert_eq!((status, changed["role"].as_str()), (StatusCode::OK, Some("viewer")), "{changed}");
    rig.refused(
        with(post("/api/admin/payouts/hold", &hold), &miner),
        StatusCode::UNAUTHORIZED,
        "UNAUTHORIZED",
    )
    .await;
    let (viewer, _) = log_in(&rig, "mole").await;
    for _ in 0..3 {
        let request = with(post("/api/admin/payouts/hold", &hold), &viewer).peer_addr(peer());
        rig.refused(request, StatusCode::FORBIDDEN, "FORBIDDEN").await;
    }
    let release = json!({ "scope": "all" });
    rig.ask(with(post("/api/admin/payouts/release", &release), TOKEN)).await;

    let ask = |uri: &str| with(TestRequest::get().uri(uri), &admin);
    let (_, trail) = rig.ask(ask("/api/admin/audit?limit=4")).await;
    let items = trail["items"].as_array().unwrap();
    let seen: Vec<String> = items
        .iter()
        .map(|line| format!("{} {} {}", line["actor"], line["action"], line["outcome"]).replace('"', ""))
        .collect();
    assert_eq!(
        seen,
        [
            "admin token POST /api/admin/payouts/release done",
            "mole POST /api/admin/payouts/hold refused",
            "mole auth.login done",
            "root PATCH /api/admin/users/{name} done",
        ]
    );
    assert_eq!(
        (&items[0]["before"], &items[0]["after"]["held"]),
        (&json!({ "held": "a test" }), &Value::Null)
    );
    assert_eq!(items[3]["before"]["role"], "miner");
    assert_eq!((&items[3]["after"]["role"], &items[3]["address"]), (&json!("viewer"), &json!("192.0.2.9")));
    assert_eq!(items[3]["subject"], "/api/admin/users/mole");
    let next = trail["next"].as_str().unwrap();
    let (_, older) = rig.ask(ask(&format!("/api/admin/audit?limit=4&cursor={next}"))).await;
    assert_eq!(older["items"][0]["action"], "POST /api/admin/payouts/hold");
    assert_eq!(older["items"][0]["actor"], "root");
    let (_, of) = rig.ask(ask("/api/admin/audit?actor=mole&action=auth.")).await;
    assert_eq!(of["items"].as_array().unwrap().len(), 2);
    // The payouts' own trail names the person, too.
    let (_, audit) = rig.ask(ask("/api/admin/payouts/audit")).await;
    assert_eq!(audit["items"][1]["actor"], "root", "{audit}");
}

/// Acts whose lines of the trail tests of whole pools look at, since they need more than an API.
const TRAIL_ELSEWHERE: &[&str] = &[
    "POST /api/alerts/{id}/acknowledge",
    "POST /api/admin/config/reload",
    "POST /api/admin/payouts/run",
    "POST /api/algorithms/stage",
    "POST /api/algorithms/deploy",
    "POST /api/deployments/{id}/{action}",
];

/// An act, and what its line of the trail says: a key with its value before, and one after; `None` where there was nothing.
type Act = (&'static str, String, Value, Option<(&'static str, Value)>, Option<(&'static str, Value)>);

#[actix_rt::test]
async fn the_trail_says_what_was_before_and_is_after_every_act() {
    let rig = Rig::new().await;
    let (admin, _) = signed_in(&rig, "root", Role::Admin).await;
    signed_in(&rig, "gone", Role::Viewer).await;
    let (_, sessions) = rig.ask(with(TestRequest::get().uri("/api/admin/sessions"), &admin)).await;
    let session = sessions["items"].as_array().unwrap().iter().find(|one| one["username"] == "gone").unwrap();
    let session = session["id"].as_str().unwrap();
    let of = |text: &str| Some(("role", json!(text)));
    let acts: Vec<Act> = vec![
        (
            "POST",
            "/api/admin/payouts/hold".into(),
            json!({"scope": "all", "reason": "a"}),
            Some(("held", Value::Null)),
            Some(("held", json!("a"))),
        ),
        (
            "POST",
            "/api/admin/payouts/hold".into(),
            json!({"scope": "all", "reason": "b"}),
            Some(("held", json!("a"))),
            Some(("held", json!("b"))),
        ),
        (
            "POST",
            "/api/admin/payouts/release".into(),
            json!({"scope": "all"}),
            Some(("held", json!("b"))),
            Some(("held", Value::Null)),
        ),
        (
            "POST",
            "/api/admin/payouts/hold".into(),
            json!({"scope": "account", "account": "alice", "reason": "c"}),
            Some(("held", Value::Null)),
            Some(("held", json!("c"))),
        ),
        (
            "POST",
            "/api/admin/payouts/release".into(),
            json!({"scope": "account", "account": "alice"}),
            Some(("held", json!("c"))),
            Some(("what", json!("account:alice"))),
        ),
        (
            "POST",
            "/api/admin/payouts/threshold".into(),
            json!({"account": "alice", "threshold": "5000"}),
            Some(("threshold", Value::Null)),
            Some(("threshold", json!("5000"))),
        ),
        (
            "POST",
            "/api/admin/payouts/threshold".into(),
            json!({"account": "alice", "threshold": null}),
            Some(("threshold", json!("5000"))),
            Some(("threshold", Value::Null)),
        ),
        (
            "POST",
            "/api/admin/bans".into(),
            json!({"address": "192.0.2.7", "for_s": 60, "reason": "it floods"}),
            None,
            Some(("words", json!("it floods"))),
        ),
        (
            "POST",
            "/api/admin/bans".into(),
            json!({"address": "192.0.2.7", "for_s": 90, "reason": "still"}),
            Some(("words", json!("it floods"))),
            Some(("words", json!("still"))),
        ),
        (
            "DELETE",
            "/api/admin/bans/192.0.2.7".into(),
            Value::Null,
            Some(("address", json!("192.0.2.7"))),
            None,
        ),
        (
            "POST",
            "/api/admin/users".into(),
            json!({"username": "carl", "password": PASSWORD, "role": "viewer"}),
            None,
            of("viewer"),
        ),
        ("PATCH", "/api/admin/users/carl".into(), json!({"role": "operator"}), of("viewer"), of("operator")),
        (
            "PATCH",
            "/api/admin/users/carl".into(),
            json!({"disabled": true}),
            Some(("disabled_at", Value::Null)),
            Some(("changed", json!("disabled"))),
        ),
        (
            "DELETE",
            format!("/api/admin/sessions/{session}"),
            Value::Null,
            Some(("username", json!("gone"))),
            None,
        ),
        (
            "POST",
            "/api/alerts/silences".into(),
            json!({"rule": "slow_disk", "for_s": 60, "reason": "a new disk"}),
            None,
            Some(("rule", json!("slow_disk"))),
        ),
        ("DELETE", "/api/alerts/silences/1".into(), Value::Null, Some(("reason", json!("a new disk"))), None),
        ("POST", "/api/alerts/channels/ops/test".into(), Value::Null, None, Some(("ok", json!(true)))),
        (
            "POST",
            "/api/admin/announce".into(),
            json!({"message": "a pause at six"}),
            None,
            Some(("message", json!("a pause at six"))),
        ),
        ("DELETE", "/api/admin/connections/5".into(), Value::Null, Some(("account", json!("alice"))), None),
        (
            "POST",
            "/api/admin/ledger/adjustments".into(),
            json!({"reference": "r1", "account": "alice", "amount": "7", "author": "root", "reason": "owed"}),
            None,
            Some(("amount", json!("7"))),
        ),
    ];

    // One API, whose alerts are kept from one act to the next.
    let app = app!(rig);
    let mut tried = BTreeSet::new();
    for (method, uri, body, before, after) in &acts {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let route = routes::route(&method, uri).unwrap();
        tried.insert(format!("{} {}", route.method, route.path));
        let mut request = with(TestRequest::with_uri(uri).method(method), &admin);
        if !body.is_null() {
            request = request.set_json(body);
        }
        let response =
            call_service(&app, request.peer_addr("192.0.2.9:1".parse().unwrap()).to_request()).await;
        let status = response.status();
        let said = read_body(response).await;
        assert!(status.is_success(), "{uri}: {status} {said:?}");
        let (_, trail) = rig.ask(with(TestRequest::get().uri("/api/admin/audit?limit=1"), &admin)).await;
        let line = &trail["items"][0];
        assert_eq!(line["action"], format!("{} {}", route.method, route.path), "{line}");
        assert_eq!(
            (&line["actor"], &line["address"], &line["outcome"]),
            (&json!("root"), &json!("192.0.2.9"), &json!("done"))
        );
        assert_eq!(line["subject"], *uri);
        for (side, wanted) in [("before", before), ("after", after)] {
            match wanted {
                Some((key, value)) => assert_eq!(line[side].get(key), Some(value), "{side}: {line}"),
                None => assert_eq!(line[side], Value::Null, "{side}: {line}"),
            }
        }
    }
    let acting = ROUTES.iter().filter(|route| {
        route.method != "GET"
            && matches!(route.needs, Needs::Role(..))
            && route.path != "/api/algorithms/plan"
    });
    let all: BTreeSet<String> = acting.map(|route| format!("{} {}", route.method, route.path)).collect();
    tried.extend(TRAIL_ELSEWHERE.iter().map(|&route| route.to_owned()));
    assert_eq!(tried, all, "every act is looked at");
}

#[actix_rt::test]
async fn pages_of_other_sites_get_nothing_unless_they_are_listed() {
    let mut rig = Rig::new().await;
    rig.http.cors_origins = vec!["https://pool.example.org".into()];
    let app = app!(rig);
    let ask = async |method: Method, uri: &str, origin: &str| {
        let request = TestRequest::default()
            .method(method)
            .uri(uri)
            .insert_header((header::HOST, "127.0.0.1:8080"))
            .insert_header((header::ORIGIN, origin.to_owned()))
            .insert_header((header::ACCESS_CONTROL_REQUEST_METHOD, "POST"));
        call_service(&app, request.to_request()).await
    };
    let allowed = header::ACCESS_CONTROL_ALLOW_ORIGIN;
    for foreign in
        ["https://evil.example", "null", "https://pool.example.org.evil.example", "http://pool.example.org"]
    {
        let response = ask(Method::GET, "/api/stats", foreign).await;
        assert!(!response.headers().contains_key(&allowed), "{foreign}");
        let response = ask(Method::OPTIONS, "/api/auth/login", foreign).await;
        assert!(!response.headers().contains_key(&allowed), "{foreign}");
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        let response = ask(Method::GET, "/api/live", foreign).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{foreign}");
    }
    let response = ask(Method::GET, "/api/stats", "https://pool.example.org").await;
    assert_eq!(response.headers().get(&allowed).unwrap(), "https://pool.example.org");
    assert!(!response.headers().contains_key(header::ACCESS_CONTROL_ALLOW_CREDENTIALS));
    let response = ask(Method::OPTIONS, "/api/auth/login", "https://pool.example.org").await;
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    assert!(response.headers().contains_key(header::ACCESS_CONTROL_ALLOW_HEADERS));
    // Its own page is none of another site: what is missing is the rest of a handshake.
    for own in ["http://127.0.0.1:8080", "https://pool.example.org"] {
        assert_eq!(ask(Method::GET, "/api/live", own).await.status(), StatusCode::BAD_REQUEST, "{own}");
    }
}

#[actix_rt::test]
async fn what_lets_anybody_in_is_in_no_answer_of_others() {
    let rig = Rig::new().await;
    let (admin, refresh) = signed_in(&rig, "root", Role::Admin).await;
    let body = json!({ "name": "x", "scopes": ["read"], "expires_in_days": 1 });
    let (_, made) = rig.ask(with(post("/api/auth/tokens", &body), &admin)).await;
    let token = made["token"].as_str().unwrap().to_owned();
    let secret = token.rsplit_once('_').unwrap().1;
    let body = json!({ "username": "root", "password": "my-Secret-Typo" });
    rig.refused(post("/api/auth/login", &body), StatusCode::UNAUTHORIZED, "SIGN_IN_REFUSED").await;
    for uri in [
        "/api/admin/audit",
        "/api/admin/users",
        "/api/admin/users/root",
        "/api/admin/sessions",
        "/api/auth/sessions",
        "/api/auth/tokens",
        "/api/auth/me",
    ] {
        let (status, body) = rig.ask(with(TestRequest::get().uri(uri), &admin)).await;
        assert_eq!(status, StatusCode::OK, "{uri}: {body}");
        let body = body.to_string();
        for hidden in [PASSWORD, "my-Secret-Typo", &admin, &refresh, &token, secret, "argon2id", TOKEN] {
            assert!(!body.contains(hidden), "{uri} tells {hidden}");
        }
    }
    // What can't be read is not repeated in the error either.
    let bad = TestRequest::post()
        .uri("/api/auth/login")
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .set_payload(r#"{"username":"root","password":"hunter2hunter2","x":1}"#);
    let (_, body) = rig.ask(bad).await;
    assert!(!body.to_string().contains("hunter2"), "{body}");
}

#[actix_rt::test]
async fn an_act_is_answered_while_the_trail_can_not_be_written() {
    tokio::time::pause();
    let rig = Rig::with_store(false);
    let act = TestRequest::post()
        .uri("/api/admin/announce")
        .insert_header((header::AUTHORIZATION, format!("Bearer {TOKEN}")))
        .set_json(json!({ "message": "the database is being started again" }));
    let (status, body) = rig.ask(act).await;
    assert_eq!((status, &body["sessions"]), (StatusCode::OK, &json!(3)), "{body}");
}
