//! Memory of an idle authorised connection, counted byte by byte in the allocator. A binary of its own: nothing else may
//! allocate meanwhile.

#[path = "stratum/rig.rs"]
#[allow(unreachable_pub, dead_code, reason = "shared with the other Stratum tests")]
mod rig;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use pool_actors::{
    config::{Banning, Stratum},
    messages::job::PublishJob,
    runtime::{Runtime, critical::CriticalOutbox},
    stratum::server,
};
use pool_domain::difficulty::Difficulty;

/// Bytes in use.
static IN_USE: AtomicI64 = AtomicI64::new(0);

struct Counting;

fn size(layout: Layout) -> i64 {
    i64::try_from(layout.size()).expect("a layout's size is at most isize::MAX")
}

#[allow(unsafe_code, reason = "a global allocator can't be written without")]
// SAFETY: every call goes to the system allocator unchanged; the counter has no part in it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(size(layout), Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(size(layout), Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A blocking miner: on its side only the socket stays.
fn connect(address: std::net::SocketAddr, number: usize) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    let mut reader = BufReader::with_capacity(4_096, stream);
    let login = format!(
        "{{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"cpuminer/2.5.1\"]}}\n{{\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"0x52908400098527886E0F7030069857D2E4169EE7.rig{number:04}\",\"x\"]}}\n"
    );
    reader.get_mut().write_all(login.as_bytes()).unwrap();
    let mut line = String::new();
    while !line.contains("mining.notify\",\"params\":[\"") {
        line.clear();
        assert!(reader.read_line(&mut line).unwrap() > 0);
    }
    reader.into_inner()
}

#[actix::test]
async fn an_idle_authorised_connection_costs_at_most_two_kibibytes() {
    const CONNECTIONS: usize = 1_000;
    let settings = Stratum { listener: vec![rig::listener("standard", "1", false)], ..Stratum::default() };
    let runtime = Runtime::start(1).unwrap();
    let exit = rig::exits();
    let server =
        server::start(&runtime, rig::parts(settings, Banning::default(), exit.exits.clone())).unwrap();
    let owner = CriticalOutbox::new(rig::collect().0);
    let job = rig::job(1, rig::coinbase(7), false, Difficulty::whole(1 << 30), owner);
    server.jobs()[0].ask(PublishJob(Arc::new(job))).await.unwrap();
    let address = server.addresses()[0];
    // Tables of the hub and of the runtime reach their size for some hundred sessions first.
    let mut miners = Vec::with_capacity(2 * CONNECTIONS);
    let mut measure = async |from: usize| {
        for number in from..from + CONNECTIONS {
            miners.push(connect(address, number));
        }
        assert_eq!(server.sessions().list().await.len(), miners.len());
        // What the test's own collectors keep is not the server's.
        let mut events = exit.events.get();
        events.clear();
        events.shrink_to_fit();
        let mut tallies = exit.tallies.get();
        tallies.clear();
        tallies.shrink_to_fit();
        IN_USE.load(Ordering::Relaxed)
    };
    let first = measure(0).await;
    let second = measure(CONNECTIONS).await;
    let each = (second - first) / i64::try_from(CONNECTIONS).unwrap();
    println!("{each} bytes per idle authorised connection");
    assert!(each <= 2_048, "{each} bytes");
    assert!(each > 200, "{each} bytes: something was not counted");
    drop(miners);
    server.stop().await;
    runtime.arbiters.stop();
}
