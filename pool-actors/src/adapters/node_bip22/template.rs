//! `getBlockTemplate`: the node's words, checked, and made into a [`Template`] whose coinbase pays the pool.

use std::{any::Any, sync::Arc};

use pool_domain::{
    header::{Bitcoin80, SplitCoinbase},
    ids::{AlgorithmName, BlockHash},
    merkle,
    target::Target,
    units::TimeMs,
};
use serde::Deserialize;

use super::super::node_endpoints::next_template_id;
use crate::ports::node::{HeaderForm, NodePrivate, Template};

/// Bytes of extranonce in the coinbase: 4 of the pool (extranonce1) and 4 of the miner (extranonce2).
pub const EXTRANONCE_BYTES: usize = 8;
/// Most parents a block of this family may have.
const PARENTS_MAX: usize = 50;

/// What of the answer is used; see `simulations/docs/node.md`, section 5.
#[derive(Debug, Deserialize)]
pub(super) struct WireTemplate {
    version: u32,
    previousblockhash: BlockHash,
    parents: Vec<WireParent>,
    height: u64,
    curtime: u32,
    mintime: u32,
    maxtime: u32,
    bits: String,
    target: Target,
    coinbasevalue: u64,
    coinbaseoutputs: Vec<WireOutput>,
    coinbase_script: Option<String>,
    coinbase_script_prefix: String,
    coinbase_script_max: usize,
    transactions: Vec<WireTransaction>,
    version_mask: Option<String>,
}

#[derive(Debug, Deserialize)]
struct WireParent {
    hash: BlockHash,
}

#[derive(Debug, Deserialize)]
struct WireOutput {
    script: String,
    amount: u64,
}

#[derive(Debug, Deserialize)]
struct WireTransaction {
    data: String,
    txid: BlockHash,
}

/// What assembly needs besides the header.
pub(super) struct Assembly {
    layout: Bitcoin80,
    version: u32,
    version_mask: u32,
    parents: Vec<BlockHash>,
    transactions: Vec<Vec<u8>>,
}

impl Assembly {
    /// The private part of a template that this adapter made.
    pub(super) fn of(template: &Template) -> Option<&Self> {
        let private: &(dyn Any + Send + Sync) = template.private.0.as_ref();
        private.downcast_ref()
    }

    /// The header, and the block around it: header | parents | transactions, counts as compact sizes.
    pub(super) fn block(
        &self,
        solution: &pool_domain::share::Solution,
    ) -> Result<([u8; 80], Vec<u8>), String> {
        let extranonce = solution.extranonce.as_slice();
        if extranonce.len() != EXTRANONCE_BYTES {
            return Err(format!(
                "extranonce of {} bytes, the coinbase has room for {EXTRANONCE_BYTES}",
                extranonce.len()
            ));
        }
        if (solution.version ^ self.version) & !self.version_mask != 0 {
            return Err(format!(
                "version {:08x} changes bits outside the mask {:08x}",
                solution.version, self.version_mask
            ));
        }
        let header = self.layout.assemble(solution);
        let mut block = header.to_vec();
        push_compact_size(&mut block, self.parents.len());
        for parent in &self.parents {
            block.extend_from_slice(&parent.to_internal());
        }
        push_compact_size(&mut block, self.transactions.len() + 1);
        block.extend_from_slice(&self.layout.coinbase.assemble(extranonce));
        for transaction in &self.transactions {
            block.extend_from_slice(transaction);
        }
        Ok((header, block))
    }
}

/// Where a template comes from and what it is for.
pub(super) struct Origin<'a> {
    pub(super) endpoint: usize,
    pub(super) algorithm: &'a AlgorithmName,
    pub(super) received_at: TimeMs,
    pub(super) coinbase_tag: &'a str,
    pub(super) version_mask: u32,
}

