//! The retained shares of one hash function, with a window into them.
//!
//! The window's per-account sums are kept while shares are pushed (amortised O(1), a look-up of the account aside). A
//! block costs O(accounts), plus the shares between its winning share and where the window stood: a few when blocks
//! come in order, as the journal has them. Siblings may be found at any retained share.
//!
//! The newest shares take 16 bytes each, older ones a few bits (`share_list.rs`).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::ids::{Account, ShareSeq};
use crate::pplns::WindowSnapshot;
use crate::share_list::{Entry, Shape, ShareList};
use crate::units::Work;

/// Where a window begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// As many shares back as hold this much work (at least 1).
    Work(u128),
    /// After this share.
    After(ShareSeq),
}

#[derive(Clone, Debug)]
struct AccountSlot {
    account: Account,
    /// Work of its shares in the window, the edge share in full.
    sum: u128,
    /// Retained shares; at 0 the slot is free.
    retained: u64,
    /// Whose turn in this slot it is: rises when the slot is given to another account.
    turn: u32,
}

/// Where a window keeps an account, for whoever pushes its next share: spares the look-up by name. Never wrong: a window
/// sees by itself when the place has gone to another account. Belongs to the window that filled it in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountPlace {
    slot: u32,
    turn: u32,
}

impl Default for AccountPlace {
    fn default() -> Self {
        Self { slot: u32::MAX, turn: 0 }
    }
}

/// The retained shares of one hash function, with a window into them.
#[derive(Clone, Debug)]
pub struct ShareWindow {
    entries: ShareList,
    /// The window is `entries[tail..head]`.
    tail: usize,
    head: usize,
    bound: Bound,
    /// Work in the window, the edge share in full.
    sum: u128,
    /// Work of all retained shares.
    retained: u128,
    /// The newest share that is no longer retained; 0 when none was dropped.
    dropped_through: ShareSeq,
    /// Shares up to this one would not count even if they were retained.
    begun_after: ShareSeq,
    slots: Vec<AccountSlot>,
    free: Vec<u32>,
    by_account: BTreeMap<Account, u32>,
    works: Vec<u128>,
    by_work: BTreeMap<u128, u32>,
    /// Indices of works that were pushed lately, by their low bits.
    work_cache: [u32; WORK_CACHE],
}

/// Works remembered by their low bits; miners differ in difficulty, and there are few of those.
const WORK_CACHE: usize = 16;

/// Why a window can't be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// Sequence numbers must rise.
    #[error("share {got} does not come after share {newest}")]
    NotRising {
        /// What was pushed.
        got: ShareSeq,
        /// What was there.
        newest: ShareSeq,
    },
    /// The work of the retained shares is beyond 128 bits, or there are more than 2^32 accounts.
    #[error("the share window is full")]
    Overflow,
    /// The winning share is not retained.
    #[error("share {0} is not in the window: rebuild the window from the journal")]
    UnknownShare(ShareSeq),
    /// The window reaches behind what is retained.
    #[error(
        "the window of share {winning} reaches behind share {dropped_through}: rebuild it from the journal"
    )]
    Truncated {
        /// The winning share.
        winning: ShareSeq,
        /// Up to here shares were dropped.
        dropped_through: ShareSeq,
    },
    /// The state that was stored does not describe a window.
    #[error("the stored window is damaged: rebuild it from the journal")]
    Damaged,
}

impl Default for ShareWindow {
    fn default() -> Self {
        Self::new()
    }
}

impl ShareWindow {
    /// Empty; until the first block it takes in everything.
    #[must_use]
    pub const fn new() -> Self {
        Self::shaped(Shape::DEFAULT)
    }

    pub(crate) const fn shaped(shape: Shape) -> Self {
        Self {
            entries: ShareList::new(shape),
            tail: 0,
            head: 0,
            bound: Bound::After(ShareSeq(0)),
            sum: 0,
            retained: 0,
            dropped_through: ShareSeq(0),
            begun_after: ShareSeq(0),
            slots: Vec::new(),
            free: Vec::new(),
            by_account: BTreeMap::new(),
            works: Vec::new(),
            by_work: BTreeMap::new(),
            work_cache: [0; WORK_CACHE],
        }
    }

    /// Takes in an accepted share.
    ///
    /// # Errors
    /// [`WindowError::NotRising`] (nothing changes: the share was taken in before), [`WindowError::Overflow`].
    pub fn push(&mut self, seq: ShareSeq, account: &Account, work: Work) -> Result<(), WindowError> {
        self.push_at(seq, account, work, &mut AccountPlace::default())
    }

