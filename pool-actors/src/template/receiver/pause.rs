//! Pausing work while the node can't be mined on, and resuming it.

use actix::Context;

use super::TemplateReceiver;
use crate::{
    messages::{
        event::{PoolEvent, Publish},
        job::WorkPaused,
    },
    metrics::{NODE_READY, TEMPLATE_AGE_SECONDS},
    ports::node::NodeError,
    runtime::outbox::Refused,
};

impl TemplateReceiver {
    /// Why there can be no work now.
    fn obstacle(&self) -> Option<String> {
        if let Some(reason) = &self.unhealthy {
            return Some(reason.clone());
        }
        if let Some(trouble) = &self.trouble
            && (trouble.definite || trouble.since.elapsed() >= self.parts.settings.pause_after)
        {
            return Some(trouble.reason.clone());
        }
        None
    }

    /// Compares what is with what the sessions were told, and tells them and the world of a change.
    pub(super) fn judge(&mut self, context: &mut Context<Self>) {
        let obstacle = self.obstacle();
        if self.paused.is_some() && obstacle.is_none() {
            self.tell_sessions(None, context);
        } else if obstacle.is_some() && self.paused.is_none() {
            self.tell_sessions(obstacle.as_ref(), context);
            self.fresh_job = true;
        }
        let reason = match (&obstacle, &self.state.job, &self.trouble) {
            (Some(reason), _, _) => reason.clone(),
            (None, None, Some(trouble)) => trouble.reason.clone(),
            (None, None, None) => "waiting for the first template".to_owned(),
            (None, Some(_), _) if self.fresh_job => "waiting for a fresh template".to_owned(),
            (None, Some(_), _) => String::new(),
        };
        let ready = reason.is_empty();
        if (ready, &reason) != (self.state.ready, &self.state.reason) {
            self.state.ready = ready;
            self.state.reason.clone_from(&reason);
            if ready {
                tracing::info!(node = self.state.name, "node ready, work is handed out");
            } else {
                tracing::warn!(node = self.state.name, "no work is handed out: {reason}");
            }
            let event = PoolEvent::NodeState { ready, reason };
            self.parts.events.offer(Publish { at: self.parts.clock.now(), event });
        }
        self.record();
    }

    fn tell_sessions(&mut self, reason: Option<&String>, context: &mut Context<Self>) {
        self.paused = reason.cloned();
        for (hub, behind) in self.parts.hubs.iter().zip(&mut self.behind) {
            if let Err(Refused::Full(_)) = hub.pauses.try_post(WorkPaused { reason: reason.cloned() }) {
                *behind = true;
            }
        }
        self.retell_later(context);
    }

    fn record(&self) {
        metrics::gauge!(NODE_READY).set(if self.state.ready { 1.0 } else { 0.0 });
        if self.state.last_template_at.0 != 0 {
            let age_ms = self.parts.clock.now().since(self.state.last_template_at);
            // Ages far below 2^52 ms.
            #[expect(clippy::cast_precision_loss, reason = "a gauge")]
            metrics::gauge!(TEMPLATE_AGE_SECONDS).set(age_ms as f64 / 1_000.0);
        }
        if *self.parts.state.get() != self.state {
            self.parts.state.set(self.state.clone());
        }
    }
}

/// Whether an error is the node's own word that it can't be mined on.
pub(super) fn definite(error: &NodeError) -> bool {
    matches!(error, NodeError::NotReady { .. } | NodeError::WrongChain { .. })
}
