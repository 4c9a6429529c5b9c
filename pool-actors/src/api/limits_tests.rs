//! One address that asks too often is told so; nobody else notices.

use actix_web::{
    http::{StatusCode, header},
    test::{TestRequest, call_service, read_body},
};
use serde_json::Value;

use super::tests::{Rig, app};
use crate::config::Http;

#[actix_rt::test]
async fn an_address_that_asks_too_often_is_told_when_to_come_back() {
    let mut rig = Rig::new().await;
    rig.http = Http { rate_limit_per_second: 1, rate_limit_burst: 3, ..Http::default() };
    let app = app!(rig);
    let ask = |uri: &str, from: &str| {
        let request = TestRequest::get().uri(uri).peer_addr(from.parse().unwrap());
        call_service(&app, request.to_request())
    };
    for _ in 0..3 {
        assert_eq!(ask("/api/stats", "127.0.0.1:1000").await.status(), StatusCode::OK);
    }
    // Neither another port nor another route, nor one that needs a token, is another bucket.
    for uri in ["/api/stats", "/api/blocks", "/api/admin/system", "/api/live", "/notifications"] {
        let refused = ask(uri, "127.0.0.1:2000").await;
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS, "{uri}");
        assert_eq!(refused.headers().get(header::RETRY_AFTER).unwrap(), "1");
        let body: Value = serde_json::from_slice(&read_body(refused).await).unwrap();
        assert_eq!(body["error"]["code"], "RATE_LIMITED", "{body}");
        assert_eq!(body["error"]["details"]["retry_after_s"], 1, "{body}");
    }
    assert_eq!(ask("/api/stats", "192.0.2.7:1").await.status(), StatusCode::OK, "others have their own");
    for uri in ["/health/live", "/metrics", "/docs/errors/RATE_LIMITED", "/"] {
        assert_eq!(ask(uri, "127.0.0.1:1000").await.status(), StatusCode::OK, "{uri} is free");
    }
}

#[actix_rt::test]
async fn loopback_is_exempt_and_a_proxy_is_believed_only_where_configured() {
    let mut rig = Rig::new().await;
    let mut statuses = async |http: Http, forwarded: [&'static str; 2]| {
        rig.http = Http { rate_limit_per_second: 1, rate_limit_burst: 1, ..http };
        let app = app!(rig);
        let mut statuses = Vec::new();
        for client in forwarded {
            let request = TestRequest::get().uri("/api/stats").peer_addr("127.0.0.1:9".parse().unwrap());
            // A line of its own for each: some proxies add theirs behind the client's.
            let request = client
                .split(';')
                .fold(request, |request, line| request.append_header(("x-forwarded-for", line)));
            statuses.push(call_service(&app, request.to_request()).await.status().as_u16());
        }
        statuses
    };
    let strangers = ["192.0.2.1", "10.9.9.9, 192.0.2.2"];
    assert_eq!(statuses(Http::default(), strangers).await, [200, 429], "anybody can write a header");
    let proxy = Http { behind_proxy: true, ..Http::default() };
    assert_eq!(statuses(proxy.clone(), strangers).await, [200, 200]);
    assert_eq!(
        statuses(proxy, ["192.0.2.1", "spoofed, 192.0.2.1"]).await,
        [200, 429],
        "its word is the last"
    );
    for lines in
        [["192.0.2.1", "10.9.9.9;192.0.2.1"], ["192.0.2.1;192.0.2.2", "192.0.2.9;10.1.1.1, 192.0.2.2"]]
    {
        let proxy = Http { behind_proxy: true, ..Http::default() };
        assert_eq!(statuses(proxy, lines).await, [200, 429], "of several lines, the last: {lines:?}");
    }
    let exempting = Http { behind_proxy: true, rate_limit_exempt_loopback: true, ..Http::default() };
    for (lines, told) in [
        (["192.0.2.1:5000", "192.0.2.1:5001"], [200, 429]),
        (["[2001:db8::1]:80", "2001:db8::1"], [200, 429]),
        (["192.0.2.1:80", "192.0.2.2:80"], [200, 200]),
        // No address: a bucket for all such, even where the proxy itself is exempt.
        (["unknown", "192.0.2.1, _hidden"], [200, 429]),
        (["\u{e9}", ""], [200, 429]),
        (["unknown", "192.0.2.1"], [200, 200]),
    ] {
        assert_eq!(statuses(exempting.clone(), lines).await, told, "{lines:?}");
    }
    let exempt = Http { rate_limit_exempt_loopback: true, ..Http::default() };
    assert_eq!(statuses(exempt, strangers).await, [200, 200]);
}

/// It would be unpacked before anybody knows its size: 2 KB of brotli can be 3 GB.
#[actix_rt::test]
async fn a_compressed_body_is_not_even_looked_at() {
    let rig = Rig::new().await;
    let app = app!(rig);
    let body = br#"{"username":"a","password":"b"}"#;
    for (encoding, status) in [
        ("br", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("gzip", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("GZIP", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("identity, br", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("identity", StatusCode::UNAUTHORIZED),
    ] {
        let request = TestRequest::post()
            .uri("/api/auth/login")
            .insert_header((header::CONTENT_TYPE, "application/json"))
            .insert_header((header::CONTENT_ENCODING, encoding))
            .set_payload(body.to_vec());
        let answer = call_service(&app, request.to_request()).await;
        assert_eq!(answer.status(), status, "{encoding}");
    }
}