    /// As [`Self::push`], with the place that this window gave the account last time.
    ///
    /// # Errors
    /// As [`Self::push`].
    #[inline]
    pub fn push_at(
        &mut self,
        seq: ShareSeq,
        account: &Account,
        work: Work,
        place: &mut AccountPlace,
    ) -> Result<(), WindowError> {
        let newest = self.newest();
        if seq <= newest {
            return Err(WindowError::NotRising { got: seq, newest });
        }
        let retained = self.retained.checked_add(work.0).ok_or(WindowError::Overflow)?;
        let index = self.work_index(work.0)?;
        let known = self.slots.get(place.slot as usize);
        if known.is_none_or(|slot| slot.turn != place.turn || slot.retained == 0) {
            *place = self.place_of(account)?;
        }
        let slot = &mut self.slots[place.slot as usize];
        debug_assert_eq!(
            slot.account, *account,
            "a place is used with the window and account it was made for"
        );
        slot.retained += 1;
        self.retained = retained;
        self.entries.push_back(Entry { seq, account: place.slot, work: index });
        if self.head + 1 == self.entries.len() {
            slot.sum += work.0;
            self.sum += work.0;
            self.head += 1;
        } else {
            self.move_head(self.entries.len());
        }
        self.trim();
        Ok(())
    }

    /// The newest share taken in; 0 when there was none.
    #[must_use]
    pub fn newest(&self) -> ShareSeq {
        self.entries.back().map_or(self.dropped_through, |entry| entry.seq)
    }

    /// Shares up to this one are no longer retained; 0 when none was dropped. A rebuild reads on after it.
    #[must_use]
    pub const fn dropped_through(&self) -> ShareSeq {
        self.dropped_through
    }

