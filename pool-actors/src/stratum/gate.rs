//! Who may connect: limits per pool and per address, and temporary bans. Plain rules that are told the time; one gate is
//! shared by all listeners and arbiters, and touched only when a connection begins, authorises or ends.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
};

use pool_domain::{
    ban_list::{Ban, BanList, BanReason},
    units::TimeMs,
};

/// How long a share that the algorithm panicked on is held against its address.
const STRIKE_MS: u64 = 3_600_000;

/// Limits of a gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateLimits {
    /// Connections at once.
    pub connections_max: usize,
    /// Connections at once from one address.
    pub connections_per_ip_max: usize,
    /// New connections a second from one address; one second's worth may come at once.
    pub connect_rate_per_ip_max: u32,
    /// Connections that have not authorised, at once.
    pub handshakes_max: usize,
    /// Length of a ban; 0 = nobody is banned.
    pub ban_ms: u64,
    /// Bans remembered at once.
    pub bans_max: usize,
}

/// Why a connection is closed as soon as it opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// The address is banned.
    #[error("banned")]
    Banned,
    /// The pool is full.
    #[error("too many connections")]
    Full,
    /// The address has enough connections.
    #[error("too many connections from this address")]
    PerAddress,
    /// The address connects too fast.
    #[error("connects too fast")]
    TooFast,
    /// Too many connections that have not authorised.
    #[error("too many unfinished handshakes")]
    Handshakes,
}

#[derive(Debug, Default)]
struct Address {
    connections: usize,
    /// Thousandths of a connection that may be opened now.
    allowance: u64,
    refilled_at: TimeMs,
}

/// Counters of a gate, for people.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct GateCounts {
    /// Open connections.
    pub connections: usize,
    /// Of these, not authorised yet.
    pub handshakes: usize,
    /// Addresses banned now (or lately).
    pub bans: usize,
    /// Connections refused so far.
    pub refused: u64,
}

/// The rules and their state.
#[derive(Debug)]
pub struct Gate {
    limits: GateLimits,
    addresses: HashMap<IpAddr, Address>,
    bans: HashMap<IpAddr, Ban>,
    /// How often this pool itself changed its bans.
    changes: u64,
    /// Shares that the algorithm panicked on: how many, and when the last one came.
    strikes: HashMap<IpAddr, (u32, TimeMs)>,
    connections: usize,
    handshakes: usize,
    refused: u64,
}

