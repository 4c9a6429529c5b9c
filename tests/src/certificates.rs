//! Certificates that nobody but a test's own authority has signed.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

/// Makes `authority.pem`, and `server.pem` with `key.pem` for the server at this IP address, in this folder.
///
/// # Panics
/// When there is no openssl.
pub(crate) fn signed(folder: &Path, address: &str) {
    let path = |file: &str| folder.join(file).to_str().expect("a path of text").to_owned();
    let openssl = |arguments: &[&str]| {
        let made = Command::new("openssl").args(arguments).stdin(Stdio::null()).output();
        let made = made.expect("openssl is installed: tests/tools/packages.sh does it");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    };
    let (key, certificate, request) = (path("key.pem"), path("server.pem"), path("server.csr"));
    let (authority, its_key, extensions) = (path("authority.pem"), path("authority.key"), path("extensions"));
    let names = format!("subjectAltName=IP:{address}\nbasicConstraints=CA:FALSE\n");
    fs::write(&extensions, names).expect("written");
    let fresh = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    let own = ["-x509", "-days", "2", "-subj", "/CN=authority", "-keyout", &its_key, "-out", &authority];
    openssl(&[&["req"][..], &fresh, &own].concat());
    let asked = ["-subj", "/CN=server", "-keyout", &key, "-out", &request];
    openssl(&[&["req"][..], &fresh, &asked].concat());
    let signing = ["x509", "-req", "-in", &request, "-CA", &authority, "-CAkey", &its_key, "-CAcreateserial"];
    openssl(&[&signing[..], &["-days", "2", "-extfile", &extensions, "-out", &certificate]].concat());
}
