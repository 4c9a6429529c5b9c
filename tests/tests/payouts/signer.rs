//! The keys in another process: the reference signer as operators run it, and signers that lie.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use pool_actors::{
    adapters::signer_socket::SocketSigner,
    ledger::payout_rounds::{Rounds, Trouble},
    ports::wallet::{Payment, SignerPort, Unsigned, WalletError},
};
use pool_domain::payout::PayoutState;
use pool_tests::pool::dagpool;
use tempfile::TempDir;

use crate::world::{COIN, World, advance};

/// A running signer; ends with its handle.
struct SignerProcess {
    child: Child,
    socket: PathBuf,
}

impl SignerProcess {
    fn start(folder: &Path, limits: &[&str]) -> Self {
        let socket = folder.join("signer.sock");
        let mut child = Command::new(dagpool())
            .arg("signer")
            .arg("--socket")
            .arg(&socket)
            .arg("--journal")
            .arg(folder.join("journal"))
            .args(limits)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the signer runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("signer "), "it says where it listens: {line}");
        Self { child, socket }
    }

    fn port(&self) -> Arc<SocketSigner> {
        Arc::new(SocketSigner::new(self.socket.clone(), Duration::from_secs(30)))
    }
}

impl Drop for SignerProcess {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[actix_rt::test]
async fn the_reference_signer_signs_within_its_limits_and_survives_a_kill() {
    let mut world = World::on_sqlite().await;
    let folder = TempDir::new().unwrap();
    let limits = ["--limit-per-day", "3", "--limit-per-recipient", "2"];
    let signer = SignerProcess::start(folder.path(), &limits);
    world.signer = signer.port();
    world.credit(&[("alice", 2 * COIN)]).await;
    let mut rounds = Rounds::take(world.parts()).await.unwrap();
    rounds.reserve().await.unwrap();
    world.settle(&mut rounds).await;
    world.assert_all_paid("a signer of its own").await;
    // Killed, and started on the same journal: its limits hold on.
    drop(signer);
    let down = world.credit(&[("bob", 2 * COIN)]);
    down.await;
    rounds.reserve().await.unwrap();
    let down = advance(&mut rounds).await.unwrap_err();
    assert!(
        matches!(&down, Trouble::Wallet(WalletError::Unavailable { what }) if what.contains("signer")),
        "{down}"
    );
    let signer = SignerProcess::start(folder.path(), &limits);
    let round = advance(&mut rounds).await.unwrap();
    assert!(round.troubles[0].what.contains("the signer's limit of 300000000"), "{:?}", round.troubles);
    assert_eq!(world.payouts.open_payouts().await.unwrap()[0].state, PayoutState::Reserved);
    drop(signer);
    let _signer = SignerProcess::start(folder.path(), &["--limit-per-day", "10"]);
    world.settle(&mut rounds).await;
    world.assert_all_paid("a signer with higher limits").await;
}

/// Signs, and changes something on the way.
struct Liar {
    honest: Arc<dyn SignerPort>,
    lie: fn(&mut Vec<u8>),
}

#[async_trait]
impl SignerPort for Liar {
    fn name(&self) -> &'static str {
        "a liar"
    }

    async fn sign(&self, payment: &Payment, unsigned: &Unsigned) -> Result<Vec<u8>, WalletError> {
        let mut bytes = self.honest.sign(payment, unsigned).await?;
        (self.lie)(&mut bytes);
        Ok(bytes)
    }
}

#[actix_rt::test]
async fn what_was_not_asked_for_is_never_persisted() {
    let mut world = World::on_sqlite().await;
    world.credit(&[("alice", COIN)]).await;
    let honest = Arc::clone(&world.signer);
    let lies: [fn(&mut Vec<u8>); 4] = [
        // Another lock time, another output script, nothing at all, something behind it.
        |bytes| *bytes.last_mut().unwrap() ^= 1,
        |bytes| {
            let at = bytes.len() - 10;
            bytes[at] ^= 1;
        },
        Vec::clear,
        |bytes| bytes.push(0),
    ];
    let mut rounds = None;
    for lie in lies {
        world.signer = Arc::new(Liar { honest: Arc::clone(&honest), lie });
        let mut liar = Rounds::take(world.parts()).await.unwrap();
        liar.reserve().await.unwrap();
        let round = advance(&mut liar).await.unwrap();
        assert!(
            round.troubles[0].what.contains("another transaction than it was asked to"),
            "{:?}",
            round.troubles
        );
        let open = world.payouts.open_payouts().await.unwrap();
        assert_eq!((open.len(), open[0].state, &open[0].transaction), (1, PayoutState::Reserved, &None));
        world.signer = Arc::clone(&honest);
        rounds = Some(Rounds::take(world.parts()).await.unwrap());
    }
    world.settle(rounds.as_mut().unwrap()).await;
    world.assert_all_paid("after liars").await;
}
