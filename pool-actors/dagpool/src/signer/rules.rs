//! What the reference signer signs, and what it refuses.

use std::{collections::BTreeSet, path::Path};

use pool_actors::{
    adapters::{
        signer_socket::{PROTOCOL, SignAnswer, SignRequest},
        system_clock::SystemClock,
    },
    error::{Code, Failure},
    ports::clock::Clock as _,
};
use pool_domain::units::Amount;
use simulations::signing::Keys;

use super::journal::{Journal, Line};

const HOUR_MS: u64 = 3_600_000;

/// The signer's own limits.
#[derive(Debug, Default)]
pub(super) struct Limits {
    pub(super) per_hour: Option<Amount>,
    pub(super) per_day: Option<Amount>,
    pub(super) per_recipient: Option<Amount>,
    /// Accounts that may be paid; `None` = all.
    pub(super) allowed: Option<BTreeSet<String>>,
}

/// Accounts, one a line; empty lines and those that begin with `#` are left out.
pub(super) fn read_allowed(path: &Path) -> Result<BTreeSet<String>, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::new(
            Code::ConfigUnreadable,
            format!("--allow {}: {error}", path.display()),
            "name a readable file",
        )
    })?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(lines.map(str::to_owned).collect())
}

/// Keys, limits, and what was signed so far.
pub(super) struct Signer {
    keys: Keys,
    limits: Limits,
    journal: Journal,
}

impl Signer {
    pub(super) fn open(seed: u64, label: &str, limits: Limits, journal: &Path) -> Result<Self, Failure> {
        Ok(Self { keys: Keys::new(seed, label), limits, journal: Journal::open(journal)? })
    }

    /// Where it pays from.
    pub(super) fn address(&self) -> &str {
        self.keys.address()
    }

    pub(super) fn answer(&mut self, request: &SignRequest) -> SignAnswer {
        match self.sign(request, SystemClock.now().0) {
            Ok(signed) => SignAnswer::Signed(signed),
            Err(why) => SignAnswer::Refused(why),
        }
    }

    fn sign(&mut self, request: &SignRequest, now: u64) -> Result<String, String> {
        if request.version != PROTOCOL {
            return Err(format!("protocol {} is not spoken here, {PROTOCOL} is", request.version));
        }
        let recipients: Vec<(String, Amount)> =
            request.recipients.iter().map(|one| (one.account.to_string(), one.amount)).collect();
        let amount = self.check(request, &recipients)?;
        let spends: Vec<String> = request.sources.iter().map(|source| source.spend.to_string()).collect();
        let before: Vec<&Line> =
            self.journal.lines.iter().filter(|line| line.payout == request.payout).collect();
        for line in &before {
            if line.recipients != recipients {
                return Err(format!("payout {} was signed for other recipients", request.payout));
            }
            if !line.spends.iter().any(|spend| spends.contains(spend)) {
                // The pool lost our answer and chose other inputs: the first transaction could still be sent. The same
                // bytes once more can't pay twice.
                return Ok(line.signed.clone());
            }
        }
        if before.is_empty() {
            self.within_limits(amount, now)?;
        }
        let locks: Vec<String> = request.sources.iter().map(|source| source.lock.clone()).collect();
        let signed = self.keys.sign(&request.payload, &locks)?;
        let amount = if before.is_empty() { amount } else { Amount::ZERO };
        let line =
            Line { at: now, payout: request.payout, amount, recipients, spends, signed: signed.clone() };
        self.journal
            .append(line)
            .map_err(|error| format!("the signer's journal can't be written: {error}"))?;
        Ok(signed)
    }

    /// Reads the transaction itself: it pays the recipients what is said, and the rest back to this key. The sum paid.
    fn check(&self, request: &SignRequest, recipients: &[(String, Amount)]) -> Result<Amount, String> {
        let outputs = self.keys.outputs(&request.payload)?;
        if outputs.len() < recipients.len() || outputs.len() > recipients.len() + 1 {
            return Err("the transaction has other outputs than recipients and change".into());
        }
        for ((account, amount), output) in recipients.iter().zip(&outputs) {
            if i128::from(output.amount) != amount.0 {
                return Err(format!("{account} gets {} in the transaction, not {amount}", output.amount));
            }
            if !self.keys.pays_to(output, account) {
                return Err(format!("the transaction does not pay to {account}"));
            }
            if self.limits.allowed.as_ref().is_some_and(|allowed| !allowed.contains(account)) {
                return Err(format!("{account} is not on the list of those that may be paid"));
            }
            if self.limits.per_recipient.is_some_and(|limit| *amount > limit) {
                return Err(format!("{amount} for {account} is above the limit for one recipient"));
            }
        }
        if let Some(change) = outputs.get(recipients.len())
            && !self.keys.is_own(change)
        {
            return Err("the change does not come back".into());
        }
        let sum = Amount::checked_sum(recipients.iter().map(|(_, amount)| *amount));
        sum.ok_or_else(|| "the amounts overflow".into())
    }

