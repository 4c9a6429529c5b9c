//! A migration needs a node that hands out work of the new function: asked before it begins, watched while it goes on.

use std::{sync::Arc, time::Duration};

use pool_domain::{ids::AlgorithmName, rollout::Stage};

use super::AlgorithmSupervisor;
use crate::{
    algorithm::deployment::Deployment,
    messages::{deployment::DeployError, job::NodeState},
    ports::deployments::DeploymentRow,
};

/// Longest wait for the node's answer.
const ASK_MAX: Duration = Duration::from_secs(5);

/// Whether the node gives work of a function.
type Answer = Result<(), String>;

impl AlgorithmSupervisor {
    fn ask(&self, function: &str) -> impl Future<Output = Answer> + use<> {
        let node = Arc::clone(&self.parts.node);
        let function = AlgorithmName::new(function);
        async move {
            let function = function.map_err(|error| error.to_string())?;
            let asked = tokio::time::timeout(ASK_MAX, node.template(&function)).await;
            match asked {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(error)) => Err(error.to_string()),
                Err(_) => Err(format!("it did not answer within {} s", ASK_MAX.as_secs())),
            }
        }
    }

    /// Asks the node about what is staged, if that would be a migration. The answer names what it is about.
    pub(super) fn ask_about_staged(&self) -> impl Future<Output = Option<(String, Answer)>> + use<> {
        let state = self.state.as_ref();
        let function = state.and_then(|state| {
            let function = &state.staged.as_ref()?.reference.hash_function;
            (*function != state.active.package.hash_function).then(|| function.clone())
        });
        let asking = function.as_ref().map(|function| self.ask(function));
        async move { Some((function?, asking?.await)) }
    }

    pub(super) fn note_about_staged(&mut self, answer: Option<(String, Answer)>) {
        let Some(state) = &mut self.state else { return };
        let staged = state.staged.as_ref().map(|staged| &staged.reference.hash_function);
        state.no_work = match answer {
            Some((function, Err(why))) if staged == Some(&function) => {
                Some(format!("the node gives no work of {function}: {why}"))
            }
            _ => None,
        };
    }

    /// Asks the node before a migration begins.
    pub(super) fn ask_about_migration(
        &self,
        row: &DeploymentRow,
    ) -> impl Future<Output = Result<(), DeployError>> + use<> {
        let function = row.package.hash_function.clone();
        let asking = (function != row.replaces.hash_function).then(|| self.ask(&function));
        async move {
            match asking {
                Some(asking) => asking.await.map_err(|why| DeployError::NodeLacksFunction { function, why }),
                None => Ok(()),
            }
        }
    }

    /// Why a migration can't go on for want of work of its function; it may be the new function's fault alone, or the
    /// node's word. A node that is away stops both functions, and no migration.
    pub(super) fn lack_of_work(&self, deployment: &Deployment) -> Option<String> {
        let row = &deployment.row;
        let state: &NodeState = &self.parts.work.load();
        let failing = state.function(&row.package.hash_function)?.failing.as_ref()?;
        let other_works =
            state.function(&row.replaces.hash_function).is_some_and(|work| work.failing.is_none());
        let lasted = self.parts.clock.now().since(failing.since);
        let patience = u64::try_from(self.parts.settings.no_work_for.as_millis()).unwrap_or(u64::MAX);
        (lasted >= patience && (failing.refused || other_works)).then(|| failing.reason.clone())
    }

    /// Whether there is work of what is deployed: an upgrade has it anyway.
    pub(super) fn has_work(&self, deployment: &Deployment) -> bool {
        let row = &deployment.row;
        let state = self.parts.work.load();
        let given = || {
            let work = state.function(&row.package.hash_function)?;
            Some(work.failing.is_none() && work.network_work.is_some())
        };
        !deployment.is_migration() || row.rollout.stage() != Stage::Warm || given() == Some(true)
    }
}
