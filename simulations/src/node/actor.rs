//! The node's actor: owns the [`Core`], answers requests, feeds the rivals, tells watchers.
//!
//! Receives: requests of HTTP and WebSocket sessions, solutions of the rivals. Sends: notifications to watchers. A watcher that does
//! not read is dropped; nobody else waits for it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tracing::{debug, warn};

use super::block::{Block, Id};
use super::chain::assemble;
use super::core::Core;
use super::difficulty::target_of;
use super::rpc::{self, RpcError};
use super::view::View;
use crate::clock::unix_ms;
use crate::grinder::{Grinder, Outcome, Work, Worker};
use crate::runtime;

/// A long poll without news is answered after that.
const LONG_POLL: Duration = Duration::from_secs(60);

/// One call; `admin` ones are untouched by faults.
#[derive(Message)]
#[rtype(result = "Answer")]
pub struct Request {
    /// Came by `POST /admin`.
    pub admin: bool,
    /// Method name.
    pub method: String,
    /// Positional parameters.
    pub params: Vec<Value>,
}

/// How a call is to be answered.
#[derive(Debug)]
pub struct Answer {
    /// What the method gave.
    pub result: Result<Value, RpcError>,
    /// Wait before answering.
    pub delay: Duration,
    /// Answer something that is not JSON.
    pub rubbish: bool,
    /// Close the connection without a complete answer.
    pub drop: bool,
}

/// A text for a watcher, or the order to go.
#[derive(Message, Clone)]
#[rtype(result = "()")]
pub enum Push {
    /// A notification.
    Text(Arc<str>),
    /// Close the connection.
    Close,
}

/// Starts or ends the notifications of one watcher.
#[derive(Message)]
#[rtype(result = "()")]
pub enum Watch {
    /// From now on.
    Start(Recipient<Push>),
    /// No more.
    Stop(Recipient<Push>),
}

#[derive(Message)]
#[rtype(result = "()")]
struct Solved {
    rival: usize,
    outcome: Outcome,
}

struct Miner {
    worker: Worker,
    /// What it hashes now, by work id.
    block: Option<(u64, Block)>,
}

/// See the module.
pub struct NodeActor {
    core: Core,
    grinder: Grinder,
    miners: Vec<Miner>,
    /// What the rivals have seen.
    seen: Option<View>,
    next_work: u64,
    random: SmallRng,
    watchers: Vec<Recipient<Push>>,
    polls: HashMap<u64, (Request, oneshot::Sender<()>)>,
    next_poll: u64,
}

impl NodeActor {
    /// A node of this chain.
    pub fn new(core: Core) -> Self {
        let random = SmallRng::seed_from_u64(core.chain.config().seed);
        Self {
            core,
            grinder: Grinder::start(1),
            miners: Vec::new(),
            seen: None,
            next_work: 0,
            random,
            watchers: Vec::new(),
            polls: HashMap::new(),
            next_poll: 0,
        }
    }

    fn latency(&self) -> Duration {
        self.core.chain.config().latency
    }

    /// After anything that may have changed the chain or the mempool.
    fn after_change(&mut self, ctx: &mut Context<Self>) {
        let notices = self.core.take_notices();
        if notices.is_empty() {
            return;
        }
        let new_tips = notices.iter().any(|(method, _)| *method == "blockAccepted");
        for (method, param) in notices {
            let text = json!({"jsonrpc": "2.0", "method": method, "params": [param]}).to_string();
            self.push(&Push::Text(text.into()));
        }
        for (_, (_, sender)) in self.polls.drain() {
            // A poller that went away needs no answer.
            let _ = sender.send(());
        }
        if new_tips && !self.miners.is_empty() {
            let tips = self.core.chain.virtual_view().parents.clone();
            ctx.run_later(self.latency(), move |node, _| node.show_to_rivals(&tips));
        }
    }

