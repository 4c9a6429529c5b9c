//! Algorithms at every isolation level: the conformance suite, and what happens when they break.

#[path = "../vectors/cases.rs"]
mod cases;
#[cfg(target_os = "linux")]
mod faulty;
mod libraries;
#[cfg(target_os = "linux")]
mod memory;
#[cfg(target_os = "linux")]
mod native;
mod wasm;
