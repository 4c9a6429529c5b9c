//! Payments by the wallet RPC of the simulated node. Keys are the node's own, unless another signer is configured.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use pool_domain::{ids::Account, payout::ChainView, payout_plan::ChainLimits, units::Amount};
use serde::Deserialize;
use serde_json::json;

use super::{
    Bip22Config,
    rpc::Rpc,
    transaction::{Parsed, parse},
};
use crate::ports::{
    node::NodeError,
    wallet::{
        Paid, Payment, Sent, Signed, SignerPort, Source, Spend, Target, Unsigned, WalletError, WalletPort,
    },
};

/// Smallest payment: less would cost more to spend than it is worth (149 bytes of an input at 1 per byte).
const AMOUNT_MIN: Amount = Amount(546);
/// Most recipients of one transaction: far below the size of a block.
const RECIPIENTS_MAX: usize = 1_000;
/// More than that per byte is no fee, it is a mistake.
const FEE_PER_BYTE_MAX: i128 = 100;
/// Depth at which a payment is final unless the operator says otherwise.
const DEPTH: u64 = 20;

/// [`WalletPort`] (and [`SignerPort`], with the node's keys) over the node's RPC.
pub struct Bip22Wallet {
    rpcs: Vec<Rpc>,
    /// Where rewards come in and payments go out from.
    address: String,
    network: Option<String>,
}

#[derive(Deserialize)]
struct Resolved {
    script: String,
}

#[derive(Deserialize)]
struct Created {
    hex: String,
    fee: u64,
    inputs: Vec<CreatedInput>,
    outputs: Vec<CreatedOutput>,
}

#[derive(Deserialize)]
struct CreatedInput {
    txid: String,
    vout: u32,
    amount: u64,
    script: String,
}

#[derive(Deserialize)]
struct CreatedOutput {
    script: String,
    amount: u64,
}

#[derive(Deserialize)]
struct Status {
    status: String,
    confirmations: Option<u64>,
}

/// What of `getTransaction` is used.
#[derive(Deserialize)]
struct Found {
    status: String,
    confirmations: Option<u64>,
    hex: String,
}

#[derive(Deserialize)]
struct NodeInfo {
    network: String,
    chainid: String,
}

impl Bip22Wallet {
    /// A wallet on the nodes of `config`; connects to nothing yet.
    ///
    /// # Errors
    /// When the HTTP client can't be made.
    pub fn new(config: &Bip22Config) -> Result<Self, String> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(config.call_timeout)
            .build()
            .map_err(|error| format!("HTTP client: {error}"))?;
        let rpc =
            |endpoint: &super::RpcEndpoint| Rpc::new(http.clone(), endpoint.clone(), config.call_timeout);
        Ok(Self {
            rpcs: config.endpoints.iter().map(rpc).collect(),
            address: config.payout_address.clone(),
            network: config.network.clone(),
        })
    }

    /// Asks the first node that answers and is on the right chain.
    async fn call<T: serde::de::DeserializeOwned>(
        &self,
        method: &'static str,
        params: serde_json::Value,
    ) -> Result<Result<T, String>, WalletError> {
        let mut last = String::from("no node is configured");
        for rpc in &self.rpcs {
            if let Some(expected) = &self.network {
                match rpc.call::<NodeInfo>("getNodeInfo", super::NO_PARAMS).await {
                    Ok(info) if [&info.network, &info.chainid].contains(&expected) => {}
                    Ok(info) => {
                        last = format!("{} is on {}, not on {expected}", rpc.name(), info.chainid);
                        continue;
                    }
                    Err(error) => {
                        last = error.to_string();
                        continue;
                    }
                }
            }
            match rpc.call(method, &params).await {
                Ok(answer) => return Ok(Ok(answer)),
                Err(NodeError::Rpc { message, code: -32_000, .. }) => return Ok(Err(message)),
                Err(error) => last = error.to_string(),
            }
        }
        Err(WalletError::Unavailable { what: last })
    }
}

fn unavailable(what: impl Into<String>) -> WalletError {
    WalletError::Unavailable { what: what.into() }
}

/// Amounts on this chain have 64 bits.
fn chain_amount(amount: Amount) -> Result<u64, WalletError> {
    u64::try_from(amount.0)
        .map_err(|_| WalletError::Refused { what: format!("{amount} is no amount of this chain") })
}