    fn push(&mut self, push: &Push) {
        self.watchers.retain(|watcher| match runtime::offer(watcher, push.clone()) {
            Ok(()) => true,
            Err(SendError::Full(_)) => {
                runtime::force(watcher, Push::Close);
                false
            }
            Err(SendError::Closed(_)) => false,
        });
    }

    fn show_to_rivals(&mut self, tips: &[Id]) {
        match self.core.chain.view_of(tips) {
            // Out of date news: a later delivery overtook it.
            Ok(view) if self.seen.as_ref().is_some_and(|seen| seen.data.blue_work > view.data.blue_work) => {}
            Ok(view) => {
                self.seen = Some(view);
                (0..self.miners.len()).for_each(|rival| self.give_work(rival));
            }
            Err(refusal) => warn!(%refusal, "rivals can't be shown the new tips"),
        }
    }

    fn give_work(&mut self, rival: usize) {
        if self.core.faults.paused {
            self.miners[rival].worker.set_work(None);
            return;
        }
        let Some(view) = &self.seen else { return };
        let settings = &self.core.chain.config().rivals[rival];
        let algorithm = crate::pow::by_name(settings.algorithm);
        let active = algorithm.map(|algorithm| self.core.chain.algorithm_at(algorithm.pow_type, view.height));
        let Some(Ok(entry)) = active else {
            // Not active yet, or not any more: this rival rests.
            self.miners[rival].worker.set_work(None);
            return;
        };
        let bits = self.core.chain.bits_for(entry, view);
        self.next_work += 1;
        let tag = [settings.name.as_bytes(), &self.next_work.to_le_bytes()].concat();
        let tag = tag[tag.len().saturating_sub(80)..].to_vec();
        let up_to_date = view.parents == self.core.chain.virtual_view().parents;
        let best = if up_to_date { self.core.mempool.best() } else { Vec::new() };
        let payments: Vec<_> = best.into_iter().map(|waiting| waiting.transaction.clone()).collect();
        let name = settings.name.clone();
        let script = self.core.wallet.script_of(&name);
        let time = self.core.now(unix_ms());
        let block = assemble(view, entry, bits, time, &script, &tag, &payments);
        let Some(target) = target_of(bits) else { return };
        let work = Work {
            id: self.next_work,
            algorithm: entry.algorithm.name,
            header: block.header_bytes(),
            nonce_at: 76,
            target,
            first_nonce: self.random.random(),
            once: true,
            step: 1,
        };
        let miner = &mut self.miners[rival];
        miner.block = Some((self.next_work, block));
        miner.worker.set_work(Some(work));
    }

    fn invent_payment(&mut self, ctx: &mut Context<Self>) {
        let names: Vec<String> =
            self.core.chain.config().rivals.iter().map(|rival| rival.name.clone()).collect();
        if names.is_empty() {
            return;
        }
        let from = &names[self.random.random_range(0..names.len())];
        let to = self.core.script_of(&names[self.random.random_range(0..names.len())]);
        let amount = self.random.random_range(1_000_000..100_000_000);
        match self.core.pay(Some(from), &[(to, amount)]) {
            Ok(txid) => debug!(%txid, "invented a payment"),
            // At first nobody owns anything mature.
            Err(reason) => debug!(reason, "no payment"),
        }
        self.after_change(ctx);
    }

    fn answer(&mut self, request: &Request) -> Answer {
        let now_ms = unix_ms();
        let (method, params) = (request.method.as_str(), request.params.as_slice());
        if request.admin {
            let result = rpc::call_admin(&mut self.core, method, params, now_ms);
            return Answer { result, delay: Duration::ZERO, rubbish: false, drop: false };
        }
        let faults = self.core.faults.clone();
        // A dropped connection stands for a request that never arrived.
        let result = if faults.drop_connections {
            Err(RpcError::application("dropped"))
        } else {
            rpc::call(&mut self.core, method, params, now_ms)
        };
        let lost = faults.lose_submit_answer && method == "submitBlock"
            || faults.lose_send_answer && method == "sendRawTransaction";
        let drop = faults.drop_connections || lost;
        Answer { result, delay: Duration::from_millis(faults.delay_ms), rubbish: faults.rubbish, drop }
    }

