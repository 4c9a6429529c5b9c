//! Shares that await their verdict, by the token of their ticket.

use std::rc::Rc;

use pool_domain::{ids::JobId, share::Solution, units::TimeMs};

use crate::stratum::{context::Bound, wire::ReplyId};

/// What is needed to answer a share.
#[derive(Debug)]
pub struct Pending {
    /// The request's id.
    pub id: ReplyId,
    /// What it earns if it is accepted.
    pub bound: Rc<Bound>,
    /// When its bytes were read.
    pub received_at: TimeMs,
    /// Number of the session's worker.
    pub worker: u16,
    /// Other jobs it may be for.
    pub guess: Option<Box<Guess>>,
}

/// A share of firmware that names wrong jobs.
#[derive(Debug, Clone, Copy)]
pub struct Guess {
    /// What the miner chose.
    pub solution: Solution,
    /// The job it named.
    pub named: JobId,
    /// The job tried last, apart from the named one.
    pub tried: Option<JobId>,
    /// Jobs that may still be tried.
    pub left: u8,
}

/// A table with tokens as indices; places are used again. Bounded by the session's credit, and next to nothing for a
/// session that never sent a share.
#[derive(Debug, Default)]
pub struct PendingTable(Option<Box<Places>>);

#[derive(Debug, Default)]
struct Places {
    places: Vec<Option<Pending>>,
    free: Vec<u32>,
}

impl PendingTable {
    /// Keeps a share; the token finds it again.
    pub fn insert(&mut self, pending: Pending) -> u32 {
        let Places { places, free } = &mut **self.0.get_or_insert_default();
        if let Some(token) = free.pop() {
            places[token as usize] = Some(pending);
            return token;
        }
        places.push(Some(pending));
        u32::try_from(places.len() - 1).expect("credit bounds the table far below 2^32 places")
    }

    /// Takes a share out.
    pub fn take(&mut self, token: u32) -> Option<Pending> {
        let Places { places, free } = &mut **self.0.as_mut()?;
        let pending = places.get_mut(token as usize)?.take()?;
        free.push(token);
        Some(pending)
    }
}
