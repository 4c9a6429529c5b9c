//! A node port that does what a test says, for the unit tests of this folder. The adapters are tested against real
//! nodes over sockets.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use pool_domain::{
    ids::{AlgorithmName, BlockHash, TemplateId},
    share::Solution,
    target::Target,
    units::TimeMs,
};
use tokio::sync::mpsc;

use crate::ports::{
    clock::Clock,
    node::{
        AssembledBlock, BlockObservation, DagBlock, HeaderForm, NodeError, NodeEvent, NodeHealth, NodePort,
        NodePrivate, SubmitVerdict, Template,
    },
};

/// A clock that follows tokio's, which tests pause.
pub(super) struct TestClock(tokio::time::Instant);

impl TestClock {
    pub(super) fn start() -> Arc<Self> {
        Arc::new(Self(tokio::time::Instant::now()))
    }
}

impl Clock for TestClock {
    fn now(&self) -> TimeMs {
        TimeMs(1_000_000 + u64::try_from(self.0.elapsed().as_millis()).unwrap())
    }
}

pub(super) struct ScriptedNode {
    /// What the next templates build on; the first byte of the parent.
    pub(super) tip: Mutex<u8>,
    pub(super) template_failure: Mutex<Option<NodeError>>,
    pub(super) template_delay: Mutex<Duration>,
    pub(super) templates_asked: AtomicUsize,
    pub(super) health: Mutex<Result<NodeHealth, NodeError>>,
    pub(super) verdicts: Mutex<VecDeque<Result<SubmitVerdict, NodeError>>>,
    pub(super) submitted: Mutex<Vec<AssembledBlock>>,
    events: tokio::sync::Mutex<mpsc::UnboundedReceiver<NodeEvent>>,
}

impl ScriptedNode {
    pub(super) fn new() -> (Arc<Self>, mpsc::UnboundedSender<NodeEvent>) {
        let (tell, events) = mpsc::unbounded_channel();
        let node = Self {
            tip: Mutex::new(1),
            template_failure: Mutex::new(None),
            template_delay: Mutex::new(Duration::ZERO),
            templates_asked: AtomicUsize::new(0),
            health: Mutex::new(Ok(NodeHealth { ready: true, ..NodeHealth::default() })),
            verdicts: Mutex::default(),
            submitted: Mutex::default(),
            events: tokio::sync::Mutex::new(events),
        };
        (Arc::new(node), tell)
    }

    pub(super) fn set_tip(&self, tip: u8) {
        *self.tip.lock().unwrap() = tip;
    }

    pub(super) fn fail(&self, failure: Option<NodeError>) {
        *self.template_failure.lock().unwrap() = failure;
    }
}

pub(super) fn unreachable() -> NodeError {
    NodeError::Unreachable { endpoint: "test:1".into(), what: "connection refused".into() }
}

pub(super) fn not_ready() -> NodeError {
    NodeError::NotReady { endpoint: "test:1".into(), reason: "syncing".into() }
}

#[async_trait]
impl NodePort for ScriptedNode {
    fn name(&self) -> &str {
        "scripted"
    }

    async fn health(&self) -> Result<NodeHealth, NodeError> {
        self.health.lock().unwrap().clone()
    }

    async fn template(&self, algorithm: &AlgorithmName) -> Result<Template, NodeError> {
        let asked = self.templates_asked.fetch_add(1, Ordering::Relaxed);
        let delay = *self.template_delay.lock().unwrap();
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        if let Some(failure) = self.template_failure.lock().unwrap().clone() {
            return Err(failure);
        }
        let tip = *self.tip.lock().unwrap();
        Ok(Template {
            id: TemplateId(asked as u64),
            endpoint: 0,
            algorithm: algorithm.clone(),
            parents: vec![BlockHash([tip; 32])],
            height: Some(u64::from(tip)),
            network_target: Target::from_compact(0x1f0f_ffff).unwrap(),
            received_at: TimeMs(7),
            header: HeaderForm::PrePow { pre_pow_hash: [tip; 32], timestamp_ms: asked as u64 },
            private: NodePrivate(Arc::new(())),
        })
    }

    fn assemble(&self, template: &Template, solution: &Solution) -> Result<AssembledBlock, NodeError> {
        let mut hash = template.parents[0];
        hash.0[31] = u8::try_from(solution.nonce).unwrap();
        Ok(AssembledBlock { hash, endpoint: template.endpoint, payload: vec![1] })
    }

    async fn submit(&self, block: &AssembledBlock) -> Result<SubmitVerdict, NodeError> {
        self.submitted.lock().unwrap().push(block.clone());
        let next = self.verdicts.lock().unwrap().pop_front();
        match next {
            Some(verdict) => verdict,
            None => std::future::pending().await,
        }
    }

    async fn observe(&self, _: &[BlockHash]) -> Result<Vec<BlockObservation>, NodeError> {
        Ok(Vec::new())
    }

    async fn recent_blocks(&self, _: usize) -> Result<Vec<DagBlock>, NodeError> {
        Ok(Vec::new())
    }

    async fn next_event(&self) -> NodeEvent {
        match self.events.lock().await.recv().await {
            Some(event) => event,
            None => std::future::pending().await,
        }
    }
}

/// An actor that hands on every message of one type.
pub(super) struct Ear<M> {
    hears: mpsc::UnboundedSender<M>,
}

impl<M: actix::Message<Result = ()> + Unpin + Send + 'static> Ear<M> {
    pub(super) fn open() -> (crate::runtime::outbox::Outbox<M>, mpsc::UnboundedReceiver<M>) {
        use actix::Actor as _;
        let (hears, heard) = mpsc::unbounded_channel();
        let address = Self { hears }.start();
        (crate::runtime::outbox::Outbox::new("Ear", address.recipient()), heard)
    }
}

impl<M: Unpin + 'static> actix::Actor for Ear<M> {
    type Context = actix::Context<Self>;
}

impl<M: actix::Message<Result = ()> + Unpin + 'static> actix::Handler<M> for Ear<M> {
    type Result = ();

    fn handle(&mut self, message: M, _: &mut Self::Context) {
        // The test may have ended.
        let _ = self.hears.send(message);
    }
}
