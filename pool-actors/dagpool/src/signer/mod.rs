//! `dagpool signer`: the keys in a process of their own. Reference implementation for the simulated chain; the protocol is in
//! `pool-actors/docs/signer.md`.
//!
//! It believes nobody: it reads the transaction itself, finds the recipients' amounts in it, keeps its own limits by its own
//! journal, and never signs a second transaction for a payout unless both can't be valid.

mod journal;
mod rules;

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use pool_actors::{
    adapters::signer_socket::{LINE_BYTES_MAX, SignAnswer, SignRequest},
    config::LogFormat,
    error::{Code, Failure},
    ports::logs::LogBook,
};
use pool_domain::currency;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream},
};

use crate::{Outcome, logging};
use rules::{Limits, Signer};

/// The simulated chain's currency has so many digits behind the point.
const DECIMALS: u8 = 8;

#[derive(Debug, Args)]
pub(crate) struct SignerArgs {
    /// Socket to listen on; only its owner may connect (mode 0600).
    #[arg(long)]
    socket: PathBuf,
    /// File in which it writes what it signed, before it answers. Its limits survive a restart by it.
    #[arg(long)]
    journal: PathBuf,
    /// Seed of the simulated chain's keys.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Label of the key that pays.
    #[arg(long, default_value = "pool")]
    label: String,
    /// Most that it signs in any 60 minutes, in the chain's currency; without it, no limit.
    #[arg(long)]
    limit_per_hour: Option<String>,
    /// Most that it signs in any 24 hours, in the chain's currency; without it, no limit.
    #[arg(long)]
    limit_per_day: Option<String>,
    /// Most for one recipient in one transaction, in the chain's currency; without it, no limit.
    #[arg(long)]
    limit_per_recipient: Option<String>,
    /// File of accounts that may be paid, one a line; without it, all.
    #[arg(long)]
    allow: Option<PathBuf>,
}

fn unusable(what: impl Into<String>, advice: &str) -> Failure {
    Failure::new(Code::ConfigInvalid, what, advice)
}

/// Signs until it is interrupted.
pub(crate) async fn signer(args: SignerArgs) -> Outcome {
    logging::start(LogFormat::Human, "info", LogBook::default())?;
    let amount = |name: &str, text: &Option<String>| {
        let read = text.as_deref().map(|text| currency::parse(text, DECIMALS)).transpose();
        read.map_err(|error| unusable(format!("--{name}: {error}"), "write it as 10.5"))
    };
    let limits = Limits {
        per_hour: amount("limit-per-hour", &args.limit_per_hour)?,
        per_day: amount("limit-per-day", &args.limit_per_day)?,
        per_recipient: amount("limit-per-recipient", &args.limit_per_recipient)?,
        allowed: args.allow.as_deref().map(rules::read_allowed).transpose()?,
    };
    let mut signer = Signer::open(args.seed, &args.label, limits, &args.journal)?;
    let listener = listen(&args.socket)?;
    println!("signer     {}  (pays from {})", args.socket.display(), signer.address());
    let serving = async {
        loop {
            match listener.accept().await {
                // One at a time: what is signed depends on what was signed before.
                Ok((stream, _)) => {
                    if let Err(error) = serve(stream, &mut signer).await {
                        tracing::warn!("a connection ended: {error}");
                    }
                }
                Err(error) => tracing::warn!("no connection: {error}"),
            }
        }
    };
    tokio::select! {
        () = serving => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    // A socket that stays behind is replaced at the next start.
    let _ = std::fs::remove_file(&args.socket);
    Ok(ExitCode::SUCCESS)
}

fn listen(path: &std::path::Path) -> Result<UnixListener, Failure> {
    use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
    let failed = |error: std::io::Error| {
        Failure::new(
            Code::AddressUnavailable,
            format!("the socket {} can't be used ({error})", path.display()),
            "choose another --socket",
        )
    };
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(failed(std::io::Error::other("another signer listens there")));
    }
    if std::fs::metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        std::fs::remove_file(path).map_err(failed)?;
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(listener)
}

/// Answers one line.
async fn serve(stream: UnixStream, signer: &mut Signer) -> Result<(), std::io::Error> {
    let patience = std::time::Duration::from_secs(10);
    let (reader, mut writer) = stream.into_split();
    let mut line = Vec::new();
    let mut reader = BufReader::new(reader.take(LINE_BYTES_MAX));
    tokio::time::timeout(patience, reader.read_until(b'\n', &mut line)).await??;
    if line.is_empty() {
        return Ok(());
    }
    let answer = match serde_json::from_slice::<SignRequest>(&line) {
        Ok(request) => {
            let payout = request.payout.0;
            let answer = signer.answer(&request);
            match &answer {
                SignAnswer::Signed(_) => tracing::info!(payout, "signed"),
                SignAnswer::Refused(why) => tracing::warn!(payout, "refused: {why}"),
            }
            answer
        }
        Err(error) => SignAnswer::Refused(format!("the request can't be read: {error}")),
    };
    let mut text = serde_json::to_vec(&answer)?;
    text.push(b'\n');
    tokio::time::timeout(patience, writer.write_all(&text)).await?
}
