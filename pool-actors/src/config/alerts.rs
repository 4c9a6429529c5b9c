//! `[alerts]`: what is watched, who is told, and how.

use std::{collections::BTreeMap, path::PathBuf};

use pool_domain::severity::Severity;

use super::{Secret, section::section};

section! {
    /// Alerts. The rules for what goes wrong in a pool are there without any of this (/api/alerts/rules lists them); nobody is
    /// told of them outside the dashboard until there is a channel.
    Alerts {
        /// Pause between two looks at the figures, seconds.
        every_s: u64 = 5,
        /// Whoever was told is reminded after so many seconds, until somebody takes care of the alert. 0 = never.
        repeat_s: u64 = 14_400,
        /// Unusual mining.
        detector: Detector = Detector::default(),
        /// What miners are told of their own addresses.
        personal: Personal = Personal::default(),
        /// Rules of your own, and changes to those that there are.
        rule: Vec<AlertRule> = Vec::new(),
        /// Ways to tell people.
        channel: Vec<AlertChannel> = Vec::new(),
        /// Who is told of what after how long. None = everybody of everything at once.
        escalation: Vec<Escalation> = Vec::new(),
    }
}

section! {
    /// Looks for unusual mining: suspicions are alerts of severity "warning" (UNUSUAL_MINING), and nothing is done about anybody by
    /// itself. docs/alerts.md says what is tested how.
    Detector {
        /// Look at all?
        enabled: bool = true,
        /// Candidates against work: rounds of a million in which an honest account is suspected, of withholding blocks or of
        /// more luck than there is.
        false_alarms_per_million: u32 = 10,
        /// Rounds of a thousand in which one that withholds half of its blocks is not.
        missed_per_thousand: u32 = 10,
        /// Chi-square of the lowest four bits of nonces (15 degrees of freedom) above which they are not chance's; 0 = not
        /// looked at. 57 is one false alarm in a million.
        nonce_chi_square_max: u32 = 57,
        /// Length of the windows in which shares are counted for bursts and jumps, milliseconds, 100 to 60,000. A rate is known
        /// after 180 of them, bursts are looked for in 60. Shorter ones are for trying it out: at a second and less a
        /// machine that stalls looks like bursts.
        window_ms: u64 = 10_000,
        /// Variance of shares in such a window beyond that of chance, tenths of the mean squared, from which they come in bursts;
        /// 0 = not looked at.
        burst_tenths_max: u32 = 30,
        /// A hash rate that is so many times that of the hour before; 0 = not looked at.
        jump_times: u32 = 10,
        /// A jump is told when it makes at least so much of the pool's hash rate, percent.
        jump_percent_min: u32 = 10,
        /// Accounts from one address in an hour; 0 = not looked at. Farms and proxies have many.
        accounts_per_address_max: usize = 100,
        /// Addresses of one account in an hour; 0 = not looked at.
        addresses_per_account_max: usize = 1_000,
        /// Accounts that are watched at once; past it the quietest are forgotten. Each takes some 500 bytes.
        accounts_max: usize = 20_000,
    }
}

section! {
    /// What miners are told of their own addresses: a worker that is offline, a hash rate that falls, a payout that was sent, a
    /// block. By mail to a confirmed address, by webhook, Discord and Telegram (who has claimed the address, on the page
    /// ACCOUNT), and on the miner itself (mining.configure_notifications). docs/alerts.md.
    Personal {
        /// Offer it?
        enabled: bool = true,
        /// Pause between two looks at the figures, seconds.
        every_s: u64 = 30,
        /// Messages about an account in an hour, those of blocks apart; further ones are dropped.
        per_hour_max: usize = 12,
        /// Token of the pool's Telegram bot: the text itself, "file:/path" or "env:NAME". Without one there is no Telegram.
        telegram_token: Option<Secret> = None,
        /// Where Telegram's API is, if not where it usually is.
        telegram_url: String = String::new(),
        /// Webhooks may begin with http://.
        allow_http: bool = false,
        /// Webhooks may lead into the pool's own network: for a pool among friends. Never where strangers may register, who could
        /// make the pool talk to machines that only it can reach.
        allow_private: bool = false,
        /// Bound on one try, milliseconds.
        timeout_ms: u64 = 10_000,
    }
}

