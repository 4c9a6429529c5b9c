//! Which hash functions are mined, and who mines which: what a migration moves.
//!
//! Most of the time there is one function, and everyone mines it. While a migration is under way there are two: those
//! sessions that said they can do both move to the new one by the traffic split, the others stay. Once the old function
//! has ended, who can do nothing but it has no work: it is never fed what it can't do.

use crate::{
    ids::{AlgorithmName, SessionId},
    traffic_split::bucket,
    units::BasisPoints,
};

/// The functions that jobs are issued for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Functions {
    /// What everyone mines who is not moved.
    pub main: AlgorithmName,
    /// What sessions are moved to, while a migration is under way.
    pub moving: Option<Moving>,
}

/// A migration under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moving {
    /// The new function.
    pub to: AlgorithmName,
    /// The part of the sessions that mine it, of those that can do both.
    pub share: BasisPoints,
    /// Fixed for the whole migration.
    pub salt: u64,
}

impl Functions {
    /// Everyone mines one function.
    #[must_use]
    pub const fn only(main: AlgorithmName) -> Self {
        Self { main, moving: None }
    }

    /// Whether jobs of this function are issued.
    #[must_use]
    pub fn includes(&self, function: &AlgorithmName) -> bool {
        self.main == *function || self.moving.as_ref().is_some_and(|moving| moving.to == *function)
    }

    /// What a session is to mine; `None` = nothing that it can do is mined (any more).
    ///
    /// `able` is what its miner said it can do. Who said nothing can do what it mines already (`on`), and only that; a
    /// fresh one gets the main function, as its operator pointed it at this pool.
    #[must_use]
    pub fn assigned(
        &self,
        session: SessionId,
        able: Option<&[AlgorithmName]>,
        on: Option<&AlgorithmName>,
    ) -> Option<&AlgorithmName> {
        let Some(able) = able else {
            return on.is_none_or(|on| *on == self.main).then_some(&self.main);
        };
        let moved = self
            .moving
            .as_ref()
            .filter(|moving| bucket(session, moving.salt) < moving.share.0 && able.contains(&moving.to));
        match moved {
            Some(moving) => Some(&moving.to),
            None => able.contains(&self.main).then_some(&self.main),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> AlgorithmName {
        AlgorithmName::new(text).unwrap()
    }

    fn migration(share: u32) -> Functions {
        let moving = Moving { to: name("blake3"), share: BasisPoints(share), salt: 7 };
        Functions { main: name("blake2s"), moving: Some(moving) }
    }

    #[test]
    fn who_said_nothing_stays_on_what_it_mines_and_then_has_nothing() {
        let (old, new) = (name("blake2s"), name("blake3"));
        for share in [0, 5_000, 10_000] {
            let functions = migration(share);
            assert_eq!(functions.assigned(SessionId(1), None, None), Some(&old), "a fresh one");
            assert_eq!(functions.assigned(SessionId(1), None, Some(&old)), Some(&old));
        }
        let after = Functions::only(new.clone());
        assert_eq!(after.assigned(SessionId(1), None, Some(&old)), None, "never fed what it can't do");
        assert_eq!(after.assigned(SessionId(1), None, Some(&new)), Some(&new));
        assert_eq!(after.assigned(SessionId(1), None, None), Some(&new));
    }

    #[test]
    fn what_a_miner_says_it_can_do_decides() {
        let functions = migration(10_000);
        let session = SessionId(3);
        let assigned = |able: &[&str]| {
            let able: Vec<_> = able.iter().map(|text| name(text)).collect();
            functions.assigned(session, Some(&able), None).map(AlgorithmName::as_str)
        };
        assert_eq!(assigned(&["blake2s", "blake3"]), Some("blake3"));
        assert_eq!(assigned(&["blake3"]), Some("blake3"));
        assert_eq!(assigned(&["blake2s"]), Some("blake2s"));
        assert_eq!(assigned(&["scrypt"]), None);
        assert_eq!(assigned(&[]), None);
        assert!(functions.includes(&name("blake3")) && functions.includes(&name("blake2s")));
        assert!(!functions.includes(&name("scrypt")));
    }

    proptest! {
        #[test]
        fn sessions_move_upward_only_and_never_to_what_they_cannot_do(
            session in any::<u64>(), a in 0u32..=10_000, b in 0u32..=10_000, both in any::<bool>(),
        ) {
            let able: Vec<_> = if both { std::vec![name("blake2s"), name("blake3")] } else { std::vec![name("blake2s")] };
            let at = |share| {
                migration(share).assigned(SessionId(session), Some(&able), None).cloned().unwrap()
            };
            let (low, high) = (at(a.min(b)), at(a.max(b)));
            prop_assert!(able.contains(&low) && able.contains(&high));
            prop_assert!(low.as_str() != "blake3" || high.as_str() == "blake3");
            let (first, last) = (at(0), at(10_000));
            prop_assert_eq!(first.as_str(), "blake2s");
            prop_assert_eq!(last.as_str() == "blake3", both);
        }
    }
}
