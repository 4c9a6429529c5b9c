//! What is wrong reaches people, over every kind of channel, and once: the node goes away and comes back while a receiver
//! hangs, another one is busy, and the pool is killed in between.

use std::{collections::BTreeSet, time::Duration};

use pool_tests::{
    packages,
    pool::{ADMIN_TOKEN, PATIENCE, PoolProcess, Setup},
    receivers::{self, Received, Receiver},
};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{faults::faults, mining};

fn channels(
    http: &Receiver<Received>,
    mail: &Receiver<String>,
    hangs: &Receiver<()>,
    outbox: &str,
) -> String {
    let (http, mail, hangs) = (http.address, mail.address, hangs.address);
    format!(
        r#"
[alerts]
every_s = 1
[[alerts.rule]]
name = "node_not_ready"
for_s = 1
[[alerts.channel]]
name = "slack"
kind = "slack"
url = "http://{http}/slack"
[[alerts.channel]]
name = "discord"
kind = "discord"
url = "http://{http}/discord"
[[alerts.channel]]
name = "telegram"
kind = "telegram"
url = "http://{http}"
secret = "12:bot"
to = ["7", "8"]
[[alerts.channel]]
name = "pagerduty"
kind = "pagerduty"
url = "http://{http}/pagerduty"
secret = "key"
[[alerts.channel]]
name = "sms"
kind = "sms"
url = "http://{http}"
user = "AC1"
secret = "sms-pass-77"
from = "+100"
to = ["+200"]
[[alerts.channel]]
name = "hook"
kind = "webhook"
url = "http://{http}/busy"
secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
[[alerts.channel]]
name = "mail"
kind = "email"
url = "smtp://{mail}"
from = "Pool <pool@example.org>"
to = ["ops@example.org"]
[[alerts.channel]]
name = "outbox"
kind = "email"
url = "outbox:{outbox}"
from = "pool@example.org"
to = ["ops@example.org"]
[[alerts.channel]]
name = "stuck"
kind = "webhook"
url = "http://{hangs}/"
timeout_ms = 60000
"#
    )
}

async fn call(pool: &PoolProcess, method: &str, path: &str, body: Value) -> (u16, Value) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://{}{path}", pool.http);
    let mut request = client.request(method.parse().unwrap(), url).bearer_auth(ADMIN_TOKEN);
    if !body.is_null() {
        request = request.json(&body);
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap_or(Value::Null))
}

