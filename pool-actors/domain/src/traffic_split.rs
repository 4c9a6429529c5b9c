//! Which sessions of a roll-out go to the new slot.
//!
//! Every session has a fixed place among 10,000, by a hash of its id and the roll-out's salt. The sessions below the
//! share go to the new slot: raising the share only ever moves sessions upward, and the same session always falls on
//! the same side. The salt makes different sessions the first ones in each roll-out.

use crate::ids::{Route, SessionId};
use crate::units::BasisPoints;

/// A division of sessions between a stable and a candidate route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrafficSplit {
    /// Where everyone was before.
    pub stable: Route,
    /// What is being rolled out.
    pub candidate: Route,
    /// The part of the sessions that the candidate gets.
    pub share: BasisPoints,
    /// Fixed for the whole roll-out.
    pub salt: u64,
}

impl TrafficSplit {
    /// Everyone on one route: no roll-out is under way.
    #[must_use]
    pub const fn whole(route: Route) -> Self {
        Self { stable: route, candidate: route, share: BasisPoints::ZERO, salt: 0 }
    }

    /// The route for the next job of a session.
    #[must_use]
    pub fn route(&self, session: SessionId) -> Route {
        if self.is_candidate(session) { self.candidate } else { self.stable }
    }

    /// Whether the session is in the candidate's part.
    #[must_use]
    pub fn is_candidate(&self, session: SessionId) -> bool {
        bucket(session, self.salt) < self.share.0
    }
}

/// The session's place among 10,000.
#[must_use]
pub fn bucket(session: SessionId, salt: u64) -> u32 {
    let hash = mix(session.0 ^ mix(salt));
    u32::try_from(hash % u64::from(BasisPoints::ALL.0)).expect("a remainder of 10,000 fits")
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): every bit of the input moves every bit of the output.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ value >> 31
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ids::{Generation, SlotId};

    fn split(share: u32, salt: u64) -> TrafficSplit {
        let candidate = Route { slot: SlotId(0), generation: Generation(2) };
        TrafficSplit { stable: Route::default(), candidate, share: BasisPoints(share), salt }
    }

    #[test]
    fn shares_come_out_about_right() {
        for share in [500, 1_000, 2_500, 5_000, 7_500] {
            let moved = (0..20_000).filter(|id| split(share, 9).is_candidate(SessionId(*id))).count()
                * 10_000
                / 20_000;
            assert!(moved.abs_diff(share as usize) < 120, "{moved} of {share}");
        }
    }

    #[test]
    fn salts_choose_different_sessions() {
        let first = |salt| {
            (0..1_000)
                .filter(|id| split(500, salt).is_candidate(SessionId(*id)))
                .collect::<std::vec::Vec<_>>()
        };
        assert_ne!(first(1), first(2));
        assert_eq!(first(1), first(1));
    }

    proptest! {
        #[test]
        fn raising_the_share_only_moves_sessions_upward(
            session in any::<u64>(), salt in any::<u64>(), a in 0u32..=10_000, b in 0u32..=10_000,
        ) {
            let (low, high) = (split(a.min(b), salt), split(a.max(b), salt));
            let session = SessionId(session);
            prop_assert!(!low.is_candidate(session) || high.is_candidate(session));
            prop_assert_eq!(low.route(session), if low.is_candidate(session) { low.candidate } else { low.stable });
            prop_assert!(split(10_000, salt).is_candidate(session));
            prop_assert!(!split(0, salt).is_candidate(session));
        }
    }
}