impl WireTemplate {
    /// Checks the answer and makes the template.
    ///
    /// # Errors
    /// What is wrong with the node's answer, in words.
    pub(super) fn into_template(self, origin: &Origin<'_>) -> Result<Template, String> {
        let bits = hex_u32("bits", &self.bits)?;
        let network_target = Target::from_compact(bits).map_err(|error| error.to_string())?;
        if network_target != self.target {
            return Err(format!("target {} is not what bits {:08x} expand to", self.target, bits));
        }
        network_target.work().map_err(|error| error.to_string())?;
        if self.parents.is_empty() || self.parents.len() > PARENTS_MAX {
            return Err(format!("{} parents, expected 1 to {PARENTS_MAX}", self.parents.len()));
        }
        let parents: Vec<BlockHash> = self.parents.iter().map(|parent| parent.hash).collect();
        let leaves: Vec<[u8; 32]> = parents.iter().map(|parent| parent.to_internal()).collect();
        let previous = merkle::root(&leaves);
        if previous != self.previousblockhash.to_internal() {
            return Err("previousblockhash is not the root over the parents".to_owned());
        }
        if self.mintime > self.maxtime || !(self.mintime..=self.maxtime).contains(&self.curtime) {
            return Err(format!("curtime {} outside {} to {}", self.curtime, self.mintime, self.maxtime));
        }
        let (coinbase1, coinbase2) = self.coinbase(origin.coinbase_tag)?;
        let ids: Vec<[u8; 32]> =
            self.transactions.iter().map(|transaction| transaction.txid.to_internal()).collect();
        let transactions = self
            .transactions
            .iter()
            .map(|transaction| {
                hex::decode(&transaction.data).map_err(|error| format!("transaction data: {error}"))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let branches = merkle::coinbase_branch(&ids);
        let version_mask = match &self.version_mask {
            Some(text) => hex_u32("version_mask", text)?,
            None => origin.version_mask,
        };
        let layout = Bitcoin80 {
            previous,
            coinbase: SplitCoinbase::new(&coinbase1, &coinbase2),
            branch: branches.clone(),
            nbits: bits,
        };
        Ok(Template {
            id: next_template_id(),
            endpoint: origin.endpoint,
            algorithm: origin.algorithm.clone(),
            parents: parents.clone(),
            height: Some(self.height),
            network_target,
            received_at: origin.received_at,
            header: HeaderForm::Coinbase {
                version: self.version,
                previous,
                coinbase1,
                coinbase2,
                branches,
                bits,
                time: self.curtime,
                time_range: (self.mintime, self.maxtime),
                version_mask,
            },
            private: NodePrivate(Arc::new(Assembly {
                layout,
                version: self.version,
                version_mask,
                parents,
                transactions,
            })),
        })
    }

    /// The coinbase around the extranonce: script = what the node demands | push of the extranonce | push of the
    /// pool's tag; outputs = the node's mandatory ones, then the pool's own.
    fn coinbase(&self, tag: &str) -> Result<(Vec<u8>, Vec<u8>), String> {
        let prefix = hex::decode(&self.coinbase_script_prefix)
            .map_err(|error| format!("coinbase_script_prefix: {error}"))?;
        let fixed = prefix.len() + 1 + EXTRANONCE_BYTES;
        let script_max = self.coinbase_script_max.min(100);
        if fixed > script_max {
            return Err(format!("coinbase script has room for {script_max} bytes, {fixed} are needed"));
        }
        // The tag is decoration: it yields to the limit.
        let tag_room = (script_max - fixed).saturating_sub(1).min(75);
        let tag = &tag.as_bytes()[..tag.len().min(tag_room)];
        let tag_push = if tag.is_empty() { Vec::new() } else { [&[push_of(tag.len())], tag].concat() };

        let mut first = Vec::with_capacity(64);
        first.extend_from_slice(&1u32.to_le_bytes());
        first.push(1);
        first.extend_from_slice(&[0; 32]);
        first.extend_from_slice(&[0xff; 4]);
        push_compact_size(&mut first, fixed + tag_push.len());
        first.extend_from_slice(&prefix);
        first.push(push_of(EXTRANONCE_BYTES));

        let mut second = tag_push;
        second.extend_from_slice(&[0xff; 4]);
        push_compact_size(&mut second, self.coinbaseoutputs.len() + 1);
        let mut mandatory = 0u64;
        for output in &self.coinbaseoutputs {
            mandatory = mandatory.checked_add(output.amount).ok_or("amounts of coinbaseoutputs overflow")?;
            push_output(&mut second, output.amount, &output.script)?;
        }
        let own =
            self.coinbasevalue.checked_sub(mandatory).ok_or("coinbaseoutputs pay more than coinbasevalue")?;
        let script =
            self.coinbase_script.as_deref().ok_or("no coinbase_script for the pool's payout address")?;
        push_output(&mut second, own, script)?;
        second.extend_from_slice(&[0; 4]);
        Ok((first, second))
    }
}

/// The opcode that pushes up to 75 bytes is their number.
fn push_of(length: usize) -> u8 {
    u8::try_from(length).expect("lengths pushed here are at most 75")
}

fn push_output(bytes: &mut Vec<u8>, amount: u64, script: &str) -> Result<(), String> {
    let script = hex::decode(script).map_err(|error| format!("output script: {error}"))?;
    bytes.extend_from_slice(&amount.to_le_bytes());
    push_compact_size(bytes, script.len());
    bytes.extend_from_slice(&script);
    Ok(())
}

/// Bitcoin's compact size.
fn push_compact_size(bytes: &mut Vec<u8>, size: usize) {
    match size {
        0..=0xfc => bytes.push(u8::try_from(size).expect("at most 0xfc")),
        0xfd..=0xffff => {
            bytes.push(0xfd);
            bytes.extend_from_slice(&u16::try_from(size).expect("at most 0xffff").to_le_bytes());
        }
        _ => {
            bytes.push(0xfe);
            bytes.extend_from_slice(
                &u32::try_from(size).expect("bodies are bounded far below 4 GiB").to_le_bytes(),
            );
        }
    }
}

fn hex_u32(what: &str, text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text, 16) {
        Ok(value) if text.len() == 8 => Ok(value),
        _ => Err(format!("{what} is not 8 hexadecimal digits: {text:?}")),
    }
}

#[cfg(test)]
mod tests {
    use pool_domain::share::{Extranonce, Solution};
    use serde_json::{Value, json};

