//! `/notifications`: what happens, in Miningcore's words.

use pool_domain::{maturity::BlockStatus, payout::PayoutState};
use serde_json::json;

use super::{super::Api, coins, float, pool_id, progress, status_name};
use crate::messages::{event::PoolEvent, live};

/// What `/notifications` begins with.
pub(in crate::api) const GREETING: &str =
    r#"{"type":"greeting","message":"Connected to Miningcore notification relay"}"#;

/// The pool's hash rate is told of this often.
const HASHRATE_EVERY_MS: u64 = 10_000;

/// An event in Miningcore's words, if it has any for it.
pub(in crate::api) fn notification(api: &Api, event: &live::Numbered) -> Option<String> {
    let currency = api.currency;
    let pool_id = pool_id(currency);
    let of_block = |kind: &str, height: u64| json!({ "type": kind, "poolId": pool_id, "blockHeight": height, "symbol": currency.symbol, "name": api.pool_name });
    let told = match &event.event {
        PoolEvent::Block(view) => {
            let Some(status) = view.status else {
                return Some(of_block("newchainheight", view.height?).to_string());
            };
            let height = view.height.unwrap_or(0);
            let name = match status {
                BlockStatus::Candidate | BlockStatus::Submitted => return None,
                BlockStatus::Accepted if view.confirmations == 0 => "blockfound",
                BlockStatus::Accepted => "blockunlockprogress",
                _ => "blockunlocked",
            };
            let mut told = of_block(name, height);
            match name {
                "blockfound" => {
                    told["miner"] = json!(view.account);
                    told["source"] = json!(view.worker);
                }
                "blockunlockprogress" => told["progress"] = json!(progress(view.confirmations)),
                _ => {
                    told["miner"] = json!(view.account);
                    told["blockType"] = json!("block");
                    told["blockHash"] = json!(view.hash);
                    told["reward"] =
                        json!(view.reward.map_or(0.0, |reward| coins(reward, currency.decimals)));
                    told["status"] = json!(status_name(status));
                }
            }
            told
        }
        PoolEvent::Payout(view) if view.state == PayoutState::Settled => json!({
            "type": "payment", "poolId": pool_id, "symbol": currency.symbol,
            "amount": coins(view.amount, currency.decimals), "recipientsCount": view.recipients,
            "txIds": view.txid.iter().collect::<Vec<_>>(),
        }),
        PoolEvent::Stats(pool) if (event.at.0 / 1_000 * 1_000).is_multiple_of(HASHRATE_EVERY_MS) => {
            json!({ "type": "hashrateupdated", "poolId": pool_id, "hashrate": float(pool.hashrate) })
        }
        _ => return None,
    };
    Some(told.to_string())
}
