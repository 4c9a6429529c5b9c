//! MaturityTracker: follows our blocks in the DAG until the ledger has settled them, and shows other people's blocks.
//!
//! * **receives** [`NodeTold`] from the TemplateReceiver, [`OurBlock`] from the BlockSubmitter, the ledger's watched
//!   list of unsettled blocks, its own timer, [`Observe`]
//! * **sends** [`BlocksObserved`] to the PayoutLedger, [`Publish`] to the EventPublisher
//! * **supervised by** the factory supervisor; it holds nothing that the node and the ledger can't tell again
//! * **on overload** one question to the node is under way at a time, of at most [`BATCH_MAX`] blocks; observations that
//!   the ledger has no room for are made again
//!
//! It judges nothing: colour is provisional until the observation says `mature`, and the ledger decides what follows.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use actix::{
    Actor, ActorFutureExt as _, AsyncContext as _, Context, Handler, MessageResult, StreamHandler,
    WrapFuture as _,
};
use futures_util::stream;
use pool_domain::ids::BlockHash;
use serde::Serialize;
use tokio::time::Instant;

use crate::{
    messages::{
        block::{BlockView, BlocksObserved, NodeTold, OurBlock},
        event::{PoolEvent, Publish},
    },
    ports::{
        clock::SharedClock,
        node::{BlockObservation, DagBlock, NodeError, NodeEvent, SharedNode},
    },
    runtime::{
        observe::{Observation, Observe},
        outbox::Outbox,
        watch::Watched,
    },
};

/// Blocks asked about at a time.
pub const BATCH_MAX: usize = 256;
/// Blocks of the DAG shown when the pool starts.
const RECENT_BLOCKS: usize = 100;
/// Hashes of ours that are remembered, so that the node's news of them are not shown as somebody else's.
const OURS_MAX: usize = 16_384;

/// What a MaturityTracker works with.
#[derive(Clone)]
pub struct Parts {
    /// The chain.
    pub node: SharedNode,
    /// Time of events.
    pub clock: SharedClock,
    /// Accepted blocks that are neither matured nor void, oldest first; the ledger publishes the list.
    pub unsettled: Watched<Vec<BlockHash>>,
    /// The PayoutLedger.
    pub ledger: Outbox<BlocksObserved>,
    /// Who tells the world.
    pub events: Outbox<Publish>,
    /// How often the node is asked.
    pub poll_interval: Duration,
}

/// See the module's documentation.
pub struct MaturityTracker {
    parts: Parts,
    ours: HashSet<BlockHash>,
    ours_order: VecDeque<BlockHash>,
    asking: bool,
    again: bool,
    rest_until: Option<Instant>,
    /// Where in a long list the next question begins.
    cursor: usize,
    observed: u64,
    last_error: Option<String>,
}

impl MaturityTracker {
    /// A tracker that knows nothing yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self {
            parts,
            ours: HashSet::new(),
            ours_order: VecDeque::new(),
            asking: false,
            again: false,
            rest_until: None,
            cursor: 0,
            observed: 0,
            last_error: None,
        }
    }

    fn remember(&mut self, hash: BlockHash) {
        if self.ours.insert(hash) {
            self.ours_order.push_back(hash);
        }
        if self.ours_order.len() > OURS_MAX
            && let Some(oldest) = self.ours_order.pop_front()
        {
            self.ours.remove(&oldest);
        }
    }

    fn show(&self, block: DagBlock) {
        if !self.ours.contains(&block.hash) {
            let event = PoolEvent::Block(BlockView::of_others(block));
            self.parts.events.offer(Publish { at: self.parts.clock.now(), event });
        }
    }

    /// The blocks to ask about now: all of a short list, the next part of a long one.
    fn batch(&mut self) -> Vec<BlockHash> {
        let unsettled = self.parts.unsettled.get();
        if unsettled.is_empty() {
            return Vec::new();
        }
        let start = self.cursor % unsettled.len();
        let batch: Vec<BlockHash> =
            unsettled.iter().cycle().skip(start).take(BATCH_MAX.min(unsettled.len())).copied().collect();
        self.cursor = start + batch.len();
        batch
    }

    fn ask(&mut self, context: &mut Context<Self>) {
        if self.asking {
            self.again = true;
            return;
        }
        let batch = self.batch();
        if batch.is_empty() {
            return;
        }
        self.asking = true;
        let node = Arc::clone(&self.parts.node);
        let started = Instant::now();
        let question = async move { node.observe(&batch).await };
        context.spawn(question.into_actor(self).map(move |answer, actor, context| {
            actor.asking = false;
            actor.rest_until = Some(Instant::now() + started.elapsed());
            actor.take(answer);
            if std::mem::take(&mut actor.again) {
                actor.ask(context);
            }
        }));
    }

    fn take(&mut self, answer: Result<Vec<BlockObservation>, NodeError>) {
        match answer {
            Ok(observations) if observations.is_empty() => {}
            Ok(observations) => {
                self.last_error = None;
                self.observed += observations.len() as u64;
                // No room: the same is seen again at the next question.
                self.parts.ledger.offer(BlocksObserved(observations));
            }
            Err(error) => {
                tracing::debug!("blocks not observed: {error}");
                self.last_error = Some(error.to_string());
            }
        }
    }

    fn show_recent(&self, context: &mut Context<Self>) {
        let node = Arc::clone(&self.parts.node);
        let question = async move { node.recent_blocks(RECENT_BLOCKS).await };
        context.spawn(question.into_actor(self).map(|answer, actor, _| match answer {
            Ok(blocks) => blocks.into_iter().for_each(|block| actor.show(block)),
            Err(error) => tracing::debug!("recent blocks unknown: {error}"),
        }));
    }
}

