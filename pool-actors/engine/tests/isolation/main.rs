//! Algorithms at every isolation level: the conformance suite, and what happens when they break.

#[path = "../vectors/cases.rs"]
mod cases;
mod wasm;
