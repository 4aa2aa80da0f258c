//! One node: a process that serves, and what is asked of it.

use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::database::Database;
use crate::cli::program::{Done, Place, signal};

/// One key for all nodes, as operators give it.
pub const KEY: &str = "wk/tYeWin4b+rEWqGqlchfxxzJgpPuxS0jHyNkDKbs8=";

/// Opens the figures.
const TOKEN: &str = "a-token-for-the-monitor";

pub struct Node {
    child: Child,
    pub url: String,
    place: Place,
}

impl Node {
    /// Serves and is ready.
    pub fn start(database: &Database, roles: &str) -> Node {
        Node::start_with(database, roles, &[])
    }

    pub fn start_with(database: &Database, roles: &str, flags: &[&str]) -> Node {
        Node::start_in(database, roles, flags, &[])
    }

    /// The same with variables of its environment.
    pub fn start_in(database: &Database, roles: &str, flags: &[&str], environment: &[(&str, &str)]) -> Node {
        let place = Place::new();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = place.command(&["serve", "--dev", "--listen", &address.to_string(), "--roles", roles]);
        command.args(flags);
        command.env("DATABASE_URL", database.url()).env("MIGRATE_DATABASE_URL", database.migrate_url());
        command.env("ENCRYPTION_KEY", KEY).env("MAINSPRING_LEASE", "2s").env("MAINSPRING_METRICS_TOKEN", TOKEN).stdout(Stdio::null());
        command.envs(environment.iter().copied());
        command.stderr(std::fs::File::create(place.path("log")).unwrap());
        let node = Node { child: command.spawn().unwrap(), url: format!("http://{address}"), place };
        let began = now();
        while node.ask("GET", "/health/readiness", &json!(null)).0 != 200 {
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "the node is not ready: {}",
                std::fs::read_to_string(node.place.path("log")).unwrap()
            );
            std::thread::yield_now();
        }
        node
    }

    /// Status and body; 0 without an answer. By curl: nothing of ours is in between.
    pub fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let mut command = std::process::Command::new("curl");
        command.args(["-s", "-m", "30", "-X", method, "-w", "\n%{http_code}", &format!("{}{path}", self.url)]);
        if !body.is_null() {
            command.args(["-H", "content-type: application/json", "-d", &body.to_string()]);
        }
        let said = String::from_utf8_lossy(&command.output().unwrap().stdout).into_owned();
        let (body, status) = said.rsplit_once('\n').unwrap_or_default();
        (status.parse().unwrap_or(0), serde_json::from_str(body).unwrap_or_default())
    }

    pub fn plan(&self, document: &Value) -> String {
        let (status, answer) = self.ask("POST", "/api/plans", document);
        assert_eq!(status, 201, "{answer}");
        answer["plan"]["id"].as_str().unwrap().to_owned()
    }

    pub fn run(&self, id: &str) -> Value {
        self.ask("GET", &format!("/api/runs/{id}"), &json!(null)).1["run"].take()
    }

    /// The run once it has ended.
    pub fn ended(&self, id: &str, within: Duration) -> Value {
        let began = now();
        loop {
            let run = self.run(id);
            if ["success", "error", "cancelled", "needs_decision"].iter().any(|status| run["status"] == *status) {
                return run;
            }
            assert!(began.elapsed() < within, "the run did not end: {run}");
        }
    }

    /// A figure as the node's monitoring reads it, at this moment; `NaN` when the node does not answer or has no such series.
    pub fn figure(&self, series: &str) -> f64 {
        let mut command = std::process::Command::new("curl");
        command.args(["-s", "-m", "30", "-H", &format!("authorization: Bearer {TOKEN}"), &format!("{}/metrics", self.url)]);
        let text = String::from_utf8_lossy(&command.output().unwrap().stdout).into_owned();
        text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok()).unwrap_or(f64::NAN)
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.place.path("log")).unwrap()
    }

    /// A signal to the process, by name.
    pub fn send(&self, name: &str) {
        signal(&self.child, name);
    }

    /// As a crash.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// In order; the exit code.
    pub fn stop(mut self) -> i32 {
        signal(&self.child, "TERM");
        self.child.wait().unwrap().code().unwrap_or(-1)
    }

    /// Its exit code, once it has ended by itself.
    pub fn ended_by_itself(&mut self) -> Option<i32> {
        self.child.try_wait().unwrap().map(|status| status.code().unwrap_or(-1))
    }

    /// A command in this node's place and environment.
    pub fn command(&self, database: &Database, args: &[&str]) -> Done {
        command(&self.place, database, args)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub fn command(place: &Place, database: &Database, args: &[&str]) -> Done {
    let mut command = place.command(args);
    command.env("DATABASE_URL", database.url()).env("MIGRATE_DATABASE_URL", database.migrate_url()).env("ENCRYPTION_KEY", KEY);
    Done::of(command.output().unwrap())
}

#[expect(clippy::disallowed_methods, reason = "real processes take real time")]
pub fn now() -> Instant {
    Instant::now()
}
