//! Webhooks, chats, pagers and text messages: HTTP requests of different shapes.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{
    Certificate, Client, RequestBuilder, Response, StatusCode, Url,
    header::{self, HeaderMap},
    redirect,
};

use super::{needed, payloads, revealed};
use crate::{
    adapters::system_clock::SystemClock,
    config::{AlertChannel, ChannelKind},
    ports::{
        clock::Clock as _,
        notifier::{Notice, Notifier, NotifyError},
    },
};

/// How much of an answer is read: enough for its error message.
const ANSWER_BYTES: usize = 2_000;

pub(super) struct Hook {
    client: Client,
    kind: ChannelKind,
    url: Url,
    secret: String,
    user: String,
    from: String,
    to: Vec<String>,
    /// What links in webhooks begin with; empty where no public address is configured.
    site: String,
}

impl Hook {
    pub(super) fn new(channel: &AlertChannel, site: &str) -> Result<Self, String> {
        let secret = revealed(channel.secret.as_ref())?;
        let url = revealed(channel.url.as_ref())?;
        let url = match channel.kind {
            ChannelKind::Telegram => {
                needed(&secret, "secret")?;
                let base = if url.is_empty() { "https://api.telegram.org" } else { &url };
                format!("{}/bot{secret}/sendMessage", base.trim_end_matches('/'))
            }
            ChannelKind::PagerDuty if url.is_empty() => "https://events.pagerduty.com/v2/enqueue".to_owned(),
            ChannelKind::Sms => {
                needed(&secret, "secret")?;
                needed(&channel.user, "user")?;
                needed(&channel.from, "from")?;
                let base = if url.is_empty() { "https://api.twilio.com" } else { &url };
                format!("{}/2010-04-01/Accounts/{}/Messages.json", base.trim_end_matches('/'), channel.user)
            }
            _ => url,
        };
        needed(&url, "url")?;
        match channel.kind {
            ChannelKind::PagerDuty => needed(&secret, "secret")?,
            ChannelKind::Webhook if !secret.is_empty() => {
                payloads::signature(&secret, "", 0, "")?;
            }
            ChannelKind::Telegram | ChannelKind::Sms if channel.to.is_empty() => needed("", "to")?,
            _ => {}
        }
        // The address is a secret: what is wrong with it is said without it.
        let url: Url = url.parse().map_err(|error| format!("`url` is no address ({error})"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("`url` must begin with https:// or http://".to_owned());
        }
        let mut client = Client::builder()
            .timeout(Duration::from_millis(channel.timeout_ms.max(1)))
            // Whoever is redirected there may not read the notice.
            .redirect(redirect::Policy::none())
            .user_agent(concat!("dagpool/", env!("CARGO_PKG_VERSION")));
        if !channel.ca_file.as_os_str().is_empty() {
            let place = channel.ca_file.display();
            let pem =
                std::fs::read(&channel.ca_file).map_err(|error| format!("`ca_file` {place}: {error}"))?;
            let signer =
                Certificate::from_pem(&pem).map_err(|error| format!("`ca_file` {place}: {error}"))?;
            client = client.add_root_certificate(signer);
        }
        Ok(Self {
            client: client.build().map_err(|error| format!("no HTTP client: {error}"))?,
            kind: channel.kind,
            url,
            secret,
            user: channel.user.clone(),
            from: channel.from.clone(),
            to: channel.to.clone(),
            site: site.to_owned(),
        })
    }

    fn requests(&self, notice: &Notice) -> Result<Vec<RequestBuilder>, String> {
        let post = || self.client.post(self.url.clone());
        Ok(match self.kind {
            ChannelKind::Slack => vec![post().json(&payloads::slack(notice))],
            ChannelKind::Discord => vec![post().json(&payloads::discord(notice))],
            ChannelKind::Telegram => {
                self.to.iter().map(|chat| post().json(&payloads::telegram(notice, chat))).collect()
            }
            ChannelKind::PagerDuty => {
                payloads::pagerduty(notice, &self.secret).iter().map(|event| post().json(event)).collect()
            }
            ChannelKind::Sms => {
                let send = |to: &String| {
                    let form = payloads::sms(notice, &self.from, to);
                    post().basic_auth(&self.user, Some(&self.secret)).form(&form)
                };
                self.to.iter().map(send).collect()
            }
            ChannelKind::Webhook | ChannelKind::Email => {
                vec![self.signed(&payloads::generic(notice, &self.site).to_string())?]
            }
        })
    }

    fn signed(&self, body: &str) -> Result<RequestBuilder, String> {
        let id = format!("msg_{:032x}", rand::random::<u128>());
        // Receivers refuse old messages: this is the time that it is sent, by the clock that they have, too.
        let timestamp = SystemClock.now().0 / 1_000;
        let mut request = self
            .client
            .post(self.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", timestamp);
        if !self.secret.is_empty() {
            request =
                request.header("webhook-signature", payloads::signature(&self.secret, &id, timestamp, body)?);
        }
        Ok(request.body(body.to_owned()))
    }
}

#[async_trait]
impl Notifier for Hook {
    fn kind(&self) -> &'static str {
        match self.kind {
            ChannelKind::Webhook => "webhook",
            ChannelKind::Slack => "slack",
            ChannelKind::Discord => "discord",
            ChannelKind::Telegram => "telegram",
            ChannelKind::PagerDuty => "pagerduty",
            ChannelKind::Sms => "sms",
            ChannelKind::Email => "email",
        }
    }

    async fn notify(&self, notice: &Notice) -> Result<(), NotifyError> {
        let requests = self.requests(notice).map_err(|what| NotifyError::Never { what })?;
        let mut told = Ok(());
        for request in requests {
            let later = |error: reqwest::Error| NotifyError::Later {
                what: error.without_url().to_string(),
                after: None,
            };
            let answer = match request.send().await.map_err(later) {
                Ok(response) => taken(response).await,
                Err(error) => Err(error),
            };
            // PagerDuty gets one for each alert, and knows one that it has had: the others are sent all the same, and what may
            // succeed is tried again.
            told = match (told, answer) {
                (Err(first), Ok(())) => Err(first),
                (Err(first @ NotifyError::Later { .. }), Err(_)) => Err(first),
                (_, answer) => answer,
            };
        }
        told
    }
}

async fn taken(mut response: Response) -> Result<(), NotifyError> {
    let status = response.status();
    let Err(verdict) = verdict(status, response.headers()) else { return Ok(()) };
    let mut said = Vec::new();
    while said.len() < ANSWER_BYTES
        && let Ok(Some(chunk)) = response.chunk().await
    {
        said.extend_from_slice(&chunk);
    }
    said.truncate(ANSWER_BYTES);
    Err(verdict(format!("it answered {status}: {}", String::from_utf8_lossy(&said).trim())))
}

/// Whether it was taken; if not, what makes an error of what is said about it.
pub(super) fn verdict(
    status: StatusCode,
    headers: &HeaderMap,
) -> Result<(), impl FnOnce(String) -> NotifyError + use<>> {
    if status.is_success() {
        return Ok(());
    }
    let after = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let may_pass = status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS | StatusCode::CONFLICT
        );
    Err(move |what| {
        if may_pass {
            NotifyError::Later { what, after: after.map(Duration::from_secs) }
        } else {
            NotifyError::Never { what }
        }
    })
}
