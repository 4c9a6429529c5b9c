//! What is wrong, and who is told.
//!
//! | file | holds |
//! |---|---|
//! | `readings` | figures from the metrics, and how they moved |
//! | `rules` | which figure is trouble, and what is said then |
//! | `book` | which alerts there are, and whom they must be brought to |
//! | `keeper` | the AlertKeeper: looks, remembers, tells |
//! | `courier` | a Courier per channel: brings notices, again and again if need be |

pub mod book;
pub mod courier;
pub mod keeper;
pub mod readings;
pub mod rules;

#[cfg(test)]
pub(crate) mod tests;