async fn alerts(pool: &PoolProcess, done: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (status, body) = pool.get_as_admin("/api/alerts").await;
        assert_eq!(status, 200, "{body}");
        if done(&body) {
            return body;
        }
        assert!(Instant::now() < deadline, "{body:#}\n{}", pool.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn arrives<T: Clone + std::fmt::Debug>(receiver: &Receiver<T>, done: impl Fn(&[T]) -> bool) -> Vec<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let arrived = receiver.arrived();
        if done(&arrived) {
            return arrived;
        }
        assert!(Instant::now() < deadline, "{arrived:#?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn to<'a>(arrived: &'a [Received], path: &str) -> Vec<&'a Received> {
    let line = format!("POST {path} HTTP/1.1");
    arrived.iter().filter(|received| received.line == line).collect()
}

fn json_of(received: &Received) -> Value {
    serde_json::from_str(&received.body).unwrap()
}

const PATHS: &[&str] = &[
    "/slack",
    "/discord",
    "/bot12:bot/sendMessage",
    "/pagerduty",
    "/2010-04-01/Accounts/AC1/Messages.json",
    "/busy",
];

#[actix_rt::test]
async fn people_hear_of_it_over_every_channel_once_and_of_its_end() {
    let node = mining::node("blake2s", 300, 0);
    let (http, mail, hangs) = (receivers::http().await, receivers::smtp().await, receivers::hangs().await);
    let outbox = tempfile::tempdir().unwrap();
    let mut setup = Setup::simulated(&node.rpc_url, "blake2s").await;
    setup.more = channels(&http, &mail, &hangs, outbox.path().to_str().unwrap());
    setup.environment.push(("DAGPOOL__HTTP__PUBLIC_URL", "https://pool.example.org".to_owned()));
    let mut pool = PoolProcess::start(setup);
    pool.until("/health/ready", |status, _| status == 200).await;

    faults(&node.admin_url, json!({"not_ready": "catching up"})).await;
    let firing = |body: &Value| {
        body["firing"].as_array().unwrap().iter().any(|alert| alert["rule"] == "node_not_ready")
    };
    let body = alerts(&pool, firing).await;
    let id = body["firing"][0]["id"].as_str().unwrap().to_owned();
    let arrived = arrives(&http, |arrived| {
        PATHS.iter().all(|path| !to(arrived, path).is_empty()) && to(arrived, "/busy").len() == 2
    })
    .await;
    let words = "no node can be mined on";
    assert!(json_of(to(&arrived, "/slack")[0])["text"].as_str().unwrap().contains(words));
    assert!(json_of(to(&arrived, "/discord")[0])["content"].as_str().unwrap().contains(words));
    let chats: BTreeSet<String> = to(&arrived, "/bot12:bot/sendMessage")
        .iter()
        .map(|one| json_of(one)["chat_id"].to_string())
        .collect();
    assert_eq!(chats.len(), 2, "both chats");
    let page = json_of(to(&arrived, "/pagerduty")[0]);
    assert_eq!((&page["routing_key"], &page["event_action"]), (&json!("key"), &json!("trigger")));
    assert_eq!(page["payload"]["severity"], "critical");
    let sms = to(&arrived, "/2010-04-01/Accounts/AC1/Messages.json")[0];
    assert!(sms.body.contains("From=%2B100&To=%2B200&Body="), "{}", sms.body);
    assert_eq!(sms.header("authorization"), Some("Basic QUMxOnNtcy1wYXNzLTc3"));
    let hook = to(&arrived, "/busy")[1];
    assert!(hook.header("webhook-signature").unwrap().starts_with("v1,"));
    let (mut told, mut shown) = (json_of(hook)["data"]["firing"][0].clone(), body["firing"][0].clone());
    assert_eq!(told["rule"], "node_not_ready");
    // As the API has it, but for the link, which leads somewhere from anywhere.
    let path = shown["documentation_link"].as_str().unwrap();
    assert_eq!(told["documentation_link"], format!("https://pool.example.org{path}"));
    for alert in [&mut told, &mut shown] {
        alert["documentation_link"] = Value::Null;
    }
    assert_eq!(told, shown);
    let mails = arrives(&mail, |mails| !mails.is_empty()).await;
    assert!(mails[0].contains("Subject: ") && mails[0].contains(words), "{}", mails[0]);
    assert_eq!(std::fs::read_dir(outbox.path()).unwrap().count(), 1);
    arrives(&hangs, |connections| !connections.is_empty()).await;

    // Somebody takes care of it, and the pool dies: nobody is told twice, nothing is forgotten.
    let path = format!("/api/alerts/{id}/acknowledge");
    let (status, taken) = call(&pool, "POST", &path, json!({"note": "on it"})).await;
    assert_eq!((status, &taken["acknowledged"]["note"]), (200, &json!("on it")), "{taken}");
    let (_, trail) = pool.get_as_admin("/api/admin/audit?limit=1").await;
    let line = &trail["items"][0];
    assert_eq!(line["action"], "POST /api/alerts/{id}/acknowledge", "{line}");
    assert_eq!(line["before"]["acknowledged"], Value::Null, "{line}");
    assert_eq!(
        (&line["before"]["rule"], &line["after"]["acknowledged"]["note"]),
        (&json!("node_not_ready"), &json!("on it"))
    );
    pool.kill();
    let told_before = http.arrived().len();
    pool.restart();
    let body = alerts(&pool, firing).await;
    assert_eq!(
        (&body["firing"][0]["id"], &body["firing"][0]["acknowledged"]["note"]),
        (&json!(id), &json!("on it"))
    );

    faults(&node.admin_url, json!({"not_ready": null})).await;
    let body = alerts(&pool, |body| !body["items"].as_array().unwrap().is_empty()).await;
    assert_eq!((&body["items"][0]["id"], &body["items"][0]["state"]), (&json!(id), &json!("resolved")));
    let arrived = arrives(&http, |arrived| {
        PATHS.iter().all(|path| {
            to(&arrived[told_before..], path)
                .iter()
                .any(|one| one.body.contains("over") || one.body.contains("resolve"))
        })
    })
    .await;
    assert!(
        !arrived[told_before..].iter().any(|one| one.body.contains("\"trigger\"")),
        "told twice: {:#?}",
        &arrived[told_before..]
    );
    arrives(&mail, |mails| mails.len() == 2).await;

    let (_, page) = call(&pool, "GET", "/api/alerts/channels", Value::Null).await;
    let shown = page.to_string();
    assert!(!shown.contains("12:bot") && !shown.contains("http"), "no address is shown: {shown}");
    let (status, answer) = call(&pool, "POST", "/api/alerts/channels/mail/test", Value::Null).await;
    assert_eq!((status, &answer["ok"]), (200, &json!(true)), "{answer}");
    arrives(&mail, |mails| mails.len() == 3).await;
    let log = pool.log();
    let trail = log.lines().find(|line| line.contains("audit actor=")).expect("it is in the log");
    assert!(trail.contains(" address=127.0.0.1 "), "{trail}");
    for secret in ["12:bot", "whsec_", "sms-pass-77"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

#[actix_rt::test]
async fn a_silence_holds_over_a_kill_and_what_can_t_work_is_said_at_start() {
    let node = mining::node("blake2s", 300, 0);
    let http = receivers::http().await;
    let mut setup = Setup::simulated(&node.rpc_url, "blake2s").await;
    setup.more = format!(
        "[alerts]\nevery_s = 1\n[[alerts.rule]]\nname = \"node_not_ready\"\nfor_s = 1\n\
         [[alerts.channel]]\nname = \"a\"\nkind = \"slack\"\nurl = \"http://{}/slack\"\n",
        http.address
    );
    let mut pool = PoolProcess::start(setup);
    pool.until("/health/ready", |status, _| status == 200).await;
    let silence = json!({"rule": "node_not_ready", "for_s": 600, "reason": "the node is upgraded"});
    let (status, made) = call(&pool, "POST", "/api/alerts/silences", silence).await;
    assert_eq!(status, 201, "{made}");
    pool.kill();
    pool.restart();
    faults(&node.admin_url, json!({"not_ready": "upgrading"})).await;
    let body = alerts(&pool, |body| !body["firing"].as_array().unwrap().is_empty()).await;
    assert_eq!(
        (&body["firing"][0]["silenced"], &body["silences"][0]["reason"]),
        (&json!(true), &json!("the node is upgraded"))
    );
    assert!(http.arrived().is_empty(), "{:#?}", http.arrived());
    let path = format!("/api/alerts/silences/{}", made["id"].as_str().unwrap());
    assert_eq!(call(&pool, "DELETE", &path, Value::Null).await.0, 204);
    arrives(&http, |arrived| !arrived.is_empty()).await;

    pool.setup().more = "[[alerts.channel]]\nname = \"a\"\nkind = \"telegram\"\n".to_owned();
    let file = pool.write_config();
    let (code, out, error) = pool.command(&["check", "--config", file.to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert!(format!("{out}{error}").contains("alerts.channel \"a\": it needs `secret`"), "{out}{error}");
}

#[actix_rt::test]
async fn the_channels_that_a_deployment_names_hear_of_its_steps() {
    let node = mining::node("blake2s", 300, 0);
    let http = receivers::http().await;
    let mut setup = Setup::simulated(&node.rpc_url, "blake2s").await;
    setup.environment.push(("DAGPOOL__ALGORITHMS__DRAIN_MS", "50".to_owned()));
    setup.more = ["slack", "discord"]
        .map(|kind| {
            format!(
                "[[alerts.channel]]\nname = \"{kind}\"\nkind = \"{kind}\"\nurl = \"http://{}/{kind}\"\n",
                http.address
            )
        })
        .concat();
    let pool = PoolProcess::start(setup);
    std::fs::write(pool.data().join("trusted-keys.toml"), packages::trusted_keys()).unwrap();
    pool.until("/health/ready", |status, _| status == 200).await;
    let file = pool.data().join("package.zip");
    std::fs::write(&file, packages::numbered_package("blake2s", 1)).unwrap();
    let algorithm = |args: &[&str]| {
        let url = format!("http://{}", pool.http);
        let all = [&["algorithm"], args, &["--url", &url, "--token", ADMIN_TOKEN]].concat();
        pool.command(&all)
    };
    let (code, _, error) = algorithm(&["stage", file.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{error}");
    let (code, _, error) = algorithm(&["deploy", "--notify", "slak"]);
    assert_eq!(code, Some(1), "{error}");
    assert!(
        error.contains("slack, discord, dashboard") && error.contains("DEPLOYMENT_CONFIG_INVALID"),
        "{error}"
    );
    let (code, _, error) = algorithm(&["deploy", "--digest", "ab"]);
    assert!(code == Some(1) && error.contains("STAGED_ALGORITHM_CHANGED"), "{error}");
    let (code, _, error) = algorithm(&["deploy", "--strategy", "immediate", "--notify", "slack", "--wait"]);
    assert_eq!(code, Some(0), "{error}");
    let arrived = arrives(&http, |arrived| {
        to(arrived, "/slack").iter().any(|one| one.body.contains("deployment 1 of blake2s_0.1.0 is complete"))
    })
    .await;
    assert!(
        to(&arrived, "/slack")[0].body.contains("deployment 1 of blake2s_0.1.0 was ordered by"),
        "{arrived:#?}"
    );
    assert!(to(&arrived, "/discord").is_empty(), "it was not named: {arrived:#?}");
    let (_, shown) = pool.get_as_admin("/api/deployments/1").await;
    assert_eq!(shown["notification_channels"], json!(["slack"]), "{shown}");
    let (_, alerts) = pool.get_as_admin("/api/alerts").await;
    assert_eq!((&alerts["firing"], &alerts["items"]), (&json!([]), &json!([])), "news is no alert");
}
