//! A database of a test's own on the server that `cargo x` started, made by psql: SQL is the store's business.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

const URL: &str = "MAINSPRING_TEST_POSTGRES_URL";

static NEXT: AtomicU32 = AtomicU32::new(0);

/// Dropped with its roles at the end.
pub struct Database {
    server: String,
    name: String,
}

impl Database {
    pub fn make() -> Database {
        #[expect(clippy::disallowed_methods, reason = "how `cargo x` tells a test where its server is")]
        let server = std::env::var(URL).unwrap_or_else(|_| {
            panic!("{URL} is not set: run the tests by `cargo x test`, or by `cargo x with-postgres cargo nextest run …`")
        });
        Database::on(server)
    }

    /// On a server of one's own, by the address of its superuser.
    pub fn on(server: String) -> Database {
        let name = format!("s_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let database = Database { server, name };
        database.drop_all();
        let Database { name, .. } = &database;
        database.psql(&format!("create role {name}_owner login password 'owner' createrole"));
        database.psql(&format!("create role {name}_node login password 'node'"));
        database.psql(&format!("create database {name} owner {name}_owner"));
        database
    }

    /// For nodes: it owns nothing.
    pub fn url(&self) -> String {
        self.url_of("node", "node")
    }

    /// Of the role that owns the schema.
    pub fn migrate_url(&self) -> String {
        self.url_of("owner", "owner")
    }

    pub fn url_of(&self, role: &str, password: &str) -> String {
        let (_, place) = self.server.rsplit_once('@').unwrap();
        let (place, _) = place.rsplit_once('/').unwrap();
        format!("postgres://{name}_{role}:{password}@{place}/{name}", name = self.name)
    }

    pub fn superuser_url(&self) -> String {
        format!("{}/{}", self.server.rsplit_once('/').unwrap().0, self.name)
    }

    /// One statement as the superuser of the server, in its own database or, before there is one, in the server's.
    pub fn psql(&self, sql: &str) -> String {
        let inside = !sql.starts_with("create ") && !sql.starts_with("drop ");
        let url = if inside { self.superuser_url() } else { self.server.clone() };
        let done = Command::new("psql").args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", &url, "-c", sql]).output().unwrap();
        assert!(done.status.success(), "{sql}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    }

    fn drop_all(&self) {
        let Database { name, .. } = self;
        self.psql(&format!("drop database if exists {name} with (force)"));
        for role in ["owner", "node"] {
            self.psql(&format!("drop role if exists {name}_{role}"));
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let queue = self.psql("select 'mainspring_queue_' || oid from pg_database where datname = current_database()");
            self.psql(&format!("drop database if exists {} with (force)", self.name));
            self.psql(&format!("drop role if exists \"{queue}\""));
            self.drop_all();
        }
    }
}
