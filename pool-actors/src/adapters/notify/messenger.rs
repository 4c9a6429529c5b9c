//! Messages to places that strangers chose: the pool must not be made to talk to machines that only it can reach.
//!
//! The connection goes to addresses that were looked at and to no others: names are resolved by a resolver that gives only
//! public addresses away (so a name that changes its mind between two looks changes nothing), and an address in the place of a
//! name is looked at before. Redirects are not followed, proxies not used, answers not read: whoever chose the place learns no
//! more than whether it was taken.

use std::{
    error::Error,
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use reqwest::{
    Client, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect,
};
use serde_json::{Value, json};

use super::{http, payloads, revealed};
use crate::{
    config::Personal,
    ports::{
        mailer::{Letter, SharedMailer},
        notifier::NotifyError,
        personal::{Messenger, Offer, PersonalMessage, PlaceKind, Target},
    },
};

const TELEGRAM: &str = "https://api.telegram.org";

/// Finds a name's addresses.
type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// See the module's documentation.
pub struct OpenMessenger {
    mailer: SharedMailer,
    offer: Offer,
    /// To places that strangers chose.
    strangers: Client,
    /// To Telegram, or what the configuration calls so.
    telegram: Option<(Client, Url)>,
}

/// A name leads to no public address.
#[derive(Debug)]
struct NotPublic;

impl fmt::Display for NotPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it does not lead to the public Internet")
    }
}

impl Error for NotPublic {}

