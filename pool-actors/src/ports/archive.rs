//! A text that outlives the process.

use std::{io, sync::Arc};

/// Where something small is remembered over a restart. Not the database: it may be what is away.
pub trait Archive: Send + Sync {
    /// What was saved last, if anything.
    ///
    /// # Errors
    /// When it is there and can't be read.
    fn load(&self) -> io::Result<Option<String>>;

    /// Replaces it, whole or not at all.
    ///
    /// # Errors
    /// When the disk refused.
    fn save(&self, text: &str) -> io::Result<()>;
}

/// An archive shared by an actor's lives.
pub type SharedArchive = Arc<dyn Archive>;
