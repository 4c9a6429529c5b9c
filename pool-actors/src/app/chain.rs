//! What a chain profile brings: its node adapter, addresses, currency.

use std::{net::IpAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use pool_domain::{
    ids::{Account, SessionId, WorkerName},
    kaspa_address::{KaspaAddress, KaspaNetwork},
};

use crate::{
    adapters::{
        node_bip22::{Bip22Config, Bip22Node, Bip22Wallet, RpcEndpoint, SIMULATED, shared_wallet},
        node_kaspa::{self, KaspaConfig, KaspaNode},
        signer_socket::SocketSigner,
    },
    api::{Currency, SessionDesk, SignedBy},
    config::{self, Config, Profile},
    error::{Code, Failure},
    messages::session::{CommandSessions, SessionCommand, SessionView},
    ports::{
        clock::SharedClock,
        node::SharedNode,
        wallet::{SharedSigner, SharedWallet},
    },
    stratum::{self, settings::AccountCheck},
};

/// The currency of a profile.
#[must_use]
pub(super) fn currency(profile: Profile) -> Currency {
    match profile {
        Profile::Simulated => Currency { symbol: "SIM", decimals: profile.decimals() },
        Profile::Kaspa => Currency { symbol: "KAS", decimals: profile.decimals() },
    }
}

/// Whether an account's key signed a text, by the chain's rules.
pub(super) fn signed(profile: Profile) -> SignedBy {
    match profile {
        Profile::Simulated => Arc::new(|_, _, _| None),
        Profile::Kaspa => {
            Arc::new(|account, text, signature| node_kaspa::signed(account.as_str(), text, signature))
        }
    }
}

/// Reads `account.worker` by the chain's rules.
#[must_use]
pub fn account_check(chain: &config::Chain) -> AccountCheck {
    match chain.profile {
        Profile::Simulated => Arc::new(plain_account),
        Profile::Kaspa => {
            // The configured network, or that of the pool's own address.
            let network = KaspaNetwork::of_network_id(&chain.network)
                .or_else(|| KaspaAddress::parse(&chain.payout_address).ok().map(|address| address.network));
            Arc::new(move |user| kaspa_account(user, network))
        }
    }
}

/// Accounts of the simulated chain are plain names.
fn plain_account(user: &str) -> Result<(Account, WorkerName), String> {
    let (account, worker) = user.split_once('.').unwrap_or((user, ""));
    let account = Account::new(account).map_err(|error| format!("account {account:?}: {error}"))?;
    Ok((account, worker_name(worker)?))
}

/// Accounts of Kaspa are addresses of the pool's network.
fn kaspa_account(user: &str, network: Option<KaspaNetwork>) -> Result<(Account, WorkerName), String> {
    let (text, worker) = user.split_once('.').unwrap_or((user, ""));
    let address = match network {
        Some(network) => KaspaAddress::parse_for(text, network),
        None => KaspaAddress::parse(text),
    };
    let address = address.map_err(|error| format!("address {text:?}: {error}"))?;
    let account = Account::new(&address.to_string()).map_err(|error| format!("address {text:?}: {error}"))?;
    Ok((account, worker_name(worker)?))
}

fn worker_name(worker: &str) -> Result<WorkerName, String> {
    WorkerName::new(worker).map_err(|error| format!("worker {worker:?}: {error}"))
}

/// The node adapter of the profile; connects to nothing yet.
pub(super) fn node(config: &Config, clock: &SharedClock) -> Result<SharedNode, Failure> {
    let chain = &config.chain;
    let network = Some(chain.network.clone()).filter(|network| !network.is_empty());
    let call_timeout = Duration::from_millis(chain.rpc_timeout_ms);
    let unusable = |what| Failure::new(Code::NodeUnusable, what, "check [chain]");
    match chain.profile {
        Profile::Simulated => {
            let node = Bip22Node::new(simulated(config)?, Arc::clone(clock));
            Ok(Arc::new(node.map_err(unusable)?))
        }
        Profile::Kaspa => {
            let node = KaspaNode::new(
                KaspaConfig {
                    endpoints: chain.nodes.clone(),
                    payout_address: chain.payout_address.clone(),
                    coinbase_tag: config.pool.name.clone(),
                    network,
                    allow_unsynced: chain.allow_unsynced,
                    maturity: if chain.maturity > 0 { chain.maturity } else { node_kaspa::MATURITY },
                    call_timeout,
                },
                Arc::clone(clock),
            );
            Ok(Arc::new(node.map_err(unusable)?))
        }
    }
}

fn simulated(config: &Config) -> Result<Bip22Config, Failure> {
    let chain = &config.chain;
    Ok(Bip22Config {
        profile: &SIMULATED,
        endpoints: endpoints(chain)?,
        payout_address: chain.payout_address.clone(),
        coinbase_tag: config.pool.name.clone(),
        network: Some(chain.network.clone()).filter(|network| !network.is_empty()),
        maturity: Some(chain.maturity).filter(|maturity| *maturity > 0),
        call_timeout: Duration::from_millis(chain.rpc_timeout_ms),
    })
}

fn unusable(what: String) -> Failure {
    Failure::new(Code::NodeUnusable, what, "check [chain] and [payout]")
}

fn simulated_wallet(config: &Config) -> Result<(SharedWallet, SharedSigner), Failure> {
    Ok(shared_wallet(Bip22Wallet::new(&simulated(config)?).map_err(unusable)?))
}

/// The chain's wallet for audits, whether payouts are on or not; `None` where no payment can have been made.
pub(super) fn reading_wallet(config: &Config) -> Result<Option<SharedWallet>, Failure> {
    match config.chain.profile {
        Profile::Simulated => Ok(Some(simulated_wallet(config)?.0)),
        Profile::Kaspa => Ok(None),
    }
}

/// The chain's wallet and who signs for it, if payouts are on.
pub(super) fn wallet(config: &Config) -> Result<Option<(SharedWallet, SharedSigner)>, Failure> {
    if !config.payout.enabled {
        return Ok(None);
    }
    let (wallet, own) = match config.chain.profile {
        Profile::Simulated => simulated_wallet(config)?,
        Profile::Kaspa => return Err(unusable("no wallet is known for this chain.profile".to_owned())),
    };
    if config.payout.signer.as_os_str().is_empty() {
        return Ok(Some((wallet, own)));
    }
    let timeout = Duration::from_millis(config.payout.signer_timeout_ms);
    Ok(Some((wallet, Arc::new(SocketSigner::new(config.payout.signer.clone(), timeout)))))
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

    async fn close(&self, session: SessionId) -> bool {
        let order = CommandSessions { session: Some(session), command: SessionCommand::Close };
        self.0.command(order).await > 0
    }

    async fn close_from(&self, address: IpAddr) -> usize {
        self.0.close_from(address).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_of_kaspa_are_checked_addresses_of_the_pools_network() {
        let ours = "kaspasim:qpumuen7l8wthtz45p3ftn58pvrs9xlumvkuu2xet8egzkcklqtes65ue9mw6";
        let foreign = "kaspa:qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqkx9awp4e";
        let chain = config::Chain {
            profile: Profile::Kaspa,
            payout_address: ours.to_owned(),
            ..config::Chain::default()
        };
        let check = account_check(&chain);
        let (account, worker) = check(&format!("{ours}.rig-1")).unwrap();
        assert_eq!((account.as_str(), worker.as_str()), (ours, "rig-1"));
        assert!(check(foreign).unwrap_err().contains("another network"));
        assert!(check("alice.rig").is_err());
        assert!(check(&ours[..ours.len() - 1]).unwrap_err().contains("checksum"));
        let plain = account_check(&config::Chain::default());
        assert_eq!(plain("alice.rig").unwrap().0.as_str(), "alice");
    }
}
