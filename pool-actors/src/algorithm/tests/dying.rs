//! What a validator held when it died.

use super::*;
use crate::runtime::{
    observe::Life,
    supervisor::{Policy, RestartLimits, Spec, supervise},
};

const VALIDATOR: &str = "validator-1-7-0";

fn restarts(bench: &Bench) -> u64 {
    let list = bench.runtime.registry.list();
    let validator = list.iter().find(|actor| actor.name == VALIDATOR).unwrap();
    if validator.life == Life::Running { validator.restarts } else { 0 }
}

async fn until(mut done: impl FnMut() -> bool) {
    while !done() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[actix_rt::test]
async fn shares_that_came_to_a_dying_validator_are_judged_by_its_successor() {
    tokio::time::pause();
    let mut bench = bench(0);
    assert!(bench.runtime.registry.crash(VALIDATOR));
    // In its mailbox as it dies.
    bench.send(vec![bench.share(1, GOOD, false), bench.share(2, LOW, false)]);
    until(|| bench.runtime.registry.list().iter().any(|actor| actor.life == Life::Restarting)).await;
    // While there is none.
    bench.send(vec![bench.share(3, GOOD, false)]);
    assert_eq!(bench.journalled(2).await, [(1, false), (3, false)]);
    let low = Verdict::Rejected(RejectReason::LowDifficulty);
    assert_eq!(bench.told(3).await, [(1, Verdict::Accepted), (2, low), (3, Verdict::Accepted)]);
    assert_eq!(restarts(&bench), 1);
}

#[actix_rt::test]
async fn a_block_that_waits_for_its_jobs_owner_outlives_its_validator() {
    tokio::time::pause();
    let mut bench = bench(0);
    let (told, mut found) = mpsc::unbounded_channel::<CandidateFound>();
    let limits = RestartLimits { backoff_first: Duration::from_secs(3), ..RestartLimits::default() };
    let spec = Spec {
        name: "owner".to_owned(),
        kind: "JobTemplate",
        seat: 0,
        mailbox: 4,
        policy: Policy::Restart(limits),
    };
    let owner = supervise(&bench.runtime, spec, move |_| Teller(told.clone()));
    bench.job = job(CriticalOutbox::new(owner.outbox()));
    assert!(bench.runtime.registry.crash("owner"));
    owner.addresses().wait_for(Option::is_none).await.unwrap();
    bench.send(vec![bench.share(1, BLOCK, false)]);
    assert_eq!(bench.journalled(1).await, [(1, true)]);
    // Nobody takes the block, and now its validator dies, too.
    assert!(bench.runtime.registry.crash(VALIDATOR));
    until(|| restarts(&bench) == 1).await;
    assert!(found.try_recv().is_err(), "the owner is not back yet");
    assert_eq!(found.recv().await.unwrap().finder.account.as_str(), "alice");
}
