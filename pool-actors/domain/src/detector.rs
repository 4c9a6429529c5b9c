//! What is unusual about how an account mines: plain tests that are told what happened, and when. They suspect; they never punish.
//!
//! * **Candidates against work** ([`Sequential`]): a share of work `w` is a block with probability `w / W`, where `W` is the
//!   network's work; so an account that hides nothing finds blocks as a Poisson process whose mean is the sum of `w / W`
//!   (its *expected blocks*), whatever its hash rate does. Wald's sequential probability ratio test (Ann. Math. Stat. 16,
//!   1945) compares that with a process of `r` times the rate: after `k` candidates and `x` expected blocks the logarithm
//!   of the ratio is `k ln r - (r - 1) x`. At `ln((1 - b) / a)` or above the account is suspected, at `ln(b / (1 - a))` or below
//!   it is cleared; either begins the test anew. `a` is the chance to suspect an honest account in one such round, `b`
//!   to clear a guilty one. A round ends at the latest after some `-ln a` expected blocks, so false alarms come at so
//!   many per block of the whole pool, however many accounts there are.
//! * **Nonces** ([`Buckets`]): which nonce solves a share is chance, so the lowest four bits of those that do are alike
//!   often. Pearson's chi-square over sixteen buckets, fifteen degrees of freedom.
//! * **Times** ([`Windows`]): honest shares come evenly but for chance, however fast they come. Shares that are held back
//!   and come together are counted in windows: the variance beyond that of chance, as a part of the mean squared, is 0
//!   for steady mining, some `n` for all shares in every n-th window.
//! * **Jumps** ([`Windows`]): a rate that is many times what it was for an hour.
//!
//! Integers only: expected blocks in units of 2^-40, logarithms in millionths.

/// One expected block.
pub const ONE_BLOCK: u64 = 1 << 40;
/// Buckets of nonces.
pub const BUCKETS: usize = 16;
/// Windows that are remembered: ten minutes.
pub const WINDOWS: usize = 60;
/// Usual length of one, milliseconds; whatever is said here of minutes and hours is of six and 360 windows.
pub const WINDOW_MS: u64 = 10_000;
/// ln 2 in millionths.
const LN_2: u64 = 693_147;

/// The natural logarithm in millionths, of 1 or more (0 for 0).
#[must_use]
pub fn ln_micro(number: u64) -> u64 {
    if number == 0 {
        return 0;
    }
    let whole = number.ilog2();
    // 1 to 2, in 2^-63.
    let mut rest = u128::from(number) << (63 - whole);
    let mut bits: u64 = 0;
    for _ in 0..24 {
        rest = (rest * rest) >> 63;
        bits <<= 1;
        if rest >> 64 != 0 {
            rest >>= 1;
            bits |= 1;
        }
    }
    ((u64::from(whole) << 24 | bits) * LN_2) >> 24
}

/// What is tested: candidates come at so many percent of what is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Odds {
    percent: u64,
    /// ln of it, millionths.
    ln: i64,
    /// Suspected from here, millionths.
    suspect: i64,
    /// Cleared from here, millionths.
    clear: i64,
}

impl Odds {
    /// A test against `percent` of what is expected (not 0 and not 100), which suspects an honest account in `false_alarms` of
    /// a million rounds, and clears a guilty one in `missed` of a thousand.
    #[must_use]
    pub fn new(percent: u64, false_alarms: u64, missed: u64) -> Self {
        let percent = percent.clamp(1, 100_000);
        let (false_alarms, missed) = (false_alarms.clamp(1, 500_000), missed.clamp(1, 500));
        let ln = |number: u64| i64::try_from(ln_micro(number)).unwrap_or(i64::MAX);
        let million = ln(1_000_000);
        Self {
            percent,
            ln: ln(percent) - ln(100),
            suspect: ln(1_000_000 - missed * 1_000) - million - (ln(false_alarms) - million),
            clear: ln(missed * 1_000) - million - (ln(1_000_000 - false_alarms) - million),
        }
    }
}

/// How a round of a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suspected {
    /// Candidates in the round.
    pub found: u64,
    /// Expected ones, in units of 2^-40.
    pub expected: u64,
}