struct UnsettledChanged(Arc<Vec<BlockHash>>);

impl Actor for MaturityTracker {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        for hash in self.parts.unsettled.get().iter() {
            self.remember(*hash);
        }
        let unsettled = self.parts.unsettled.clone();
        context.add_stream(stream::unfold(unsettled, |mut unsettled| async move {
            unsettled.changed().await.ok().map(|list| (UnsettledChanged(list), unsettled))
        }));
        context.run_interval(self.parts.poll_interval, |actor, context| {
            // A question that took long is followed by a rest as long: the node has other things to do.
            if !actor.asking && actor.rest_until.is_none_or(|until| until <= Instant::now()) {
                actor.ask(context);
            }
        });
        self.ask(context);
        self.show_recent(context);
    }
}

impl StreamHandler<UnsettledChanged> for MaturityTracker {
    fn handle(&mut self, UnsettledChanged(list): UnsettledChanged, _: &mut Self::Context) {
        for hash in list.iter() {
            self.remember(*hash);
        }
    }

    // The ledger may have gone first at the end of the process.
    fn finished(&mut self, _: &mut Self::Context) {}
}

impl Handler<OurBlock> for MaturityTracker {
    type Result = ();

    fn handle(&mut self, OurBlock(hash): OurBlock, _: &mut Self::Context) {
        self.remember(hash);
    }
}

impl Handler<NodeTold> for MaturityTracker {
    type Result = ();

    fn handle(&mut self, NodeTold(event): NodeTold, context: &mut Self::Context) {
        match event {
            NodeEvent::BlockAdded(block) => self.show(block),
            // Colours may have flipped: the ledger should not wait for the timer.
            NodeEvent::Reorganised => self.ask(context),
            NodeEvent::ConnectionChanged => self.show_recent(context),
            NodeEvent::NewTemplate { .. } => {}
        }
    }
}

impl Handler<Observe> for MaturityTracker {
    type Result = MessageResult<Observe>;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Self::Result {
        #[derive(Serialize)]
        struct State<'a> {
            unsettled: usize,
            observed: u64,
            asking: bool,
            last_error: &'a Option<String>,
        }
        MessageResult(Observation::of(&State {
            unsettled: self.parts.unsettled.get().len(),
            observed: self.observed,
            asking: self.asking,
            last_error: &self.last_error,
        }))
    }
}

#[cfg(test)]
mod tests {
    use pool_domain::{maturity::Color, units::TimeMs};
    use tokio::sync::mpsc::UnboundedReceiver;

    use super::*;
    use crate::{
        runtime::watch::{Publisher, watched},
        scripted_node::{Ear, ScriptedNode, TestClock, unreachable},
    };

    struct World {
        node: Arc<ScriptedNode>,
        unsettled: Publisher<Vec<BlockHash>>,
        observed: UnboundedReceiver<BlocksObserved>,
        events: UnboundedReceiver<Publish>,
        news: Outbox<NodeTold>,
        ours: Outbox<OurBlock>,
    }

