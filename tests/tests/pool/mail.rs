//! Links in mails at a real pool, by way of a real mail server.

use std::{collections::BTreeSet, time::Duration};

use pool_tests::{
    pool::{PATIENCE, PoolProcess, Setup},
    receivers::{self, Receiver},
};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::mining;

const PASSWORD: &str = "tuna fence orbit";
const OTHER: &str = "seven green doors";

/// As a stranger asks, who says that the pool is somewhere else.
async fn post(pool: &PoolProcess, path: &str, body: Value) -> (u16, Value) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://{}{path}", pool.http);
    let request = client
        .post(url)
        .header("host", "evil.example.net")
        .header("x-forwarded-host", "evil.example.net")
        .header("forwarded", "host=evil.example.net")
        .json(&body);
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap_or_default())
}

async fn arrives(mail: &Receiver<String>, about: &str, number: usize) -> Vec<String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let text = |mail: &String| mail.replace("=\r\n", "").replace("=3D", "=");
        let arrived: Vec<String> =
            mail.arrived().iter().map(text).filter(|mail| mail.contains(about)).collect();
        if arrived.len() >= number {
            return arrived;
        }
        assert!(Instant::now() < deadline, "{arrived:#?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn secret(mail: &str, page: &str) -> String {
    let (_, rest) = mail.split_once(&format!("https://pool.example.org/{page}#")).expect("a link");
    rest.chars().take_while(char::is_ascii_hexdigit).collect()
}

fn code(answer: &(u16, Value)) -> &str {
    answer.1["error"]["code"].as_str().unwrap_or_default()
}

#[actix_rt::test]
async fn mail_confirms_addresses_and_resets_passwords_whatever_a_request_says_of_its_host() {
    let node = mining::node("blake2s", 300, 0);
    let mail = receivers::smtp().await;
    let more = format!("[mail]\nurl = \"smtp://{}\"\nfrom = \"Pool <pool@example.org>\"\n", mail.address);
    let mut setup = Setup::simulated(&node.rpc_url, "blake2s").await;
    setup.more = more;
    setup.environment = vec![
        ("DAGPOOL__HTTP__PUBLIC_URL", "https://pool.example.org".to_owned()),
        ("DAGPOOL__AUTH__VERIFY_EMAIL", "true".to_owned()),
    ];
    let pool = PoolProcess::start(setup);
    pool.until("/health/ready", |status, _| status == 200).await;

    let alice = json!({ "username": "alice", "email": "alice@example.org", "password": PASSWORD });
    let log_in = |password: &str| json!({ "username": "alice", "password": password });
    assert_eq!(post(&pool, "/api/auth/register", alice).await.0, 201);
    let answer = post(&pool, "/api/auth/login", log_in(PASSWORD)).await;
    assert_eq!((answer.0, code(&answer)), (403, "EMAIL_UNCONFIRMED"));
    let arrived = arrives(&mail, "confirm your address", 1).await;
    assert!(arrived[0].contains("To: alice@example.org"), "{}", arrived[0]);
    assert!(!arrived[0].contains("evil"), "{}", arrived[0]);
    let token = secret(&arrived[0], "verify");
    let answer = post(&pool, "/api/auth/email/verify", json!({ "token": token })).await;
    assert_eq!(answer, (200, json!({ "username": "alice", "email": "alice@example.org" })));
    let answer = post(&pool, "/api/auth/email/verify", json!({ "token": token })).await;
    assert_eq!((answer.0, code(&answer)), (400, "LINK_REFUSED"));
    let (status, pair) = post(&pool, "/api/auth/login", log_in(PASSWORD)).await;
    assert_eq!(status, 200);

    // Somebody and nobody: the same words.
    let mut said = BTreeSet::new();
    for address in ["alice@example.org", "nobody@example.org"] {
        let (status, body) = post(&pool, "/api/auth/password/forgot", json!({ "email": address })).await;
        said.insert((status, body.to_string()));
    }
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(said.first().unwrap().0, 202);
    let arrived = arrives(&mail, "another password", 1).await;
    assert!(!arrived[0].contains("evil"), "{}", arrived[0]);
    let token = secret(&arrived[0], "reset");
    let weak =
        post(&pool, "/api/auth/password/reset", json!({ "token": token, "password": "password123" })).await;
    assert_eq!((weak.0, code(&weak)), (400, "BAD_REQUEST"));
    let reset = json!({ "token": token, "password": OTHER });
    assert_eq!(post(&pool, "/api/auth/password/reset", reset.clone()).await.0, 204);
    let again = post(&pool, "/api/auth/password/reset", reset).await;
    assert_eq!((again.0, code(&again)), (400, "LINK_REFUSED"));
    // Whoever was in is out.
    let refresh = json!({ "refresh_token": pair["refresh_token"] });
    assert_eq!(post(&pool, "/api/auth/refresh", refresh).await.0, 401);
    assert_eq!(post(&pool, "/api/auth/login", log_in(PASSWORD)).await.0, 401);
    assert_eq!(post(&pool, "/api/auth/login", log_in(OTHER)).await.0, 200);
    arrives(&mail, "your password was changed", 1).await;
    // Two mails for each of what was asked for, and none to nobody; and no link in the log.
    let all = mail.arrived();
    assert_eq!(all.len(), 3, "{all:#?}");
    assert!(!pool.log().contains(&token), "{}", pool.log());
}
