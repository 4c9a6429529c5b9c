//! A user shows that a payout address is theirs by a machine that mines for it.

use std::time::Duration;

use pool_tests::pool::{PATIENCE, PoolProcess, Setup};
use serde_json::{Value, json};
use simulations::miners::{Swarm, SwarmConfig};
use tokio::time::Instant;

use crate::mining;

async fn sign_in(pool: &PoolProcess, name: &str) -> String {
    let who = json!({ "username": name, "password": "tuna fence orbit" });
    assert_eq!(pool.send("POST", "/api/auth/register", "", who.clone()).await.0, 201);
    let (_, pair) = pool.send("POST", "/api/auth/login", "", who).await;
    pair["token"].as_str().unwrap().to_owned()
}

#[actix_rt::test]
async fn an_address_is_claimed_by_the_machines_that_mine_for_it() {
    let node = mining::node("blake2s", 300, 0);
    let pool = PoolProcess::start(Setup::simulated(&node.rpc_url, "blake2s").await);
    pool.until("/health/ready", |status, _| status == 200).await;
    let (alice, mole) = (sign_in(&pool, "alice").await, sign_in(&pool, "mole").await);

    // Somebody mines for the address, and shows nothing.
    let silent = mining::miners(pool.stratum, "blake2s", 1, None);
    pool.until("/api/miners/miner0", |status, body| status == 200 && body["work"] != "0").await;
    let account = json!({ "account": "miner0" });
    let (status, claim) = pool.send("POST", "/api/auth/accounts/claims", &alice, account.clone()).await;
    assert_eq!((status, &claim["signature"]), (201, &json!(false)), "{claim}");
    let password = claim["password"].as_str().unwrap().to_owned();
    let verify = "/api/auth/accounts/claims/verify";
    let (status, refused) = pool.send("POST", verify, &alice, account.clone()).await;
    assert_eq!((status, &refused["error"]["code"]), (409, &json!("CONFLICT")), "{refused}");
    let signed = json!({ "account": "miner0", "signature": "00" });
    assert_eq!(pool.send("POST", verify, &alice, signed).await.0, 400, "names have no key");

    // A machine at the same place shows the password, beside a difficulty that it wants.
    let showing = SwarmConfig {
        password: format!("d=0.0001,{password}"),
        ..mining::miners_of(pool.stratum, "blake2s", 1)
    };
    let showing = Swarm::start(showing).unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (status, body) = pool.send("POST", verify, &alice, account.clone()).await;
        if status == 200 {
            assert_eq!(body, json!({ "account": "miner0", "by": "workers" }));
            break;
        }
        assert!(Instant::now() < deadline, "{body}\n{}", pool.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (_, mine) = pool.send("GET", "/api/auth/accounts", &alice, Value::Null).await;
    assert_eq!(mine["items"][0]["account"], "miner0");
    // Another's password is not shown by it, and what was shown is no secret that the API tells.
    let (_, claim) = pool.send("POST", "/api/auth/accounts/claims", &mole, account.clone()).await;
    assert_ne!(claim["password"], password);
    assert_eq!(pool.send("POST", verify, &mole, account).await.0, 409);
    let (_, sessions) = pool.get_as_admin("/api/admin/connections").await;
    assert!(!sessions.to_string().contains("claim-"), "{sessions}");
    assert_eq!(pool.send("DELETE", "/api/auth/accounts/miner0", &mole, Value::Null).await.0, 404);
    assert_eq!(pool.send("DELETE", "/api/auth/accounts/miner0", &alice, Value::Null).await.0, 204);
    drop((silent, showing));
}
