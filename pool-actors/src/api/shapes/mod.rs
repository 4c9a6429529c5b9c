//! What answers look like, as types whose schemas make the API's description (`api/openapi`).
//!
//! Answers are still written with `json!` where they are made; these types are not built, they describe. What keeps both the
//! same: each answer that a test of the API or of the whole pool gets is checked against them, with no field more and none
//! less.
#![expect(dead_code, reason = "most describe answers and are not built")]

pub(super) mod algorithms;
pub(super) mod miningcore;
pub(super) mod money;
pub(super) mod operate;
pub(super) mod people;
pub(super) mod pool;
pub(super) mod text;
