//! Addresses of databases and caches: they may hold a password, which never shows in logs, errors or what the API serves.

use std::fmt;

use super::Secret;
use crate::error::Failure;

/// What is shown instead of a password.
const HIDDEN: &str = "***";

/// An address that may hold a password: its text, or where to find it (`file:/path`, `env:NAME`).
#[derive(Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(transparent)]
pub struct SecretUrl(String);

impl From<&str> for SecretUrl {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for SecretUrl {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl SecretUrl {
    /// The address itself, read from where it lives.
    ///
    /// # Errors
    /// When the file or the variable that it names can't be read.
    pub fn reveal(&self) -> Result<String, Failure> {
        Secret::new(self.0.as_str()).reveal()
    }

    /// Whether the text begins so; a text that says where to find the address begins with any of these.
    #[must_use]
    pub fn may_begin_with(&self, schemes: &[&str]) -> bool {
        schemes.iter().chain(&["file:", "env:"]).any(|scheme| self.0.starts_with(scheme))
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.contains("password") {
            // `key=value` pairs, alone or behind an address: nobody needs to read the rest.
            let scheme = self.0.split_once("://").map_or("", |(scheme, _)| scheme);
            return write!(f, "{scheme}://{HIDDEN}");
        }
        let Some((scheme, rest)) = self.0.split_once("://") else { return f.write_str(&self.0) };
        // A password may hold any sign but '/' and '@', which have to be escaped.
        match rest.rsplit_once('@') {
            Some((user, place)) => match user.split_once(':') {
                Some((user, _)) => write!(f, "{scheme}://{user}:{HIDDEN}@{place}"),
                None => write!(f, "{scheme}://{user}@{place}"),
            },
            None => f.write_str(&self.0),
        }
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretUrl({self})")
    }
}

impl serde::Serialize for SecretUrl {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for (url, shown) in [
            ("sqlite:pool.db", "sqlite:pool.db"),
            ("postgres://pool@db/money", "postgres://pool@db/money"),
            ("postgres://pool:hush@db:5433/money", "postgres://pool:***@db:5433/money"),
            ("postgres://pool:hu@sh@db/money", "postgres://pool:***@db/money"),
            ("redis://:hush@cache:6379/1", "redis://:***@cache:6379/1"),
            ("postgres://db/money?password=hush", "postgres://***"),
            ("host=db password=hush", "://***"),
            ("file:/run/secrets/db", "file:/run/secrets/db"),
        ] {
            let address = SecretUrl::from(url);
            assert_eq!(address.to_string(), shown);
            let all = format!("{address:?} {}", serde_json::to_string(&address).unwrap());
            assert!(!all.contains("hush") && !all.contains("sh@"), "{all}");
            assert_eq!(address.reveal().is_ok(), !url.starts_with("file:"), "{url}");
        }
    }
}
