//! `dagpool payout`: what a running pool pays out, over its API.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use pool_actors::error::{Code, Failure};
use pool_domain::{currency, units::Amount};
use serde_json::{Value, json};

use crate::Outcome;

#[derive(Debug, Subcommand)]
pub(crate) enum Payout {
    /// Payouts, newest first.
    #[command(after_help = "Example: dagpool payout list --state broadcast --url http://127.0.0.1:8080")]
    List(List),
    /// How the dispatcher fares, what is held, who waits and why.
    #[command(after_help = "Example: dagpool payout status --json")]
    Status(Pool),
    /// What would be paid now. Changes nothing.
    #[command(after_help = "Example: dagpool payout dry-run --token file:/etc/dagpool/token")]
    DryRun(Pool),
    /// Send nothing more that was not sent yet: everything, one payout, or one account.
    #[command(after_help = "Example: dagpool payout hold --account ADDRESS --reason 'address was hacked'")]
    Hold(Hold),
    /// End a hold; for an account, ask the chain again whether it takes its address.
    #[command(after_help = "Example: dagpool payout release --all")]
    Release(Release),
    /// Plan and pay now instead of at the next interval.
    #[command(after_help = "Example: dagpool payout run")]
    Run(Pool),
    /// Give an account its own threshold, or the pool's again.
    #[command(after_help = "Example: dagpool payout threshold ADDRESS 5")]
    Threshold(Threshold),
}

/// Where the pool is, and who asks.
#[derive(Debug, Args)]
pub(crate) struct Pool {
    /// Address of the pool's API.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
    /// Admin token: the text itself, "file:/path" or "env:NAME".
    #[arg(long, env = "DAGPOOL_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    pool: Pool,
    /// Only of this state: reserved, signed, broadcast, confirming, settled or returned.
    #[arg(long)]
    state: Option<String>,
    /// Only those that pay this account.
    #[arg(long)]
    account: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Scope {
    /// Everything.
    #[arg(long)]
    all: bool,
    /// One payout.
    #[arg(long)]
    payout: Option<u64>,
    /// One account.
    #[arg(long)]
    account: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Hold {
    #[command(flatten)]
    pool: Pool,
    #[command(flatten)]
    scope: Scope,
    /// Why; it is shown and kept.
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Args)]
pub(crate) struct Release {
    #[command(flatten)]
    pool: Pool,
    #[command(flatten)]
    scope: Scope,
}

#[derive(Debug, Args)]
pub(crate) struct Threshold {
    #[command(flatten)]
    pool: Pool,
    /// The account's address.
    account: String,
    /// Amount in the chain's currency; without it, the pool's threshold holds again.
    amount: Option<String>,
}

/// Runs a subcommand.
pub(crate) async fn payout(command: Payout) -> Outcome {
    match command {
        Payout::List(args) => list(&args).await?,
        Payout::Status(pool) => status(&pool).await?,
        Payout::DryRun(pool) => dry_run(&pool).await?,
        Payout::Hold(args) => {
            let mut body = args.scope.body();
            body["reason"] = json!(args.reason);
            let done = Client::new(&args.pool)?.post("/api/admin/payouts/hold", &body).await?;
            say(&args.pool, &done, |done| format!("held: {}", text(&done["held"])));
        }
        Payout::Release(args) => {
            let done =
                Client::new(&args.pool)?.post("/api/admin/payouts/release", &args.scope.body()).await?;
            say(&args.pool, &done, |done| format!("released: {}", text(&done["released"])));
        }
        Payout::Run(pool) => {
            let done = Client::new(&pool)?.post("/api/admin/payouts/run", &json!({})).await?;
            say(&pool, &done, |_| "asked for; see dagpool payout list".to_owned());
        }
        Payout::Threshold(args) => threshold(&args).await?,
    }
    Ok(ExitCode::SUCCESS)
}

impl Scope {
    fn body(&self) -> Value {
        match (self.payout, &self.account) {
            (Some(id), _) => json!({ "scope": "payout", "id": id.to_string() }),
            (None, Some(account)) => json!({ "scope": "account", "account": account }),
            (None, None) => json!({ "scope": "all" }),
        }
    }
}

fn say(pool: &Pool, done: &Value, words: impl Fn(&Value) -> String) {
    println!("{}", if pool.json { done.to_string() } else { words(done) });
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

/// The pool's API, with a token.
struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
}

fn failed(what: impl Into<String>, advice: impl Into<String>) -> Failure {
    Failure::new(Code::PoolUnreachable, what, advice)
}

impl Client {
    fn new(pool: &Pool) -> Result<Self, Failure> {
        let token = pool.token.as_deref().ok_or_else(|| {
            let what = "a token is missing";
            Failure::new(Code::ConfigInvalid, what, "give --token, or set DAGPOOL_TOKEN")
        })?;
        let http = reqwest::Client::builder().no_proxy().build();
        Ok(Self {
            http: http.map_err(|error| failed(format!("HTTP client: {error}"), "start again"))?,
            url: pool.url.trim_end_matches('/').to_owned(),
            token: pool_actors::config::Secret::new(token).reveal()?,
        })
    }

