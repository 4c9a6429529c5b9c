//! Where the figures come from: a running pool's API, or a database that is read directly.

use std::path::{Path, PathBuf};

use clap::Args;
use pool_actors::{
    app::books::OpenBooks,
    config,
    error::{Code, Failure},
};
use serde_json::Value;

/// Exactly one of these; a pool on this machine without any.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct Source {
    /// A running pool [default: `http://127.0.0.1:8080`].
    #[arg(long, env = "DAGPOOL_URL")]
    url: Option<String>,
    /// The database of this configuration.
    #[arg(long)]
    config: Option<PathBuf>,
    /// The database `pool.db` of this data folder.
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// A database: sqlite:PATH or postgres://user:password@host:port/database.
    #[arg(long)]
    database: Option<String>,
}

/// The name of the embedded database in a data folder.
pub(super) const DATABASE: &str = "sqlite:pool.db";

/// What a [`Source`] names.
pub(super) enum Opened {
    Pool(PoolClient),
    Books(OpenBooks),
}

impl Source {
    pub(super) fn open(&self) -> Result<Opened, Failure> {
        if let Some(path) = &self.config {
            return Ok(Opened::Books(OpenBooks::of(&config::load(path)?)?));
        }
        if let Some(folder) = &self.data_dir {
            return Ok(Opened::Books(OpenBooks::open(DATABASE, folder)?));
        }
        if let Some(url) = &self.database {
            return Ok(Opened::Books(OpenBooks::open(url, Path::new(""))?));
        }
        let url = self.url.as_deref().unwrap_or("http://127.0.0.1:8080");
        Ok(Opened::Pool(PoolClient { url: url.trim_end_matches('/').to_owned() }))
    }
}

/// Asks a running pool.
pub(super) struct PoolClient {
    url: String,
}

impl PoolClient {
    async fn answer(&self, path: &[&str], query: &[(&str, &str)]) -> Result<reqwest::Response, Failure> {
        let unreachable = |what: String| {
            let advice = "start the pool, or name another with --url (or a database with --database)";
            Failure::new(Code::PoolUnreachable, format!("{}: {what}", self.url), advice)
        };
        let mut url = reqwest::Url::parse(&self.url).map_err(|error| unreachable(error.to_string()))?;
        url.path_segments_mut().map_err(|()| unreachable("not an address".to_owned()))?.extend(path);
        url.query_pairs_mut().extend_pairs(query);
        let answer = reqwest::get(url).await.map_err(|error| unreachable(error.to_string()))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status();
        let body: Value = answer.json().await.unwrap_or_default();
        let message = body["error"]["message"].as_str().unwrap_or("no reason given").to_owned();
        Err(if status == reqwest::StatusCode::NOT_FOUND {
            super::not_in_books(message)
        } else {
            unreachable(format!("{status}: {message}"))
        })
    }

    pub(super) async fn json(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Value, Failure> {
        self.answer(path, query).await?.json().await.map_err(|error| self.cut_off(&error))
    }

    pub(super) async fn text(&self, path: &[&str], query: &[(&str, &str)]) -> Result<String, Failure> {
        self.answer(path, query).await?.text().await.map_err(|error| self.cut_off(&error))
    }

    fn cut_off(&self, error: &reqwest::Error) -> Failure {
        Failure::new(
            Code::PoolUnreachable,
            format!("{} broke off in the middle of its answer ({error})", self.url),
            "try again",
        )
    }
}

/// A failed reading of the database.
pub(super) fn unreadable(error: &pool_actors::ports::store::StoreError) -> Failure {
    Failure::new(
        Code::StoreUnusable,
        error.to_string(),
        "see whether the database is up, and its address right",
    )
}
