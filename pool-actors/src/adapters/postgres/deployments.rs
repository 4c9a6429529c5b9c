//! Deployments of algorithms and their trail, of one node.

use async_trait::async_trait;
use pool_domain::units::BasisPoints;
use serde::{Serialize, de::DeserializeOwned};
use tokio_postgres::Row;

use super::{
    PostgresStore,
    codec::Stamp,
    read::{Question, column, corrupt, count, signed, time},
    session::Session,
    statements as sql,
};
use crate::ports::{
    deployments::{DeploymentRow, DeploymentStore, TrailLine},
    store::StoreError,
};

/// The deployments of one node: each pool process swaps its own algorithm, whoever else uses the database.
#[derive(Clone)]
pub struct PostgresDeployments {
    store: PostgresStore,
    node: String,
}

impl PostgresStore {
    /// Where this node's deployments are kept.
    #[must_use]
    pub fn deployments_of(&self, node: &str) -> PostgresDeployments {
        PostgresDeployments { store: self.clone(), node: node.to_owned() }
    }
}

#[async_trait]
impl DeploymentStore for PostgresDeployments {
    async fn record(&self, row: DeploymentRow, line: TrailLine) -> Result<(), StoreError> {
        self.store.read_for_ledger(Record { node: self.node.clone(), row, line }).await
    }

    async fn deployments(&self, before: Option<u64>, limit: usize) -> Result<Vec<DeploymentRow>, StoreError> {
        let before = before.map_or(Ok(i64::MAX), signed)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.store.read_for_ledger(Page { node: self.node.clone(), before, limit }).await
    }

    async fn trail(&self, deployment: u64) -> Result<Vec<TrailLine>, StoreError> {
        let deployment = signed(deployment)?;
        self.store.read_for_ledger(Trail { node: self.node.clone(), deployment }).await
    }
}

/// A deployment's state and a line of its trail, in one statement.
struct Record {
    node: String,
    row: DeploymentRow,
    line: TrailLine,
}

impl Question for Record {
    type Answer = ();

    async fn ask(&self, session: &Session) -> Result<(), StoreError> {
        let Self { node, row, line } = self;
        let wide = |basis_points: BasisPoints| i32::try_from(basis_points.0).unwrap_or(i32::MAX);
        session
            .query(
                sql::DEPLOYMENT_RECORD,
                &[
                    node,
                    &signed(row.id)?,
                    &signed(row.revision)?,
                    &json(&row.package),
                    &json(&row.replaces),
                    &i64::from(row.generation),
                    &json(&row.plan),
                    &json(&row.rollout),
                    &Stamp(row.created_at),
                    &Stamp(row.updated_at),
                    &row.by,
                    &Stamp(line.at),
                    &line.action,
                    &line.stage,
                    &wide(line.traffic),
                    &line.by,
                    &super::write::clean(&line.detail),
                ],
            )
            .await
            .map(drop)
    }
}

struct Page {
    node: String,
    before: i64,
    limit: i64,
}

impl Question for Page {
    type Answer = Vec<DeploymentRow>;

    async fn ask(&self, session: &Session) -> Result<Self::Answer, StoreError> {
        let found = session.query(sql::DEPLOYMENTS_PAGE, &[&self.node, &self.before, &self.limit]).await?;
        found.iter().map(deployment).collect()
    }
}

struct Trail {
    node: String,
    deployment: i64,
}

impl Question for Trail {
    type Answer = Vec<TrailLine>;

    async fn ask(&self, session: &Session) -> Result<Self::Answer, StoreError> {
        let found = session.query(sql::DEPLOYMENT_TRAIL, &[&self.node, &self.deployment]).await?;
        found.iter().map(trail_line).collect()
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain data without maps of odd keys is JSON")
}

fn parsed<T: DeserializeOwned>(row: &Row, index: usize) -> Result<T, StoreError> {
    let text: &str = column(row, index)?;
    serde_json::from_str(text).map_err(|error| corrupt(format!("a deployment, column {index}: {error}")))
}

fn deployment(row: &Row) -> Result<DeploymentRow, StoreError> {
    let generation = u32::try_from(column::<i64>(row, 4)?);
    Ok(DeploymentRow {
        id: count(row, 0)?,
        revision: count(row, 1)?,
        package: parsed(row, 2)?,
        replaces: parsed(row, 3)?,
        generation: generation.map_err(|_| corrupt("a generation is beyond 32 bits"))?,
        plan: parsed(row, 5)?,
        rollout: parsed(row, 6)?,
        created_at: time(row, 7)?,
        updated_at: time(row, 8)?,
        by: column(row, 9)?,
    })
}

fn trail_line(row: &Row) -> Result<TrailLine, StoreError> {
    let traffic =
        u32::try_from(column::<i32>(row, 3)?).map_err(|_| corrupt("a part of traffic is negative"))?;
    Ok(TrailLine {
        at: time(row, 0)?,
        action: column(row, 1)?,
        stage: column(row, 2)?,
        traffic: BasisPoints(traffic),
        by: column(row, 4)?,
        detail: column(row, 5)?,
    })
}
