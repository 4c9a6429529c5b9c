//! The memory that pool and child share: a page of numbers, an input and an output.
#![allow(unsafe_code)]

use rustix::{
    fs::{MemfdFlags, ftruncate, memfd_create},
    io,
    mm::{MapFlags, ProtFlags, mmap, munmap},
    thread::futex,
};
use std::{
    ffi::c_void,
    os::fd::{AsFd, OwnedFd},
    ptr,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

/// Headers of one call.
pub(super) const BATCH: usize = 256;
/// Bytes of the input: a batch, a request, or an input of another length.
pub(super) const INPUT: usize = 32 << 10;
/// Bytes of the output: hashes, an answer or a text.
pub(super) const OUTPUT: usize = 32 << 10;
/// Bytes of an error.
pub(super) const ERROR: usize = 1 << 10;
const NUMBERS: usize = 4 << 10;
const SIZE: usize = NUMBERS + INPUT + OUTPUT + ERROR;

/// Whose turn it is: the pool's.
pub(super) const POOL: u32 = 0;
/// The child's.
pub(super) const CHILD: u32 = 1;

/// The numbers of the first page.
#[derive(Debug, Clone, Copy)]
pub(super) enum Number {
    /// [`POOL`] or [`CHILD`]; what both sleep on.
    Turn,
    /// What to do.
    Operation,
    /// Bytes of the input, or headers in it.
    Length,
    Capability,
    Method,
    /// What the function returned.
    Returned,
}

/// What a child is asked for.
pub(super) mod operation {
    pub(in super::super) const INFO: u32 = 1;
    pub(in super::super) const HASH: u32 = 2;
    pub(in super::super) const BATCH: u32 = 3;
    pub(in super::super) const CALL: u32 = 4;
}

/// One side of the channel. The other side may write at any time whatever it likes, so nothing in here is ever borrowed:
/// bytes are copied out, and then looked at.
pub(super) struct Channel {
    base: *mut u8,
}

// SAFETY: the mapping belongs to this value alone; the other side is another process.
unsafe impl Send for Channel {}

impl Channel {
    /// Memory for a new child.
    pub(super) fn create() -> io::Result<(Self, OwnedFd)> {
        let file = memfd_create("dagpool-algorithm", MemfdFlags::CLOEXEC)?;
        ftruncate(&file, SIZE as u64)?;
        Ok((Self::map(&file)?, file))
    }

    /// The memory behind a file of [`Channel::create`].
    pub(super) fn map(file: impl AsFd) -> io::Result<Self> {
        // SAFETY: a new mapping that nothing else refers to.
        let base = unsafe {
            mmap(ptr::null_mut(), SIZE, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, file, 0)
        }?;
        Ok(Self { base: base.cast() })
    }

    fn number(&self, number: Number) -> &AtomicU32 {
        // SAFETY: within the first page, aligned, mapped as long as `self`; atomics may be shared with anybody.
        unsafe { AtomicU32::from_ptr(self.base.cast::<u32>().add(number as usize)) }
    }

    pub(super) fn get(&self, number: Number) -> u32 {
        self.number(number).load(Ordering::Relaxed)
    }

    pub(super) fn set(&self, number: Number, value: u32) {
        self.number(number).store(value, Ordering::Relaxed);
    }

    /// Gives the turn to the other side.
    pub(super) fn pass(&self, to: u32) {
        let turn = self.number(Number::Turn);
        turn.store(to, Ordering::Release);
        // Nobody asleep there is as good.
        let _ = futex::wake(turn, futex::Flags::empty(), 1);
    }

    /// Sleeps until it is the turn of `whose`, or for `most`; whether it is.
    pub(super) fn wait(&self, whose: u32, most: Duration) -> bool {
        let turn = self.number(Number::Turn);
        let now = turn.load(Ordering::Acquire);
        if now == whose {
            return true;
        }
        let most = most.try_into().ok();
        // Whatever wakes it, the turn decides.
        let _ = futex::wait(turn, futex::Flags::empty(), now, most.as_ref());
        turn.load(Ordering::Acquire) == whose
    }

    fn copy_in(&self, at: usize, bytes: &[u8], room: usize) {
        let length = bytes.len().min(room);
        // SAFETY: the areas lie within the mapping, and their lengths are kept.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.base.add(at), length) }
    }

    fn copy_out(&self, at: usize, bytes: &mut [u8], room: usize) {
        let length = bytes.len().min(room);
        // SAFETY: as above. What the other side writes meanwhile makes the bytes wrong, as any others it could write.
        unsafe { ptr::copy_nonoverlapping(self.base.add(at), bytes.as_mut_ptr(), length) }
    }

    pub(super) fn write_input(&self, bytes: &[u8]) {
        self.copy_in(NUMBERS, bytes, INPUT);
    }

    pub(super) fn read_input(&self, bytes: &mut [u8]) {
        self.copy_out(NUMBERS, bytes, INPUT);
    }

    pub(super) fn write_output(&self, bytes: &[u8]) {
        self.copy_in(NUMBERS + INPUT, bytes, OUTPUT);
    }

    pub(super) fn read_output(&self, bytes: &mut [u8]) {
        self.copy_out(NUMBERS + INPUT, bytes, OUTPUT);
    }

    pub(super) fn write_error(&self, bytes: &[u8]) {
        self.copy_in(NUMBERS + INPUT + OUTPUT, bytes, ERROR);
    }

    pub(super) fn read_error(&self, bytes: &mut [u8]) {
        self.copy_out(NUMBERS + INPUT + OUTPUT, bytes, ERROR);
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        // SAFETY: the mapping made by `map`, which nothing refers to any more.
        let _ = unsafe { munmap(self.base.cast::<c_void>(), SIZE) };
    }
}
