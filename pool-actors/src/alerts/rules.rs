//! The rules: which figure is watched, where it becomes trouble, and what is said then.
//!
//! | file | holds |
//! |---|---|
//! | `defaults` | the rules that are there from the start |
//! | `configured` | the rules in force: the defaults as the configuration changes them, and its own |
//! | `prometheus` | the same for Prometheus |

mod configured;
mod defaults;
mod prometheus;

use std::collections::BTreeMap;

use pool_domain::{catalogue::Code, severity::Severity};

use super::readings::Query;
use crate::{config::Of, messages::alert::RuleView};

pub use configured::rules;
pub use defaults::default_names;
pub use prometheus::for_prometheus;

/// On which side of the threshold is trouble.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// Above it.
    Above(f64),
    /// Below it.
    Below(f64),
}

impl Bound {
    fn is_crossed(self, figure: f64) -> bool {
        match self {
            Self::Above(threshold) => figure > threshold,
            Self::Below(threshold) => figure < threshold,
        }
    }
}

/// One rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// How bad.
    pub severity: Severity,
    /// What it reads.
    pub query: Query,
    /// Where trouble begins.
    pub bound: Bound,
    /// How long that must hold before it fires, milliseconds; half of that, and it is over.
    pub for_ms: u64,
    /// What it says; `{value}` and `{subject}` are filled in.
    pub message: String,
    /// Rules whose alerts explain its own.
    pub inhibited_by: Vec<String>,
    /// Code of the error that it is about: the page that explains it, and an error event that is not said twice.
    pub code: Option<Code>,
}

impl Rule {
    /// Whether `figure` is trouble.
    #[must_use]
    pub fn is_crossed(&self, figure: f64) -> bool {
        self.bound.is_crossed(figure)
    }

    /// What is said of a figure.
    #[must_use]
    pub fn says(&self, subject: &str, figure: f64) -> String {
        self.message.replace("{value}", &number(figure)).replace("{subject}", subject)
    }

    /// Where it is explained.
    #[must_use]
    pub fn page(&self) -> String {
        self.code.map_or_else(|| "/docs/errors".to_owned(), |code| format!("/docs/errors/{}", code.as_str()))
    }

    /// As people see it.
    #[must_use]
    pub fn view(&self, value: Option<f64>) -> RuleView {
        RuleView {
            name: self.name.clone(),
            severity: self.severity,
            condition: self.condition(),
            for_s: self.for_ms / 1_000,
            message: self.message.clone(),
            inhibited_by: self.inhibited_by.clone(),
            value,
        }
    }

    fn condition(&self) -> String {
        let Query { metric, labels, of, over_ms, .. } = &self.query;
        let series = selected(metric, labels);
        let over = over_ms / 1_000;
        let what = match of {
            Of::Value => series,
            Of::Rate => format!("growth of {series} per second over {over} s"),
            Of::Mean => format!("mean of {series} over {over} s"),
            Of::Part => format!("part of {series} in all of it over {over} s"),
            Of::Fall => format!("fall of {series} within {over} s"),
            Of::Rise => format!("rise of {series} within {over} s"),
        };
        match self.bound {
            Bound::Above(threshold) => format!("{what} > {}", number(threshold)),
            Bound::Below(threshold) => format!("{what} < {}", number(threshold)),
        }
    }
}

/// The series of a metric that count, in Prometheus' language.
fn selected(metric: &str, labels: &BTreeMap<String, String>) -> String {
    if labels.is_empty() {
        return metric.to_owned();
    }
    let written = |(name, value): (&String, &String)| match value.strip_prefix('!') {
        Some(other) => format!("{name}!=\"{other}\""),
        None => format!("{name}=\"{value}\""),
    };
    let labels: Vec<String> = labels.iter().map(written).collect();
    format!("{metric}{{{}}}", labels.join(","))
}

/// A figure as people read it.
fn number(figure: f64) -> String {
    if figure == figure.trunc() && figure.abs() < 1e15 {
        format!("{figure:.0}")
    } else {
        format!("{figure:.3}")
    }
}
