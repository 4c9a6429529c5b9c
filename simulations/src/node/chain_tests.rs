//! Consensus without sockets and clock: rewards add up, rules are kept, reorganisations are undone and redone.

use bitcoin::hashes::Hash as _;
use pool_domain::ghostdag::GhostdagStore as _;
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

use super::block::{Block, Id, parents_root};
use super::chain::{assemble, solve};
use super::config::{AlgorithmConfig, NodeConfig};
use super::core::Core;
use super::dag::Colour;
use super::errors::Refusal;
use super::rpc;

const START_MS: u64 = 1_795_390_000_000;
const BLAKE2S: u8 = 100;

fn config() -> NodeConfig {
    let mut config = NodeConfig { coinbase_maturity: 3, ..NodeConfig::quiet() };
    config.algorithms[0].start_hashes = 32;
    config
}

fn core() -> Core {
    Core::new(config(), START_MS)
}

fn call(core: &mut Core, method: &str, params: &Value) -> Value {
    rpc::call(core, method, params.as_array().unwrap(), START_MS).unwrap()
}

/// Four miners that see blocks a few blocks late.
fn grow(core: &mut Core, seed: u64, count: usize) -> Vec<Id> {
    let mut random = SmallRng::seed_from_u64(seed);
    let mut made = vec![core.chain.genesis()];
    for index in 0..count {
        let seen = made.len().saturating_sub(random.random_range(0..7)).max(1);
        let dag = core.chain.dag();
        let is_tip = |id: &Id| dag.known(*id).children.iter().all(|child| !made[..seen].contains(child));
        let tips: Vec<Id> = made[..seen].iter().copied().filter(is_tip).collect();
        let label = format!("miner-{}", random.random_range(0..4));
        let now = START_MS + index as u64 * 400;
        match core.mine_block(BLAKE2S, Some(&tips), &label, now) {
            Ok(id) => made.push(id),
            Err(refusal) => panic!("block {index} on {tips:?}: {refusal}"),
        }
    }
    made
}

#[test]
fn every_block_is_paid_once_or_forfeits_to_its_merger() {
    let mut core = core();
    let made = grow(&mut core, 7, 120);
    let chain = &core.chain;
    let subsidy = chain.config().subsidy;
    let (mut blues, mut reds) = (0_u64, 0_u64);
    for &id in &made[1..] {
        match chain.colour(id) {
            Colour::Blue(_) => blues += 1,
            Colour::Red(_) => reds += 1,
            Colour::Unknown => {}
        }
    }
    assert!(blues > 20 && reds > 5, "{blues} blue, {reds} red: the DAG is too tame to show anything");
    let mut paid = 0;
    let mut paid_blocks = Vec::new();
    for &id in chain.selected().blocks() {
        let stored = chain.dag().known(id);
        paid += stored.merge.red_reward;
        for reward in &stored.merge.rewards {
            assert_eq!(chain.colour(reward.block), Colour::Blue(id));
            assert_eq!(chain.dag().known(reward.block).claim.as_ref(), Some(&reward.script));
            assert_eq!(reward.amount, subsidy);
            paid += reward.amount;
            paid_blocks.push(reward.block);
        }
    }
    paid_blocks.sort_unstable();
    paid_blocks.dedup();
    assert_eq!(paid_blocks.len() as u64, blues);
    assert_eq!(paid, (blues + reds) * subsidy);
    // The same money by another way: all coins that can ever be spent.
    let coins: u64 = chain.coins().iter().map(|(_, utxo)| utxo.amount).sum();
    assert_eq!(coins, paid);
    let total = call(&mut core, "getBalance", &json!([]))["total"].as_u64().unwrap();
    assert_eq!(total, paid);
}

