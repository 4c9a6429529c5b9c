//! `dagpool sim`: the simulator by itself.

use std::{process::ExitCode, time::Duration};

use pool_actors::{
    config::LogFormat,
    error::{Code, Failure},
    ports::logs::LogBook,
};
use simulations::{
    miners::{Conduct, Dialect, Swarm, SwarmConfig},
    node::{AlgorithmConfig, NodeConfig, Rival, SimNode},
};

use crate::{
    Outcome,
    args::{SimMiners, SimNode as NodeArgs},
    logging,
};

/// Runs a simulated node until it is interrupted.
pub(crate) async fn node(args: NodeArgs) -> Outcome {
    logging::start(LogFormat::Human, "info", LogBook::default())?;
    let algorithms = AlgorithmConfig::list(&args.algorithms)
        .map_err(|error| Failure::new(Code::ConfigInvalid, format!("--algorithms: {error}"), "change it"))?;
    let first = algorithms[0].algorithm.name;
    let config = NodeConfig {
        seed: args.seed,
        chain_file: args.chain,
        listen: args.rpc,
        algorithms,
        block_time: Duration::try_from_secs_f64(args.block_time).unwrap_or_default(),
        rivals: Rival::some(args.competitors, first, 1_000),
        ..NodeConfig::default()
    };
    let node = SimNode::start(config).map_err(|error| {
        Failure::new(
            Code::NodeUnusable,
            format!("the simulated node: {error}"),
            "change the options it names",
        )
    })?;
    println!("rpc        {}", node.rpc_url);
    println!("admin      {}", node.admin_url);
    println!("websocket  {}", node.ws_url);
    println!("algorithms {}", args.algorithms);
    interrupted().await?;
    node.stop();
    Ok(ExitCode::SUCCESS)
}

/// Runs virtual miners until their limit, the time, or an interrupt.
pub(crate) async fn miners(args: SimMiners) -> Outcome {
    logging::start(LogFormat::Human, "info", LogBook::default())?;
    let dialect: Dialect = args
        .dialect
        .parse()
        .map_err(|error: String| Failure::new(Code::ConfigInvalid, error, "see dagpool sim miners --help"))?;
    let conduct: Conduct = args
        .conduct
        .parse()
        .map_err(|error: String| Failure::new(Code::ConfigInvalid, error, "see dagpool sim miners --help"))?;
    let swarm = Swarm::start(SwarmConfig {
        address: args.pool.to_string(),
        count: args.count,
        algorithm: args.algorithm,
        also: args.also,
        dialect,
        hashrate: args.hashrate,
        account_prefix: args.account,
        password: args.password,
        conduct,
        raise: args.raise_to.map(|hashrate| (Duration::from_secs(args.raise_after), hashrate)),
        from: args.from,
        shares_limit: (args.shares > 0).then_some(args.shares),
        ramp: Duration::from_secs(1),
        seed: args.seed,
        ..SwarmConfig::default()
    })
    .map_err(|error| {
        Failure::new(Code::ConfigInvalid, format!("virtual miners: {error}"), "change the options")
    })?;
    let deadline = async {
        match args.seconds {
            0 => std::future::pending().await,
            seconds => tokio::time::sleep(Duration::from_secs(seconds)).await,
        }
    };
    tokio::select! {
        () = swarm.finished() => {}
        () = deadline => {}
        result = interrupted() => result?,
    }
    let stats = swarm.stop();
    if args.json {
        println!(
            "{}",
            serde_json::json!({
                "miners": stats.miners, "submitted": stats.submitted, "accepted": stats.accepted,
                "rejected": stats.rejected, "lost": stats.lost, "reconnects": stats.reconnects,
                "hashes": stats.hashes, "finished": stats.finished, "switches": stats.switches,
                "withheld": stats.withheld,
            })
        );
    } else {
        println!(
            "{} miners: {} shares sent, {} accepted, {} refused, {} lost, {} reconnects",
            stats.miners,
            stats.submitted,
            stats.accepted,
            stats.rejected.values().sum::<u64>(),
            stats.lost,
            stats.reconnects
        );
    }
    Ok(ExitCode::SUCCESS)
}

async fn interrupted() -> Result<(), Failure> {
    tokio::signal::ctrl_c().await.map_err(|error| {
        Failure::new(Code::SystemRefused, format!("no signal handler ({error})"), "start again")
    })
}
