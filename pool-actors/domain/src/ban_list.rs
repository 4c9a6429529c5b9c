//! Addresses that may not connect, as several pools agree on them. Each pool has its list, and a shared one lies between
//! them that may be lost at any time; whoever meets it takes what is newer there and gives what is newer here. What was
//! decided last wins, so that lists become the same in whatever order they are exchanged, and a ban that was lifted at
//! one pool does not come back from another.

use alloc::{collections::BTreeMap, vec::Vec};
use core::net::IpAddr;

use crate::units::TimeMs;

/// Why an address was banned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BanReason {
    /// Too many lines that are no requests.
    Malformed,
    /// Too large a share of its shares was invalid.
    InvalidShares,
    /// The algorithm panicked on too many of its shares.
    PoisonousShares,
    /// An operator said so.
    Operator,
}

impl BanReason {
    /// The label in metrics and in the security log.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::InvalidShares => "invalid_shares",
            Self::PoisonousShares => "poisonous_shares",
            Self::Operator => "operator",
        }
    }
}

/// The last decision about an address. The order of the fields decides between two of the same moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Ban {
    /// When it was decided.
    pub decided_at: TimeMs,
    /// It was lifted: the address may connect.
    pub lifted: bool,
    /// When it ends; a lifted one is remembered as long.
    pub until: TimeMs,
    /// Why it was banned.
    pub reason: BanReason,
}

impl Ban {
    /// Whether the address may not connect at `now`.
    #[must_use]
    pub fn holds(&self, now: TimeMs) -> bool {
        !self.lifted && !self.is_over(now)
    }

    /// Whether it can be forgotten.
    #[must_use]
    pub fn is_over(&self, now: TimeMs) -> bool {
        self.until <= now
    }
}

/// The last decision about each address.
pub type BanList = BTreeMap<IpAddr, Ban>;

/// What two lists owe each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exchange {
    /// What is newer in theirs.
    pub take: BanList,
    /// What is newer in ours.
    pub give: BanList,
    /// What is over in theirs.
    pub over: Vec<IpAddr>,
}

/// Compares two lists.
#[must_use]
pub fn exchange(ours: &BanList, theirs: &BanList, now: TimeMs) -> Exchange {
    let newer = |here: &BanList, there: &BanList| {
        let is_newer = |(address, ban): &(&IpAddr, &Ban)| {
            !ban.is_over(now) && there.get(*address).is_none_or(|other| other.is_over(now) || other < *ban)
        };
        here.iter().filter(is_newer).map(|(address, ban)| (*address, *ban)).collect::<BanList>()
    };
    let (take, give) = (newer(theirs, ours), newer(ours, theirs));
    let over = theirs.iter().filter(|(address, ban)| ban.is_over(now) && !give.contains_key(address));
    Exchange { over: over.map(|(address, _)| *address).collect(), take, give }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ban(decided_at: u64, lifted: bool, until: u64) -> Ban {
        Ban { decided_at: TimeMs(decided_at), lifted, until: TimeMs(until), reason: BanReason::Malformed }
    }

    fn list(bans: &[(u8, Ban)]) -> BanList {
        bans.iter().map(|(last, ban)| (IpAddr::from([10, 0, 0, *last]), *ban)).collect()
    }

    #[test]
    fn what_was_decided_last_wins() {
        let ours = list(&[(1, ban(5, false, 100)), (2, ban(9, true, 100)), (3, ban(1, false, 50))]);
        let theirs = list(&[(1, ban(6, true, 100)), (2, ban(8, false, 100)), (4, ban(2, false, 50))]);
        let found = exchange(&ours, &theirs, TimeMs(50));
        assert_eq!(found.take, list(&[(1, ban(6, true, 100))]));
        assert_eq!(found.give, list(&[(2, ban(9, true, 100))]));
        assert_eq!(found.over, [IpAddr::from([10, 0, 0, 4])]);
        assert!(ban(5, false, 100).holds(TimeMs(99)) && !ban(5, false, 100).holds(TimeMs(100)));
        assert!(!ban(6, true, 100).holds(TimeMs(7)));
    }

    #[test]
    fn a_shared_list_that_was_lost_is_written_again() {
        let ours = list(&[(1, ban(5, false, 100)), (2, ban(9, true, 100))]);
        let found = exchange(&ours, &BanList::new(), TimeMs(10));
        assert_eq!(found, Exchange { give: ours, ..Exchange::default() });
    }

    fn lists() -> impl Strategy<Value = BanList> {
        let bans = (0..6_u8, 0..4_u64, any::<bool>(), 90..110_u64);
        proptest::collection::vec(bans, 0..8).prop_map(|bans| {
            let bans = bans.into_iter().map(|(last, at, lifted, until)| (last, ban(at, lifted, until)));
            list(&bans.collect::<Vec<_>>())
        })
    }

    proptest! {
        /// Two pools and the list between them hold the same after each has met it, the first twice.
        #[test]
        fn all_lists_become_the_same(mut one in lists(), mut other in lists(), mut shared in lists()) {
            let now = TimeMs(100);
            let meet = |pool: &mut BanList, shared: &mut BanList| {
                let found = exchange(pool, shared, now);
                pool.extend(found.take);
                shared.extend(found.give);
                shared.retain(|address, _| !found.over.contains(address));
            };
            meet(&mut one, &mut shared);
            meet(&mut other, &mut shared);
            meet(&mut one, &mut shared);
            one.retain(|_, ban| !ban.is_over(now));
            other.retain(|_, ban| !ban.is_over(now));
            prop_assert_eq!(&one, &other);
            prop_assert_eq!(&one, &shared);
            prop_assert_eq!(exchange(&one, &shared, now), Exchange::default());
        }
    }
}
