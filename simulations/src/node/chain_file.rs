//! The chain on disk, so that a node that is started again goes on with it: the blocks in the order in which they were taken
//! in, and the labels of the wallet's addresses. What they mean is computed anew from them, by the same rules, at the start.
//!
//! A line of JSON each, the rules and the genesis' time first. A process that is killed may leave half a line at the end: it
//! is cut off, nobody was told of it. Lines are not synced to the disk: a power loss may take the last ones.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracing::error;

use super::block::{Block, MAX_BLOCK_BYTES};
use super::config::NodeConfig;

/// Longest line: a block in hexadecimal, and what is around it.
const LINE_BYTES_MAX: u64 = 2 * MAX_BLOCK_BYTES as u64 + 100;

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

    /// What others have differently, in words.
    fn differences(&self, others: &Self) -> Vec<String> {
        let fields = |rules: &Self| match serde_json::to_value(rules) {
            Ok(Value::Object(fields)) => fields,
            other => unreachable!("rules are an object: {other:?}"),
        };
        let ours = fields(self);
        let theirs = fields(others);
        ours.iter()
            .filter_map(|(name, value)| {
                let asked = theirs.get(name).filter(|asked| *asked != value)?;
                Some(format!("{name} {value}, asked for {asked}"))
            })
            .collect()
    }
}

#[derive(Serialize, Deserialize)]
struct Head {
    /// Unix seconds.
    genesis_time: u32,
    rules: Rules,
}

/// A line.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Record {
    Chain(Head),
    /// Of an address of the wallet.
    Label(String),
    /// In hexadecimal.
    Block(String),
}

/// A file that blocks are added to; locked against other nodes while it is open.
pub(super) struct ChainFile {
    path: PathBuf,
    /// `None` once something could not be written: what follows would have no parent.
    file: Option<File>,
}

/// What a file held.
pub(super) struct Kept {
    /// Of the genesis, Unix seconds.
    pub(super) genesis_time: u32,
    /// Of the wallet's addresses.
    pub(super) labels: Vec<String>,
    /// In the order in which they were taken in.
    pub(super) blocks: Vec<Block>,
}

impl ChainFile {
    /// Opens a chain, or begins one in an empty file whose genesis is of `now` (Unix seconds).
    ///
    /// # Errors
    /// A sentence: the file can't be used, another node uses it, it is something else, or was made by other rules.
    pub(super) fn open(path: &Path, config: &NodeConfig, now: u32) -> Result<(Self, Kept), String> {
        let failed = |error: &dyn std::fmt::Display| format!("the chain {}: {error}", path.display());
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = open.map_err(|error| failed(&error))?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => failed(&"another node uses it; stop that one, or name another file"),
            TryLockError::Error(error) => failed(&error),
        })?;
        let (kept, good) = read(&file, &Rules::of(config)).map_err(|error| failed(&error))?;
        file.set_len(good).and_then(|()| file.seek(SeekFrom::Start(good))).map_err(|error| failed(&error))?;
        let mut chain = Self { path: path.to_owned(), file: Some(file) };
        let kept = kept.unwrap_or_else(|| {
            chain.add(&Record::Chain(Head { genesis_time: now, rules: Rules::of(config) }));
            Kept { genesis_time: now, labels: Vec::new(), blocks: Vec::new() }
        });
        Ok((chain, kept))
    }

    /// Adds a block, before anybody is told of it.
    pub(super) fn add_block(&mut self, block: &Block) {
        self.add(&Record::Block(hex::encode(block.encode())));
    }

    /// Adds the label of an address, before anybody is told of it.
    pub(super) fn add_label(&mut self, label: &str) {
        self.add(&Record::Label(label.to_owned()));
    }

    fn add(&mut self, record: &Record) {
        let Some(file) = &mut self.file else { return };
        let written = serde_json::to_vec(record).map_err(std::io::Error::from).and_then(|mut line| {
            line.push(b'\n');
            file.write_all(&line)
        });
        if let Err(error) = written {
            error!(%error, chain = %self.path.display(), "the chain is no longer kept: it ends here at the next start");
            self.file = None;
        }
    }
}

/// What the file holds (`None` if it is empty), and how many of its bytes are whole lines.
fn read(file: &File, rules: &Rules) -> Result<(Option<Kept>, u64), String> {
    let mut reader = BufReader::new(file);
    let (mut kept, mut good, mut number) = (None::<Kept>, 0, 0_u64);
    let mut line = Vec::new();
    loop {
        line.clear();
        number += 1;
        let mut limited = reader.by_ref().take(LINE_BYTES_MAX);
        let length = limited.read_until(b'\n', &mut line).map_err(|error| error.to_string())?;
        let is_whole = line.last() == Some(&b'\n');
        if !is_whole && kept.is_some() && limited.limit() > 0 || length == 0 {
            return Ok((kept, good));
        }
        let record = serde_json::from_slice(&line).map_err(|error| error.to_string());
        match (&mut kept, record.and_then(|record| if is_whole { Ok(record) } else { Err("no end".into()) }))
        {
            (None, Ok(Record::Chain(head))) => kept = Some(head.continued(rules)?),
            (None, _) => return Err("it is no chain of a simulated node; name another file".to_owned()),
            (Some(kept), Ok(Record::Label(label))) => kept.labels.push(label),
            (Some(kept), Ok(Record::Block(block))) => {
                kept.blocks.push(decode(&block).map_err(|error| damaged(number, &error))?);
            }
            (Some(_), Ok(Record::Chain(_))) => return Err(damaged(number, "a second beginning")),
            (Some(_), Err(error)) => return Err(damaged(number, &error)),
        }
        good += length as u64;
    }
}

fn damaged(line: u64, error: &str) -> String {
    format!("it is damaged in line {line}: {error}; name another file, or remove it to begin anew")
}

fn decode(block: &str) -> Result<Block, String> {
    Block::decode(&hex::decode(block).map_err(|error| error.to_string())?)
}

impl Head {
    /// The beginning of a chain that goes on by these rules.
    fn continued(self, rules: &Rules) -> Result<Kept, String> {
        let differences = self.rules.differences(rules);
        if differences.is_empty() {
            return Ok(Kept { genesis_time: self.genesis_time, labels: Vec::new(), blocks: Vec::new() });
        }
        Err(format!(
            "it was made by other rules ({}); use the options it was begun with, or name another place",
            differences.join(", ")
        ))
    }
}
