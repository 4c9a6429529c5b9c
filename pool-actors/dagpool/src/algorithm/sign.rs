//! `dagpool algorithm sign`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{Done, Output, files};

#[derive(Debug, Args)]
pub(crate) struct Sign {
    /// The package; it is written anew with its signature.
    package: PathBuf,
    /// The secret key.
    #[arg(long)]
    key: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn sign(args: &Sign) -> Done {
    let key = files::read_secret_key(&args.key)?;
    let package = files::open_package(&args.package)?;
    let id = package.manifest()?.id();
    let digest = package.digest();
    let signed = package.with_signature(&key.sign(&digest));
    files::write(&args.package, &signed.to_zip()?)?;
    let key_id = key.public().id();
    let text = format!("{}: {id} signed by key {key_id}\n  digest {digest}", args.package.display());
    Ok(Output::good(
        text,
        json!({ "algorithm_id": id, "key_id": key_id.to_string(), "digest": digest.to_string() }),
    ))
}
