//! Signing in at real pools: two that share a database and a Redis, and one whose log is read for secrets.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use pool_actors::auth::totp::Secret;
use pool_domain::units::TimeMs;
use pool_tests::{
    pool::{ADMIN_TOKEN, PoolProcess, Setup},
    postgres::Postgres,
    redis::Redis,
};
use serde_json::{Value, json};

use crate::mining;

const PASSWORD: &str = "tuna fence orbit";
const KEY: &str = "a-key-of-both-pools-0123456789abcdef";

async fn post(pool: &PoolProcess, path: &str, token: Option<&str>, body: Value) -> (u16, Value) {
    pool.send("POST", path, token.unwrap_or_default(), body).await
}

async fn get(pool: &PoolProcess, path: &str, token: &str) -> (u16, Value) {
    pool.send("GET", path, token, Value::Null).await
}

async fn log_in(pool: &PoolProcess, name: &str, password: &str) -> (u16, Value) {
    post(pool, "/api/auth/login", None, json!({ "username": name, "password": password })).await
}

fn text(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap_or_else(|| panic!("no {name} in {body}")).to_owned()
}

fn code_of(body: &Value) -> &str {
    body["error"]["code"].as_str().unwrap_or_default()
}

/// `dagpool user ...` with a password in a file.
fn user(pool: &PoolProcess, arguments: &[&str], password: Option<&str>) -> String {
    let config = pool.write_config();
    let file = config.with_file_name("password");
    let mut all = vec!["user"];
    all.extend_from_slice(arguments);
    let config = config.to_str().unwrap();
    all.extend(["--config", config]);
    let given = format!("file:{}", file.display());
    if let Some(password) = password {
        fs::write(&file, password).unwrap();
        all.extend(["--password", &given]);
    }
    let (code, out, error) = pool.command(&all);
    assert_eq!(code, Some(0), "{all:?}: {out}{error}");
    out
}

fn now() -> TimeMs {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    TimeMs(u64::try_from(since.as_millis()).unwrap())
}

/// Second factor of whoever has this token: the key, and the tokens of the new session.
async fn turn_on(pool: &PoolProcess, token: &str) -> (Secret, String, Value) {
    let (status, setup) =
        post(pool, "/api/auth/mfa/setup", Some(token), json!({ "password": PASSWORD })).await;
    assert_eq!(status, 200, "{setup}");
    let secret = Secret::from_base32(&text(&setup, "secret")).unwrap();
    let code = secret.code_at(now());
    let (status, enabled) = post(pool, "/api/auth/mfa/enable", Some(token), json!({ "code": code })).await;
    assert_eq!(status, 200, "{enabled}");
    (secret, code, enabled)
}

