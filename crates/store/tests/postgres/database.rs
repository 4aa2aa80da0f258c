//! A database of a test's own: made on the server that `cargo x` started, with its login roles, and dropped at the test's end.

use std::sync::atomic::{AtomicU32, Ordering};

use mainspring_store::postgres::OpenOptions;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

/// Where the server is, as its superuser.
pub const URL: &str = "MAINSPRING_TEST_POSTGRES_URL";

/// Of this process; with its number, names that no other test has.
static NEXT: AtomicU32 = AtomicU32::new(0);

pub struct Database {
    pub name: String,
    /// The role that owns the schema.
    pub owner: String,
    /// The role of nodes: it owns nothing.
    pub runtime: String,
}

#[expect(clippy::disallowed_methods, reason = "how `cargo x` tells a test where its server is")]
fn server() -> String {
    match std::env::var(URL) {
        Ok(url) => url,
        Err(_) => panic!("{URL} is not set: run the tests by `cargo x test`, or by `cargo x with-postgres cargo nextest run …`"),
    }
}

impl Database {
    pub async fn make() -> Database {
        // First: without a server there is nothing to drop either.
        let url = server();
        let name = format!("t_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let database = Database { owner: format!("{name}_owner"), runtime: format!("{name}_runtime"), name };
        database.drop_all().await;
        let Database { name, owner, runtime } = &database;
        let mut server = PgConnection::connect(&url).await.unwrap();
        for sql in [
            format!("create role {owner} login password 'owner' createrole"),
            format!("create role {runtime} login password 'runtime'"),
            format!("create database {name} owner {owner}"),
        ] {
            server.execute(AssertSqlSafe(sql)).await.unwrap();
        }
        server.close().await.unwrap();
        database
    }

    /// The address of this database for a role.
    pub fn url(&self, role: &str, password: &str) -> String {
        let server = server();
        let (_, place) = server.rsplit_once('@').expect("the server's address names a user");
        let (place, _) = place.rsplit_once('/').expect("the server's address names a database");
        format!("postgres://{role}:{password}@{place}/{}", self.name)
    }

    /// Two addresses: the nodes' role owns nothing.
    pub fn options(&self) -> OpenOptions {
        OpenOptions { migrate_url: Some(self.url(&self.owner, "owner")), ..OpenOptions::new(self.url(&self.runtime, "runtime")) }
    }

    /// A connection beside the store, for what no store does: breaking things and looking at them. Nothing binds it.
    pub async fn beside(&self) -> PgConnection {
        let server = server();
        let (before, _) = server.rsplit_once('/').unwrap();
        PgConnection::connect(&format!("{before}/{}", self.name)).await.unwrap()
    }

    async fn drop_all(&self) {
        let Database { name, owner, runtime } = self;
        let mut server = PgConnection::connect(&server()).await.unwrap();
        let queue: Option<String> = sqlx::query_scalar(
            "select 'mainspring_queue_' || oid from pg_database where datname = $1 and exists (select from pg_roles \
                 where rolname = 'mainspring_queue_' || pg_database.oid)",
        )
        .bind(name)
        .fetch_optional(&mut server)
        .await
        .unwrap();
        let queue = queue.map(|queue| format!("drop role {queue}"));
        let drops = [format!("drop database if exists {name} with (force)")].into_iter().chain(queue);
        for sql in drops.chain([format!("drop role if exists {runtime}"), format!("drop role if exists {owner}")]) {
            server.execute(AssertSqlSafe(sql)).await.unwrap();
        }
        server.close().await.unwrap();
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // A runtime of its own: the test's may be over, and may be single.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(self.drop_all());
            });
        });
    }
}
