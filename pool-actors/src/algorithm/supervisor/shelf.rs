//! Which packages the shelf must keep.
//!
//! Whatever a restart, a reload or a fall-back may load: what is in force, staged, on trial or kept for its last shares,
//! what the one in force replaced, and what the newest deployments of the history brought or replaced. The history is read
//! after the rest was noted, so a deployment that begins meanwhile is in one of both.

use std::sync::Arc;

use actix::{AsyncContext as _, Context, WrapFuture as _};
use pool_domain::rollout::Stage;

use super::{AlgorithmSupervisor, State};
use crate::{
    ports::{deployments::DeploymentRow, packages::PackageRef},
    runtime::threads::Thread,
};

/// Deployments of the history whose packages are kept.
const DEPLOYMENTS_KEPT: usize = 10;
/// Deployments that a start looks at for what was in force last.
const DEPLOYMENTS_READ: usize = 200;

impl State {
    fn packages(&self) -> Vec<PackageRef> {
        let rows = self.deployment.iter().map(|deployment| &deployment.row).chain(&self.recovery.brought_by);
        std::iter::once(&self.active.package)
            .chain(self.staged.as_ref().map(|staged| &staged.reference))
            .chain(self.kept.iter().map(|kept| &kept.package))
            .chain(rows.flat_map(|row| [&row.package, &row.replaces]))
            .cloned()
            .collect()
    }
}

/// What of the history may be loaded again; `rows`: newest first.
fn of_history(rows: &[DeploymentRow]) -> impl Iterator<Item = PackageRef> {
    let done = rows.iter().find(|row| matches!(row.rollout.stage(), Stage::Retired | Stage::Draining));
    let newest = rows.iter().take(DEPLOYMENTS_KEPT).chain(done);
    newest.flat_map(|row| [row.package.clone(), row.replaces.clone()])
}

impl AlgorithmSupervisor {
    /// Has the shelf let go of what nothing needs any more. Without the history nothing goes.
    pub(super) fn tidy_shelf(&self, context: &mut Context<Self>) {
        let (Some(state), Some(shelf)) = (&self.state, self.parts.shelf.clone()) else { return };
        let mut needed = state.packages();
        let store = Arc::clone(&self.parts.store);
        let inline = self.parts.place.trial_arbiters == 0;
        let tidy = async move {
            match store.deployments(None, DEPLOYMENTS_READ).await {
                Ok(rows) => needed.extend(of_history(&rows)),
                Err(error) => {
                    tracing::debug!(%error, "packages are not tidied up: the history can't be read");
                    return;
                }
            }
            let prune = move || shelf.prune(&needed);
            if inline {
                prune();
            } else if let Err(error) = Thread::spawn_in_background("shelf", prune) {
                tracing::debug!(%error, "packages are not tidied up: the system refused a thread");
            }
        };
        context.spawn(tidy.into_actor(self));
    }
}