#[async_trait]
impl WalletPort for Bip22Wallet {
    fn name(&self) -> &'static str {
        "simulated"
    }

    fn limits(&self) -> ChainLimits {
        ChainLimits {
            recipients_max: RECIPIENTS_MAX,
            amount_min: AMOUNT_MIN,
            total_max: Amount(i128::from(u64::MAX / 2)),
            storage_mass: None,
        }
    }

    fn depth(&self) -> u64 {
        DEPTH
    }

    async fn check_address(&self, account: &Account) -> Result<Result<(), String>, WalletError> {
        let answer: Result<Resolved, String> = self.call("resolveAddress", json!([account.as_str()])).await?;
        Ok(answer.map(drop))
    }

    async fn prepare(
        &self,
        payment: &Payment,
        in_flight: &[Spend],
        depth: u64,
    ) -> Result<Unsigned, WalletError> {
        let mut outputs = Vec::with_capacity(payment.recipients.len());
        let mut locks = Vec::with_capacity(payment.recipients.len());
        for (account, amount) in &payment.recipients {
            let resolved: Result<Resolved, String> =
                self.call("resolveAddress", json!([account.as_str()])).await?;
            locks.push(resolved.map_err(|what| WalletError::Refused { what })?.script);
            outputs.push(json!([account.as_str(), chain_amount(*amount)?]));
        }
        let avoid: Vec<String> = in_flight.iter().map(ToString::to_string).collect();
        let wanted =
            json!([{ "outputs": outputs, "from": self.address, "avoid": avoid, "min_depth": depth }]);
        let created: Result<Created, String> = self.call("createTransaction", wanted).await?;
        let created = created.map_err(|what| {
            if what.contains("insufficient funds") {
                WalletError::Funds { what }
            } else {
                WalletError::Refused { what }
            }
        })?;
        let payload = hex::decode(&created.hex).map_err(|_| unavailable("createTransaction: not hex"))?;
        let sources = created.inputs.into_iter().map(|input| Source {
            spend: Spend::Output { txid: input.txid, index: input.vout },
            amount: Amount(i128::from(input.amount)),
            lock: input.script,
        });
        // Recipients come first, in their order; what follows goes back.
        let targets = created.outputs.into_iter().enumerate().map(|(at, output)| Target {
            account: payment
                .recipients
                .get(at)
                .filter(|_| locks.get(at) == Some(&output.script))
                .map(|(account, _)| account.clone()),
            amount: Amount(i128::from(output.amount)),
            lock: output.script,
        });
        let unsigned = Unsigned {
            payload,
            sources: sources.collect(),
            targets: targets.collect(),
            fee: Amount(i128::from(created.fee)),
        };
        // Nothing is signed that is not what was asked for, whoever built it.
        let parsed =
            parse(&unsigned.payload).ok_or_else(|| unavailable("createTransaction: no transaction"))?;
        check_payment(payment, &unsigned, &parsed).map_err(|what| {
            unavailable(format!("the node built another transaction than asked for: {what}"))
        })?;
        if let Some(source) = unsigned.sources.iter().find(|source| in_flight.contains(&source.spend)) {
            return Err(unavailable(format!("the node used {} again, which is under way", source.spend)));
        }
        Ok(unsigned)
    }

    fn read(&self, payment: &Payment, unsigned: &Unsigned, bytes: &[u8]) -> Result<Signed, String> {
        read(payment, unsigned, bytes)
    }

    async fn broadcast(&self, bytes: &[u8]) -> Result<Sent, WalletError> {
        let answer: Result<String, String> =
            self.call("sendRawTransaction", json!([hex::encode(bytes)])).await?;
        Ok(match answer {
            Ok(_) => Sent::Taken,
            Err(words) if words.contains("already have") => Sent::Taken,
            Err(words) => Sent::Refused(words),
        })
    }

    async fn view(&self, txid: &str, spends: &[Spend]) -> Result<ChainView, WalletError> {
        let spends: Vec<String> = spends.iter().map(ToString::to_string).collect();
        let answer: Result<Status, String> = self.call("getTransactionStatus", json!([txid, spends])).await?;
        let Status { status, confirmations } = answer.map_err(unavailable)?;
        match (status.as_str(), confirmations) {
            ("unknown", _) => Ok(ChainView::Unknown),
            ("mempool", _) => Ok(ChainView::Waiting),
            ("accepted", Some(depth)) => Ok(ChainView::Confirmed { depth }),
            ("replaced", Some(depth)) => Ok(ChainView::Replaced { depth }),
            _ => Err(unavailable(format!("getTransactionStatus: the status {status:?} is not known"))),
        }
    }

    async fn paid(&self, txid: &str, accounts: &[Account]) -> Result<Option<Paid>, WalletError> {
        let found: Result<Found, String> = self.call("getTransaction", json!([txid])).await?;
        let found = match found {
            Ok(found) => found,
            Err(words) if words.contains("transaction not found") => return Ok(None),
            Err(words) => return Err(unavailable(words)),
        };
        let Some(depth) = found.confirmations.filter(|_| found.status == "accepted") else { return Ok(None) };
        let bytes = hex::decode(&found.hex).ok();
        let parsed = bytes.and_then(|bytes| parse(&bytes)).filter(|parsed| parsed.txid == txid);
        let parsed = parsed.ok_or_else(|| unavailable("getTransaction: another transaction, or none"))?;
        let mut amounts = Vec::with_capacity(accounts.len());
        for account in accounts {
            let resolved: Result<Resolved, String> =
                self.call("resolveAddress", json!([account.as_str()])).await?;
            // An address that the chain refuses was paid nothing.
            let lock = resolved.map(|resolved| resolved.script).ok();
            let of_it = parsed.outputs.iter().filter(|output| lock == Some(hex::encode(&output.script)));
            let paid = Amount::checked_sum(of_it.map(|output| output.amount));
            // Not nothing: a sum that can't be is no answer.
            amounts.push(paid.ok_or_else(|| unavailable("getTransaction: amounts beyond all coins"))?);
        }
        Ok(Some(Paid { depth, amounts }))
    }
}

