//! Unchanged answers, compressed answers, and answers without their bodies.

use actix_web::{
    http::{Method, StatusCode, header},
    test::{TestRequest, call_service, read_body},
};

use super::{
    routes::{Needs, ROUTES},
    tests::{NOW, Rig, TOKEN, app, bearer},
};

#[actix_rt::test]
async fn an_unchanged_list_is_not_sent_again() {
    let rig = Rig::new().await;
    let app = app!(rig);
    for uri in ["/api/blocks", "/api/miners?limit=1", "/api/miners/alice", "/api/pools", "/api/openapi.json"]
    {
        let response = call_service(&app, TestRequest::get().uri(uri).to_request()).await;
        assert_eq!(response.status(), StatusCode::OK, "{uri}");
        let tag = response.headers().get(header::ETAG).unwrap().clone();
        assert!(tag.to_str().unwrap().starts_with("W/\""), "{tag:?}");
        assert_eq!(response.headers().get(header::CACHE_CONTROL).unwrap(), "no-cache");
        assert!(!read_body(response).await.is_empty());
        let strong = tag.to_str().unwrap().trim_start_matches("W/").to_owned();
        for known in [tag.to_str().unwrap(), &strong, "*", &format!("\"other\", {strong}")] {
            let request = TestRequest::get().uri(uri).insert_header((header::IF_NONE_MATCH, known));
            let response = call_service(&app, request.to_request()).await;
            assert_eq!(response.status(), StatusCode::NOT_MODIFIED, "{uri} {known}");
            assert_eq!(response.headers().get(header::ETAG).unwrap(), &tag);
            assert!(response.headers().contains_key("x-request-id"));
            assert!(!response.headers().contains_key(header::CONTENT_TYPE));
            assert!(read_body(response).await.is_empty());
        }
        let request = TestRequest::get().uri(uri).insert_header((header::IF_NONE_MATCH, "\"other\""));
        assert_eq!(call_service(&app, request.to_request()).await.status(), StatusCode::OK);
    }
    // Another page is another answer.
    let tag = async |uri: &str| {
        let response = call_service(&app, TestRequest::get().uri(uri).to_request()).await;
        response.headers().get(header::ETAG).cloned()
    };
    assert_ne!(tag("/api/blocks?limit=1").await, tag("/api/blocks?limit=2").await);
    // What is for somebody, what moves every second, what was refused, and what is made while it is sent have none.
    for uri in ["/api/stats", "/api/blocks?limit=0", "/api/miners/alice/earnings?format=csv"] {
        assert_eq!(tag(uri).await, None, "{uri}");
    }
    let request = bearer(TestRequest::get().uri("/api/admin/users"), TOKEN).to_request();
    let response = call_service(&app, request).await;
    assert!(!response.headers().contains_key(header::ETAG));
    assert_eq!(response.headers().get(header::CACHE_CONTROL).unwrap(), "no-store");
}

#[actix_rt::test]
async fn answers_are_packed_as_the_client_can_read_them() {
    let rig = Rig::new().await;
    let app = app!(rig);
    for (accepted, packed) in
        [("gzip", "gzip"), ("br", "br"), ("gzip, br;q=0.5", "gzip"), ("br, gzip;q=0.5", "br")]
    {
        let request =
            TestRequest::get().uri("/api/openapi.json").insert_header((header::ACCEPT_ENCODING, accepted));
        let response = call_service(&app, request.to_request()).await;
        assert_eq!(response.headers().get(header::CONTENT_ENCODING).unwrap(), packed, "{accepted}");
        let vary =
            response.headers().get_all(header::VARY).map(|value| value.to_str().unwrap().to_lowercase());
        assert!(vary.collect::<Vec<_>>().join(",").contains("accept-encoding"));
        assert!(response.headers().contains_key(header::ETAG));
        let body = read_body(response).await;
        assert!(body.len() < super::openapi_text().len() / 5, "{} bytes as {packed}", body.len());
        if packed == "gzip" {
            assert_eq!(body[..2], [0x1f, 0x8b]);
        }
    }
    let response = call_service(&app, TestRequest::get().uri("/api/openapi.json").to_request()).await;
    assert!(!response.headers().contains_key(header::CONTENT_ENCODING));
}

/// Whatever can be read can be asked for without its body, by whoever may read it.
#[actix_rt::test]
async fn head_is_get_without_a_body() {
    let mut rig = Rig::new().await;
    rig.http.rate_limit_per_second = 0;
    let app = app!(rig);
    // A socket can't be opened without asking for it.
    let plain = |path: &str| !["/api/live", "/notifications"].contains(&path);
    for route in ROUTES.iter().filter(|route| route.method == "GET" && plain(route.path)) {
        let path = route
            .path
            .replace("{account}", "alice")
            .replace("{pool}", "sim1")
            .replace("{address}", "alice")
            .replace("{hash}", &"03".repeat(32))
            .replace("{code}", "NOT_FOUND")
            .replace("{name}", "nobody")
            .replace("{id}", "1");
        let ask = async |method: Method, token: Option<&str>| {
            let request = TestRequest::default().method(method).uri(&path);
            let request = match token {
                Some(token) => bearer(request, token),
                None => request,
            };
            call_service(&app, request.to_request()).await.status()
        };
        assert_eq!(ask(Method::HEAD, Some(TOKEN)).await, ask(Method::GET, Some(TOKEN)).await, "{path}");
        let refused = ask(Method::HEAD, None).await == StatusCode::UNAUTHORIZED;
        assert_eq!(refused, route.needs != Needs::Anybody, "{path}");
    }
    // Over a socket: the headers, and nothing behind them.
    let server = super::serve(rig.context(), "127.0.0.1:0".parse().unwrap()).unwrap();
    let answer = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = answer.head(format!("http://{}/api/blocks", server.address())).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["x-request-id"].len(), 32);
    assert!(answer.bytes().await.unwrap().is_empty());
    server.stop().await;
}

