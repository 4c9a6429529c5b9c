//! `dagpool algorithm list|stage|deploy|status|...`: what operators do, against a running pool.

mod client;
mod follow;
mod progress;
mod show;

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};
use pool_domain::catalogue::Code;
use serde_json::{Map, Value, json};

use super::{Output, files, load::Level};
use client::{Client, RemoteError};

pub(super) use client::print_error;

/// What a command gives back.
pub(super) type Done = Result<Output, Box<RemoteError>>;

/// Which pool, and who asks.
#[derive(Debug, Args)]
pub(crate) struct Connection {
    /// The pool's address: that of its dashboard.
    #[arg(long, env = "DAGPOOL_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// The admin token, or one of your own (dashboard, ACCOUNT): better "file:/path" or the variable than the text, which other users of the machine could see.
    #[arg(long, env = "DAGPOOL_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// Arguments of commands without any of their own.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    pub(super) pool: Connection,
}

#[derive(Debug, Args)]
pub(crate) struct Stage {
    /// The package.
    package: PathBuf,
    /// How far the pool is kept from its code; without it, as the pool is configured (algorithms.isolation).
    #[arg(long, value_enum)]
    isolation: Option<Level>,
    /// Let in an older version than one staged before; the reason is recorded in the trail.
    #[arg(long, value_name = "REASON")]
    allow_downgrade: Option<String>,
    #[command(flatten)]
    pub(super) pool: Connection,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Strategy {
    /// Warm-up, shadow, then a growing part of the miners.
    Gradual,
    /// Warm-up, then all miners at once.
    Immediate,
    /// Gradual, not before --at.
    Scheduled,
}

#[derive(Debug, Args)]
pub(crate) struct Deploy {
    /// How the new version takes over; without it, as the pool is configured.
    #[arg(long, value_enum)]
    strategy: Option<Strategy>,
    /// Seconds in shadow.
    #[arg(long, value_name = "SECONDS")]
    shadow_duration: Option<f64>,
    /// Percent of the shares that both versions hash in shadow.
    #[arg(long, value_name = "PERCENT")]
    shadow_percentage: Option<f64>,
    /// Seconds at each step.
    #[arg(long, value_name = "SECONDS")]
    phase_duration: Option<f64>,
    /// Percents of the miners, rising to 100.
    #[arg(long, value_name = "PERCENTS", value_delimiter = ',')]
    phases: Option<Vec<f64>>,
    /// Not before this time, RFC 3339.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Bad health pauses the deployment instead of rolling it back. Wrong hashes, panics and hangs roll back all the same.
    #[arg(long)]
    no_rollback_on_error: bool,
    /// Confirms, by naming the algorithm, that going back needs care (rollback_supported: false).
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
    /// How far the pool is kept from the code; without it, as it was staged.
    #[arg(long, value_enum)]
    isolation: Option<Level>,
    /// Deploy it although its author lets it replace other algorithms only (migration.from_algorithms); the trail says so.
    #[arg(long)]
    override_migration_from: bool,
    /// Digest of the package that is meant (`dagpool algorithm status --json`): if another one was staged meanwhile, nothing is deployed.
    #[arg(long, value_name = "DIGEST")]
    digest: Option<String>,
    /// Channels of alerts that are told of each step, by their names in pool.toml.
    #[arg(long, value_name = "CHANNELS", value_delimiter = ',')]
    notify: Option<Vec<String>>,
    /// Only show what would be done.
    #[arg(long, conflicts_with = "wait")]
    plan: bool,
    /// Wait until it is over, and show how it goes; ends with 1 if it was rolled back.
    #[arg(long, visible_alias = "follow")]
    wait: bool,
    #[command(flatten)]
    pub(super) pool: Connection,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// A deployment's number; without it, what is in force, staged and under way.
    deployment: Option<u64>,
    /// Wait until the deployment (the latest one without a number) is over, and show how it goes.
    #[arg(long, visible_alias = "wait")]
    follow: bool,
    #[command(flatten)]
    pub(super) pool: Connection,
}

#[derive(Debug, Args)]
pub(crate) struct Steer {
    /// The deployment's number; without it, the one under way.
    deployment: Option<u64>,
    #[command(flatten)]
    pub(super) pool: Connection,
}

#[derive(Debug, Args)]
pub(crate) struct Rollback {
    /// The deployment's number; without it, the one under way.
    deployment: Option<u64>,
    /// Why; it is kept in the trail.
    #[arg(long)]
    reason: Option<String>,
    /// Wait until everything is back.
    #[arg(long, action = ArgAction::SetTrue, visible_alias = "follow")]
    wait: bool,
    #[command(flatten)]
    pub(super) pool: Connection,
}

pub(super) async fn list(args: &List) -> Done {
    let client = Client::new(&args.pool)?;
    let algorithms = client.get("/api/algorithms").await?;
    let deployments = client.get("/api/deployments?limit=10").await?;
    let text = show::list(&algorithms, &deployments);
    Ok(Output::good(
        text,
        json!({ "algorithms": algorithms, "deployments": deployments["items"], "next": deployments["next"] }),
    ))
}

pub(super) async fn stage(args: &Stage) -> Done {
    let client = Client::new(&args.pool)?;
    let package = files::read_package(&args.package).map_err(|error| RemoteError::package(&error))?;
    let isolation = args.isolation.map(|level| level.to_string());
    let query = [("isolation", isolation.as_deref()), ("allow_downgrade", args.allow_downgrade.as_deref())];
    let staged = client.upload("/api/algorithms/stage", &query, package).await?;
    Ok(Output::good(show::staged(&staged), staged))
}

impl Deploy {
    /// `config` of the deploy request: only what was asked for.
    fn config(&self) -> Map<String, Value> {
        let mut config = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                config.insert(name.to_owned(), value);
            }
        };
        let strategy = self.strategy.and_then(|strategy| strategy.to_possible_value());
        put("strategy", strategy.map(|value| json!(value.get_name())));
        put("shadow_duration", self.shadow_duration.map(Value::from));
        put("shadow_percentage", self.shadow_percentage.map(Value::from));
        put("phase_duration", self.phase_duration.map(Value::from));
        put("phases", self.phases.as_ref().map(|phases| json!(phases)));
        put("at", self.at.as_deref().map(Value::from));
        put("rollback_on_error", self.no_rollback_on_error.then_some(json!(false)));
        put("isolation", self.isolation.map(|level| json!(level.to_string())));
        put("override_migration_from", self.override_migration_from.then_some(json!(true)));
        put("digest", self.digest.as_deref().map(Value::from));
        put("notification_channels", self.notify.as_ref().map(|names| json!(names)));
        put("confirm", self.confirm.as_deref().map(Value::from));
        config
    }
}

