//! Structured logs on standard error, for people or for programs.

use std::io::IsTerminal as _;

use pool_actors::{
    config::LogFormat,
    error::{Code, Failure},
};
use tracing_subscriber::EnvFilter;

/// How the log's level is changed while the process runs.
pub(crate) struct LogLevel(Box<dyn Fn(EnvFilter) -> bool>);

impl LogLevel {
    /// Another level, or filter, from now on.
    ///
    /// # Errors
    /// When `level` is no filter; nothing has changed then.
    pub(crate) fn set(&self, level: &str) -> Result<(), Failure> {
        let set = (self.0)(filter(level)?);
        if set {
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

/// Starts logging; once per process.
///
/// # Errors
/// When `level` is no filter.
pub(crate) fn start(format: LogFormat, level: &str) -> Result<LogLevel, Failure> {
    let filter = filter(level)?;
    // A log that goes to a file or a journal has no use for colours.
    let colours = std::io::stderr().is_terminal();
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours);
    Ok(match format {
        LogFormat::Human => {
            let builder = builder.with_target(false).compact().with_filter_reloading();
            let handle = builder.reload_handle();
            builder.init();
            LogLevel(Box::new(move |filter| handle.reload(filter).is_ok()))
        }
        LogFormat::Json => {
            let builder = builder.json().flatten_event(true).with_filter_reloading();
            let handle = builder.reload_handle();
            builder.init();
            LogLevel(Box::new(move |filter| handle.reload(filter).is_ok()))
        }
    })
}
