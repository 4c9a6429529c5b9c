//! The rules that are there from the start.

use pool_domain::{catalogue::Code, severity::Severity};

use super::{Bound, Rule};
use crate::{alerts::readings::Query, config::Of};

/// A rule that is there from the start.
pub(super) struct Default {
    name: &'static str,
    severity: Severity,
    metric: &'static str,
    labels: &'static [(&'static str, &'static str)],
    of: Of,
    over_s: u64,
    at_least: u64,
    bound: Bound,
    for_s: u64,
    message: &'static str,
    inhibited_by: &'static [&'static str],
    code: Option<Code>,
}

pub(super) const fn watches(
    name: &'static str,
    severity: Severity,
    metric: &'static str,
    bound: Bound,
) -> Default {
    Default {
        name,
        severity,
        metric,
        labels: &[],
        of: Of::Value,
        over_s: 0,
        at_least: 0,
        bound,
        for_s: 30,
        message: "",
        inhibited_by: &[],
        code: None,
    }
}

/// The critical and warning classes of what goes wrong in a pool. What has no figure comes as an error event.
pub(super) const DEFAULTS: &[Default] = &[
    Default {
        for_s: 10,
        message: "no node can be mined on: miners are without work",
        code: Some(Code::NodeUnusable),
        ..watches("node_not_ready", Severity::Critical, "dagpool_node_ready", Bound::Below(1.0))
    },
    Default {
        for_s: 10,
        message: "the template that miners work on is {value} s old: the node gives no newer one",
        inhibited_by: &["node_not_ready"],
        ..watches("template_old", Severity::Critical, "dagpool_template_age_seconds", Bound::Above(180.0))
    },
    Default {
        for_s: 10,
        message: "the database does not answer: balances, blocks and payouts stand still, shares are kept in the journal",
        code: Some(Code::StoreUnavailable),
        ..watches("database_away", Severity::Critical, "dagpool_db_up", Bound::Below(1.0))
    },
    Default {
        for_s: 0,
        message: "the books do not balance, or an audit found something: payouts should be held until it is understood",
        ..watches("ledger_imbalance", Severity::Critical, "dagpool_ledger_imbalance", Bound::Above(0.0))
    },
    Default {
        for_s: 0,
        message: "the books do not balance: payouts should be held until it is understood",
        ..watches("ledger_deficit", Severity::Critical, "dagpool_ledger_imbalance", Bound::Below(0.0))
    },
    Default {
        for_s: 120,
        message: "payouts do not go on: the wallet or the node is in the way; what is owed stays in the books",
        inhibited_by: &["database_away", "node_not_ready"],
        code: Some(Code::PayoutsUnavailable),
        ..watches("payouts_in_trouble", Severity::Critical, "dagpool_payouts_in_trouble", Bound::Above(0.0))
    },
    Default {
        message: "{value} shares wait in the journal for the ledger: balances are behind",
        inhibited_by: &["database_away"],
        for_s: 60,
        ..watches("ledger_behind", Severity::Warning, "dagpool_journal_lag_shares", Bound::Above(1_000_000.0))
    },
    Default {
        message: "the cache does not answer: bans, limits and events are not shared with other pools",
        code: Some(Code::CacheUnavailable),
        ..watches("cache_away", Severity::Error, "dagpool_cache_up", Bound::Below(1.0))
    },
    Default {
        of: Of::Fall,
        over_s: 300,
        at_least: 10,
        message: "part {value} of all miner connections went within five minutes",
        inhibited_by: &["node_not_ready"],
        ..watches("miners_leave", Severity::Warning, "dagpool_connections", Bound::Above(0.3))
    },
    Default {
        of: Of::Fall,
        over_s: 600,
        at_least: 1,
        message: "the pool's hash rate fell by part {value} within ten minutes",
        inhibited_by: &["node_not_ready", "miners_leave"],
        ..watches("hashrate_falls", Severity::Warning, "dagpool_hashrate", Bound::Above(0.5))
    },
    Default {
        labels: &[("result", "rejected")],
        of: Of::Part,
        over_s: 300,
        at_least: 1_000,
        message: "part {value} of all shares of the last five minutes was rejected",
        inhibited_by: &["node_not_ready"],
        ..watches("many_rejects", Severity::Warning, "dagpool_shares_total", Bound::Above(0.05))
    },
    Default {
        of: Of::Mean,
        over_s: 60,
        at_least: 100,
        message: "a share waits {value} s for its answer on average: the machine or the disk is too slow",
        ..watches("slow_answers", Severity::Warning, "dagpool_share_ack_seconds", Bound::Above(0.1))
    },
    Default {
        of: Of::Mean,
        over_s: 60,
        at_least: 10,
        message: "one commit of the journal takes {value} s on average: the disk is too slow",
        ..watches("slow_disk", Severity::Warning, "dagpool_journal_commit_seconds", Bound::Above(0.1))
    },
    Default {
        of: Of::Mean,
        over_s: 120,
        at_least: 5,
        message: "the node takes {value} s to answer on average: jobs are late",
        ..watches("slow_node", Severity::Warning, "dagpool_node_rpc_seconds", Bound::Above(1.0))
    },
    Default {
        labels: &[("stage", "rejected")],
        of: Of::Rate,
        over_s: 3_600,
        for_s: 0,
        message: "more than three blocks of the last hour were refused by the node: their rewards are lost",
        ..watches("blocks_refused", Severity::Critical, "dagpool_blocks_total", Bound::Above(3.5 / 3_600.0))
    },
    Default {
        // Who shows no token guesses at nothing: a crawler does that all day.
        labels: &[("reason", "!no_token")],
        of: Of::Rate,
        over_s: 60,
        for_s: 0,
        message: "{value} log-ins or tokens a second are refused: somebody is guessing",
        ..watches("many_refused_log_ins", Severity::Warning, "dagpool_auth_failures_total", Bound::Above(1.0))
    },
    Default {
        of: Of::Rate,
        over_s: 60,
        for_s: 0,
        message: "{value} addresses a second are banned: the pool is under attack, or its rules are too strict",
        ..watches("many_bans", Severity::Warning, "dagpool_bans_total", Bound::Above(1.0))
    },
    Default {
        labels: &[("outcome", "given_up")],
        of: Of::Rate,
        over_s: 60,
        for_s: 0,
        message: "{value} lines of figures a second are given up: the server of [influx] is away for too long",
        ..watches("series_lost", Severity::Warning, "dagpool_influx_lines_total", Bound::Above(0.0))
    },
    Default {
        for_s: 10,
        message: "only part {value} of the data folder's disk is free: when it is full, no share can be kept and the pool stops",
        ..watches("disk_full", Severity::Critical, "dagpool_disk_free_ratio", Bound::Below(0.02))
    },
    Default {
        for_s: 60,
        message: "only part {value} of the data folder's disk is free: make room, or lower journal.disk_budget_bytes",
        inhibited_by: &["disk_full"],
        ..watches("disk_nearly_full", Severity::Warning, "dagpool_disk_free_ratio", Bound::Below(0.05))
    },
    Default {
        for_s: 10,
        message: "part {value} of the file descriptors is in use: soon nobody can connect any more; raise the limit (ulimit -n)",
        ..watches("files_nearly_used_up", Severity::Error, "dagpool_fds_used_ratio", Bound::Above(0.9))
    },
    Default {
        for_s: 60,
        message: "the pool uses part {value} of the memory that it may use: beyond all of it, the system ends it",
        ..watches("memory_nearly_used_up", Severity::Error, "dagpool_memory_used_ratio", Bound::Above(0.9))
    },
];

