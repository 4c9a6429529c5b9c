//! `dagpool ledger audit`: the auditor over a database and the journals that it was fed from, beside a running pool or
//! without one. Nothing is written, no lock is taken.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use pool_domain::ids::ShareSeq;

use super::{audit_chain::Chain, audit_file::Writing, books::OpenBooks};
use crate::{
    adapters::disk_folder::FolderDisk,
    audit::{Auditor, BookedBlock, Line, Replay, Report},
    error::{Code, Failure},
    ledger::journal::{Entry, JournalReader},
    ports::{
        books::BookItem,
        disk::{Disk as _, SharedDisk},
        node::SubmitVerdict,
        store::StoreError,
    },
};

/// Records that are read in one go.
const SLICE: u64 = 65_536;
/// The name of a journal's node is in the name of a file with this ending (see `identity`).
const NODE_SUFFIX: &str = ".node";

/// Told how many records of which node were read.
pub type Progress = Box<dyn Fn(&str, u64, u64) + Send>;

/// Audits the books against the journals in these data folders.
///
/// # Errors
/// When the database or a folder can't be read at all; everything else is a difference in the report.
pub async fn audit(open: &OpenBooks, folders: &[PathBuf], progress: Progress) -> Result<Report, Failure> {
    audit_with(open, folders, None, None, progress).await
}

/// As [`audit`]; what is read goes into a file as well (see [`super::audit_file`]), and the chain's node is asked.
///
/// # Errors
/// As [`audit`], and when the file can't be written or the node does not answer.
pub async fn audit_with(
    open: &OpenBooks,
    folders: &[PathBuf],
    file: Option<Writing>,
    chain: Option<&Chain>,
    progress: Progress,
) -> Result<Report, Failure> {
    let mut journals = BTreeMap::new();
    for folder in folders {
        let (node, disk) = journal_of(folder)?;
        journals.insert(node, disk);
    }
    let walk = Arc::new(Mutex::new(Some(Walk { auditor: Auditor::default(), blocks: Vec::new(), file })));
    let shared = Arc::clone(&walk);
    let visit = move |item: BookItem| {
        let mut walk = shared.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(walk) = walk.as_mut() else { return false };
        walk.item(item, &journals, &progress)
    };
    open.books.walk(Box::new(visit)).await.map_err(|error| unreadable(open, &error))?;
    let walk = walk.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(Walk { mut auditor, blocks, file }) = walk else { return Ok(Report::default()) };
    if let Some(file) = file {
        file.finish()?;
    }
    if let Some(chain) = chain {
        chain.compare(&mut auditor, &blocks, open).await?;
    }
    Ok(auditor.finish())
}

/// What gathers while the books are shown.
struct Walk {
    auditor: Auditor,
    /// Blocks that the chain has a say in.
    blocks: Vec<BookedBlock>,
    file: Option<Writing>,
}

impl Walk {
    fn item(&mut self, item: BookItem, journals: &BTreeMap<String, SharedDisk>, progress: &Progress) -> bool {
        if let Some(file) = &mut self.file {
            file.item(&item);
        }
        if let BookItem::Position { node, position } = &item
            && let Some(disk) = journals.get(node)
        {
            // Within the database's snapshot, which is never ahead of the journal.
            match replay(disk, node, position.seq, self.file.as_mut(), progress) {
                Ok(replay) => self.auditor.replayed(node, replay),
                Err(what) => self.auditor.unusable_journal(node, what),
            }
        }
        if let BookItem::Block(block) = &item {
            self.blocks.extend(BookedBlock::of(block));
        }
        self.auditor.item(item);
        self.file.as_ref().is_none_or(Writing::is_good)
    }
}

fn unreadable(open: &OpenBooks, error: &StoreError) -> Failure {
    Failure::new(
        Code::StoreUnusable,
        format!("{}: {error}", open.place),
        "see whether the database is up; if it is damaged, restore a backup",
    )
}

/// The journal of a data folder, and whose it is.
fn journal_of(folder: &Path) -> Result<(String, SharedDisk), Failure> {
    let unusable = |what: String| {
        Failure::new(
            Code::JournalUnusable,
            format!("{}: {what}", folder.display()),
            "name the data folder of a pool (pool.data_dir), with its journal below",
        )
    };
    let disk =
        FolderDisk::open_read_only(&folder.join("journal")).map_err(|error| unusable(error.to_string()))?;
    let files = disk.list().map_err(|error| unusable(error.to_string()))?;
    let node = files.iter().find_map(|file| file.name.strip_suffix(NODE_SUFFIX)).map(str::to_owned);
    let node = node.ok_or_else(|| unusable("no file says whose journal it is (node-N.node)".to_owned()))?;
    Ok((node, Arc::new(disk)))
}

/// Reads a journal through the database's position.
fn replay(
    disk: &SharedDisk,
    node: &str,
    through: ShareSeq,
    mut file: Option<&mut Writing>,
    progress: &Progress,
) -> Result<Replay, String> {
    let reader = JournalReader::read_only(Arc::clone(disk)).map_err(|fault| fault.to_string())?;
    if reader.committed() < through {
        return Err(format!(
            "the journal ends at record {}, while the database has taken in {through}: they are not of the same backup",
            reader.committed()
        ));
    }
    let first = reader.oldest();
    let mut replay = Replay::new(first);
    if let Some(file) = &mut file {
        file.journal(node, first);
    }
    let mut cursor = reader.cursor_after(ShareSeq(first.0 - 1)).map_err(|fault| fault.to_string())?;
    loop {
        let read = cursor
            .read(SLICE, |seq, entry| {
                if seq <= through {
                    let line = line(entry);
                    if let Some(file) = &mut file {
                        file.line(seq, &line);
                    }
                    replay.line(seq, line);
                }
            })
            .map_err(|fault| fault.to_string())?;
        progress(node, cursor.position().0.min(through.0), through.0);
        if read == 0 || cursor.position() >= through {
            return Ok(replay);
        }
    }
}

fn line(entry: Entry) -> Line {
    match entry {
        Entry::Share(share) => Line::Share {
            account: share.worker.account.clone(),
            worker: share.worker.worker.clone(),
            algorithm: share.algorithm,
            work: share.work,
            at: share.received_at,
            candidate: share.candidate.map(|candidate| candidate.0),
        },
        Entry::Candidate(found) => Line::Candidate {
            id: found.id.0,
            hash: found.block.hash,
            algorithm: found.algorithm,
            network_work: found.network_work,
            account: found.finder.account.clone(),
            worker: found.finder.worker.clone(),
            at: found.found_at,
        },
        Entry::Verdict { hash, verdict, at, .. } => {
            Line::Verdict { hash, at, accepted: verdict == SubmitVerdict::Accepted }
        }
        Entry::Epoch(_) => Line::Epoch,
    }
}
