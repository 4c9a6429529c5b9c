use actix_web::{http::StatusCode, test::TestRequest};
use serde_json::{Value, json};

use super::tests::Rig;

fn request(method: &str, uri: &str) -> TestRequest {
    let request = TestRequest::with_uri(uri).method(method.parse().unwrap());
    request.insert_header(("authorization", format!("Bearer {}", super::tests::TOKEN)))
}

async fn ask(rig: &Rig, method: &str, uri: &str, body: Value) -> (StatusCode, Value) {
    let request = request(method, uri);
    rig.ask(if body.is_null() { request } else { request.set_json(body) }).await
}

#[actix_rt::test]
async fn alerts_are_for_operators() {
    let rig = Rig::new().await;
    for uri in ["/api/alerts", "/api/alerts/rules", "/api/alerts/channels"] {
        rig.refused(TestRequest::get().uri(uri), StatusCode::UNAUTHORIZED, "UNAUTHORIZED").await;
        let (status, body) = ask(&rig, "GET", uri, Value::Null).await;
        assert_eq!(status, StatusCode::OK, "{uri}: {body}");
        assert!(body["items"].is_array(), "{uri}: {body}");
    }
}

#[actix_rt::test]
async fn a_channel_is_tried_and_never_shows_its_address() {
    let rig = Rig::new().await;
    let (status, body) = ask(&rig, "POST", "/api/alerts/channels/ops/test", Value::Null).await;
    assert_eq!((status, &body), (StatusCode::OK, &json!({"channel": "ops", "ok": true, "message": null})));
    let request = request("POST", "/api/alerts/channels/none/test");
    rig.refused(request, StatusCode::NOT_FOUND, "NOT_FOUND").await;
}

#[actix_rt::test]
async fn what_can_t_be_silenced_or_acknowledged_is_said() {
    let rig = Rig::new().await;
    let silence = json!({"rule": "slow_disk", "for_s": 60, "reason": "a new disk"});
    let (status, body) = ask(&rig, "POST", "/api/alerts/silences", silence).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    for wrong in [
        json!({"for_s": 0, "reason": "x"}),
        json!({"for_s": 99_999_999, "reason": "x"}),
        json!({"for_s": 60, "reason": ""}),
        json!({"for_s": 60, "reason": "a\nb"}),
        json!({"for_s": 60}),
        json!({"for_s": 60, "reason": "x", "more": 1}),
        json!([]),
        json!(["slow_disk", "", 60, "x"]),
        json!([60, "x"]),
    ] {
        let (status, body) = ask(&rig, "POST", "/api/alerts/silences", wrong.clone()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{wrong}: {body}");
    }
    for wrong in [json!({"note": null}), json!({"more": 1}), json!([]), json!("x")] {
        let (status, body) = ask(&rig, "POST", "/api/alerts/1/acknowledge", wrong.clone()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{wrong}: {body}");
    }
    for (method, uri) in [("DELETE", "/api/alerts/silences/99"), ("POST", "/api/alerts/99/acknowledge")] {
        rig.refused(request(method, uri), StatusCode::NOT_FOUND, "NOT_FOUND").await;
    }
    rig.refused(request("POST", "/api/alerts/x/acknowledge"), StatusCode::BAD_REQUEST, "BAD_REQUEST").await;
}
