//! EventRelay: tells the other pools what happened here, and whoever follows this one what happened there.
//!
//! * **receives** [`Observe`]; events of this pool from the hub, those of others from the cache's channel
//! * **sends** both ways; what came from another pool is never sent on
//! * **supervised by** the factory supervisor
//! * **on overload** lossy in both directions: who is too slow loses the oldest. While the cache is away, events are lost
//!   to the others; each pool's own books and live feed have them all

use std::{sync::Arc, time::Duration};

use actix::{Actor, AsyncContext as _, Context, Handler, WrapFuture as _};
use futures_util::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::broadcast::error::RecvError;

use crate::{
    messages::{
        event::{PoolEvent, Relayed},
        live::{Events, Numbered},
    },
    ports::cache::Cache,
    runtime::observe::{Observation, Observe},
};

/// Pause between two tries to follow the channel.
const PAUSE: Duration = Duration::from_secs(1);

/// What a relay works with.
#[derive(Clone)]
pub struct Parts {
    /// The cache.
    pub cache: Cache,
    /// Everything that happens here.
    pub events: Events,
    /// Name of this pool's node.
    pub node: String,
    /// Makes of an event what other pools may have of it.
    pub render: fn(&Numbered, &str) -> Option<Relayed>,
}

/// As it is on the channel.
#[derive(Debug, Serialize, Deserialize)]
struct Told {
    /// Of this process: what it hears of itself is no news.
    sender: u64,
    #[serde(flatten)]
    event: Relayed,
}

/// See the module's documentation.
pub struct EventRelay {
    parts: Parts,
}

impl EventRelay {
    /// A relay between this pool and the others.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self { parts }
    }
}

/// Events from the channel; when it can't be followed, a pause and the end.
async fn follow(cache: Cache) -> BoxStream<'static, Value> {
    match cache.follow().await {
        Ok(events) => events,
        Err(error) => {
            tracing::debug!("other pools' events can't be followed: {error}");
            tokio::time::sleep(PAUSE).await;
            stream::empty().boxed()
        }
    }
}

async fn relay(parts: Parts) {
    let sender: u64 = rand::random();
    let mut ours = parts.events.subscribe(None).live;
    let theirs =
        stream::unfold(
            parts.cache.clone(),
            |cache| async move { Some((follow(cache.clone()).await, cache)) },
        );
    let mut theirs = theirs.flatten().boxed();
    loop {
        tokio::select! {
            event = ours.recv() => match event {
                Ok(event) => {
                    let Some(event) = (parts.render)(&event, &parts.node) else { continue };
                    // The cache's keeper says that it is away.
                    let _ = parts.cache.publish(&Told { sender, event }).await;
                }
                Err(RecvError::Lagged(events)) => {
                    tracing::warn!(events, "the cache is too slow: other pools do not hear of these events");
                }
                Err(RecvError::Closed) => return,
            },
            Some(told) = theirs.next() => {
                let Ok(Told { sender: of, event }) = serde_json::from_value(told) else { continue };
                if of != sender {
                    parts.events.publish(event.at, PoolEvent::Relayed(Arc::new(event)));
                }
            }
        }
    }
}

impl Actor for EventRelay {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.spawn(relay(self.parts.clone()).into_actor(self));
    }
}

impl Handler<Observe> for EventRelay {
    type Result = Observation;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Observation {
        Observation::of(&self.parts.events.counts())
    }
}
