//! `dagpool demo`: a simulated DAG node, the pool, the dashboard and virtual miners in one process. The pool reaches the
//! node only through its RPC, and the miners reach the pool only through its Stratum port.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use pool_actors::{
    app::auth::first_admin,
    config::{self, Config, LogFormat, Profile},
    error::{Code, Failure},
    ports::logs::LogBook,
};
use pool_domain::{
    difficulty::{Difficulty, DifficultyScale},
    ids::AlgorithmName,
    units::Work,
};
use simulations::{
    miners::{Swarm, SwarmConfig},
    node::{AlgorithmConfig, NodeConfig, Rival, SimNode},
};

use tempfile::TempDir;

use crate::{
    Outcome,
    args::{Demo, LogForm},
    logging, run, token,
};

/// Hashes a second of one virtual miner of a cheap algorithm; expensive ones get what they can.
const MINER_HASHRATE: u64 = 20_000;
/// Expected hashes of a virtual miner's first shares: some a second, until vardiff knows better.
const START_WORK: Work = Work(4_096);

/// The simulated chain, in the data folder.
const CHAIN: &str = "simulated-chain";

/// Runs the demonstration until it is interrupted.
pub(crate) async fn demo(args: Demo) -> Outcome {
    let format = match args.log {
        LogForm::Human => LogFormat::Human,
        LogForm::Json => LogFormat::Json,
    };
    let book = LogBook::new(Config::default().log.kept_lines);
    logging::start(format, "info,simulations=warn", book.clone())?;
    let (folder, temporary) = data_folder(args.data_dir.clone())?;
    let node = SimNode::start(node_config(&args, &folder)?).map_err(|error| {
        Failure::new(
            Code::NodeUnusable,
            format!("the simulated node: {error}"),
            "change the options it names",
        )
    })?;
    let address = wallet_address(&node.rpc_url).await?;
    let config = pool_config(&args, &node.rpc_url, address, folder)?;
    let config = config::overridden(&config, std::env::vars())?;
    let (token, fresh) = token::admin_token(&config.auth)?;
    let admin = first_admin(&config).await?;
    let pool = run::start(config, token.clone(), None, book).await?;
    run::announce(&pool, fresh.then_some(token.as_str()));
    if let Some((name, password)) = admin {
        println!("sign in    {name}  {password}  (printed once)");
    }
    println!("node       {}  (simulated DAG, {} s between blocks)", node.rpc_url, args.block_time);
    println!("miners     {} virtual miners of {}; stop with Ctrl-C", args.miners, args.algorithm);

    let miners = if args.miners == 0 { None } else { Some(start_miners(&args, &pool)?) };
    let code = run::until_stopped(pool, false).await;
    drop(miners);
    node.stop();
    if let Some(folder) = temporary {
        let path = folder.path().to_owned();
        if let Err(error) = folder.close() {
            tracing::warn!("the temporary folder {} is left behind ({error})", path.display());
        }
    }
    Ok(code)
}

fn unusable(what: impl Into<String>, advice: &str) -> Failure {
    Failure::new(Code::ConfigInvalid, what, advice)
}

/// The functions that the demonstration's node accepts.
fn accepted(args: &Demo) -> Result<Vec<AlgorithmConfig>, Failure> {
    let list = args.algorithms.as_ref().unwrap_or(&args.algorithm);
    AlgorithmConfig::list(list).map_err(|error| unusable(error, "change --algorithm or --algorithms"))
}

/// What the demonstration's node is like.
fn node_config(args: &Demo, folder: &Path) -> Result<NodeConfig, Failure> {
    if !(0.1..=60.0).contains(&args.block_time) {
        return Err(unusable(format!("--block-time {} is outside 0.1 to 60", args.block_time), "use 2"));
    }
    let algorithms = accepted(args)?;
    let named = algorithms.iter().find(|entry| entry.algorithm.name == args.algorithm);
    let algorithm = named.ok_or_else(|| {
        unusable(format!("--algorithms leaves {} out", args.algorithm), "add it, or change --algorithm")
    })?;
    // Two rivals with a share of the hash rate make siblings and, now and then, reds.
    let hashrate = (algorithm.start_hashes / 8).max(1);
    let rivals = Rival::some(2, algorithm.algorithm.name, hashrate);
    Ok(NodeConfig {
        seed: args.seed,
        // The books are of this chain: whoever keeps them goes on with it.
        chain_file: Some(folder.join(CHAIN)),
        algorithms,
        block_time: Duration::from_secs_f64(args.block_time),
        latency: Duration::from_secs_f64((args.block_time / 4.0).min(1.0)),
        rivals,
        payments_per_minute: 30,
        ..NodeConfig::default()
    })
}