/// A round of Wald's test.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sequential {
    found: u64,
    expected: u64,
}

impl Sequential {
    /// So many candidates, and so many expected blocks, came.
    pub fn take(&mut self, odds: &Odds, found: u64, expected: u64) -> Option<Suspected> {
        self.found = self.found.saturating_add(found);
        self.expected = self.expected.saturating_add(expected);
        let by_found = i128::from(self.found) * i128::from(odds.ln);
        let rest = 100 - i128::from(odds.percent);
        let by_work = (rest * i128::from(self.expected) * 10_000) >> 40;
        let ratio = by_found + by_work;
        if ratio >= i128::from(odds.suspect) {
            let round = core::mem::take(self);
            return Some(Suspected { found: round.found, expected: round.expected });
        }
        if ratio <= i128::from(odds.clear) {
            *self = Self::default();
        }
        None
    }
}

/// The expected blocks of so much work at a network work, in units of 2^-40.
#[must_use]
pub fn expected_blocks(work: u128, network_work: u128) -> u64 {
    if network_work == 0 {
        return 0;
    }
    // Work fits 88 bits wherever it is mined; what does not is cut.
    let work = work.min(u128::MAX >> 40);
    u64::try_from((work << 40) / network_work).unwrap_or(u64::MAX)
}

/// How often nonces ended in each of sixteen ways.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Buckets {
    counts: [u32; BUCKETS],
    total: u32,
}

impl Buckets {
    /// Fewest nonces that are judged: twenty to a bucket.
    const JUDGED: u32 = 320;
    /// They are halved past so many, so that the newest weigh most.
    const HALVED: u32 = 1 << 14;

    /// More nonces came. Their chi-square when it is above `limit`, and all begins anew.
    pub fn take(&mut self, more: &[u16; BUCKETS], limit: u64) -> Option<u64> {
        for (count, more) in self.counts.iter_mut().zip(more) {
            *count += u32::from(*more);
            self.total += u32::from(*more);
        }
        if self.total < Self::JUDGED {
            return None;
        }
        let total = u64::from(self.total);
        // The sum of (c - t/16)^2 / (t/16) is 16/t times the sum of c^2, less t.
        let squares: u64 = self.counts.iter().map(|count| u64::from(*count).pow(2)).sum();
        let chi_square = (16 * squares / total).saturating_sub(total);
        if chi_square > limit {
            *self = Self::default();
            return Some(chi_square);
        }
        if self.total > Self::HALVED {
            self.counts.iter_mut().for_each(|count| *count /= 2);
            self.total = self.counts.iter().sum();
        }
        None
    }
}

/// Shares and work by windows of ten seconds (or what [`Limits`] say).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Windows {
    shares: [u16; WINDOWS],
    /// The window that is filled now.
    at: u64,
    /// The first one ever.
    began: u64,
    work: u128,
    /// A mean of about a minute, in 2^-8.
    fast: u128,
    /// A mean of about an hour, in 2^-8.
    slow: u128,
}

/// What windows show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// Shares come together: the variance beyond chance is so many tenths of the mean squared.
    Bursts {
        /// Tenths.
        tenths: u64,
    },
    /// The rate is so many times what it was.
    Jump {
        /// Times.
        times: u64,
    },
}

/// When windows are unusual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Length of a window, milliseconds; the same for as long as an account is watched.
    pub window_ms: u64,
    /// Bursts: variance beyond chance, tenths of the mean squared; 0 = never.
    pub burst_tenths: u64,
    /// A jump: so many times what it was; 0 = never.
    pub jump_times: u64,
    /// A jump that is told makes at least so much of the work of a window, all accounts together.
    pub jump_work_min: u128,
}

/// The window of a moment, by a window's length in milliseconds.
#[must_use]
pub fn window(now_ms: u64, window_ms: u64) -> u64 {
    now_ms / window_ms.max(1)
}

impl Windows {
    /// Shares of the last minute that a jump needs, so that it is none of chance.
    const JUMP_SHARES: u64 = 50;
    /// Windows after which a rate is known: half an hour.
    const KNOWN: u64 = 180;
    /// Shares to a window at least, in the mean, for bursts.
    const BURST_SHARES: u64 = 2;
    /// Bursts in the ten minutes at least: who comes once and goes does not come in bursts.
    const BURSTS: usize = 5;

