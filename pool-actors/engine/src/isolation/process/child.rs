//! The pool's side of a child.

use super::channel::{BATCH, CHILD, Channel, ERROR, INPUT, Number, OUTPUT, POOL, operation};
use crate::isolation::{
    Limits, LoadError, failure,
    native::read_error,
    remote::{answered, outcome},
};
use plugin_sdk::{AlgorithmError, HASH_SIZE, Hash, Header};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use std::{
    fs::File,
    io::{Seek, Write},
    os::{fd::OwnedFd, unix::process::ExitStatusExt},
    path::Path,
    process::{Child as Process, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// How often a child that is not done is looked at.
const LOOK: Duration = Duration::from_millis(5);
/// How long a child may take to be ready, by the clock on the wall.
const START: Duration = Duration::from_secs(10);

/// A library as a file that has no name and never changes.
pub(super) struct LibraryFile(File);

impl LibraryFile {
    pub(super) fn new(library: &[u8]) -> Result<Self, LoadError> {
        let host = |reason: String| LoadError::Host { reason };
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = memfd_create("dagpool-library", flags).map_err(|e| host(format!("a memory file: {e}")))?;
        let mut file = File::from(file);
        file.write_all(library)
            .and_then(|()| file.rewind())
            .map_err(|e| host(format!("a memory file: {e}")))?;
        let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
        fcntl_add_seals(&file, seals).map_err(|e| host(format!("sealing a memory file: {e}")))?;
        Ok(Self(file))
    }

    fn open(&self) -> Result<OwnedFd, LoadError> {
        let file =
            self.0.try_clone().map_err(|e| LoadError::Host { reason: format!("a memory file: {e}") })?;
        Ok(file.into())
    }
}

/// A running child.
pub(super) struct Child {
    process: Process,
    channel: Channel,
    limits: Limits,
    capabilities: u32,
}

/// What a failure while a library is set up means for its loading.
pub(super) fn setup(error: &AlgorithmError) -> LoadError {
    let failure = if let AlgorithmError::Broken { code, .. } = error { code } else { failure::ANSWER };
    LoadError::Setup { failure, reason: error.to_string() }
}

impl Child {
    pub(super) fn start(host: &Path, library: &LibraryFile, limits: Limits) -> Result<Self, LoadError> {
        let no_room = |reason: String| LoadError::Host { reason };
        let (channel, shared) = Channel::create().map_err(|e| no_room(format!("shared memory: {e}")))?;
        channel.set(Number::Turn, CHILD);
        // It inherits nothing: no environment, no files but the library and the shared memory.
        let process = Command::new(host)
            .args([super::host::ARGUMENT, &std::process::id().to_string(), &limits.memory_bytes.to_string()])
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(library.open()?))
            .stdout(Stdio::from(shared))
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| no_room(format!("{}: {e}", host.display())))?;
        let mut child = Self { process, channel, limits, capabilities: 0 };
        child.turn(START, START).map_err(|e| setup(&e))?;
        let code = child.channel.get(Number::Returned);
        if code != 0 {
            return Err(child.refusal(code));
        }
        child.capabilities = child.channel.get(Number::Capability);
        Ok(child)
    }

    /// Why the child could not set the library up.
    fn refusal(&self, code: u32) -> LoadError {
        let mut text = vec![0; ERROR];
        self.channel.read_error(&mut text);
        let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
        super::host::from_code(code, &String::from_utf8_lossy(text), self.channel.get(Number::Method))
    }

    pub(super) const fn capabilities(&self) -> u32 {
        self.capabilities
    }

    /// Waits until it is the pool's turn. The child may compute for `most`, and take `wall` by the clock.
    fn turn(&mut self, most: Duration, wall: Duration) -> Result<(), AlgorithmError> {
        if self.channel.wait(POOL, LOOK) {
            return Ok(());
        }
        // From here on it is slow anyway.
        let (start, before) = (Instant::now(), self.computed());
        loop {
            if self.channel.wait(POOL, LOOK) {
                return Ok(());
            }
            if let Ok(Some(status)) = self.process.try_wait() {
                return Err(failure::broken(failure::CRASH, ended(status)));
            }
            let computed = self.computed().saturating_sub(before);
            if computed >= most || start.elapsed() >= wall {
                return Err(failure::broken(
                    failure::TIMEOUT,
                    format!("its process was killed: no answer after {computed:?} of computing"),
                ));
            }
        }
    }

    /// The processor time of the child, in the system's steps of 10 ms.
    fn computed(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap_or_default();
        // After the name, which ends with the last bracket: field 14 and 15 of the whole are user and system time.
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
        Duration::from_millis(ticks * 10)
    }

    fn ask(&mut self, operation: u32, length: usize) -> Result<i32, AlgorithmError> {
        self.channel.set(Number::Operation, operation);
        self.channel.set(Number::Length, u32::try_from(length).unwrap_or(u32::MAX));
        self.channel.pass(CHILD);
        let most = self.limits.call_timeout;
        self.turn(most, most.saturating_mul(10))?;
        Ok(self.channel.get(Number::Returned).cast_signed())
    }

    fn explain(&self) -> Result<AlgorithmError, String> {
        let mut text = [0; ERROR];
        self.channel.read_error(&mut text);
        read_error(&text)
    }

    fn read(&self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.channel.read_output(&mut bytes);
        bytes
    }

    pub(super) fn info(&mut self) -> Result<Vec<u8>, AlgorithmError> {
        let returned = self.ask(operation::INFO, 0)?;
        let length = answered(returned, OUTPUT, || Err("info does not explain itself".to_owned()))?;
        Ok(self.read(length.unwrap_or(0)))
    }

    pub(super) fn hash(&mut self, input: &[u8]) -> Result<Hash, AlgorithmError> {
        fits(input.len())?;
        self.channel.write_input(input);
        let returned = self.ask(operation::HASH, input.len())?;
        outcome(returned, 0, 0, || self.explain())?;
        let mut hash = [0; HASH_SIZE];
        self.channel.read_output(&mut hash);
        Ok(hash)
    }

    pub(super) fn hash_batch(&mut self, inputs: &[Header], out: &mut [Hash]) -> Result<(), AlgorithmError> {
        for (chunk, (inputs, out)) in inputs.chunks(BATCH).zip(out.chunks_mut(BATCH)).enumerate() {
            self.channel.write_input(inputs.as_flattened());
            let returned = self.ask(operation::BATCH, inputs.len())?;
            let hashed = usize::try_from(returned).unwrap_or(0).min(inputs.len());
            self.channel.read_output(out[..hashed].as_flattened_mut());
            outcome(returned, inputs.len(), chunk * BATCH, || self.explain())?;
        }
        Ok(())
    }

    pub(super) fn call(
        &mut self,
        capability: u32,
        method: u32,
        request: &str,
    ) -> Result<Option<Vec<u8>>, AlgorithmError> {
        fits(request.len())?;
        self.channel.set(Number::Capability, capability);
        self.channel.set(Number::Method, method);
        self.channel.write_input(request.as_bytes());
        let returned = self.ask(operation::CALL, request.len())?;
        let length = answered(returned, OUTPUT, || self.explain())?;
        Ok(length.map(|length| self.read(length)))
    }
}

fn fits(length: usize) -> Result<(), AlgorithmError> {
    if length <= INPUT {
        return Ok(());
    }
    Err(AlgorithmError::Custom {
        code: "INPUT_TOO_LONG".into(),
        message: format!("{length} bytes, there is room for {INPUT}"),
        suggested_action: "pass shorter inputs; mining headers have 80 bytes".into(),
    })
}

fn ended(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        // SIGSYS is what the filter of system calls kills with.
        (_, Some(31)) => "its process was killed for a system call that it may not make".to_owned(),
        (_, Some(signal)) => format!("its process ended by signal {signal}"),
        (Some(code), _) => format!("its process exited by itself with code {code}"),
        _ => "its process ended".to_owned(),
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
