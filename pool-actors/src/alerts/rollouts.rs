//! What the channels that an operator named are told of a deployment: each of its steps, once while this process runs.

use pool_domain::rollout::Stage;

use crate::messages::deployment::{DeploymentView, rollback_message};

/// Which step was told last.
#[derive(Debug, Default)]
pub(super) struct Told(Option<(u64, Stage, bool)>);

impl Told {
    /// What is new in a deployment that names channels.
    pub(super) fn news(&mut self, view: &DeploymentView) -> Option<String> {
        let step = Some((view.id, view.stage, view.paused));
        if view.plan.notify.is_empty() || self.0 == step {
            return None;
        }
        self.0 = step;
        Some(format!("deployment {} of {} {}", view.id, view.package.id(), said(view)))
    }
}

fn said(view: &DeploymentView) -> String {
    let replaces = view.replaces.id();
    match (view.stage, &view.rollback) {
        (Stage::RolledBack, Some(reason)) => {
            let why = rollback_message(reason, &view.package, view.evidence.as_ref());
            format!("was rolled back, {replaces} serves everyone again: {why}")
        }
        (Stage::RolledBack, None) => format!("was rolled back, {replaces} serves everyone again"),
        (Stage::Retired, _) => format!("is complete: it has replaced {replaces}"),
        _ if view.paused => format!("is paused at {}", view.present_phase()),
        (Stage::Staged, _) => format!("was ordered by {} in place of {replaces}", view.by),
        _ => format!("is at {}", view.present_phase()),
    }
}
