//! What differs between the dialects: how a job becomes a header, a difficulty a target, a solution a submit.

use bitcoin::hashes::{Hash as _, sha256d};
use bitcoin::pow::{CompactTarget, Target};
use ruint::Uint;
use ruint::aliases::U256;
use serde_json::{Value, json};

use super::config::Dialect;
use crate::pow::HeaderBytes;

/// A job as the pool sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Sent back with every share.
    pub id: String,
    /// Older jobs are void.
    pub clean: bool,
    body: Body,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Body {
    Standard {
        previous: [u8; 32],
        coinbase: (Vec<u8>, Vec<u8>),
        branches: Vec<[u8; 32]>,
        version: u32,
        bits: u32,
        time: u32,
    },
    Kaspa {
        pre_pow_hash: [u8; 32],
        timestamp: u64,
    },
    Bdag {
        version: [u8; 4],
        previous: [u8; 32],
        bits: [u8; 4],
        time: [u8; 4],
    },
}

/// The search space that the pool gave this miner.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extranonce {
    /// Given by the pool.
    pub prefix: Vec<u8>,
    /// Bytes that the miner fills.
    pub size: usize,
}

/// A header to be hashed, and what its submit must repeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Puzzle {
    /// The 80 bytes.
    pub header: HeaderBytes,
    /// Where the four tried bytes are.
    pub nonce_at: usize,
    job: String,
    extranonce2: Vec<u8>,
    version_bits: Option<u32>,
}

impl Job {
    /// Reads the parameters of `mining.notify`.
    ///
    /// # Errors
    /// Names the field that is missing or wrong.
    pub fn parse(dialect: Dialect, params: &[Value]) -> Result<Self, String> {
        let text = |index: usize| {
            let value = params.get(index).and_then(Value::as_str);
            value.ok_or_else(|| format!("notify: parameter {index} is not a string"))
        };
        let id = match params.first() {
            Some(Value::String(id)) => id.clone(),
            Some(Value::Number(id)) => id.to_string(),
            _ => return Err("notify: no job id".to_owned()),
        };
        let flag = |index: usize| params.get(index).and_then(Value::as_bool).unwrap_or(false);
        match dialect {
            Dialect::Standard => {
                let branches = params.get(4).and_then(Value::as_array).ok_or("notify: no branches")?;
                let branch = |value: &Value| fixed(value.as_str().unwrap_or(""), "branch");
                let mut previous: [u8; 32] = fixed(text(1)?, "previous hash")?;
                previous.chunks_mut(4).for_each(<[u8]>::reverse);
                let body = Body::Standard {
                    previous,
                    coinbase: (
                        bytes(text(2)?, "first coinbase half")?,
                        bytes(text(3)?, "second coinbase half")?,
                    ),
                    branches: branches.iter().map(branch).collect::<Result<_, _>>()?,
                    version: u32::from_be_bytes(fixed(text(5)?, "version")?),
                    bits: u32::from_be_bytes(fixed(text(6)?, "bits")?),
                    time: u32::from_be_bytes(fixed(text(7)?, "time")?),
                };
                Ok(Self { id, clean: flag(8), body })
            }
            Dialect::Kaspa => {
                let words = params.get(1).and_then(Value::as_array).filter(|words| words.len() == 4);
                let words = words.ok_or("notify: the pre-PoW hash is not four numbers")?;
                let mut pre_pow_hash = [0; 32];
                for (chunk, word) in pre_pow_hash.chunks_mut(8).zip(words) {
                    let word = word.as_u64().ok_or("notify: a word of the pre-PoW hash is no u64")?;
                    chunk.copy_from_slice(&word.to_le_bytes());
                }
                let timestamp = params.get(2).and_then(Value::as_u64).ok_or("notify: no timestamp")?;
                // Kaspa's jobs say nothing of older ones; pools take shares for those as long as they know them.
                Ok(Self { id, clean: false, body: Body::Kaspa { pre_pow_hash, timestamp } })
            }
            Dialect::Bdag => {
                let body = Body::Bdag {
                    previous: fixed(text(1)?, "previous hash")?,
                    version: fixed(text(2)?, "version")?,
                    bits: fixed(text(3)?, "bits")?,
                    time: fixed(text(4)?, "time")?,
                };
                Ok(Self { id, clean: flag(5), body })
            }
        }
    }