/// A threshold. Compared by its bits, so that a configuration can be compared.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Threshold(pub f64);

impl PartialEq for Threshold {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Eq for Threshold {}

/// A rule, or what is to be different about one of the rules that there are.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlertRule {
    /// Its name: of a rule that there is, or a new one.
    pub name: String,
    /// false switches a rule off.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// How bad: "warning", "error" or "critical".
    pub severity: Option<Severity>,
    /// Metric, as `/metrics` shows it.
    pub metric: Option<String>,
    /// Only series with these labels; a value behind `!` is one that they don't have.
    pub labels: BTreeMap<String, String>,
    /// A label whose values are looked at one by one.
    pub by: Option<String>,
    /// What of it: "value", "rate" (a second), "mean" (of a histogram), "part" (of those with the labels in all), "fall" or
    /// "rise" (against what it was).
    pub of: Option<Of>,
    /// Over how many seconds.
    pub over_s: Option<u64>,
    /// Below so much nothing is said.
    pub at_least: Option<u64>,
    /// Trouble is above this,
    pub above: Option<Threshold>,
    /// or below this.
    pub below: Option<Threshold>,
    /// For so many seconds.
    pub for_s: Option<u64>,
    /// What is said; {value} and {subject} are filled in.
    pub message: Option<String>,
    /// Rules whose alerts explain this one's.
    pub inhibited_by: Option<Vec<String>>,
}

const fn yes() -> bool {
    true
}

/// What of a metric is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Of {
    /// The sum of its series now.
    #[default]
    Value,
    /// How fast it grows, per second.
    Rate,
    /// A histogram's mean over the time.
    Mean,
    /// How much of the growth of all its series is that of those with the labels, 0 to 1.
    Part,
    /// By how much it is lower than it was, 0 to 1.
    Fall,
    /// How many times what it was it is.
    Rise,
}

/// What kind of channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelKind {
    /// JSON to any address, signed.
    #[default]
    Webhook,
    /// A Slack "incoming webhook".
    Slack,
    /// A Discord webhook.
    Discord,
    /// A Telegram bot.
    Telegram,
    /// PagerDuty, Events API v2.
    PagerDuty,
    /// Text messages by an API shaped like Twilio's.
    Sms,
    /// Mail.
    Email,
}

/// A way to tell people.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlertChannel {
    /// Its name.
    pub name: String,
    /// "webhook", "slack", "discord", "telegram", "pagerduty", "sms" or "email".
    pub kind: ChannelKind,
    /// Where to: the webhook's address; for telegram, pagerduty and sms only if it is not the usual one; for email
    /// "smtp://host:port", "smtps://user:password@host" or "outbox:FOLDER". The text itself, "file:/path" or "env:NAME".
    pub url: Option<Secret>,
    /// webhook: what it is signed with; telegram: the bot's token; pagerduty: the integration's key; sms: the auth token.
    /// The text itself, "file:/path" or "env:NAME".
    pub secret: Option<Secret>,
    /// sms: the account's SID.
    pub user: String,
    /// email, sms: who sends.
    pub from: String,
    /// email, sms: whom it goes to; telegram: the chats.
    pub to: Vec<String>,
    /// Notices in any hour, to each recipient of sms and telegram; what comes beyond goes as one when the hour is over.
    /// 0 = no limit.
    pub per_hour_max: usize,
    /// Bound on one try, milliseconds.
    pub timeout_ms: u64,
    /// Who signs the receiver's certificate (a file, PEM). Empty = whom the system trusts.
    pub ca_file: PathBuf,
}

impl AlertChannel {
    /// The channel once for each recipient that is sent a message of its own: one who can't be reached keeps nobody else from
    /// being told, and nobody is told twice because of them.
    #[must_use]
    pub fn by_recipient(&self) -> Vec<Self> {
        let has_own = matches!(self.kind, ChannelKind::Sms | ChannelKind::Telegram) && !self.to.is_empty();
        if !has_own {
            return vec![self.clone()];
        }
        self.to.iter().map(|to| Self { to: vec![to.clone()], ..self.clone() }).collect()
    }
}

