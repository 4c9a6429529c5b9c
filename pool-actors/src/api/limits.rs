//! How often one address may ask: a bucket of requests for each, which fills at a steady rate. Plain rules that are told
//! the time.
//!
//! Pools that share a cache share the limit: what passed the bucket is counted there, in windows that are as long as a
//! bucket takes to fill, with as many requests as it holds. While the cache is away, or slow, each pool goes by its own
//! buckets alone, and asks again after a second.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use actix_web::{
    dev::ServiceRequest,
    http::header::{HeaderMap, HeaderName},
};
use pool_domain::units::TimeMs;

use crate::{config::Http, ports::cache::Cache};

/// Addresses that are remembered at once; past it all are forgotten, and begin with full buckets.
const ADDRESSES_MAX: usize = 65_536;
/// Whoever a proxy does not name by an address.
const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
/// A request in the buckets' unit, so that a rate per second times milliseconds is exact.
const REQUEST: u64 = 1_000;
/// A request waits no longer than this for the shared count.
const SHARED_WAIT: Duration = Duration::from_millis(250);
/// After the cache did not answer, requests do not ask it for so long.
const SHARED_PAUSE_MS: u64 = 1_000;
/// Longest window of the shared count.
const WINDOW_MAX: Duration = Duration::from_secs(3_600);

#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: u64,
    filled_at: TimeMs,
    /// All pools together have taken what there is, until then.
    shut_until: TimeMs,
}

/// See the module's documentation. The figures may change while the server runs.
#[derive(Debug)]
pub(crate) struct RateLimits {
    /// Requests a second; 0 = no limit.
    rate: AtomicU64,
    /// Requests at once.
    burst: AtomicU64,
    exempt_loopback: AtomicBool,
    behind_proxy: AtomicBool,
    buckets: Mutex<HashMap<IpAddr, Bucket>>,
    /// The cache is not asked before.
    shared_from: AtomicU64,
}

impl RateLimits {
    pub(crate) fn new(http: &Http) -> Self {
        let limits = Self {
            rate: AtomicU64::new(0),
            burst: AtomicU64::new(0),
            exempt_loopback: AtomicBool::new(false),
            behind_proxy: AtomicBool::new(false),
            buckets: Mutex::default(),
            shared_from: AtomicU64::new(0),
        };
        limits.set(http);
        limits
    }

    /// Other figures from now on.
    pub(crate) fn set(&self, http: &Http) {
        // Who was shut out for the rest of a window was so by the old figures.
        for bucket in self.buckets.lock().unwrap_or_else(PoisonError::into_inner).values_mut() {
            bucket.shut_until = TimeMs(0);
        }
        self.rate.store(u64::from(http.rate_limit_per_second), Ordering::Relaxed);
        self.burst.store(u64::from(http.rate_limit_burst.max(1)), Ordering::Relaxed);
        self.exempt_loopback.store(http.rate_limit_exempt_loopback, Ordering::Relaxed);
        self.behind_proxy.store(http.behind_proxy, Ordering::Relaxed);
    }

    /// Where a request comes from: the peer, or whom a proxy in front of the pool names last. IPv6 hosts count by their network.
    /// Whom the proxy names in a way that is no address is nobody in particular: all such share one bucket, and are never
    /// exempt.
    pub(super) fn address(&self, headers: &HeaderMap, peer: Option<SocketAddr>) -> Option<IpAddr> {
        let forwarded = || {
            let line = headers.get_all(HeaderName::from_static("x-forwarded-for")).last()?;
            let last = line.to_str().ok().and_then(|line| line.rsplit(',').next());
            Some(last.and_then(address).unwrap_or(NOBODY))
        };
        let named = if self.behind_proxy.load(Ordering::Relaxed) { forwarded() } else { None };
        named.or_else(|| peer.map(|peer| peer.ip())).map(network)
    }

