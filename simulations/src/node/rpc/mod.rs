//! JSON-RPC methods, apart from their transport.

mod blocks;
mod payments;
mod template;
mod wallet;

use serde_json::{Value, json};

use super::block::Id;
use super::core::Core;
use super::errors::Refusal;

/// An error as JSON-RPC carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpcError {
    /// -32000 for everything that the application refuses.
    pub code: i64,
    /// One sentence.
    pub message: String,
}

impl RpcError {
    /// An application error.
    pub fn application(message: impl Into<String>) -> Self {
        Self { code: -32_000, message: message.into() }
    }

    /// A wrong parameter.
    pub fn params(message: impl Into<String>) -> Self {
        Self { code: -32_602, message: message.into() }
    }
}

impl From<Refusal> for RpcError {
    fn from(refusal: Refusal) -> Self {
        Self::application(refusal.to_string())
    }
}

/// Positional parameters.
pub struct Params<'a>(pub &'a [Value]);

impl Params<'_> {
    fn get(&self, index: usize) -> Option<&Value> {
        self.0.get(index).filter(|value| !value.is_null())
    }

    fn text(&self, index: usize, what: &str) -> Result<&str, RpcError> {
        self.optional_text(index, what)?
            .ok_or_else(|| RpcError::params(format!("parameter {index}, {what}, is missing")))
    }

    fn optional_text(&self, index: usize, what: &str) -> Result<Option<&str>, RpcError> {
        let Some(value) = self.get(index) else { return Ok(None) };
        let wrong = || RpcError::params(format!("parameter {index}, {what}, must be a string"));
        value.as_str().map(Some).ok_or_else(wrong)
    }

    fn number(&self, index: usize, what: &str) -> Result<Option<u64>, RpcError> {
        let Some(value) = self.get(index) else { return Ok(None) };
        let wrong = || RpcError::params(format!("parameter {index}, {what}, must be a whole number"));
        value.as_u64().map(Some).ok_or_else(wrong)
    }

    fn id(&self, index: usize) -> Result<Id, RpcError> {
        let text = self.text(index, "hash")?;
        text.parse().map_err(|_| RpcError::params(format!("parameter {index}, hash, must be 64 hex digits")))
    }

    fn pow_type(&self, index: usize, core: &Core) -> Result<u8, RpcError> {
        let default = core.chain.config().algorithms[0].algorithm.pow_type;
        let number = self.number(index, "powType")?.unwrap_or(u64::from(default));
        u8::try_from(number)
            .map_err(|_| RpcError::params(format!("parameter {index}, powType, must be 0 to 255")))
    }
}

/// Answers a method of `POST /`.
///
/// # Errors
/// What goes into the `error` of the answer.
pub fn call(core: &mut Core, method: &str, params: &[Value], now_ms: u64) -> Result<Value, RpcError> {
    let params = &Params(params);
    match method {
        "getBlockTemplate" => template::get(core, params, now_ms),
        "submitBlock" => template::submit(core, params, now_ms),
        "getPowTypes" => Ok(template::pow_types(core)),
        "getDifficulty" => template::difficulty(core, params),
        "getTemplateHealth" => Ok(template::health(core)),
        "getBlock" => blocks::get(core, params),
        "getBlocksFrom" => blocks::from_order(core, params),
        "isBlue" => blocks::is_blue(core, params),
        "isOnMainChain" => blocks::is_on_main_chain(core, params),
        "getBlockRewardInfo" => blocks::reward_info(core, params),
        "getBlockCount" => Ok(json!(core.chain.selected().order().len())),
        "getBlockTotal" => Ok(json!(core.chain.dag().len())),
        "getMainChainHeight" => Ok(json!(core.chain.main_tip().height.to_string())),
        "tips" => Ok(blocks::tips(core)),
        "getNodeInfo" => Ok(blocks::node_info(core)),
        "getNewAddress" => wallet::new_address(core, params),
        "validateAddress" => wallet::validate_address(core, params),
        "getBalance" => wallet::balance(core, params),
        "listUnspent" => wallet::list_unspent(core, params),
        "sendToAddress" => wallet::send_to_address(core, params),
        "sendMany" => wallet::send_many(core, params),
        "sendRawTransaction" => wallet::send_raw(core, params),
        "resolveAddress" => payments::resolve_address(core, params),
        "createTransaction" => payments::create(core, params),
        "signTransaction" => payments::sign(core, params),
        "getTransactionStatus" => payments::status(core, params),
        "listTransactions" => payments::list(core, params),
        "getTransaction" => wallet::transaction(core, params),
        "getMempool" => Ok(wallet::mempool(core)),
        "getMempoolInfo" => Ok(wallet::mempool_info(core)),
        _ => Err(RpcError { code: -32_601, message: format!("there is no method {method}") }),
    }
}

/// Answers a method of `POST /admin`.
///
/// # Errors
/// What goes into the `error` of the answer.
pub fn call_admin(core: &mut Core, method: &str, params: &[Value], now_ms: u64) -> Result<Value, RpcError> {
    let params = &Params(params);
    match method {
        "setFaults" => {
            let changes = params.get(0).ok_or_else(|| RpcError::params("parameter 0, faults, is missing"))?;
            core.faults.merge(changes).map_err(RpcError::params)?;
            Ok(json!(core.faults))
        }
        "getFaults" => Ok(json!(core.faults)),
        "clearFaults" => {
            core.faults = super::faults::Faults::default();
            Ok(json!(core.faults))
        }
        "setTimeOffset" => {
            let offset = params.get(0).and_then(Value::as_i64);
            core.time_offset =
                offset.ok_or_else(|| RpcError::params("parameter 0, seconds, must be a whole number"))?;
            Ok(json!(core.time_offset))
        }
        "mineBlocks" => template::mine_blocks(core, params, now_ms),
        _ => Err(RpcError { code: -32_601, message: format!("there is no admin method {method}") }),
    }
}
