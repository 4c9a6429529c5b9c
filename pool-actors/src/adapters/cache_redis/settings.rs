//! Where a Redis is: one server, a service that Sentinels watch, or a cluster; with `rediss`, over TLS.

use std::{fmt, path::Path, time::Duration};

use redis::{ConnectionInfo, IntoConnectionInfo as _, RedisConnectionInfo, TlsCertificates};

/// What addresses look like.
const FORMS: &str = "write redis://host:port/database, redis-sentinel://host:port,host:port/service or redis-cluster://host:port,host:port; rediss:// and rediss-cluster:// for TLS";

/// A Redis that can be connected to.
#[derive(Clone)]
pub struct RedisSettings {
    pub(super) place: Place,
    /// What signs the servers' certificates, if not what the system trusts.
    pub(super) authority: Option<Vec<u8>>,
    shown: String,
    /// Bound on one command.
    pub timeout: Duration,
    /// Bound on the time until a connection is usable.
    pub connect_timeout: Duration,
}

#[derive(Clone)]
pub(super) enum Place {
    One(ConnectionInfo),
    Sentinel { sentinels: Vec<ConnectionInfo>, service: String, server: RedisConnectionInfo },
    Cluster(Vec<ConnectionInfo>),
}

impl RedisSettings {
    /// From an address; `password` stands in for one that the address should not show. User and password are the
    /// servers', Sentinels are asked without.
    ///
    /// # Errors
    /// What is wrong with the address, without its password.
    pub fn new(url: &str, password: Option<&str>) -> Result<Self, String> {
        let (scheme, rest) = url.split_once("://").ok_or(FORMS)?;
        let (user, rest) = match rest.rsplit_once('@') {
            Some((user, rest)) => (format!("{user}@"), rest),
            None => (String::new(), rest),
        };
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let wire = if scheme.starts_with("rediss") { "rediss" } else { "redis" };
        let server = |host: &str, database: &str| -> Result<ConnectionInfo, String> {
            let info = format!("{wire}://{user}{host}/{database}").into_connection_info();
            let info = info.map_err(|error| format!("{host}/{database}: {error}"))?;
            let Some(password) = password else { return Ok(info) };
            let login = info.redis_settings().clone().set_password(password);
            Ok(info.set_redis_settings(login))
        };
        let place = match scheme {
            "redis" | "rediss" if !hosts.contains(',') => Place::One(server(hosts, path)?),
            "redis-sentinel" | "redis+sentinel" => {
                let (service, database) = path.split_once('/').unwrap_or((path, ""));
                if service.is_empty() {
                    return Err("the service that the Sentinels watch is not named: \
                                redis-sentinel://host:port,host:port/service"
                        .to_owned());
                }
                let sentinel = |host: &str| {
                    let info = format!("redis://{host}").into_connection_info();
                    info.map_err(|error| format!("{host}: {error}"))
                };
                Place::Sentinel {
                    sentinels: hosts.split(',').map(sentinel).collect::<Result<_, _>>()?,
                    service: service.to_owned(),
                    server: server("sentinel", database)?.redis_settings().clone(),
                }
            }
            "redis-cluster" | "redis+cluster" | "rediss-cluster" | "rediss+cluster" if path.is_empty() => {
                let nodes = hosts.split(',').map(|host| server(host, ""));
                Place::Cluster(nodes.collect::<Result<_, _>>()?)
            }
            "redis-cluster" | "redis+cluster" | "rediss-cluster" | "rediss+cluster" => {
                return Err("a cluster has no databases".to_owned());
            }
            "rediss-sentinel" | "rediss+sentinel" => {
                return Err("Sentinels are asked without TLS: use redis-sentinel:// in a private network, \
                            or rediss:// of one server"
                    .to_owned());
            }
            _ => return Err(FORMS.to_owned()),
        };
        let path = path.split('?').next().filter(|path| !path.is_empty());
        let path = path.map(|path| format!("/{path}")).unwrap_or_default();
        Ok(Self {
            place,
            authority: None,
            shown: format!("{scheme}://{hosts}{path}"),
            timeout: Duration::from_millis(250),
            connect_timeout: Duration::from_secs(1),
        })
    }

