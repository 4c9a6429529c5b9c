//! `dagpool init` as somebody types it: what it writes passes `check`, runs, and lets the first admin in.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
};

use pool_tests::pool::dagpool;
use serde_json::Value;

use crate::mining;

/// Runs it in a folder; what it is given to read is `typed`.
fn run(folder: &Path, arguments: &[&str], typed: &str) -> (Option<i32>, String, String) {
    let mut child = Command::new(dagpool())
        .args(arguments)
        .current_dir(folder)
        .env_remove("DATABASE_URL")
        .env_remove("REDIS_URL")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may end before it has read all.
    let _ = child.stdin.take().unwrap().write_all(typed.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[actix_rt::test]
async fn what_init_writes_passes_check_and_lets_the_admin_in() {
    let node = mining::node("blake2s", 300, 0);
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("pool.toml");
    let answers = format!(
        "[pool]\nname = \"Mine\"\n[chain]\nprofile = \"simulated\"\nnodes = [\"{}\"]\npayout_address = \"pool\"\n\
         [payout]\nenabled = false\n[vardiff]\ntarget_interval_ms = 4321\n[[alerts.channel]]\nname = \"hook\"\nurl = \"http://127.0.0.1:1/\"\n",
        node.rpc_url
    );
    fs::write(folder.path().join("answers.toml"), answers).unwrap();
    let (code, out, error) = run(folder.path(), &["init", "--answers", "answers.toml", "--json"], "");
    assert_eq!(code, Some(0), "{out}{error}");
    let said: Value = serde_json::from_str(out.trim()).unwrap();
    assert_eq!(said["admin"]["username"], "admin");
    let password = said["admin"]["password"].as_str().unwrap();
    assert!(password.len() >= 16, "{said}");

    let text = fs::read_to_string(&at).unwrap();
    assert_eq!(fs::metadata(&at).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "answers, pool.toml, data: no draft is left");
    for line in [
        "name = \"Mine\"",
        "target_interval_ms = 4321",
        "verify_email = false",
        "# Shown to miners, on the dashboard, and in mails.",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let secrets: Vec<&str> =
        text.lines().filter(|line| line.starts_with("admin_token") || line.starts_with("key = ")).collect();
    assert_eq!(secrets.len(), 2);
    assert!(secrets.iter().all(|line| line.len() > 64), "256 bits each");
    let data = folder.path().canonicalize().unwrap().join("data");
    assert!(text.contains(&format!("data_dir = \"{}\"", data.display())), "{text}");

    let (code, out, _) = run(folder.path(), &["check", "--json"], "");
    assert_eq!(code, Some(0), "{out}");

    // A file that is there stays, and a second admin is not made behind the first one's back.
    let (code, _, error) = run(folder.path(), &["init", "--answers", "answers.toml"], "");
    assert_eq!(code, Some(1));
    assert!(error.contains("is there already"), "{error}");
    assert_eq!(fs::read_to_string(&at).unwrap(), text);
    let (code, out, error) = run(folder.path(), &["init", "--answers", "answers.toml", "--force"], "");
    assert_eq!(code, Some(0), "{out}{error}");
    assert!(out.contains("has users already") && out.contains("dagpool check --config pool.toml"), "{out}");
    assert_ne!(fs::read_to_string(&at).unwrap(), text, "other secrets");
    let (_, out, _) = run(folder.path(), &["user", "list", "--json"], "");
    assert_eq!(out.matches("\"admin\"").count(), 2, "one, of that role: {out}");
}

#[actix_rt::test]
async fn init_asks_what_it_cannot_know_and_refuses_what_cannot_work() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("pool.toml");
    // Nothing listens here that it could ask for an address, unless a node happens to be on the usual port.
    fs::write(folder.path().join("kaspa.toml"), "[chain]\nprofile = \"kaspa\"\n").unwrap();
    let (code, _, error) = run(folder.path(), &["init", "--answers", "kaspa.toml"], "");
    assert_eq!(code, Some(1));
    assert!(error.contains("chain.payout_address can't be guessed") && !at.exists(), "{error}");
    for (answers, wrong) in [
        ("[pool]\nnam = \"x\"\n[chain]\npayout_address = \"p\"", "nam"),
        ("[chain]\npayout_address = \"p\"\nnodes = [\"ftp://x\"]", "ftp://x"),
        ("[chain", "line"),
    ] {
        fs::write(folder.path().join("wrong.toml"), answers).unwrap();
        let (code, out, error) = run(folder.path(), &["init", "--answers", "wrong.toml"], "");
        assert_eq!(code, Some(1), "{out}");
        assert!(error.contains(wrong) || wrong == "line", "{error}");
        assert!(!at.exists(), "nothing is written then");
    }

    // At the terminal: a name, the chain (first one that there is not), nodes, address, and then as proposed.
    let typed = format!("My Pool\nbitcoin\nsimulated\n\npool\n{}", "\n".repeat(20));
    let (code, out, error) = run(folder.path(), &["init", "--no-admin"], &typed);
    assert_eq!(code, Some(0), "{out}{error}");
    assert!(out.contains("One of: simulated, kaspa.") && out.contains("user add NAME --role admin"), "{out}");
    let text = fs::read_to_string(&at).unwrap();
    assert!(text.contains("name = \"My Pool\"") && text.contains("payout_address = \"pool\""), "{text}");
    // Answers that end too soon write nothing.
    let (code, _, error) = run(folder.path(), &["init", "--config", "other.toml"], "x\n");
    assert_eq!(code, Some(1));
    assert!(error.contains("the answers ended") && !folder.path().join("other.toml").exists(), "{error}");
}
