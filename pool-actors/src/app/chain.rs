//! What a chain profile brings: its node adapter, addresses, currency.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use pool_domain::ids::{Account, WorkerName};

use crate::{
    adapters::node_bip22::{Bip22Config, Bip22Node, RpcEndpoint, SIMULATED},
    api::{Currency, SessionDesk},
    config::{self, Config, Profile},
    error::{Code, Failure},
    messages::session::{CommandSessions, SessionCommand, SessionView},
    ports::{clock::SharedClock, node::SharedNode},
    stratum::{self, settings::AccountCheck},
};

/// The currency of a profile.
#[must_use]
pub(super) fn currency(profile: Profile) -> Currency {
    match profile {
        Profile::Simulated => Currency { symbol: "SIM", decimals: 8 },
        Profile::Kaspa => Currency { symbol: "KAS", decimals: 8 },
    }
}

/// Reads `account.worker` by the chain's rules.
#[must_use]
pub fn account_check(profile: Profile) -> AccountCheck {
    match profile {
        Profile::Simulated => Arc::new(plain_account),
        Profile::Kaspa => Arc::new(plain_account),
    }
}

/// Accounts of the simulated chain are plain names.
fn plain_account(user: &str) -> Result<(Account, WorkerName), String> {
    let (account, worker) = user.split_once('.').unwrap_or((user, ""));
    let account = Account::new(account).map_err(|error| format!("account {account:?}: {error}"))?;
    let worker = WorkerName::new(worker).map_err(|error| format!("worker {worker:?}: {error}"))?;
    Ok((account, worker))
}

/// The node adapter of the profile; connects to nothing yet.
pub(super) fn node(config: &Config, clock: &SharedClock) -> Result<SharedNode, Failure> {
    let chain = &config.chain;
    match chain.profile {
        Profile::Simulated => {
            let node = Bip22Node::new(
                Bip22Config {
                    profile: &SIMULATED,
                    endpoints: endpoints(chain)?,
                    payout_address: chain.payout_address.clone(),
                    coinbase_tag: config.pool.name.clone(),
                    network: Some(chain.network.clone()).filter(|network| !network.is_empty()),
                    maturity: Some(chain.maturity).filter(|maturity| *maturity > 0),
                    call_timeout: Duration::from_millis(chain.rpc_timeout_ms),
                },
                Arc::clone(clock),
            );
            Ok(Arc::new(node.map_err(|what| Failure::new(Code::NodeUnusable, what, "check chain.nodes"))?))
        }
        Profile::Kaspa => Err(Failure::new(Code::NodeUnusable, "kaspa", "kaspa")),
    }
}

fn endpoints(chain: &config::Chain) -> Result<Vec<RpcEndpoint>, Failure> {
    let basic_auth = match (&chain.rpc_user, &chain.rpc_password) {
        (Some(user), Some(password)) => Some((user.clone(), password.reveal()?)),
        _ => None,
    };
    let endpoint = |url: &String| RpcEndpoint { url: url.clone(), basic_auth: basic_auth.clone() };
    Ok(chain.nodes.iter().map(endpoint).collect())
}

/// The connected miners, for the API.
pub(super) struct Sessions(pub(super) stratum::server::Sessions);

#[async_trait]
impl SessionDesk for Sessions {
    async fn list(&self) -> Vec<SessionView> {
        self.0.list().await
    }

    async fn command_all(&self, command: SessionCommand) -> usize {
        self.0.command(CommandSessions { session: None, command }).await
    }
}
