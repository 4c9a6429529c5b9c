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
        Ok(Opened::Pool(PoolClient::new(url)))
    }
}

/// Asks a running pool.
pub(super) struct PoolClient {
    url: String,
}

impl PoolClient {
    pub(super) fn new(url: &str) -> Self {
        Self { url: url.trim_end_matches('/').to_owned() }
    }

    fn unreachable(&self, what: &str) -> Failure {
        let advice = "start the pool, or name another with --url (or a database with --database)";
        Failure::new(Code::PoolUnreachable, format!("{}: {what}", self.url), advice)
    }

    fn route(&self, path: &[&str], query: &[(&str, &str)]) -> Result<reqwest::Url, Failure> {
        let mut url = reqwest::Url::parse(&self.url).map_err(|error| self.unreachable(&error.to_string()))?;
        url.path_segments_mut().map_err(|()| self.unreachable("not an address"))?.extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response, Failure> {
        let answer = request.send().await.map_err(|error| self.unreachable(&error.to_string()))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status();
        let body: Value = answer.json().await.unwrap_or_default();
        let error = &body["error"];
        let message = error["message"].as_str().unwrap_or("no reason given");
        Err(if status == reqwest::StatusCode::NOT_FOUND {
            super::not_in_books(message)
        } else {
            let action = error["suggested_actions"][0]["action"].as_str().unwrap_or("see the pool's log");
            let named = |code: &&Code| error["code"].as_str() == Some(code.as_str());
            let code = Code::ALL.iter().find(named).copied().unwrap_or(Code::PoolAnswerUnreadable);
            Failure::new(code, format!("{} answered {status}: {message}", self.url), action)
        })
    }

    async fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<reqwest::Response, Failure> {
        self.answer(reqwest::Client::new().get(self.route(path, query)?)).await
    }

    pub(super) async fn post(&self, path: &[&str], token: &str, body: &Value) -> Result<Value, Failure> {
        let request = reqwest::Client::new().post(self.route(path, &[])?).bearer_auth(token).json(body);
        self.answer(request).await?.json().await.map_err(|error| self.cut_off(&error))
    }

    pub(super) async fn json(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Value, Failure> {
        self.get(path, query).await?.json().await.map_err(|error| self.cut_off(&error))
    }

    pub(super) async fn text(&self, path: &[&str], query: &[(&str, &str)]) -> Result<String, Failure> {
        self.get(path, query).await?.text().await.map_err(|error| self.cut_off(&error))
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