#[actix_rt::test]
async fn pools_of_one_database_and_cache_share_sessions_locks_and_the_trail() {
    let (database, mut redis) = (Postgres::start(), Redis::start());
    let node = mining::node("blake2s", 300, 1);
    let start = async |node_id: &str| {
        let mut setup = Setup::simulated(&node.rpc_url, "blake2s").await;
        setup.more = format!("[store]\nurl = {:?}\n[cache]\nurl = {:?}\n", database.url(), redis.url());
        setup.environment =
            vec![("DAGPOOL__POOL__NODE_ID", node_id.to_owned()), ("DAGPOOL__AUTH__KEY", KEY.to_owned())];
        PoolProcess::start(setup)
    };
    let (first, second) = (start("1").await, start("2").await);
    let made = json!({ "username": "root", "password": PASSWORD, "role": "admin" });
    assert_eq!(post(&first, "/api/admin/users", Some(ADMIN_TOKEN), made).await.0, 201);

    // Signed in at one, known at the other; traded at either, and a copy ends it at both.
    let (_, pair) = log_in(&first, "root", PASSWORD).await;
    let (token, refresh) = (text(&pair, "token"), text(&pair, "refresh_token"));
    assert_eq!(get(&second, "/api/admin/audit", &token).await.0, 200);
    let trade = async |pool: &PoolProcess, refresh: &str| {
        post(pool, "/api/auth/refresh", None, json!({ "refresh_token": refresh })).await
    };
    let (status, next) = trade(&second, &refresh).await;
    assert_eq!(status, 200, "{next}");
    assert_eq!(code_of(&trade(&first, &refresh).await.1), "SESSION_ENDED");
    for pool in [&first, &second] {
        assert_eq!(get(pool, "/api/auth/me", &text(&next, "token")).await.0, 401);
    }
    // The same token at both at once, ten times: never two pairs, and never one that is good afterwards.
    for _ in 0..10 {
        let (_, pair) = log_in(&first, "root", PASSWORD).await;
        let refresh = text(&pair, "refresh_token");
        let (one, other) = tokio::join!(trade(&first, &refresh), trade(&second, &refresh));
        let got: Vec<&Value> =
            [&one, &other].iter().filter(|(status, _)| *status == 200).map(|a| &a.1).collect();
        assert!(got.len() <= 1, "{one:?} {other:?}");
        for pair in got {
            assert_eq!(get(&first, "/api/auth/me", &text(pair, "token")).await.0, 401);
            assert_eq!(trade(&second, &text(pair, "refresh_token")).await.0, 401);
        }
    }

    // A code is good once, over both.
    let (_, pair) = log_in(&first, "root", PASSWORD).await;
    let (_, used, enabled) = turn_on(&first, &text(&pair, "token")).await;
    let admin = text(&enabled, "token");
    let (_, half) = log_in(&second, "root", PASSWORD).await;
    let verify = json!({ "mfa_token": half["mfa_token"], "code": used });
    assert_eq!(code_of(&post(&second, "/api/auth/mfa/verify", None, verify).await.1), "MFA_REFUSED");
    let verify = json!({ "mfa_token": half["mfa_token"], "backup_code": enabled["backup_codes"][0] });
    assert_eq!(post(&second, "/api/auth/mfa/verify", None, verify).await.0, 200);

    // Locked at one after tries at both.
    for (pool, times) in [(&first, 3), (&second, 2)] {
        for _ in 0..times {
            assert_eq!(code_of(&log_in(pool, "nobody", "x").await.1), "SIGN_IN_REFUSED");
        }
    }
    for pool in [&second, &first] {
        assert_eq!(code_of(&log_in(pool, "nobody", "x").await.1), "SIGN_IN_LOCKED");
    }

    // What was done at both is in one trail, which can't be changed.
    let (_, trail) = get(&first, "/api/admin/audit?limit=100", &admin).await;
    let nodes: std::collections::BTreeSet<&str> =
        trail["items"].as_array().unwrap().iter().filter_map(|line| line["node"].as_str()).collect();
    assert_eq!(nodes.into_iter().collect::<Vec<_>>(), ["node-1", "node-2"], "{trail:#}");
    for statement in ["UPDATE audit SET actor = 'x'", "DELETE FROM audit", "TRUNCATE audit"] {
        assert!(database.sql(statement).unwrap_err().contains("append-only"), "{statement}");
    }

    // Without Redis nobody signs in; who is in may look, and do nothing that can't be taken back; the admin token may.
    redis.kill();
    let hold = json!({ "scope": "all", "reason": "a test" });
    assert_eq!(get(&second, "/api/admin/bans", &admin).await.0, 200);
    let (status, refused) = post(&second, "/api/admin/payouts/hold", Some(&admin), hold.clone()).await;
    assert_eq!((status, code_of(&refused)), (503, "CACHE_UNAVAILABLE"));
    assert_eq!(log_in(&second, "root", PASSWORD).await.0, 503);
    assert_eq!(post(&second, "/api/admin/payouts/hold", Some(ADMIN_TOKEN), hold).await.0, 200);
}

/// Every file below a folder, as text.
fn files(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(files(&entry));
        } else {
            let bytes = fs::read(&entry).unwrap();
            // What is reserved and not written to is nothing to look through.
            let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            found.push((entry.display().to_string(), String::from_utf8_lossy(&bytes[..end]).into_owned()));
        }
    }
    found
}

