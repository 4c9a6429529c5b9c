//! Shares that await their verdict, by the token of their ticket.

use std::rc::Rc;

use pool_domain::{ids::JobId, prefetch::fetch_ahead, share::Solution, units::TimeMs};
use smallvec::SmallVec;

use crate::stratum::{context::Bound, jobs::Label, wire::ReplyId};

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
    /// Where it is counted.
    pub label: Label,
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

/// Places that are fetched ahead of need.
const PLACES_AHEAD: usize = 4;

/// A table with tokens as indices; places are used again. Bounded by the session's credit, and next to nothing for a
/// session that never sent a share. One allocation while one share is under way, which is the rule.
#[derive(Debug, Default)]
pub struct PendingTable(Option<Box<Places>>);

#[derive(Debug, Default)]
struct Places {
    /// The first free place; the number of places if there is none.
    free: u32,
    places: SmallVec<[Place; 1]>,
}

#[derive(Debug)]
enum Place {
    Taken(Pending),
    /// And the next free one.
    Free(u32),
}

impl PendingTable {
    /// Something is about to be kept or taken: fetches the table (`depth` 1), then the places of a session with several
    /// shares under way (2).
    #[inline]
    pub fn fetch_ahead(&self, depth: usize) {
        let Some(places) = &self.0 else { return };
        if depth == 1 {
            fetch_ahead(&**places);
        } else {
            fetch_ahead(&places.places[..places.places.len().min(PLACES_AHEAD)]);
        }
    }

    /// Whether no share awaits its verdict. Looks at each place.
    pub fn is_empty(&self) -> bool {
        let places = self.0.as_ref().map_or(&[][..], |places| &places.places[..]);
        places.iter().all(|place| matches!(place, Place::Free(_)))
    }

    /// Keeps a share; the token finds it again.
    pub fn insert(&mut self, pending: Pending) -> u32 {
        let Places { places, free } = &mut **self.0.get_or_insert_default();
        let token = *free;
        match places.get_mut(token as usize) {
            Some(place) => {
                if let Place::Free(next) = *place {
                    *free = next;
                }
                *place = Place::Taken(pending);
            }
            None => {
                places.push(Place::Taken(pending));
                *free = u32::try_from(places.len()).expect("credit bounds the table far below 2^32 places");
            }
        }
        token
    }

    /// Takes a share out.
    pub fn take(&mut self, token: u32) -> Option<Pending> {
        let Places { places, free } = &mut **self.0.as_mut()?;
        let place = places.get_mut(token as usize)?;
        if matches!(place, Place::Free(_)) {
            return None;
        }
        match std::mem::replace(place, Place::Free(*free)) {
            Place::Taken(pending) => {
                *free = token;
                Some(pending)
            }
            Place::Free(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use pool_domain::{
        difficulty::{Difficulty, DifficultyScale},
        target::Target,
        units::Work,
    };
    use proptest::prelude::*;

    use super::*;

    fn pending(worker: u16) -> Pending {
        let (difficulty, scale) = (Difficulty::MIN, DifficultyScale::SHA256D);
        let bound = Rc::new(Bound { difficulty, scale, target: Target::MIN, work: Work(1) });
        Pending { id: ReplyId::null(), bound, received_at: TimeMs(0), worker, label: Label(0), guess: None }
    }

    proptest! {
        #[test]
        fn a_token_finds_its_share_once(steps in prop::collection::vec(0..6u32, 1..200)) {
            let (mut table, mut model, mut number) = (PendingTable::default(), BTreeMap::new(), 0u16);
            for step in steps {
                if step < 3 {
                    let token = table.insert(pending(number));
                    prop_assert!(model.insert(token, number).is_none(), "the place was free");
                    prop_assert!((token as usize) < model.len() + 6, "places are used again");
                    number += 1;
                } else {
                    let found = table.take(step - 3).map(|pending| pending.worker);
                    prop_assert_eq!(found, model.remove(&(step - 3)));
                }
                prop_assert_eq!(table.is_empty(), model.is_empty());
            }
        }
    }
}
