//! EventPublisher: numbers what happens and hands it to whoever follows.
//!
//! * **receives** [`Publish`] from everybody (offered: lossy, and counted at the sender), [`Subscribe`], [`Observe`]
//! * **sends** events through a broadcast channel, in which a slow subscriber loses the oldest and is told
//! * **supervised by** the factory supervisor; a new one starts with a higher number, and subscribers come again
//! * **on overload** the mailbox's bound sheds events; the ring and the channel are bounded

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use actix::{Actor, Context, Handler, MessageResult};
use pool_domain::ids::BlockHash;
use serde::Serialize;
use tokio::sync::broadcast;

use crate::{
    messages::{
        block::BlockView,
        event::{Numbered, PoolEvent, Publish, Subscribe, Subscription},
    },
    ports::clock::SharedClock,
    runtime::observe::{Observation, Observe},
};

/// Events kept for those who come back.
const RING: usize = 1_024;
/// Events that wait for a slow subscriber.
const WAITING_MAX: usize = 1_024;
/// Blocks remembered for the picture of the DAG.
const BLOCKS: usize = 240;

/// See the module's documentation.
pub struct EventPublisher {
    seq: u64,
    /// The highest number that is not in the ring any more.
    forgotten: u64,
    ring: VecDeque<Arc<Numbered>>,
    live: broadcast::Sender<Arc<Numbered>>,
    block_order: VecDeque<BlockHash>,
    blocks: HashMap<BlockHash, BlockView>,
}

/// What a publisher says about itself.
#[derive(Debug, Serialize)]
struct State {
    seq: u64,
    events_kept: usize,
    blocks_kept: usize,
    subscribers: usize,
}

impl EventPublisher {
    /// A publisher whose numbers begin at the clock's milliseconds: higher than those of any process before it, as long
    /// as there are fewer than a thousand events a second on average.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "as all actors are made")]
    pub fn new(clock: SharedClock) -> Self {
        let seq = clock.now().0;
        Self {
            seq,
            forgotten: seq,
            ring: VecDeque::new(),
            live: broadcast::channel(WAITING_MAX).0,
            block_order: VecDeque::new(),
            blocks: HashMap::new(),
        }
    }

    fn remember_block(&mut self, view: &BlockView) {
        if self.blocks.insert(view.hash, view.clone()).is_some() {
            return;
        }
        self.block_order.push_back(view.hash);
        if self.block_order.len() > BLOCKS
            && let Some(oldest) = self.block_order.pop_front()
        {
            self.blocks.remove(&oldest);
        }
    }

    fn keep(&mut self, event: &Arc<Numbered>) {
        self.ring.push_back(Arc::clone(event));
        if self.ring.len() > RING
            && let Some(oldest) = self.ring.pop_front()
        {
            self.forgotten = oldest.seq;
        }
    }
}

impl Actor for EventPublisher {
    type Context = Context<Self>;
}

impl Handler<Publish> for EventPublisher {
    type Result = ();

    fn handle(&mut self, Publish { at, event }: Publish, _: &mut Self::Context) {
        self.seq += 1;
        if let PoolEvent::Block(view) = &event {
            self.remember_block(view);
        }
        let event = Arc::new(Numbered::new(self.seq, at, event));
        if !matches!(event.event, PoolEvent::Stats(_)) {
            self.keep(&event);
        }
        // Nobody may be listening.
        let _ = self.live.send(event);
    }
}

impl Handler<Subscribe> for EventPublisher {
    type Result = MessageResult<Subscribe>;

    fn handle(&mut self, Subscribe { since }: Subscribe, _: &mut Self::Context) -> Self::Result {
        let resumable = since.filter(|since| (self.forgotten..=self.seq).contains(since));
        MessageResult(Subscription {
            seq: self.seq,
            missed: resumable
                .map(|since| self.ring.iter().filter(|event| event.seq > since).cloned().collect()),
            blocks: self.block_order.iter().filter_map(|hash| self.blocks.get(hash).cloned()).collect(),
            live: self.live.subscribe(),
        })
    }
}

impl Handler<Observe> for EventPublisher {
    type Result = Observation;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Observation {
        Observation::of(&State {
            seq: self.seq,
            events_kept: self.ring.len(),
            blocks_kept: self.blocks.len(),
            subscribers: self.live.receiver_count(),
        })
    }
}