    /// The header for the `counter`-th piece of this miner's search space. With a `version_mask` (BIP320) the counter also rolls the
    /// version.
    pub fn puzzle(&self, extranonce: &Extranonce, counter: u64, version_mask: u32) -> Puzzle {
        let mut header = [0; 80];
        let mut extranonce2 = vec![0; extranonce.size];
        for (byte, counted) in extranonce2.iter_mut().zip(counter.to_le_bytes()) {
            *byte = counted;
        }
        let (mut nonce_at, mut version_bits) = (76, None);
        match &self.body {
            Body::Standard { previous, coinbase, branches, version, bits, time } => {
                let (first, second) = coinbase;
                let coinbase = [first.as_slice(), &extranonce.prefix, &extranonce2, second].concat();
                let mut root = sha256d::Hash::hash(&coinbase).to_byte_array();
                for branch in branches {
                    root = sha256d::Hash::hash(&[root, *branch].concat()).to_byte_array();
                }
                let rolled = spread(counter, version_mask);
                version_bits = (version_mask != 0).then_some(rolled);
                let version = (version & !version_mask) | rolled;
                header[..4].copy_from_slice(&version.to_le_bytes());
                header[4..36].copy_from_slice(previous);
                header[36..68].copy_from_slice(&root);
                header[68..72].copy_from_slice(&time.to_le_bytes());
                header[72..76].copy_from_slice(&bits.to_le_bytes());
            }
            Body::Kaspa { pre_pow_hash, timestamp } => {
                header[..32].copy_from_slice(pre_pow_hash);
                header[32..40].copy_from_slice(&timestamp.to_le_bytes());
                // The nonce as a number begins with the pool's prefix; four bytes of it are tried, the counter is between them.
                let prefix = &extranonce.prefix[..extranonce.prefix.len().min(4)];
                let free = u32::try_from(8 * (8 - prefix.len())).unwrap_or(64);
                let prefix = prefix.iter().fold(0_u64, |nonce, byte| (nonce << 8) | u64::from(*byte));
                let counted = (counter << 32) & low_bits(free);
                let nonce = prefix.checked_shl(free).unwrap_or(0) | counted;
                header[72..].copy_from_slice(&nonce.to_le_bytes());
                nonce_at = 72;
            }
            Body::Bdag { version, previous, bits, time } => {
                let root = sha256d::Hash::hash(&[extranonce.prefix.as_slice(), &extranonce2].concat());
                header[..4].copy_from_slice(version);
                header[4..36].copy_from_slice(previous);
                header[36..68].copy_from_slice(&root.to_byte_array());
                header[68..72].copy_from_slice(time);
                header[72..76].copy_from_slice(bits);
            }
        }
        Puzzle { header, nonce_at, job: self.id.clone(), extranonce2, version_bits }
    }
}

impl Puzzle {
    /// At or below it a hash is a block; `None` where the dialect does not say.
    pub fn network_target(&self, dialect: Dialect) -> Option<U256> {
        if dialect != Dialect::Standard {
            return None;
        }
        let bits = u32::from_le_bytes([self.header[72], self.header[73], self.header[74], self.header[75]]);
        Some(U256::from_be_bytes(Target::from_compact(CompactTarget::from_consensus(bits)).to_be_bytes()))
    }

    /// Parameters of `mining.submit` for a nonce that the grinder found.
    pub fn submit(&self, dialect: Dialect, user: &str, nonce: u32) -> Value {
        let mut header = self.header;
        header[self.nonce_at..self.nonce_at + 4].copy_from_slice(&nonce.to_le_bytes());
        match dialect {
            Dialect::Standard => {
                let time = u32::from_le_bytes([header[68], header[69], header[70], header[71]]);
                let extranonce2 = hex::encode(&self.extranonce2);
                let mut params = vec![
                    json!(user),
                    json!(self.job),
                    json!(extranonce2),
                    json!(format!("{time:08x}")),
                    json!(format!("{nonce:08x}")),
                ];
                params.extend(self.version_bits.map(|bits| json!(format!("{bits:08x}"))));
                Value::Array(params)
            }
            Dialect::Kaspa => {
                let mut nonce = [0; 8];
                nonce.copy_from_slice(&header[72..]);
                json!([user, self.job, format!("{:016x}", u64::from_le_bytes(nonce))])
            }
            Dialect::Bdag => {
                let (time, nonce) = (hex::encode(&header[68..72]), hex::encode(&header[76..]));
                json!([user, self.job, hex::encode(&self.extranonce2), time, nonce])
            }
        }
    }
}

