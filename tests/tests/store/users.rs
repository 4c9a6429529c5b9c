//! What both databases enforce about users and the accounts that they claim, whoever writes to them.

use std::sync::Arc;

use pool_actors::ports::store::{LedgerCommit, Position, SharedStore};
use pool_domain::accounting::LedgerAccount;
use pool_tests::postgres::Postgres;
use tempfile::TempDir;

use crate::conformance::{account, commit, posting};

/// A statement of somebody else's, on one of the databases.
type Sql<'a> = &'a dyn Fn(&str) -> Result<String, String>;

const ALICE: &str = "00000000-0000-4000-8000-00000000000a";
const BOB: &str = "00000000-0000-4000-8000-00000000000b";

/// A user with these columns besides those that every one has.
fn user(id: &str, name: &str, more: &[(&str, &str)]) -> String {
    let (columns, values): (Vec<_>, Vec<_>) =
        more.iter().map(|(column, value)| (format!(", {column}"), format!(", {value}"))).unzip();
    format!(
        "INSERT INTO users (id, username, password_hash, created_at, updated_at{}) \
         VALUES ('{id}', '{name}', '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA', NOW, NOW{})",
        columns.concat(),
        values.concat()
    )
}

fn claim(who: &str, address: &str) -> String {
    format!("UPDATE accounts SET user_id = {who} WHERE address = '{address}'")
}

fn owner(sql: Sql<'_>, address: &str) -> String {
    sql(&format!(
        "SELECT coalesce(CAST(user_id AS text), 'nobody') FROM accounts WHERE address = '{address}'"
    ))
    .unwrap()
}

fn refused(sql: Sql<'_>, statement: &str, why: &str) {
    let said = sql(statement).expect_err(statement).to_lowercase();
    assert!(said.contains(why), "{statement}: {said}");
}

/// Accounts `rich`, with money history, and `poor`, without.
async fn accounts(store: &SharedStore) {
    let rich = LedgerAccount::MinerPending(account("rich"));
    let commit = LedgerCommit {
        postings: vec![posting(1, &[(LedgerAccount::ChainPending, -5), (rich, 5)])],
        ..commit(Position::default(), 1)
    };
    store.commit(Arc::new(commit)).await.unwrap();
}

fn claims(sql: Sql<'_>) {
    sql("INSERT INTO accounts (address, created_at) VALUES ('poor', NOW)").unwrap();
    sql(&user(ALICE, "Alice", &[("email", "'alice@example.org'"), ("role", "'operator'")])).unwrap();
    sql(&user(BOB, "bob", &[])).unwrap();
    // Nobody's until it is claimed, and then one user's.
    assert_eq!(owner(sql, "rich"), "nobody");
    for address in ["rich", "poor"] {
        sql(&claim(&format!("'{ALICE}'"), address)).unwrap();
        assert_eq!(owner(sql, address), ALICE);
    }
    refused(sql, &claim(&format!("'{BOB}'"), "rich"), "claimed by another user");
    sql(&claim("NULL", "poor")).unwrap();
    refused(sql, &claim("'00000000-0000-4000-8000-0000000000ff'", "poor"), "foreign key");
    sql(&claim(&format!("'{BOB}'"), "poor")).unwrap();
    assert_eq!(owner(sql, "poor"), BOB);
    refused(sql, &claim(&format!("'{BOB}'"), ".pool"), "check");
    // A user without money history goes, and its claim with it; the account stays. One with money history stays.
    sql(&format!("DELETE FROM users WHERE id = '{BOB}'")).unwrap();
    assert_eq!(owner(sql, "poor"), "nobody");
    refused(sql, &format!("DELETE FROM users WHERE id = '{ALICE}'"), "disable the user instead");
    refused(sql, "DELETE FROM users", "disable the user instead");
    assert_eq!(owner(sql, "rich"), ALICE);
    // It is forgotten all the same, as far as that goes, and comes back to nobody by a decision.
    sql(&format!(
        "UPDATE users SET email = NULL, username = 'gone-1', disabled_at = NOW WHERE id = '{ALICE}'"
    ))
    .unwrap();
    sql(&claim("NULL", "rich")).unwrap();
    sql(&format!("DELETE FROM users WHERE id = '{ALICE}'")).unwrap();
}

