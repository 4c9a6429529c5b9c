//! The database over TLS: encrypted, and by nobody's word but its authority's.

use std::{path::Path, sync::Arc};

use pool_actors::{
    adapters::{
        postgres::{PostgresSettings, PostgresStore},
        system_clock::SystemClock,
    },
    ports::store::{StoreError, StorePort as _},
};
use pool_tests::postgres::Postgres;

use crate::conformance::{balanced, commit};

fn store(server: &Postgres, mode: &str, authority: Option<&Path>) -> PostgresStore {
    let mut settings = PostgresSettings::new(&format!("{}{mode}", server.url()), None).unwrap();
    if let Some(authority) = authority {
        settings.trust(authority).unwrap();
    }
    let (store, thread) = PostgresStore::open(settings, None, Arc::new(SystemClock)).unwrap();
    crate::start(thread);
    store
}

#[actix_rt::test]
async fn all_connections_are_encrypted_and_survive_the_server() {
    let mut server = Postgres::with_tls(None);
    for mode in ["?sslmode=verify-full", "?sslmode=require"] {
        let store = store(&server, mode, Some(&server.authority()));
        let position = store.load("n1").await.unwrap().position;
        let mut next = commit(position, position.seq.0 + 1);
        next.postings = vec![balanced(position.commits + 1)];
        let after = store.commit(Arc::new(next)).await.unwrap();
        assert_eq!(store.check().await.unwrap(), vec![]);
        let plain = "SELECT count(*), count(*) FILTER (WHERE NOT s.ssl) FROM pg_stat_activity AS a JOIN pg_stat_ssl AS s USING (pid) \
                     WHERE a.usename = 'dagpool'";
        let counted = server.admin_sql(plain).unwrap();
        let (all, unencrypted) = counted.split_once('|').unwrap();
        assert!(all.parse::<u32>().unwrap() >= 1 && unencrypted == "0", "{counted}");
        server.kill();
        server.restart();
        let again = async {
            loop {
                match store.load("n1").await {
                    Err(StoreError::Unavailable { .. }) => {
                        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                    }
                    other => break other,
                }
            }
        };
        assert_eq!(again.await.unwrap().position, after);
        drop(store);
    }
}

#[actix_rt::test]
async fn who_is_not_who_it_should_be_gets_no_word() {
    let refused = async |server: &Postgres, mode: &str, authority: Option<&Path>| {
        store(server, mode, authority).load("n1").await.unwrap_err().to_string()
    };
    let server = Postgres::with_tls(None);
    let said = refused(&server, "?sslmode=verify-full", None).await;
    assert!(said.contains("UnknownIssuer"), "{said}");
    let said = refused(&server, "?sslmode=require", None).await;
    assert!(said.contains("UnknownIssuer"), "{said}");
    let said = refused(&server, "", None).await;
    assert!(said.contains("no encryption"), "{said}");
    let other = Postgres::with_tls(Some("192.0.2.1"));
    let said = refused(&other, "?sslmode=verify-full", Some(&other.authority())).await;
    assert!(said.contains("not valid for name"), "{said}");
    let plain = Postgres::start();
    let said = refused(&plain, "?sslmode=verify-full", None).await;
    assert!(said.contains("TLS"), "{said}");
}