    async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.answer(self.http.get(format!("{}{path}", self.url))).await
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.answer(self.http.post(format!("{}{path}", self.url)).json(body)).await
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Result<Value, Failure> {
        let advice = "see --url, and whether the pool runs";
        let unreachable = |error: reqwest::Error| failed(format!("{}: {error}", self.url), advice);
        let response = request.bearer_auth(&self.token).send().await.map_err(unreachable)?;
        let status = response.status();
        let body: Value = response.json().await.map_err(unreachable)?;
        if status.is_success() {
            return Ok(body);
        }
        let error = &body["error"];
        let action = text(&error["suggested_actions"][0]["action"]).to_owned();
        Err(Failure::new(
            Code::PoolRefused,
            format!("{} answers {}: {}", self.url, text(&error["code"]), text(&error["message"])),
            action,
        ))
    }

    /// Writes smallest units as people do.
    async fn currency(&self) -> Result<Currency, Failure> {
        let stats = self.get("/api/stats").await?;
        let currency = &stats["pool"]["currency"];
        let decimals = currency["decimals"].as_u64().and_then(|decimals| u8::try_from(decimals).ok());
        Ok(Currency { symbol: text(&currency["symbol"]).to_owned(), decimals: decimals.unwrap_or(0) })
    }
}

struct Currency {
    symbol: String,
    decimals: u8,
}

impl Currency {
    fn write(&self, value: &Value) -> String {
        let amount = value.as_str().and_then(|text| text.parse::<Amount>().ok());
        amount.map_or_else(
            || "-".to_owned(),
            |amount| format!("{} {}", currency::format_amount(amount, self.decimals), self.symbol),
        )
    }
}

async fn list(args: &List) -> Result<(), Failure> {
    let client = Client::new(&args.pool)?;
    let mut path = format!("/api/payouts?limit={}", args.limit);
    for (name, value) in [("state", &args.state), ("account", &args.account)] {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", encoded(value)));
        }
    }
    let found = client.get(&path).await?;
    if args.pool.json {
        println!("{found}");
        return Ok(());
    }
    let currency = client.currency().await?;
    for item in found["items"].as_array().into_iter().flatten() {
        println!(
            "{:>6}  {:10}  {:>24}  {:>4} recipients  {}  {}",
            text(&item["id"]),
            text(&item["state"]),
            currency.write(&item["amount"]),
            item["recipients"].as_array().map_or(0, Vec::len),
            text(&item["created_at"]),
            item["held"].as_str().or(item["reason"].as_str()).unwrap_or_else(|| text(&item["txid"])),
        );
    }
    Ok(())
}

