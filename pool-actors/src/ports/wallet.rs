//! What the pool asks of a wallet: to build a payment, to have it signed, to send its bytes, and to say what became of them.
//!
//! Nothing here assumes inputs or nonces, one recipient or many: what a transaction uses up is a [`Spend`], and what the
//! chain carries is data ([`ChainLimits`]). Signing is a port of its own, since keys may live in another process.

use std::{fmt, str::FromStr, sync::Arc};

use async_trait::async_trait;
use pool_domain::{
    ids::{Account, PayoutId},
    payout::ChainView,
    payout_plan::ChainLimits,
    units::Amount,
};
use serde::{Deserialize, Serialize};

/// What a transaction uses up: once another confirmed transaction has used it, this one is impossible for ever.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Spend {
    /// An output of an earlier transaction (Bitcoin, Kaspa).
    Output {
        /// That transaction, as the chain writes it.
        txid: String,
        /// Which of its outputs.
        index: u32,
    },
    /// The sender's number of this transaction (EVM).
    Nonce {
        /// Who sends.
        sender: String,
        /// The number.
        nonce: u64,
    },
}

impl fmt::Display for Spend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Output { txid, index } => write!(f, "{txid}:{index}"),
            Self::Nonce { sender, nonce } => write!(f, "{sender}#{nonce}"),
        }
    }
}

/// Text that names nothing that can be spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a transaction's output (txid:index) or a sender's nonce (sender#nonce)")]
pub struct NotASpend;

impl FromStr for Spend {
    type Err = NotASpend;

    fn from_str(text: &str) -> Result<Self, NotASpend> {
        if let Some((sender, nonce)) = text.rsplit_once('#') {
            let nonce = nonce.parse().map_err(|_| NotASpend)?;
            return Ok(Self::Nonce { sender: sender.to_owned(), nonce });
        }
        let (txid, index) = text.rsplit_once(':').ok_or(NotASpend)?;
        Ok(Self::Output { txid: txid.to_owned(), index: index.parse().map_err(|_| NotASpend)? })
    }
}

impl Serialize for Spend {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Spend {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Who is to be paid how much, in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// The payout that it is for.
    pub payout: PayoutId,
    /// Recipients; each gets exactly that.
    pub recipients: Vec<(Account, Amount)>,
}

/// Something that a transaction uses up, with what its signer must know of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// What is used up.
    pub spend: Spend,
    /// What it brings, smallest unit.
    pub amount: Amount,
    /// What locks it (Bitcoin: its script), in the chain's form, hex.
    pub lock: String,
}

/// Where money of a transaction goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The account that is paid; `None` is what goes back to the pool.
    pub account: Option<Account>,
    /// How much, smallest unit.
    pub amount: Amount,
    /// What locks it (Bitcoin: its script), in the chain's form, hex.
    pub lock: String,
}

/// A transaction that wants signing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsigned {
    /// Its bytes in the chain's form, without signatures.
    pub payload: Vec<u8>,
    /// What it uses up, in its order.
    pub sources: Vec<Source>,
    /// Where the money goes, in its order.
    pub targets: Vec<Target>,
    /// What the chain takes for it, smallest unit.
    pub fee: Amount,
}

/// A transaction that can be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Its bytes: these and no others are sent, however often.
    pub bytes: Vec<u8>,
    /// What the chain calls it.
    pub txid: String,
    /// What it uses up.
    pub spends: Vec<Spend>,
    /// What the chain takes for it, smallest unit.
    pub fee: Amount,
}

/// Why a wallet did not do as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WalletError {
    /// No (usable) answer. What was asked may have happened all the same.
    #[error("wallet: {what}")]
    Unavailable {
        /// What happened.
        what: String,
    },
    /// It can't be paid now: not enough that is spendable and deep enough.
    #[error("wallet: {what}")]
    Funds {
        /// The wallet's words.
        what: String,
    },
    /// It refuses, and would again.
    #[error("wallet: {what}")]
    Refused {
        /// Its words.
        what: String,
    },
}

/// What a node did with bytes that it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// It has them, now or from before.
    Taken,
    /// It does not want them now, in its own words. That proves nothing: they are sent again.
    Refused(String),
}

/// What a transaction on the chain pays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paid {
    /// How deep it is, in the chain's own measure.
    pub depth: u64,
    /// All that each of the accounts that were asked about gets, in their order.
    pub amounts: Vec<Amount>,
}

/// A chain's payments.
#[async_trait]
pub trait WalletPort: Send + Sync + 'static {
    /// Short name for logs, e.g. `simulated`.
    fn name(&self) -> &'static str;

    /// What a transaction of the chain carries.
    fn limits(&self) -> ChainLimits;

    /// How deep a transaction must be to be final, unless the operator says otherwise.
    fn depth(&self) -> u64;

    /// Whether the chain takes payments to that account; `Err` inside says why not.
    ///
    /// # Errors
    /// [`WalletError::Unavailable`].
    async fn check_address(&self, account: &Account) -> Result<Result<(), String>, WalletError>;

    /// Builds a transaction that uses up nothing of `in_flight`, and only what is at least `depth` deep.
    ///
    /// # Errors
    /// [`WalletError`].
    async fn prepare(
        &self,
        payment: &Payment,
        in_flight: &[Spend],
        depth: u64,
    ) -> Result<Unsigned, WalletError>;

    /// Reads bytes that a signer answered, and makes sure that they are the transaction that it was asked to sign, and
    /// pay what the payment says.
    ///
    /// # Errors
    /// What differs.
    fn read(&self, payment: &Payment, unsigned: &Unsigned, bytes: &[u8]) -> Result<Signed, String>;

    /// Sends bytes. They may be sent any number of times.
    ///
    /// # Errors
    /// [`WalletError::Unavailable`]: they may have been taken all the same.
    async fn broadcast(&self, bytes: &[u8]) -> Result<Sent, WalletError>;

    /// What the chain says of a transaction that uses up `spends`.
    ///
    /// # Errors
    /// [`WalletError::Unavailable`].
    async fn view(&self, txid: &str, spends: &[Spend]) -> Result<ChainView, WalletError>;

    /// What a transaction pays to these accounts, read from the chain; `None` when no block of it holds such a one. For audits.
    ///
    /// # Errors
    /// [`WalletError::Unavailable`].
    async fn paid(&self, txid: &str, accounts: &[Account]) -> Result<Option<Paid>, WalletError>;
}

/// Who has the keys.
#[async_trait]
pub trait SignerPort: Send + Sync + 'static {
    /// Short name for logs.
    fn name(&self) -> &'static str;

    /// Signs; the answer is the whole transaction in the chain's form.
    ///
    /// # Errors
    /// [`WalletError::Refused`] when the signer does not want to.
    async fn sign(&self, payment: &Payment, unsigned: &Unsigned) -> Result<Vec<u8>, WalletError>;
}

/// A wallet shared by dispatcher and preflight.
pub type SharedWallet = Arc<dyn WalletPort>;
/// A signer shared by dispatcher and preflight.
pub type SharedSigner = Arc<dyn SignerPort>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spends_have_one_text() {
        for text in ["ab12:0", "kaspa:qq:4294967295", "0xabc#18446744073709551615"] {
            assert_eq!(text.parse::<Spend>().unwrap().to_string(), text);
        }
        for text in ["", "ab", "ab:", "ab:-1", "ab:4294967296", "0xabc#", "0xabc#x"] {
            assert_eq!(text.parse::<Spend>(), Err(NotASpend), "{text}");
        }
    }
}
