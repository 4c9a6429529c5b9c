//! Events as texts: for an audience, and for other pools.

use pool_domain::units::TimeMs;
use serde_json::{Value, json};

use super::{snapshot::figures, topics::topic};
use crate::{
    api::{Api, alerts, algorithms, views, wire::rfc3339},
    messages::{
        event::{PoolEvent, Relayed},
        live::{Audience, Numbered},
    },
};

pub(super) fn envelope(kind: &str, seq: u64, at: TimeMs, data: &Value) -> String {
    json!({ "type": kind, "seq": seq, "at": rfc3339(at), "data": data }).to_string()
}

/// An event as other pools may have it; `None` for what stays here.
#[must_use]
pub fn relayed(event: &Numbered, from: &str) -> Option<Relayed> {
    let (public, operator) = match &event.event {
        // Of others' blocks each node tells its own pool.
        PoolEvent::Block(view) if view.ours => (Some(views::block(view)), views::block(view)),
        PoolEvent::Payout(view) => (Some(json!(view)), json!(view)),
        PoolEvent::Alert(trouble) => {
            let public = (!trouble.is_private()).then(|| views::alert(trouble, false));
            (public, views::alert(trouble, true))
        }
        PoolEvent::SecurityEvent { code, message } => (None, json!({ "code": code, "message": message })),
        _ => return None,
    };
    let kind = topic(&event.event).to_owned();
    Some(Relayed { from: from.to_owned(), kind, at: event.at, public, operator })
}

/// As [`envelope`], with the pool that it happened in.
fn envelope_from(relayed: &Relayed, kind: &str, seq: u64, operator: bool) -> Option<String> {
    let data = if operator { &relayed.operator } else { relayed.public.as_ref()? };
    let at = rfc3339(relayed.at);
    Some(json!({ "type": kind, "seq": seq, "at": at, "from": relayed.from, "data": data }).to_string())
}

/// An event's text for an audience; `None` where it is not for that audience.
pub(super) fn render(api: &Api, event: &Numbered, audience: Audience) -> Option<String> {
    let operator = audience == Audience::Operator;
    let data = match &event.event {
        PoolEvent::Relayed(relayed) => {
            return envelope_from(relayed, topic(&event.event), event.seq, operator);
        }
        PoolEvent::MinerConnected(seen) | PoolEvent::MinerDisconnected(seen) => views::peer(seen, operator),
        PoolEvent::Block(view) => views::block(view),
        PoolEvent::NodeState { ready, reason } => json!({ "ready": ready, "reason": reason }),
        PoolEvent::Stats(pool) => figures(api, pool),
        PoolEvent::Deployment(view) => algorithms::deployment(view),
        PoolEvent::Payout(view) => json!(view),
        PoolEvent::PayoutCalculated { payouts, accounts, amount } => {
            json!({ "state": "calculated", "payouts": payouts, "recipients": accounts, "amount": amount })
        }
        PoolEvent::Staging { upload, check } if operator => json!({ "staging": upload, "check": check }),
        PoolEvent::Staging { .. } => return None,
        PoolEvent::Alert(trouble) if trouble.is_private() && !operator => return None,
        PoolEvent::Alert(trouble) => views::alert(trouble, operator),
        PoolEvent::DifficultyAdjusted { session, account, worker, difficulty } if operator => {
            json!({ "session": session, "account": account, "worker": worker, "difficulty": difficulty })
        }
        PoolEvent::SecurityEvent { code, message } | PoolEvent::Defect { code, message } if operator => {
            json!({ "code": code, "message": message })
        }
        PoolEvent::AlertState(alert) if operator => alerts::line(alert),
        PoolEvent::AlertState(_)
        | PoolEvent::DifficultyAdjusted { .. }
        | PoolEvent::SecurityEvent { .. }
        | PoolEvent::Defect { .. } => {
            return None;
        }
    };
    Some(envelope(topic(&event.event), event.seq, event.at, &data))
}