    /// Nothing yet, from now on.
    #[must_use]
    pub fn new(now_ms: u64, window_ms: u64) -> Self {
        let at = window(now_ms, window_ms);
        Self { shares: [0; WINDOWS], at, began: at, work: 0, fast: 0, slow: 0 }
    }

    /// Shares of some work came. What the windows that ended show, if it is unusual.
    pub fn take(&mut self, now_ms: u64, shares: u64, work: u128, limits: &Limits) -> Option<Pattern> {
        let now = window(now_ms, limits.window_ms);
        let mut seen = None;
        // A clock that steps back fills the window that it is in.
        if now > self.at {
            seen = self.close(now, limits);
        }
        let here = &mut self.shares[usize::try_from(self.at % WINDOWS as u64).unwrap_or(0)];
        *here = here.saturating_add(u16::try_from(shares).unwrap_or(u16::MAX));
        self.work = self.work.saturating_add(work).min(u128::MAX >> 9);
        seen
    }

    fn close(&mut self, now: u64, limits: &Limits) -> Option<Pattern> {
        let slow_before = self.slow;
        let ended = (now - self.at).min(400);
        for step in 0..ended {
            let work = if step == 0 { core::mem::take(&mut self.work) << 8 } else { 0 };
            self.fast = self.fast - self.fast / 6 + work / 6;
            let age = (self.at - self.began).saturating_add(step).saturating_add(1).clamp(1, 360);
            self.slow = self.slow - self.slow / u128::from(age) + work / u128::from(age);
        }
        let pattern = self.judge(slow_before, limits);
        for window in self.at + 1..=now.min(self.at + WINDOWS as u64) {
            self.shares[usize::try_from(window % WINDOWS as u64).unwrap_or(0)] = 0;
        }
        self.at = now;
        pattern
    }

    /// The windows up to the one that has just ended.
    fn judge(&self, slow: u128, limits: &Limits) -> Option<Pattern> {
        let age = self.at - self.began;
        let window = |back: u64| {
            u64::from(self.shares[usize::try_from((self.at - back) % WINDOWS as u64).unwrap_or(0)])
        };
        if limits.jump_times > 0 && age >= Self::KNOWN && slow > 0 && self.fast >> 8 >= limits.jump_work_min {
            let times = u64::try_from(self.fast / slow).unwrap_or(u64::MAX);
            let minute: u64 = (0..6).map(window).sum();
            if times >= limits.jump_times && minute >= Self::JUMP_SHARES {
                return Some(Pattern::Jump { times });
            }
        }
        if limits.burst_tenths == 0 || age < WINDOWS as u64 {
            return None;
        }
        let (mut sum, mut squares, mut begins, mut before) = (0, 0, 0, None);
        let mut largest = [0; 2];
        for back in (0..WINDOWS as u64).rev() {
            let shares = window(back);
            sum += shares;
            let square = before.map_or(0, |before| shares.abs_diff(before).pow(2));
            squares += square;
            if square > largest[0] {
                largest = [square, largest[0]];
            } else {
                largest[1] = largest[1].max(square);
            }
            begins += usize::from(before == Some(0) && shares > 0);
            before = Some(shares);
        }
        let windows = WINDOWS as u64;
        if sum < Self::BURST_SHARES * windows || begins < Self::BURSTS {
            return None;
        }
        // The variance is half the mean square of the steps between neighbours (von Neumann 1941), which a rate that changes
        // for good does not swell; without the two largest steps, so that one such change, or one burst, is none. With mean
        // m: (variance - m) / m^2.
        squares -= largest[0] + largest[1];
        let beyond = (windows * squares).saturating_sub(2 * (windows - 1) * sum);
        let tenths = 10 * windows * beyond / (2 * (windows - 1) * sum * sum);
        (tenths >= limits.burst_tenths).then_some(Pattern::Bursts { tenths })
    }
}

#[cfg(test)]
#[path = "detector_tests.rs"]
mod tests;