    /// Who asks, if a limit holds for it.
    pub(super) fn client(&self, request: &ServiceRequest) -> Option<IpAddr> {
        self.limited(self.address(request.headers(), request.peer_addr()))
    }

    /// The address, if a limit holds for it.
    pub(super) fn limited(&self, address: Option<IpAddr>) -> Option<IpAddr> {
        let exempt = self.exempt_loopback.load(Ordering::Relaxed);
        address.filter(|address| !(exempt && address.is_loopback()))
    }

    /// Takes a request of this address, here and at all pools that share the cache.
    ///
    /// # Errors
    /// The seconds after which the next one will pass.
    pub(super) async fn take_shared(&self, cache: &Cache, ip: IpAddr, now: TimeMs) -> Result<(), u64> {
        self.take(ip, now)?;
        let (rate, burst) = (self.rate.load(Ordering::Relaxed), self.burst.load(Ordering::Relaxed));
        // Bounded, in case the clock steps back.
        let pause = self.shared_from.load(Ordering::Relaxed).saturating_sub(now.0);
        if rate == 0 || !cache.is_shared() || (1..=SHARED_PAUSE_MS).contains(&pause) {
            return Ok(());
        }
        let window = Duration::from_secs(burst.div_ceil(rate).max(1)).min(WINDOW_MAX);
        // Other figures are another count: a limit that was raised is in force at once.
        let what = format!("http:{rate}:{burst}:{ip}");
        let counted = tokio::time::timeout(SHARED_WAIT, cache.count(&what, window)).await;
        let Ok(Ok(counted)) = counted else {
            // The cache's keeper says that it is away.
            self.shared_from.store(now.0.saturating_add(SHARED_PAUSE_MS), Ordering::Relaxed);
            return Ok(());
        };
        if counted.count <= rate.saturating_mul(window.as_secs()).max(burst) {
            return Ok(());
        }
        let wait_ms = u64::try_from(counted.ends_in.as_millis()).unwrap_or(u64::MAX).max(1);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get_mut(&ip) {
            bucket.shut_until = TimeMs(now.0.saturating_add(wait_ms));
        }
        Err(wait_ms.div_ceil(1_000))
    }

    /// Takes a request of this address from this pool's own bucket.
    ///
    /// # Errors
    /// The seconds after which the next one will pass.
    fn take(&self, ip: IpAddr, now: TimeMs) -> Result<(), u64> {
        let rate = self.rate.load(Ordering::Relaxed);
        if rate == 0 {
            return Ok(());
        }
        let full = self.burst.load(Ordering::Relaxed).saturating_mul(REQUEST);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= ADDRESSES_MAX && !buckets.contains_key(&ip) {
            let filled = |bucket: &Bucket| {
                bucket.left.saturating_add(rate.saturating_mul(now.since(bucket.filled_at))) >= full
            };
            buckets.retain(|_, bucket| !filled(bucket));
            if buckets.len() >= ADDRESSES_MAX {
                buckets.clear();
            }
        }
        let bucket =
            buckets.entry(ip).or_insert(Bucket { left: full, filled_at: now, shut_until: TimeMs(0) });
        let shut_ms = bucket.shut_until.since(now);
        if shut_ms > 0 && u128::from(shut_ms) <= WINDOW_MAX.as_millis() {
            return Err(shut_ms.div_ceil(1_000));
        }
        let refill = rate.saturating_mul(now.since(bucket.filled_at));
        bucket.left = bucket.left.saturating_add(refill).min(full);
        bucket.filled_at = now;
        match bucket.left.checked_sub(REQUEST) {
            Some(left) => {
                bucket.left = left;
                Ok(())
            }
            None => Err((REQUEST - bucket.left).div_ceil(rate).div_ceil(1_000).max(1)),
        }
    }
}

/// An address as proxies write it: with or without a port, IPv6 with or without brackets, perhaps in quotes.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || Some(text.parse::<SocketAddr>().ok()?.ip());
    text.parse().ok().or_else(with_port).or_else(bracketed)
}

