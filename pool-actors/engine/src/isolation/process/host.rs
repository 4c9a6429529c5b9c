//! The child's side: lose every right, load the library, lose the rest, serve.

use super::{
    channel::{BATCH, CHILD, Channel, ERROR, INPUT, Number, OUTPUT, POOL, operation},
    sandbox,
};
use crate::isolation::{Level, LoadError, failure, native::Plugin};
use plugin_sdk::{HASH_SIZE, HEADER_SIZE, abi::status};
use rustix::process::{Pid, getppid};
use std::{io, os::fd::AsRawFd, path::PathBuf, process::exit, time::Duration};

/// The first argument of a program that is to be a child.
pub(super) const ARGUMENT: &str = "algorithm-host";
/// How often an idle child looks whether its pool is still there.
const IDLE: Duration = Duration::from_secs(1);

/// The first line of a `main` that serves as [`Host`](super::Host): where the arguments say that the program is the child
/// of a pool, this becomes one and never returns; else it does nothing.
pub fn host_if_asked() {
    let arguments: Vec<String> = std::env::args().take(4).collect();
    if let [_, word, parent, memory] = &arguments[..]
        && word == ARGUMENT
    {
        match (parent.parse().ok(), memory.parse().ok()) {
            (Some(parent), Some(memory_bytes)) => serve(parent, memory_bytes),
            _ => exit(2),
        }
    }
}

fn serve(parent: i32, memory_bytes: u64) -> ! {
    let Ok(channel) = Channel::map(io::stdout()) else { exit(3) };
    let plugin = match prepare(memory_bytes) {
        Ok(plugin) => plugin,
        Err(error) => {
            let (code, number) = to_code(&error);
            let text = match &error {
                LoadError::Unavailable { reason, .. }
                | LoadError::Unloadable { reason, .. }
                | LoadError::Contradiction { reason, .. }
                | LoadError::MissingExport { reason, .. }
                | LoadError::Setup { reason, .. } => reason.clone(),
                other => other.to_string(),
            };
            let mut text = text.into_bytes();
            text.truncate(ERROR - 1);
            text.push(0);
            channel.write_error(&text);
            channel.set(Number::Method, number);
            channel.set(Number::Returned, code);
            channel.pass(POOL);
            exit(0);
        }
    };
    channel.set(Number::Capability, plugin.capabilities());
    channel.set(Number::Returned, 0);
    channel.pass(POOL);
    let mut buffers = Buffers::new();
    loop {
        while !channel.wait(CHILD, IDLE) {
            // An orphan has no work any more.
            if getppid().map(Pid::as_raw_pid) != Some(parent) {
                exit(0);
            }
        }
        let returned = buffers.answer(&channel, &plugin);
        channel.set(Number::Returned, returned.cast_unsigned());
        channel.pass(POOL);
    }
}

fn prepare(memory_bytes: u64) -> Result<Plugin, LoadError> {
    let unavailable = |reason| LoadError::Unavailable { level: Level::Process, reason };
    sandbox::limit(memory_bytes).map_err(unavailable)?;
    // The library is the standard input, a file in memory without a name.
    let path = PathBuf::from(format!("/proc/self/fd/{}", io::stdin().as_raw_fd()));
    sandbox::before_loading().map_err(unavailable)?;
    let plugin = Plugin::open(&path)?;
    sandbox::after_loading().map_err(unavailable)?;
    Ok(plugin)
}

/// A reason as numbers; its text goes beside it.
fn to_code(error: &LoadError) -> (u32, u32) {
    match error {
        LoadError::Unavailable { .. } => (1, 0),
        LoadError::MissingExport { .. } => (2, 0),
        LoadError::Version { major, minor } => (3, u32::from(*major) << 16 | u32::from(*minor)),
        LoadError::Contradiction { .. } => (4, 0),
        LoadError::Setup { .. } => (5, 0),
        _ => (6, 0),
    }
}

/// The reason of [`to_code`]. What a child says is not believed further than that it failed.
pub(super) fn from_code(code: u32, text: &str, number: u32) -> LoadError {
    let reason = text.to_owned();
    match code {
        1 => LoadError::Unavailable { level: Level::Process, reason },
        2 => LoadError::MissingExport { name: plugin_sdk::abi::NATIVE_SYMBOL.to_owned(), reason },
        3 => {
            let [a, b, c, d] = number.to_be_bytes();
            LoadError::Version { major: u16::from_be_bytes([a, b]), minor: u16::from_be_bytes([c, d]) }
        }
        4 => LoadError::Contradiction { what: "table", reason },
        5 => LoadError::Setup { failure: failure::TRAP, reason },
        _ => LoadError::Unloadable { what: "native library", reason },
    }
}

/// Memory of the child's own, so that the library never sees the shared one.
struct Buffers {
    input: Vec<u8>,
    output: Vec<u8>,
    error: [u8; ERROR],
}

impl Buffers {
    fn new() -> Self {
        Self { input: vec![0; INPUT], output: vec![0; OUTPUT], error: [0; ERROR] }
    }

    fn answer(&mut self, channel: &Channel, plugin: &Plugin) -> i32 {
        let length = channel.get(Number::Length) as usize;
        let (bytes, room) = match channel.get(Number::Operation) {
            operation::BATCH => (length.min(BATCH) * HEADER_SIZE, BATCH),
            _ => (length.min(INPUT), INPUT),
        };
        if length > room {
            return status::TOO_LONG;
        }
        let input = &mut self.input[..bytes];
        channel.read_input(input);
        self.error[0] = 0;
        let (returned, written) = match channel.get(Number::Operation) {
            operation::BATCH => {
                let headers = input.as_chunks::<HEADER_SIZE>().0;
                let hashes = &mut self.output.as_chunks_mut::<HASH_SIZE>().0[..length];
                (plugin.batch_into(headers, hashes, &mut self.error), length * HASH_SIZE)
            }
            operation::HASH => {
                let mut hash = [0; HASH_SIZE];
                let returned = plugin.hash_into(input, &mut hash, &mut self.error);
                self.output[..HASH_SIZE].copy_from_slice(&hash);
                (returned, HASH_SIZE)
            }
            operation::CALL => {
                let (capability, method) = (channel.get(Number::Capability), channel.get(Number::Method));
                let returned = plugin.call_into(capability, method, input, &mut self.output);
                if returned == status::FAILED {
                    self.error.copy_from_slice(&self.output[..ERROR]);
                }
                (returned, usize::try_from(returned).unwrap_or(0))
            }
            operation::INFO => {
                let returned = plugin.info(&mut self.output);
                (returned, usize::try_from(returned).unwrap_or(0))
            }
            _ => (status::UNSUPPORTED, 0),
        };
        channel.write_output(&self.output[..written.min(OUTPUT)]);
        if self.error[0] != 0 {
            channel.write_error(&self.error);
        }
        returned
    }
}
