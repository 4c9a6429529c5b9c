//! Figures for people: who mines how fast, and what happens. Lossy by design; money never comes from here.

pub mod aggregator;
pub mod publisher;
mod rate;
