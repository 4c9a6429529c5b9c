//! EventPublisher: numbers what happens and hands it to whoever follows.
//!
//! * **receives** [`Publish`] from everybody (offered: lossy, and counted at the sender), [`Observe`]
//! * **sends** events to the subscribers of the [`Events`] hub, of which a slow one loses the oldest and is told
//! * **supervised by** the factory supervisor; the hub outlives it
//! * **on overload** the mailbox's bound sheds events; the hub's ring and channel are bounded

use actix::{Actor, Context, Handler};

use crate::{
    messages::{event::Publish, live::Events},
    ports::clock::SharedClock,
    runtime::observe::{Observation, Observe},
};

/// See the module's documentation.
pub struct EventPublisher {
    events: Events,
}

impl EventPublisher {
    /// A publisher that fills `events`.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "as all actors are made")]
    pub fn new(events: Events, clock: SharedClock) -> Self {
        events.begin(clock.now());
        Self { events }
    }
}

impl Actor for EventPublisher {
    type Context = Context<Self>;
}

impl Handler<Publish> for EventPublisher {
    type Result = ();

    fn handle(&mut self, Publish { at, event }: Publish, _: &mut Self::Context) {
        self.events.publish(at, event);
    }
}

impl Handler<Observe> for EventPublisher {
    type Result = Observation;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Observation {
        Observation::of(&self.events.counts())
    }
}
