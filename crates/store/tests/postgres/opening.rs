//! Opening: what is refused in clear words, and many that open at once.

use std::time::Duration;

use futures_util::future::join_all;
use mainspring_model::store::{Health, RunStore, StoreError};
use mainspring_store::postgres::{OpenOptions, PostgresStore, migrate, migration_state};
use sqlx::{AssertSqlSafe, Executor};

use super::database::Database;

async fn refused(options: OpenOptions) -> StoreError {
    match PostgresStore::open(options).await {
        Err(error) => error,
        Ok(_) => panic!("expected a refusal"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_nodes_open_an_empty_database_at_once() {
    let database = Database::make().await;
    let stores = join_all((0..5).map(|_| PostgresStore::open(database.options()))).await;
    let mut epochs = Vec::new();
    for store in &stores {
        let store = store.as_ref().unwrap();
        assert_eq!(store.warnings(), [""; 0]);
        store.probe().await.unwrap();
        epochs.push(store.epoch());
    }
    epochs.sort_unstable();
    epochs.dedup();
    assert_eq!(epochs.len(), 5, "each is a node of its own");
    for store in stores {
        store.unwrap().close().await;
    }
    let left: i64 = sqlx::query_scalar("select count(*) from nodes").fetch_one(&mut database.beside().await).await.unwrap();
    assert_eq!(left, 0, "who closes signs off");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_may_own_the_schema_but_not_in_production() {
    let database = Database::make().await;
    let one = OpenOptions::new(database.url(&database.owner, "owner"));
    let store = PostgresStore::open(one.clone()).await.unwrap();
    assert!(store.warnings()[0].contains("owns the tables"), "{:?}", store.warnings());
    store.close().await;
    let error = refused(OpenOptions { production: true, ..one }).await;
    assert!(matches!(&error, StoreError::Rights(text) if text.contains("MIGRATE_DATABASE_URL")), "{error}");
    let two = OpenOptions { production: true, ..database.options() };
    PostgresStore::open(two).await.unwrap().close().await;
}

#[tokio::test]
async fn mighty_roles_are_refused_by_name() {
    let database = Database::make().await;
    let mut server = database.beside().await;
    for (right, undo) in [("superuser", "nosuperuser"), ("bypassrls", "nobypassrls")] {
        server.execute(AssertSqlSafe(format!("alter role {} {right}", database.runtime))).await.unwrap();
        let error = refused(database.options()).await;
        let named = right.to_uppercase();
        assert!(matches!(&error, StoreError::Rights(text) if text.contains(&named) && text.contains(&database.runtime)), "{error}");
        server.execute(AssertSqlSafe(format!("alter role {} {undo}", database.runtime))).await.unwrap();
    }
    // By membership, too: it may become what it is not.
    server.execute(AssertSqlSafe(format!("alter role {} bypassrls", database.owner))).await.unwrap();
    server.execute(AssertSqlSafe(format!("grant {} to {}", database.owner, database.runtime))).await.unwrap();
    let error = refused(database.options()).await;
    assert!(matches!(&error, StoreError::Rights(text) if text.contains(&database.owner)), "{error}");
}

#[tokio::test]
async fn wrong_addresses_have_their_codes() {
    let database = Database::make().await;
    let patient = Duration::from_secs(5);
    let open = async |url: String| refused(OpenOptions { deadline: patient, ..OpenOptions::new(url) }).await;
    assert_eq!(open("not an address".to_owned()).await.code(), "INVALID_REQUEST");
    let good = database.url(&database.runtime, "runtime");
    let elsewhere = good.rsplit_once('/').unwrap().0.to_owned() + "/no_such_database";
    assert_eq!(open(elsewhere).await.code(), "STORE_DENIED");
    assert_eq!(open(database.url(&database.runtime, "wrong")).await.code(), "STORE_DENIED");
    let nobody = database.url("no_such_role", "x");
    assert_eq!(open(nobody).await.code(), "STORE_DENIED");
    // A port that answers nothing: bound, and never listened on.
    let taken = tokio::net::TcpSocket::new_v4().unwrap();
    taken.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = open(format!("postgres://a:secret@127.0.0.1:{port}/x")).await;
    assert_eq!(error.code(), "STORE_UNREACHABLE");
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[tokio::test]
async fn a_read_only_database_is_refused() {
    let database = Database::make().await;
    let sql = format!("alter role {} set default_transaction_read_only = on", database.runtime);
    database.beside().await.execute(AssertSqlSafe(sql)).await.unwrap();
    assert_eq!(refused(database.options()).await.code(), "STORE_READ_ONLY");
}

#[tokio::test]
async fn a_role_at_its_connection_limit_is_told_so() {
    let database = Database::make().await;
    migrate(&database.options()).await.unwrap();
    let sql = format!("alter role {} connection limit 0", database.runtime);
    database.beside().await.execute(AssertSqlSafe(sql)).await.unwrap();
    assert_eq!(refused(database.options()).await.code(), "STORE_BUSY");
}

#[tokio::test]
async fn migrations_are_compared_and_none_is_applied_unasked() {
    let database = Database::make().await;
    let careful = OpenOptions { auto_migrate: false, ..database.options() };
    let error = refused(careful.clone()).await;
    let StoreError::Pending { names } = error else { panic!("{error}") };
    assert_eq!(names[0], "0001_runs");
    assert_eq!(migration_state(&careful).await.unwrap().applied, [""; 0]);
    assert_eq!(migrate(&careful).await.unwrap().pending, [""; 0]);
    let store = PostgresStore::open(careful.clone()).await.unwrap();
    assert_eq!(store.migrations().await.unwrap().applied, names);
    store.close().await;

    let mut server = database.beside().await;
    server.execute("alter table schedules rename to calendars").await.unwrap();
    let error = refused(careful.clone()).await;
    assert!(matches!(&error, StoreError::Lacking { names } if names == "schedules"), "{error}");
    server.execute("alter table calendars rename to schedules").await.unwrap();
    server.execute("update schema_migrations set sha256 = 'x' where version = 2").await.unwrap();
    let error = refused(careful.clone()).await;
    assert!(matches!(&error, StoreError::ChangedMigration { name } if name == "0002_plans"), "{error}");
    let again = migrate(&careful).await;
    assert!(matches!(again, Err(StoreError::ChangedMigration { .. })), "{again:?}");
    server.execute("update schema_migrations set name = '9999_later' where version = 2").await.unwrap();
    server
        .execute("insert into schema_migrations (version, name, sha256) select 99, '0002_plans', sha256 from schema_migrations where false")
        .await
        .unwrap();
    let error = refused(careful).await;
    assert!(matches!(&error, StoreError::Newer { found } if found == "9999_later"), "{error}");
}
