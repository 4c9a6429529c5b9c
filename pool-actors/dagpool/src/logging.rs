//! Structured logs on standard error, for people or for programs; the last lines are kept in memory as well.

use std::{
    fmt::{self, Write as _},
    io::IsTerminal as _,
    sync::Arc,
};

use pool_actors::{
    adapters::system_clock::SystemClock,
    config::LogFormat,
    error::{Code, Failure},
    ports::{
        clock::Clock as _,
        logs::{LogBook, LogLevel as Level},
    },
};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    EnvFilter, Layer, Registry, layer::Context, layer::SubscriberExt as _, reload,
    util::SubscriberInitExt as _,
};

/// How the log's level is changed while the process runs.
#[derive(Clone)]
pub(crate) struct LogLevel(Arc<dyn Fn(EnvFilter) -> bool + Send + Sync>);

impl LogLevel {
    /// Another level, or filter, from now on; or (`apply` = false) only whether it is one.
    ///
    /// # Errors
    /// When `level` is no filter; nothing has changed then.
    pub(crate) fn set(&self, level: &str, apply: bool) -> Result<(), Failure> {
        let filter = filter(level)?;
        if !apply || (self.0)(filter) {
            return Ok(());
        }
        Err(Failure::new(Code::SystemRefused, "the log takes no other level any more", "start again"))
    }
}

fn filter(level: &str) -> Result<EnvFilter, Failure> {
    EnvFilter::try_new(level).map_err(|error| {
        Failure::new(
            Code::ConfigInvalid,
            format!("log.level `{level}` is no filter ({error})"),
            "use a level such as info, or pairs such as info,pool_actors::stratum=debug",
        )
    })
}

/// Starts logging; once per process. Lines go into `book`, too.
///
/// # Errors
/// When `level` is no filter.
pub(crate) fn start(format: LogFormat, level: &str, book: LogBook) -> Result<LogLevel, Failure> {
    let (filter, handle) = reload::Layer::new(filter(level)?);
    // A log that goes to a file or a journal has no use for colours.
    let colours = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colours);
    let lines: Box<dyn Layer<_> + Send + Sync> = match format {
        LogFormat::Human => lines.with_target(false).compact().boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    Registry::default().with(filter).with(lines).with(Keeper(book)).init();
    Ok(LogLevel(Arc::new(move |filter| handle.reload(filter).is_ok())))
}

/// Puts lines into the book.
struct Keeper(LogBook);

impl<S: Subscriber> Layer<S> for Keeper {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let level = match *metadata.level() {
            tracing::Level::ERROR => Level::Error,
            tracing::Level::WARN => Level::Warn,
            tracing::Level::INFO => Level::Info,
            tracing::Level::DEBUG => Level::Debug,
            tracing::Level::TRACE => Level::Trace,
        };
        let mut said = Said::default();
        event.record(&mut said);
        self.0.add(SystemClock.now(), level, metadata.target(), &said.message, said.fields);
    }
}

/// What an event says.
#[derive(Default)]
struct Said {
    message: String,
    fields: Vec<(String, String)>,
}

impl Said {
    fn put(&mut self, field: &Field, value: String) {
        if field.name() == "message" {
            self.message = value;
        } else {
            self.fields.push((field.name().to_owned(), value));
        }
    }
}

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = write!(text, "{value:?}");
        self.put(field, text);
    }
}

#[cfg(test)]
mod tests {
    use pool_actors::ports::logs::LogQuery;

    use super::*;

    #[test]
    fn lines_are_kept_with_their_fields_and_without_secrets() {
        let book = LogBook::new(10);
        let subscriber =
            Registry::default().with(filter("info,quiet=off").unwrap()).with(Keeper(book.clone()));
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(target: "pool_actors::stratum::hub", session = 7, who = ?"alice", password = "hush", "a miner {}", "left");
            tracing::debug!(target: "pool_actors::stratum::hub", "too much");
            tracing::error!(target: "quiet", "off");
        });
        let page = book.read(&LogQuery { limit: 10, ..LogQuery::default() });
        let [line] = page.lines.as_slice() else { panic!("{page:?}") };
        assert_eq!(
            (line.level, line.category, line.message.as_str()),
            (Level::Warn, "stratum", "a miner left")
        );
        let fields = [("session", "7"), ("who", "\"alice\""), ("password", "***")];
        assert_eq!(line.fields, fields.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn a_filter_can_be_tried_before_it_is_taken() {
        let level = LogLevel(Arc::new(|_| false));
        assert!(level.set("info,pool_actors=debug", false).is_ok());
        assert_eq!(level.set("info", true).unwrap_err().code, Code::SystemRefused);
        assert_eq!(level.set("a=b=c", false).unwrap_err().code, Code::ConfigInvalid);
    }
}
