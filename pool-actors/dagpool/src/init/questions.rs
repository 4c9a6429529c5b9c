//! What is asked, in order, and what fits.

use std::net::SocketAddr;

use toml::Value;

use super::system::{System, free};

/// What was chosen before, by section and key.
pub(crate) type Before<'a> = &'a dyn Fn(&str, &str) -> Option<Value>;

/// What fits, and why if there is more to say; `None` = the question does not arise.
type Fits = fn(&System, Before<'_>) -> Option<(Value, String)>;

/// A question about a key.
pub(crate) struct Question {
    pub(crate) section: &'static str,
    pub(crate) key: &'static str,
    /// In words; empty = never asked.
    pub(crate) ask: &'static str,
    /// What the choice is about: said, and written into the file.
    pub(crate) why: &'static str,
    pub(crate) default: Fits,
    pub(crate) check: fn(&Value) -> Result<(), String>,
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

fn plain(value: Value) -> Option<(Value, String)> {
    Some((value, String::new()))
}

fn any(_: &Value) -> Result<(), String> {
    Ok(())
}

fn words(value: &Value) -> Result<(), String> {
    match value.as_str() {
        Some(text) if !text.chars().any(char::is_control) => Ok(()),
        _ => Err("A text is needed.".to_owned()),
    }
}

fn one_of(value: &Value, names: &[&str]) -> Result<(), String> {
    match value.as_str() {
        Some(text) if names.contains(&text) => Ok(()),
        _ => Err(format!("One of: {}.", names.join(", "))),
    }
}

fn begins(value: &Value, schemes: &[&str]) -> Result<(), String> {
    match value.as_str() {
        Some(text) if schemes.iter().chain(&["env:", "file:"]).any(|scheme| text.starts_with(scheme)) => {
            Ok(())
        }
        _ => Err(format!(
            "It begins with one of: {}; or with env: or file:, where the address is.",
            schemes.join(", ")
        )),
    }
}

fn yes_or_no(value: &Value) -> Result<(), String> {
    value.as_bool().map(drop).ok_or_else(|| "yes or no.".to_owned())
}

fn address(value: &Value) -> Result<(), String> {
    let parsed = value.as_str().and_then(|text| text.parse::<SocketAddr>().ok());
    parsed.map(drop).ok_or_else(|| "An address and a port, such as 127.0.0.1:8080.".to_owned())
}

fn is_simulated(of: Before<'_>) -> bool {
    of("chain", "profile").is_none_or(|profile| profile.as_str() == Some("simulated"))
}

fn sends_mail(of: Before<'_>) -> bool {
    of("mail", "url").is_some_and(|url| url.as_str().is_some_and(|url| !url.starts_with("outbox:")))
}

fn at(wanted: &str) -> Option<(Value, String)> {
    let (address, moved) = free(wanted.parse().ok()?);
    let why = if moved { format!("({wanted} is taken on this machine.)") } else { String::new() };
    Some((text(&address.to_string()), why))
}

/// Everything that is asked.
pub(crate) const QUESTIONS: &[Question] = &[
    Question {
        section: "pool",
        key: "name",
        ask: "What is the pool called?",
        why: "Shown to miners, on the dashboard, and in mails.",
        default: |_, _| plain(text("BlockDAG Pool")),
        check: words,
    },
    Question {
        section: "chain",
        key: "profile",
        ask: "Which chain is mined?",
        why: "kaspa: kaspad over its JSON wRPC. simulated: the simulator's node (dagpool sim node), to try things.",
        default: |system, _| {
            plain(text(if system.kaspad && !system.simulated { "kaspa" } else { "simulated" }))
        },
        check: |value| one_of(value, &["simulated", "kaspa"]),
    },
    Question {
        section: "chain",
        key: "nodes",
        ask: "Where are the nodes?",
        why: "In order of preference, separated by commas: the pool fails over down the list and back up. Two are better than one.",
        default: |_, of| {
            let node = if is_simulated(of) { "http://127.0.0.1:18131" } else { "ws://127.0.0.1:18110" };
            plain(Value::Array(vec![text(node)]))
        },
        check: any,
    },
    Question {
        section: "chain",
        key: "payout_address",
        ask: "Which address are block rewards paid to?",
        why: "The pool's own address: all money comes in there.",
        default: |system, of| {
            let known = system.simulated_address.as_deref().filter(|_| is_simulated(of));
            Some((
                text(known.unwrap_or_default()),
                known.map_or_else(String::new, |_| "(Of the simulated node's wallet.)".to_owned()),
            ))
        },
        check: words,
    },
    Question {
        section: "algorithms",
        key: "active",
        ask: "Which proof-of-work function?",
        why: "Another version, or another function, can be put in its place while the pool runs.",
        default: |_, of| plain(text(if is_simulated(of) { "blake2s" } else { "kheavyhash" })),
        check: words,
    },
    Question {
        section: "stratum",
        key: "listener",
        ask: "",
        why: "Where miners connect, and what is spoken there.",
        default: |_, of| {
            let (address, why) = at("0.0.0.0:3333")?;
            let dialect = if is_simulated(of) { "standard" } else { "kaspa" };
            let listener = [("address".to_owned(), address), ("dialect".to_owned(), text(dialect))];
            Some((Value::Array(vec![Value::Table(listener.into_iter().collect())]), why))
        },
        check: any,
    },
    Question {
        section: "stratum",
        key: "connections_max",
        ask: "",
        why: "Each connection is an open file.",
        default: |system, _| {
            let files = system.files.unwrap_or(u64::MAX).saturating_sub(512);
            let most = i64::try_from(files.clamp(64, 50_000)).ok()?;
            let why = if most < 50_000 {
                "(As many as this system allows: raise LimitNOFILE for more.)"
            } else {
                ""
            };
            Some((Value::Integer(most), why.to_owned()))
        },
        check: any,
    },
    Question {
        section: "payout",
        key: "fee_basis_points",
        ask: "What does the pool keep of a reward?",
        why: "Basis points: 100 is 1%.",
        default: |_, _| plain(Value::Integer(100)),
        check: |value| match value.as_integer() {
            Some(0..=10_000) => Ok(()),
            _ => Err("0 to 10000.".to_owned()),
        },
    },
    Question {
        section: "payout",
        key: "enabled",
        ask: "Are balances paid out by the pool itself?",
        why: "It needs the wallet of the node. Without, balances are kept and paid by hand.",
        default: |_, of| is_simulated(of).then_some((Value::Boolean(true), String::new())),
        check: yes_or_no,
    },
    Question {
        section: "store",
        key: "url",
        ask: "Which database?",
        why: "sqlite:PATH needs nothing else and serves thousands of miners; postgres://user:password@host/database is for several pools \
              on one set of books, and for what must stay up.",
        default: |system, _| {
            let why = if system.postgres {
                "(A PostgreSQL listens here: postgres://user:password@127.0.0.1/dagpool would use it.)"
            } else {
                ""
            };
            Some((text("sqlite:pool.db"), why.to_owned()))
        },
        check: |value| begins(value, &["sqlite:", "postgres://", "postgresql://"]),
    },
    Question {
        section: "cache",
        key: "url",
        ask: "Which cache?",
        why: "Sessions, counts of tries and bans. memory: is of this process alone (a restart signs everybody out); redis://host:port is \
              shared by pools.",
        default: |system, _| {
            let why = if system.redis {
                "(A Redis listens here: redis://127.0.0.1:6379 would use it.)"
            } else {
                ""
            };
            Some((text("memory:"), why.to_owned()))
        },
        check: |value| begins(value, &["memory:", "redis"]),
    },
    Question {
        section: "http",
        key: "address",
        ask: "Where do dashboard, API and metrics listen?",
        why: "127.0.0.1 is for this machine and for a proxy with TLS in front of the pool; 0.0.0.0 for everybody.",
        default: |_, _| at("127.0.0.1:8080"),
        check: address,
    },
    Question {
        section: "http",
        key: "public_url",
        ask: "By which address do people reach the dashboard?",
        why: "Links in mails begin with it, such as https://pool.example.org.",
        default: |_, of| {
            let address = of("http", "address")?;
            plain(text(&format!("http://{}", address.as_str().unwrap_or("127.0.0.1:8080"))))
        },
        check: |value| begins(value, &["https://", "http://"]),
    },
    Question {
        section: "mail",
        key: "url",
        ask: "How is mail sent?",
        why: "smtp://host:port or smtps://user:password@host; outbox:FOLDER writes files, for a pool without a mail server. For addresses \
              that are confirmed, forgotten passwords, miners' own alerts.",
        default: |_, _| plain(text("outbox:outbox")),
        check: |value| begins(value, &["smtp://", "smtps://", "outbox:"]),
    },
    Question {
        section: "auth",
        key: "verify_email",
        ask: "Must people confirm an e-mail address before they sign in?",
        why: "It keeps registrations by machines away. Mining needs no account. Off where no mail is sent.",
        default: |_, of| plain(Value::Boolean(sends_mail(of))),
        check: yes_or_no,
    },
    Question {
        section: "auth",
        key: "mfa_required",
        ask: "Which roles can't go without a second factor?",
        why: "admin, operator, viewer, miner, separated by commas. Whoever has none is asked to set one up at the first sign-in.",
        default: |_, of| {
            let roles = if is_simulated(of) { vec![] } else { vec![text("admin"), text("operator")] };
            plain(Value::Array(roles))
        },
        check: |value| {
            let roles = value.as_array().into_iter().flatten();
            let known = ["admin", "operator", "viewer", "miner"];
            let wrong = roles.filter(|role| !role.as_str().is_some_and(|role| known.contains(&role))).count();
            if wrong == 0 { Ok(()) } else { Err(format!("Of these: {}.", known.join(", "))) }
        },
    },
];