#[async_trait]
impl SignerPort for Bip22Wallet {
    fn name(&self) -> &'static str {
        "the node's wallet"
    }

    async fn sign(&self, _: &Payment, unsigned: &Unsigned) -> Result<Vec<u8>, WalletError> {
        let answer: Result<String, String> =
            self.call("signTransaction", json!([hex::encode(&unsigned.payload)])).await?;
        let signed = answer.map_err(|what| WalletError::Refused { what })?;
        hex::decode(signed).map_err(|_| unavailable("signTransaction: not hex"))
    }
}

/// The wallet as one handle for both ports.
pub fn shared(wallet: Bip22Wallet) -> (Arc<dyn WalletPort>, Arc<dyn SignerPort>) {
    let wallet = Arc::new(wallet);
    (Arc::clone(&wallet) as _, wallet)
}

/// Reads signed bytes: the unsigned transaction with signatures, and nothing else changed.
fn read(payment: &Payment, unsigned: &Unsigned, bytes: &[u8]) -> Result<Signed, String> {
    let wanted = parse(&unsigned.payload).ok_or("the unsigned transaction can't be read")?;
    let signed = parse(bytes).ok_or("what was signed is no transaction")?;
    if (signed.version, signed.lock_time) != (wanted.version, wanted.lock_time) {
        return Err("version or lock time differs".into());
    }
    let place = |parsed: &Parsed| -> Vec<_> {
        parsed.inputs.iter().map(|input| (input.txid.clone(), input.index, input.sequence)).collect()
    };
    if place(&signed) != place(&wanted) {
        return Err("it spends something else".into());
    }
    if signed.outputs != wanted.outputs {
        return Err("it pays something else".into());
    }
    if signed.inputs.iter().any(|input| input.script.is_empty()) {
        return Err("an input is not signed".into());
    }
    check_payment(payment, unsigned, &signed)?;
    let bytes_max = i128::try_from(bytes.len()).unwrap_or(i128::MAX).saturating_mul(FEE_PER_BYTE_MAX);
    if unsigned.fee.0 > bytes_max {
        return Err(format!("a fee of {} is more than {FEE_PER_BYTE_MAX} per byte", unsigned.fee));
    }
    Ok(Signed {
        bytes: bytes.to_vec(),
        txid: signed.txid,
        spends: unsigned.sources.iter().map(|source| source.spend.clone()).collect(),
        fee: unsigned.fee,
    })
}

