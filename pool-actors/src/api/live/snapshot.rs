//! What a feed begins with, and the figures of each second.

use std::{collections::HashSet, sync::Arc};

use pool_domain::ids::BlockHash;
use serde_json::{Value, json};
use tokio::sync::broadcast;

use super::frames::envelope;
use crate::{
    api::{Api, views},
    messages::{
        block::BlockView,
        live::{Numbered, PoolSnapshot, Subscription},
    },
    ports::store::BlockQuery,
};

/// Miners in a snapshot and in each second's figures: the fastest.
const MINERS_SHOWN: usize = 50;
/// Blocks in a snapshot.
const BLOCKS_SHOWN: usize = 120;

/// What a feed begins (again) with.
pub(super) struct Opening {
    pub(super) seq: u64,
    /// Rendered, unless `missed` is enough.
    pub(super) snapshot: Option<String>,
    pub(super) missed: Vec<Arc<Numbered>>,
    pub(super) live: broadcast::Receiver<Arc<Numbered>>,
}

impl Opening {
    pub(super) async fn make(api: &Api, since: Option<u64>) -> Self {
        let Subscription { seq, missed, blocks, live } = api.events.subscribe(since);
        if let Some(missed) = missed {
            return Self { seq, snapshot: None, missed, live };
        }
        let blocks = with_older_blocks(api, blocks).await;
        let data = snapshot(api, &blocks);
        let snapshot = Some(envelope("snapshot", seq, api.clock.now(), &data));
        Self { seq, snapshot, missed: Vec::new(), live }
    }
}

/// The picture of the DAG begins empty after a start: our own blocks of earlier are in the store.
async fn with_older_blocks(api: &Api, told: Vec<BlockView>) -> Vec<BlockView> {
    let room = BLOCKS_SHOWN.saturating_sub(told.len());
    let known: HashSet<BlockHash> = told.iter().map(|view| view.hash).collect();
    let older = if room == 0 {
        Vec::new()
    } else {
        let query = BlockQuery { limit: BLOCKS_SHOWN, ..BlockQuery::default() };
        // While the store is away, the picture has a gap; `/health/ready` says why.
        api.store.blocks(query).await.unwrap_or_default()
    };
    let older = older.iter().filter(|row| !known.contains(&row.hash)).take(room);
    let mut blocks: Vec<BlockView> = older.map(BlockView::from).collect();
    blocks.reverse();
    let skipped = told.len().saturating_sub(BLOCKS_SHOWN);
    blocks.extend(told.into_iter().skip(skipped));
    blocks
}

fn snapshot(api: &Api, blocks: &[BlockView]) -> Value {
    let pool = api.snapshot.get();
    let node = api.node.get();
    json!({
        "stats": views::stats(api, &pool),
        // Newest first, as in /api/blocks.
        "blocks": blocks.iter().rev().map(views::block).collect::<Vec<_>>(),
        "miners": fastest(&pool),
        "job": views::job(&node, api.clock.now()),
        "node": views::node(&node),
        "history": pool.history.iter().map(views::point).collect::<Vec<_>>(),
        "currency": api.currency,
    })
}

fn fastest(pool: &PoolSnapshot) -> Vec<Value> {
    pool.miners.fastest(MINERS_SHOWN).iter().map(views::miner).collect()
}

pub(super) fn figures(api: &Api, pool: &PoolSnapshot) -> Value {
    let node = api.node.get();
    json!({
        "stats": views::stats(api, pool),
        "job": views::job(&node, pool.at),
        "node": views::node(&node),
        "point": pool.history.last().map(views::point),
        "miners": fastest(pool),
    })
}
