//! A share: what a miner sends, and what the pool answers.

use core::fmt;

use serde::{Deserialize, Serialize};

/// Bytes that a miner varies inside the coinbase: prefix (extranonce1) followed by extranonce2; at most 20.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Extranonce {
    length: u8,
    bytes: [u8; Self::LENGTH_MAX],
}

/// More bytes than an extranonce may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("extranonce has {0} bytes, at most 20 are allowed")]
pub struct ExtranonceTooLong(pub usize);

impl Extranonce {
    /// Greatest length: 4 bytes of prefix and 16 of extranonce2.
    pub const LENGTH_MAX: usize = 20;

    /// Joins the pool's prefix and the miner's part.
    ///
    /// # Errors
    /// When both together are longer than 20 bytes.
    pub fn new(prefix: &[u8], extranonce2: &[u8]) -> Result<Self, ExtranonceTooLong> {
        let total = prefix.len() + extranonce2.len();
        let mut bytes = [0; Self::LENGTH_MAX];
        match (bytes.get_mut(..prefix.len()), u8::try_from(total)) {
            (Some(head), Ok(_)) if total <= Self::LENGTH_MAX => head.copy_from_slice(prefix),
            _ => return Err(ExtranonceTooLong(total)),
        }
        bytes[prefix.len()..total].copy_from_slice(extranonce2);
        Ok(Self { length: u8::try_from(total).map_err(|_| ExtranonceTooLong(total))?, bytes })
    }

    /// The bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl fmt::Debug for Extranonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Extranonce(")?;
        self.as_slice().iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// The fields that a miner chose, decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Solution {
    /// Prefix and extranonce2.
    pub extranonce: Extranonce,
    /// Header time: seconds, or milliseconds where the header holds those.
    pub ntime: u64,
    /// Header nonce; the low 32 bits where the header has 4 bytes for it.
    pub nonce: u64,
    /// Header version after rolling (BIP 310).
    pub version: u32,
}

/// Why a share is refused; the number is the error code on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum RejectReason {
    /// Malformed or outside what the job allows (time, version mask, extranonce size).
    Other = 20,
    /// The job is not known, or past its grace.
    StaleJob = 21,
    /// These header bytes were sent before.
    Duplicate = 22,
    /// The hash is above the target of the job.
    LowDifficulty = 23,
    /// The user of the submit is not authorised on this connection.
    Unauthorized = 24,
    /// No subscribe came before.
    NotSubscribed = 25,
}

impl RejectReason {
    /// All of them, by code.
    pub const ALL: [Self; 6] = [
        Self::Other,
        Self::StaleJob,
        Self::Duplicate,
        Self::LowDifficulty,
        Self::Unauthorized,
        Self::NotSubscribed,
    ];

    /// The stratum error code.
    #[must_use]
    pub const fn code(self) -> i32 {
        self as i32
    }

    /// The stratum error text. "Job not found" is what keeps one miner from exiting after a few stale shares.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::Other => "Invalid share",
            Self::StaleJob => "Job not found",
            Self::Duplicate => "Duplicate share",
            Self::LowDifficulty => "Low difficulty share",
            Self::Unauthorized => "Unauthorized worker",
            Self::NotSubscribed => "Not subscribed",
        }
    }

    /// The class that statistics count it under.
    #[must_use]
    pub const fn cause(self) -> RejectCause {
        match self {
            Self::StaleJob => RejectCause::Stale,
            Self::Duplicate => RejectCause::Duplicate,
            Self::LowDifficulty => RejectCause::LowDifficulty,
            Self::Other | Self::Unauthorized | Self::NotSubscribed => RejectCause::Invalid,
        }
    }
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

/// Classes of refused shares in metrics and statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectCause {
    /// Work for a job that is over.
    Stale,
    /// Sent before.
    Duplicate,
    /// Above the target.
    LowDifficulty,
    /// Anything a correct miner does not send.
    Invalid,
}

impl RejectCause {
    /// All of them, in the order that arrays of counters use (`cause as usize`).
    pub const ALL: [Self; 4] = [Self::Stale, Self::Duplicate, Self::LowDifficulty, Self::Invalid];

