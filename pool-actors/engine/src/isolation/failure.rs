//! How an algorithm breaks: the codes of [`AlgorithmError::Broken`], each with its advice.

use plugin_sdk::AlgorithmError;

/// It panicked or trapped.
pub const TRAP: &str = "PLUGIN_TRAP";
/// It computed for longer than it may, or used up its fuel.
pub const TIMEOUT: &str = "PLUGIN_TIMEOUT";
/// It wanted more memory than it may have.
pub const MEMORY: &str = "PLUGIN_MEMORY";
/// It used up its stack.
pub const STACK: &str = "PLUGIN_STACK_OVERFLOW";
/// Its child process ended.
pub const CRASH: &str = "PLUGIN_CRASHED";
/// It returned what the interface does not know.
pub const ANSWER: &str = "PLUGIN_BAD_ANSWER";
/// The pool could not make it anew after it broke.
pub const HOST: &str = "PLUGIN_NOT_RESTARTED";

/// The error with a code of this module.
pub(crate) fn broken(code: &'static str, message: impl Into<String>) -> AlgorithmError {
    let suggested_action = match code {
        TIMEOUT => "roll back; if its hashes really take so long, raise the time that a call may take",
        MEMORY => "roll back, or raise memory_requirements in its manifest",
        HOST => "free memory on this machine; the algorithm is tried again with the next call",
        _ => "roll back to the last stable version and tell the algorithm's author",
    };
    AlgorithmError::Broken { code, message: message.into(), suggested_action }
}
