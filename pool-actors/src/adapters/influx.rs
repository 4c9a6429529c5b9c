//! [`PointSink`] over InfluxDB's HTTP API, both forms of it.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::{Certificate, Client, StatusCode, Url, header, redirect};

use crate::{
    config::{Influx, InfluxApi, Secret},
    error::{Code, Failure},
    ports::points::{PointSink, PointsError},
};

/// How much of an answer is told: enough for its error message.
const ANSWER_CHARS: usize = 300;
/// Longest pause that the server may ask for.
const AFTER_MAX: Duration = Duration::from_secs(300);

/// See the module's documentation.
pub struct InfluxSink {
    client: Client,
    url: Url,
    authorization: Option<header::HeaderValue>,
}

impl InfluxSink {
    /// A sink as configured; nothing is sent yet.
    ///
    /// # Errors
    /// What of the configuration can't be used.
    pub fn new(config: &Influx) -> Result<Self, Failure> {
        let wrong =
            |what: String| Failure::new(Code::ConfigInvalid, what, "pool.example.toml documents [influx]");
        let mut url: Url =
            config.url.parse().map_err(|error| wrong(format!("influx.url is no address ({error})")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("influx.url must begin with http:// or https://".to_owned()));
        }
        let token = config.token.as_ref().map(Secret::reveal).transpose()?.unwrap_or_default();
        let base = url.path().trim_end_matches('/').to_owned();
        match config.api {
            InfluxApi::V1 => {
                if config.database.is_empty() {
                    return Err(wrong("influx.database is empty".to_owned()));
                }
                url.set_path(&format!("{base}/write"));
                url.query_pairs_mut().append_pair("db", &config.database).append_pair("precision", "ns");
                if !config.retention_policy.is_empty() {
                    url.query_pairs_mut().append_pair("rp", &config.retention_policy);
                }
            }
            InfluxApi::V2 => {
                if config.org.is_empty() || config.bucket.is_empty() {
                    return Err(wrong("influx.org and influx.bucket are needed for api = \"v2\"".to_owned()));
                }
                url.set_path(&format!("{base}/api/v2/write"));
                let mut query = url.query_pairs_mut();
                query.append_pair("org", &config.org).append_pair("bucket", &config.bucket);
                query.append_pair("precision", "ns");
            }
        }
        let credentials = match config.api {
            InfluxApi::V1 if config.user.is_empty() => String::new(),
            InfluxApi::V1 => format!("{}:{token}", config.user),
            InfluxApi::V2 => token,
        };
        let authorization = if credentials.is_empty() {
            None
        } else {
            let value = header::HeaderValue::try_from(format!("Token {credentials}"));
            let mut value = value.map_err(|_| wrong("influx.token holds what a header can't".to_owned()))?;
            value.set_sensitive(true);
            Some(value)
        };
        let mut client = Client::builder()
            .timeout(Duration::from_millis(config.timeout_ms.max(1)))
            // The token is for nobody else.
            .redirect(redirect::Policy::none())
            .user_agent(concat!("dagpool/", env!("CARGO_PKG_VERSION")));
        if !config.ca_file.as_os_str().is_empty() {
            let unusable =
                |what: String| wrong(format!("influx.ca_file {}: {what}", config.ca_file.display()));
            let pem = std::fs::read(&config.ca_file).map_err(|error| unusable(error.to_string()))?;
            let signer = Certificate::from_pem(&pem).map_err(|error| unusable(error.to_string()))?;
            client = client.add_root_certificate(signer);
        }
        let client = client.build().map_err(|error| wrong(format!("no HTTP client: {error}")))?;
        Ok(Self { client, url, authorization })
    }
}

#[async_trait]
impl PointSink for InfluxSink {
    async fn write(&self, lines: Bytes) -> Result<(), PointsError> {
        let mut request = self
            .client
            .post(self.url.clone())
            .header(header::CONTENT_TYPE, "text/plain; charset=utf-8")
            .body(lines);
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization.clone());
        }
        let answer = request.send().await.map_err(|error| PointsError::Later {
            // The address may hold a password.
            what: error.without_url().to_string(),
            after: None,
        })?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let after = answer.headers().get(header::RETRY_AFTER);
        let after = after.and_then(|value| value.to_str().ok()?.parse().ok()).map(Duration::from_secs);
        let said = answer.text().await.unwrap_or_default();
        let said: String = said.trim().chars().filter(|c| !c.is_control()).take(ANSWER_CHARS).collect();
        let what = format!("{status}: {said}");
        Err(match status {
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => PointsError::Never { what },
            StatusCode::PAYLOAD_TOO_LARGE => PointsError::TooLarge { what },
            // Also what an operator mends meanwhile: no such database, a wrong token.
            _ => PointsError::Later { what, after: after.map(|after: Duration| after.min(AFTER_MAX)) },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sink(config: &Influx) -> InfluxSink {
        InfluxSink::new(config).unwrap()
    }

    #[test]
    fn both_ways_have_their_address_and_the_secret_is_in_neither() {
        let v1 = sink(&Influx {
            url: "http://db:8086/".into(),
            database: "a b&c".into(),
            retention_policy: "week".into(),
            user: "pool".into(),
            token: Some(Secret::new("s3cret")),
            ..Influx::default()
        });
        assert_eq!(v1.url.as_str(), "http://db:8086/write?db=a+b%26c&precision=ns&rp=week");
        assert_eq!(v1.authorization.as_ref().unwrap().to_str().unwrap(), "Token pool:s3cret");
        assert!(v1.authorization.unwrap().is_sensitive());
        let v2 = sink(&Influx {
            url: "https://db/behind/proxy".into(),
            api: InfluxApi::V2,
            org: "o".into(),
            bucket: "b/one".into(),
            token: Some(Secret::new("t")),
            ..Influx::default()
        });
        assert_eq!(v2.url.as_str(), "https://db/behind/proxy/api/v2/write?org=o&bucket=b%2Fone&precision=ns");
        assert_eq!(v2.authorization.unwrap().to_str().unwrap(), "Token t");
        assert!(sink(&Influx { url: "http://db".into(), ..Influx::default() }).authorization.is_none());
    }

    #[test]
    fn what_can_not_work_is_refused_with_its_key() {
        let refused = |config: &Influx| InfluxSink::new(config).err().unwrap().to_string();
        let url = "http://db".to_owned();
        assert!(refused(&Influx { url: "ftp://db".into(), ..Influx::default() }).contains("influx.url"));
        assert!(refused(&Influx { url: "db".into(), ..Influx::default() }).contains("influx.url"));
        let v2 = Influx { url: url.clone(), api: InfluxApi::V2, ..Influx::default() };
        assert!(refused(&v2).contains("influx.org"));
        let none = Influx { url: url.clone(), database: String::new(), ..Influx::default() };
        assert!(refused(&none).contains("influx.database"));
        let file = Influx { url, ca_file: "/nowhere".into(), ..Influx::default() };
        assert!(refused(&file).contains("influx.ca_file"));
    }
}
