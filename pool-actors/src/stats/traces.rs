//! TraceWriter: lives of shares and blocks, on their way to a collector of OpenTelemetry.
//!
//! * **receives** events of blocks from the hub, spans of shares from [`crate::trace`], [`Observe`]
//! * **sends** nothing; exports to a [`SpanSink`](crate::ports::spans::SpanSink)
//! * **supervised by** the factory supervisor; a new one knows nothing of blocks whose life has begun
//! * **on overload** or while the collector is away: spans wait, up to a bound; beyond it the oldest are given up, and counted

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use actix::{
    Actor, ActorFutureExt as _, AsyncContext as _, Context, Handler, StreamHandler, WrapFuture as _,
};
use futures_util::stream;
use pool_domain::{
    ids::BlockHash,
    maturity::{BlockStatus, Color},
    units::TimeMs,
};
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;

use crate::{
    messages::{
        block::BlockView,
        event::PoolEvent,
        live::{Events, Numbered},
    },
    ports::spans::{Field, SharedSpans, Span},
    runtime::observe::{Observation, Observe},
    trace::{random_ids, take_spans},
};

/// How often spans are brought.
const TICK: Duration = Duration::from_secs(2);
/// Most spans of one request.
const BATCH: usize = 512;
/// Most spans that wait.
const WAITING_MAX: usize = 20_000;
/// Blocks whose life goes on.
const BLOCKS_MAX: usize = 10_000;
/// Longest pause, in ticks, while the collector does not take anything.
const PAUSE_TICKS_MAX: u32 = 30;

/// The life of a block so far.
#[derive(Debug)]
struct BlockLife {
    begun: TimeMs,
    stages: Vec<(BlockStatus, TimeMs)>,
}

/// What a writer works with.
#[derive(Clone)]
pub struct TraceParts {
    /// Where spans go.
    pub sink: SharedSpans,
    /// Everything that happens.
    pub events: Events,
}

/// See the module's documentation.
pub struct TraceWriter {
    parts: TraceParts,
    blocks: HashMap<BlockHash, BlockLife>,
    order: VecDeque<BlockHash>,
    waiting: VecDeque<Span>,
    is_busy: bool,
    pause_ticks: u32,
    failures: u32,
    state: State,
}

/// What a writer says about itself.
#[derive(Debug, Default, Clone, Serialize)]
struct State {
    exported: u64,
    given_up: u64,
    waiting: usize,
    open_blocks: usize,
    trouble: Option<String>,
}

impl TraceWriter {
    /// A writer with nothing to tell yet.
    #[must_use]
    pub fn new(parts: TraceParts) -> Self {
        Self {
            parts,
            blocks: HashMap::new(),
            order: VecDeque::new(),
            waiting: VecDeque::new(),
            is_busy: false,
            pause_ticks: 0,
            failures: 0,
            state: State::default(),
        }
    }

    /// A block of ours entered a stage, or something else was told of it.
    fn block(&mut self, view: &BlockView, at: TimeMs) {
        let (true, Some(status)) = (view.ours, view.status) else { return };
        // Final before, and told again.
        let is_new = !self.blocks.contains_key(&view.hash);
        if is_new && status != BlockStatus::Candidate && status != BlockStatus::Submitted {
            return;
        }
        if is_new {
            self.order.push_back(view.hash);
        }
        let life = self
            .blocks
            .entry(view.hash)
            .or_insert_with(|| BlockLife { begun: view.found_at, stages: Vec::new() });
        if life.stages.last().is_none_or(|(last, _)| *last != status) {
            life.stages.push((status, at));
        }
        if status.is_final() {
            if let Some(life) = self.blocks.remove(&view.hash) {
                self.waiting.extend(spans_of(view, &life));
            }
            self.order.retain(|hash| *hash != view.hash);
        }
        while self.order.len() > BLOCKS_MAX {
            if let Some(oldest) = self.order.pop_front() {
                self.blocks.remove(&oldest);
            }
        }
    }

    fn tick(&mut self, context: &mut Context<Self>) {
        let (spans, given_up) = take_spans();
        self.waiting.extend(spans);
        self.state.given_up += given_up;
        self.bound();
        if self.pause_ticks > 0 {
            self.pause_ticks -= 1;
            return;
        }
        self.export(context);
    }

