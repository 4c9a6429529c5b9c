//! Being built.
#![no_std]
extern crate alloc;

pub mod ghostdag;
