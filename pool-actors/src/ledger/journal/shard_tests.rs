//! Shards and the commit thread: from tickets to durable records and back.

use std::{sync::mpsc, time::Duration};

use actix::{Actor, Context, Handler};
use pool_domain::{
    ids::{AlgorithmName, BlockHash, Generation, JobId, Route, SlotId},
    share::{LostReason, Verdict},
    units::{TimeMs, Work},
};
use tokio::sync::mpsc as channel;

use super::{
    tests::{candidate, open, tags, worker},
    *,
};
use crate::{
    adapters::disk_memory::MemoryDisk,
    messages::journal::{
        AppendCandidate, AppendShares, AppendVerdict, CandidateId, JournalError, PendingShare,
    },
    ports::node::SubmitVerdict,
    runtime::{
        Runtime,
        critical::CriticalOutbox,
        observe::Observe,
        outbox::Outbox,
        supervisor::{Policy, Spec, supervise},
        ticket::{Ticket, TicketOffice, Verdicts},
    },
};

struct Session(channel::UnboundedSender<(u32, Verdict)>);

impl Actor for Session {
    type Context = Context<Self>;
}

impl Handler<Verdicts> for Session {
    type Result = ();

    fn handle(&mut self, verdicts: Verdicts, _: &mut Context<Self>) {
        verdicts.0.iter().for_each(|resolved| self.0.send((resolved.token, resolved.verdict)).unwrap());
    }
}

fn session() -> (TicketOffice, channel::UnboundedReceiver<(u32, Verdict)>) {
    let (tx, rx) = channel::unbounded_channel();
    (TicketOffice::new(Session(tx).start().recipient(), 10_000), rx)
}

fn pending(ticket: Ticket) -> PendingShare {
    let n = u64::from(ticket.token());
    PendingShare {
        ticket,
        received_at: TimeMs(1_000_000 + n),
        worker: worker(n % 11),
        work: Work(u128::from(n) << 40),
        algorithm: AlgorithmName::new(if n.is_multiple_of(3) { "scrypt" } else { "sha256d" }).unwrap(),
        route: Route { slot: SlotId(1), generation: Generation(2) },
        job: JobId(1),
        hash_tag: n,
        candidate: n.is_multiple_of(50).then_some(CandidateId(n)),
        life: Default::default(),
    }
}

/// Shards over a journal on `disk`, with or without threads.
async fn shards(disk: &MemoryDisk, threads: usize) {
    let runtime = Runtime::start(threads).unwrap();
    let (journal, _) = open(disk);
    let reader = journal.reader();
    let core = CommitCore::new(journal, Box::new(|sentence| panic!("{sentence}")));
    let (commit, thread) = match threads {
        0 => (CommitHandle::inline(core), None),
        _ => CommitHandle::thread(core, Duration::from_micros(200))
            .map(|(commit, thread)| (commit, Some(thread)))
            .unwrap(),
    };
    let shards: Vec<_> = (0..runtime.arbiters.seats())
        .map(|seat| {
            let (name, commit) = (format!("journal-shard-{seat}"), commit.clone());
            let spec = Spec { name, kind: "JournalShard", seat, mailbox: 16, policy: Policy::StopProcess };
            supervise(&runtime, spec, move |_| JournalShard::new(commit.clone())).observable()
        })
        .collect();
    let (office, mut hears) = session();
    let mut token = 0;
    for round in 0..40_u32 {
        let outbox: Outbox<AppendShares> = shards[round as usize % shards.len()].outbox();
        let shares = (0..25).map(|n| pending(office.issue(token + n).unwrap())).collect();
        token += 25;
        outbox.post(AppendShares(shares)).unwrap();
    }
    let candidates = CriticalOutbox::new(shards[0].outbox::<AppendCandidate>());
    let seq = candidates.ask(AppendCandidate(candidate(9))).await.unwrap().unwrap();
    assert!(reader.committed() >= seq, "answered when durable");
    let verdict = AppendVerdict {
        id: CandidateId(9),
        hash: BlockHash([9; 32]),
        verdict: SubmitVerdict::Accepted,
        at: TimeMs(9),
    };
    assert!(shards[0].outbox().ask(verdict).await.unwrap().unwrap() > seq);
    let mut accepted = Vec::new();
    while accepted.len() < 1_000 {
        let (token, verdict) = hears.recv().await.unwrap();
        assert_eq!(verdict, Verdict::Accepted);
        accepted.push(u64::from(token));
        // Nothing is acknowledged that is not durable.
        assert!(reader.committed().0 >= accepted.len() as u64);
    }
    let mut durable = tags(&reader);
    durable.sort_unstable();
    accepted.sort_unstable();
    assert_eq!(durable, accepted);
    let state =
        runtime.registry.observe("journal-shard-0", Duration::from_secs(9)).await.unwrap().state.unwrap();
    assert_eq!(state["lost"], 0);
    for shard in shards {
        shard.stop().await;
    }
    runtime.arbiters.stop();
    drop(commit);
    if let Some(thread) = thread {
        thread.join().unwrap();
    }
}

#[actix_rt::test]
async fn shares_of_all_shards_are_durable_before_they_are_accepted() {
    shards(&MemoryDisk::new(), 2).await;
}

#[actix_rt::test]
async fn the_same_without_any_thread() {
    shards(&MemoryDisk::new(), 0).await;
}

