//! What an audit reads, in one file: the books as of one moment and the journal's records up to there, a JSON object a line. Who
//! has the file needs neither database nor journal to derive all of it again.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, BufWriter, Write as _},
    path::{Path, PathBuf},
};

use pool_domain::ids::ShareSeq;
use serde::{Deserialize, Serialize};

use crate::{
    audit::{Auditor, Line, Replay, Report},
    error::{Code, Failure},
    ports::books::BookItem,
};

/// Name and version of the form.
const FORMAT: &str = "dagpool-books-1";

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Entry {
    /// The first one.
    Format(String),
    /// The records of a node's journal follow, from this one on; behind the node's position.
    Journal { node: String, first: ShareSeq },
    /// One of them.
    Record(ShareSeq, Line),
    /// A thing of the books.
    Book(BookItem),
    /// The last one: how many there are before it.
    End(u64),
}

/// A file that is being written.
pub struct Writing {
    path: PathBuf,
    out: BufWriter<File>,
    lines: u64,
    failed: Option<std::io::Error>,
}

impl Writing {
    /// Begins a file, which must not exist.
    ///
    /// # Errors
    /// [`Code::FileUnusable`].
    pub fn begin(path: &Path) -> Result<Self, Failure> {
        let file = File::create_new(path).map_err(|error| unusable(path, &error))?;
        let mut writing = Self { path: path.to_owned(), out: BufWriter::new(file), lines: 0, failed: None };
        writing.put(&Entry::Format(FORMAT.to_owned()));
        Ok(writing)
    }

    fn put(&mut self, entry: &Entry) {
        if self.failed.is_none() {
            let written = serde_json::to_writer(&mut self.out, entry).map_err(std::io::Error::from);
            self.failed = written.and_then(|()| self.out.write_all(b"\n")).err();
            self.lines += 1;
        }
    }

    pub(super) fn journal(&mut self, node: &str, first: ShareSeq) {
        self.put(&Entry::Journal { node: node.to_owned(), first });
    }

    pub(super) fn line(&mut self, seq: ShareSeq, line: &Line) {
        self.put(&Entry::Record(seq, line.clone()));
    }

    pub(super) fn item(&mut self, item: &BookItem) {
        self.put(&Entry::Book(item.clone()));
    }

    /// Nothing failed so far.
    pub(super) fn is_good(&self) -> bool {
        self.failed.is_none()
    }

    /// Ends it; without that it is no whole file.
    pub(super) fn finish(mut self) -> Result<(), Failure> {
        self.put(&Entry::End(self.lines));
        let ended = match self.failed.take() {
            Some(error) => Err(error),
            None => self.out.flush().and_then(|()| self.out.get_ref().sync_all()),
        };
        ended.map_err(|error| unusable(&self.path, &error))
    }
}

/// Audits such a file.
///
/// # Errors
/// When it is none, or not whole; everything else is a difference in the report.
pub fn audit_file(path: &Path) -> Result<Report, Failure> {
    let file = File::open(path).map_err(|error| unusable(path, &error))?;
    let mut auditor = Auditor::default();
    let mut open: Option<(String, Replay)> = None;
    let mut ended = false;
    for (number, text) in (0_u64..).zip(BufReader::new(file).lines()) {
        let wrong = |what: &str| unusable(path, &format!("line {}: {what}", number + 1));
        let text = text.map_err(|error| unusable(path, &error))?;
        let entry: Entry = serde_json::from_str(&text).map_err(|error| wrong(&error.to_string()))?;
        if ended {
            return Err(wrong("something follows the end"));
        }
        match entry {
            Entry::Format(format) if number == 0 && format == FORMAT => {}
            _ if number == 0 => return Err(wrong(&format!("it is not of the form {FORMAT}"))),
            Entry::Format(_) => return Err(wrong("another file begins")),
            Entry::Journal { node, first } => open = Some((node, Replay::new(first))),
            Entry::Record(seq, line) => match &mut open {
                Some((_, replay)) => replay.line(seq, line),
                None => return Err(wrong("a record belongs to no journal")),
            },
            Entry::Book(item) => {
                if let Some((node, replay)) = open.take() {
                    auditor.replayed(&node, replay);
                }
                auditor.item(item);
            }
            Entry::End(lines) if lines == number => ended = true,
            Entry::End(_) => return Err(wrong("lines are missing")),
        }
    }
    if let Some((node, replay)) = open.take() {
        auditor.replayed(&node, replay);
    }
    if !ended {
        return Err(unusable(path, &"it has no end: it was not written to its end, or was cut off"));
    }
    Ok(auditor.finish())
}

fn unusable(path: &Path, what: &dyn std::fmt::Display) -> Failure {
    Failure::new(
        Code::FileUnusable,
        format!("{}: {what}", path.display()),
        "name a file that `dagpool ledger audit --save` wrote, or a new place to write one",
    )
}
