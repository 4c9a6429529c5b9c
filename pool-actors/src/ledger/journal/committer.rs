//! Group commit: gathers what all shards have waiting into one frame, one write and one sync.
//!
//! In a thread of its own ([`CommitHandle::Thread`]), since a sync blocks; or inline, on whatever thread asks, in a
//! world without extra threads. The same code either way.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError},
    },
    time::{Duration, Instant},
};

use actix::Message;
use pool_domain::ids::{BlockHash, ShareSeq};
use tokio::sync::oneshot;

use super::{
    fault::JournalFault,
    frame_writer::NewShare,
    writer::{Journal, Lane},
};
use crate::{
    messages::journal::{AppendVerdict, CandidateRecord, JournalError, PendingShare},
    metrics::JOURNAL_COMMIT_SECONDS,
    runtime::{
        outbox::{Credited, Outbox},
        threads::Thread,
    },
};

/// Shares that are worth a commit without waiting for more.
const SHARES_ENOUGH: usize = 4_096;
/// Bytes of a block's submission beyond which it is refused; the largest blocks in use have some 4 MB, doubled in hex.
const CANDIDATE_BYTES_MAX: usize = 32 << 20;

/// A shard's shares that wait for the next commit. It stays open until the commit begins: whatever the shard has put in
/// by then is in, so that a share waits for one commit and never for a second.
pub(super) struct Forming {
    shares: Mutex<Batches>,
    /// Shares whose fate is not known yet, whether they wait for a commit or are in one.
    pending: AtomicUsize,
    reply: Outbox<GroupDone>,
}

/// Shares by the batches in which they were validated, which are not copied into one.
#[derive(Default)]
pub(super) struct Batches {
    batches: Vec<Vec<PendingShare>>,
    count: usize,
}

impl Batches {
    fn push(&mut self, batch: Vec<PendingShare>) {
        self.count += batch.len();
        self.batches.push(batch);
    }

    /// How many shares.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    fn iter(&self) -> impl Iterator<Item = &PendingShare> {
        self.batches.iter().flatten()
    }

    pub(super) fn into_batches(self) -> Vec<Vec<PendingShare>> {
        self.batches
    }
}

impl Forming {
    pub(super) fn new(reply: Outbox<GroupDone>) -> Arc<Self> {
        Arc::new(Self { shares: Mutex::default(), pending: AtomicUsize::new(0), reply })
    }

    fn lock(&self) -> MutexGuard<'_, Batches> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    pub(super) fn pending(&self) -> usize {
        self.pending.load(Ordering::Relaxed)
    }

    /// The fate of so many is known.
    pub(super) fn decided(&self, count: usize) {
        self.pending.fetch_sub(count, Ordering::Relaxed);
    }

    /// Puts shares in. `true` when the commit thread must be told: these are the first, or there are enough now to begin
    /// early.
    pub(super) fn put(&self, shares: Vec<PendingShare>) -> bool {
        self.pending.fetch_add(shares.len(), Ordering::Relaxed);
        let mut forming = self.lock();
        let before = forming.len();
        forming.push(shares);
        let now = forming.len();
        (before == 0 && now > 0) || (before < SHARES_ENOUGH && now >= SHARES_ENOUGH)
    }
}

/// A shard's word that shares wait. If it is dropped on the way, because there is no commit thread any more, the shares
/// are lost, and their tickets say so.
pub struct Group(Option<Arc<Forming>>);

impl Group {
    pub(super) fn of(forming: &Arc<Forming>) -> Self {
        Self(Some(Arc::clone(forming)))
    }

    fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |forming| forming.len())
    }

    /// Everything that waits; nothing if an earlier word has taken it.
    fn close(mut self) -> Option<(Batches, Outbox<GroupDone>)> {
        let forming = self.0.take()?;
        let shares = std::mem::take(&mut *forming.lock());
        (shares.len() > 0).then(|| (shares, forming.reply.clone()))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(forming) = self.0.take() {
            let lost = std::mem::take(&mut *forming.lock());
            forming.decided(lost.len());
            // Tickets resolve when nothing is locked.
            drop(lost);
        }
    }
}

/// The fate of a shard's group: all its shares are durable, or none was taken.
#[derive(Message)]
#[rtype(result = "()")]
pub struct GroupDone {
    pub(super) shares: Batches,
    pub(super) outcome: Result<ShareSeq, JournalError>,
}

impl Credited for GroupDone {}

/// What the critical lane carries.
pub enum Critical {
    /// A block candidate.
    Candidate(Box<CandidateRecord>),
    /// A node's verdict.
    Verdict(AppendVerdict),
}

impl Critical {
    fn hash(&self) -> &BlockHash {
        match self {
            Self::Candidate(candidate) => &candidate.block.hash,
            Self::Verdict(verdict) => &verdict.hash,
        }
    }

    fn too_long(&self) -> bool {
        matches!(self, Self::Candidate(candidate) if candidate.block.payload.len() > CANDIDATE_BYTES_MAX)
    }
}

/// Something to commit.
pub enum Work {
    /// Shares.
    Group(Group),
    /// A critical record, and who waits for it.
    Critical(Critical, oneshot::Sender<Result<ShareSeq, JournalError>>),
}

/// Told once, with a sentence, when the journal can't go on: stops the process.
pub type OnFailure = Box<dyn FnMut(&str) + Send>;

/// The journal and what commits to it need.
pub struct CommitCore {
    journal: Journal,
    on_failure: OnFailure,
    told: bool,
}

impl CommitCore {
    /// Wraps the journal.
    pub fn new(journal: Journal, on_failure: OnFailure) -> Self {
        Self { journal, on_failure, told: false }
    }

