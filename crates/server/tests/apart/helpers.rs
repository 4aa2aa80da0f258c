//! A worker over the real program, and its processes as the system lists them.

use std::sync::Arc;
use std::time::Duration;

use mainspring_model::Fault;
use mainspring_model::action::{Context, Outcome};
use mainspring_model::catalog::Provider;
use mainspring_model::id::Owner;
use mainspring_providers::apart::Apart;
use mainspring_providers::{logic, transform};
use mainspring_server::wire::SystemClock;
use serde_json::{Value, json};

/// The actions that are done apart.
pub struct Worker(Vec<Provider>);

impl Worker {
    pub fn new() -> Worker {
        let apart = Apart::program(env!("CARGO_BIN_EXE_mainspring").into(), &["work-apart"]);
        Worker(vec![logic::provider(&apart), transform::provider(&apart)])
    }

    /// Calls `provider.action`.
    pub async fn call(&self, name: &str, params: Value) -> Result<Value, Fault> {
        let (provider, action) = name.split_once('.').expect("tests write provider.action");
        let provider = self.0.iter().find(|other| other.id == provider).expect("tests name providers that are there");
        let cx = Context::apart(Owner::LOCAL, name, Arc::new(SystemClock::new()), Duration::from_secs(60));
        match provider.action(action).expect("tests name actions that exist").call(params, &cx).await? {
            Outcome::Done(output) => Ok(output.value),
            other => panic!("{other:?} is no output"),
        }
    }

    pub async fn jq(&self, query: &str) -> Value {
        self.call("logic.jq", json!({"input": null, "query": query})).await.unwrap()
    }
}

/// Every helper that this process has started and that lives.
pub fn helpers_of_this_process() -> Vec<u32> {
    let us = std::process::id();
    let folders = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = folders.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // `pid (name) state parent …`, and a name may hold anything.
        let mut rest = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let (state, parent) = (rest.next().unwrap_or_default(), rest.next().unwrap_or_default());
        let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        state != "Z" && parent == us.to_string() && arguments.split(|byte| *byte == 0).any(|part| part == b"work-apart")
    })
    .collect()
}
