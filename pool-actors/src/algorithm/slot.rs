//! AlgorithmSlot: one generation of an algorithm in service.
//!
//! * **receives** [`SlotReport`] from its validators, [`Observe`]
//! * **sends** nothing; its state is what operators and, later, roll-outs judge its health by
//! * **supervised by** the supervisor it is started under; its validators are supervised beside it
//! * **on overload** reports are lossy, shares are not its business

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use actix::{Actor, Context, Handler, Message, MessageResult};
use plugin_sdk::PowAlgorithm;
use pool_domain::ids::Route;
use serde::Serialize;

use super::validator::{Parts, ShareValidator};
use crate::{
    messages::{
        journal::AppendShares,
        route::{Rescue, ValidatorDoor},
        share::ValidateBatch,
    },
    metrics::SLOT_RESTARTS_TOTAL,
    runtime::{
        Runtime,
        observe::{Observation, Observe},
        outbox::Outbox,
        supervisor::{Policy, Spec, Supervised, supervise},
    },
};

/// What a validator did since its last report.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct SlotReport {
    /// Shares hashed.
    pub validated: u64,
    /// Of these: good.
    pub accepted: u64,
    /// Of these: the algorithm refused the input.
    pub errors: u64,
    /// Of these: blocks.
    pub candidates: u64,
}

/// See the module's documentation.
#[derive(Debug, Serialize)]
pub struct AlgorithmSlot {
    algorithm: String,
    slot: u16,
    generation: u32,
    life: &'static str,
    validated: u64,
    accepted: u64,
    errors: u64,
    candidates: u64,
}

impl Actor for AlgorithmSlot {
    type Context = Context<Self>;
}

impl Handler<SlotReport> for AlgorithmSlot {
    type Result = ();

    fn handle(&mut self, report: SlotReport, _: &mut Self::Context) {
        self.validated += report.validated;
        self.accepted += report.accepted;
        self.errors += report.errors;
        self.candidates += report.candidates;
    }
}

impl Handler<Observe> for AlgorithmSlot {
    type Result = MessageResult<Observe>;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Self::Result {
        MessageResult(Observation::of(self))
    }
}

/// A generation in service: its slot actor and its validators, one per journal shard.
pub struct SlotHandle {
    /// What it serves.
    pub route: Route,
    slot: Supervised<AlgorithmSlot>,
    validators: Vec<Supervised<ShareValidator>>,
    rescues: Vec<Arc<Rescue>>,
}

impl SlotHandle {
    /// Starts a generation with a validator for each journal shard: on that shard's seat, so that a share stays on one
    /// thread, or among `workers` if a hash takes long, so that sessions are not held up.
    #[must_use]
    pub fn start(
        runtime: &Runtime,
        workers: &Runtime,
        route: Route,
        algorithm: &Arc<dyn PowAlgorithm>,
        journal: &[Outbox<AppendShares>],
    ) -> Self {
        let info = algorithm.info();
        let seats = if info.cpu_intensive { workers } else { runtime };
        let name = info.name;
        let slot = supervise(
            runtime,
            spec(format!("slot-{}-{}", route.slot, route.generation), "AlgorithmSlot", 0),
            {
                move |_| AlgorithmSlot {
                    algorithm: name.clone(),
                    slot: route.slot.0,
                    generation: route.generation.0,
                    life: "serving",
                    validated: 0,
                    accepted: 0,
                    errors: 0,
                    candidates: 0,
                }
            },
        )
        .observable();
        let rescues: Vec<_> = journal.iter().map(|_| Arc::new(Rescue::default())).collect();
        let validators = (journal.iter().zip(&rescues).enumerate())
            .map(|(seat, (journal, rescue))| {
                let parts = Parts {
                    route,
                    algorithm: Arc::clone(algorithm),
                    journal: journal.clone(),
                    slot: slot.outbox(),
                    rescue: Arc::clone(rescue),
                };
                let name = format!("validator-{}-{}-{seat}", route.slot, route.generation);
                let lives = AtomicU32::new(0);
                supervise(seats, spec(name, "ShareValidator", seat), move |_| {
                    if lives.fetch_add(1, Ordering::Relaxed) > 0 {
                        let slot = parts.route.slot.to_string();
                        metrics::counter!(SLOT_RESTARTS_TOTAL, "slot" => slot, "cause" => "panic")
                            .increment(1);
                    }
                    ShareValidator::new(parts.clone())
                })
                .observable()
            })
            .collect();
        Self { route, slot, validators, rescues }
    }

    /// The doors of this generation, one per arbiter.
    #[must_use]
    pub fn doors(&self) -> Vec<ValidatorDoor> {
        (self.validators.iter().zip(&self.rescues))
            .map(|(validator, rescue)| {
                ValidatorDoor::new(validator.outbox::<ValidateBatch>(), Arc::clone(rescue))
            })
            .collect()
    }

    /// Waits until every share that was handed over before this call is judged.
    pub async fn drained(&self) {
        for validator in &self.validators {
            // Mailboxes are first in, first out: an answer means that all before the question is done. A dead
            // validator has handed its shares to the rescue.
            let _ = validator.outbox::<Observe>().ask(Observe).await;
        }
    }

    /// Ends the generation; shares that no validator judged are lost with a reason.
    pub async fn stop(self) {
        for validator in self.validators {
            validator.stop().await;
        }
        for rescue in self.rescues {
            rescue.close();
        }
        self.slot.stop().await;
    }
}

fn spec(name: String, kind: &'static str, seat: usize) -> Spec {
    Spec { name, kind, seat, mailbox: 64, policy: Policy::default() }
}
