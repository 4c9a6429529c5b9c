//! The only place that starts operating-system threads.

use std::{io, thread};

use tokio::sync::oneshot;

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

    /// As [`Self::spawn`], for heavy work beside running traffic: whoever answers miners goes first. Whatever thread or
    /// process `body` starts goes behind them too, for as long as it lives.
    ///
    /// # Errors
    /// When the operating system refuses another thread.
    pub fn spawn_in_background(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        Self::spawn(name, || {
            step_back();
            body();
        })
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

/// Lowers the calling thread's priority.
fn step_back() {
    if let Err(error) = pool_engine::isolation::step_back() {
        tracing::warn!(%error, "the system refused to lower a thread's priority: miners may notice its work");
    }
}

/// The result of heavy work on a background thread of its own.
///
/// # Errors
/// When the system refuses a thread, or the work panicked.
pub async fn in_background<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let (tell, told) = oneshot::channel();
    Thread::spawn_in_background(name, move || {
        // Whoever asked may have gone.
        let _ = tell.send(work());
    })?;
    told.await.map_err(|_| io::Error::other("it panicked"))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use pool_engine::isolation::is_in_background;

    use super::*;

    #[actix_rt::test]
    async fn background_work_steps_back_and_nobody_else_does() {
        assert!(in_background("test", is_in_background).await.unwrap());
        assert!(!is_in_background());
        assert!(in_background("test", || panic!("as told")).await.is_err());
    }
}
