//! The author's commands, one after the other, as he types them. The module is a committed one: no compiler is needed.

use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

struct Author(tempfile::TempDir);

impl Author {
    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dagpool"));
        command.current_dir(self.0.path()).arg("algorithm").args(arguments).output().unwrap()
    }

    /// Runs a command that must end with that code, and gives its JSON.
    fn json(&self, code: i32, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        let (stdout, stderr) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stdout}{stderr}");
        serde_json::from_str(&stdout).unwrap_or_else(|e| panic!("{arguments:?}: {e}: {stdout}"))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

const PACKAGE: &str = "algorithm-package-blake2s-v0.1.0.zip";

/// A folder with a key and an unsigned package of the plugin blake2s.
fn packed() -> Author {
    let author = Author(tempfile::tempdir().unwrap());
    author.json(0, &["keygen", "--out", "author", "--trust", "pool/trust.toml"]);
    let module = author.file("module.wasm");
    let fixture = root().join("tests/fixtures/packages/algorithm-package-blake2s.zip");
    let bytes = fs::read(fixture).unwrap();
    let package =
        pool_engine::package::Package::open(&bytes, &pool_engine::package::PackageLimits::default()).unwrap();
    fs::write(&module, package.entry("algorithm.wasm").unwrap()).unwrap();
    let plugin = root().join("plugins/blake2s");
    let plugin = plugin.to_str().unwrap();
    let answer = author.json(0, &["pack", "--path", plugin, "--wasm", module.to_str().unwrap()]);
    assert_eq!(
        (answer["algorithm_id"].as_str(), answer["signed_by"].as_str()),
        (Some("blake2s_0.1.0"), None)
    );
    author
}

#[test]
fn from_key_to_benchmark() {
    let author = packed();
    let unsigned = author.json(1, &["verify", PACKAGE, "--public-key", "author.pub"]);
    assert_eq!(unsigned["validation_results"][2]["code"], "SIGNATURE_MISSING");
    let signed = author.json(0, &["sign", PACKAGE, "--key", "author.key"]);
    for trust in [["--public-key", "author.pub"], ["--trust", "pool/trust.toml"]] {
        let report = author.json(0, &["verify", PACKAGE, trust[0], trust[1]]);
        assert_eq!(
            (report["status"].as_str(), report["validation_results"].as_array().unwrap().len()),
            (Some("staged"), 8)
        );
    }
    let inspected = author.json(0, &["inspect", PACKAGE, "--html", "page.html"]);
    assert_eq!(inspected["digest"], signed["digest"]);
    assert_eq!(inspected["signed_by"], signed["key_id"]);
    assert!(fs::read_to_string(author.file("page.html")).unwrap().contains("blake2s_0.1.0"));
    let measured = author.json(0, &["bench", PACKAGE, "--seconds", "0.01"]);
    assert!(measured["batches"][2]["hashrate"].as_u64().unwrap() > 1000);
}

#[test]
fn a_key_is_not_overwritten_nor_read_by_others() {
    let author = packed();
    let again = author.json(1, &["keygen", "--out", "author"]);
    assert_eq!(again["error"]["code"], "KEY_FILE_INVALID");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let key = author.file("author.key");
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        let error = author.json(1, &["sign", PACKAGE, "--key", "author.key"]);
        assert!(error["error"]["message"].as_str().unwrap().contains("chmod 600"));
        assert!(!error["error"]["suggested_actions"].as_array().unwrap().is_empty());
    }
}

#[test]
fn what_is_wrong_is_said_with_code_and_advice() {
    let author = packed();
    fs::write(author.file("broken.zip"), b"no zip").unwrap();
    let output = author.run(&["inspect", "broken.zip"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.contains("[PACKAGE_NOT_A_ZIP]\n  - Make the package with the pack command"), "{stderr}");
    assert_eq!(author.run(&["verify", PACKAGE]).status.code(), Some(2));
    assert_eq!(author.run(&["bench", PACKAGE, "--seconds", "0"]).status.code(), Some(2));
    let missing = author.json(1, &["inspect", "nowhere.zip"]);
    assert_eq!(missing["error"]["code"], "FILE_UNUSABLE");
}

#[test]
fn a_new_algorithm_is_a_whole_crate() {
    let author = Author(tempfile::tempdir().unwrap());
    let sdk = root().join("plugin-sdk");
    let sdk = sdk.to_str().unwrap();
    let answer = author.json(0, &["new", "my-hash", "--sdk-path", sdk]);
    for file in answer["files"].as_array().unwrap() {
        let text = fs::read_to_string(author.file("my-hash").join(file.as_str().unwrap())).unwrap();
        assert!(!text.contains("{{"), "{file}: {text}");
    }
    let library = fs::read_to_string(author.file("my-hash/src/lib.rs")).unwrap();
    assert!(library.contains("pub struct MyHash;") && library.contains("\"my-hash\""));
    let manifest = fs::read(author.file("my-hash/manifest.json")).unwrap();
    assert_eq!(pool_engine::manifest::Manifest::parse(&manifest).unwrap().id(), "my-hash_0.1.0");
    // Nothing of the author's is written over.
    assert_eq!(author.json(1, &["new", "my-hash", "--sdk-path", sdk])["error"]["code"], "FILE_UNUSABLE");
    assert_eq!(author.json(1, &["new", "My_Hash", "--sdk-path", sdk])["error"]["code"], "MANIFEST_INVALID");
    for (arguments, words) in
        [(&[][..], "can't be guessed"), (&["--sdk-path", "nowhere"], "nowhere is no folder of plugin-sdk")]
    {
        let error = &author.json(1, &[&["new", "other"], arguments].concat())["error"];
        assert_eq!(error["code"], "SDK_NOT_FOUND", "{error:#}");
        assert!(error["message"].as_str().unwrap().contains(words), "{error:#}");
        assert!(
            error["suggested_actions"][0]["command"].as_str().unwrap().contains("--sdk-path"),
            "{error:#}"
        );
    }
    // What is printed works as it stands, in the folder that it leads to.
    let next = String::from_utf8(author.run(&["new", "third", "--sdk-path", sdk]).stdout).unwrap();
    assert!(next.contains("\n  cd third\n  cargo test\n  dagpool algorithm pack\n"), "{next}");
}
