//! Mail by SMTP, or into a folder where there is no mail server.

use std::{
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use async_trait::async_trait;
use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
    transport::smtp::client::{Certificate, Tls, TlsParameters},
};

use super::{needed, revealed};
use crate::{
    config::AlertChannel,
    ports::{
        mailer::{Letter, Mailer},
        notifier::{Notice, Notifier, NotifyError},
    },
};

enum Way {
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    Outbox(PathBuf),
}

/// A mail server, or a folder; and who sends.
pub(super) struct Post {
    way: Way,
    from: Mailbox,
}

fn mailbox(text: &str) -> Result<Mailbox, String> {
    text.parse::<Mailbox>().map_err(|error| format!("{text:?} is no mail address ({error})"))
}

impl Post {
    pub(super) fn new(url: &str, from: &str, timeout_ms: u64, ca_file: &Path) -> Result<Self, String> {
        needed(from, "from")?;
        needed(url, "url")?;
        let way = match url.strip_prefix("outbox:") {
            Some(folder) => Way::Outbox(folder.into()),
            None => Way::Smtp(smtp(url, timeout_ms, ca_file)?),
        };
        Ok(Self { way, from: mailbox(from)? })
    }

    fn message(&self, to: &[Mailbox], subject: &str, text: String) -> Result<Message, String> {
        let mut message = Message::builder()
            .from(self.from.clone())
            // One line: a header ends where a line does.
            .subject(subject.replace(['\r', '\n'], " "))
            .header(ContentType::TEXT_PLAIN);
        for to in to {
            message = message.to(to.clone());
        }
        message.body(text).map_err(|error| error.to_string())
    }

    async fn carry(&self, message: Message) -> Result<(), NotifyError> {
        match &self.way {
            Way::Smtp(transport) => transport.send(message).await.map(drop).map_err(|error| {
                let what = error.to_string();
                if error.is_permanent() {
                    NotifyError::Never { what }
                } else {
                    NotifyError::Later { what, after: None }
                }
            }),
            Way::Outbox(folder) => {
                let file = folder.join(format!("{:032x}.eml", rand::random::<u128>()));
                let later = |error: std::io::Error| NotifyError::Later {
                    what: format!("{}: {error}", file.display()),
                    after: None,
                };
                std::fs::create_dir_all(folder).map_err(later)?;
                // It may hold a link that lets somebody in. It gets its name when it is whole.
                let draft = file.with_extension("new");
                let mut open = std::fs::OpenOptions::new();
                let mut to = open.write(true).create_new(true).mode(0o600).open(&draft).map_err(later)?;
                to.write_all(&message.formatted()).map_err(later)?;
                std::fs::rename(&draft, &file).map_err(later)
            }
        }
    }
}

#[async_trait]
impl Mailer for Post {
    async fn send(&self, letter: &Letter) -> Result<(), NotifyError> {
        let never = |what| NotifyError::Never { what };
        let to = mailbox(&letter.to).map_err(never)?;
        self.carry(self.message(&[to], &letter.subject, letter.text.clone()).map_err(never)?).await
    }
}

/// An operators' channel.
pub(super) struct Mail {
    post: Post,
    to: Vec<Mailbox>,
}

impl Mail {
    pub(super) fn new(channel: &AlertChannel) -> Result<Self, String> {
        needed(&channel.from, "from")?;
        if channel.to.is_empty() {
            needed("", "to")?;
        }
        let url = revealed(channel.url.as_ref())?;
        let post = Post::new(&url, &channel.from, channel.timeout_ms, &channel.ca_file)?;
        Ok(Self { post, to: channel.to.iter().map(|to| mailbox(to)).collect::<Result<_, _>>()? })
    }
}

fn smtp(url: &str, timeout_ms: u64, ca_file: &Path) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
    // It may hold a password: what is wrong with it is said without it.
    let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
        .map_err(|error| format!("`url` must be smtp://host:port or smtps://user:password@host ({error})"))?;
    let mut builder = builder.timeout(Some(Duration::from_millis(timeout_ms.max(1))));
    if !ca_file.as_os_str().is_empty() {
        let place = ca_file.display();
        let said = |error: String| format!("`ca_file` {place}: {error}");
        let pem = std::fs::read(ca_file).map_err(|error| said(error.to_string()))?;
        let signer = Certificate::from_pem(&pem).map_err(|error| said(error.to_string()))?;
        let host = host_of(url).ok_or("`url` names no host")?;
        let tls = TlsParameters::builder(host).add_root_certificate(signer).build();
        let tls = tls.map_err(|error| said(error.to_string()))?;
        builder =
            builder.tls(if url.starts_with("smtps://") { Tls::Wrapper(tls) } else { Tls::Required(tls) });
    }
    Ok(builder.build())
}

/// The name that the server's certificate must bear.
fn host_of(url: &str) -> Option<String> {
    let url = reqwest::Url::parse(url).ok()?;
    // An address of IPv6 is in brackets there, and in no certificate.
    url.host_str().map(|host| host.trim_matches(['[', ']']).to_owned())
}

#[async_trait]
impl Notifier for Mail {
    fn kind(&self) -> &'static str {
        "email"
    }

    async fn notify(&self, notice: &Notice) -> Result<(), NotifyError> {
        let message = self.post.message(&self.to, &notice.subject(), notice.text());
        self.post.carry(message.map_err(|what| NotifyError::Never { what })?).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_found_whatever_stands_around_it() {
        for (url, host) in [
            ("smtp://mail.example.org", Some("mail.example.org")),
            ("smtps://user:p%40ss@mail.example.org:465?tls=required", Some("mail.example.org")),
            ("smtps://user:pass@[2001:db8::1]:465", Some("2001:db8::1")),
            ("mail.example.org", None),
        ] {
            assert_eq!(host_of(url).as_deref(), host, "{url}");
        }
    }
}
