//! The naive recomputation: everything from the start, as the rules of money say it.

use super::*;

/// A block in the recomputation.
#[derive(Debug, Clone)]
pub(super) struct Naive {
    pub(super) candidate: u64,
    pub(super) algorithm: AlgorithmName,
    pub(super) network_work: u128,
    pub(super) finder: Account,
    pub(super) at: TimeMs,
    pub(super) before: usize,
    pub(super) weights: Option<Vec<(Account, Work)>>,
    /// As of when its window was settled.
    pub(super) fee: BasisPoints,
    pub(super) status: BlockStatus,
    pub(super) credits: [Option<i128>; 2],
    pub(super) rewards: [Option<i128>; 2],
    pub(super) color: Color,
}

pub(super) type Shares = Vec<(AlgorithmName, Account, u128, TimeMs)>;

/// Where the window of a share may begin at most: behind the last long time without a share of its function.
pub(super) fn begins(shares: &[(AlgorithmName, Account, u128, TimeMs)], algorithm: &AlgorithmName) -> usize {
    let (mut begins, mut newest) = (0, None);
    for (index, (of, _, _, at)) in shares.iter().enumerate() {
        if of == algorithm {
            if newest.is_some_and(|newest: TimeMs| at.since(newest) > RETIRED_MS) {
                begins = index;
            }
            newest = newest.max(Some(*at));
        }
    }
    begins
}

/// Walks back from share number `anchor` (an index), as money.md says it.
pub(super) fn naive_weights(
    policy: RewardPolicy,
    shares: &Shares,
    block: &Naive,
    anchor: Option<usize>,
) -> Vec<(Account, Work)> {
    let mut weights = BTreeMap::<Account, u128>::new();
    let Scheme::Pplns { factor } = policy.scheme else { unreachable!("the model knows PPLNS") };
    let mut left = (block.network_work * u128::from(factor.0) / 10_000).max(1);
    let through = &shares[..anchor.map_or(0, |anchor| anchor + 1)];
    for (of, account, work, _) in through[begins(through, &block.algorithm)..].iter().rev() {
        if *of == block.algorithm && left > 0 {
            *weights.entry(account.clone()).or_default() += left.min(*work);
            left -= left.min(*work);
        }
    }
    if weights.is_empty() {
        weights.insert(block.finder.clone(), 1);
    }
    weights.into_iter().map(|(account, work)| (account, Work(work))).collect()
}

pub(super) fn newest_of(shares: &Shares, algorithm: &AlgorithmName, before: usize) -> Option<usize> {
    (0..before).rev().find(|index| shares[*index].0 == *algorithm)
}

pub(super) struct Recount {
    pub(super) policy: RewardPolicy,
    pub(super) shares: Shares,
    pub(super) blocks: BTreeMap<BlockHash, Naive>,
    pub(super) anchors: BTreeMap<u64, usize>,
}

impl Recount {
    /// Walks over everything that was told; the policy comes first.
    pub(super) fn of(told: &[Told]) -> Self {
        let Some(Told::Policy(policy)) = told.first() else { panic!("a history begins with a policy") };
        let mut recount =
            Self { policy: *policy, shares: vec![], blocks: BTreeMap::new(), anchors: BTreeMap::new() };
        for told in told {
            match told {
                Told::Record(record) => recount.record(record),
                Told::Observed(seen, now) => recount.observed(seen, *now),
                Told::Policy(policy) => recount.policy = *policy,
            }
        }
        recount
    }

    pub(super) fn settle(&mut self, hash: BlockHash, anchor: Option<usize>) {
        let block = self.blocks.get_mut(&hash).unwrap();
        block.weights = Some(naive_weights(self.policy, &self.shares, block, anchor));
        block.fee = self.policy.fee;
    }

    pub(super) fn waiting(&self) -> Vec<BlockHash> {
        let waits = |block: &Naive| block.weights.is_none() && !block.status.is_final();
        self.blocks.iter().filter(|(_, block)| waits(block)).map(|(hash, _)| *hash).collect()
    }

    pub(super) fn too_late(&mut self, now: TimeMs) {
        for hash in self.waiting() {
            let block = &self.blocks[&hash];
            if now.since(block.at) > SHARE_WAIT_MS {
                let anchor = newest_of(&self.shares, &block.algorithm, block.before);
                self.settle(hash, anchor);
            }
        }
    }