#[actix_rt::test]
async fn nothing_that_lets_anybody_in_is_logged_or_kept_in_the_clear() {
    let node = mining::node("blake2s", 300, 1);
    let mut setup = Setup::simulated(&node.rpc_url, "blake2s").await;
    setup.more = "[log]\nlevel = \"trace\"\nformat = \"json\"\n".to_owned();
    let mut pool = PoolProcess::start(setup);
    let mut secrets = vec![PASSWORD.to_owned(), ADMIN_TOKEN.to_owned()];
    let key = pool.data().join("auth.key");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    secrets.push(fs::read_to_string(&key).unwrap());

    // On the command line, while the pool runs.
    assert!(!user(&pool, &["add", "root", "--role", "admin"], Some(PASSWORD)).contains(PASSWORD));
    let out = user(&pool, &["add", "made", "--role", "viewer"], None);
    let random = out.split_whitespace().nth(4).unwrap().to_owned();
    assert_eq!(log_in(&pool, "made", &random).await.0, 200, "{out}");
    secrets.push(random);
    user(&pool, &["disable", "made"], None);
    assert!(user(&pool, &["list"], None).contains("disabled"));

    let (status, pair) = log_in(&pool, "root", PASSWORD).await;
    assert_eq!(status, 200, "{pair}");
    secrets.extend([text(&pair, "token"), text(&pair, "refresh_token")]);
    for wrong in ["a-wrong-Password-1", "a-wrong-Password-2"] {
        assert_eq!(log_in(&pool, "root", wrong).await.0, 401);
        secrets.push(wrong.to_owned());
    }
    let register = json!({ "username": "mole", "password": "hunter2hunter2hunter2", "more": 1 });
    assert_eq!(post(&pool, "/api/auth/register", None, register).await.0, 400);
    secrets.push("hunter2hunter2hunter2".to_owned());
    let traded = json!({ "refresh_token": text(&pair, "refresh_token") });
    let (_, pair) = post(&pool, "/api/auth/refresh", None, traded).await;
    let token = text(&pair, "token");
    secrets.extend([token.clone(), text(&pair, "refresh_token")]);
    let (secret, code, enabled) = turn_on(&pool, &token).await;
    let token = text(&enabled, "token");
    secrets.extend([secret.base32(), token.clone(), text(&enabled, "refresh_token")]);
    secrets.extend(
        enabled["backup_codes"].as_array().unwrap().iter().map(|code| code.as_str().unwrap().to_owned()),
    );
    let (_, half) = log_in(&pool, "root", PASSWORD).await;
    secrets.push(text(&half, "mfa_token"));
    let verify = json!({ "mfa_token": half["mfa_token"], "code": code });
    assert_eq!(post(&pool, "/api/auth/mfa/verify", None, verify).await.0, 401);
    let wish = json!({ "name": "nightly", "scopes": ["read"], "expires_in_days": 1 });
    let (status, made) = post(&pool, "/api/auth/tokens", Some(&token), wish).await;
    assert_eq!(status, 201, "{made}");
    let script = text(&made, "token");
    assert_eq!(get(&pool, "/api/admin/payouts", &script).await.0, 200);
    secrets.push(script.rsplit_once('_').unwrap().1.to_owned());
    let other = json!({ "password": "another fine day" });
    let (status, _) = pool.send("PATCH", "/api/admin/users/made", &token, other).await;
    assert_eq!(status, 200);
    secrets.push("another fine day".to_owned());

    // The command line takes a script's token, and is told what it lacks.
    let url = format!("http://{}", pool.http);
    let (code, out, error) = pool.command(&["payout", "status", "--url", &url, "--token", &script]);
    assert_eq!(code, Some(0), "{out}{error}");
    let (code, _, error) =
        pool.command(&["payout", "hold", "--all", "--reason", "x", "--url", &url, "--token", &script]);
    assert!(code == Some(1) && error.contains("FORBIDDEN"), "{error}");

    assert_eq!(pool.terminate(), Some(0));
    let log = pool.log();
    assert!(
        log.contains("audit") && log.contains("\"TRACE\"") | log.contains("\"DEBUG\""),
        "it is a log of everything"
    );
    let kept = files(&pool.data());
    assert!(kept.iter().any(|(name, text)| name.contains("pool.db") && text.contains("$argon2id$")));
    for secret in &secrets {
        assert!(!log.contains(secret.as_str()), "the log tells {secret}");
        for (name, text) in kept.iter().filter(|(name, _)| !name.ends_with("auth.key")) {
            assert!(!text.contains(secret.as_str()), "{secret} is in {name}");
        }
    }
    println!("{} secrets, {} lines of log", secrets.len(), log.lines().count());
}