    /// The label in metrics and the key in statistics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Stale => "stale",
            Self::Duplicate => "duplicate",
            Self::LowDifficulty => "low_difficulty",
            Self::Invalid => "invalid",
        }
    }
}

/// Why a share has no verdict: something died on its way. The miner is told code 20 and nothing is credited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LostReason {
    /// The slot that the job was pinned to crashed, and no proven generation could take the share over.
    SlotGone,
    /// No answer within the time a share may take.
    TimedOut,
    /// The journal could not make it durable (disk full, disk budget, write error).
    JournalUnavailable,
    /// The pool is stopping.
    ShuttingDown,
    /// A panic dropped the share's ticket.
    Dropped,
    /// The algorithm panicked on this very share, twice.
    AlgorithmPanicked,
}

impl LostReason {
    /// The label in metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::SlotGone => "slot_gone",
            Self::TimedOut => "timed_out",
            Self::JournalUnavailable => "journal_unavailable",
            Self::ShuttingDown => "shutting_down",
            Self::Dropped => "dropped",
            Self::AlgorithmPanicked => "algorithm_panicked",
        }
    }
}

impl fmt::Display for LostReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SlotGone => "Share lost: its algorithm stopped",
            Self::TimedOut => "Share lost: validation took too long",
            Self::JournalUnavailable => "Share lost: it could not be stored",
            Self::ShuttingDown => "Share lost: the pool is stopping",
            Self::Dropped => "Share lost: internal error",
            Self::AlgorithmPanicked => "Share lost: its algorithm failed on it",
        })
    }
}

/// What becomes of a share; exactly one of these, exactly once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is in the journal and will be paid.
    Accepted,
    /// It is not work that the pool pays.
    Rejected(RejectReason),
    /// It could not be judged or stored.
    Lost(LostReason),
}

impl Verdict {
    /// Accepted.
    #[must_use]
    pub const fn is_accepted(self) -> bool {
        matches!(self, Self::Accepted)
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn codes_are_those_of_stratum() {
        let codes: std::vec::Vec<_> = RejectReason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(codes, [20, 21, 22, 23, 24, 25]);
        assert_eq!(RejectReason::StaleJob.to_string(), "Job not found");
        for reason in RejectReason::ALL {
            assert!(!reason.message().is_empty());
            assert!(RejectCause::ALL.contains(&reason.cause()));
        }
        for (index, cause) in RejectCause::ALL.into_iter().enumerate() {
            assert_eq!(cause as usize, index);
            assert_eq!(serde_json::to_string(&cause).unwrap(), std::format!("\"{}\"", cause.label()));
        }
        for lost in [
            LostReason::SlotGone,
            LostReason::TimedOut,
            LostReason::JournalUnavailable,
            LostReason::ShuttingDown,
            LostReason::Dropped,
            LostReason::AlgorithmPanicked,
        ] {
            assert_eq!(serde_json::to_string(&lost).unwrap(), std::format!("\"{}\"", lost.label()));
            assert!(lost.to_string().starts_with("Share lost"));
        }
        assert!(Verdict::Accepted.is_accepted());
        assert!(!Verdict::Rejected(RejectReason::Other).is_accepted());
    }

    #[test]
    fn extranonce_joins_prefix_and_miners_part() {
        let joined = Extranonce::new(&[1, 2], &[3]).unwrap();
        assert_eq!(joined.as_slice(), [1, 2, 3]);
        assert_eq!(std::format!("{joined:?}"), "Extranonce(010203)");
        assert_eq!(Extranonce::new(&[0; 4], &[9; 16]).unwrap().as_slice().len(), 20);
        assert_eq!(Extranonce::new(&[0; 4], &[9; 17]), Err(ExtranonceTooLong(21)));
        assert_eq!(Extranonce::new(&[0; 300], &[]), Err(ExtranonceTooLong(300)));
        assert_eq!(Extranonce::default().as_slice(), [0u8; 0]);
    }
}
