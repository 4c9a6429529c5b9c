//! The table of who may do what, as a document: `docs/access.md`.

use std::{fmt::Write as _, fs, path::Path};

use super::routes::{Needs, ROUTES};
use crate::ports::users::Role;

const HEAD: &str = "# Who may do what

Made from the table that serves and guards all routes (`src/api/routes.rs`) by `make openapi`; a test fails when they differ,
another one asks every route as everybody named here (`src/api/access_tests.rs`).

* **yes**: let through. **401**: nobody is signed in, or the token is not good. **403**: known, but not allowed.
* *nobody* has shown no token. *half* is a session that is good for nothing but setting up the second factor which its role
  requires.
* A token for scripts has its owner's role, and must have been given the scope as well. *none*: no scope opens this route,
  people do it with a session of their own. The pool's own token (`http.operator_token`) is an administrator with all scopes,
  and has no session.
* What is below `/api`, `/health`, `/metrics` or `/docs` and is not in this table: 401 for nobody, 404 for others, whatever
  the method.
* `POST /api/auth/*` without a role bring what they need in their bodies: a password, half a log-in, a refresh token, the code
  of a mail; each has limits of its own. Routes of a session are about that person's affairs only.

| route | nobody | half | miner | viewer | operator | admin | scope of a script |
|---|---|---|---|---|---|---|---|
";

fn document() -> String {
    let mut text = HEAD.to_owned();
    for route in ROUTES {
        let (nobody, half, least, scope) = match route.needs {
            Needs::Anybody => ("yes", "yes", Role::Miner, "not needed"),
            Needs::Known => ("401", "yes", Role::Miner, "any"),
            Needs::Session => ("401", "403", Role::Miner, "none"),
            Needs::Role(role, scope) => ("401", "403", role, scope.as_str()),
        };
        let _ = write!(text, "| `{} {}` | {nobody} | {half} |", route.method, route.path);
        for role in Role::ALL {
            let _ = write!(text, " {} |", if role >= least { "yes" } else { "403" });
        }
        let _ = writeln!(text, " {scope} |");
    }
    text
}

/// `DAGPOOL_WRITE_OPENAPI=1` writes it.
#[test]
fn what_is_kept_in_the_repository_of_access_is_what_guards() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/access.md");
    if std::env::var_os("DAGPOOL_WRITE_OPENAPI").is_some() {
        fs::write(&file, document()).unwrap();
    }
    let kept = fs::read_to_string(&file).unwrap_or_default();
    assert!(kept == document(), "docs/access.md is not of these routes: `make openapi` makes it anew");
}