    fn hash(number: usize) -> BlockHash {
        let mut hash = BlockHash([0; 32]);
        hash.0[..8].copy_from_slice(&number.to_be_bytes());
        hash
    }

    fn seen(number: usize, color: Color) -> BlockObservation {
        BlockObservation {
            hash: hash(number),
            known: true,
            color,
            confirmations: 1,
            mature: false,
            reward: None,
            red_merge_income: None,
            merging_block: None,
            height: None,
            parents: Vec::new(),
        }
    }

    fn dag_block(number: usize) -> DagBlock {
        DagBlock {
            hash: hash(number),
            parents: Vec::new(),
            height: None,
            color: Color::Unknown,
            at: TimeMs(1),
        }
    }

    fn world(recent: Vec<DagBlock>) -> World {
        tokio::time::pause();
        let (node, _tell) = ScriptedNode::new();
        *node.recent.lock().unwrap() = recent;
        let (ledger, observed) = Ear::open();
        let (events_to, events) = Ear::open();
        let (unsettled, unsettled_read) = watched(Vec::new());
        let tracker = MaturityTracker::new(Parts {
            node: Arc::clone(&node) as SharedNode,
            clock: TestClock::start(),
            unsettled: unsettled_read,
            ledger,
            events: events_to,
            poll_interval: Duration::from_secs(2),
        })
        .start();
        let news = Outbox::new("MaturityTracker", tracker.clone().recipient());
        let ours = Outbox::new("MaturityTracker", tracker.recipient());
        World { node, unsettled, observed, events, news, ours }
    }

    #[actix_rt::test]
    async fn unsettled_blocks_are_followed_through_failures_and_reorganisations() {
        let mut world = world(Vec::new());
        *world.node.observations.lock().unwrap() = Ok(vec![seen(1, Color::Blue), seen(2, Color::Unknown)]);
        world.unsettled.set(vec![hash(1)]);
        let BlocksObserved(first) = world.observed.recv().await.unwrap();
        assert_eq!(first, [seen(1, Color::Blue)], "only what the ledger asks for");
        *world.node.observations.lock().unwrap() = Err(unreachable());
        tokio::time::sleep(Duration::from_secs(20)).await;
        while world.observed.try_recv().is_ok() {}
        *world.node.observations.lock().unwrap() = Ok(vec![seen(1, Color::Red)]);
        let before = tokio::time::Instant::now();
        world.news.ask(NodeTold(NodeEvent::Reorganised)).await.unwrap();
        let BlocksObserved(flipped) = world.observed.recv().await.unwrap();
        assert_eq!(flipped[0].color, Color::Red);
        assert!(before.elapsed() < Duration::from_millis(100), "without waiting for the timer");
    }

    #[actix_rt::test]
    async fn a_long_list_is_asked_about_in_parts_and_all_of_it() {
        let mut world = world(Vec::new());
        let count = 2 * BATCH_MAX + 10;
        *world.node.observations.lock().unwrap() =
            Ok((0..count).map(|number| seen(number, Color::Blue)).collect());
        world.unsettled.set((0..count).map(hash).collect());
        let mut learned = HashSet::new();
        for _ in 0..3 {
            let BlocksObserved(part) = world.observed.recv().await.unwrap();
            assert!(part.len() <= BATCH_MAX);
            learned.extend(part.iter().map(|observation| observation.hash));
        }
        assert_eq!(learned.len(), count);
    }

    #[actix_rt::test]
    async fn other_peoples_blocks_are_shown_and_ours_are_not_taken_for_theirs() {
        let mut world = world(vec![dag_block(7)]);
        let mut next = async || match world.events.recv().await.unwrap().event {
            PoolEvent::Block(view) => view,
            other => panic!("{other:?}"),
        };
        let recent = next().await;
        assert_eq!((recent.hash, recent.ours, recent.status), (hash(7), false, None));
        world.ours.ask(OurBlock(hash(8))).await.unwrap();
        world.news.ask(NodeTold(NodeEvent::BlockAdded(dag_block(8)))).await.unwrap();
        world.news.ask(NodeTold(NodeEvent::BlockAdded(dag_block(9)))).await.unwrap();
        assert_eq!(next().await.hash, hash(9));
    }
}
