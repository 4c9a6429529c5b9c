//! The raw server's job: made up, or the one that a pool hands out, so that both hash the same.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use pool_actors::error::{Code, Failure};
use pool_domain::{
    header::{Bitcoin80, HeaderLayout, SplitCoinbase},
    share::{Extranonce, Solution},
    target::Target,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::wire::{self, NotifyParams};

/// Bytes of extranonce1, as the pool uses.
pub(super) const PREFIX: usize = 4;
/// What a pool has to answer a handshake, at most.
const PATIENCE: Duration = Duration::from_secs(10);

/// Work, as the notify line says it.
#[derive(Debug, Clone)]
pub(super) struct RawJob {
    coinbase: [String; 2],
    branch: Vec<String>,
    previous: String,
    bits: String,
    version: u32,
    ntime: String,
    pub(super) extranonce2_size: usize,
    pub(super) layout: HeaderLayout,
    pub(super) network_target: Target,
}

impl RawJob {
    /// A job like that of a node without transactions: a coinbase of 150 bytes, no branch.
    pub(super) fn made_up() -> Self {
        Self::from_fields(
            ["11".repeat(62), "22".repeat(80)],
            Vec::new(),
            ("00".repeat(32), "00000020".to_owned(), "1a00ffff".to_owned(), "66aa66aa".to_owned()),
            4,
        )
        .expect("the fields are hex")
    }

    /// The job that `pool` has for miners now.
    ///
    /// # Errors
    /// When it can't be reached or hands out none.
    pub(super) fn like(pool: SocketAddr) -> Result<Self, Failure> {
        Self::fetch(pool).map_err(|error| {
            Failure::new(
                Code::AddressUnavailable,
                format!("no job could be copied from {pool}: {error}"),
                "check that a pool with dialect standard listens there and has work",
            )
        })
    }

    fn fetch(pool: SocketAddr) -> std::io::Result<Self> {
        let mut stream = TcpStream::connect(pool)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(
            b"{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n\
              {\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"bench0.copy\",\"x\"]}\n",
        )?;
        let mut size = 4;
        for line in BufReader::new(stream).lines() {
            let line = line?;
            if let Some(wire::Incoming::Result(1, result)) = wire::read(line.as_bytes()) {
                size = wire::extranonce2_size(result).unwrap_or(size);
            }
            if let Some(job) = Self::read(&line, size) {
                return Ok(job);
            }
        }
        Err(std::io::Error::other("the connection was closed before there was a job"))
    }

    fn read(line: &str, extranonce2_size: usize) -> Option<Self> {
        #[derive(Deserialize)]
        struct Notify<'a> {
            method: &'a str,
            #[serde(borrow)]
            params: &'a RawValue,
        }
        let notify: Notify<'_> = serde_json::from_str(line).ok()?;
        if notify.method != "mining.notify" {
            return None;
        }
        let (_, previous, first, second, branch, version, bits, ntime, _): NotifyParams<'_> =
            serde_json::from_str(notify.params.get()).ok()?;
        Self::from_fields(
            [first.to_owned(), second.to_owned()],
            branch.into_iter().map(str::to_owned).collect(),
            (previous.to_owned(), version.to_owned(), bits.to_owned(), ntime.to_owned()),
            extranonce2_size,
        )
    }

    fn from_fields(
        coinbase: [String; 2],
        branch: Vec<String>,
        (previous, version, bits, ntime): (String, String, String, String),
        extranonce2_size: usize,
    ) -> Option<Self> {
        let bytes = |text: &str| hex::decode(text).ok();
        let hash = |text: &str| <[u8; 32]>::try_from(bytes(text)?).ok();
        let mut header_previous = hash(&previous)?;
        // On the wire each word of the previous block is swapped.
        header_previous.chunks_exact_mut(4).for_each(<[u8]>::reverse);
        let nbits = u32::from_str_radix(&bits, 16).ok()?;
        let layout = HeaderLayout::Bitcoin80(Bitcoin80 {
            previous: header_previous,
            coinbase: SplitCoinbase::new(&bytes(&coinbase[0])?, &bytes(&coinbase[1])?),
            branch: branch.iter().map(|node| hash(node)).collect::<Option<_>>()?,
            nbits,
        });
        let network_target = Target::from_compact(nbits).ok()?;
        let version = u32::from_str_radix(&version, 16).ok()?;
        Some(Self {
            coinbase,
            branch,
            previous,
            bits,
            version,
            ntime,
            extranonce2_size,
            layout,
            network_target,
        })
    }

    /// The line that gives it to miners under the number `id`.
    pub(super) fn notify(&self, id: u64) -> String {
        let branch: Vec<_> = self.branch.iter().map(|node| format!("\"{node}\"")).collect();
        format!(
            "{{\"id\":null,\"method\":\"mining.notify\",\"params\":[\"{id:x}\",\"{}\",\"{}\",\"{}\",[{}],\"{:08x}\",\"{}\",\"{}\",false]}}\n",
            self.previous,
            self.coinbase[0],
            self.coinbase[1],
            branch.join(","),
            self.version,
            self.bits,
            self.ntime
        )
    }

    /// The solution that a share's fields stand for; `None` when they are not hex of the right length.
    pub(super) fn solution(
        &self,
        prefix: [u8; PREFIX],
        [extranonce2, ntime, nonce]: [&str; 3],
    ) -> Option<Solution> {
        let mut bytes = [0; 16];
        let extranonce2_bytes = bytes.get_mut(..self.extranonce2_size)?;
        hex::decode_to_slice(extranonce2, extranonce2_bytes).ok()?;
        let word = |text: &str| {
            let mut bytes = [0; 4];
            hex::decode_to_slice(text, &mut bytes).ok()?;
            Some(u64::from(u32::from_be_bytes(bytes)))
        };
        Some(Solution {
            extranonce: Extranonce::new(&prefix, extranonce2_bytes).ok()?,
            ntime: word(ntime)?,
            nonce: word(nonce)?,
            version: self.version,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_survives_the_wire() {
        let job = RawJob::made_up();
        let read = RawJob::read(job.notify(7).trim_end(), 4).unwrap();
        let solution = read.solution([1, 2, 3, 4], ["00000001", "66aa66aa", "00000002"]).unwrap();
        assert_eq!(read.layout.assemble(&solution), job.layout.assemble(&solution));
        assert_eq!(read.notify(7), job.notify(7));
        assert!(read.solution([0; 4], ["000001", "66aa66aa", "00000002"]).is_none());
        assert!(read.solution([0; 4], ["zz000001", "66aa66aa", "00000002"]).is_none());
    }
}