pub(super) fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) if !ip.is_loopback() => {
            IpAddr::from((u128::from(ip) & !u128::from(u64::MAX)).to_be_bytes())
        }
        ip => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(rate: u32, burst: u32) -> RateLimits {
        RateLimits::new(&Http { rate_limit_per_second: rate, rate_limit_burst: burst, ..Http::default() })
    }

    #[test]
    fn a_burst_passes_then_the_steady_rate_and_each_address_has_its_own() {
        let (limits, ip) = (limits(2, 3), |last| IpAddr::from([10, 0, 0, last]));
        let passed = |last, at| limits.take(ip(last), TimeMs(at));
        assert_eq!(
            [passed(1, 0), passed(1, 0), passed(1, 0), passed(1, 0)],
            [Ok(()), Ok(()), Ok(()), Err(1)]
        );
        assert_eq!(passed(2, 0), Ok(()));
        assert_eq!([passed(1, 499), passed(1, 500), passed(1, 501)], [Err(1), Ok(()), Err(1)]);
        assert_eq!(
            (0..9).filter(|_| passed(1, 60_000).is_ok()).count(),
            3,
            "no more than a burst is saved up"
        );
    }

    #[test]
    fn no_rate_is_no_limit_and_figures_can_change() {
        let limits = limits(0, 1);
        let ip = IpAddr::from([10, 0, 0, 1]);
        assert!((0..99).all(|_| limits.take(ip, TimeMs(0)).is_ok()));
        limits.set(&Http { rate_limit_per_second: 1, rate_limit_burst: 1, ..Http::default() });
        assert_eq!([limits.take(ip, TimeMs(0)), limits.take(ip, TimeMs(0))], [Ok(()), Err(1)]);
    }

    #[test]
    fn other_figures_free_who_was_shut_out_by_the_old_ones() {
        let (limits, ip) = (limits(1, 1), IpAddr::from([10, 0, 0, 1]));
        limits.take(ip, TimeMs(0)).unwrap();
        limits.buckets.lock().unwrap().get_mut(&ip).unwrap().shut_until = TimeMs(600_000);
        assert_eq!(limits.take(ip, TimeMs(5_000)), Err(595));
        limits.set(&Http { rate_limit_per_second: 2, rate_limit_burst: 2, ..Http::default() });
        assert_eq!(limits.take(ip, TimeMs(5_000)), Ok(()));
    }

    #[test]
    fn the_table_is_bounded() {
        let limits = limits(1, 10);
        for host in 0..=u32::try_from(ADDRESSES_MAX).unwrap() + 5 {
            limits.take(IpAddr::from(host.to_be_bytes()), TimeMs(0)).unwrap();
        }
        assert!(limits.buckets.lock().unwrap().len() <= ADDRESSES_MAX);
    }

    #[test]
    fn proxies_name_addresses_in_several_ways() {
        for (text, ip) in [
            ("1.2.3.4", "1.2.3.4"),
            (" 1.2.3.4:567", "1.2.3.4"),
            ("::1", "::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:80 ", "2001:db8::1"),
            ("\"[2001:db8::1]:80\"", "2001:db8::1"),
        ] {
            assert_eq!(address(text), Some(ip.parse().unwrap()), "{text}");
        }
        for text in
            ["", "unknown", "_hidden", "unix:", "1.2.3.4:", "1.2.3.4:99999", "[1.2.3.4]x", "[::1", "1.2.3"]
        {
            assert_eq!(address(text), None, "{text}");
        }
    }

    #[test]
    fn an_ipv6_network_counts_as_one_address() {
        let host = |last| network(IpAddr::from([0x2001, 0xdb8, 0, 1, 9, 9, 9, last]));
        assert_eq!(host(1), host(2));
        assert_eq!(network("::ffff:10.0.0.9".parse().unwrap()), IpAddr::from([10, 0, 0, 9]));
    }
}
