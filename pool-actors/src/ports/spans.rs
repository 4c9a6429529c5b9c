//! Where traces go.

use std::sync::Arc;

use async_trait::async_trait;

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// Text.
    Text(String),
    /// A number.
    Number(u64),
    /// Yes or no.
    Flag(bool),
}

/// A part of a life, as OpenTelemetry has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The life.
    pub trace_id: u128,
    /// This part; never 0.
    pub span_id: u64,
    /// The part that it belongs to; 0 = it is the whole.
    pub parent_id: u64,
    /// What it is.
    pub name: &'static str,
    /// When it began, nanoseconds since the Unix epoch.
    pub start_ns: u64,
    /// When it was over.
    pub end_ns: u64,
    /// More about it.
    pub attributes: Vec<(&'static str, Field)>,
    /// It came to what it was for.
    pub ok: bool,
}

/// A collector of traces.
#[async_trait]
pub trait SpanSink: Send + Sync + 'static {
    /// Brings spans there.
    ///
    /// # Errors
    /// What it said, if it did not take them.
    async fn export(&self, spans: &[Span]) -> Result<(), String>;
}

/// A sink shared with its writer.
pub type SharedSpans = Arc<dyn SpanSink>;