    pub(super) fn record(&mut self, line: &Line) {
        match &line.what {
            What::Share { worker, algorithm, work, at, candidate } => {
                self.shares.push((algorithm.clone(), worker.account.clone(), work.0, *at));
                let here = self.shares.len() - 1;
                if let Some(candidate) = candidate {
                    let waiting =
                        self.waiting().into_iter().find(|hash| self.blocks[hash].candidate == *candidate);
                    match waiting {
                        Some(hash) => self.settle(hash, Some(here)),
                        None => drop(self.anchors.insert(*candidate, here)),
                    }
                }
                self.too_late(*at);
            }
            What::Other(RecordKind::Candidate(found)) => {
                let block = Naive {
                    candidate: found.candidate,
                    algorithm: found.algorithm.clone(),
                    network_work: found.network_work.0,
                    finder: found.finder.account.clone(),
                    at: found.at,
                    before: self.shares.len(),
                    weights: None,
                    fee: BasisPoints::ZERO,
                    status: BlockStatus::Candidate,
                    credits: [None; 2],
                    rewards: [None; 2],
                    color: Color::Unknown,
                };
                self.blocks.insert(found.hash, block);
                if let Some(anchor) = self.anchors.remove(&found.candidate) {
                    self.settle(found.hash, Some(anchor));
                }
            }
            What::Other(RecordKind::Verdict { hash, at, refusal }) => {
                let block = self.blocks.get_mut(hash).unwrap();
                if block.status == BlockStatus::Candidate {
                    block.status =
                        if refusal.is_some() { BlockStatus::Rejected } else { BlockStatus::Accepted };
                }
                self.too_late(*at);
            }
            What::Other(RecordKind::Winning { .. }) => unreachable!("a share with its candidate"),
            What::Other(RecordKind::Epoch) => {
                for hash in self.waiting() {
                    let anchor = newest_of(&self.shares, &self.blocks[&hash].algorithm, self.shares.len());
                    self.settle(hash, anchor);
                }
                self.anchors.clear();
            }
        }
    }

    pub(super) fn observed(&mut self, seen: &BlockObservation, now: TimeMs) {
        self.too_late(now);
        let Some(block) = self.blocks.get_mut(&seen.hash) else { return };
        if block.status != BlockStatus::Accepted {
            return;
        }
        let mut next = block.clone();
        next.color = seen.color;
        let income = seen.red_merge_income.map(|amount| amount.0).or(seen.mature.then_some(0));
        for (which, told) in [seen.reward.map(|amount| amount.0), income].into_iter().enumerate() {
            next.rewards[which] = if seen.color == Color::Red { None } else { told.or(next.rewards[which]) };
            let due = next.rewards[which].filter(|reward| *reward != 0);
            next.credits[which] = match seen.color {
                Color::Red => None,
                Color::Blue => due,
                Color::Unknown => next.credits[which].filter(|credit| Some(*credit) == next.rewards[which]),
            };
        }
        let known = seen.color == Color::Red || (seen.color == Color::Blue && next.rewards[0].is_some());
        if seen.mature && known {
            next.status = if seen.color == Color::Red { BlockStatus::Void } else { BlockStatus::Paid };
        }
        let money_moves =
            next.credits != block.credits || (next.status == BlockStatus::Paid && next.credits != [None; 2]);
        if block.weights.is_some() || !money_moves {
            *block = next;
        }
    }

    /// What every account should have, by walking over the blocks.
    pub(super) fn balances(&self) -> BTreeMap<LedgerAccount, i128> {
        let mut balances = BTreeMap::new();
        for block in self.blocks.values() {
            for amount in block.credits.iter().flatten() {
                let weights = block.weights.as_ref().expect("money moves only once the window is known");
                let parts = split(Amount(*amount), block.fee, weights).unwrap();
                let paid = block.status == BlockStatus::Paid;
                for (account, part) in parts.parts {
                    let of = if paid { LedgerAccount::MinerConfirmed } else { LedgerAccount::MinerPending };
                    *balances.entry(of(account)).or_insert(0) += part.0;
                }
                let fee = if paid { LedgerAccount::FeeConfirmed } else { LedgerAccount::FeePending };
                *balances.entry(fee).or_insert(0) += parts.fee.0;
            }
        }
        balances.retain(|_, amount| *amount != 0);
        balances
    }
}
