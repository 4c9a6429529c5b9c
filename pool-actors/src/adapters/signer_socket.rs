//! Signing by another process, over a Unix socket: one JSON object a line, one line each way (`pool-actors/docs/signer.md`).
//!
//! What it answers is not believed: the wallet compares it with what was asked for (`WalletPort::read`).

use std::{path::PathBuf, time::Duration};

use async_trait::async_trait;
use pool_domain::{
    ids::{Account, PayoutId},
    units::Amount,
};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::UnixStream,
    time::timeout,
};

use crate::ports::wallet::{Payment, SignerPort, Source, Target, Unsigned, WalletError};

/// Version of the protocol.
pub const PROTOCOL: u32 = 1;
/// Longest line either way, bytes: a transaction of a thousand recipients, in hex, and all that is said of it.
pub const LINE_BYTES_MAX: u64 = 4 << 20;

/// What the pool asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignRequest {
    /// [`PROTOCOL`].
    pub version: u32,
    /// The payout: asked twice, it is the same payment.
    pub payout: PayoutId,
    /// Who is to get what, smallest unit.
    pub recipients: Vec<SignRecipient>,
    /// The transaction without signatures in the chain's form, hex.
    pub payload: String,
    /// What it uses up.
    pub sources: Vec<Source>,
    /// Where the money goes; without an account, it goes back to the pool.
    pub targets: Vec<Target>,
    /// What the chain takes for it, smallest unit.
    pub fee: Amount,
}

/// One recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignRecipient {
    /// Canonical payout address.
    pub account: Account,
    /// Smallest unit.
    pub amount: Amount,
}

/// What the signer answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignAnswer {
    /// The whole signed transaction in the chain's form, hex.
    Signed(String),
    /// Why not, in words for the operator. It may be asked again later.
    Refused(String),
}

impl SignRequest {
    /// The request for a payment.
    #[must_use]
    pub fn new(payment: &Payment, unsigned: &Unsigned) -> Self {
        let recipient = |(account, amount): &(Account, Amount)| SignRecipient {
            account: account.clone(),
            amount: *amount,
        };
        Self {
            version: PROTOCOL,
            payout: payment.payout,
            recipients: payment.recipients.iter().map(recipient).collect(),
            payload: hex::encode(&unsigned.payload),
            sources: unsigned.sources.clone(),
            targets: unsigned.targets.clone(),
            fee: unsigned.fee,
        }
    }
}

/// [`SignerPort`] over the socket. Connects anew for each payment, so that the signer may be restarted at any time.
pub struct SocketSigner {
    path: PathBuf,
    timeout: Duration,
}

impl SocketSigner {
    /// The signer at this path; connects to nothing yet.
    #[must_use]
    pub const fn new(path: PathBuf, timeout: Duration) -> Self {
        Self { path, timeout }
    }

    async fn ask(&self, request: &SignRequest) -> Result<SignAnswer, std::io::Error> {
        let mut stream = UnixStream::connect(&self.path).await?;
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        stream.write_all(&line).await?;
        let mut answer = Vec::new();
        BufReader::new(stream.take(LINE_BYTES_MAX)).read_until(b'\n', &mut answer).await?;
        if answer.last() != Some(&b'\n') {
            return Err(std::io::Error::other("it closed the connection in the middle of its answer"));
        }
        Ok(serde_json::from_slice(&answer)?)
    }
}

#[async_trait]
impl SignerPort for SocketSigner {
    fn name(&self) -> &'static str {
        "the external signer"
    }

    async fn sign(&self, payment: &Payment, unsigned: &Unsigned) -> Result<Vec<u8>, WalletError> {
        let place = self.path.display();
        let unavailable = |what: String| WalletError::Unavailable { what: format!("signer {place}: {what}") };
        let request = SignRequest::new(payment, unsigned);
        let answer = timeout(self.timeout, self.ask(&request)).await;
        match answer {
            Err(_) => Err(unavailable(format!("no answer within {} ms", self.timeout.as_millis()))),
            Ok(Err(error)) => Err(unavailable(error.to_string())),
            Ok(Ok(SignAnswer::Refused(why))) => {
                Err(WalletError::Refused { what: format!("the signer refuses: {why}") })
            }
            Ok(Ok(SignAnswer::Signed(text))) => {
                hex::decode(&text).map_err(|_| unavailable("what it signed is not hex".into()))
            }
        }
    }
}
