//! Where figures go that are kept as time series.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;

/// Why lines were not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PointsError {
    /// They may be taken later: the server is away, busy, or not set up yet.
    #[error("{what}")]
    Later {
        /// What it said.
        what: String,
        /// When it asks to be tried again.
        after: Option<Duration>,
    },
    /// Too many at once.
    #[error("{what}")]
    TooLarge {
        /// What it said.
        what: String,
    },
    /// They will never be taken.
    #[error("{what}")]
    Never {
        /// What it said.
        what: String,
    },
}

/// A keeper of time series.
#[async_trait]
pub trait PointSink: Send + Sync + 'static {
    /// Writes lines of the line protocol, each with its end, times in nanoseconds. What was written before may be written
    /// again: it is the same point.
    ///
    /// # Errors
    /// [`PointsError`].
    async fn write(&self, lines: Bytes) -> Result<(), PointsError>;
}

/// A sink shared with its writer.
pub type SharedPoints = Arc<dyn PointSink>;
