//! Long work as seen on a terminal: a bar on standard error, and nothing where nobody watches.

use std::{
    io::{self, IsTerminal as _, Write as _},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// Bytes handed over at a time.
const CHUNK: usize = 64 << 10;
/// Columns of a bar.
const WIDTH: usize = 30;

/// One line that is written over and over.
pub(super) struct Line {
    visible: bool,
    columns: usize,
}

impl Line {
    pub(super) fn new() -> Self {
        Self { visible: io::stderr().is_terminal(), columns: 0 }
    }

    /// Whether anybody sees it.
    pub(super) fn is_visible(&self) -> bool {
        self.visible
    }

    pub(super) fn show(&mut self, text: &str) {
        if self.visible {
            let columns = text.chars().count();
            let pad = self.columns.saturating_sub(columns);
            // A terminal that is gone is no reason to stop.
            let _ = write!(io::stderr(), "\r{text}{:pad$}", "");
            let _ = io::stderr().flush();
            self.columns = columns;
        }
    }

    /// Clears it: what follows is the result.
    pub(super) fn clear(&mut self) {
        if self.visible && self.columns > 0 {
            let _ = write!(io::stderr(), "\r{:columns$}\r", "", columns = self.columns);
            let _ = io::stderr().flush();
            self.columns = 0;
        }
    }
}

/// `[#####.....]`, `part` of `whole` filled.
pub(super) fn bar(part: usize, whole: usize) -> String {
    let filled = part.min(whole) * WIDTH / whole.max(1);
    format!("[{}{}]", "#".repeat(filled), ".".repeat(WIDTH - filled))
}

/// A body that tells how much of it was taken.
pub(super) struct Upload {
    rest: Bytes,
    whole: usize,
    line: Line,
}

impl Upload {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self { whole: bytes.len(), rest: Bytes::from(bytes), line: Line::new() }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        if this.rest.is_empty() {
            return Poll::Ready(None);
        }
        let chunk = this.rest.split_to(CHUNK.min(this.rest.len()));
        let sent = this.whole - this.rest.len();
        if sent == this.whole {
            this.line.show("the pool checks the package...");
        } else {
            let (part, whole) = (sent >> 10, this.whole >> 10);
            this.line.show(&format!("upload {} {part} of {whole} KiB", bar(sent, this.whole)));
        }
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_is_all_of_the_file_in_pieces() {
        let bytes: Vec<u8> = (0u8..=255).cycle().take(CHUNK * 2 + 5).collect();
        let mut upload = Upload::new(bytes.clone());
        assert_eq!(upload.size_hint().exact(), Some(bytes.len() as u64));
        let mut pieces = Vec::new();
        let mut context = Context::from_waker(std::task::Waker::noop());
        while let Poll::Ready(Some(piece)) = Pin::new(&mut upload).poll_frame(&mut context) {
            pieces.push(piece.unwrap().into_data().unwrap());
        }
        assert_eq!(pieces.iter().map(Bytes::len).collect::<Vec<_>>(), [CHUNK, CHUNK, 5]);
        assert_eq!(pieces.concat(), bytes);
    }

    #[test]
    fn a_bar_is_as_full_as_the_work_is_done() {
        assert_eq!(bar(0, 4), format!("[{}]", ".".repeat(30)));
        assert_eq!(bar(2, 4), format!("[{}{}]", "#".repeat(15), ".".repeat(15)));
        assert_eq!(
            (bar(9, 4), bar(0, 0)),
            (format!("[{}]", "#".repeat(30)), format!("[{}]", ".".repeat(30)))
        );
    }
}
