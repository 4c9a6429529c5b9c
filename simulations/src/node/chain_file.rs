//! The chain on disk, so that a node that is started again goes on with it: the blocks in the order in which they were taken
//! in. What they mean is computed anew from them, by the same rules, at the start.
//!
//! One line of JSON (the rules and the genesis' time), then each block as its length (4 bytes, little-endian) and its
//! encoding. A process that is killed may leave half a block at the end: it is cut off, nobody was told of it.

use std::{
    fs::{File, OpenOptions},
    io::{BufRead as _, BufReader, ErrorKind, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use tracing::error;

use super::block::{Block, MAX_BLOCK_BYTES};
use super::config::NodeConfig;

/// What the blocks are valid by.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Rules {
    seed: u64,
    /// Name, first height, last height, hashes per block at the start.
    algorithms: Vec<(String, u64, Option<u64>, u64)>,
    block_time_ms: u64,
    k: u16,
    subsidy: u64,
    coinbase_maturity: u64,
    overdue_limit: u64,
    merge_depth: u64,
}

impl Rules {
    fn of(config: &NodeConfig) -> Self {
        let algorithms = config.algorithms.iter().map(|entry| {
            let name = entry.algorithm.name.to_owned();
            (name, entry.activation_height, entry.end_height, entry.start_hashes)
        });
        Self {
            seed: config.seed,
            algorithms: algorithms.collect(),
            block_time_ms: u64::try_from(config.block_time.as_millis()).unwrap_or(u64::MAX),
            k: config.k(),
            subsidy: config.subsidy,
            coinbase_maturity: config.coinbase_maturity,
            overdue_limit: config.overdue_limit,
            merge_depth: config.merge_depth,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Head {
    /// Unix seconds.
    genesis_time: u32,
    rules: Rules,
}

/// A file that blocks are added to; locked against other nodes while it is open.
pub(super) struct ChainFile {
    path: PathBuf,
    /// `None` once a block could not be written: its children would have no parent.
    file: Option<File>,
}

/// What a file held.
pub(super) struct Kept {
    /// Of the genesis, Unix seconds.
    pub(super) genesis_time: u32,
    /// In the order in which they were taken in.
    pub(super) blocks: Vec<Block>,
}

impl ChainFile {
    /// Opens a chain, or begins one whose genesis is of `now` (Unix seconds).
    ///
    /// # Errors
    /// A sentence: the file can't be used, another node uses it, or it was made by other rules.
    pub(super) fn open(path: &Path, config: &NodeConfig, now: u32) -> Result<(Self, Kept), String> {
        let failed = |error: &dyn std::fmt::Display| format!("the chain {}: {error}", path.display());
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = open.map_err(|error| failed(&error))?;
        file.try_lock().map_err(|error| failed(&format!("another node uses it ({error})")))?;
        let (kept, good) = read(&file, config, now).map_err(|error| failed(&error))?;
        let end = match good {
            0 => begin(&mut file, config, kept.genesis_time).map_err(|error| failed(&error))?,
            good => good,
        };
        file.set_len(end).and_then(|()| file.seek(SeekFrom::Start(end))).map_err(|error| failed(&error))?;
        Ok((Self { path: path.to_owned(), file: Some(file) }, kept))
    }

    /// Adds a block, before anybody is told of it.
    pub(super) fn add(&mut self, block: &Block) {
        let Some(file) = &mut self.file else { return };
        let bytes = block.encode();
        let length = u32::try_from(bytes.len()).expect("a block has at most a megabyte");
        if let Err(error) = file.write_all(&[&length.to_le_bytes(), bytes.as_slice()].concat()) {
            error!(%error, chain = %self.path.display(), "the chain is no longer kept: it ends here at the next start");
            self.file = None;
        }
    }
}

/// Begins an empty file; its length afterwards.
fn begin(file: &mut File, config: &NodeConfig, genesis_time: u32) -> std::io::Result<u64> {
    let mut head = serde_json::to_vec(&Head { genesis_time, rules: Rules::of(config) })?;
    head.push(b'\n');
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&head)?;
    Ok(head.len() as u64)
}

/// What the file holds, and how many of its bytes are good: 0 when there is not even a whole first line.
fn read(file: &File, config: &NodeConfig, now: u32) -> Result<(Kept, u64), String> {
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line).map_err(|error| error.to_string())?;
    if line.last() != Some(&b'\n') {
        return Ok((Kept { genesis_time: now, blocks: Vec::new() }, 0));
    }
    let head: Head = serde_json::from_slice(&line)
        .map_err(|error| format!("it is no chain of a simulated node ({error})"))?;
    let rules = Rules::of(config);
    if head.rules != rules {
        return Err(format!(
            "it was made by other rules; use the options it was begun with, or another place. It has {:?}, asked for are {rules:?}",
            head.rules
        ));
    }
    let mut good = line.len() as u64;
    let mut blocks = Vec::new();
    while let Some(bytes) = next(&mut reader)? {
        blocks.push(Block::decode(&bytes).map_err(|error| format!("block {}: {error}", blocks.len() + 1))?);
        good += 4 + bytes.len() as u64;
    }
    Ok((Kept { genesis_time: head.genesis_time, blocks }, good))
}

/// The next whole block's bytes; `None` at the end, or where half a block was left.
fn next(reader: &mut impl std::io::Read) -> Result<Option<Vec<u8>>, String> {
    let mut length = [0; 4];
    if !filled(reader, &mut length)? {
        return Ok(None);
    }
    let length = usize::try_from(u32::from_le_bytes(length)).map_err(|error| error.to_string())?;
    if length > MAX_BLOCK_BYTES {
        return Err(format!("a block of {length} bytes: the file is damaged"));
    }
    let mut bytes = vec![0; length];
    Ok(filled(reader, &mut bytes)?.then_some(bytes))
}

fn filled(reader: &mut impl std::io::Read, bytes: &mut [u8]) -> Result<bool, String> {
    match reader.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error.to_string()),
    }
}