    fn bound(&mut self) {
        let given_up = self.waiting.len().saturating_sub(WAITING_MAX);
        self.waiting.drain(..given_up);
        self.state.given_up += given_up as u64;
        self.state.waiting = self.waiting.len();
        self.state.open_blocks = self.blocks.len();
    }

    fn export(&mut self, context: &mut Context<Self>) {
        if self.is_busy || self.waiting.is_empty() {
            return;
        }
        self.is_busy = true;
        let count = self.waiting.len().min(BATCH);
        let batch: Vec<Span> = self.waiting.drain(..count).collect();
        let sink = SharedSpans::clone(&self.parts.sink);
        let sending = async move { (sink.export(&batch).await, batch) };
        context.spawn(sending.into_actor(self).map(|(result, batch), writer, context| {
            writer.is_busy = false;
            match result {
                Ok(()) => {
                    writer.state.exported += batch.len() as u64;
                    writer.state.trouble = None;
                    writer.failures = 0;
                    writer.bound();
                    writer.export(context);
                }
                Err(error) => {
                    if writer.failures == 0 {
                        tracing::warn!("traces wait for their collector: {error}");
                    }
                    writer.state.trouble = Some(error);
                    writer.failures += 1;
                    writer.pause_ticks = (1_u32 << writer.failures.min(5)).min(PAUSE_TICKS_MAX);
                    for span in batch.into_iter().rev() {
                        writer.waiting.push_front(span);
                    }
                    writer.bound();
                }
            }
        }));
    }
}

/// The whole life, and each of its stages until the next one.
fn spans_of(view: &BlockView, life: &BlockLife) -> Vec<Span> {
    // Whoever knows the block finds its trace.
    let bytes = view.hash.0;
    let mut trace_id = [0; 16];
    trace_id.copy_from_slice(&bytes[..16]);
    let trace_id = u128::from_be_bytes(trace_id).max(1);
    let ns = |at: TimeMs| at.0.saturating_mul(1_000_000);
    let (whole, last) = (random_ids().1, life.stages.last().copied());
    let (outcome, ended) = last.unwrap_or((BlockStatus::Candidate, life.begun));
    let mut attributes = vec![
        ("dagpool.block", Field::Text(view.hash.to_string())),
        ("dagpool.outcome", Field::Text(outcome.as_str().to_owned())),
        ("dagpool.blue", Field::Flag(view.color == Color::Blue)),
    ];
    if let Some(algorithm) = &view.algorithm {
        attributes.push(("dagpool.algorithm", Field::Text(algorithm.to_string())));
    }
    if let Some(height) = view.height {
        attributes.push(("dagpool.height", Field::Number(height)));
    }
    let part = |name: &'static str, from: TimeMs, to: TimeMs| Span {
        trace_id,
        span_id: random_ids().1,
        parent_id: whole,
        name,
        start_ns: ns(from),
        end_ns: ns(to).max(ns(from)),
        attributes: Vec::new(),
        ok: true,
    };
    let mut spans = vec![Span {
        span_id: whole,
        parent_id: 0,
        attributes,
        ok: outcome == BlockStatus::Paid,
        ..part("block", life.begun, ended)
    }];
    for pair in life.stages.windows(2) {
        let [(status, from), (_, to)] = [pair[0], pair[1]];
        spans.push(part(status.as_str(), from, to));
    }
    spans
}

impl Actor for TraceWriter {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let live = self.parts.events.subscribe(None).live;
        context.add_stream(stream::unfold(live, |mut live| async move {
            loop {
                match live.recv().await {
                    Ok(event) => return Some((event, live)),
                    // Blocks that were missed have no whole life to be told.
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                }
            }
        }));
        context.run_interval(TICK, Self::tick);
    }
}

impl StreamHandler<std::sync::Arc<Numbered>> for TraceWriter {
    fn handle(&mut self, event: std::sync::Arc<Numbered>, _: &mut Self::Context) {
        if let PoolEvent::Block(view) = &event.event {
            self.block(view, event.at);
        }
    }

