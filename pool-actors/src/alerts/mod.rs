//! What is wrong, and who is told.
//!
//! | file | holds |
//! |---|---|
//! | `readings` | figures from the metrics, and how they moved |
//! | `rules` | which figure is trouble, and what is said then |
//! | `book` | which alerts there are, and whom they must be brought to |
//! | `rollouts` | what is told of a deployment to the channels that it names |
//! | `keeper` | the AlertKeeper: looks, remembers, tells |
//! | `watch` | what is to be told of a miner's account |
//! | `personal` | MinerAlerts: tells people of addresses that they have claimed, and miners of their account |
//! | `courier` | a Courier per channel: brings notices, again and again if need be |

pub mod book;
pub mod courier;
pub mod keeper;
pub mod personal;
pub mod readings;
mod rollouts;
pub mod rules;
pub mod watch;

#[cfg(test)]
pub(crate) mod tests;
