//! Making the next segment before it is needed, so that no commit waits for it.

use std::{
    io,
    sync::mpsc::{Receiver, Sender, channel},
};

use super::{catalogue::file_name, recovery::Spare};
use crate::{
    ports::disk::{DiskFile, SharedDisk},
    runtime::threads::Thread,
};

type Made = (u64, io::Result<Box<dyn DiskFile>>);

/// Makes segments, in the background if it may have a thread.
pub(super) struct Spares {
    disk: SharedDisk,
    bytes: u64,
    ready: Option<Spare>,
    background: Option<Background>,
}

struct Background {
    /// Some until this is dropped.
    ask: Option<Sender<u64>>,
    made: Receiver<Made>,
    awaited: Option<u64>,
    thread: Option<Thread>,
}

impl Drop for Background {
    /// The thread holds the folder: whoever drops the journal must find it free.
    fn drop(&mut self) {
        self.ask = None;
        if let Some(Err(panic)) = self.thread.take().map(Thread::join) {
            tracing::error!(panic, "the thread that makes journal segments had panicked");
        }
    }
}

impl Spares {
    pub(super) fn new(disk: SharedDisk, bytes: u64, ready: Option<Spare>) -> Self {
        Self { disk, bytes, ready, background: None }
    }

    /// Lets a thread do it from now on. It ends when this is dropped.
    pub(super) fn use_thread(&mut self) -> io::Result<()> {
        let (ask, asked) = channel::<u64>();
        let (tell, made) = channel();
        let (disk, bytes) = (self.disk.clone(), self.bytes);
        let thread = Thread::spawn("journal-prealloc", move || {
            for index in asked {
                if tell.send((index, disk.create(&file_name(index), bytes))).is_err() {
                    return;
                }
            }
        })?;
        self.background = Some(Background { ask: Some(ask), made, awaited: None, thread: Some(thread) });
        Ok(())
    }

    /// Whether a segment is at hand or on its way.
    pub(super) fn provided(&self) -> bool {
        self.ready.is_some()
            || self.background.as_ref().is_some_and(|background| background.awaited.is_some())
    }

    /// Has segment `index` made in the background, if there is one.
    pub(super) fn order(&mut self, index: u64) {
        if let Some(background) = &mut self.background
            && self.ready.is_none()
            && background.awaited.is_none()
            && background.ask.as_ref().is_some_and(|ask| ask.send(index).is_ok())
        {
            background.awaited = Some(index);
        }
    }

    /// Segment `index`: the one at hand, the one being made, or one made now.
    pub(super) fn take(&mut self, index: u64) -> io::Result<Spare> {
        if let Some(spare) = self.ready.take_if(|spare| spare.index == index) {
            return Ok(spare);
        }
        if let Some(background) = &mut self.background
            && background.awaited.take() == Some(index)
            && let Ok((_, Ok(file))) = background.made.recv()
        {
            return Ok(Spare { index, file, bytes: self.bytes });
        }
        // Not ordered, or it failed in the background: then try once more and say why.
        let file = self.disk.create(&file_name(index), self.bytes)?;
        Ok(Spare { index, file, bytes: self.bytes })
    }
}
