//! A node over real sockets, used as docs/node.md says.

use std::time::Duration;

use bitcoin::consensus::encode::serialize_hex;
use bitcoin::hashes::{Hash as _, sha256d};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use simulations::node::{AlgorithmConfig, NodeConfig, NodeHandle, SimNode};
use simulations::pow;
use tokio_tungstenite::tungstenite::Message;

fn start(config: NodeConfig) -> NodeHandle {
    SimNode::start(config).unwrap()
}

fn quick() -> NodeConfig {
    let mut config = NodeConfig { coinbase_maturity: 2, ..NodeConfig::quiet() };
    config.algorithms[0].start_hashes = 64;
    config
}

async fn post(url: &str, method: &str, params: Value) -> Value {
    let body = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
    let answer: Value =
        reqwest::Client::new().post(url).json(&body).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["id"], 7);
    answer
}

async fn call(node: &NodeHandle, method: &str, params: Value) -> Value {
    let answer = post(&node.rpc_url, method, params).await;
    assert_eq!(answer.get("error"), None, "{method}");
    answer["result"].clone()
}

async fn error(node: &NodeHandle, method: &str, params: Value) -> String {
    let answer = post(&node.rpc_url, method, params).await;
    assert_eq!(answer["error"]["code"], -32_000, "{answer}");
    answer["error"]["message"].as_str().unwrap().to_owned()
}