    /// Trusts whom this file (PEM) names instead of whom the system trusts.
    ///
    /// # Errors
    /// What is wrong with the file, or that the address asks for no TLS.
    pub fn trust(&mut self, file: &Path) -> Result<(), String> {
        if !self.shown.starts_with("rediss") {
            return Err("it is of use with rediss:// only; the address asks for no TLS".to_owned());
        }
        let pem = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
        super::super::certificates::authorities(&pem).map_err(|what| format!("{} {what}", file.display()))?;
        self.authority = Some(pem);
        Ok(())
    }

    /// As the crate wants it.
    pub(super) fn certificates(&self) -> Option<TlsCertificates> {
        let root_cert = self.authority.clone()?;
        Some(TlsCertificates { client_tls: None, root_cert: Some(root_cert) })
    }
}

/// Servers, and database or service; never user or password.
impl fmt::Display for RedisSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_shown_without_password() {
        for (url, shown) in [
            ("redis://cache", "redis://cache"),
            ("redis://:hush@cache:6380/3", "redis://cache:6380/3"),
            ("redis://pool:hu%2Fsh@[::1]:6380/3?protocol=resp3", "redis://[::1]:6380/3"),
            ("redis-sentinel://:hush@a:1,b:2/main/4", "redis-sentinel://a:1,b:2/main/4"),
            ("redis+sentinel://a:1/main", "redis+sentinel://a:1/main"),
            ("redis-cluster://pool:hush@a:1,b:2", "redis-cluster://a:1,b:2"),
            ("rediss://:hush@cache:6380/3", "rediss://cache:6380/3"),
            ("rediss-cluster://pool:hush@a:1,b:2", "rediss-cluster://a:1,b:2"),
        ] {
            let settings = RedisSettings::new(url, None).unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!(settings.to_string(), shown);
        }
    }

    #[test]
    fn logins_are_the_servers_alone() {
        let login = |info: &RedisConnectionInfo| {
            (info.username().map(str::to_owned), info.password().map(str::to_owned), info.db())
        };
        let settings = RedisSettings::new("redis-sentinel://pool:hu%2Fsh@a:1,b:2/main/4", None).unwrap();
        let Place::Sentinel { sentinels, service, server } = settings.place else { panic!("no Sentinel") };
        assert_eq!((sentinels.len(), service.as_str()), (2, "main"));
        assert_eq!(login(&server), (Some("pool".into()), Some("hu/sh".into()), 4));
        assert_eq!(login(sentinels[1].redis_settings()), (None, None, 0));
        let settings = RedisSettings::new("redis-cluster://a:1,b:2", Some("hush")).unwrap();
        let Place::Cluster(nodes) = settings.place else { panic!("no cluster") };
        assert_eq!(login(nodes[1].redis_settings()), (None, Some("hush".into()), 0));
    }

    #[test]
    fn tls_is_what_the_address_asks_for_and_authorities_are_read() {
        use redis::ConnectionAddr;
        let tls = |url: &str| {
            let Place::One(info) = RedisSettings::new(url, None).unwrap().place else { panic!("{url}") };
            matches!(info.addr(), ConnectionAddr::TcpTls { insecure: false, .. })
        };
        assert_eq!((tls("redis://cache"), tls("rediss://cache")), (false, true));
        let Place::Cluster(nodes) = RedisSettings::new("rediss-cluster://a:1,b:2", None).unwrap().place
        else {
            panic!("no cluster")
        };
        assert!(nodes.iter().all(|node| matches!(node.addr(), ConnectionAddr::TcpTls { .. })));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let trust = |url: &str| RedisSettings::new(url, None).unwrap().trust(&file).unwrap_err();
        assert!(trust("redis://cache").contains("rediss:// only"));
        assert!(trust("rediss://cache").contains("ca.pem"));
        std::fs::write(&file, "not PEM").unwrap();
        assert!(trust("rediss://cache").contains("no certificate"));
    }

    #[test]
    fn what_can_not_be_reached_is_refused_in_words_without_the_password() {
        for (url, word) in [
            ("memcached://:hush@cache", "redis://host"),
            ("cache:6379", "redis://host"),
            ("redis://:hush@a,b", "redis-cluster://"),
            ("rediss-sentinel://:hush@a:1/main", "without TLS"),
            ("rediss-cluster://:hush@a/2", "no databases"),
            ("redis-sentinel://:hush@a:1", "service"),
            ("redis-cluster://:hush@a/2", "no databases"),
            ("redis://:hush@cache/two", "cache/two"),
        ] {
            let said = RedisSettings::new(url, None).map(|_| ()).unwrap_err();
            assert!(said.contains(word) && !said.contains("hush"), "{url}: {said}");
        }
    }
}
