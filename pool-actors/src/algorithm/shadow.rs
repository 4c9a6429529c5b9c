//! Shadow traffic: headers with the hashes that counted, on their way to a generation that only compares.

use actix::Message;
use pool_domain::units::BasisPoints;

use crate::runtime::outbox::Outbox;

/// To a worker of an unproven generation: hash these and compare. Lossy: shadow work never holds up shares.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct ShadowBatch {
    pub(super) headers: Vec<[u8; 80]>,
    pub(super) hashes: Vec<[u8; 32]>,
}

/// Which part of the shares is compared, and by whom.
#[derive(Debug, Clone)]
pub struct ShadowTap {
    /// Part of the shares.
    pub share: BasisPoints,
    /// Workers of the generation in shadow.
    pub(super) doors: Vec<Outbox<ShadowBatch>>,
}

/// Picks every n-th share, exactly the wanted part over time.
#[derive(Debug, Default)]
pub(super) struct Sampler {
    /// Basis points saved up; a share costs 10,000.
    saved: u32,
}

impl Sampler {
    /// Whether this share is picked.
    pub(super) fn pick(&mut self, share: BasisPoints) -> bool {
        self.saved += share.0.min(BasisPoints::ALL.0);
        let picked = self.saved >= BasisPoints::ALL.0;
        if picked {
            self.saved -= BasisPoints::ALL.0;
        }
        picked
    }

    pub(super) fn offer(
        &mut self,
        tap: &ShadowTap,
        seat: usize,
        headers: &[[u8; 80]],
        hashes: &[Option<[u8; 32]>],
    ) {
        let mut picked = ShadowBatch { headers: Vec::new(), hashes: Vec::new() };
        for (header, hash) in headers.iter().zip(hashes) {
            if let Some(hash) = hash
                && self.pick(tap.share)
            {
                picked.headers.push(*header);
                picked.hashes.push(*hash);
            }
        }
        if !picked.headers.is_empty()
            && let Some(door) = tap.doors.get(seat % tap.doors.len().max(1))
        {
            door.offer(picked);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sampler_picks_the_wanted_part() {
        for share in [0, 100, 2_500, 10_000] {
            let mut sampler = Sampler::default();
            let picked = (0..10_000).filter(|_| sampler.pick(BasisPoints(share))).count();
            assert_eq!(picked, usize::try_from(share).unwrap());
        }
    }
}