    /// Whether the request is a long poll that must wait.
    fn must_wait(&self, request: &Request) -> bool {
        let faulty =
            self.core.faults.not_ready.is_some() || self.core.faults.mining_disabled || request.admin;
        let known = request.params.get(3).and_then(Value::as_str);
        request.method == "getBlockTemplate" && !faulty && known == Some(self.core.longpollid().as_str())
    }
}

impl Actor for NodeActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let config = self.core.chain.config().clone();
        for (rival, settings) in config.rivals.iter().enumerate() {
            let node = ctx.address();
            let worker = self
                .grinder
                .attach(settings.hashrate, move |outcome| runtime::post(&node, Solved { rival, outcome }));
            self.miners.push(Miner { worker, block: None });
        }
        let tips = self.core.chain.virtual_view().parents.clone();
        self.show_to_rivals(&tips);
        if config.payments_per_minute > 0 {
            let period = Duration::from_secs(60) / config.payments_per_minute;
            ctx.run_interval(period, Self::invent_payment);
        }
    }
}

impl Handler<Request> for NodeActor {
    type Result = ResponseActFuture<Self, Answer>;

    fn handle(&mut self, request: Request, ctx: &mut Self::Context) -> Self::Result {
        if self.must_wait(&request) {
            let (sender, receiver) = oneshot::channel();
            self.next_poll += 1;
            let poll = self.next_poll;
            let again =
                Request { admin: false, method: request.method.clone(), params: request.params.clone() };
            self.polls.insert(poll, (request, sender));
            let wait = async move {
                // Time is up, or there is news: either way the present template is the answer.
                let _ = tokio::time::timeout(LONG_POLL, receiver).await;
            };
            return Box::pin(wait.into_actor(self).map(move |(), node, _| {
                node.polls.remove(&poll);
                node.answer(&again)
            }));
        }
        let paused = self.core.faults.paused;
        let answer = self.answer(&request);
        self.after_change(ctx);
        if self.core.faults.paused != paused {
            (0..self.miners.len()).for_each(|rival| self.give_work(rival));
        }
        if request.admin && self.core.faults.drop_connections {
            self.push(&Push::Close);
        }
        Box::pin(async move { answer }.into_actor(self))
    }
}

impl Handler<Solved> for NodeActor {
    type Result = ();

    fn handle(&mut self, solved: Solved, ctx: &mut Self::Context) {
        let rival = solved.rival;
        match solved.outcome {
            Outcome::Found { work, nonce, .. } => {
                let current = self.miners[rival].block.take_if(|(id, _)| *id == work);
                // A solution of work that was replaced meanwhile is as good as a late one: it is not sent.
                let Some((_, mut block)) = current else { return };
                block.header.nonce = nonce;
                ctx.run_later(self.latency(), move |node, ctx| {
                    // Paused means that nothing changes any more, whatever was under way.
                    if node.core.faults.paused {
                        return;
                    }
                    if let Err(refusal) = node.core.insert(block, unix_ms()) {
                        debug!(%refusal, "a rival's block is refused");
                    }
                    node.after_change(ctx);
                });
                self.give_work(rival);
            }
            Outcome::Exhausted { .. } => self.give_work(rival),
            Outcome::Failed { reason, .. } => warn!(rival, reason, "a rival can't hash"),
        }
    }
}

impl Handler<Watch> for NodeActor {
    type Result = ();

    fn handle(&mut self, watch: Watch, _: &mut Self::Context) {
        match watch {
            Watch::Start(watcher) => {
                if !self.watchers.contains(&watcher) {
                    self.watchers.push(watcher);
                }
            }
            Watch::Stop(watcher) => self.watchers.retain(|other| *other != watcher),
        }
    }
}
