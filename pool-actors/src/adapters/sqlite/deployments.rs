//! Deployments of algorithms and their trail.

use async_trait::async_trait;
use pool_domain::units::{BasisPoints, TimeMs};
use rusqlite::{Row, TransactionBehavior, named_params};
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::oneshot;

use super::{
    Job, SqliteStore, ended,
    read::{column, corrupt, count, rows, signed},
    statements as sql, unavailable, write,
};
use crate::ports::{
    deployments::{DeploymentRow, DeploymentStore, TrailLine},
    store::StoreError,
};

#[async_trait]
impl DeploymentStore for SqliteStore {
    async fn record(&self, row: DeploymentRow, line: TrailLine) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        let job: Job<write::Writer> = Box::new(move |writer| {
            // Whoever asked may have gone.
            let _ = answer.send(record(writer, &row, &line));
        });
        self.writer.send(job).await.map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }

    async fn deployments(&self, before: Option<u64>, limit: usize) -> Result<Vec<DeploymentRow>, StoreError> {
        let before = before.map_or(Ok(i64::MAX), signed)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(move |db| {
            rows(db, sql::DEPLOYMENTS_PAGE, named_params! { ":before": before, ":limit": limit }, deployment)
        })
        .await
    }

    async fn trail(&self, deployment: u64) -> Result<Vec<TrailLine>, StoreError> {
        let deployment = signed(deployment)?;
        self.read(move |db| {
            rows(db, sql::DEPLOYMENT_TRAIL, named_params! { ":deployment": deployment }, trail_line)
        })
        .await
    }
}

fn record(writer: &mut write::Writer, row: &DeploymentRow, line: &TrailLine) -> Result<(), StoreError> {
    let tx = writer.db().transaction_with_behavior(TransactionBehavior::Immediate).map_err(unavailable)?;
    let id = signed(row.id)?;
    tx.prepare_cached(sql::DEPLOYMENT_PUT)
        .and_then(|mut put| {
            put.execute(named_params! {
                ":id": id,
                ":revision": i64::try_from(row.revision).unwrap_or(i64::MAX),
                ":package": json(&row.package),
                ":replaces": json(&row.replaces),
                ":generation": row.generation,
                ":plan": json(&row.plan),
                ":rollout": json(&row.rollout),
                ":created_at": i64::try_from(row.created_at.0).unwrap_or(i64::MAX),
                ":updated_at": i64::try_from(row.updated_at.0).unwrap_or(i64::MAX),
                ":actor": row.by,
            })
        })
        .map_err(unavailable)?;
    tx.prepare_cached(sql::DEPLOYMENT_TRAIL_ADD)
        .and_then(|mut add| {
            add.execute(named_params! {
                ":deployment": id,
                ":at": i64::try_from(line.at.0).unwrap_or(i64::MAX),
                ":action": line.action,
                ":stage": line.stage,
                ":traffic": line.traffic.0,
                ":actor": line.by,
                ":detail": line.detail,
            })
        })
        .map_err(unavailable)?;
    tx.commit().map_err(unavailable)
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain data without maps of odd keys is JSON")
}

fn parsed<T: DeserializeOwned>(row: &Row<'_>, index: usize) -> Result<T, StoreError> {
    let text: String = column(row, index)?;
    serde_json::from_str(&text).map_err(|error| corrupt(format!("a deployment, column {index}: {error}")))
}

fn deployment(row: &Row<'_>) -> Result<DeploymentRow, StoreError> {
    Ok(DeploymentRow {
        id: count(row, 0)?,
        revision: count(row, 1)?,
        package: parsed(row, 2)?,
        replaces: parsed(row, 3)?,
        generation: column(row, 4)?,
        plan: parsed(row, 5)?,
        rollout: parsed(row, 6)?,
        created_at: TimeMs(count(row, 7)?),
        updated_at: TimeMs(count(row, 8)?),
        by: column(row, 9)?,
    })
}

fn trail_line(row: &Row<'_>) -> Result<TrailLine, StoreError> {
    Ok(TrailLine {
        at: TimeMs(count(row, 0)?),
        action: column(row, 1)?,
        stage: column(row, 2)?,
        traffic: BasisPoints(column(row, 3)?),
        by: column(row, 4)?,
        detail: column(row, 5)?,
    })
}