/// Gives public addresses away, or all of them where that is allowed.
struct Guard {
    lookup: Lookup,
    private: bool,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let (found, private) = ((self.lookup)(name.as_str().to_owned()), self.private);
        Box::pin(async move {
            let found = found.await?;
            // One that is not public spoils all: no honest name has such addresses beside public ones.
            if found.is_empty() || (!private && !found.iter().all(|found| is_public(found.ip()))) {
                return Err(NotPublic.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

fn system_lookup() -> Lookup {
    Arc::new(|name| Box::pin(async move { Ok(tokio::net::lookup_host((name.as_str(), 0)).await?.collect()) }))
}

fn never(what: impl Into<String>) -> NotifyError {
    NotifyError::Never { what: what.into() }
}

/// Whether an address is one of the public Internet (IANA's special-purpose registries, RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19));
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    // Only what was given out for the Internet; and nothing that holds an address of IPv4, which would be looked at as
    // another one than it leads to: 6to4, Teredo and the rest of 2001::/23.
    let is_global = a & 0xe000 == 0x2000;
    is_global && a != 0x2002 && !(a == 0x2001 && b < 0x0200) && !(a == 0x2001 && b == 0x0db8) && a != 0x3fff
}

impl OpenMessenger {
    /// A messenger with this mail.
    ///
    /// # Errors
    /// What of the settings can't be used.
    pub fn new(mailer: SharedMailer, settings: &Personal) -> Result<Self, String> {
        Self::with_lookup(mailer, settings, &system_lookup())
    }

    fn with_lookup(mailer: SharedMailer, settings: &Personal, lookup: &Lookup) -> Result<Self, String> {
        let client = |strangers: bool| {
            let mut client = Client::builder()
                .timeout(Duration::from_millis(settings.timeout_ms.max(1)))
                .redirect(redirect::Policy::none())
                .user_agent(concat!("dagpool/", env!("CARGO_PKG_VERSION")));
            if strangers {
                let guard = Guard { lookup: Arc::clone(lookup), private: settings.allow_private };
                // An open connection would go to an address that nobody looks at again.
                client = client.no_proxy().pool_max_idle_per_host(0).dns_resolver(Arc::new(guard));
            }
            client.build().map_err(|error| format!("no HTTP client: {error}"))
        };
        let telegram = match revealed(settings.telegram_token.as_ref())? {
            token if token.is_empty() => None,
            token => {
                let base = settings.telegram_url.trim_end_matches('/');
                let base = if base.is_empty() { TELEGRAM } else { base };
                let url = format!("{base}/bot{token}/sendMessage").parse();
                let url: Url = url.map_err(|error| format!("`telegram_url` is no address ({error})"))?;
                Some((client(false)?, url))
            }
        };
        let offer = Offer {
            telegram: telegram.is_some(),
            http: settings.allow_http,
            private: settings.allow_private,
        };
        Ok(Self { mailer, offer, strangers: client(true)?, telegram })
    }

    /// What ways it has.
    #[must_use]
    pub const fn offer(&self) -> Offer {
        self.offer
    }

    /// A stranger's address, if the pool goes there. What its name leads to is the resolver's to see.
    fn checked(&self, kind: PlaceKind, to: &str) -> Result<Url, NotifyError> {
        self.offer.check(kind, to).map_err(|why| never(format!("it must be {why}")))?;
        let url: Url = to.parse().map_err(|_| never("it is no address"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(never("it must hold no password"));
        }
        // Written as an address, in whichever of the many ways: no resolver is asked then.
        let host = url.host_str().ok_or_else(|| never("it names no host"))?;
        match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) if !self.offer.private && !is_public(address) => Err(never(NotPublic.to_string())),
            _ => Ok(url),
        }
    }

    async fn post(client: &Client, url: Url, id: &str, body: &Value) -> Result<(), NotifyError> {
        let request = client.post(url).header("webhook-id", id).json(body);
        // Its answer is not read.
        let answer = request.send().await.map_err(|error| failed(&error))?;
        match http::verdict(answer.status(), answer.headers()) {
            Ok(()) => Ok(()),
            Err(verdict) => Err(verdict(format!("it answered {}", answer.status()))),
        }
    }
}

/// Why nothing could be sent; nothing of the address is said.
fn failed(error: &reqwest::Error) -> NotifyError {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(at) = cause {
        if at.is::<NotPublic>() {
            return never(NotPublic.to_string());
        }
        cause = at.source();
    }
    let what = if error.is_timeout() {
        "it did not answer in time"
    } else if error.is_connect() {
        "it can't be reached"
    } else {
        "the connection broke"
    };
    NotifyError::Later { what: what.to_owned(), after: None }
}

#[async_trait]
impl Messenger for OpenMessenger {
    async fn bring(&self, target: &Target, message: &PersonalMessage) -> Result<(), NotifyError> {
        let PersonalMessage { id, pool, account, kind, text } = message;
        let whole = format!("[{pool}] {account}\n{text}");
        match target {
            Target::Email(to) => {
                let subject = format!("[{pool}] {}", text.lines().next().unwrap_or_default());
                let text = format!(
                    "{account}\n\n{text}\n\n-- \n{pool}: change what you hear of on your page ACCOUNT.\n"
                );
                self.mailer.send(&Letter { to: to.clone(), subject, text }).await
            }
            Target::Place(place @ PlaceKind::Webhook, to) => {
                let url = self.checked(*place, to)?;
                let data = json!({ "pool": pool, "account": account, "kind": kind, "text": text });
                Self::post(&self.strangers, url, id, &json!({ "type": "miner.alert", "data": data })).await
            }
            Target::Place(place @ PlaceKind::Discord, to) => {
                let url = self.checked(*place, to)?;
                Self::post(&self.strangers, url, id, &payloads::discord_text(&whole)).await
            }
            Target::Place(PlaceKind::Telegram, chat) => {
                let (client, url) =
                    self.telegram.as_ref().ok_or_else(|| never("this pool has no bot of Telegram"))?;
                Self::post(client, url.clone(), id, &payloads::telegram_text(&whole, chat)).await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;
    use crate::{adapters::notify, config};

    #[test]
    fn only_the_public_internet_is_public() {
        for private in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "100::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in ["1.1.1.1", "8.8.8.8", "100.63.0.1", "172.32.0.1", "2606:4700::1111", "2a00:1450::1"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    fn messenger(folder: &std::path::Path, private: bool, lookup: &Lookup) -> OpenMessenger {
        let settings = Personal {
            allow_private: private,
            allow_http: private,
            timeout_ms: 2_000,
            ..Personal::default()
        };
        let mailer = notify::mailer(&config::Mail::default(), folder).unwrap();
        OpenMessenger::with_lookup(mailer, &settings, lookup).unwrap()
    }

    fn message() -> PersonalMessage {
        let (id, pool, account, text) = ("1".into(), "P".into(), "a".into(), "t\nu".into());
        PersonalMessage { id, pool, account, kind: "test", text }
    }

    fn hook(url: &str) -> Target {
        Target::Place(PlaceKind::Webhook, url.to_owned())
    }

    #[actix_rt::test]
    async fn strangers_cannot_make_the_pool_talk_to_its_own_network() {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let open = messenger(folder.path(), false, &system_lookup());
        for url in [
            format!("https://127.0.0.1:{port}/"),
            format!("https://localhost:{port}/"),
            format!("https://[::1]:{port}/"),
            format!("https://[::ffff:127.0.0.1]:{port}/"),
            format!("https://2130706433:{port}/"),
            format!("https://0x7f.1:{port}/"),
            format!("https://0177.0.0.1:{port}/"),
            format!("https://127.1:{port}/"),
            format!("https://0:{port}/"),
            "https://169.254.169.254/latest/meta-data/".to_owned(),
            format!("http://127.0.0.1:{port}/"),
            "https://user:pass@1.1.1.1/".to_owned(),
            "https://1.1.1.1@127.0.0.1/".to_owned(),
            "file:///etc/passwd".to_owned(),
            "gopher://127.0.0.1/".to_owned(),
            "nothing".to_owned(),
        ] {
            let tried = open.bring(&hook(&url), &message()).await;
            assert!(matches!(tried, Err(NotifyError::Never { .. })), "{url}: {tried:?}");
        }
        let telegram = Target::Place(PlaceKind::Telegram, "7".into());
        assert!(open.bring(&telegram, &message()).await.is_err(), "no bot");
        let came = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
        assert!(came.is_err(), "nobody came");
    }

    /// A name that is public when somebody looks, and this machine's when the pool connects.
    #[actix_rt::test]
    async fn a_name_that_changes_its_mind_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(0));
        let counted = Arc::clone(&asked);
        let turncoat: Lookup = Arc::new(move |name| {
            assert_eq!(name, "turncoat.example");
            let mut asked = counted.lock().unwrap();
            *asked += 1;
            // TEST-NET would not do here: it is not public. Nobody is connected to, since the second answer is refused whole.
            let found = if *asked > 1 { vec![] } else { vec![([8, 8, 8, 8], 0).into()] };
            let found = [found, vec![SocketAddr::from(([127, 0, 0, 1], 0))]].concat();
            Box::pin(async move { Ok(found) })
        });
        let open = messenger(folder.path(), false, &turncoat);
        for _ in 0..2 {
            let tried =
                open.bring(&hook(&format!("https://turncoat.example:{}/", here.port())), &message()).await;
            assert_eq!(tried, Err(never(NotPublic.to_string())), "mixed with a public one, or alone");
        }
        assert_eq!(*asked.lock().unwrap(), 2, "the connection asks the resolver that looks, and no other");
        let came = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
        assert!(came.is_err(), "nobody came");
    }

    /// Where it is allowed, the connection goes where the resolver said; a redirect is no way elsewhere.
    #[actix_rt::test]
    async fn the_connection_goes_to_the_address_that_was_looked_at_and_no_further() {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serve = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = vec![0; 4_096];
            let read = stream.read(&mut asked).await.unwrap();
            let answer =
                "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&asked[..read]).into_owned()
        });
        let lookup: Lookup = Arc::new(|_| Box::pin(async { Ok(vec![([127, 0, 0, 1], 0).into()]) }));
        let friends = messenger(folder.path(), true, &lookup);
        let tried = friends.bring(&hook(&format!("http://hook.example:{port}/x")), &message()).await;
        assert_eq!(tried, Err(never("it answered 302 Found")));
        let asked = serve.await.unwrap().to_lowercase();
        assert!(asked.starts_with("post /x http/1.1\r\n") && asked.contains("host: hook.example"), "{asked}");
        // A mail is a mail; its subject is one line.
        friends.bring(&Target::Email("a@b.org".into()), &message()).await.unwrap();
        let mail = std::fs::read_dir(folder.path().join("outbox")).unwrap().next().unwrap().unwrap();
        let text = std::fs::read_to_string(mail.path()).unwrap();
        assert!(text.contains("Subject: [P] t\r\n") && text.contains("To: a@b.org"), "{text}");
    }
}