impl Default for AlertChannel {
    fn default() -> Self {
        Self {
            name: String::new(),
            kind: ChannelKind::default(),
            url: None,
            secret: None,
            user: String::new(),
            from: String::new(),
            to: Vec::new(),
            per_hour_max: 60,
            timeout_ms: 10_000,
            ca_file: PathBuf::new(),
        }
    }
}

/// Who is told of what after how long.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Escalation {
    /// Alerts of this severity, or worse.
    pub severity: Severity,
    /// That fire for so many seconds; beyond 0 only those that nobody has taken care of.
    pub after_s: u64,
    /// Go to these channels.
    pub channels: Vec<String>,
}

/// For the example: lists of tables can't be shown by their defaults, which are empty.
pub(super) const TABLES_OF_ALERTS: &str = r#"
## A rule of your own, or a change to one that there is (`dagpool check` says how many there are, /api/alerts/rules lists
## them). severity: "warning", "error", "critical". of: "value", "rate" (a second), "mean" (of a histogram), "part" (of the
## series with `labels` in all), "fall" or "rise" (against what it was). `above` or `below` is where trouble begins,
## `for_s` how long it must last; below `at_least` nothing is said; `by` names a label whose values are watched one by one;
## alerts of `inhibited_by` explain this one's; enabled = false switches a rule off.
# [[alerts.rule]]
# name = "kernel_rejects"
# metric = "dagpool_shares_total"
# labels = { result = "rejected", algorithm = "kheavyhash" }
# of = "part"
# over_s = 300
# at_least = 1000
# above = 0.02
# for_s = 60
# severity = "warning"
# message = "part {value} of the shares is rejected"
#
# [[alerts.rule]]
# name = "node_not_ready"
# for_s = 60

## A way to tell people. kind: "webhook" (JSON, signed as Standard Webhooks says if there is a `secret`), "slack",
## "discord", "telegram" (secret = the bot's token, to = chats), "pagerduty" (secret = the integration's key), "sms" (as
## Twilio's API: user = SID, secret, from, to; url for a gateway of the same shape), "email" (url = "smtp://host:port",
## "smtps://user:password@host" or "outbox:FOLDER"; from, to). url and secret may be "env:NAME" or "file:/path".
# [[alerts.channel]]
# name = "chat"
# kind = "slack"
# url = "env:SLACK_URL"
# per_hour_max = 60
# timeout_ms = 10000
#
# [[alerts.channel]]
# name = "mail"
# kind = "email"
# url = "smtp://127.0.0.1:25"
# from = "Pool <pool@example.org>"
# to = ["ops@example.org"]
#
# [[alerts.channel]]
# name = "pager"
# kind = "pagerduty"
# secret = "file:/etc/dagpool/pagerduty"
#
# [[alerts.channel]]
# name = "own"
# kind = "webhook"
# url = "https://ops.example.org/alerts"
# secret = "env:HOOK_SECRET"
# ca_file = ""

## Who is told of what (alerts of `severity` or worse) after how long; after more than 0 only of what nobody has taken care
## of. Without any, everybody is told of everything at once.
# [[alerts.escalation]]
# severity = "warning"
# channels = ["chat", "mail", "own"]
#
# [[alerts.escalation]]
# severity = "critical"
# after_s = 600
# channels = ["pager"]
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_recipient_of_messages_has_a_channel_of_its_own() {
        let to = |kind| AlertChannel { kind, to: vec!["a".into(), "b".into()], ..AlertChannel::default() };
        for kind in [ChannelKind::Sms, ChannelKind::Telegram] {
            let of: Vec<_> = to(kind).by_recipient().into_iter().map(|one| one.to).collect();
            assert_eq!(of, [["a"], ["b"]]);
        }
        assert_eq!(to(ChannelKind::Email).by_recipient(), [to(ChannelKind::Email)], "one letter to all");
        let nobody = AlertChannel { kind: ChannelKind::Sms, ..AlertChannel::default() };
        assert_eq!(nobody.by_recipient().len(), 1, "it is refused where it is made");
    }
}
