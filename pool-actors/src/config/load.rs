//! Reading the configuration: file, then environment, then strict decoding with the nearest known name on a typo.

use std::{collections::BTreeMap, path::Path};

use toml::{Table, Value};

use super::{
    Alerts, Algorithms, Auth, Banning, Cache, Chain, Config, Http, Influx, Journal, Listener, Log, Mail,
    Metrics, Payout, Pool, Store, Stratum, Traces, Vardiff,
    section::{KeyDoc, Section},
};
use crate::error::{Code, Failure};

/// Every section with its keys, in the order of the example file.
pub(super) const SECTIONS: &[(&str, &[KeyDoc])] = &[
    ("pool", Pool::KEYS),
    ("chain", Chain::KEYS),
    ("stratum", Stratum::KEYS),
    ("vardiff", Vardiff::KEYS),
    ("banning", Banning::KEYS),
    ("algorithms", Algorithms::KEYS),
    ("payout", Payout::KEYS),
    ("journal", Journal::KEYS),
    ("store", Store::KEYS),
    ("cache", Cache::KEYS),
    ("http", Http::KEYS),
    ("auth", Auth::KEYS),
    ("mail", Mail::KEYS),
    ("alerts", Alerts::KEYS),
    ("metrics", Metrics::KEYS),
    ("influx", Influx::KEYS),
    ("traces", Traces::KEYS),
    ("log", Log::KEYS),
];

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The file.
    File,
    /// This environment variable, which goes before the file.
    Environment(String),
}

/// Where the values come from that are not the defaults: by `section.key`.
pub type Sources = BTreeMap<String, Source>;

/// A configuration with where its values come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Of the keys that somebody set.
    pub sources: Sources,
}

/// Reads the file, applies `DAGPOOL__SECTION__KEY` and the usual aliases from the environment, and checks the result.
///
/// # Errors
/// One sentence that names the file, the key and what to do.
pub fn load(path: &Path) -> Result<Config, Failure> {
    load_with_sources(path).map(|loaded| loaded.config)
}

/// As [`load`], and says where the values come from.
///
/// # Errors
/// As [`load`].
pub fn load_with_sources(path: &Path) -> Result<Loaded, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::new(
            Code::ConfigUnreadable,
            format!("the configuration {} can't be read ({error})", path.display()),
            "name an existing file with --config; pool.example.toml shows every key",
        )
    })?;
    parse_with_sources(&text, &path.display().to_string(), std::env::vars())
}

