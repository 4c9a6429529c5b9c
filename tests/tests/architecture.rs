//! The dependency rules of `pool-actors/docs/architecture.md` as tests: they read manifests and sources as text.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Our packages that a manifest names under `section`.
fn ours(manifest: &str, section: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join(manifest).join("Cargo.toml")).unwrap();
    let table: toml::Table = text.parse().unwrap();
    let known = |name: &str| {
        name.starts_with("plugin-")
            || name.starts_with("pool-")
            || ["simulations", "dashboard", "dagpool"].contains(&name)
    };
    let names = table.get(section).and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::keys);
    names.filter(|name| known(name)).cloned().collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn packages_depend_downward_only() {
    let plugins = ["blake2s", "blake3", "sha256d", "scrypt", "scrypt-bdag", "kheavyhash"];
    let linked_in: Vec<String> = plugins.iter().map(|name| format!("plugin-{name}")).collect();
    let mut engine = set(&["plugin-sdk", "pool-domain"]);
    engine.extend(linked_in.iter().cloned());
    let allowed: BTreeMap<&str, BTreeSet<String>> = BTreeMap::from([
        ("plugin-sdk", set(&[])),
        ("pool-actors/domain", set(&[])),
        ("pool-actors/engine", engine),
        ("pool-actors", set(&["pool-domain", "pool-engine", "plugin-sdk"])),
        ("dashboard", set(&[])),
        ("simulations", set(&["pool-domain", "pool-engine", "plugin-sdk"])),
        (
            "pool-actors/dagpool",
            set(&["pool-actors", "pool-domain", "pool-engine", "plugin-sdk", "simulations", "dashboard"]),
        ),
    ]);
    for (manifest, allowed) in &allowed {
        let used = ours(manifest, "dependencies");
        assert!(used.is_subset(allowed), "{manifest} depends on {:?}", used.difference(allowed));
    }
    for plugin in plugins {
        // The hash crate of scrypt-bdag is plugin-scrypt, whose ROMix it shares (decision 0002).
        let allowed =
            set(if plugin == "scrypt-bdag" { &["plugin-sdk", "plugin-scrypt"] } else { &["plugin-sdk"] });
        assert_eq!(ours(&format!("plugins/{plugin}"), "dependencies"), allowed, "{plugin}");
    }
}

/// The `.rs` files below a folder of the library.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return found };
    for entry in entries.map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(sources(&entry));
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            found.push(entry);
        }
    }
    found
}

/// The code of a file: without comments, and without its test module (tests may reach further).
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The modules of the library that a file names as `crate::module`, also inside `use crate::{a, b::c}`.
fn modules_used(code: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            None => used.extend(first_word(rest)),
            Some(group) => used.extend(top_level(group).iter().filter_map(|part| first_word(part.trim()))),
        }
    }
    used
}

fn first_word(text: &str) -> Option<String> {
    let word: String = text.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
    (!word.is_empty()).then_some(word)
}

/// Splits a brace group at its own commas.
fn top_level(group: &str) -> Vec<String> {
    let (mut depth, mut parts) = (0, vec![String::new()]);
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => parts.push(String::new()),
            _ => {}
        }
        if !(c == ',' && depth == 0) {
            parts.last_mut().unwrap().push(c);
        }
    }
    parts
}

#[test]
fn modules_of_the_library_look_downward_only() {
    let bottom = ["config", "error", "metrics", "ports", "trace"];
    let below_messages = [&bottom[..], &["runtime"]].concat();
    let below_actors = [&below_messages[..], &["messages"]].concat();
    let mut allowed: BTreeMap<&str, Vec<&str>> = BTreeMap::from([
        ("ports", vec!["ports"]),
        ("error", vec!["error"]),
        ("metrics", vec!["metrics"]),
        ("trace", vec!["ports", "trace"]),
        ("config", vec!["config", "error"]),
        ("runtime", below_messages.clone()),
        ("messages", below_actors.clone()),
        // Adapters see domain and ports (and the bottom layer they are made of).
        ("adapters", vec!["adapters", "ports", "error", "config", "metrics"]),
    ]);
    for folder in ["stratum", "template", "algorithm", "ledger", "stats", "cache", "api", "alerts", "audit"] {
        allowed.insert(folder, [&below_actors[..], &[folder]].concat());
    }
    // Who may sign in is decided below the API, without HTTP.
    allowed.insert("auth", [&bottom[..], &["auth"]].concat());
    allowed.insert("api", [&below_actors[..], &["api", "auth"]].concat());
    let library = root().join("pool-actors/src");
    let mut wrong = Vec::new();
    for (module, allowed) in &allowed {
        let mut files = sources(&library.join(module));
        files.extend(Some(library.join(format!("{module}.rs"))).filter(|file| file.exists()));
        // Unit tests, also those in files of their own, may use the test kit of the library.
        let is_test = |path: &str| path.ends_with("tests.rs") || path.contains("/tests/");
        let library_path = |file: &Path| {
            file.strip_prefix(&library).map_or_else(|_| String::new(), |path| path.display().to_string())
        };
        files.retain(|file| !is_test(&library_path(file)));
        for file in files {
            for used in modules_used(&code(&file)) {
                if !allowed.contains(&used.as_str()) {
                    wrong
                        .push(format!("{} uses crate::{used}", file.strip_prefix(root()).unwrap().display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "dependency rules broken:\n{}", wrong.join("\n"));
}

/// Files of the library outside `homes` whose code holds `needle`.
fn users_of(needle: &str, homes: &[&str]) -> Vec<String> {
    let library = root().join("pool-actors/src");
    let name = |file: &Path| file.strip_prefix(&library).unwrap().display().to_string();
    let files = sources(&library).into_iter().filter(|file| {
        let name = name(file);
        !homes.iter().any(|home| name.starts_with(home))
            && !name.ends_with("tests.rs")
            && !name.contains("/tests/")
    });
    files.filter(|file| code(file).contains(needle)).map(|file| name(&file)).collect()
}

#[test]
fn what_has_one_home_stays_there() {
    let rules: &[(&str, &[&str])] = &[
        (".do_send(", &["runtime/"]),
        // Adapters know no actors: there it is a channel's. Clippy tells the two apart by type.
        (".try_send(", &["runtime/", "adapters/"]),
        ("Arbiter::new", &["runtime/"]),
        ("thread::spawn", &["runtime/"]),
        ("thread::Builder", &["runtime/"]),
        ("SystemTime::now", &["adapters/"]),
        ("rusqlite", &["adapters/sqlite"]),
        ("tokio_postgres", &["adapters/postgres"]),
        ("bb8::", &["adapters/postgres"]),
        ("use redis::", &["adapters/cache_redis"]),
        ("std::fs", &["adapters/", "config/", "app"]),
    ];
    for (needle, homes) in rules {
        let found = users_of(needle, homes);
        assert!(found.is_empty(), "`{needle}` belongs to {homes:?}, found in {found:?}");
    }
}

#[test]
fn the_reader_of_imports_reads_groups() {
    let code = "use crate::{a::{b, c}, ports::x};\nuse crate::runtime::y;";
    assert_eq!(modules_used(code), set(&["a", "ports", "runtime"]));
}