    use super::*;

    fn wire() -> Value {
        json!({
            "version": 0x2000_0064u32,
            "previousblockhash": "11".repeat(32),
            "parents": [{"hash": "11".repeat(32), "data": "11".repeat(32)}],
            "height": 58, "curtime": 1000, "mintime": 990, "maxtime": 1120,
            "bits": "1f0fffff",
            "target": format!("000fffff{}", "0".repeat(56)),
            "coinbasevalue": 700,
            "coinbaseoutputs": [{"address": "m", "script": "76a9", "amount": 500, "block": "aa"}],
            "coinbase_script": "51", "coinbase_script_prefix": "013a", "coinbase_script_max": 100,
            "transactions": [{"data": "0102", "txid": "22".repeat(32), "fee": 1}],
            "version_mask": "1fffe000", "longpollid": "a-1", "submitold": true
        })
    }

    fn template(wire: Value) -> Result<Template, String> {
        let algorithm = AlgorithmName::new("blake2s").unwrap();
        let origin = Origin {
            endpoint: 1,
            algorithm: &algorithm,
            received_at: TimeMs(5),
            coinbase_tag: "/dagpool/",
            version_mask: 0,
        };
        serde_json::from_value::<WireTemplate>(wire)
            .map_err(|error| error.to_string())?
            .into_template(&origin)
    }

    #[test]
    fn coinbase_holds_the_extranonce_and_all_outputs() {
        let template = template(wire()).unwrap();
        let HeaderForm::Coinbase { coinbase1, coinbase2, branches, .. } = &template.header else {
            panic!("form")
        };
        let transaction = [coinbase1.as_slice(), &[7; 8], coinbase2].concat();
        let expected = concat!(
            "01000000",
            "01",
            "0000000000000000000000000000000000000000000000000000000000000000",
            "ffffffff",
            "15",
            "013a",
            "08",
            "0707070707070707",
            "09",
            "2f646167706f6f6c2f",
            "ffffffff",
            "02",
            "f401000000000000",
            "02",
            "76a9",
            "c800000000000000",
            "01",
            "51",
            "00000000"
        );
        assert_eq!(hex::encode(transaction), expected);
        assert_eq!(branches, &[[0x22; 32]]);
        assert_eq!(template.endpoint, 1);
    }

    #[test]
    fn a_block_is_header_parents_transactions() {
        let template = template(wire()).unwrap();
        let assembly = Assembly::of(&template).unwrap();
        let solution = Solution {
            extranonce: Extranonce::new(&[1; 4], &[2; 4]).unwrap(),
            ntime: 1001,
            nonce: 9,
            version: 0x2000_2064,
        };
        let (header, block) = assembly.block(&solution).unwrap();
        assert_eq!(&block[..80], header);
        assert_eq!(&block[80..113], [&[1u8][..], &[0x11; 32]].concat());
        assert_eq!(block[113], 2);
        assert!(block.ends_with(&[1, 2]));
        let short = Solution { extranonce: Extranonce::new(&[1; 4], &[]).unwrap(), ..solution };
        assert!(assembly.block(&short).unwrap_err().contains("extranonce of 4 bytes"));
        let rolled = Solution { version: 0x6000_0064, ..solution };
        assert!(assembly.block(&rolled).unwrap_err().contains("outside the mask"));
    }

    #[test]
    fn nonsense_is_refused_with_words() {
        for (key, value, words) in [
            ("bits", json!("1f0ffffe"), "is not what bits"),
            ("bits", json!("zz"), "8 hexadecimal digits"),
            ("bits", json!("00000000"), "zero"),
            ("parents", json!([]), "0 parents"),
            ("previousblockhash", json!("33".repeat(32)), "root over the parents"),
            ("curtime", json!(2000), "curtime"),
            ("coinbasevalue", json!(499), "pay more"),
            ("coinbase_script", json!(null), "coinbase_script"),
            ("coinbase_script", json!("5"), "output script"),
            ("coinbase_script_max", json!(10), "room for"),
            ("transactions", json!([{"data": "x", "txid": "22".repeat(32)}]), "transaction data"),
            ("version", json!("text"), "invalid type"),
        ] {
            let mut wire = wire();
            wire[key] = value;
            let error = template(wire).unwrap_err();
            assert!(error.contains(words), "{key}: {error}");
        }
    }

    #[test]
    fn compact_sizes_follow_bitcoin() {
        let encoded = |size| {
            let mut bytes = Vec::new();
            push_compact_size(&mut bytes, size);
            hex::encode(bytes)
        };
        assert_eq!(encoded(0xfc), "fc");
        assert_eq!(encoded(0xfd), "fdfd00");
        assert_eq!(encoded(0xffff), "fdffff");
        assert_eq!(encoded(0x1_0000), "fe00000100");
    }
}