/// Whether a transaction is this payment: every recipient gets exactly its amount, once; at most one further output, back
/// to where the money came from; and the sums add up.
fn check_payment(payment: &Payment, unsigned: &Unsigned, parsed: &Parsed) -> Result<(), String> {
    let spends: Vec<Spend> = parsed
        .inputs
        .iter()
        .map(|input| Spend::Output { txid: input.txid.clone(), index: input.index })
        .collect();
    if spends.iter().ne(unsigned.sources.iter().map(|source| &source.spend)) {
        return Err("its inputs are not those that were named".into());
    }
    let named = unsigned.targets.iter().map(|target| (target.amount, target.lock.clone()));
    if parsed.outputs.iter().map(|output| (output.amount, hex::encode(&output.script))).ne(named) {
        return Err("its outputs are not those that were named".into());
    }
    let mut due: BTreeMap<&Account, Amount> =
        payment.recipients.iter().map(|(account, amount)| (account, *amount)).collect();
    let mut change = 0;
    for target in &unsigned.targets {
        match &target.account {
            Some(account) if due.remove(account) == Some(target.amount) => {}
            Some(account) => return Err(format!("{account} gets {}", target.amount)),
            None if unsigned.sources.iter().any(|source| source.lock == target.lock) => change += 1,
            None => return Err("it pays somebody who is not to be paid".into()),
        }
    }
    if let Some((account, amount)) = due.into_iter().next() {
        return Err(format!("{account} does not get {amount}"));
    }
    let brought = Amount::checked_sum(unsigned.sources.iter().map(|source| source.amount));
    let gone = Amount::checked_sum(unsigned.targets.iter().map(|target| target.amount));
    let fee = brought.zip(gone).and_then(|(brought, gone)| brought.checked_sub(gone));
    if change > 1 || fee != Some(unsigned.fee) || unsigned.fee.is_negative() {
        return Err("its sums do not add up".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use pool_domain::ids::PayoutId;

    use super::*;

    /// One input, outputs to two recipients and back; `script` stands for the signature.
    fn bytes(outputs: &[(u64, u8)], script: &[u8]) -> Vec<u8> {
        let mut bytes = vec![2, 0, 0, 0, 1];
        bytes.extend([7; 32]);
        bytes.extend([1, 0, 0, 0]);
        bytes.push(u8::try_from(script.len()).unwrap());
        bytes.extend(script);
        bytes.extend([0xff; 4]);
        bytes.push(u8::try_from(outputs.len()).unwrap());
        for (amount, lock) in outputs {
            bytes.extend(amount.to_le_bytes());
            bytes.extend([1, *lock]);
        }
        bytes.extend([0; 4]);
        bytes
    }

    fn account(name: &str) -> Account {
        Account::new(name).unwrap()
    }

    fn target(account: Option<Account>, amount: i128, lock: &str) -> Target {
        Target { account, amount: Amount(amount), lock: lock.into() }
    }

    #[test]
    fn only_the_very_payment_is_taken_from_a_signer() {
        let recipients = vec![(account("alice"), Amount(300)), (account("bob"), Amount(500))];
        let payment = Payment { payout: PayoutId(1), recipients };
        let paid = [(300, 0xaa), (500, 0xbb), (190, 0xcc)];
        let unsigned = Unsigned {
            payload: bytes(&paid, &[]),
            sources: vec![Source {
                spend: Spend::Output { txid: "07".repeat(32), index: 1 },
                amount: Amount(1_000),
                lock: "cc".into(),
            }],
            targets: vec![
                target(Some(account("alice")), 300, "aa"),
                target(Some(account("bob")), 500, "bb"),
                target(None, 190, "cc"),
            ],
            fee: Amount(10),
        };
        let good = bytes(&paid, &[1, 2]);
        let signed = read(&payment, &unsigned, &good).unwrap();
        assert_eq!((signed.bytes, signed.fee, signed.spends.len()), (good.clone(), Amount(10), 1));
        let mut other_input = good.clone();
        other_input[5] = 8;
        let mut later = good.clone();
        *later.last_mut().unwrap() = 1;
        for (bytes, words) in [
            (bytes(&paid, &[]), "not signed"),
            (bytes(&[(301, 0xaa), (500, 0xbb), (189, 0xcc)], &[1]), "pays something else"),
            (bytes(&[(300, 0xaa), (500, 0xdd), (190, 0xcc)], &[1]), "pays something else"),
            (bytes(&paid[..2], &[1]), "pays something else"),
            (other_input, "spends something else"),
            (later, "lock time"),
            (good[1..].to_vec(), "no transaction"),
        ] {
            let refused = read(&payment, &unsigned, &bytes).unwrap_err();
            assert!(refused.contains(words), "{refused}");
        }
        // What the node built is looked at in the same way.
        let wrong = |change: &dyn Fn(&mut Unsigned)| {
            let mut unsigned = unsigned.clone();
            change(&mut unsigned);
            read(&payment, &unsigned, &good).unwrap_err()
        };
        assert!(wrong(&|unsigned| unsigned.fee = Amount(9)).contains("add up"));
        assert!(wrong(&|unsigned| unsigned.targets[2].lock = "dd".into()).contains("outputs"));
        assert!(wrong(&|unsigned| unsigned.sources[0].lock = "dd".into()).contains("not to be paid"));
        assert!(wrong(&|unsigned| unsigned.targets[0].account = None).contains("not to be paid"));
        assert!(wrong(&|unsigned| unsigned.targets[1].account = Some(account("alice"))).contains("alice"));
    }
}
