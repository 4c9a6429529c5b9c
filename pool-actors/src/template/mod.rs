//! From the node's template to work for miners, and from a found block back to the node.
//!
//! * [`receiver`]: TemplateReceiver asks the node, watches its health, and publishes jobs.
//! * [`job`]: a JobTemplate actor per template makes blocks of solutions.
//! * [`submitter`]: BlockSubmitter makes a found block durable, then submits it until the node's verdict is definite.

pub mod job;
pub mod receiver;
pub mod submitter;
