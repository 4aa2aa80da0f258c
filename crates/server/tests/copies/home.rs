//! A home of runs, in a folder or in a database: commands in it, and a server over it.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cli::program::{Done, Place, Watchdog};
use crate::postgres::database::Database;

pub struct Home {
    pub place: Place,
    pub database: Option<Database>,
    /// `ENCRYPTION_KEY`; without it the folder's key file is used.
    pub key: Option<String>,
    server: Option<(Child, String)>,
}

pub fn now() -> Instant {
    crate::postgres::node::now()
}

impl Home {
    pub fn in_folder() -> Home {
        Home::over(None)
    }

    pub fn in_database() -> Home {
        Home::over(Some(Database::make()))
    }

    fn over(database: Option<Database>) -> Home {
        Home { place: Place::new(), database, key: None, server: None }
    }

    /// What `--from` and `--to` call it.
    pub fn url(&self) -> String {
        match &self.database {
            Some(database) => database.url(),
            None => format!("sqlite:{}", self.place.data().display()),
        }
    }

    fn command(&self, args: &[&str]) -> std::process::Command {
        let mut command = self.place.command(args);
        if let Some(database) = &self.database {
            command.env("DATABASE_URL", database.url()).env("MIGRATE_DATABASE_URL", database.migrate_url()).env("MAINSPRING_LEASE", "2s");
        }
        if let Some(key) = &self.key {
            command.env("ENCRYPTION_KEY", key);
        }
        command
    }

    pub fn start(&self, args: &[&str]) -> Child {
        self.command(args).spawn().unwrap()
    }

    pub fn run(&self, args: &[&str]) -> Done {
        let child = self.start(args);
        let _watchdog = Watchdog::over(&child);
        Done::of(child.wait_with_output().unwrap())
    }

    /// The key as an operator keeps it somewhere else.
    pub fn escrowed_key(&self) -> String {
        match &self.key {
            Some(key) => key.clone(),
            None => std::fs::read_to_string(self.place.data().join("key")).unwrap().trim().to_owned(),
        }
    }

    pub fn serve(&mut self) {
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = self.command(&["serve", "--dev", "--listen", &address.to_string()]);
        command.stdout(Stdio::null()).stderr(std::fs::File::create(self.place.path("log")).unwrap());
        self.server = Some((command.spawn().unwrap(), format!("http://{address}")));
        let began = now();
        while self.ask("GET", "/health/readiness", &json!(null)).0 != 200 {
            let log = || std::fs::read_to_string(self.place.path("log")).unwrap();
            assert!(began.elapsed() < Duration::from_secs(60), "the server is not ready: {}", log());
        }
    }

    pub fn address(&self) -> String {
        self.server.as_ref().map(|(_, url)| url.clone()).unwrap()
    }

    pub fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        ask(&self.address(), method, path, body)
    }

    pub fn save(&self, plan: &Value) -> String {
        let (status, answer) = self.ask("POST", "/api/plans", plan);
        assert_eq!(status, 201, "{answer}");
        answer["plan"]["id"].as_str().unwrap().to_owned()
    }

    /// The run once it has ended.
    pub fn ended(&self, run: &str) -> Value {
        let began = now();
        loop {
            let (status, answer) = self.ask("GET", &format!("/api/runs/{run}"), &json!(null));
            assert_eq!(status, 200, "the run {run} is lost: {answer}");
            let run = &answer["run"];
            if ["success", "error", "cancelled", "needs_decision", "quarantined"].iter().any(|status| run["status"] == *status) {
                return run.clone();
            }
            assert!(began.elapsed() < Duration::from_secs(60), "the run did not end: {run}");
        }
    }

    /// As a crash.
    pub fn kill(&mut self) {
        if let Some((mut child, _)) = self.server.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Status and body; 0 without an answer. By curl: nothing of ours is in between.
pub fn ask(url: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let mut command = std::process::Command::new("curl");
    command.args(["-s", "-m", "30", "-X", method, "-w", "\n%{http_code}", &format!("{url}{path}")]);
    if !body.is_null() {
        command.args(["-H", "content-type: application/json", "-d", &body.to_string()]);
    }
    let said = String::from_utf8_lossy(&command.output().unwrap().stdout).into_owned();
    let (body, status) = said.rsplit_once('\n').unwrap_or_default();
    (status.parse().unwrap_or(0), serde_json::from_str(body).unwrap_or_default())
}
