//! The program serving in a process of its own, and the run that it had done before anything went wrong.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::cli::program::{Place, Watchdog, signal};

pub struct Running {
    pub place: Place,
    pub address: SocketAddr,
    pub process: Child,
    _watchdog: Watchdog,
    /// What the server said of the run that it did first.
    before: Value,
    echo: String,
    log: std::thread::JoinHandle<String>,
}

pub struct Reply {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: Value,
}

impl Reply {
    /// A refusal in one line: `422 UNKNOWN_FIELD: what is wrong`.
    pub fn refusal(&self) -> String {
        let text = |name: &str| self.body[name].as_str().unwrap_or("-").to_owned();
        format!("{} {}: {}", self.status, text("code"), text("detail"))
    }

    /// Each finding in a line: `3:7 /steps/0 CODE: message | expected this | write that`.
    pub fn findings(&self) -> Vec<String> {
        let list = self.body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        list.iter().map(finding).collect()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

fn finding(finding: &Value) -> String {
    let text = |name: &str| finding[name].as_str().unwrap_or_default();
    let mut line = match (finding["line"].as_u64(), finding["column"].as_u64()) {
        (Some(line), Some(column)) => format!("{line}:{column} "),
        _ => String::new(),
    };
    line.push_str(&format!("{} {}: {}", text("pointer"), text("code"), text("message")));
    for (name, word) in [("expected", "expected"), ("fix", "write")] {
        if let Some(said) = finding[name].as_str() {
            line.push_str(&format!(" | {word} {said}"));
        }
    }
    line
}

/// Whose input comes back as its output.
fn echo() -> Value {
    json!({"name": "Echo", "inputs": {"text": {"type": "string"}}, "steps": [{"id": "say", "action": "logic.set", "params": {"text": "${inputs.text}"}}]})
}

impl Running {
    pub async fn start() -> Running {
        let place = Place::new();
        let command = place.command(&["serve", "--dev", "--listen", "127.0.0.1:0"]);
        Running::of(place, command).await
    }

    /// By a command that ends up as `serve --dev` on a free port.
    pub async fn of(place: Place, mut command: Command) -> Running {
        let mut process = command.spawn().unwrap();
        let watchdog = Watchdog::over(&process);
        let mut reader = BufReader::new(process.stderr.take().unwrap());
        let mut said = String::new();
        let address = loop {
            let line = said.len();
            assert_ne!(reader.read_line(&mut said).unwrap(), 0, "the server ended before it said where it listens:\n{said}");
            if let Some((_, rest)) = said[line..].split_once("http://") {
                break rest.split_whitespace().next().unwrap().parse().unwrap();
            }
        };
        // Whatever else it says must not fill the pipe.
        let log = std::thread::spawn(move || {
            let mut said = Vec::new();
            drop(reader.read_to_end(&mut said));
            String::from_utf8_lossy(&said).into_owned()
        });
        let mut running = Running { place, address, process, _watchdog: watchdog, before: Value::Null, echo: String::new(), log };
        running.echo = running.save(&echo()).await;
        let run = running.echoed("before").await;
        running.before = running.get(&format!("/api/runs/{run}")).await.body;
        running
    }

    pub async fn ask(&self, method: &str, path: &str, body: impl Into<Bytes>) -> Reply {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut connection, driver) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(driver);
        let request = hyper::Request::builder().method(method).uri(path).header("host", self.address.to_string());
        let request = request.header("content-type", "application/json").body(Full::new(body.into())).unwrap();
        let (head, body) = connection.send_request(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        // A stream of events is text; a deep plan is deeper than serde_json reads by itself.
        let body = mainspring_model::value::from_json(&text).unwrap_or(Value::String(text));
        Reply { status: head.status.as_u16(), headers: head.headers, body }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, "").await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.ask("POST", path, body.to_string()).await
    }

    /// A plan's id.
    pub async fn save(&self, plan: &Value) -> String {
        let saved = self.post("/api/plans", plan).await;
        assert_eq!(saved.status, 201, "{}", saved.body);
        saved.body["plan"]["id"].as_str().unwrap().to_owned()
    }

    /// Starts a plan and waits for it as long as the server lets its callers wait.
    pub async fn execute(&self, id: &str, inputs: Value) -> Reply {
        self.post("/api/execute", &json!({"plan_id": id, "inputs": inputs})).await
    }

    /// A run as it stands.
    pub async fn run(&self, executed: &Reply) -> Value {
        let id = executed.body["execution"]["id"].as_str().unwrap_or_else(|| panic!("no run: {}", executed.body));
        self.get(&format!("/api/runs/{id}")).await.body["run"].clone()
    }

    /// Saves a plan of these steps and one that must never run after them, and tells how the run failed: `step CODE: message`.
    pub async fn failure(&self, mut steps: Vec<Value>) -> String {
        steps.push(json!({"id": "after", "action": "logic.set", "params": {}}));
        let id = self.save(&json!({"name": "Bad", "steps": steps})).await;
        let executed = self.execute(&id, json!({})).await;
        assert_eq!((executed.status, &executed.body["success"]), (200, &json!(false)), "{}", executed.body);
        let run = self.run(&executed).await;
        let error = &run["error"];
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let step = text(&error["details"]["step"]);
        // The run's error is the step's, and the step after it was never begun.
        let failed = run["steps"].as_array().unwrap().iter().find(|known| known["id"] == step.as_str()).unwrap();
        assert_eq!((&failed["error"]["code"], &failed["error"]["message"]), (&error["code"], &error["message"]));
        assert_eq!((&run["status"], &run["steps"].as_array().unwrap().last().unwrap()["status"]), (&json!("error"), &json!("not_reached")));
        format!("{step} {}: {}", text(&error["code"]), text(&error["message"]))
    }

    /// A run of a plan that gives back `text`; its id.
    async fn echoed(&self, text: &str) -> String {
        let executed = self.execute(&self.echo, json!({"text": text})).await;
        assert_eq!((executed.status, &executed.body["success"]), (200, &json!(true)), "{}", executed.body);
        assert_eq!(executed.body["execution"]["step_outputs"], json!([{"text": text}]));
        executed.body["execution"]["id"].as_str().unwrap().to_owned()
    }

    /// The process lives and is ready, the run of before is as it was, and a new one does its work.
    pub async fn whole(&mut self) {
        assert_eq!(self.process.try_wait().unwrap(), None, "the process ended");
        let ready = self.get("/health/readiness").await;
        assert_eq!((ready.status, &ready.body["status"]), (200, &json!("ready")), "{}", ready.body);
        let before = format!("/api/runs/{}", self.before["run"]["id"].as_str().unwrap());
        assert_eq!(self.get(&before).await.body, self.before);
        self.echoed("after").await;
    }

    /// Ends it as a service manager does; its exit code, and what it said to its log.
    pub fn stop(mut self) -> (i32, String) {
        signal(&self.process, "TERM");
        let code = self.process.wait().unwrap().code().unwrap_or(-1);
        let log = std::mem::replace(&mut self.log, std::thread::spawn(String::new));
        (code, log.join().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
