//! Structured logs on standard error, for people or for programs.

use std::io::IsTerminal as _;

use pool_actors::{
    config::LogFormat,
    error::{Code, Failure},
};
use tracing_subscriber::EnvFilter;

/// Starts logging; once per process.
///
/// # Errors
/// When `level` is no filter.
pub(crate) fn start(format: LogFormat, level: &str) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(level).map_err(|error| {
        Failure::new(
            Code::ConfigInvalid,
            format!("log.level `{level}` is no filter ({error})"),
            "use a level such as info, or pairs such as info,pool_actors::stratum=debug",
        )
    })?;
    // A log that goes to a file or a journal has no use for colours.
    let colours = std::io::stderr().is_terminal();
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours);
    match format {
        LogFormat::Human => builder.with_target(false).compact().init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
    Ok(())
}