    fn within_limits(&self, amount: Amount, now: u64) -> Result<(), String> {
        for (limit, span, name) in
            [(self.limits.per_hour, HOUR_MS, "hour"), (self.limits.per_day, 24 * HOUR_MS, "day")]
        {
            let Some(limit) = limit else { continue };
            let recent = self.journal.lines.iter().filter(|line| line.at.saturating_add(span) > now);
            let sum = recent.map(|line| line.amount.0).fold(amount.0, i128::saturating_add);
            if sum > limit.0 {
                return Err(format!("{sum} within the {name} would be above the signer's limit of {limit}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use pool_actors::ports::wallet::{Source, Spend, Target};
    use pool_domain::ids::{Account, PayoutId};

    use super::*;

    fn signer(limits: Limits, folder: &tempfile::TempDir) -> Signer {
        Signer::open(7, "pool", limits, &folder.path().join("journal")).unwrap()
    }

    /// Alice gets 300 of the pool's 1,000, which are output `index` of some transaction.
    fn request(signer: &Signer, payout: u64, index: u32) -> SignRequest {
        let alice = Account::new("alice").unwrap();
        let payload = signer.keys.example(index, &[("alice", 300), ("pool", 690)]);
        let lock = signer.keys.lock().to_owned();
        SignRequest {
            version: PROTOCOL,
            payout: PayoutId(payout),
            recipients: vec![pool_actors::adapters::signer_socket::SignRecipient {
                account: alice.clone(),
                amount: Amount(300),
            }],
            payload,
            sources: vec![Source {
                spend: Spend::Output { txid: "07".repeat(32), index },
                amount: Amount(1_000),
                lock: lock.clone(),
            }],
            targets: vec![
                Target { account: Some(alice), amount: Amount(300), lock: String::new() },
                Target { account: None, amount: Amount(690), lock },
            ],
            fee: Amount(10),
        }
    }

    #[test]
    fn a_payout_is_signed_once_for_one_payment() {
        let folder = tempfile::tempdir().unwrap();
        let limits = Limits { per_hour: Some(Amount(700)), ..Limits::default() };
        let mut first = signer(limits, &folder);
        let asked = request(&first, 1, 0);
        let signed = first.sign(&asked, 1_000).unwrap();
        drop(first);
        // After a restart, too: the same bytes for other inputs, and nothing for other recipients.
        let limits = Limits { per_hour: Some(Amount(700)), ..Limits::default() };
        let mut again = signer(limits, &folder);
        let other_inputs = request(&again, 1, 1);
        assert_eq!(again.sign(&other_inputs, 1_001), Ok(signed));
        let mut other = request(&again, 1, 0);
        other.recipients[0].account = Account::new("mallory").unwrap();
        assert!(again.sign(&other, 1_002).unwrap_err().contains("does not pay to mallory"));
        again.sign(&request(&again, 2, 2), 1_003).unwrap();
        assert!(again.sign(&request(&again, 3, 3), 1_004).unwrap_err().contains("limit of 700"));
        again.sign(&request(&again, 3, 3), 1_004 + HOUR_MS).unwrap();
    }

    #[test]
    fn what_breaks_a_rule_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let allowed = Some(BTreeSet::from(["bob".to_owned()]));
        let mut strict = signer(Limits { allowed, ..Limits::default() }, &folder);
        assert!(strict.sign(&request(&strict, 1, 0), 0).unwrap_err().contains("not on the list"));
        let small = Limits { per_recipient: Some(Amount(299)), ..Limits::default() };
        let mut small = signer(small, &folder);
        assert!(small.sign(&request(&small, 1, 0), 0).unwrap_err().contains("one recipient"));
        let mut free = signer(Limits::default(), &folder);
        let change = |change: &dyn Fn(&Signer, &mut SignRequest)| {
            let mut asked = request(&free, 1, 0);
            change(&free, &mut asked);
            asked
        };
        let cases = [
            (change(&|_, asked| asked.version = 2), "protocol 2"),
            (change(&|_, asked| asked.recipients[0].amount = Amount(299)), "gets 300"),
            (
                change(&|signer, asked| {
                    asked.payload = signer.keys.example(0, &[("alice", 300), ("eve", 690)]);
                }),
                "come back",
            ),
            (
                change(&|signer, asked| {
                    asked.payload = signer.keys.example(0, &[("alice", 300), ("pool", 1), ("pool", 1)]);
                }),
                "other outputs",
            ),
            (change(&|_, asked| asked.payload = "00".into()), "can't be read"),
            (change(&|_, asked| asked.sources[0].lock = "00".into()), "not the wallet's"),
        ];
        for (asked, words) in cases {
            let refused = free.sign(&asked, 0).unwrap_err();
            assert!(refused.contains(words), "{refused}");
        }
    }
}