#[actix_rt::test]
async fn when_the_disk_fails_shares_are_lost_and_the_process_is_told_once() {
    let disk = MemoryDisk::new();
    let runtime = Runtime::start(0).unwrap();
    let (journal, _) = open(&disk);
    let (tell, told) = mpsc::channel();
    let core = CommitCore::new(journal, Box::new(move |sentence| tell.send(sentence.to_owned()).unwrap()));
    let (commit, thread) = CommitHandle::thread(core, Duration::ZERO).unwrap();
    let shard = runtime.arbiters.start_actor(0, 4, {
        let commit = commit.clone();
        move |_| JournalShard::new(commit)
    });
    disk.fail_syncs_after(Some(0));
    let (office, mut hears) = session();
    let outbox = Outbox::new("JournalShard", shard.clone().recipient::<AppendShares>());
    for token in 0..3 {
        outbox.post(AppendShares(vec![pending(office.issue(token).unwrap())])).unwrap();
    }
    for token in 0..3 {
        let lost = Verdict::Lost(LostReason::JournalUnavailable);
        assert_eq!(hears.recv().await.unwrap(), (token, lost));
    }
    let candidates = Outbox::new("JournalShard", shard.recipient::<AppendCandidate>());
    let answer = candidates.ask(AppendCandidate(candidate(1))).await.unwrap();
    assert!(matches!(answer, Err(JournalError::Failed(_))));
    assert!(told.recv().unwrap().contains("refused to sync"));
    assert!(told.try_recv().is_err(), "once");
    drop((outbox, candidates, commit));
    drop(thread);
}

/// A shard whose words to the commit thread arrive here instead.
fn shard_alone(
    runtime: &Runtime,
) -> (Outbox<AppendShares>, Outbox<Observe>, mpsc::Receiver<committer::Work>) {
    let (tx, words) = mpsc::channel();
    let shard = runtime.arbiters.start_actor(0, 4, move |_| JournalShard::new(CommitHandle::Thread(tx)));
    let observe = Outbox::new("JournalShard", shard.clone().recipient());
    (Outbox::new("JournalShard", shard.recipient()), observe, words)
}

/// What the stop of a pool waits for.
async fn pending_of(shard: &Outbox<Observe>) -> u64 {
    shard.ask(Observe).await.unwrap().0["pending"].as_u64().expect("it is told")
}

#[actix_rt::test]
async fn a_share_that_comes_before_the_commit_begins_does_not_wait_for_a_second_one() {
    let disk = MemoryDisk::new();
    let runtime = Runtime::start(0).unwrap();
    let (outbox, observe, words) = shard_alone(&runtime);
    let (office, mut hears) = session();
    assert_eq!(pending_of(&observe).await, 0, "who stops the pool waits for nothing");
    for token in 0..3 {
        outbox.ask(AppendShares(vec![pending(office.issue(token).unwrap())])).await.unwrap();
    }
    assert_eq!(pending_of(&observe).await, 3);
    let word = words.try_recv().unwrap();
    assert!(words.try_recv().is_err(), "one word for all three");
    let (journal, _) = open(&disk);
    let reader = journal.reader();
    let mut core = CommitCore::new(journal, Box::new(|sentence| panic!("{sentence}")));
    core.commit(vec![word]);
    assert_eq!(tags(&reader), [0, 1, 2]);
    assert_eq!(pending_of(&observe).await, 0);
    for token in 0..3 {
        assert_eq!(hears.recv().await.unwrap(), (token, Verdict::Accepted));
    }
    outbox.ask(AppendShares(vec![pending(office.issue(3).unwrap())])).await.unwrap();
    core.commit(vec![words.try_recv().unwrap()]);
    assert_eq!(hears.recv().await.unwrap(), (3, Verdict::Accepted));
}

#[actix_rt::test]
async fn enough_shares_are_a_second_word_which_finds_nothing_if_the_first_took_all() {
    let disk = MemoryDisk::new();
    let runtime = Runtime::start(0).unwrap();
    let (outbox, _, words) = shard_alone(&runtime);
    let (office, mut hears) = session();
    for round in 0..5_u32 {
        let shares = (0..1_000).map(|n| pending(office.issue(1_000 * round + n).unwrap())).collect();
        outbox.ask(AppendShares(shares)).await.unwrap();
    }
    let words: Vec<_> = words.try_iter().collect();
    assert_eq!(words.len(), 2);
    let (journal, _) = open(&disk);
    let reader = journal.reader();
    CommitCore::new(journal, Box::new(|sentence| panic!("{sentence}"))).commit(words);
    assert_eq!(tags(&reader).len(), 5_000);
    for token in 0..5_000 {
        assert_eq!(hears.recv().await.unwrap(), (token, Verdict::Accepted));
    }
}

#[actix_rt::test]
async fn shares_that_no_commit_thread_takes_are_lost_and_told_so() {
    let runtime = Runtime::start(0).unwrap();
    let (outbox, observe, words) = shard_alone(&runtime);
    let (office, mut hears) = session();
    let lost = Verdict::Lost(LostReason::Dropped);
    outbox.ask(AppendShares(vec![pending(office.issue(0).unwrap())])).await.unwrap();
    drop(words.try_recv().unwrap());
    assert_eq!(hears.recv().await.unwrap(), (0, lost));
    drop(words);
    outbox.ask(AppendShares(vec![pending(office.issue(1).unwrap())])).await.unwrap();
    assert_eq!(hears.recv().await.unwrap(), (1, lost));
    assert_eq!(pending_of(&observe).await, 0, "who stops the pool waits for nothing");
}
