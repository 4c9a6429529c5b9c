//! Filling a frame with records.

use std::sync::Arc;

use pool_domain::{
    ids::{AlgorithmName, BlockHash, JobId, Route, ShareSeq},
    units::{TimeMs, Work},
};

use super::{
    interned::Interner,
    record::{CandidateFields, Record, ShareFields, VerdictFields},
};
use crate::{
    messages::{
        journal::{CandidateId, CandidateRecord},
        share::WorkerIdentity,
    },
    ports::node::SubmitVerdict,
};

/// A share to be appended.
#[derive(Debug, Clone, Copy)]
pub struct NewShare<'a> {
    /// When it was received.
    pub received_at: TimeMs,
    /// Who is paid.
    pub worker: &'a Arc<WorkerIdentity>,
    /// Work credited.
    pub work: Work,
    /// Proof-of-work function.
    pub algorithm: &'a AlgorithmName,
    /// Slot and generation that validated it.
    pub route: Route,
    /// Its job.
    pub job: JobId,
    /// Eight bytes of its hash.
    pub hash_tag: u64,
    /// Candidate that it became.
    pub candidate: Option<CandidateId>,
}

/// Puts records into a frame. Names are defined on first use in a segment, each taking a sequence number of its own.
pub struct FrameWriter<'j> {
    out: &'j mut Vec<u8>,
    interner: &'j mut Interner,
    first_seq: u64,
    count: u32,
    base: Option<u64>,
    clock: u64,
    epoch: u64,
}

/// What a filled frame needs to know of itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filled {
    pub(super) count: u32,
    pub(super) time_ms: u64,
    pub(super) epoch: u64,
}

impl<'j> FrameWriter<'j> {
    /// A writer behind what `out` holds already, whose first record is number `first_seq`.
    pub(super) fn new(out: &'j mut Vec<u8>, interner: &'j mut Interner, first_seq: u64, epoch: u64) -> Self {
        Self { out, interner, first_seq, count: 0, base: None, clock: 0, epoch }
    }

    pub(super) fn filled(&self) -> Filled {
        Filled { count: self.count, time_ms: self.base.unwrap_or(0), epoch: self.epoch }
    }

    /// Bytes so far.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.out.len()
    }

    fn at(&mut self, time: TimeMs) {
        if self.base.is_none() {
            self.base = Some(time.0);
            self.clock = time.0;
        }
    }

    fn numbered(&mut self) -> ShareSeq {
        let seq = ShareSeq(self.first_seq + u64::from(self.count));
        self.count += 1;
        seq
    }

    fn put(&mut self, record: &Record<'_>) -> ShareSeq {
        record.put(self.out, &mut self.clock);
        self.numbered()
    }

    fn worker(&mut self, worker: &Arc<WorkerIdentity>) -> u32 {
        let (ix, new) = self.interner.worker(worker);
        if new {
            self.put(&Record::Worker {
                ix,
                account: worker.account.as_str(),
                worker: worker.worker.as_str(),
            });
        }
        ix
    }

    fn algorithm(&mut self, name: &AlgorithmName) -> u16 {
        let (ix, new) = self.interner.algorithm(name);
        if new {
            self.put(&Record::Algorithm { ix, name: name.as_str() });
        }
        ix
    }

    /// Puts an accepted share.
    pub fn share(&mut self, share: &NewShare<'_>) -> ShareSeq {
        self.at(share.received_at);
        let fields = ShareFields {
            time_ms: share.received_at.0,
            worker_ix: self.worker(share.worker),
            work: share.work.0,
            algorithm_ix: self.algorithm(share.algorithm),
            slot: share.route.slot.0,
            generation: share.route.generation.0,
            job: share.job.0,
            hash_tag: share.hash_tag,
            candidate: share.candidate.map(|id| id.0),
        };
        fields.put(self.out, &mut self.clock);
        self.numbered()
    }

    /// Puts a block candidate.
    pub fn candidate(&mut self, candidate: &CandidateRecord) -> ShareSeq {
        self.at(candidate.found_at);
        let parents: Vec<u8> = candidate.parents.iter().flat_map(|parent| parent.0).collect();
        let fields = CandidateFields {
            id: candidate.id.0,
            time_ms: candidate.found_at.0,
            block_hash: candidate.block.hash.0,
            algorithm_ix: self.algorithm(&candidate.algorithm),
            worker_ix: self.worker(&candidate.finder),
            endpoint: candidate.block.endpoint as u64,
            network_work: candidate.network_work.0,
            height: candidate.height,
            parents: &parents,
            payload: &candidate.block.payload,
        };
        self.put(&Record::Candidate(fields))
    }

    /// Puts a node's verdict on a candidate.
    pub fn verdict(
        &mut self,
        id: CandidateId,
        hash: &BlockHash,
        verdict: &SubmitVerdict,
        at: TimeMs,
    ) -> ShareSeq {
        self.at(at);
        let refusal = match verdict {
            SubmitVerdict::Accepted => None,
            SubmitVerdict::Rejected(words) => Some(words.as_str()),
        };
        self.put(&Record::Verdict(VerdictFields { id: id.0, time_ms: at.0, block_hash: hash.0, refusal }))
    }

    /// Puts the beginning of an extranonce epoch.
    pub fn epoch(&mut self, epoch: u64, now: TimeMs) {
        self.at(now);
        self.epoch = epoch;
        self.put(&Record::Epoch(epoch));
    }
}
