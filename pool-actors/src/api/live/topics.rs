//! What kinds of events there are, and which somebody wants.

use std::collections::HashSet;

use crate::messages::event::PoolEvent;

/// What can be asked for by `topics`.
pub(super) const TOPICS: &[&str] = &[
    "stats",
    SHARE_RATE,
    "block",
    "miner_connected",
    "miner_disconnected",
    "node_state",
    "deployment",
    "payout",
    "alert",
    "alert_state",
    "difficulty_adjusted",
    "security_event",
    "defect",
    "relayed",
];

/// A few bytes a second for who wants no more than that. Only for who asks for it, since `stats` has it, too.
pub(super) const SHARE_RATE: &str = "share_rate";

/// The topics that a text names.
pub(super) fn topics_of<'a>(names: impl Iterator<Item = &'a str>) -> Result<HashSet<String>, String> {
    let known = |name: &str| TOPICS.contains(&name).then(|| name.to_owned());
    names.map(|name| known(name).ok_or_else(|| name.chars().take(50).collect())).collect()
}

/// The `type` of an event on the wire.
pub(super) fn topic(event: &PoolEvent) -> &'static str {
    match event {
        PoolEvent::MinerConnected(_) => "miner_connected",
        PoolEvent::MinerDisconnected(_) => "miner_disconnected",
        PoolEvent::DifficultyAdjusted { .. } => "difficulty_adjusted",
        PoolEvent::Block(_) => "block",
        PoolEvent::NodeState { .. } => "node_state",
        PoolEvent::Deployment(_) | PoolEvent::Staging { .. } => "deployment",
        PoolEvent::Payout(_) | PoolEvent::PayoutCalculated { .. } => "payout",
        PoolEvent::SecurityEvent { .. } => "security_event",
        PoolEvent::Alert(_) => "alert",
        PoolEvent::AlertState(_) => "alert_state",
        PoolEvent::Defect { .. } => "defect",
        PoolEvent::Relayed(relayed) => {
            RELAYED.iter().find(|kind| **kind == relayed.kind).unwrap_or(&"relayed")
        }
        PoolEvent::Stats(_) => "stats",
    }
}

/// Types of events that pools tell each other: what a pool found, paid, or fears. What miners and roll-outs do is the
/// business of the pool that they are at.
const RELAYED: &[&str] = &["block", "payout", "alert", "security_event"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_has_a_topic_that_can_be_asked_for() {
        for kind in RELAYED {
            assert!(TOPICS.contains(kind), "{kind}");
        }
        let names = |text: &'static str| topics_of(text.split(','));
        assert_eq!(names("stats,block").unwrap().len(), 2);
        assert_eq!(names("stats,Block").unwrap_err(), "Block");
        assert_eq!(names("").unwrap_err(), "");
    }
}
