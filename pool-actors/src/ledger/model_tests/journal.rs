//! The journal of a model, kept whole.

use super::*;

/// A record, with names in place of numbers.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) seq: ShareSeq,
    pub(super) what: What,
}

#[derive(Debug, Clone)]
pub(super) enum What {
    Share {
        worker: Arc<WorkerIdentity>,
        algorithm: AlgorithmName,
        work: Work,
        at: TimeMs,
        candidate: Option<u64>,
    },
    Other(RecordKind),
}

impl From<RecordKind> for What {
    fn from(kind: RecordKind) -> Self {
        Self::Other(kind)
    }
}

/// The journal, kept whole. Names are numbered anew every so many records, as in its segments.
#[derive(Default, Clone)]
pub(super) struct Journal(pub(super) Vec<Line>);

/// Records of a segment.
pub(super) const SEGMENT: usize = 11;

/// The number of a name; a new one if it has none.
pub(super) fn number_of<T: Clone + PartialEq>(names: &mut Vec<T>, name: &T) -> usize {
    names.iter().position(|known| known == name).unwrap_or_else(|| {
        names.push(name.clone());
        names.len() - 1
    })
}

impl LedgerFeed for Journal {
    fn read(&mut self, after: ShareSeq, records_max: usize, batch: &mut FeedBatch) -> Result<(), FeedError> {
        batch.clear();
        batch.through = after;
        let Some(first) = self.0.iter().position(|line| line.seq > after) else { return Ok(()) };
        let numbering = first / SEGMENT;
        let segment = &self.0[numbering * SEGMENT..self.0.len().min((numbering + 1) * SEGMENT)];
        batch.names.numbering = numbering as u64 + 1;
        (batch.names.workers, batch.names.algorithms) = (Vec::new(), Vec::new());
        for line in segment {
            if batch.shares.len() + batch.others.len() == records_max {
                break;
            }
            let what = match &line.what {
                What::Other(kind) => kind.clone(),
                What::Share { worker, algorithm, work, at, candidate } => {
                    let share = ShareLine {
                        seq: line.seq,
                        work: *work,
                        at: *at,
                        worker: u32::try_from(number_of(&mut batch.names.workers, worker)).unwrap(),
                        algorithm: u16::try_from(number_of(&mut batch.names.algorithms, algorithm)).unwrap(),
                    };
                    match candidate {
                        Some(candidate) => RecordKind::Winning { share, candidate: *candidate },
                        None if line.seq <= after => continue,
                        None => {
                            batch.through = line.seq;
                            batch.shares.push(share);
                            continue;
                        }
                    }
                }
            };
            if line.seq > after {
                batch.through = line.seq;
                batch.others.push(LedgerRecord { seq: line.seq, what });
            }
        }
        Ok(())
    }

    fn newest(&mut self) -> Result<ShareSeq, FeedError> {
        Ok(self.0.last().map_or(ShareSeq(0), |line| line.seq))
    }

    fn oldest(&mut self) -> Result<ShareSeq, FeedError> {
        Ok(ShareSeq(0))
    }
}