/// Percent-encodes what is not safe in a query.
fn encoded(value: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    value
        .bytes()
        .map(|byte| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

async fn status(pool: &Pool) -> Result<(), Failure> {
    let client = Client::new(pool)?;
    let found = client.get("/api/admin/payouts").await?;
    if pool.json {
        println!("{found}");
        return Ok(());
    }
    let currency = client.currency().await?;
    println!("enabled      {}", found["enabled"]);
    println!("dispatching  {}", found["dispatching"]);
    println!("held         {}", text(&found["held"]));
    for line in stuck(&found) {
        println!("{line}");
    }
    println!("open         {}", found["open"]);
    println!("planned at   {}", text(&found["planned_at"]));
    for line in found["waiting"].as_array().into_iter().flatten() {
        println!(
            "waits        {} {}: {}",
            text(&line["account"]),
            currency.write(&line["amount"]),
            text(&line["reason"])
        );
    }
    for line in found["terms"].as_array().into_iter().flatten() {
        println!(
            "account      {}: threshold {}, held {}, set aside {}",
            text(&line["account"]),
            currency.write(&line["threshold"]),
            text(&line["held"]),
            text(&line["set_aside"])
        );
    }
    Ok(())
}

/// Who pays instead, what is stuck, and what is in its way: a line each.
fn stuck(found: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(words) = found["standing_by"].as_str() {
        lines.push(format!("stands by    {words}"));
    }
    let of_all = [("round", "all payouts"), ("plan", "the plan that is due")];
    let mut what: Vec<String> = of_all
        .into_iter()
        .filter(|(name, _)| found["stuck"][*name] == true)
        .map(|(_, words)| words.to_owned())
        .collect();
    let payouts = found["stuck"]["payouts"].as_array().into_iter().flatten();
    what.extend(payouts.map(|id| format!("payout {}", text(id))));
    lines.push(format!("stuck        {}", if what.is_empty() { "-".to_owned() } else { what.join(", ") }));
    for one in found["troubles"].as_array().into_iter().flatten() {
        let whose = one["payout"].as_str().map_or_else(String::new, |id| format!("payout {id}: "));
        lines.push(format!("trouble      {whose}{}", text(&one["what"])));
    }
    lines
}

async fn dry_run(pool: &Pool) -> Result<(), Failure> {
    let client = Client::new(pool)?;
    let found = client.get("/api/admin/payouts/dry-run").await?;
    if pool.json {
        println!("{found}");
        return Ok(());
    }
    let currency = client.currency().await?;
    if let Some(reason) = found["held"].as_str() {
        println!("payouts are held ({reason}): nothing would be paid. Without the hold:");
    }
    for (number, payout) in (1..).zip(found["payouts"].as_array().into_iter().flatten()) {
        for line in payout["recipients"].as_array().into_iter().flatten() {
            println!("payout {number}  {:>24}  {}", currency.write(&line["amount"]), text(&line["account"]));
        }
    }
    for list in ["skipped", "refused"] {
        for line in found[list].as_array().into_iter().flatten() {
            println!(
                "{list}  {:>24}  {}: {}",
                currency.write(&line["amount"]),
                text(&line["account"]),
                text(&line["reason"])
            );
        }
    }
    println!("total    {}", currency.write(&found["amount"]));
    Ok(())
}

async fn threshold(args: &Threshold) -> Result<(), Failure> {
    let client = Client::new(&args.pool)?;
    let decimals = client.currency().await?.decimals;
    let amount = args.amount.as_deref().map(|text| currency::parse(text, decimals)).transpose();
    let amount =
        amount.map_err(|error| Failure::new(Code::ConfigInvalid, error.to_string(), "write it as 0.01"))?;
    let body = json!({ "account": args.account, "threshold": amount });
    let done = client.post("/api/admin/payouts/threshold", &body).await?;
    say(&args.pool, &done, |done| format!("{}: threshold set", text(&done["account"])));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_says_what_is_stuck_and_why() {
        let calm = json!({ "stuck": { "round": false, "plan": false, "payouts": [] }, "troubles": [] });
        assert_eq!(stuck(&calm), ["stuck        -"]);
        let found = json!({
            "standing_by": null,
            "stuck": { "round": false, "plan": true, "payouts": ["7"] },
            "troubles": [{ "payout": null, "what": "away" }, { "payout": "7", "what": "no" }],
        });
        let lines =
            ["stuck        the plan that is due, payout 7", "trouble      away", "trouble      payout 7: no"];
        assert_eq!(stuck(&found), lines);
        let other = json!({ "standing_by": "another pays", "stuck": null, "troubles": [] });
        assert_eq!(stuck(&other), ["stands by    another pays", "stuck        -"]);
    }
}
