//! Secrets never show in logs or in the configuration that the API serves.

use std::fmt;

use crate::error::{Code, Failure};

/// A secret: its text, or where to find it (`file:/path`, `env:NAME`).
#[derive(Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// A secret given as its text (or as `file:` / `env:`).
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, read from where it lives.
    ///
    /// # Errors
    /// When the file or the variable that it names can't be read.
    pub fn reveal(&self) -> Result<String, Failure> {
        if let Some(path) = self.0.strip_prefix("file:") {
            return std::fs::read_to_string(path).map(|text| text.trim_end().to_owned()).map_err(|error| {
                Failure::new(
                    Code::ConfigUnreadable,
                    format!("the secret file {path} can't be read ({error})"),
                    "create it, readable by the pool's user",
                )
            });
        }
        if let Some(name) = self.0.strip_prefix("env:") {
            return std::env::var(name).map_err(|_| {
                Failure::new(
                    Code::ConfigUnreadable,
                    format!("the environment variable {name}, named by a secret, is not set"),
                    "set it for the pool's process",
                )
            });
        }
        Ok(self.0.clone())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl serde::Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}
