//! `dagpool init`: writes `pool.toml`. Looks at the system, asks what it can't know, says why, and makes the first admin.
//!
//! An answer is a key of the configuration: what `--answers FILE` holds (a part of a `pool.toml`) is not asked, and may be any key.

mod questions;
mod system;

use std::{
    fs::{self, OpenOptions},
    io::{self, BufRead, IsTerminal as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use pool_actors::{
    app::auth::first_admin,
    config::{self, Config},
    error::{Code, Failure},
};
use questions::{QUESTIONS, Question};
use serde_json::json;
use system::System;
use toml::{Table, Value};

use crate::Outcome;

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The file that is written, for its owner's eyes only (mode 0600).
    #[arg(long, default_value = "pool.toml")]
    config: PathBuf,
    /// Ask nothing: take what fits the system.
    #[arg(long)]
    yes: bool,
    /// A part of a pool.toml: what is in it is not asked; all else is as with --yes.
    #[arg(long)]
    answers: Option<PathBuf>,
    /// Write over a file that is there.
    #[arg(long)]
    force: bool,
    /// Make no first admin (the database need not be there then).
    #[arg(long)]
    no_admin: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// A key, its value, and why it is so.
pub(crate) struct Chosen {
    section: &'static str,
    key: &'static str,
    why: String,
    value: Value,
}

/// Writes the configuration.
pub(crate) async fn init(args: Init) -> Outcome {
    if args.config.exists() && !args.force {
        return Err(Failure::new(
            Code::ConfigInvalid,
            format!("{} is there already", args.config.display()),
            "name another file with --config, or write over it with --force",
        ));
    }
    let mut answers = args.answers.as_deref().map(read).transpose()?.unwrap_or_default();
    let quiet = args.yes || args.answers.is_some();
    let system = System::look().await;
    if !args.json {
        println!("{system}");
    }
    let mut chosen = Vec::new();
    for question in QUESTIONS {
        let known = answers
            .get_mut(question.section)
            .and_then(Value::as_table_mut)
            .and_then(|t| t.remove(question.key));
        if let Some(choice) = choose(question, known, &system, &chosen, quiet)? {
            chosen.push(choice);
        }
    }
    chosen.extend(made(&args.config, &mut answers)?);
    let text = written(&chosen, answers)?;
    // What can't work is said before anything is written.
    let config = config::parse(&text, &args.config.display().to_string(), std::iter::empty())?;
    write(&args.config, &text, args.force)?;
    let admin = if args.no_admin { Ok(None) } else { first_admin(&config).await };
    report(&args, &config, &admin);
    Ok(if admin.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn read(path: &Path) -> Result<Table, Failure> {
    let wrong = |what: String| {
        Failure::new(
            Code::ConfigUnreadable,
            format!("the answers {}: {what}", path.display()),
            "mend or name another file",
        )
    };
    let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    text.parse().map_err(|error: toml::de::Error| wrong(error.message().replace('\n', ", ")))
}

/// The answer to a question: a known one, what somebody types, or what fits.
fn choose(
    question: &'static Question,
    known: Option<Value>,
    system: &System,
    chosen: &[Chosen],
    quiet: bool,
) -> Result<Option<Chosen>, Failure> {
    let of = |section: &str, key: &str| {
        let found = chosen.iter().find(|choice| choice.section == section && choice.key == key);
        found.map(|choice| choice.value.clone())
    };
    let choice = |value, why| Some(Chosen { section: question.section, key: question.key, why, value });
    if let Some(value) = known {
        return Ok(choice(value, question.why.to_owned()));
    }
    let Some((default, why)) = (question.default)(system, &of) else { return Ok(None) };
    let why = if why.is_empty() { question.why.to_owned() } else { format!("{} {why}", question.why) };
    if quiet || question.ask.is_empty() {
        if default.as_str() == Some("") {
            let Question { section, key, .. } = question;
            return Err(Failure::new(
                Code::ConfigInvalid,
                format!("{section}.{key} can't be guessed"),
                format!("put it into a file ([{section}] {key} = \"...\") and name that with --answers"),
            ));
        }
        return Ok(choice(default, why));
    }
    loop {
        let typed = ask(question, &default, &why)?;
        let value = if typed.is_empty() { default.clone() } else { value_of(&typed, &default) };
        if value.as_str() == Some("") {
            println!("   It has no default: an answer is needed.");
            continue;
        }
        match (question.check)(&value) {
            Ok(()) => return Ok(choice(value, why)),
            Err(wrong) => println!("   {wrong}"),
        }
    }
}

fn ask(question: &Question, default: &Value, why: &str) -> Result<String, Failure> {
    println!("\n{}\n   {why}", question.ask);
    let shown = match default {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    print!("   {}.{} [{shown}]: ", question.section, question.key);
    let answer = io::stdout().flush().and_then(|()| next_line(&mut io::stdin().lock()));
    let unanswered =
        |what: String| Failure::new(Code::ConfigInvalid, what, "answer all, or use --yes or --answers");
    let line = answer
        .map_err(|error| unanswered(format!("the answer can't be read ({error})")))?
        .ok_or_else(|| unanswered("the answers ended".to_owned()))?;
    if !io::stdin().is_terminal() {
        println!();
    }
    Ok(line)
}

/// The next line without the space around it; `None` at the end.
fn next_line(answers: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    Ok((answers.read_line(&mut line)? > 0).then(|| line.trim().to_owned()))
}

/// What somebody typed, as the kind of value that the default is.
fn value_of(typed: &str, default: &Value) -> Value {
    let parsed = format!("v = {typed}").parse::<Table>().ok().and_then(|mut table| table.remove("v"));
    match default {
        Value::Array(_) => parsed.filter(Value::is_array).unwrap_or_else(|| {
            let items = typed.split(',').map(str::trim).filter(|item| !item.is_empty());
            Value::Array(items.map(|item| Value::String(item.to_owned())).collect())
        }),
        Value::Boolean(_) => match typed.to_ascii_lowercase().as_str() {
            "y" | "yes" | "true" => Value::Boolean(true),
            "n" | "no" | "false" => Value::Boolean(false),
            _ => Value::String(typed.to_owned()),
        },
        Value::String(_) => Value::String(typed.trim_matches('"').to_owned()),
        _ => parsed.unwrap_or_else(|| Value::String(typed.to_owned())),
    }
}

/// What is made: the place of the data, and secrets.
fn made(config: &Path, answers: &mut Table) -> Result<Vec<Chosen>, Failure> {
    let mut made = Vec::new();
    let mut make = |section: &'static str, key: &'static str, why: &str, value: Value| {
        let given =
            answers.get_mut(section).and_then(Value::as_table_mut).and_then(|table| table.remove(key));
        made.push(Chosen { section, key, why: why.to_owned(), value: given.unwrap_or(value) });
    };
    let folder = config.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = folder.canonicalize().map_err(|error| {
        Failure::new(
            Code::ConfigUnreadable,
            format!("the folder {}: {error}", folder.display()),
            "make it first",
        )
    })?;
    let data = folder.join("data").display().to_string();
    make(
        "pool",
        "data_dir",
        "Journal, embedded database and state; beside this file, wherever the pool is started.",
        Value::String(data),
    );
    let secret = || Value::String(hex::encode(rand::random::<[u8; 32]>()));
    make(
        "auth",
        "admin_token",
        "For scripts and for emergencies: it may do everything. Made at random; keep this file to yourself.",
        secret(),
    );
    make(
        "auth",
        "key",
        "Signs sessions and seals second factors; with another one nobody's second factor can be opened. Made at random.",
        secret(),
    );
    Ok(made)
}

/// The file: every choice with its reason, then what else the answers hold.
fn written(chosen: &[Chosen], rest: Table) -> Result<String, Failure> {
    let mut text = String::from(
        "# Written by dagpool init. pool.example.toml documents every key; what is not here has its default.\n\
         # It holds secrets: only its owner may read it.\n",
    );
    let mut rest = rest;
    let mut sections: Vec<&str> = Vec::new();
    for choice in chosen {
        if !sections.contains(&choice.section) {
            sections.push(choice.section);
        }
    }
    let mut tables = Table::new();
    for section in sections {
        text.push_str(&format!("\n[{section}]\n"));
        for choice in chosen.iter().filter(|choice| choice.section == section) {
            for line in folded(&choice.why) {
                text.push_str(&format!("# {line}\n"));
            }
            text.push_str(&format!("{} = {}\n", choice.key, choice.value));
        }
        let Some(Value::Table(more)) = rest.remove(section) else { continue };
        let mut nested = Table::new();
        for (key, value) in more {
            if value.is_table() || value.as_array().is_some_and(|all| all.iter().any(Value::is_table)) {
                nested.insert(key, value);
            } else {
                text.push_str(&format!("{key} = {value}\n"));
            }
        }
        if !nested.is_empty() {
            tables.insert(section.to_owned(), Value::Table(nested));
        }
    }
    tables.extend(rest);
    if !tables.is_empty() {
        text.push('\n');
        let tables = toml::to_string(&tables).map_err(|error| {
            let what = format!("the answers can't be written as TOML: {error}");
            Failure::new(Code::ConfigInvalid, what, "put these tables into pool.toml by hand")
        })?;
        text.push_str(&tables);
    }
    Ok(text)
}

/// Lines of at most a hundred signs.
fn folded(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.len() - 1;
        if lines[last].len() + word.len() + 1 > 100 && !lines[last].is_empty() {
            lines.push(word.to_owned());
        } else {
            let space = if lines[last].is_empty() { "" } else { " " };
            lines[last].push_str(&format!("{space}{word}"));
        }
    }
    lines
}

/// Whole or not at all, and never readable by others.
fn write(path: &Path, text: &str, force: bool) -> Result<(), Failure> {
    let failed = |error: io::Error| {
        Failure::new(
            Code::ConfigUnreadable,
            format!("{} can't be written ({error})", path.display()),
            "make its folder writable",
        )
    };
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}", std::process::id()));
    let draft = PathBuf::from(draft);
    let written =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            // Without --force it must not take the place of a file that came meanwhile.
            if force { fs::rename(&draft, path) } else { fs::hard_link(&draft, path) }
        });
    let _ = fs::remove_file(&draft);
    written.map_err(failed)
}

type Admin = Result<Option<(String, String)>, Failure>;

fn report(args: &Init, config: &Config, admin: &Admin) {
    let path = args.config.display();
    if args.json {
        let who = admin.as_ref().ok().and_then(Option::as_ref);
        let body = json!({
            "config": path.to_string(),
            "data_dir": config.pool.data_dir,
            "admin": who.map(|(username, password)| json!({ "username": username, "password": password })),
            "failure": admin.as_ref().err().map(ToString::to_string),
        });
        println!("{body}");
        return;
    }
    println!("\nwritten    {path}  (mode 0600: it holds secrets)");
    match admin {
        Ok(Some((name, password))) => println!("sign in    {name}  {password}  (printed once)"),
        Ok(None) if args.no_admin => {
            println!("sign in    dagpool user add NAME --role admin --config {path}");
        }
        Ok(None) => println!("sign in    as before: the database has users already"),
        Err(failure) => println!(
            "sign in    no admin was made ({failure}); then: dagpool user add NAME --role admin --config {path}"
        ),
    }
    println!("next       dagpool check --config {path}\n           dagpool run --config {path}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_no_text_is_not_the_end_of_them() {
        let mut answers: &[u8] = b" yes \n\n\xff\xfe\n";
        assert_eq!(next_line(&mut answers).unwrap().as_deref(), Some("yes"));
        assert_eq!(next_line(&mut answers).unwrap().as_deref(), Some(""));
        assert_eq!(next_line(&mut answers).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(next_line(&mut answers).unwrap(), None);
    }
}