/// As [`load`], from text; `origin` names it in errors.
///
/// # Errors
/// As [`load`].
pub fn parse(
    text: &str,
    origin: &str,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Config, Failure> {
    parse_with_sources(text, origin, environment).map(|loaded| loaded.config)
}

fn parse_with_sources(
    text: &str,
    origin: &str,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Loaded, Failure> {
    let mut table: Table = text.parse().map_err(|error: toml::de::Error| {
        // The parser's own text draws the line over several; one sentence is promised.
        let line = 1 + text[..error.span().map_or(0, |span| span.start)].matches('\n').count();
        let message = error.message().replace('\n', ", ");
        invalid(format!("{origin} is not valid TOML: line {line}: {message}"), "mend that line")
    })?;
    let mut sources: Sources = table
        .iter()
        .filter_map(|(section, keys)| Some((section, keys.as_table()?)))
        .flat_map(|(section, keys)| keys.keys().map(move |key| (format!("{section}.{key}"), Source::File)))
        .collect();
    for (name, value) in environment {
        if let Some(key) = apply_variable(&mut table, &name, value)? {
            sources.insert(key, Source::Environment(name));
        }
    }
    refuse_unknown(&table, origin)?;
    let config: Config = Value::Table(table).try_into().map_err(|error: toml::de::Error| {
        let said: Vec<_> = error.to_string().lines().map(|line| line.trim().to_owned()).collect();
        invalid(format!("{origin}: {}", said.join(" ")), "pool.example.toml documents the key")
    })?;
    super::check(&config)?;
    Ok(Loaded { config, sources })
}

/// A configuration with what `DAGPOOL__SECTION__KEY` says otherwise, checked. It must hold no secret: those are not written out.
///
/// # Errors
/// As [`load`].
pub fn overridden(
    config: &Config,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Config, Failure> {
    let mut table = Table::try_from(config).map_err(|error| invalid(error.to_string(), "report it"))?;
    let mut ours = environment.filter(|(name, _)| name.starts_with("DAGPOOL__")).peekable();
    if ours.peek().is_none() {
        return Ok(config.clone());
    }
    for (name, value) in ours {
        apply_variable(&mut table, &name, value)?;
    }
    parse(&table.to_string(), "the environment", std::iter::empty())
}

fn invalid(what: String, advice: impl Into<String>) -> Failure {
    Failure::new(Code::ConfigInvalid, what, advice)
}

/// `DAGPOOL__CHAIN__NETWORK=x` sets `chain.network`; `DATABASE_URL`, `REDIS_URL` and `ALGORITHM` are the usual aliases.
/// Returns the key that it sets, if it is one of ours.
fn apply_variable(table: &mut Table, name: &str, value: String) -> Result<Option<String>, Failure> {
    let path = match name {
        "DATABASE_URL" => "store__url".to_owned(),
        "REDIS_URL" => "cache__url".to_owned(),
        "ALGORITHM" => "algorithms__active".to_owned(),
        _ => match name.strip_prefix("DAGPOOL__") {
            Some(rest) => rest.to_ascii_lowercase(),
            None => return Ok(None),
        },
    };
    let Some((section, key)) = path.split_once("__") else {
        return Err(invalid(
            format!("the environment variable {name} names no key"),
            "write DAGPOOL__SECTION__KEY",
        ));
    };
    let entry = table.entry(section.to_owned()).or_insert_with(|| Value::Table(Table::new()));
    let Value::Table(entry) = entry else {
        return Err(invalid(format!("[{section}] is not a table"), "write it as a section"));
    };
    // A value that reads as TOML (number, boolean, list) is taken so, all else is text.
    let value = format!("v = {value}")
        .parse::<Table>()
        .ok()
        .and_then(|mut parsed| parsed.remove("v"))
        .unwrap_or(Value::String(value));
    entry.insert(key.to_owned(), value);
    Ok(Some(format!("{section}.{key}")))
}

fn refuse_unknown(table: &Table, origin: &str) -> Result<(), Failure> {
    for (section, content) in table {
        let Some((_, keys)) = SECTIONS.iter().find(|(name, _)| name == section) else {
            return Err(unknown(
                origin,
                &format!("section [{section}]"),
                section,
                SECTIONS.iter().map(|s| s.0),
            ));
        };
        let Value::Table(content) = content else { continue };
        for (key, value) in content {
            if !keys.iter().any(|known| known.name == key) {
                return Err(unknown(
                    origin,
                    &format!("key {section}.{key}"),
                    key,
                    keys.iter().map(|k| k.name),
                ));
            }
            if section == "stratum" && key == "listener" {
                refuse_unknown_in_listeners(value, origin)?;
            }
        }
    }
    Ok(())
}

fn refuse_unknown_in_listeners(value: &Value, origin: &str) -> Result<(), Failure> {
    let tables = value.as_array().into_iter().flatten().filter_map(Value::as_table);
    for key in tables.flat_map(Table::keys) {
        if !Listener::KEYS.iter().any(|known| known.name == key) {
            let names = Listener::KEYS.iter().map(|k| k.name);
            return Err(unknown(origin, &format!("key {key} in [[stratum.listener]]"), key, names));
        }
    }
    Ok(())
}

fn unknown<'a>(origin: &str, what: &str, got: &str, known: impl Iterator<Item = &'a str>) -> Failure {
    let nearest = known.max_by(|a, b| strsim::jaro_winkler(got, a).total_cmp(&strsim::jaro_winkler(got, b)));
    let advice = match nearest {
        Some(name) if strsim::jaro_winkler(got, name) > 0.7 => format!("did you mean `{name}`?"),
        _ => "pool.example.toml shows every key".to_owned(),
    };
    invalid(format!("{origin}: unknown {what}"), advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_with(text: &str, variables: &[(&str, &str)]) -> Result<Config, Failure> {
        parse(text, "pool.toml", variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())))
    }

    #[test]
    fn an_empty_file_is_the_defaults() {
        assert_eq!(parse_with("[chain]\npayout_address = \"pool\"", &[]).unwrap().pool, Pool::default());
    }

    #[test]
    fn a_typo_names_the_nearest_key() {
        let failure = parse_with("[vardiff]\ntarget_intervall_ms = 1", &[]).unwrap_err();
        assert_eq!(failure.code, Code::ConfigInvalid);
        assert!(failure.to_string().contains("`target_interval_ms`"), "{failure}");
        let failure = parse_with("[strattum]\n", &[]).unwrap_err();
        assert!(failure.to_string().contains("`stratum`"), "{failure}");
        let failure = parse_with("[[stratum.listener]]\nadress = 1", &[]).unwrap_err();
        assert!(failure.to_string().contains("`address`"), "{failure}");
    }

    #[test]
    fn variables_override_the_file() {
        let text = "[chain]\npayout_address = \"pool\"\n[pool]\nname = \"a\"";
        let config = parse_with(
            text,
            &[
                ("DAGPOOL__POOL__NAME", "b"),
                ("DAGPOOL__POOL__ARBITERS", "3"),
                ("ALGORITHM", "blake3"),
                ("REDIS_URL", "redis://:hush@cache"),
                ("HOME", "/"),
            ],
        )
        .unwrap();
        assert_eq!((config.pool.name.as_str(), config.pool.arbiters), ("b", 3));
        assert_eq!(config.algorithms.active, "blake3");
        assert_eq!(config.cache.url.to_string(), "redis://:***@cache");
    }

    #[test]
    fn what_is_put_together_takes_variables_of_ours_alone() {
        let mut config = Config::default();
        config.chain.payout_address = "pool".into();
        config.payout.enabled = true;
        let with = |variables: &[(&str, &str)]| {
            let own = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            overridden(&config, own.collect::<Vec<_>>().into_iter())
        };
        assert_eq!(with(&[("DATABASE_URL", "postgres://x@y/z"), ("HOME", "/")]).unwrap(), config);
        let changed =
            with(&[("DAGPOOL__PAYOUT__INTERVAL_S", "7"), ("DATABASE_URL", "postgres://x@y/z")]).unwrap();
        let mut wanted = config.clone();
        wanted.payout.interval_s = 7;
        assert_eq!(changed, wanted);
        assert!(
            with(&[("DAGPOOL__PAYOUT__INTERVALL_S", "7")]).unwrap_err().to_string().contains("interval_s")
        );
    }

    #[test]
    fn where_values_come_from_is_known() {
        let text = "[chain]\npayout_address = \"pool\"\n[pool]\nname = \"a\"\narbiters = 2";
        let variables = [("DAGPOOL__POOL__NAME", "b"), ("ALGORITHM", "blake3"), ("HOME", "/")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let loaded = parse_with_sources(text, "pool.toml", variables.into_iter()).unwrap();
        let by = |name: &str| Source::Environment(name.to_owned());
        let wanted = [
            ("algorithms.active", by("ALGORITHM")),
            ("chain.payout_address", Source::File),
            ("pool.arbiters", Source::File),
            ("pool.name", by("DAGPOOL__POOL__NAME")),
        ];
        assert_eq!(loaded.sources, wanted.map(|(key, source)| (key.to_owned(), source)).into());
    }

    #[test]
    fn a_wrong_type_names_the_key() {
        let failure = parse_with("[pool]\narbiters = \"many\"", &[]).unwrap_err();
        assert!(failure.to_string().contains("arbiters"), "{failure}");
    }
}
