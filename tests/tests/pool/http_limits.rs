//! What strangers may cost the HTTP server: bodies that are packed, bodies that never end, connections without number.

use std::time::Duration;

use pool_tests::pool::{PoolProcess, Setup};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::mining;

const PATIENCE: Duration = Duration::from_secs(20);

async fn connect(pool: &PoolProcess) -> TcpStream {
    TcpStream::connect(pool.http).await.unwrap()
}

/// All that comes until the pool closes the connection.
async fn rest(connection: &mut TcpStream) -> String {
    let mut said = Vec::new();
    // A connection that is reset has ended as well.
    let _ = timeout(PATIENCE, connection.read_to_end(&mut said)).await.expect("the pool closes it");
    String::from_utf8_lossy(&said).into_owned()
}

#[actix_rt::test]
async fn one_address_cannot_take_the_dashboard_from_others() {
    let node = mining::node("blake2s", 300, 1);
    let mut setup = Setup::simulated(&node.rpc_url, "blake2s").await;
    setup.environment = vec![("DAGPOOL__HTTP__CONNECTIONS_PER_ADDRESS", "5".to_owned())];
    let pool = PoolProcess::start(setup);
    pool.until("/health/ready", |status, _| status == 200).await;

    // Packed: what it would be is not even looked at.
    let packed = "POST /api/auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
        content-encoding: br\r\ncontent-length: 3\r\nconnection: close\r\n\r\nabc";
    let mut connection = connect(&pool).await;
    connection.write_all(packed.as_bytes()).await.unwrap();
    let said = rest(&mut connection).await;
    assert!(said.starts_with("HTTP/1.1 415 ") && said.contains("UNSUPPORTED_ENCODING"), "{said}");
    drop(connection);

    // Chunks without end, of a request that was refused before anybody read them: the connection ends with the answer.
    let mut connection = connect(&pool).await;
    let head = "POST /api/admin/users HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    connection.write_all(head.as_bytes()).await.unwrap();
    let (mut reading, mut writing) = connection.split();
    let mut said = Vec::new();
    let endless = async {
        while writing.write_all(b"1\r\na\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(PATIENCE, async { tokio::join!(endless, reading.read_to_end(&mut said)) }).await.unwrap().1.ok();
    assert!(said.starts_with(b"HTTP/1.1 401 "), "{}", String::from_utf8_lossy(&said));
    drop(connection);

    // A body of which nothing comes.
    let mut connection = connect(&pool).await;
    let head = "POST /api/auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n";
    connection.write_all(head.as_bytes()).await.unwrap();
    let said = rest(&mut connection).await;
    assert!(said.starts_with("HTTP/1.1 408 ") && said.contains("REQUEST_TIMEOUT"), "{said}");
    drop(connection);

    // One connection more than an address may have; those from before may be on their way out still. And then as many again.
    for _ in 0..2 {
        let mut held = Vec::new();
        let refused = timeout(PATIENCE, async {
            loop {
                let (connection, status) = asked(&pool).await;
                match status.as_str() {
                    "HTTP/1.1 200" => held.push(connection),
                    _ => return (held.len(), status),
                }
            }
        });
        let (most, refused) = refused.await.expect("there is a bound");
        assert!(most <= 5 && refused == "HTTP/1.1 429", "{most} connections, then {refused:?}");
        drop(held);
        let free = async { while asked(&pool).await.1 != "HTTP/1.1 200" {} };
        timeout(PATIENCE, free).await.expect("places come back");
    }
}

/// A connection that asked for something, and how the answer begins.
async fn asked(pool: &PoolProcess) -> (TcpStream, String) {
    let mut connection = connect(pool).await;
    // One that is refused may be closed before it has asked.
    let _ = connection.write_all(b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut said = [0; 12];
    let _ = connection.read_exact(&mut said).await;
    (connection, String::from_utf8_lossy(&said).into_owned())
}
