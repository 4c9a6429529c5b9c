//! What a ticket costs per share: `cargo bench -p pool-actors --bench ticket`. "items/s" is shares per second.

use actix::{Actor, Context, Handler};
use divan::{Bencher, counter::ItemsCount};
use pool_actors::runtime::ticket::{Ticket, TicketOffice, Verdicts, resolve_all};
use pool_domain::share::Verdict;

fn main() {
    divan::main();
}

struct Session;

impl Actor for Session {
    type Context = Context<Self>;
}

impl Handler<Verdicts> for Session {
    type Result = ();

    fn handle(&mut self, verdicts: Verdicts, _: &mut Context<Self>) {
        divan::black_box(verdicts);
    }
}

/// Issues 1,024 tickets over so many sessions, resolves them in one batch, and lets the sessions hear.
#[divan::bench(args = [1, 64, 1024])]
fn issue_and_resolve_1024(bencher: Bencher<'_, '_>, sessions: u32) {
    let system = actix_rt::System::new();
    let offices: Vec<_> = system.block_on(async {
        (0..sessions).map(|_| TicketOffice::new(Session.start().recipient(), 1_024)).collect()
    });
    bencher.counter(ItemsCount::new(1_024_u32)).bench_local(|| {
        system.block_on(async {
            let per_session = 1_024 / sessions;
            let tickets: Vec<Ticket> = offices
                .iter()
                .flat_map(|office| (0..per_session).map(|token| office.issue(token).expect("credit is back")))
                .collect();
            resolve_all(tickets.into_iter().map(|ticket| (ticket, Verdict::Accepted)).collect());
            for _ in 0..4 {
                tokio::task::yield_now().await;
            }
        });
    });
}
