//! `/api/admin/config`: what is in force, and taking over a newer file.

use actix_web::{HttpResponse, web};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Api,
    access::changed,
    errors::{ApiError, ErrorCode},
    wire::{optional, rfc3339},
};
use crate::{
    config::{Change, SectionView},
    error::Failure,
};

/// The configuration as it is in force.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigShown {
    /// The file that it came from, if it came from one.
    pub file: Option<String>,
    /// When it was read last, milliseconds.
    pub read_at: pool_domain::units::TimeMs,
    /// All keys.
    pub sections: Vec<SectionView>,
    /// What the file said when it was read last and what waits for a restart.
    pub waiting: Vec<Change>,
}

/// Whoever has the configuration.
pub trait ConfigDesk: Send + Sync {
    /// What is in force.
    fn shown(&self) -> ConfigShown;

    /// Reads the file again and takes over what can change while the pool runs; with `dry_run` it only says what would be.
    ///
    /// # Errors
    /// What is wrong with the file; nothing has changed then.
    fn reload(&self, dry_run: bool) -> Result<Vec<Change>, Failure>;
}

/// `GET /api/admin/config`.
pub(super) async fn show(api: web::Data<Api>) -> HttpResponse {
    let ConfigShown { file, read_at, sections, waiting } = api.config.shown();
    HttpResponse::Ok().json(json!({
        "file": file, "read_at": rfc3339(read_at), "sections": sections, "waiting": waiting,
    }))
}

/// Body of a reload; may be missing.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ReloadOrder {
    dry_run: bool,
}

/// `POST /api/admin/config/reload`.
pub(super) async fn reload(api: web::Data<Api>, body: web::Bytes) -> Result<HttpResponse, ApiError> {
    let ReloadOrder { dry_run } = optional(&body)?;
    // The file is small, and read by whoever asked for it.
    let changes = api.config.reload(dry_run).map_err(|failure| {
        ApiError::new(ErrorCode::ConfigNotReloaded, failure.what.clone())
            .with(json!({ "code": failure.code.as_str(), "advice": failure.advice }))
    })?;
    let live = changes.iter().filter(|change| change.live).count();
    let answer = HttpResponse::Ok().json(json!({
        "dry_run": dry_run, "changes": changes, "live": live, "waiting": changes.len() - live,
    }));
    if dry_run {
        return Ok(answer);
    }
    let side = |value: fn(&Change) -> &String| -> Value {
        changes
            .iter()
            .map(|change| (change.key.clone(), json!(value(change))))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    Ok(changed(answer, side(|change| &change.from), side(|change| &change.to)))
}
