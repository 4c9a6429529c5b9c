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

#[cfg(test)]
mod tests {
    use pool_domain::rollout::{Event, Plan, Rollout, RolloutKind, Stage};

    use super::*;
    use crate::{
        ports::{
            deployments::{DeployPlan, Strategy},
            packages::{PackageRef, PackageSource},
        },
        runtime::threads::Thread,
    };

    fn row(revision: u64, rollout: Rollout) -> DeploymentRow {
        let package = PackageRef {
            name: "blake2s".into(),
            version: "1.0.1".into(),
            hash_function: "blake2s".into(),
            source: PackageSource::Package { digest: "ab".repeat(32) },
        };
        let replaces =
            PackageRef { version: "1.0.0".into(), source: PackageSource::LinkedIn, ..package.clone() };
        let plan = DeployPlan {
            strategy: Strategy::Gradual,
            shadow_ms: 300_000,
            phase_ms: 600_000,
            shadow_share: BasisPoints(100),
            steps: vec![BasisPoints(500), BasisPoints::ALL],
            at: None,
            rollback_on_error: true,
        };
        DeploymentRow {
            id: 1,
            revision,
            package,
            replaces,
            generation: 2,
            plan,
            rollout,
            created_at: TimeMs(5),
            updated_at: TimeMs(5 + revision),
            by: "operator".into(),
        }
    }

    #[actix_rt::test]
    async fn an_older_revision_replaces_nothing_and_the_trail_keeps_all() {
        let folder = tempfile::tempdir().unwrap();
        let (store, threads) = SqliteStore::open(&folder.path().join("pool.db"), TimeMs(1)).unwrap();
        let threads: Vec<Thread> =
            threads.into_iter().map(|(name, body)| Thread::spawn(name, body).unwrap()).collect();
        let mut rollout = Rollout::new(RolloutKind::Upgrade, Plan::default());
        let staged = row(1, rollout.clone());
        rollout.apply(Event::Passed(Stage::Staged)).unwrap();
        let warm = row(2, rollout.clone());
        rollout.apply(Event::RollBack("enough".into())).unwrap();
        let back = row(3, rollout);
        let line = |action: &str| TrailLine {
            at: TimeMs(9),
            action: action.into(),
            stage: "warm".into(),
            traffic: BasisPoints::ZERO,
            by: "operator".into(),
            detail: "a detail".into(),
        };
        store.record(staged, line("deployed")).await.unwrap();
        store.record(back.clone(), line("rolled_back")).await.unwrap();
        store.record(warm, line("step")).await.unwrap();
        assert_eq!(store.deployments(None, 10).await.unwrap(), [back]);
        assert_eq!(store.deployments(Some(1), 10).await.unwrap(), []);
        let trail = store.trail(1).await.unwrap();
        let actions: Vec<_> = trail.iter().map(|line| line.action.as_str()).collect();
        assert_eq!(actions, ["deployed", "rolled_back", "step"]);
        drop(store);
        for thread in threads {
            thread.join().unwrap();
        }
    }
}
