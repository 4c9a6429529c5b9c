//! EventPublisher: everything that others may want to follow, handed to whoever subscribed.
//!
//! * **receives** [`Publish`] from everybody, [`Subscribe`], [`Observe`]
//! * **sends** [`Publish`] to its subscribers
//! * **supervised by** the factory supervisor; subscribers stand on the [`Roll`], outside the actor, so that the next
//!   life knows them
//! * **on overload** lossy: an event that a subscriber (or the publisher itself) has no room for is lost to it, and
//!   counted by the outbox

use std::sync::{Arc, Mutex, PoisonError};

use actix::{Actor, Context, Handler, MessageResult};
use serde::Serialize;

use crate::{
    messages::event::{Publish, Subscribe},
    runtime::observe::{Observation, Observe},
};

/// Who subscribed; outlives the actor.
#[derive(Default)]
pub struct Roll(Mutex<Vec<Subscribe>>);

impl Roll {
    fn with<R>(&self, f: impl FnOnce(&mut Vec<Subscribe>) -> R) -> R {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// See the module's documentation.
pub struct EventPublisher {
    roll: Arc<Roll>,
    published: u64,
}

impl EventPublisher {
    /// A publisher for the subscribers on this roll.
    #[must_use]
    pub fn new(roll: Arc<Roll>) -> Self {
        Self { roll, published: 0 }
    }
}

impl Actor for EventPublisher {
    type Context = Context<Self>;
}

impl Handler<Publish> for EventPublisher {
    type Result = ();

    fn handle(&mut self, publish: Publish, _: &mut Self::Context) {
        self.published += 1;
        self.roll.with(|roll| {
            for subscriber in roll.iter().filter(|subscriber| subscriber.topics.has(&publish.event)) {
                subscriber.to.offer(publish.clone());
            }
        });
    }
}

impl Handler<Subscribe> for EventPublisher {
    type Result = ();

    fn handle(&mut self, subscribe: Subscribe, _: &mut Self::Context) {
        self.roll.with(|roll| roll.push(subscribe));
    }
}

impl Handler<Observe> for EventPublisher {
    type Result = MessageResult<Observe>;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Self::Result {
        #[derive(Serialize)]
        struct Subscriber {
            to: &'static str,
            missed: u64,
        }
        #[derive(Serialize)]
        struct State {
            published: u64,
            subscribers: Vec<Subscriber>,
        }
        let subscribers = self.roll.with(|roll| {
            roll.iter().map(|one| Subscriber { to: one.to.to(), missed: one.to.losses().0 }).collect()
        });
        MessageResult(Observation::of(&State { published: self.published, subscribers }))
    }
}
