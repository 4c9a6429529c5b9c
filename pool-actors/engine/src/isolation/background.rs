//! Heavy work beside running traffic: whoever answers miners goes first.
#![allow(unsafe_code)]

use std::io;

/// Puts the calling thread behind all others: it runs where a core has nothing else to do, and stops the moment that one
/// has. What it starts (threads, processes) inherits that, and an ordinary user can't take it back.
///
/// # Errors
/// When the system refuses, or knows no such class of threads.
pub fn step_back() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        let none = libc::sched_param { sched_priority: 0 };
        // SAFETY: the call reads one struct, which lives until it returns; 0 is the calling thread.
        match unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const none) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
    #[cfg(not(target_os = "linux"))]
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether the calling thread stepped back.
#[must_use]
pub fn is_in_background() -> bool {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: the call reads no memory; 0 is the calling thread.
        unsafe { libc::sched_getscheduler(0) == libc::SCHED_IDLE }
    }
    #[cfg(not(target_os = "linux"))]
    false
}