    /// Shares retained.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes on the heap that the shares take, accounts aside.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.entries.heap_bytes()
    }

    /// No share is retained.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Drops the oldest shares while those that remain hold at least `keep` work. Keep a multiple of the window, for
    /// siblings found late and for a network difficulty that rises.
    pub fn prune_to_work(&mut self, keep: Work) {
        while let Some(front) = self.entries.front() {
            if self.retained - self.works[front.work as usize] < keep.0 {
                break;
            }
            self.drop_oldest();
        }
    }

    /// Drops the shares up to and including this one (a round that is over).
    pub fn prune_through(&mut self, seq: ShareSeq) {
        while self.entries.front().is_some_and(|front| front.seq <= seq) {
            self.drop_oldest();
        }
    }

    /// Forgets all shares for good: a window that reaches further back than the next one ends there.
    pub fn begin_anew(&mut self) {
        self.prune_through(self.newest());
        self.begun_after = self.dropped_through;
    }

    fn drop_oldest(&mut self) {
        if self.tail == 0 && self.head > 0 {
            self.shrink_tail();
        }
        let Some(entry) = self.entries.pop_front() else { return };
        self.tail = self.tail.saturating_sub(1);
        self.head = self.head.saturating_sub(1);
        self.retained -= self.works[entry.work as usize];
        self.dropped_through = entry.seq;
        let slot = &mut self.slots[entry.account as usize];
        slot.retained -= 1;
        if slot.retained == 0 {
            // Whoever still knows the place looks the account up again.
            slot.turn = slot.turn.wrapping_add(1);
            self.by_account.remove(&slot.account);
            self.free.push(entry.account);
        }
    }

    #[cold]
    fn place_of(&mut self, account: &Account) -> Result<AccountPlace, WindowError> {
        if let Some(index) = self.by_account.get(account) {
            return Ok(AccountPlace { slot: *index, turn: self.slots[*index as usize].turn });
        }
        let place = if let Some(index) = self.free.pop() {
            let slot = &mut self.slots[index as usize];
            slot.account = account.clone();
            slot.sum = 0;
            AccountPlace { slot: index, turn: slot.turn }
        } else {
            // One less than fits: no slot has the number of the place that is none.
            let index = u32::try_from(self.slots.len()).ok().filter(|index| *index < u32::MAX);
            let place = AccountPlace { slot: index.ok_or(WindowError::Overflow)?, turn: 0 };
            self.slots.push(AccountSlot { account: account.clone(), sum: 0, retained: 0, turn: 0 });
            place
        };
        self.by_account.insert(account.clone(), place.slot);
        Ok(place)
    }

    #[inline]
    fn work_index(&mut self, work: u128) -> Result<u32, WindowError> {
        // Difficulties are quantised: there are few distinct works.
        let low = (work % WORK_CACHE as u128) as usize;
        let cached = self.work_cache[low];
        if self.works.get(cached as usize) == Some(&work) {
            return Ok(cached);
        }
        let index = self.find_work(work)?;
        self.work_cache[low] = index;
        Ok(index)
    }

    #[cold]
    fn find_work(&mut self, work: u128) -> Result<u32, WindowError> {
        if let Some(index) = self.by_work.get(&work) {
            return Ok(*index);
        }
        let index = u32::try_from(self.works.len()).map_err(|_| WindowError::Overflow)?;
        self.works.push(work);
        self.by_work.insert(work, index);
        Ok(index)
    }

    fn work_at(&mut self, at: usize) -> u128 {
        self.works[self.entries.get(at).work as usize]
    }

    fn add(&mut self, at: usize) {
        let entry = self.entries.get(at);
        let work = self.works[entry.work as usize];
        self.sum += work;
        self.slots[entry.account as usize].sum += work;
    }

    fn subtract(&mut self, at: usize) {
        let entry = self.entries.get(at);
        let work = self.works[entry.work as usize];
        self.sum -= work;
        self.slots[entry.account as usize].sum -= work;
    }

    fn shrink_tail(&mut self) {
        self.subtract(self.tail);
        self.tail += 1;
    }

    fn move_head(&mut self, head: usize) {
        while self.head < head {
            self.add(self.head);
            self.head += 1;
        }
        while self.head > head {
            self.head -= 1;
            if self.head < self.tail {
                self.tail = self.head;
            } else {
                self.subtract(self.head);
            }
        }
    }

    /// Takes shares out at the old end that the window holds without.
    fn trim(&mut self) {
        while self.tail < self.head {
            let outside = match self.bound {
                Bound::Work(work) => self.sum - self.work_at(self.tail) >= work,
                Bound::After(seq) => self.entries.get(self.tail).seq <= seq,
            };
            if !outside {
                break;
            }
            self.shrink_tail();
        }
    }

    /// Takes shares in at the old end until the window is full.
    fn extend(&mut self) {
        while self.tail > 0 {
            let inside = match self.bound {
                Bound::Work(work) => self.sum < work,
                Bound::After(seq) => self.entries.get(self.tail - 1).seq > seq,
            };
            if !inside {
                break;
            }
            self.tail -= 1;
            self.add(self.tail);
        }
    }

    fn position(&mut self, winning: ShareSeq) -> Result<usize, WindowError> {
        self.entries.find(winning).ok_or(WindowError::UnknownShare(winning))
    }

    pub(crate) fn snapshot(
        &mut self,
        winning: ShareSeq,
        bound: Bound,
    ) -> Result<WindowSnapshot, WindowError> {
        let last = self.position(winning)?;
        self.bound = bound;
        self.move_head(last + 1);
        self.extend();
        self.trim();
        let (short, excess) = match bound {
            Bound::Work(work) => (self.sum < work, self.sum.saturating_sub(work)),
            Bound::After(seq) => (self.dropped_through > seq, 0),
        };
        if short && self.tail == 0 && self.dropped_through > self.begun_after {
            return Err(WindowError::Truncated { winning, dropped_through: self.dropped_through });
        }
        if self.tail >= self.head {
            // The round began after its own winning share: the caller's order of blocks is wrong.
            return Err(WindowError::UnknownShare(winning));
        }
        let edge = self.entries.get(self.tail);
        let counted = |index: u32, sum: u128| if index == edge.account { sum - excess } else { sum };
        let mut weights: Vec<_> = (0u32..)
            .zip(&self.slots)
            .filter(|(_, slot)| slot.retained > 0 && slot.sum > 0)
            .map(|(index, slot)| (slot.account.clone(), Work(counted(index, slot.sum))))
            .filter(|(_, work)| work.0 > 0)
            .collect();
        weights.sort_unstable();
        let first_counted = Work(self.work_at(self.tail) - excess);
        Ok(WindowSnapshot {
            winning,
            first: edge.seq,
            first_counted,
            total: Work(self.sum - excess),
            weights,
        })
    }

    pub(crate) fn single(&mut self, winning: ShareSeq) -> Result<WindowSnapshot, WindowError> {
        let at = self.position(winning)?;
        let entry = self.entries.get(at);
        let work = Work(self.works[entry.work as usize]);
        let account = self.slots[entry.account as usize].account.clone();
        Ok(WindowSnapshot {
            winning,
            first: winning,
            first_counted: work,
            total: work,
            weights: [(account, work)].into(),
        })
    }

    /// What is needed to go on after a restart.
    #[must_use]
    pub fn state(&self) -> WindowState {
        WindowState {
            dropped_through: self.dropped_through,
            accounts: self.slots.iter().map(|slot| slot.account.clone()).collect(),
            works: self.works.iter().copied().map(Work).collect(),
            shares: self
                .entries
                .to_vec()
                .into_iter()
                .map(|entry| (entry.seq, entry.account, entry.work))
                .collect(),
        }
    }

    /// Rebuilds the window; the same sums come out of it.
    ///
    /// # Errors
    /// [`WindowError::Damaged`].
    pub fn from_state(state: &WindowState) -> Result<Self, WindowError> {
        let mut window = Self { dropped_through: state.dropped_through, ..Self::new() };
        for (seq, account, work) in &state.shares {
            let account = state.accounts.get(*account as usize).ok_or(WindowError::Damaged)?;
            let work = state.works.get(*work as usize).ok_or(WindowError::Damaged)?;
            window.push(*seq, account, *work).map_err(|_| WindowError::Damaged)?;
        }
        Ok(window)
    }
}

/// The stored form of a [`ShareWindow`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowState {
    /// The newest share that is not in here any more.
    pub dropped_through: ShareSeq,
    /// Accounts that `shares` refers to.
    pub accounts: Vec<Account>,
    /// Works that `shares` refers to.
    pub works: Vec<Work>,
    /// Sequence number, index of the account, index of the work.
    pub shares: Vec<(ShareSeq, u32, u32)>,
}
