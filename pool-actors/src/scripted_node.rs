//! A node port that does what a test says, for the unit tests of actors. The adapters are tested against real
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
pub(crate) struct TestClock(tokio::time::Instant);

impl TestClock {
    pub(crate) fn start() -> Arc<Self> {
        Arc::new(Self(tokio::time::Instant::now()))
    }
}

impl Clock for TestClock {
    fn now(&self) -> TimeMs {
        TimeMs(1_000_000 + u64::try_from(self.0.elapsed().as_millis()).unwrap())
    }
}

pub(crate) struct ScriptedNode {
    /// What the next templates build on; the first byte of the parent.
    pub(crate) tip: Mutex<u8>,
    pub(crate) template_failure: Mutex<Option<NodeError>>,
    pub(crate) template_delay: Mutex<Duration>,
    /// A function that it does not know.
    pub(crate) lacking: Mutex<String>,
    pub(crate) templates_asked: AtomicUsize,
    pub(crate) health: Mutex<Result<NodeHealth, NodeError>>,
    /// How many calls to assemble panic.
    pub(crate) assemble_panics: AtomicUsize,
    pub(crate) verdicts: Mutex<VecDeque<Result<SubmitVerdict, NodeError>>>,
    pub(crate) submitted: Mutex<Vec<AssembledBlock>>,
    pub(crate) observations: Mutex<Result<Vec<BlockObservation>, NodeError>>,
    pub(crate) recent: Mutex<Vec<DagBlock>>,
    events: tokio::sync::Mutex<mpsc::UnboundedReceiver<NodeEvent>>,
}

impl ScriptedNode {
    pub(crate) fn new() -> (Arc<Self>, mpsc::UnboundedSender<NodeEvent>) {
        let (tell, events) = mpsc::unbounded_channel();
        let node = Self {
            tip: Mutex::new(1),
            template_failure: Mutex::new(None),
            template_delay: Mutex::new(Duration::ZERO),
            lacking: Mutex::default(),
            templates_asked: AtomicUsize::new(0),
            health: Mutex::new(Ok(NodeHealth { ready: true, ..NodeHealth::default() })),
            assemble_panics: AtomicUsize::new(0),
            verdicts: Mutex::default(),
            submitted: Mutex::default(),
            observations: Mutex::new(Ok(Vec::new())),
            recent: Mutex::default(),
            events: tokio::sync::Mutex::new(events),
        };
        (Arc::new(node), tell)
    }

    pub(crate) fn set_tip(&self, tip: u8) {
        *self.tip.lock().unwrap() = tip;
    }

    pub(crate) fn lacks(&self, function: &str) {
        function.clone_into(&mut self.lacking.lock().unwrap());
    }

    pub(crate) fn fail(&self, failure: Option<NodeError>) {
        *self.template_failure.lock().unwrap() = failure;
    }
}

pub(crate) fn unreachable() -> NodeError {
    NodeError::Unreachable { endpoint: "test:1".into(), what: "connection refused".into() }
}

pub(crate) fn not_ready() -> NodeError {
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
        if *self.lacking.lock().unwrap() == algorithm.as_str() {
            return Err(NodeError::Rpc {
                endpoint: "test:1".into(),
                code: -32_000,
                message: "pow type 101 is not active at height 5".into(),
            });
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
        let armed = |left: usize| left.checked_sub(1);
        let panics = self.assemble_panics.fetch_update(Ordering::Relaxed, Ordering::Relaxed, armed).is_ok();
        assert!(!panics, "the scripted node panics as told");
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

    async fn observe(&self, blocks: &[BlockHash]) -> Result<Vec<BlockObservation>, NodeError> {
        let answers = self.observations.lock().unwrap();
        match answers.as_ref() {
            Err(error) => Err(error.clone()),
            Ok(known) => Ok(known.iter().filter(|known| blocks.contains(&known.hash)).cloned().collect()),
        }
    }

    async fn recent_blocks(&self, max: usize) -> Result<Vec<DagBlock>, NodeError> {
        Ok(self.recent.lock().unwrap().iter().take(max).cloned().collect())
    }

    async fn next_event(&self) -> NodeEvent {
        match self.events.lock().await.recv().await {
            Some(event) => event,
            None => std::future::pending().await,
        }
    }
}

/// An actor that hands on every message of one type.
pub(crate) struct Ear<M> {
    hears: mpsc::UnboundedSender<M>,
}

impl<M: actix::Message<Result = ()> + Unpin + Send + 'static> Ear<M> {
    pub(crate) fn open() -> (crate::runtime::outbox::Outbox<M>, mpsc::UnboundedReceiver<M>) {
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
