//! How to deploy: the body of a request, and the plan that it means.

use pool_domain::{
    isolation::Level,
    units::{BasisPoints, TimeMs},
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    api::{
        Api,
        errors::ApiError,
        shapes::text,
        wire::{Object, parse_rfc3339},
    },
    messages::deployment::DeployError,
    ports::deployments::{DeployPlan, Strategy},
};

/// Body of a deploy request.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::api) struct DeployRequest {
    pub(super) config: Object<DeployConfig>,
}

/// How to deploy; what is missing is as configured.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::api) struct DeployConfig {
    #[schemars(with = "Option<text::StrategyName>")]
    strategy: Option<Strategy>,
    /// Seconds.
    #[schemars(range(min = 0, max = 2_592_000))]
    shadow_duration: Option<f64>,
    /// Percent of the shares.
    #[schemars(range(min = 0, max = 100))]
    shadow_percentage: Option<f64>,
    /// Seconds.
    #[schemars(range(min = 0, max = 2_592_000))]
    phase_duration: Option<f64>,
    /// Percents of the sessions, rising to 100.
    phases: Option<Vec<f64>>,
    /// RFC 3339.
    #[schemars(with = "Option<text::Time>")]
    at: Option<String>,
    rollback_on_error: Option<bool>,
    #[schemars(with = "Option<text::Isolation>")]
    pub(super) isolation: Option<Level>,
    pub(super) confirm: Option<String>,
    pub(super) override_migration_from: bool,
    /// Digest of the package that is meant: another one that was staged meanwhile is refused. Without it, what is staged.
    pub(super) digest: Option<String>,
    /// Channels of alerts that are told of each step; `dashboard` is told anyhow.
    notification_channels: Vec<String>,
}

/// The channel that is always told: the live feed.
const DASHBOARD: &str = "dashboard";

/// Names of the channels that can be told of deployments: one may have several recipients.
pub(super) fn channels(api: &Api) -> Vec<String> {
    let mut names: Vec<_> = api.alerts.channels.iter().map(|channel| channel.name.clone()).collect();
    names.dedup();
    names
}

impl DeployConfig {
    pub(super) fn plan(&self, api: &Api) -> Result<DeployPlan, ApiError> {
        let mut plan = api.deploy_defaults.plan.clone();
        plan.notify = self.notify(api)?;
        plan.strategy = self.strategy.unwrap_or(plan.strategy);
        if let Some(seconds) = self.shadow_duration {
            plan.shadow_ms = whole("shadow_duration", seconds, 1_000.0, 30 * 86_400_000)?;
        }
        if let Some(seconds) = self.phase_duration {
            plan.phase_ms = whole("phase_duration", seconds, 1_000.0, 30 * 86_400_000)?;
        }
        if let Some(percent) = self.shadow_percentage {
            plan.shadow_share = share("shadow_percentage", percent)?;
        }
        if let Some(phases) = &self.phases {
            plan.steps = phases.iter().map(|percent| share("phases", *percent)).collect::<Result<_, _>>()?;
        }
        if plan.strategy == Strategy::Immediate {
            plan.shadow_ms = 0;
            plan.steps = vec![BasisPoints::ALL];
            if self.phase_duration.is_none() {
                plan.phase_ms = 0;
            }
        }
        plan.at = self.at.as_deref().map(time).transpose()?;
        plan.rollback_on_error = self.rollback_on_error.unwrap_or(plan.rollback_on_error);
        Ok(plan)
    }

    fn notify(&self, api: &Api) -> Result<Vec<String>, ApiError> {
        let mut names: Vec<_> =
            self.notification_channels.iter().filter(|name| *name != DASHBOARD).cloned().collect();
        names.sort_unstable();
        names.dedup();
        let known = channels(api);
        let Some(unknown) = names.iter().find(|name| !known.contains(name)) else { return Ok(names) };
        let known: Vec<_> = known.into_iter().chain([DASHBOARD.to_owned()]).collect();
        Err(invalid(format!(
            "config.notification_channels names {unknown:?}, which is none of this pool's channels: {}",
            known.join(", ")
        )))
    }
}

fn invalid(message: String) -> ApiError {
    ApiError::from(DeployError::Plan(message))
}

fn whole(name: &str, value: f64, unit: f64, max: u64) -> Result<u64, ApiError> {
    let scaled = (value * unit).round();
    // Both bounds are exact as floats, and the value is between them.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "checked"
    )]
    if scaled >= 0.0 && scaled <= max as f64 {
        Ok(scaled as u64)
    } else {
        Err(invalid(format!("config.{name} is {value}: it must be 0 or more, and not absurd")))
    }
}

fn share(name: &str, percent: f64) -> Result<BasisPoints, ApiError> {
    let share = whole(name, percent, 100.0, 10_000)?;
    Ok(BasisPoints(u32::try_from(share).unwrap_or(BasisPoints::ALL.0)))
}

fn time(text: &str) -> Result<TimeMs, ApiError> {
    parse_rfc3339(text)
        .ok_or_else(|| invalid(format!("config.at is {text:?}: write it like 2026-11-22T12:00:00Z")))
}
