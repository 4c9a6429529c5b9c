//! Being built.

pub mod runtime;
