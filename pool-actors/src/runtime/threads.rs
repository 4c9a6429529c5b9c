//! The only place that starts operating-system threads.

use std::{io, thread};

/// A named thread that must end by itself; `join` waits for it and hands its panic on.
pub struct Thread {
    handle: Option<thread::JoinHandle<()>>,
}

impl Thread {
    /// Starts `body` on a thread of its own.
    ///
    /// # Errors
    /// When the operating system refuses another thread.
    #[expect(clippy::disallowed_methods, reason = "the one home of threads")]
    pub fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let handle = thread::Builder::new().name(name.to_owned()).spawn(body)?;
        Ok(Self { handle: Some(handle) })
    }

    /// Waits until the thread has ended.
    ///
    /// # Errors
    /// The message of the panic that ended the thread.
    pub fn join(mut self) -> Result<(), String> {
        match self.handle.take().map(thread::JoinHandle::join) {
            Some(Err(payload)) => Err(super::deathwatch::panic_message(payload.as_ref())),
            _ => Ok(()),
        }
    }
}
