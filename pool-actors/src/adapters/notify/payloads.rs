//! What each service wants to hear, as its documentation says.
//!
//! * Slack "incoming webhooks": `{text}`; Discord "execute webhook": `{content, embeds}`, at most 2,000 characters
//! * Telegram Bot API `sendMessage`: `{chat_id, text}`, at most 4,096 characters
//! * PagerDuty Events API v2: `{routing_key, event_action, dedup_key, payload}`, one event per alert
//! * Twilio `Messages`: a form of `From`, `To`, `Body`, at most 1,600 characters
//! * generic: the notice, signed as "Standard Webhooks" 1.0 says: HMAC-SHA256 over `id.timestamp.body`

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::ports::notifier::{AlertView, Notice};

/// At most `chars` characters, with a sign that there was more.
fn shortened(text: &str, chars: usize) -> String {
    if text.chars().count() <= chars {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(chars.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// Subject and text.
fn whole(notice: &Notice) -> String {
    format!("{}\n{}", notice.subject(), notice.text())
}

/// Slack takes `&`, `<` and `>` for its own: a worker's name must not become a link or call everybody.
pub(super) fn slack(notice: &Notice) -> Value {
    let text = whole(notice).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    json!({ "text": shortened(&text, 3_000) })
}

pub(super) fn discord(notice: &Notice) -> Value {
    discord_text(&whole(notice))
}

/// Whatever the text says, nobody is called by it.
pub(super) fn discord_text(text: &str) -> Value {
    json!({ "content": shortened(text, 2_000), "allowed_mentions": { "parse": [] } })
}

pub(super) fn telegram(notice: &Notice, chat: &str) -> Value {
    telegram_text(&whole(notice), chat)
}

pub(super) fn telegram_text(text: &str, chat: &str) -> Value {
    json!({ "chat_id": chat, "text": shortened(text, 4_096), "disable_web_page_preview": true })
}

/// One event for each alert; a test and news are events of their own, over at once.
pub(super) fn pagerduty(notice: &Notice, key: &str) -> Vec<Value> {
    let event = |alert: &AlertView, action: &str| {
        json!({
            "routing_key": key,
            "event_action": action,
            "dedup_key": format!("{}/{}", notice.pool, alert.id),
            "payload": {
                "summary": shortened(&alert.message, 1_024),
                "source": notice.pool,
                "severity": alert.severity,
                "component": alert.rule,
                "group": alert.subject,
            },
        })
    };
    // Nobody has to do anything about it: it is there, and over.
    let told = |name: &str, summary: &str| {
        ["trigger", "resolve"].map(|action| {
            json!({
                "routing_key": key, "event_action": action, "dedup_key": format!("{}/{name}", notice.pool),
                "payload": { "summary": shortened(summary, 1_024), "source": notice.pool, "severity": "info" },
            })
        })
    };
    if notice.test {
        return told("test", &notice.subject()).to_vec();
    }
    let news = notice.news.iter().flat_map(|news| told("news", news));
    let firing = notice
        .firing
        .iter()
        .map(|alert| event(alert, if alert.acknowledged.is_some() { "acknowledge" } else { "trigger" }));
    firing.chain(notice.resolved.iter().map(|alert| event(alert, "resolve"))).chain(news).collect()
}

pub(super) fn sms(notice: &Notice, from: &str, to: &str) -> [(&'static str, String); 3] {
    [("From", from.to_owned()), ("To", to.to_owned()), ("Body", shortened(&whole(notice), 480))]
}

/// Alerts as the API has them; `site` is what their links begin with.
pub(super) fn generic(notice: &Notice, site: &str) -> Value {
    let lines = |alerts: &[AlertView]| alerts.iter().map(|alert| alert.shown(site)).collect::<Vec<_>>();
    let is_alert = !notice.firing.is_empty() || !notice.resolved.is_empty();
    json!({
        "type": match notice {
            Notice { test: true, .. } => "alert.test",
            _ if !is_alert => "pool.news",
            _ => "alert.changed",
        },
        "data": {
            "pool": notice.pool, "subject": notice.subject(), "text": notice.text(),
            "severity": is_alert.then(|| notice.severity()),
            "firing": lines(&notice.firing), "resolved": lines(&notice.resolved),
            "news": notice.news,
        },
    })
}

/// `webhook-signature` of a message. The key is the secret's bytes, or what `whsec_` says in base64.
pub(super) fn signature(secret: &str, id: &str, timestamp: u64, body: &str) -> Result<String, String> {
    let key = match secret.strip_prefix("whsec_") {
        Some(encoded) => {
            BASE64_STANDARD.decode(encoded).map_err(|error| format!("`secret` is no whsec_ key: {error}"))?
        }
        None => secret.as_bytes().to_vec(),
    };
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|error| error.to_string())?;
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    Ok(format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use pool_domain::{severity::Severity, units::TimeMs};

    use super::*;
    use crate::ports::notifier::Acknowledgement;

    fn alert(id: u64, message: &str) -> AlertView {
        AlertView {
            id,
            rule: "node_not_ready".into(),
            subject: String::new(),
            severity: Severity::Critical,
            message: message.into(),
            documentation_link: "/docs/errors".into(),
            value: Some(0.0),
            fired_at: TimeMs(1),
            resolved_at: None,
            acknowledged: None,
            inhibited_by: None,
            silenced: false,
        }
    }

    fn notice() -> Notice {
        let taken = Acknowledgement { by: "ann".into(), at: TimeMs(2), note: String::new() };
        let resolved = AlertView { resolved_at: Some(TimeMs(9)), ..alert(3, "gone") };
        Notice {
            pool: "P".into(),
            firing: vec![
                alert(1, "no <node> & no @everyone"),
                AlertView { acknowledged: Some(taken), ..alert(2, "x") },
            ],
            resolved: vec![resolved],
            ..Notice::default()
        }
    }

    #[test]
    fn nothing_in_a_text_is_an_order_to_the_service() {
        let text = slack(&notice())["text"].as_str().unwrap().to_owned();
        assert!(text.contains("&lt;node&gt; &amp;"), "{text}");
        assert_eq!(discord(&notice())["allowed_mentions"]["parse"], json!([]));
        let long = Notice { firing: vec![alert(1, &"ü".repeat(9_000))], ..notice() };
        assert_eq!(discord(&long)["content"].as_str().unwrap().chars().count(), 2_000);
        assert_eq!(telegram(&long, "7")["text"].as_str().unwrap().chars().count(), 4_096);
        assert!(sms(&long, "a", "b")[2].1.chars().count() <= 480);
    }

    #[test]
    fn a_pager_hears_of_each_alert_by_its_number() {
        let events = pagerduty(&notice(), "k");
        let told: Vec<_> = events.iter().map(|event| (&event["event_action"], &event["dedup_key"])).collect();
        assert_eq!(
            told,
            [
                (&json!("trigger"), &json!("P/1")),
                (&json!("acknowledge"), &json!("P/2")),
                (&json!("resolve"), &json!("P/3")),
            ]
        );
        assert_eq!(events[0]["payload"]["severity"], "critical");
        let news = Notice { news: vec!["it is complete".into()], pool: "P".into(), ..Notice::default() };
        let told = pagerduty(&news, "k");
        assert_eq!(
            (told.len(), &told[0]["payload"]["severity"]),
            (2, &json!("info")),
            "nobody is kept awake"
        );
        assert_eq!(told[1]["event_action"], "resolve");
        assert_eq!(generic(&news, "")["data"]["severity"], Value::Null);
        assert_eq!(
            (generic(&news, "")["type"].as_str(), slack(&news)["text"].as_str()),
            (Some("pool.news"), Some("[P] it is complete\nit is complete"))
        );
        let test = Notice { test: true, firing: vec![], resolved: vec![], ..notice() };
        assert_eq!(pagerduty(&test, "k")[1]["event_action"], "resolve");
    }

    #[test]
    fn a_webhook_is_told_of_alerts_as_the_api_tells_them() {
        let told = generic(&notice(), "https://pool.example.org/");
        let (first, taken, over) =
            (&told["data"]["firing"][0], &told["data"]["firing"][1], &told["data"]["resolved"][0]);
        let whole = json!({
            "id": "1", "rule": "node_not_ready", "subject": "", "severity": "critical", "state": "firing",
            "message": "no <node> & no @everyone",
            "documentation_link": "https://pool.example.org/docs/errors", "value": 0.0,
            "fired_at": "1970-01-01T00:00:00.001Z", "resolved_at": null, "acknowledged": null,
            "inhibited_by": null, "silenced": false,
        });
        assert_eq!(*first, whole);
        let by = json!({ "by": "ann", "at": "1970-01-01T00:00:00.002Z", "note": "" });
        assert_eq!(taken["acknowledged"], by);
        assert_eq!(
            (&over["state"], &over["resolved_at"]),
            (&json!("resolved"), &json!("1970-01-01T00:00:00.009Z"))
        );
        // Without a public address nobody knows where it leads, and a path is the truth.
        assert_eq!(generic(&notice(), "")["data"]["firing"][0]["documentation_link"], "/docs/errors");
    }

    #[test]
    fn a_signature_is_that_of_the_standard() {
        // The example of the specification (Standard Webhooks 1.0, its reference libraries' test).
        let signed = signature(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            "{\"test\": 2432232314}",
        );
        assert_eq!(signed.unwrap(), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert!(signature("whsec_*", "a", 1, "b").is_err());
        assert_ne!(signature("a", "a", 1, "b"), signature("b", "a", 1, "b"));
    }
}