#[test]
fn the_coins_do_not_depend_on_the_order_of_arrival() {
    let mut one = core();
    let made = grow(&mut one, 11, 60);
    let mut other = core();
    // Another topological order: parents first, else by id.
    let mut waiting: Vec<Id> = made[1..].to_vec();
    waiting.sort_unstable();
    while !waiting.is_empty() {
        let ready = |id: &Id| {
            let block = &one.chain.dag().known(*id).block;
            block.parents.iter().all(|parent| other.chain.dag().get(*parent).is_some())
        };
        let at = waiting.iter().position(ready).unwrap();
        let block = one.chain.dag().known(waiting.remove(at)).block.clone();
        other.insert(block, START_MS + 60_000).unwrap();
    }
    assert_eq!(one.chain.selected().order(), other.chain.selected().order());
    let coins = |core: &Core| {
        let mut coins: Vec<_> = core.chain.coins().iter().map(|(o, u)| (*o, u.clone())).collect();
        coins.sort_by_key(|(outpoint, _)| *outpoint);
        coins
    };
    assert_eq!(coins(&one), coins(&other));
}

#[test]
fn a_heavier_branch_turns_blue_blocks_red_and_back_is_announced() {
    let mut core = core();
    let genesis = core.chain.genesis();
    let ours: Vec<Id> = mine_on(&mut core, genesis, 5, "ours");
    assert_eq!(core.chain.colour(ours[1]), Colour::Blue(ours[2]));
    core.take_notices();
    let theirs: Vec<Id> = mine_on(&mut core, genesis, 8, "theirs");
    let notices = core.take_notices();
    let reorganization = notices.iter().find(|(method, _)| *method == "reorganization").unwrap();
    assert_eq!(reorganization.1["common_ancestor"], genesis.to_string());
    assert_eq!(reorganization.1["removed"], 5);
    assert_eq!(notices.iter().filter(|(method, _)| *method == "blockDisconnected").count(), 5);
    assert_eq!(core.chain.colour(ours[1]), Colour::Unknown);
    let merging = core.mine_block(BLAKE2S, None, "theirs", START_MS).unwrap();
    assert_eq!(core.chain.colour(ours[1]), Colour::Red(merging));
    assert_eq!(core.chain.colour(theirs[1]), Colour::Blue(theirs[2]));
    let info = call(&mut core, "getBlockRewardInfo", &json!([ours[1].to_string()]));
    assert_eq!(info["blockColor"], "red");
    assert_eq!(info["rewardAmount"], 0);
    // The merging miner collects what the five reds forfeit.
    assert_eq!(core.chain.dag().known(merging).merge.red_reward, 5 * core.chain.config().subsidy);
}

fn mine_on(core: &mut Core, from: Id, count: usize, label: &str) -> Vec<Id> {
    let mut at = from;
    let mut made = Vec::new();
    for _ in 0..count {
        at = core.mine_block(BLAKE2S, Some(&[at]), label, START_MS).unwrap();
        made.push(at);
    }
    made
}

/// A block on the tips, changed by `change`, then solved again.
fn changed(core: &mut Core, change: impl FnOnce(&mut Block)) -> Block {
    let view = core.chain.virtual_view().clone();
    let script = core.wallet.script_of("changed");
    let entry = core.chain.algorithm_at(BLAKE2S, view.height).unwrap().clone();
    let bits = core.chain.bits_for(&entry, &view);
    let mut block = assemble(&view, &entry, bits, 1_795_390_000, &script, b"tag", &[]);
    change(&mut block);
    if let Some(root) = block.computed_merkle_root() {
        block.header.merkle_root = root;
    }
    solve(&mut block, "blake2s").unwrap();
    block
}

fn refuse(core: &mut Core, text: &str, block: Block) {
    let before = core.chain.dag().len();
    let refusal = core.insert(block, START_MS).unwrap_err().to_string();
    assert!(refusal.contains(text), "{refusal} does not contain {text}");
    assert_eq!(core.chain.dag().len(), before);
}