pub(super) async fn deploy(args: &Deploy) -> Done {
    let client = Client::new(&args.pool)?;
    let config = args.config();
    if args.plan {
        let plan = client.post("/api/algorithms/plan", &json!({ "config": config })).await?;
        return Ok(Output::good(show::plan(&plan), plan));
    }
    let begun = client.post("/api/algorithms/deploy", &json!({ "config": config })).await?;
    let Some(id) = begun["deployment_id"].as_str() else {
        let known = [("url", args.pool.url.as_str()), ("status", "202")];
        return Err(RemoteError::of(Code::PoolAnswerUnreadable, &known));
    };
    if args.wait {
        return follow::until_over(&client, id, args.pool.json).await;
    }
    Ok(Output::good(show::begun(&begun), begun))
}

pub(super) async fn status(args: &Status) -> Done {
    let client = Client::new(&args.pool)?;
    let id = match args.deployment {
        Some(id) => id.to_string(),
        None => {
            let status = client.get("/api/algorithms/status").await?;
            match status["deployment"]["deployment_id"].as_str() {
                Some(id) if args.follow => id.to_owned(),
                None if args.follow => return Err(nothing_under_way()),
                _ => return Ok(Output::good(show::status(&status), status)),
            }
        }
    };
    if args.follow {
        return follow::until_over(&client, &id, args.pool.json).await;
    }
    let deployment = client.get(&format!("/api/deployments/{id}")).await?;
    Ok(Output::good(show::deployment(&deployment), deployment))
}

fn nothing_under_way() -> Box<RemoteError> {
    RemoteError::local(Code::DeploymentNotUnderWay, "no deployment is under way")
}

/// The deployment's number: as given, or of the one under way.
async fn number(client: &Client, given: Option<u64>) -> Result<String, Box<RemoteError>> {
    if let Some(id) = given {
        return Ok(id.to_string());
    }
    let status = client.get("/api/algorithms/status").await?;
    let deployment = &status["deployment"];
    match deployment["deployment_id"].as_str() {
        Some(id) if !follow::is_over(deployment) => Ok(id.to_owned()),
        _ => Err(nothing_under_way()),
    }
}

/// Pause, resume or advance.
pub(super) async fn steer(args: &Steer, action: &str) -> Done {
    let client = Client::new(&args.pool)?;
    let id = number(&client, args.deployment).await?;
    let deployment = client.post(&format!("/api/deployments/{id}/{action}"), &json!({})).await?;
    Ok(Output::good(show::deployment(&deployment), deployment))
}

pub(super) async fn rollback(args: &Rollback) -> Done {
    let client = Client::new(&args.pool)?;
    let id = number(&client, args.deployment).await?;
    let body = args.reason.as_ref().map_or_else(|| json!({}), |reason| json!({ "reason": reason }));
    let deployment = client.post(&format!("/api/deployments/{id}/rollback"), &body).await?;
    if args.wait {
        // That it went back is what was asked for.
        let mut over = follow::until_over(&client, &id, args.pool.json).await?;
        over.ok = over.json["status"] == "rolled_back";
        return Ok(over);
    }
    Ok(Output::good(show::deployment(&deployment), deployment))
}