/// An address of the simulated node's wallet, which the pool is paid to.
async fn wallet_address(rpc_url: &str) -> Result<String, Failure> {
    let request =
        serde_json::json!({"jsonrpc": "2.0", "id": 1, "method": "getNewAddress", "params": ["pool"]});
    let failed = |what: String| {
        Failure::new(Code::NodeUnusable, format!("the simulated node's wallet: {what}"), "start again")
    };
    let client = reqwest::Client::builder().no_proxy().build().map_err(|error| failed(error.to_string()))?;
    let answer =
        client.post(rpc_url).json(&request).send().await.map_err(|error| failed(error.to_string()))?;
    let answer: serde_json::Value = answer.json().await.map_err(|error| failed(error.to_string()))?;
    answer["result"].as_str().map(str::to_owned).ok_or_else(|| failed(answer["error"].to_string()))
}

/// Where everything is kept: the folder that was named, or one that goes with the demonstration.
fn data_folder(named: Option<PathBuf>) -> Result<(PathBuf, Option<TempDir>), Failure> {
    let failed =
        |what: String| Failure::new(Code::DataDirUnwritable, what, "name a folder of yours with --data-dir");
    let Some(folder) = named else {
        let made = tempfile::Builder::new().prefix("dagpool-demo-").tempdir();
        let temporary =
            made.map_err(|error| failed(format!("a temporary folder can't be made ({error})")))?;
        return Ok((temporary.path().to_owned(), Some(temporary)));
    };
    std::fs::create_dir_all(&folder)
        .map_err(|error| failed(format!("the folder {} can't be made ({error})", folder.display())))?;
    // What the books say of one chain would wait on another for ever.
    let has_chain = std::fs::metadata(folder.join(CHAIN)).is_ok_and(|chain| chain.len() > 0);
    if folder.join("journal").exists() && !has_chain {
        let what = format!("the books in {} are of a chain that was not kept there", folder.display());
        return Err(unusable(what, "name another folder with --data-dir"));
    }
    Ok((folder, None))
}

fn pool_config(
    args: &Demo,
    rpc_url: &str,
    payout_address: String,
    folder: PathBuf,
) -> Result<Config, Failure> {
    let mut config = Config::default();
    config.pool.name = "BlockDAG Pool demo".to_owned();
    config.pool.data_dir = folder;
    config.chain.profile = Profile::Simulated;
    config.chain.nodes = vec![rpc_url.to_owned()];
    config.chain.payout_address = payout_address;
    config.algorithms.active.clone_from(&args.algorithm);
    // Payouts are to be seen: soon, small, and final after a few blocks.
    config.payout.enabled = true;
    config.payout.interval_s = 10;
    config.payout.confirmations = 5;
    config.http.address = args.http;
    config.journal.disk_budget_bytes = 1 << 30;
    config.journal.segment_bytes = 16 << 20;
    config.vardiff.target_interval_ms = 2_000;
    // All clients of a demonstration share one address: a bad one must not shut out the virtual miners.
    config.banning.enabled = false;
    let listener = &mut config.stratum.listener[0];
    listener.address = args.stratum;
    if let Some(difficulty) = &args.difficulty {
        let difficulty = difficulty.parse::<Difficulty>().map_err(|error| {
            unusable(format!("--difficulty {difficulty}: {error}"), "use a number such as 0.0005")
        })?;
        listener.difficulty = Some(difficulty);
        listener.difficulty_min = listener.difficulty_min.min(difficulty);
    } else if let Ok(algorithm) = AlgorithmName::new(&args.algorithm) {
        listener.difficulty = Some(DifficultyScale::by_algorithm(&algorithm).difficulty_for_work(START_WORK));
    }
    Ok(config)
}

fn start_miners(
    args: &Demo,
    pool: &pool_actors::app::Pool,
) -> Result<simulations::miners::SwarmHandle, Failure> {
    let address = pool.stratum_addresses()[0].0;
    Swarm::start(SwarmConfig {
        address: address.to_string(),
        count: args.miners,
        algorithm: args.algorithm.clone(),
        also: accepted(args)?
            .iter()
            .map(|entry| entry.algorithm.name.to_owned())
            .filter(|name| *name != args.algorithm)
            .collect(),
        hashrate: MINER_HASHRATE,
        account_prefix: "demo".to_owned(),
        ramp: Duration::from_secs(1),
        seed: args.seed,
        ..SwarmConfig::default()
    })
    .map_err(|error| {
        Failure::new(Code::ConfigInvalid, format!("virtual miners: {error}"), "change the options")
    })
}