#[test]
fn every_rule_refuses_with_its_text() {
    let mut core = core();
    let genesis = core.chain.genesis();
    mine_on(&mut core, genesis, 3, "miner");
    mine_on(&mut core, genesis, 1, "other");
    let core = &mut core;

    let mut high = changed(core, |_| {});
    loop {
        high.header.nonce += 1;
        let target = super::difficulty::target_of(high.header.bits).unwrap();
        if crate::pow::hash("blake2s", &high.header_bytes()).unwrap() > target {
            break;
        }
    }
    refuse(core, "is higher than expected max of", high);
    let unknown = Id::from_wire([9; 32]);
    let orphan = changed(core, |block| {
        block.parents = vec![unknown];
        block.header.prev_blockhash = bitcoin::BlockHash::from_byte_array(parents_root(&block.parents));
    });
    refuse(core, "is an orphan", orphan);
    let ancestor = changed(core, |block| {
        block.parents.push(genesis);
        block.header.prev_blockhash = bitcoin::BlockHash::from_byte_array(parents_root(&block.parents));
    });
    refuse(core, "bad parents", ancestor);
    let swapped = changed(core, |block| {
        block.parents.reverse();
        block.header.prev_blockhash = bitcoin::BlockHash::from_byte_array(parents_root(&block.parents));
    });
    refuse(core, "bad parents", swapped);
    let block = changed(core, |block| block.parents.reverse());
    refuse(core, "bad parents root", block);
    let mut wrong_root = changed(core, |_| {});
    wrong_root.transactions[0].output[0].script_pubkey = bitcoin::ScriptBuf::new();
    refuse(core, "bad merkle root", wrong_root);
    let block = changed(core, |block| {
        block.header.version = bitcoin::block::Version::from_consensus(0x2000_0065);
    });
    refuse(core, "bad version", block);
    let block = changed(core, |block| {
        block.header.bits = bitcoin::CompactTarget::from_consensus(0x2007_0000);
    });
    refuse(core, "is not the expected value of", block);
    let block = changed(core, |block| block.header.time = 5);
    refuse(core, "is before the median", block);
    let block = changed(core, |block| block.header.time += 121);
    refuse(core, "too far in the future", block);
    let last = |block: &mut Block| block.transactions[0].output.len() - 1;
    let block = changed(core, |block| {
        let last = last(block);
        block.transactions[0].output[last].value += bitcoin::Amount::ONE_SAT;
    });
    refuse(core, "has amount", block);
    let block = changed(core, |block| {
        block.transactions[0].output.remove(0);
    });
    refuse(core, "outputs, expected", block);
    let block = changed(core, |block| {
        let last = last(block);
        let own = block.transactions[0].output[last].script_pubkey.clone();
        block.transactions[0].output[0].script_pubkey = own;
    });
    refuse(core, "has script", block);
    let block = changed(core, |block| {
        block.transactions[0].input[0].script_sig = bitcoin::ScriptBuf::from_bytes(vec![1, 99, 0]);
    });
    refuse(core, "bad coinbase: script must begin with", block);
    let block = changed(core, |block| {
        let mut script = block.transactions[0].input[0].script_sig.to_bytes();
        script.resize(101, 0);
        block.transactions[0].input[0].script_sig = bitcoin::ScriptBuf::from_bytes(script);
    });
    refuse(core, "bad coinbase: script of 101 bytes", block);
    let block = changed(core, |block| {
        let mut payment = block.transactions[0].clone();
        payment.input[0].previous_output = bitcoin::OutPoint { txid: payment.compute_txid(), vout: 0 };
        block.transactions.push(payment);
    });
    refuse(core, "bad transaction", block);
    let good = changed(core, |_| {});
    core.insert(good.clone(), START_MS).unwrap();
    assert!(matches!(core.insert(good, START_MS), Err(Refusal::Duplicate(_))));
}

#[test]
fn blocks_far_behind_the_tips_are_overdue() {
    let mut core = Core::new(NodeConfig { overdue_limit: 4, ..config() }, START_MS);
    let genesis = core.chain.genesis();
    mine_on(&mut core, genesis, 4, "miner");
    core.mine_block(BLAKE2S, Some(&[genesis]), "late", START_MS).unwrap();
    core.mine_block(BLAKE2S, None, "miner", START_MS).unwrap();
    let refusal = core.mine_block(BLAKE2S, Some(&[genesis]), "later", START_MS).unwrap_err().to_string();
    assert!(refusal.contains("is overdue"), "{refusal}");
}

