//! What the signer signed, a JSON object a line, on disk before it answers.

use std::{
    fs::{File, OpenOptions},
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use pool_actors::error::{Code, Failure};
use pool_domain::{ids::PayoutId, units::Amount};
use serde::{Deserialize, Serialize};

/// One signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Line {
    /// Unix milliseconds.
    pub(super) at: u64,
    pub(super) payout: PayoutId,
    /// What recipients get together.
    pub(super) amount: Amount,
    /// Recipients and amounts, as asked for.
    pub(super) recipients: Vec<(String, Amount)>,
    /// What the transaction uses up.
    pub(super) spends: Vec<String>,
    /// The signed transaction, hex.
    pub(super) signed: String,
}

/// The open file and what is in it.
pub(super) struct Journal {
    file: File,
    pub(super) lines: Vec<Line>,
}

impl Journal {
    /// Opens (and creates, for its owner alone) and reads it. A last line that a crash cut off was never answered, and is
    /// cut off the file.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let failed = |what: String| {
            Failure::new(
                Code::DataDirUnwritable,
                format!("the signer's journal {}: {what}", path.display()),
                "see --journal; without it, limits would begin anew",
            )
        };
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)
            .map_err(|error| failed(error.to_string()))?;
        let (mut lines, mut good) = (Vec::new(), 0_u64);
        let mut reader = BufReader::new(&mut file);
        let mut text = String::new();
        loop {
            text.clear();
            let read = reader.read_line(&mut text).map_err(|error| failed(error.to_string()))?;
            if read == 0 || !text.ends_with('\n') {
                break;
            }
            let line = serde_json::from_str(&text)
                .map_err(|error| failed(format!("line {}: {error}", lines.len() + 1)))?;
            lines.push(line);
            good += read as u64;
        }
        file.set_len(good).map_err(|error| failed(error.to_string()))?;
        Ok(Self { file, lines })
    }

    /// Writes a line, durably.
    pub(super) fn append(&mut self, line: Line) -> Result<(), std::io::Error> {
        let mut text = serde_json::to_vec(&line)?;
        text.push(b'\n');
        self.file.write_all(&text)?;
        self.file.sync_data()?;
        self.lines.push(line);
        Ok(())
    }
}