/// The target of a share difficulty; what every difficulty-1 target is, is in the documentation of the dialects.
///
/// Exact: a difficulty is a fraction of a power of two, and the division is one of integers, rounded down.
pub fn share_target(dialect: Dialect, algorithm: &str, difficulty: f64) -> U256 {
    type U512 = Uint<512, 8>;
    let one = match (dialect, algorithm) {
        (Dialect::Kaspa, _) => (U512::ONE << 224) - U512::ONE,
        (Dialect::Bdag, _) | (_, "scrypt" | "scrypt-bdag") => U512::from(0xffff) << 224,
        _ => U512::from(0xffff) << 208,
    };
    let scaled = difficulty * 2_f64.powi(64);
    if !scaled.is_finite() || scaled < 1.0 {
        return U256::MAX;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float-to-integer cast saturates"
    )]
    let scaled = scaled as u128;
    let target: U512 = (one << 64) / U512::from(scaled);
    target.min(U512::from(U256::MAX)).to()
}

/// Puts the low bits of `value` at the set bits of `mask`.
fn spread(mut value: u64, mask: u32) -> u32 {
    let mut out = 0;
    for bit in (0..32).filter(|bit| mask & (1 << bit) != 0) {
        out |= u32::from(value & 1 == 1) << bit;
        value >>= 1;
    }
    out
}

fn low_bits(count: u32) -> u64 {
    1_u64.checked_shl(count).map_or(u64::MAX, |bit| bit - 1)
}

fn bytes(text: &str, what: &str) -> Result<Vec<u8>, String> {
    hex::decode(text).map_err(|error| format!("notify: {what}: {error}"))
}

fn fixed<const N: usize>(text: &str, what: &str) -> Result<[u8; N], String> {
    let mut out = [0; N];
    hex::decode_to_slice(text, &mut out).map_err(|error| format!("notify: {what}: {error}"))?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn difficulty_one_is_each_familys() {
        let one = |dialect, algorithm| share_target(dialect, algorithm, 1.0);
        assert_eq!(one(Dialect::Standard, "blake2s"), U256::from(0xffff) << 208);
        assert_eq!(one(Dialect::Standard, "scrypt"), U256::from(0xffff) << 224);
        assert_eq!(one(Dialect::Kaspa, "kheavyhash"), (U256::ONE << 224) - U256::ONE);
        assert_eq!(share_target(Dialect::Standard, "sha256d", 0.25), U256::from(0xffff) << 210);
        assert_eq!(
            share_target(Dialect::Standard, "sha256d", 3.0),
            (U256::from(0xffff) << 208) / U256::from(3)
        );
        assert_eq!(share_target(Dialect::Standard, "sha256d", 0.0), U256::MAX);
        assert_eq!(share_target(Dialect::Standard, "sha256d", 1e-30), U256::MAX);
    }

    #[test]
    fn a_standard_job_becomes_the_header_of_its_block() {
        // Bitcoin's genesis block, its coinbase cut in two around a four-byte "extranonce".
        let coinbase = "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff4d04ffff001d0104455468652054696d65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b206f66207365636f6e64206261696c6f757420666f722062616e6b73ffffffff0100f2052a01000000434104678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5fac00000000";
        let params = json!([
            "j",
            "00".repeat(32),
            &coinbase[..84],
            &coinbase[92..],
            [],
            "00000001",
            "1d00ffff",
            "495fab29",
            true
        ]);
        let job = Job::parse(Dialect::Standard, params.as_array().unwrap()).unwrap();
        let prefix = hex::decode(&coinbase[84..92]).unwrap();
        let puzzle = job.puzzle(&Extranonce { prefix, size: 0 }, 0, 0);
        let mut header = puzzle.header;
        header[76..].copy_from_slice(&2_083_236_893_u32.to_le_bytes());
        let hash = sha256d::Hash::hash(&header).to_string();
        assert_eq!(hash, "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f");
        assert_eq!(
            puzzle.submit(Dialect::Standard, "a.b", 2_083_236_893),
            json!(["a.b", "j", "", "495fab29", "7c2bac1d"])
        );
    }

    #[test]
    fn versions_roll_inside_the_mask_only() {
        let mask = 0x1fff_e000;
        assert_eq!(spread(0, mask), 0);
        assert_eq!(spread(1, mask), 0x2000);
        assert_eq!(spread(u64::MAX, mask), mask);
    }

    #[test]
    fn a_kaspa_nonce_begins_with_the_prefix() {
        let params = json!(["7", [1, 2, 3, u64::MAX], 1_700_000_000_000_u64]);
        let job = Job::parse(Dialect::Kaspa, params.as_array().unwrap()).unwrap();
        let puzzle = job.puzzle(&Extranonce { prefix: vec![0xab, 0xcd], size: 6 }, 3, 0);
        assert_eq!(puzzle.nonce_at, 72);
        assert_eq!(puzzle.submit(Dialect::Kaspa, "u", 0x0102_0304), json!(["u", "7", "abcd000301020304"]));
        assert_eq!(&puzzle.header[24..32], &[0xff; 8]);
    }
}