fn what_a_user_is(sql: Sql<'_>) {
    sql(&user(ALICE, "Alice", &[("email", "'Alice@Example.org'")])).unwrap();
    assert_eq!(sql("SELECT role FROM users").unwrap(), "miner");
    refused(sql, &user(BOB, "aLICE", &[]), "unique");
    // An address is one user's once it is confirmed.
    sql(&format!("UPDATE users SET email_verified_at = NOW WHERE id = '{ALICE}'")).unwrap();
    let same = [("email", "'alice@example.ORG'"), ("email_verified_at", "NOW")];
    refused(sql, &user(BOB, "bob", &same), "unique");
    for name in ["", "al", "al ice", "alice'' OR 1=1", "<b>", &"a".repeat(51), "\u{e4}lice"] {
        refused(sql, &user(BOB, name, &[]), "check");
    }
    for (column, value) in [
        ("email", "'nobody'"),
        ("email", "'a@b@c'"),
        ("email", "'a b@c.org'"),
        ("email", "'@c.org'"),
        ("role", "'root'"),
        ("mfa_enabled", "TRUE"),
        ("mfa_sealed", "SEALED_TOO_SHORT"),
        ("email_verified_at", "NOW"),
    ] {
        refused(sql, &user(BOB, "bob", &[(column, value)]), "check");
    }
    refused(sql, &user(BOB, "bob", &[]).replace("$argon2id$v=19$", "hunter2"), "check");
    sql(&user(BOB, "bob", &[("mfa_enabled", "TRUE"), ("mfa_sealed", "SEALED"), ("role", "'admin'")]))
        .unwrap();
    // Addresses are unique only among those who have one.
    sql(&user("00000000-0000-4000-8000-00000000000c", "carol", &[])).unwrap();
    sql(&user("00000000-0000-4000-8000-00000000000d", "dave", &[])).unwrap();
}

/// SQLite, as any program opens it that enforces what the schema says.
fn on_file(folder: &TempDir) -> impl Fn(&str) -> Result<String, String> {
    let db = rusqlite::Connection::open(folder.path().join("pool.db")).unwrap();
    db.pragma_update(None, "foreign_keys", "ON").unwrap();
    move |statement: &str| {
        let sealed = format!("x'{}'", "5e".repeat(60));
        let statement = statement
            .replace("SEALED_TOO_SHORT", "x'5e5e'")
            .replace("SEALED", &sealed)
            .replace("NOW", "1700000000000");
        let rows = db.prepare(&statement).and_then(|mut prepared| {
            let rows = prepared.query_map([], |row| row.get::<_, String>(0))?;
            rows.collect::<Result<Vec<_>, _>>()
        });
        rows.map(|rows| rows.join("\n")).map_err(|error| error.to_string())
    }
}

fn on_server(server: &Postgres) -> impl Fn(&str) -> Result<String, String> {
    let sealed = format!("'\\x{}'", "5e".repeat(60));
    move |statement: &str| {
        let statement = statement
            .replace("SEALED_TOO_SHORT", "'\\x5e5e'")
            .replace("SEALED", &sealed)
            .replace("NOW", "'2026-01-01T00:00:00Z'");
        server.sql(&statement).map(|text| text.trim().to_owned())
    }
}

#[actix_rt::test]
async fn accounts_are_nobodys_or_one_users_on_sqlite() {
    let folder = TempDir::new().unwrap();
    let store: SharedStore = Arc::new(crate::sqlite(&folder));
    accounts(&store).await;
    claims(&on_file(&folder));
    assert!(store.check().await.unwrap().is_empty());
}

#[actix_rt::test]
async fn accounts_are_nobodys_or_one_users_on_postgres() {
    let server = Postgres::start();
    let store: SharedStore = Arc::new(crate::postgres::store(&server));
    accounts(&store).await;
    claims(&on_server(&server));
    assert!(store.check().await.unwrap().is_empty());
}

#[actix_rt::test]
async fn users_are_checked_on_sqlite() {
    let folder = TempDir::new().unwrap();
    drop(crate::sqlite(&folder));
    what_a_user_is(&on_file(&folder));
}

#[actix_rt::test]
async fn users_are_checked_on_postgres() {
    let server = Postgres::start();
    let store: SharedStore = Arc::new(crate::postgres::store(&server));
    store.load("n1").await.unwrap();
    what_a_user_is(&on_server(&server));
}