/// Sessions, tokens, bans and connections by pages.
#[actix_rt::test]
async fn lists_in_memory_come_in_pages() {
    use pool_domain::ban_list::{Ban, BanReason};

    let rig = Rig::new().await;
    for last in 1..=3 {
        rig.ban(
            [192, 0, 2, last].into(),
            Ban { reason: BanReason::Malformed, decided_at: NOW, until: NOW.plus_ms(60_000), lifted: false },
        );
    }
    let page = async |query: &str| {
        let (status, body) =
            rig.ask(bearer(TestRequest::get().uri(&format!("/api/admin/bans{query}")), TOKEN)).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        body
    };
    let first = page("?limit=2").await;
    assert_eq!((first["items"].as_array().unwrap().len(), &first["next"]), (2, &"192.0.2.2".into()));
    let second = page("?limit=2&cursor=192.0.2.2").await;
    assert_eq!(
        (&second["items"][0]["address"], &second["next"]),
        (&"192.0.2.3".into(), &serde_json::Value::Null)
    );
    for uri in ["/api/admin/bans?cursor=x", "/api/admin/connections?cursor=x", "/api/admin/sessions?cursor=x"]
    {
        let request = bearer(TestRequest::get().uri(uri), TOKEN);
        rig.refused(request, StatusCode::BAD_REQUEST, "BAD_REQUEST").await;
    }
    // Numbers beyond what a database counts to are numbers all the same.
    let most = u64::MAX;
    for uri in [
        format!("/api/deployments?cursor={most}"),
        format!("/api/blocks?cursor={most}"),
        format!("/api/payouts?cursor={most}"),
        format!("/api/miners/alice/earnings?cursor={most}"),
        format!("/api/admin/ledger/adjustments?cursor={most}"),
        format!("/api/admin/audit?cursor={most}"),
        format!("/api/alerts?cursor={most}"),
    ] {
        let (status, body) = rig.ask(bearer(TestRequest::get().uri(&uri), TOKEN)).await;
        assert_eq!(status, StatusCode::OK, "{uri}: {body}");
    }
    for uri in [
        format!("/api/deployments/{most}"),
        format!("/api/deployments/{}", most - 1),
        format!("/api/payouts/{most}"),
    ] {
        rig.refused(bearer(TestRequest::get().uri(&uri), TOKEN), StatusCode::NOT_FOUND, "NOT_FOUND").await;
    }
    for uri in ["/api/deployments?limit=0", "/api/deployments?limit=101"] {
        rig.refused(bearer(TestRequest::get().uri(uri), TOKEN), StatusCode::BAD_REQUEST, "BAD_REQUEST").await;
    }
    let request = bearer(TestRequest::get().uri("/api/admin/connections?limit=1"), TOKEN);
    assert_eq!(rig.ask(request).await.1["items"][0]["session"], 5);
}

#[actix_rt::test]
async fn a_file_that_the_build_packed_is_sent_as_it_packed_it() {
    let rig = Rig::new().await;
    let app = app!(rig);
    let ask = async |accepted: &str, known: &str| {
        let request = TestRequest::get()
            .uri("/assets/packed-1.js")
            .insert_header((header::ACCEPT_ENCODING, accepted))
            .insert_header((header::IF_NONE_MATCH, known));
        let response = call_service(&app, request.to_request()).await;
        let of = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (encoding, tag, vary) = (of(header::CONTENT_ENCODING), of(header::ETAG), of(header::VARY));
        assert!(vary.is_some_and(|names| names.to_ascii_lowercase().contains("accept-encoding")));
        (response.status(), encoding, tag.unwrap(), read_body(response).await)
    };
    for accepted in ["br", "gzip, deflate, br, zstd", "gzip;q=1.0, BR; q=0.5"] {
        let (status, encoding, tag, body) = ask(accepted, "\"other\"").await;
        assert_eq!((status, encoding.as_deref()), (StatusCode::OK, Some("br")), "{accepted}");
        assert_eq!((tag.as_str(), &*body), ("\"e1-br\"", b"packed".as_slice()), "packed once, not twice");
    }
    for accepted in ["identity", "gzip;q=0, br;q=0, identity", "bread"] {
        let (status, encoding, tag, body) = ask(accepted, "\"other\"").await;
        assert_eq!((status, encoding), (StatusCode::OK, None), "{accepted}");
        assert!(tag == "\"e1\"" && body.starts_with(b"console.log"), "{accepted}");
    }
    for known in ["\"e1\"", "W/\"e1\"", "\"e1-br\"", "\"e0\", \"e1-br\"", "*"] {
        let (status, encoding, _, body) = ask("br", known).await;
        assert_eq!((status, encoding, body.len()), (StatusCode::NOT_MODIFIED, None, 0), "{known}");
    }
}