    // The hub outlives this actor; its end is the pool's.
    fn finished(&mut self, _: &mut Self::Context) {}
}

impl Handler<Observe> for TraceWriter {
    type Result = Observation;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Observation {
        Observation::of(&self.state)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use async_trait::async_trait;
    use pool_domain::ids::AlgorithmName;

    use super::*;
    use crate::{ports::spans::SpanSink, runtime::outbox::Outbox};

    #[derive(Default)]
    struct Collector {
        refuses: Mutex<u32>,
        spans: Mutex<Vec<Span>>,
    }

    #[async_trait]
    impl SpanSink for Collector {
        async fn export(&self, spans: &[Span]) -> Result<(), String> {
            let mut refuses = self.refuses.lock().unwrap();
            if *refuses > 0 {
                *refuses -= 1;
                return Err("503".to_owned());
            }
            // Other tests of this process may have sampled shares.
            self.spans.lock().unwrap().extend(spans.iter().filter(|span| span.name != "share").cloned());
            Ok(())
        }
    }

    fn view(byte: u8, status: BlockStatus) -> BlockView {
        BlockView {
            hash: BlockHash([byte; 32]),
            height: Some(7),
            parents: Vec::new(),
            status: Some(status),
            color: Color::Blue,
            confirmations: 0,
            reward: None,
            account: None,
            worker: None,
            found_at: TimeMs(1_000),
            algorithm: AlgorithmName::new("blake2s").ok(),
            ours: true,
        }
    }

    #[actix_rt::test]
    async fn a_block_is_told_when_its_life_is_over_and_waits_for_its_collector() {
        tokio::time::pause();
        let collector = Arc::new(Collector { refuses: Mutex::new(2), ..Collector::default() });
        let events = Events::new();
        let parts = TraceParts { sink: collector.clone(), events: events.clone() };
        let writer = Outbox::new("TraceWriter", TraceWriter::new(parts).start().recipient());
        // It listens from when it has started.
        writer.ask(Observe).await.unwrap();
        let tell = |byte, status, at| events.publish(TimeMs(at), PoolEvent::Block(view(byte, status)));
        tell(1, BlockStatus::Candidate, 1_001);
        tell(2, BlockStatus::Submitted, 1_005);
        tell(1, BlockStatus::Submitted, 1_010);
        tell(1, BlockStatus::Accepted, 1_030);
        tell(1, BlockStatus::Accepted, 1_040);
        tell(9, BlockStatus::Paid, 1_050);
        events.publish(TimeMs(1), PoolEvent::Block(BlockView { ours: false, ..view(3, BlockStatus::Paid) }));
        tell(2, BlockStatus::Rejected, 1_100);
        tell(1, BlockStatus::Matured, 2_000);
        tell(1, BlockStatus::Paid, 2_500);
        tokio::time::sleep(Duration::from_secs(60)).await;
        let spans = collector.spans.lock().unwrap().clone();
        let of = |byte: u8| -> Vec<(&str, u64, u64)> {
            let trace = u128::from_be_bytes([byte; 16]);
            let found = spans.iter().filter(|span| span.trace_id == trace);
            found.map(|span| (span.name, span.start_ns / 1_000_000, span.end_ns / 1_000_000)).collect()
        };
        assert_eq!(
            of(1),
            [
                ("block", 1_000, 2_500),
                ("candidate", 1_001, 1_010),
                ("submitted", 1_010, 1_030),
                ("accepted", 1_030, 2_000),
                ("matured", 2_000, 2_500)
            ]
        );
        assert_eq!(of(2), [("block", 1_000, 1_100), ("submitted", 1_005, 1_100)]);
        assert!(of(9).is_empty() && of(3).is_empty(), "no whole life, and nobody of ours");
        let whole =
            |byte: u8| spans.iter().find(|span| span.trace_id == u128::from_be_bytes([byte; 16])).unwrap();
        assert!(whole(1).ok && !whole(2).ok);
        let state = writer.ask(Observe).await.unwrap().0;
        assert_eq!(
            (&state["open_blocks"], &state["trouble"]),
            (&0.into(), &serde_json::Value::Null),
            "{state}"
        );
    }
}