async fn admin(node: &NodeHandle, method: &str, params: Value) -> Value {
    post(&node.admin_url, method, params).await["result"].clone()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn compact(count: usize) -> Vec<u8> {
    bitcoin::consensus::encode::serialize(&bitcoin::VarInt::from(count))
}

fn sha256d(data: &[u8]) -> [u8; 32] {
    sha256d::Hash::hash(data).to_byte_array()
}

/// Builds and solves a block from a template with nothing but the documentation.
fn solve(template: &Value, script: &str, extranonce: &[u8]) -> (String, String) {
    let mut coinbase = hex::decode("0100000001").unwrap();
    coinbase.extend([0; 32]);
    coinbase.extend([0xff; 4]);
    let mut script_sig = bytes(&template["coinbase_script_prefix"]);
    script_sig.extend(b"/test/");
    script_sig.extend(extranonce);
    coinbase.extend(compact(script_sig.len()));
    coinbase.extend(script_sig);
    coinbase.extend([0xff; 4]);
    let mandatory = template["coinbaseoutputs"].as_array().unwrap();
    coinbase.extend(compact(mandatory.len() + 1));
    let mut left = template["coinbasevalue"].as_u64().unwrap();
    let outputs =
        mandatory.iter().map(|output| (output["amount"].as_u64().unwrap(), bytes(&output["script"])));
    let mut outputs: Vec<_> = outputs.collect();
    left -= outputs.iter().map(|(amount, _)| amount).sum::<u64>();
    outputs.push((left, hex::decode(script).unwrap()));
    for (amount, script) in outputs {
        coinbase.extend(amount.to_le_bytes());
        coinbase.extend(compact(script.len()));
        coinbase.extend(script);
    }
    coinbase.extend([0; 4]);
    let transactions = template["transactions"].as_array().unwrap();
    let mut level = vec![sha256d(&coinbase)];
    for transaction in transactions {
        let mut id = bytes(&transaction["txid"]);
        id.reverse();
        level.push(id.try_into().unwrap());
    }
    while level.len() > 1 {
        if level.len() % 2 == 1 {
            level.push(*level.last().unwrap());
        }
        level = level.chunks(2).map(|pair| sha256d(&pair.concat())).collect();
    }
    let mut header = u32::try_from(template["version"].as_u64().unwrap()).unwrap().to_le_bytes().to_vec();
    let mut root = bytes(&template["previousblockhash"]);
    root.reverse();
    header.extend(root);
    header.extend(level[0]);
    header.extend(u32::try_from(template["curtime"].as_u64().unwrap()).unwrap().to_le_bytes());
    let mut bits = bytes(&template["bits"]);
    bits.reverse();
    header.extend(bits);
    header.extend([0; 4]);
    let mut header: [u8; 80] = header.try_into().unwrap();
    let target = format!("0x{}", template["target"].as_str().unwrap());
    let target: ruint::aliases::U256 = target.parse().unwrap();
    let algorithm = template["algorithm"].as_str().unwrap();
    let solved = (0..u32::MAX).any(|nonce| {
        header[76..].copy_from_slice(&nonce.to_le_bytes());
        pow::hash(algorithm, &header).unwrap() <= target
    });
    assert!(solved);
    let parents = template["parents"].as_array().unwrap();
    let mut block = header.to_vec();
    block.extend(compact(parents.len()));
    parents.iter().for_each(|parent| block.extend(bytes(&parent["data"])));
    block.extend(compact(transactions.len() + 1));
    block.extend(coinbase);
    transactions.iter().for_each(|transaction| block.extend(bytes(&transaction["data"])));
    let mut id = sha256d(&header);
    id.reverse();
    (hex::encode(block), hex::encode(id))
}

#[tokio::test]
async fn a_block_built_by_the_documentation_is_accepted_merged_and_paid() {
    let node = start(quick());
    let address = call(&node, "getNewAddress", json!(["pool"])).await;
    let script = call(&node, "validateAddress", json!([address])).await["scriptPubKey"].clone();
    let template = call(&node, "getBlockTemplate", json!([[], 100, address])).await;
    assert_eq!(template["coinbase_script"], script);
    assert_eq!(template["parents"].as_array().unwrap().len(), 1);
    let script = script.as_str().unwrap();
    // Two siblings of one job: they differ in the extranonce.
    let (one, one_hash) = solve(&template, script, &[1; 8]);
    let (two, two_hash) = solve(&template, script, &[2; 8]);
    let accepted = call(&node, "submitBlock", json!([one])).await;
    assert_eq!(accepted["hash"], json!(one_hash));
    assert_eq!(call(&node, "submitBlock", json!([two])).await["tips"], 2);
    assert!(error(&node, "submitBlock", json!([two])).await.starts_with("already have block"));
    assert_eq!(call(&node, "isBlue", json!([one_hash])).await, 2);

    let template = call(&node, "getBlockTemplate", json!([[], 100, address])).await;
    assert_eq!(template["coinbaseoutputs"].as_array().unwrap().len(), 2);
    let (three, three_hash) = solve(&template, script, &[3; 8]);
    call(&node, "submitBlock", json!([three])).await;
    for hash in [&one_hash, &two_hash] {
        let info = call(&node, "getBlockRewardInfo", json!([hash])).await;
        assert_eq!(info["blockColor"], "blue");
        assert_eq!(info["mergingChainBlockHash"], json!(three_hash));
        assert_eq!(info["rewardAmount"], 5_000_000_000_u64);
        assert_eq!(info["isMature"], false);
    }
    admin(&node, "mineBlocks", json!([{"count": 2, "label": "rival"}])).await;
    let info = call(&node, "getBlockRewardInfo", json!([one_hash])).await;
    assert_eq!((&info["isMature"], &info["confirmationCount"]), (&json!(true), &json!(2)));
    assert_eq!(call(&node, "getBalance", json!([address])).await["total"], 3 * 5_000_000_000_u64);
    assert_eq!(call(&node, "getMainChainHeight", json!([])).await, "4");
    let block = call(&node, "getBlock", json!([one_hash])).await;
    assert_eq!((&block["color"], &block["miner_address"]), (&json!("blue"), &address));
    assert_eq!(call(&node, "getBlock", json!([two_hash, false])).await, json!(two));
}

#[tokio::test]
async fn templates_carry_payments_and_blocks_with_them_are_accepted() {
    let node = start(quick());
    admin(&node, "mineBlocks", json!([{"count": 6, "label": "rich"}])).await;
    let shop = call(&node, "getNewAddress", json!(["shop"])).await;
    let script = call(&node, "validateAddress", json!([shop])).await["scriptPubKey"].clone();
    for amount in [1_000_000, 2_000_000, 3_000_000] {
        let many = json!([{shop.as_str().unwrap(): amount}, "rich"]);
        call(&node, "sendMany", many).await;
    }
    let template = call(&node, "getBlockTemplate", json!([["longpoll"], 100])).await;
    assert_eq!(template["transactions"].as_array().unwrap().len(), 3);
    let (block, _) = solve(&template, script.as_str().unwrap(), &[0; 8]);
    call(&node, "submitBlock", json!([block])).await;
    assert_eq!(call(&node, "getBalance", json!([shop])).await["spendable"], 6_000_000);
}

#[tokio::test]
async fn every_algorithm_is_mined_over_rpc() {
    let mut config = quick();
    let names = ["blake2s", "blake3", "sha256d", "scrypt", "scrypt-bdag", "kheavyhash"];
    let cheap = |name| AlgorithmConfig { start_hashes: 20, ..AlgorithmConfig::named(name).unwrap() };
    config.algorithms = names.map(cheap).to_vec();
    let node = start(config);
    let script = format!("76a914{}88ac", "11".repeat(20));
    for entry in call(&node, "getPowTypes", json!([])).await.as_array().unwrap() {
        let template = call(&node, "getBlockTemplate", json!([[], entry["pow_type"]])).await;
        assert_eq!(template["algorithm"], entry["algorithm"]);
        let (block, hash) = solve(&template, &script, &[0; 8]);
        assert_eq!(call(&node, "submitBlock", json!([block])).await["hash"], json!(hash));
        assert_eq!(call(&node, "getBlock", json!([hash])).await["algorithm"], entry["algorithm"]);
    }
    assert_eq!(call(&node, "getBlockTotal", json!([])).await, names.len() + 1);
}

#[tokio::test]
async fn transport_errors_have_their_status_and_code() {
    let auth = Some(("user".to_owned(), "secret".to_owned()));
    let node = start(NodeConfig { auth, ..quick() });
    let client = reqwest::Client::new();
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "getBlockCount", "params": []});
    let denied = client.post(&node.rpc_url).json(&body).send().await.unwrap();
    assert_eq!(denied.status(), 401);
    assert!(denied.headers()["content-type"].to_str().unwrap().starts_with("text/plain"));
    let authed = || client.post(&node.rpc_url).basic_auth("user", Some("secret"));
    let untyped = authed().body(body.to_string()).send().await.unwrap();
    assert_eq!(untyped.status(), 415);
    let answer: Value = authed().json(&body).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["result"], 1);
    for (body, code) in [
        ("{", -32_700),
        (r#"{"id":1,"method":"noSuchThing","params":[]}"#, -32_601),
        (r#"{"id":1,"method":"getBlock","params":["zz"]}"#, -32_602),
        (r#"{"id":1,"method":"getBlock","params":{}}"#, -32_602),
    ] {
        let request = authed().header("Content-Type", "application/json; charset=utf-8").body(body);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["error"]["code"], code, "{body}");
    }
}

#[tokio::test]
async fn a_long_poll_returns_with_the_next_tip() {
    let node = start(quick());
    let first = call(&node, "getBlockTemplate", json!([[], 100])).await;
    let poll = call(&node, "getBlockTemplate", json!([[], 100, null, first["longpollid"]]));
    let mine = admin(&node, "mineBlocks", json!([{}]));
    let (second, _) = tokio::join!(poll, mine);
    assert_eq!(second["height"], 2);
    assert_ne!(second["longpollid"], first["longpollid"]);
}

#[tokio::test]
async fn watchers_hear_of_blocks_and_templates() {
    let node = start(quick());
    let (mut socket, _) = tokio_tungstenite::connect_async(&node.ws_url).await.unwrap();
    let subscribe = json!({"jsonrpc": "2.0", "id": 1, "method": "notifyBlocks", "params": []});
    socket.send(Message::text(subscribe.to_string())).await.unwrap();
    let mut next = async || -> Value {
        let message = socket.next().await.unwrap().unwrap();
        serde_json::from_str(message.to_text().unwrap()).unwrap()
    };
    assert_eq!(next().await, json!({"jsonrpc": "2.0", "id": 1, "result": null}));
    let mined = admin(&node, "mineBlocks", json!([{}])).await;
    for method in ["blockAccepted", "blockConnected", "blocktemplate"] {
        let notice = next().await;
        assert_eq!(notice["method"], method);
        if method != "blocktemplate" {
            assert_eq!(notice["params"][0]["hash"], mined[0]);
        }
    }
}

#[tokio::test]
async fn faults_do_what_they_say() {
    let node = start(quick());
    admin(&node, "setFaults", json!([{"not_ready": "syncing 12%"}])).await;
    let refusal = error(&node, "getBlockTemplate", json!([[], 100])).await;
    assert_eq!(refusal, "Client in initial download mode: syncing 12%");
    let health = call(&node, "getTemplateHealth", json!([])).await;
    assert_eq!((&health["mineable_now"], &health["reason"]), (&json!(false), &json!("syncing 12%")));
    admin(&node, "setFaults", json!([{"not_ready": null, "mining_disabled": true}])).await;
    assert_eq!(error(&node, "getBlockTemplate", json!([[], 100])).await, "must enable miner");
    admin(&node, "clearFaults", json!([])).await;
    let true_info = call(&node, "getNodeInfo", json!([])).await;
    admin(&node, "setFaults", json!([{"chain_id": "other"}])).await;
    let info = call(&node, "getNodeInfo", json!([])).await;
    assert_eq!(info["chainid"], "other");
    assert_ne!(info["genesis"], true_info["genesis"]);
    admin(&node, "setFaults", json!([{"rubbish": true}])).await;
    let client = reqwest::Client::new();
    let body = json!({"id": 1, "method": "tips", "params": []});
    let text = client.post(&node.rpc_url).json(&body).send().await.unwrap().text().await.unwrap();
    assert!(serde_json::from_str::<Value>(&text).is_err());
    admin(&node, "setFaults", json!([{"rubbish": false, "drop_connections": true}])).await;
    let answer = client.post(&node.rpc_url).json(&body).send().await;
    let body = match answer {
        Ok(answer) => answer.bytes().await,
        Err(error) => Err(error),
    };
    assert!(body.is_err());
    admin(&node, "clearFaults", json!([])).await;
    let script = format!("76a914{}88ac", "22".repeat(20));
    let template = call(&node, "getBlockTemplate", json!([[], 100])).await;
    let (block, hash) = solve(&template, &script, &[0; 8]);
    admin(&node, "setFaults", json!([{"lose_submit_answer": true}])).await;
    let submit = json!({"id": 1, "method": "submitBlock", "params": [block]});
    let lost = match client.post(&node.rpc_url).json(&submit).send().await {
        Ok(answer) => answer.bytes().await,
        Err(error) => Err(error),
    };
    assert!(lost.is_err());
    assert_eq!(call(&node, "getBlock", json!([hash])).await["hash"], json!(hash));
}

#[tokio::test]
async fn rivals_make_siblings_reds_and_everything_adds_up() {
    let mut config = NodeConfig { block_time: Duration::from_millis(100), ..NodeConfig::default() };
    config.latency = Duration::from_millis(60);
    config.k = Some(1);
    config.algorithms[0].start_hashes = 120;
    let node = start(config);
    let (mut socket, _) = tokio_tungstenite::connect_async(&node.ws_url).await.unwrap();
    let subscribe = json!({"jsonrpc": "2.0", "id": 1, "method": "notifyBlocks", "params": []});
    socket.send(Message::text(subscribe.to_string())).await.unwrap();
    // Wait by what happens, not by time: until enough blocks are in and some are red.
    let (mut total, mut reds) = (0, 0);
    while total < 50 || reds < 3 {
        let message = socket.next().await.unwrap().unwrap();
        let notice: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
        match notice["method"].as_str() {
            Some("blockAccepted") => total += 1,
            Some("blockConnected") => reds += notice["params"][0]["reds"].as_array().unwrap().len(),
            _ => {}
        }
        assert!(total < 3_000, "no reds");
    }
    admin(&node, "setFaults", json!([{"paused": true}])).await;
    let blocks = call(&node, "getBlocksFrom", json!([1, 1000])).await;
    let balance = call(&node, "getBalance", json!([])).await["total"].as_u64().unwrap();
    let count =
        |color: &str| blocks.as_array().unwrap().iter().filter(|block| block["color"] == color).count();
    let (blues, reds) = (count("blue"), count("red"));
    assert!(blues > 0 && reds > 0, "{blues} blue, {reds} red");
    let mut paid = 0;
    for block in blocks.as_array().unwrap() {
        let info = call(&node, "getBlockRewardInfo", json!([block["hash"]])).await;
        assert_eq!(info["blockColor"], block["color"]);
        paid += info["rewardAmount"].as_u64().unwrap_or(0);
        if block["is_chain_block"] == true {
            paid += block["red_reward_amount"].as_u64().unwrap();
        }
    }
    assert_eq!(paid, (blues + reds) as u64 * 5_000_000_000);
    assert_eq!(balance, paid);
}

#[test]
fn a_port_in_use_is_one_clear_sentence() {
    let node = start(quick());
    let error = SimNode::start(NodeConfig { listen: node.address, ..quick() }).unwrap_err().to_string();
    assert!(error.contains("can't listen on 127.0.0.1:") && error.contains("choose another port"), "{error}");
    let address = node.address;
    node.stop();
    drop(SimNode::start(NodeConfig { listen: address, ..quick() }).unwrap());
}

#[test]
fn transactions_serialise_without_witness() {
    // What the documentation promises about the coinbase's encoding, by the independent crate.
    let transaction = bitcoin::Transaction {
        version: bitcoin::transaction::Version::ONE,
        lock_time: bitcoin::absolute::LockTime::ZERO,
        input: vec![bitcoin::TxIn::default()],
        output: Vec::new(),
    };
    assert!(serialize_hex(&transaction).starts_with("0100000001"));
}