impl Default {
    pub(super) fn rule(&self) -> Rule {
        Rule {
            name: self.name.to_owned(),
            severity: self.severity,
            query: Query {
                metric: self.metric.to_owned(),
                labels: self
                    .labels
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                    .collect(),
                by: None,
                of: self.of,
                over_ms: self.over_s * 1_000,
                at_least: self.at_least,
            },
            bound: self.bound,
            for_ms: self.for_s * 1_000,
            message: self.message.to_owned(),
            inhibited_by: self.inhibited_by.iter().map(|name| (*name).to_owned()).collect(),
            code: self.code,
        }
    }
}

/// Names of the rules that are there from the start.
pub fn default_names() -> impl Iterator<Item = &'static str> {
    DEFAULTS.iter().map(|rule| rule.name)
}

#[cfg(test)]
mod tests {
    use crate::alerts::{
        readings::{Readings, samples},
        rules::rules,
    };

    #[test]
    fn every_default_rule_watches_a_metric_that_there_is() {
        let source = include_str!("../../metrics.rs");
        for rule in rules(&[]).unwrap() {
            assert!(source.contains(&format!("\"{}\"", rule.query.metric)), "{}", rule.name);
            assert!(!rule.message.is_empty(), "{}", rule.name);
        }
    }

    #[test]
    fn who_shows_no_token_is_not_said_to_guess() {
        let all = rules(&[]).unwrap();
        let rule = all.iter().find(|rule| rule.name == "many_refused_log_ins").unwrap();
        let mut readings = Readings::default();
        let mut figure = |at: u64, none: u64, wrong: u64| {
            let text = format!(
                "dagpool_auth_failures_total{{reason=\"no_token\"}} {none}\n\
                 dagpool_auth_failures_total{{reason=\"wrong_token\"}} {wrong}\n"
            );
            let samples = samples(&text, |_| true);
            readings.read(rule, &samples, pool_domain::units::TimeMs(at)).values().next().copied()
        };
        figure(0, 0, 0);
        assert_eq!(figure(60_000, 6_000, 0), Some(0.0), "a crawler");
        assert_eq!(figure(120_000, 12_000, 120), Some(2.0), "somebody who guesses");
    }
}
