//! Switches that make the node misbehave, for tests of its clients (`docs/node.md`, section 11).

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// All switches; the default is a healthy node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Background miners stop.
    pub paused: bool,
    /// Not ready, with this reason.
    pub not_ready: Option<String>,
    /// Templates and submissions answer "must enable miner".
    pub mining_disabled: bool,
    /// Every answer waits that long.
    pub delay_ms: u64,
    /// Every answer is not JSON.
    pub rubbish: bool,
    /// Reported instead of the true chain id.
    pub chain_id: Option<String>,
    /// Connections are closed without a complete answer.
    pub drop_connections: bool,
    /// Every submission is refused with this text.
    pub refuse_submit: Option<String>,
    /// Submissions count, but are not answered.
    pub lose_submit_answer: bool,
    /// Transactions that are sent count, but are not answered.
    pub lose_send_answer: bool,
    /// Every transaction that is sent is refused with this text.
    pub refuse_send: Option<String>,
    /// Addresses (and names) that nothing can be paid to.
    pub refuse_addresses: Vec<String>,
    /// No templates of these powTypes, as outside of their window; blocks of them still count.
    pub no_templates_of: Vec<u8>,
}

impl Faults {
    /// Changes the switches that `changes` (a JSON object) names.
    ///
    /// # Errors
    /// Names an unknown switch or a value of the wrong type; nothing has changed then.
    pub fn merge(&mut self, changes: &Value) -> Result<(), String> {
        let mut all = serde_json::to_value(&*self).map_err(|error| error.to_string())?;
        let (Some(all_fields), Some(changes)) = (all.as_object_mut(), changes.as_object()) else {
            return Err("faults are a JSON object".to_owned());
        };
        all_fields.extend(changes.clone());
        *self = serde_json::from_value(all).map_err(|error| error.to_string())?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn switches_merge_and_unknown_ones_are_named() {
        let mut faults = Faults::default();
        faults.merge(&json!({"paused": true, "not_ready": "syncing"})).unwrap();
        faults.merge(&json!({"not_ready": null, "delay_ms": 5})).unwrap();
        assert_eq!(faults, Faults { paused: true, delay_ms: 5, ..Faults::default() });
        assert!(faults.merge(&json!({"slow": 1})).unwrap_err().contains("slow"));
        assert!(faults.paused);
    }
}
