//! Whose data folder it is: `pool.node_id` names a journal's place in the ledger, so a folder that was begun under one
//! number can't go on under another. The ledger would read the whole journal again, and credit it twice.

use super::start::refused;
use crate::{
    error::{Code, Failure},
    ports::{
        disk::{Disk, DiskEntry},
        store::StorePort,
    },
};

/// The name is in the file's name, so that claiming a folder is one step, which nothing can tear.
const SUFFIX: &str = ".node";
/// Files of an unmarked folder that was in use: the journal's segments.
const SEGMENT_SUFFIX: &str = ".journal";

/// The ledger's name of the node with this number.
pub(super) fn node_name(node_id: u16) -> String {
    format!("node-{node_id}")
}

/// Refuses a folder of another node; marks one that is nobody's as this node's.
pub(super) async fn claim(disk: &dyn Disk, store: &dyn StorePort, node_id: u16) -> Result<(), Failure> {
    if check(disk, store, node_id).await? {
        return Ok(());
    }
    disk.create(&format!("{}{SUFFIX}", node_name(node_id)), 0)
        .map(drop)
        .map_err(|error| refused(&format!("a file in {}", disk.place()), &error))
}

/// Refuses a folder of another node. Returns whether it is marked as this node's.
pub(super) async fn check(disk: &dyn Disk, store: &dyn StorePort, node_id: u16) -> Result<bool, Failure> {
    let node = node_name(node_id);
    let files = disk.list().map_err(|error| refused(&format!("to list {}", disk.place()), &error))?;
    let mut owners = files.iter().filter_map(|file| file.name.strip_suffix(SUFFIX)).peekable();
    if owners.peek().is_some() {
        return match owners.find(|owner| *owner != node) {
            None => Ok(true),
            Some(other) => Err(changed(disk, &node, other)),
        };
    }
    // A folder from before folders were marked: its ledger knows who wrote there.
    let used = |file: &DiskEntry| file.name.ends_with(SEGMENT_SUFFIX);
    if files.iter().any(used) {
        let known = store.nodes().await.map_err(|error| {
            Failure::new(
                Code::StoreUnusable,
                format!("the ledger's store: {error}"),
                "see store.url in the configuration",
            )
        })?;
        if let Some(other) = known.first().filter(|_| !known.contains(&node)) {
            return Err(changed(disk, &node, other));
        }
    }
    Ok(false)
}

fn changed(disk: &dyn Disk, node: &str, other: &str) -> Failure {
    let back = other.strip_prefix("node-").unwrap_or(other);
    Failure::new(
        Code::NodeIdChanged,
        format!("pool.node_id says {node}, but the journal in {} was written by {other}", disk.place()),
        format!(
            "set pool.node_id = {back} to go on with it, or set pool.data_dir to a new folder for a new node"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::{disk_memory::MemoryDisk, sqlite::SqliteStore};
    use pool_domain::units::TimeMs;

    #[actix_rt::test]
    async fn a_folder_belongs_to_the_node_that_began_it() {
        let folder = tempfile::tempdir().unwrap();
        // Its threads are not needed: only a used folder without a mark makes it ask.
        let (store, _) = SqliteStore::open(&folder.path().join("pool.db"), TimeMs(0)).unwrap();
        let disk = MemoryDisk::new();
        claim(&disk, &store, 3).await.unwrap();
        claim(&disk, &store, 3).await.unwrap();
        let failure = claim(&disk, &store, 4).await.unwrap_err();
        assert_eq!(failure.code, Code::NodeIdChanged);
        assert!(failure.what.contains("node-4") && failure.what.contains("node-3"), "{failure}");
        assert!(failure.advice.contains("pool.node_id = 3"), "{failure}");
        assert!(check(&disk, &store, 3).await.unwrap());
    }
}