/// IPv6 hosts own a /64 and can change the rest at will.
pub(super) fn key(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(ip),
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

impl Gate {
    /// An open gate.
    #[must_use]
    pub fn new(limits: GateLimits) -> Self {
        Self {
            limits,
            addresses: HashMap::new(),
            bans: HashMap::new(),
            changes: 0,
            strikes: HashMap::new(),
            connections: 0,
            handshakes: 0,
            refused: 0,
        }
    }

    /// Lets a connection in, or says why not.
    fn admit(&mut self, ip: IpAddr, now: TimeMs) -> Result<(), Refusal> {
        let result = self.judge(key(ip), now);
        match result {
            Ok(()) => {
                self.connections += 1;
                self.handshakes += 1;
            }
            Err(_) => self.refused += 1,
        }
        result
    }

    fn judge(&mut self, ip: IpAddr, now: TimeMs) -> Result<(), Refusal> {
        if let Some(ban) = self.bans.get(&ip) {
            if ban.holds(now) {
                return Err(Refusal::Banned);
            }
            if ban.is_over(now) {
                self.bans.remove(&ip);
            }
        }
        if self.connections >= self.limits.connections_max {
            return Err(Refusal::Full);
        }
        if self.handshakes >= self.limits.handshakes_max {
            return Err(Refusal::Handshakes);
        }
        self.make_room(ip, now)?;
        let full = u64::from(self.limits.connect_rate_per_ip_max) * 1_000;
        let address = self.addresses.entry(ip).or_insert_with(|| Address {
            connections: 0,
            allowance: full,
            refilled_at: now,
        });
        // Rate per second times milliseconds is thousandths of a connection.
        let refill =
            u64::from(self.limits.connect_rate_per_ip_max).saturating_mul(now.since(address.refilled_at));
        address.allowance = address.allowance.saturating_add(refill).min(full);
        address.refilled_at = now;
        if address.connections >= self.limits.connections_per_ip_max {
            return Err(Refusal::PerAddress);
        }
        if address.allowance < 1_000 {
            return Err(Refusal::TooFast);
        }
        address.allowance -= 1_000;
        address.connections += 1;
        Ok(())
    }

    /// Keeps the table of addresses bounded: those without connections are forgotten once their allowance is full again.
    fn make_room(&mut self, ip: IpAddr, now: TimeMs) -> Result<(), Refusal> {
        let most = self.limits.connections_max.saturating_add(self.limits.bans_max);
        if self.addresses.len() < most || self.addresses.contains_key(&ip) {
            return Ok(());
        }
        self.addresses.retain(|_, address| address.connections > 0 || now.since(address.refilled_at) < 1_000);
        if self.addresses.len() < most { Ok(()) } else { Err(Refusal::Full) }
    }

    fn finish_handshake(&mut self) {
        self.handshakes = self.handshakes.saturating_sub(1);
    }

    fn leave(&mut self, ip: IpAddr, authorised: bool) {
        self.connections = self.connections.saturating_sub(1);
        if !authorised {
            self.finish_handshake();
        }
        if let Some(address) = self.addresses.get_mut(&key(ip)) {
            address.connections = address.connections.saturating_sub(1);
        }
    }

    /// Counts a share of this address that the algorithm panicked on. Returns how many there were of late.
    fn strike(&mut self, ip: IpAddr, now: TimeMs) -> u32 {
        let (ip, most) = (key(ip), self.limits.bans_max.max(1));
        self.strikes.retain(|_, (_, last)| now.since(*last) < STRIKE_MS);
        if self.strikes.len() >= most
            && !self.strikes.contains_key(&ip)
            && let Some(oldest) = self.strikes.iter().min_by_key(|(_, (_, last))| *last).map(|(ip, _)| *ip)
        {
            self.strikes.remove(&oldest);
        }
        let (count, last) = self.strikes.entry(ip).or_default();
        *count += 1;
        *last = now;
        *count
    }

    /// Bans an address for the configured time. The oldest ban is forgotten when the table is full.
    fn ban(&mut self, ip: IpAddr, reason: BanReason, now: TimeMs) -> bool {
        if self.limits.ban_ms == 0 || self.limits.bans_max == 0 {
            return false;
        }
        let until = now.plus_ms(self.limits.ban_ms);
        let ip = key(ip);
        // Newer than what is known, whatever the clocks of other pools say.
        let after = self.bans.get(&ip).map_or(TimeMs(0), |known| known.decided_at.plus_ms(1));
        self.changes += 1;
        self.remember(ip, Ban { decided_at: now.max(after), lifted: false, until, reason }, now);
        true
    }

    /// Bans an address because an operator said so: also where the pool bans nobody by itself.
    fn forbid(&mut self, ip: IpAddr, for_ms: u64, now: TimeMs) -> (IpAddr, Ban) {
        let ip = key(ip);
        let after = self.bans.get(&ip).map_or(TimeMs(0), |known| known.decided_at.plus_ms(1));
        let ban = Ban {
            decided_at: now.max(after),
            lifted: false,
            until: now.plus_ms(for_ms),
            reason: BanReason::Operator,
        };
        self.changes += 1;
        self.remember(ip, ban, now);
        (ip, ban)
    }

    fn remember(&mut self, ip: IpAddr, ban: Ban, now: TimeMs) {
        if self.bans.len() >= self.limits.bans_max && !self.bans.contains_key(&ip) {
            self.bans.retain(|_, ban| !ban.is_over(now));
        }
        if self.bans.len() >= self.limits.bans_max
            && !self.bans.contains_key(&ip)
            && let Some(oldest) = self.bans.iter().min_by_key(|(_, ban)| ban.until).map(|(ip, _)| *ip)
        {
            self.bans.remove(&oldest);
        }
        self.bans.insert(ip, ban);
    }

    /// Takes over what other pools decided; where bans are off, only what operators did.
    fn take(&mut self, bans: &BanList, now: TimeMs) {
        let off = self.limits.ban_ms == 0 || self.limits.bans_max == 0;
        for (ip, ban) in bans.iter().filter(|(_, ban)| !off || ban.reason == BanReason::Operator) {
            let ip = key(*ip);
            if !ban.is_over(now) && self.bans.get(&ip).is_none_or(|known| known.is_over(now) || known < ban) {
                self.remember(ip, *ban, now);
            }
        }
    }

    fn pardon(&mut self, ip: IpAddr, now: TimeMs) -> bool {
        match self.bans.get_mut(&key(ip)) {
            Some(ban) if ban.holds(now) => {
                ban.lifted = true;
                // Newer than the ban, whatever the clock says.
                ban.decided_at = now.max(ban.decided_at.plus_ms(1));
                self.changes += 1;
                true
            }
            _ => false,
        }
    }

    fn counts(&self) -> GateCounts {
        GateCounts {
            connections: self.connections,
            handshakes: self.handshakes,
            bans: self.bans.values().filter(|ban| !ban.lifted).count(),
            refused: self.refused,
        }
    }
}

/// A gate that all listeners and sessions share.
#[derive(Debug, Clone)]
pub struct SharedGate(Arc<Mutex<Gate>>);

impl SharedGate {
    /// A gate with these limits.
    #[must_use]
    pub fn new(limits: GateLimits) -> Self {
        Self(Arc::new(Mutex::new(Gate::new(limits))))
    }

    fn with<R>(&self, f: impl FnOnce(&mut Gate) -> R) -> R {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Other limits from now on; who is in stays.
    pub fn set_limits(&self, limits: GateLimits) {
        self.with(|gate| gate.limits = limits);
    }

    /// Lets a connection in for as long as the permit lives.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn admit(&self, ip: IpAddr, now: TimeMs) -> Result<Permit, Refusal> {
        self.with(|gate| gate.admit(ip, now))?;
        Ok(Permit { gate: self.clone(), ip, authorised: false })
    }

    /// Counters.
    #[must_use]
    pub fn counts(&self) -> GateCounts {
        self.with(|gate| gate.counts())
    }

    /// The last decision about each address, also of those whose ban was lifted.
    #[must_use]
    pub fn bans(&self, now: TimeMs) -> BanList {
        self.with(|gate| {
            gate.bans.iter().filter(|(_, ban)| !ban.is_over(now)).map(|(ip, ban)| (*ip, *ban)).collect()
        })
    }

    /// How often this pool itself banned or lifted: another number, other bans.
    #[must_use]
    pub fn ban_changes(&self) -> u64 {
        self.with(|gate| gate.changes)
    }

    /// Takes over what other pools decided later than this one.
    pub fn take_bans(&self, bans: &BanList, now: TimeMs) {
        self.with(|gate| gate.take(bans, now));
    }

    /// Bans an address because an operator said so; who is connected stays. Returns what was banned: of IPv6, the network.
    #[must_use]
    pub fn forbid(&self, ip: IpAddr, for_ms: u64, now: TimeMs) -> (IpAddr, Ban) {
        self.with(|gate| gate.forbid(ip, for_ms, now))
    }

    /// Lifts a ban. Returns whether there was one.
    #[must_use]
    pub fn pardon(&self, ip: IpAddr, now: TimeMs) -> bool {
        self.with(|gate| gate.pardon(ip, now))
    }
}

/// A connection's place; given back when dropped.
#[derive(Debug)]
pub struct Permit {
    gate: SharedGate,
    ip: IpAddr,
    authorised: bool,
}

impl Permit {
    /// The connection has authorised: it is no unfinished handshake any more.
    pub fn authorise(&mut self) {
        if !self.authorised {
            self.authorised = true;
            self.gate.with(Gate::finish_handshake);
        }
    }

    /// Holds a share that the algorithm panicked on against the address of this connection. Returns how many there
    /// were of late.
    #[must_use]
    pub fn strike(&self, now: TimeMs) -> u32 {
        self.gate.with(|gate| gate.strike(self.ip, now))
    }

    /// Bans the address of this connection. Returns whether bans are on.
    #[must_use]
    pub fn ban(&self, reason: BanReason, now: TimeMs) -> bool {
        self.gate.with(|gate| gate.ban(self.ip, reason, now))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.gate.with(|gate| gate.leave(self.ip, self.authorised));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> SharedGate {
        SharedGate::new(GateLimits {
            connections_max: 5,
            connections_per_ip_max: 3,
            connect_rate_per_ip_max: 2,
            handshakes_max: 4,
            ban_ms: 1_000,
            bans_max: 2,
        })
    }

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    fn refusal(result: Result<Permit, Refusal>) -> Refusal {
        result.map(drop).unwrap_err()
    }

    #[test]
    fn limits_hold_and_places_come_back() {
        let gate = gate();
        let mut one = gate.admit(ip(1), TimeMs(0)).unwrap();
        let two = gate.admit(ip(1), TimeMs(0)).unwrap();
        assert_eq!(refusal(gate.admit(ip(1), TimeMs(0))), Refusal::TooFast);
        assert_eq!(refusal(gate.admit(ip(1), TimeMs(499))), Refusal::TooFast);
        let three = gate.admit(ip(1), TimeMs(500)).unwrap();
        assert_eq!(refusal(gate.admit(ip(1), TimeMs(5_000))), Refusal::PerAddress);
        let four = gate.admit(ip(2), TimeMs(5_000)).unwrap();
        assert_eq!(refusal(gate.admit(ip(3), TimeMs(5_000))), Refusal::Handshakes);
        one.authorise();
        one.authorise();
        let five = gate.admit(ip(3), TimeMs(5_000)).unwrap();
        assert_eq!(refusal(gate.admit(ip(4), TimeMs(5_000))), Refusal::Full);
        assert_eq!(gate.counts(), GateCounts { connections: 5, handshakes: 4, bans: 0, refused: 5 });
        drop((one, two, three, four, five));
        assert_eq!(gate.counts(), GateCounts { connections: 0, handshakes: 0, bans: 0, refused: 5 });
    }

    #[test]
    fn bans_end_and_are_bounded() {
        let gate = gate();
        for last in 1..=3 {
            assert!(
                gate.admit(ip(last), TimeMs(0)).unwrap().ban(BanReason::Malformed, TimeMs(u64::from(last)))
            );
        }
        assert_eq!(gate.counts().bans, 2);
        assert!(gate.admit(ip(1), TimeMs(500)).is_ok(), "the oldest ban made room");
        assert_eq!(refusal(gate.admit(ip(3), TimeMs(1_002))), Refusal::Banned);
        assert!(gate.pardon(ip(2), TimeMs(600)) && !gate.pardon(ip(2), TimeMs(600)));
        assert!(gate.admit(ip(2), TimeMs(600)).is_ok());
        assert_eq!((gate.counts().bans, gate.ban_changes()), (1, 4));
        assert_eq!(gate.bans(TimeMs(1_002)).len(), 1);
        assert!(gate.admit(ip(3), TimeMs(1_003)).is_ok());
    }

    #[test]
    fn what_other_pools_decided_later_is_taken() {
        let (one, other) = (gate(), gate());
        assert!(one.admit(ip(1), TimeMs(0)).unwrap().ban(BanReason::Malformed, TimeMs(0)));
        other.take_bans(&one.bans(TimeMs(1)), TimeMs(1));
        assert_eq!(refusal(other.admit(ip(1), TimeMs(1))), Refusal::Banned);
        assert_eq!(other.ban_changes(), 0, "it is none of its own");
        // Within the same millisecond, the pardon is still the later one.
        assert!(other.pardon(ip(1), TimeMs(0)));
        other.take_bans(&one.bans(TimeMs(1)), TimeMs(1));
        assert!(other.admit(ip(1), TimeMs(1)).is_ok());
        one.take_bans(&other.bans(TimeMs(1)), TimeMs(1));
        assert!(one.admit(ip(1), TimeMs(1)).is_ok());
        // The table stays bounded, and where bans are off nobody else's count.
        let many = (1..=9)
            .map(|last| {
                (
                    ip(last),
                    Ban {
                        decided_at: TimeMs(2),
                        lifted: false,
                        until: TimeMs(50),
                        reason: BanReason::Malformed,
                    },
                )
            })
            .collect();
        one.take_bans(&many, TimeMs(3));
        assert_eq!(one.counts().bans, 2);
        let mut off = one.with(|gate| gate.limits.clone());
        off.ban_ms = 0;
        let off = SharedGate::new(off);
        off.take_bans(&many, TimeMs(3));
        assert_eq!(off.counts().bans, 0);
    }

    #[test]
    fn an_operators_ban_holds_where_bans_are_off_and_is_shared() {
        let mut off = gate().with(|gate| gate.limits.clone());
        off.ban_ms = 0;
        let (one, other) = (SharedGate::new(off.clone()), SharedGate::new(off));
        assert!(!one.admit(ip(1), TimeMs(0)).unwrap().ban(BanReason::Malformed, TimeMs(0)));
        let (address, ban) = one.forbid(ip(1), 500, TimeMs(10));
        assert_eq!((address, ban.until, ban.reason), (ip(1), TimeMs(510), BanReason::Operator));
        assert_eq!(refusal(one.admit(ip(1), TimeMs(509))), Refusal::Banned);
        other.take_bans(&one.bans(TimeMs(11)), TimeMs(11));
        assert_eq!(refusal(other.admit(ip(1), TimeMs(509))), Refusal::Banned);
        assert!(one.pardon(ip(1), TimeMs(10)));
        // Later than the pardon of the same millisecond.
        let (_, again) = one.forbid(ip(1), 50, TimeMs(10));
        assert!(again.decided_at > TimeMs(11) && one.bans(TimeMs(11))[&ip(1)].holds(TimeMs(59)));
    }

    #[test]
    fn strikes_add_up_over_connections_and_are_forgotten() {
        let gate = gate();
        let strike = |last, at| gate.admit(ip(last), TimeMs(at)).unwrap().strike(TimeMs(at));
        assert_eq!([strike(1, 0), strike(1, 1_000), strike(2, 2_000), strike(1, 3_000)], [1, 2, 1, 3]);
        assert_eq!(strike(3, 4_000), 1, "the table is bounded");
        assert_eq!(strike(2, 5_000), 1, "the oldest made room");
        assert_eq!(strike(2, 5_000 + STRIKE_MS), 1, "an hour is over");
    }

    #[test]
    fn an_ipv6_network_counts_as_one_address() {
        let gate = gate();
        let host = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 9, 9, 9, last]);
        let _permits = [gate.admit(host(1), TimeMs(0)).unwrap(), gate.admit(host(2), TimeMs(0)).unwrap()];
        assert_eq!(refusal(gate.admit(host(3), TimeMs(0))), Refusal::TooFast);
        let mapped: IpAddr = "::ffff:10.0.0.9".parse().unwrap();
        let _two = [gate.admit(mapped, TimeMs(0)).unwrap(), gate.admit(ip(9), TimeMs(0)).unwrap()];
        assert_eq!(refusal(gate.admit(ip(9), TimeMs(0))), Refusal::Handshakes);
    }

    #[test]
    fn the_table_of_addresses_is_bounded() {
        let gate = gate();
        for last in 0..=255 {
            let _ = gate.admit(ip(last), TimeMs(u64::from(last) * 2_000));
        }
        assert!(gate.with(|gate| gate.addresses.len()) <= 8);
    }
}