#[test]
fn branches_below_the_merge_depth_are_never_merged() {
    let mut core = Core::new(NodeConfig { merge_depth: 5, overdue_limit: 100, ..config() }, START_MS);
    let genesis = core.chain.genesis();
    let main = mine_on(&mut core, genesis, 3, "miner");
    let forgotten = mine_on(&mut core, genesis, 1, "forgotten")[0];
    mine_on(&mut core, main[2], 7, "miner");
    // Templates leave it out, and a block that names it is refused.
    assert!(!core.chain.virtual_view().parents.contains(&forgotten));
    let tip = core.chain.main_tip().id;
    let refusal = core.mine_block(BLAKE2S, Some(&[tip, forgotten]), "miner", START_MS).unwrap_err();
    assert!(refusal.to_string().starts_with("Side chain depth too large"), "{refusal}");
    core.mine_block(BLAKE2S, None, "miner", START_MS).unwrap();
    assert_eq!(core.chain.colour(forgotten), Colour::Unknown);
}

#[test]
fn algorithms_have_windows_and_weights() {
    let mut config = config();
    config.algorithms.push(AlgorithmConfig {
        activation_height: 3,
        end_height: Some(4),
        start_hashes: 16,
        ..AlgorithmConfig::named("sha256d").unwrap()
    });
    let mut core = Core::new(config, START_MS);
    let refusal = core.mine_block(102, None, "miner", START_MS).unwrap_err().to_string();
    assert_eq!(refusal, "pow type 102 is not active at height 1");
    mine_on_tips(&mut core, BLAKE2S, 2);
    let id = core.mine_block(102, None, "miner", START_MS).unwrap();
    // Expected hashes of 16 (rounded up through bits) times the weight of 2.
    let work = core.chain.dag().work(id);
    assert!(work >= ruint::aliases::U256::from(32) && work <= ruint::aliases::U256::from(36), "{work}");
    mine_on_tips(&mut core, 102, 1);
    assert!(core.mine_block(102, None, "miner", START_MS).is_err());
    mine_on_tips(&mut core, BLAKE2S, 1);
    let table = call(&mut core, "getPowTypes", &json!([]));
    assert_eq!(table[1]["active"], false);
}

fn mine_on_tips(core: &mut Core, pow_type: u8, count: usize) {
    for _ in 0..count {
        core.mine_block(pow_type, None, "miner", START_MS).unwrap();
    }
}

#[test]
fn difficulty_follows_the_time_that_blocks_take() {
    for (block_ms, harder) in [(250, true), (4_000, false)] {
        let mut core = Core::new(config(), START_MS);
        for index in 0..40 {
            core.mine_block(BLAKE2S, None, "miner", START_MS + index * block_ms).unwrap();
        }
        let hashes =
            call(&mut core, "getDifficulty", &json!([BLAKE2S]))["difficulty_hashes"].as_u64().unwrap();
        assert_eq!(hashes > 40, harder, "{block_ms} ms per block: {hashes} hashes");
        assert_eq!(hashes < 24, !harder, "{block_ms} ms per block: {hashes} hashes");
    }
}

#[test]
fn payments_mature_confirm_and_pay_their_fee_to_the_miner() {
    let mut core = core();
    let address = call(&mut core, "getNewAddress", &json!(["shop"]));
    call(&mut core, "getNewAddress", &json!(["miner"]));
    let pay = json!([address, 1_000_000, "miner"]);
    let early = rpc::call(&mut core, "sendToAddress", pay.as_array().unwrap(), START_MS).unwrap_err();
    assert!(early.message.contains("insufficient funds"), "{}", early.message);
    mine_on_tips(&mut core, BLAKE2S, 8);
    let txid = call(&mut core, "sendToAddress", &pay);
    assert_eq!(call(&mut core, "getTransaction", &json!([txid]))["status"], "mempool");
    let template = call(&mut core, "getBlockTemplate", &json!([[], BLAKE2S]));
    let fee = template["transactions"][0]["fee"].as_u64().unwrap();
    assert_eq!(template["blockreward"].as_u64().unwrap(), core.chain.config().subsidy + fee);
    let carrier = core.mine_block(BLAKE2S, None, "carrier", START_MS).unwrap();
    mine_on_tips(&mut core, BLAKE2S, 1);
    let info = call(&mut core, "getBlockRewardInfo", &json!([carrier.to_string()]));
    assert_eq!(info["rewardAmount"].as_u64().unwrap(), core.chain.config().subsidy + fee);
    assert_eq!(call(&mut core, "getTransaction", &json!([txid]))["status"], "accepted");
    assert_eq!(call(&mut core, "getBalance", &json!([address]))["spendable"], 1_000_000);
    assert_eq!(call(&mut core, "getMempool", &json!([])), json!([]));
    // The fee is not lost: carrier's merger pays it. Only the tip's own reward is still to come.
    let count = call(&mut core, "getBlockCount", &json!([])).as_u64().unwrap() - 1;
    mine_on_tips(&mut core, BLAKE2S, 1);
    let total = call(&mut core, "getBalance", &json!([]))["total"].as_u64().unwrap();
    assert_eq!(total, count * core.chain.config().subsidy);
}

