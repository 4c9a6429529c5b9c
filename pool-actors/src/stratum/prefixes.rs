//! Extranonce prefixes of one length: whose they are, and how many one address may have. Short prefixes are few (two
//! bytes number 16,384 sessions), and one that was searched rests after its session, so without a limit a single
//! address could use them all up by connecting and leaving.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
};

use pool_domain::{
    extranonce::{ExtranonceAllocator, ExtranonceError, ExtranonceLayout, ExtranoncePrefix},
    units::TimeMs,
};

use super::gate::key;

/// Why a session gets no prefix, in words for its miner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoPrefix {
    /// The address has as many as it may have.
    #[error(
        "Too many sessions from your address on this port (at most {most}, those that ended within {rest_s} s included): close some, or try again later"
    )]
    PerAddress {
        /// As many as that.
        most: u64,
        /// Rest of a released prefix, seconds.
        rest_s: u64,
    },
    /// None is left for anybody.
    #[error("The pool has no extranonce left on this port: try again in a minute, or use another port")]
    Exhausted,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Prefixes {
    allocator: ExtranonceAllocator,
    quarantine_ms: u64,
    per_address_max: u64,
    /// Prefixes in use by an address, and those that rest because of it.
    held: HashMap<IpAddr, u64>,
    /// When they were released, and by whom, oldest first.
    resting: VecDeque<(TimeMs, IpAddr)>,
}

impl Prefixes {
    /// All prefixes of a layout; one address may have `part_basis_points` of them.
    #[must_use]
    pub fn new(layout: ExtranonceLayout, epoch: u64, quarantine_ms: u64, part_basis_points: u32) -> Self {
        let part = u128::from(layout.capacity()) * u128::from(part_basis_points) / 10_000;
        Self {
            allocator: ExtranonceAllocator::new(layout, epoch, quarantine_ms),
            quarantine_ms,
            per_address_max: u64::try_from(part).unwrap_or(u64::MAX).max(1),
            held: HashMap::new(),
            resting: VecDeque::new(),
        }
    }

    /// A prefix that nobody else has.
    ///
    /// # Errors
    /// [`NoPrefix`].
    pub fn allocate(&mut self, ip: IpAddr, now: TimeMs) -> Result<ExtranoncePrefix, NoPrefix> {
        self.forget_rested(now);
        let ip = key(ip);
        let held = self.held.get(&ip).copied().unwrap_or_default();
        if held >= self.per_address_max {
            let rest_s = self.quarantine_ms.div_ceil(1_000);
            return Err(NoPrefix::PerAddress { most: self.per_address_max, rest_s });
        }
        let prefix = self.allocator.allocate(now).map_err(|error| match error {
            ExtranonceError::Exhausted(_) | ExtranonceError::Layout { .. } => NoPrefix::Exhausted,
        })?;
        self.held.insert(ip, held + 1);
        Ok(prefix)
    }

    /// Takes a prefix back. One that was searched rests; another need not, so that whoever connects, subscribes and goes
    /// uses up none. False if it was not in use.
    pub fn release(&mut self, prefix: ExtranoncePrefix, ip: IpAddr, searched: bool, now: TimeMs) -> bool {
        self.forget_rested(now);
        let ip = key(ip);
        let released = self.allocator.release(prefix, if searched { now } else { TimeMs(0) });
        match (released, searched) {
            (true, true) => self.resting.push_back((now, ip)),
            (true, false) => self.give_back(ip),
            (false, _) => {}
        }
        released
    }

    fn forget_rested(&mut self, now: TimeMs) {
        while let Some((released, ip)) = self.resting.front().copied()
            && now.since(released) >= self.quarantine_ms
        {
            self.resting.pop_front();
            self.give_back(ip);
        }
    }

    fn give_back(&mut self, ip: IpAddr) {
        if let Some(held) = self.held.get_mut(&ip) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                self.held.remove(&ip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    /// Sixteen prefixes, a quarter of them for each address.
    fn sixteen() -> Prefixes {
        Prefixes::new(ExtranonceLayout::with_epoch_bits(1, 4).unwrap(), 1, 1_000, 2_500)
    }

    #[test]
    fn one_address_has_its_part_whether_in_use_or_at_rest() {
        let mut prefixes = sixteen();
        let mine: Vec<_> = (0..4).map(|_| prefixes.allocate(ip(1), TimeMs(0)).unwrap()).collect();
        let refused = NoPrefix::PerAddress { most: 4, rest_s: 1 };
        assert_eq!(prefixes.allocate(ip(1), TimeMs(0)), Err(refused));
        assert!(prefixes.allocate(ip(2), TimeMs(0)).is_ok(), "others are not concerned");
        assert!(prefixes.release(mine[0], ip(1), false, TimeMs(1)));
        let again = prefixes.allocate(ip(1), TimeMs(1)).unwrap();
        assert!(prefixes.release(again, ip(1), true, TimeMs(2)));
        assert!(!prefixes.release(again, ip(1), true, TimeMs(2)), "once only");
        assert_eq!(prefixes.allocate(ip(1), TimeMs(1_001)), Err(refused), "it rests");
        assert!(prefixes.allocate(ip(1), TimeMs(1_002)).is_ok());
    }

    #[test]
    fn nothing_is_remembered_of_who_has_nothing() {
        let mut prefixes = sixteen();
        for round in 0..100 {
            let now = TimeMs(round * 2_000);
            let prefix = prefixes.allocate(ip(u8::try_from(round).unwrap()), now).unwrap();
            prefixes.release(prefix, ip(u8::try_from(round).unwrap()), true, now);
        }
        prefixes.forget_rested(TimeMs(1_000_000));
        assert!(prefixes.held.is_empty() && prefixes.resting.is_empty());
    }

    #[test]
    fn when_all_are_gone_everybody_is_told() {
        let mut prefixes = sixteen();
        for address in 0..4 {
            for _ in 0..4 {
                prefixes.allocate(ip(address), TimeMs(0)).unwrap();
            }
        }
        assert_eq!(prefixes.allocate(ip(9), TimeMs(0)), Err(NoPrefix::Exhausted));
    }
}
