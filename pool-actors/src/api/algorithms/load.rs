//! Compiling and trying out code: it must not hold up those who answer miners.

use actix_web::web;
use pool_domain::isolation::Level;
use serde_json::json;

use crate::{
    api::{
        Api,
        errors::{ApiError, ErrorCode},
    },
    messages::deployment::DeployError,
    ports::packages::{Package, PackageError},
    runtime::threads::in_background,
};

/// Runs it beside what miners wait for. `None` = it was interrupted.
pub(super) async fn heavy<T: Send + 'static>(
    level: Level,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    if level == Level::Process {
        // The child goes on to serve, and would stay in the background.
        return web::block(work)
            .await
            .inspect_err(|error| tracing::error!(%error, "code could not be tried out"))
            .ok();
    }
    in_background("staging", work)
        .await
        .inspect_err(|error| tracing::error!(%error, "code could not be tried out"))
        .ok()
}

/// What is staged at another level of isolation: its code is loaded and checked anew. `None` = it is at that level.
pub(super) async fn load_at(api: &Api, level: Level) -> Result<Option<Package>, ApiError> {
    let view = api.algorithms.view.get();
    let staged = view.staged.as_ref().ok_or_else(|| ApiError::from(DeployError::NothingStaged))?;
    let Some(shelf) = api.shelf.clone().filter(|_| staged.report.isolation != level) else {
        return Ok(None);
    };
    let (reference, downgrade) = (staged.package.clone(), staged.report.downgrade.clone());
    let loaded = heavy(level, move || shelf.load(&reference, level)).await;
    let mut package = loaded
        .ok_or_else(|| ApiError::new(ErrorCode::Internal, "loading was interrupted: try again"))?
        .map_err(refused)?;
    package.report.downgrade = downgrade;
    Ok(Some(package))
}

pub(super) fn refused(error: PackageError) -> ApiError {
    let fine = ErrorCode::named(&error.code).unwrap_or(ErrorCode::PackageValidationFailed);
    ApiError::finer(fine, error.message).with(json!({
        "package_code": error.code,
        "validation_results": error.checks,
    }))
}