    /// Commits all of it, and answers each.
    pub fn commit(&mut self, work: Vec<Work>) {
        let (mut groups, mut criticals) = (Vec::new(), Vec::new());
        for work in work {
            match work {
                Work::Group(group) => groups.extend(group.close()),
                Work::Critical(critical, reply) if critical.too_long() => {
                    let sentence =
                        format!("block {} is longer than {CANDIDATE_BYTES_MAX} bytes", critical.hash());
                    // Whoever asked may have gone; so below.
                    let _ = reply.send(Err(JournalError::Failed(sentence)));
                }
                Work::Critical(critical, reply) => criticals.push((critical, reply, ShareSeq(0))),
            }
        }
        if self.journal.refuses_shares() && !groups.is_empty() {
            let refused = self.journal.append(Lane::Shares, |_| ());
            // Retention may have made room in between: then they are written below like any others.
            if refused.is_err() {
                self.answer_groups(std::mem::take(&mut groups), refused.as_ref().copied());
            }
        }
        let begin = Instant::now();
        let lane = if criticals.is_empty() { Lane::Shares } else { Lane::Critical };
        let outcome = self.journal.append(lane, |frame| {
            // Candidates first: nothing may delay them, not even in the file.
            for (critical, _, seq) in &mut criticals {
                *seq = match critical {
                    Critical::Candidate(candidate) => frame.candidate(candidate),
                    Critical::Verdict(given) => {
                        frame.verdict(given.id, &given.hash, &given.verdict, given.at)
                    }
                };
            }
            for share in groups.iter().flat_map(|(shares, _)| shares.iter()) {
                frame.share(&new_share(share));
            }
        });
        metrics::histogram!(JOURNAL_COMMIT_SECONDS).record(begin.elapsed());
        for (_, reply, seq) in criticals {
            let _ = reply.send(outcome.as_ref().map(|_| seq).map_err(JournalError::from));
        }
        self.answer_groups(groups, outcome.as_ref().copied());
        if let Err(fault) = outcome
            && !matches!(fault, JournalFault::Budget { .. })
        {
            self.fail(&fault.to_string());
        }
    }

    fn answer_groups(
        &self,
        groups: Vec<(Batches, Outbox<GroupDone>)>,
        outcome: Result<ShareSeq, &JournalFault>,
    ) {
        for (shares, reply) in groups {
            let outcome = outcome.map_err(JournalError::from);
            // If the shard is dead, the shares come back here and their tickets say that they are lost, although they
            // are in the journal: a miner may be paid for a share that it was told was lost, never the other way round.
            drop(reply.post(GroupDone { shares, outcome }));
        }
    }

    fn fail(&mut self, sentence: &str) {
        if !std::mem::replace(&mut self.told, true) {
            (self.on_failure)(sentence);
        }
    }
}

impl Drop for CommitCore {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.fail("share journal: the commit thread panicked; start again to recover from disk, and report this defect");
        }
    }
}

fn new_share(share: &PendingShare) -> NewShare<'_> {
    NewShare {
        received_at: share.received_at,
        worker: &share.worker,
        work: share.work,
        algorithm: &share.algorithm,
        route: share.route,
        job: share.job,
        hash_tag: share.hash_tag,
        candidate: share.candidate,
    }
}

/// Takes work for the journal. Clones lead to the same journal.
#[derive(Clone)]
pub enum CommitHandle {
    /// To the commit thread.
    Thread(Sender<Work>),
    /// Done by the caller.
    Inline(Arc<Mutex<CommitCore>>),
}

impl CommitHandle {
    /// A handle that commits on the caller's thread, at once.
    #[must_use]
    pub fn inline(core: CommitCore) -> Self {
        Self::Inline(Arc::new(Mutex::new(core)))
    }

    /// Starts the commit thread. It ends, with everything committed, when all handles are dropped. Commits begin at
    /// least `interval_min` apart, so that a low rate does not cost a sync per share.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn thread(mut core: CommitCore, interval_min: Duration) -> io::Result<(Self, Thread)> {
        core.journal.preallocate_in_background()?;
        let (tx, rx) = mpsc::channel();
        let thread = Thread::spawn("journal-commit", move || run(&mut core, &rx, interval_min))?;
        Ok((Self::Thread(tx), thread))
    }

    /// Hands work in. If the journal is dead, the work is dropped: tickets in it resolve as lost.
    pub(super) fn submit(&self, work: Work) {
        match self {
            // The queue is bounded: a shard says that shares wait once or twice per commit, and candidates are few.
            Self::Thread(tx) => drop(tx.send(work)),
            Self::Inline(core) => core.lock().unwrap_or_else(PoisonError::into_inner).commit(vec![work]),
        }
    }
}

fn run(core: &mut CommitCore, rx: &Receiver<Work>, interval_min: Duration) {
    let mut due = Instant::now();
    while let Ok(first) = rx.recv() {
        let work = gather(first, rx, due);
        due = Instant::now() + interval_min;
        core.commit(work);
    }
}

/// All that waits; and what else comes until the next commit is due, unless there is enough, or something urgent.
fn gather(first: Work, rx: &Receiver<Work>, due: Instant) -> Vec<Work> {
    let mut gathered = vec![first];
    loop {
        let shares: usize = gathered.iter().map(weight).sum();
        if shares >= SHARES_ENOUGH {
            return gathered;
        }
        let next = match rx.try_recv() {
            Ok(work) => Ok(work),
            Err(TryRecvError::Disconnected) => return gathered,
            Err(TryRecvError::Empty) => rx.recv_timeout(due.saturating_duration_since(Instant::now())),
        };
        match next {
            Ok(work) => gathered.push(work),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return gathered,
        }
    }
}

fn weight(work: &Work) -> usize {
    match work {
        Work::Group(group) => group.len(),
        Work::Critical(..) => SHARES_ENOUGH,
    }
}