#[test]
fn blocks_decode_to_themselves_and_reject_any_other_length() {
    let mut core = core();
    let id = core.mine_block(BLAKE2S, None, "miner", START_MS).unwrap();
    let block = &core.chain.dag().known(id).block;
    let bytes = block.encode();
    assert_eq!(Block::decode(&bytes).unwrap(), *block);
    for length in 0..bytes.len() {
        assert!(Block::decode(&bytes[..length]).is_err(), "{length}");
    }
    assert!(Block::decode(&[bytes.as_slice(), &[0]].concat()).is_err());
}

/// Everything that a chain says of itself.
fn picture(core: &Core) -> (Id, Vec<Id>, u64, u32, usize) {
    let (chain, view) = (&core.chain, core.chain.virtual_view());
    let genesis_time = chain.dag().known(chain.genesis()).block.header.time;
    (chain.main_tip().id, view.parents.clone(), view.data.blue_score, genesis_time, chain.dag().len())
}

#[test]
fn a_kept_chain_goes_on_after_a_start() {
    let folder = tempfile::tempdir().unwrap();
    let kept = || NodeConfig { chain_file: Some(folder.path().join("chain")), ..config() };
    let mut core = Core::open(kept(), START_MS).unwrap();
    grow(&mut core, 3, 60);
    let balance = |core: &Core| core.coins().balance(&core.wallet.scripts(Some("miner-1")));
    let (before, owned) = (picture(&core), balance(&core));
    assert!(owned.spendable > 0);
    drop(core);

    // Killed in the middle of a block: what nobody was told of is cut off.
    let path = folder.path().join("chain");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, [whole.as_slice(), &[40, 0, 0, 0, 1, 2, 3]].concat()).unwrap();
    let mut core = Core::open(kept(), START_MS + 3_600_000).unwrap();
    core.wallet.script_of("miner-1");
    assert_eq!((picture(&core), balance(&core)), (before, owned));
    assert_eq!(std::fs::read(&path).unwrap(), whole);
    let next = core.mine_block(BLAKE2S, None, "miner-1", START_MS + 3_600_000).unwrap();
    drop(core);
    assert_eq!(Core::open(kept(), START_MS).unwrap().chain.main_tip().id, next);
}

#[test]
fn a_kept_chain_is_refused_where_it_can_not_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chain");
    let kept = || NodeConfig { chain_file: Some(path.clone()), ..config() };
    let why = |config| Core::open(config, START_MS).err().unwrap();
    let mut core = Core::open(kept(), START_MS).unwrap();
    grow(&mut core, 4, 5);
    assert!(why(kept()).contains("another node uses it"));
    drop(core);
    let other = why(NodeConfig { block_time: std::time::Duration::from_secs(9), ..kept() });
    assert!(other.contains("(block_time_ms 1000, asked for 9000); use the options"), "{other}");

    let whole = std::fs::read(&path).unwrap();
    let mut damaged = whole.clone();
    let at = whole.len() - 300;
    damaged[at] ^= 1;
    std::fs::write(&path, damaged).unwrap();
    let damaged = why(kept());
    assert!(damaged.contains(path.to_str().unwrap()), "{damaged}");
    for other in ["[pool]", "[pool]\n", "{}\n"] {
        std::fs::write(&path, other).unwrap();
        assert!(why(kept()).contains("no chain of a simulated node"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), other, "and it is left as it was");
    }
}
