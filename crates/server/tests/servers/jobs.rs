//! A queue of slow jobs: a job is accepted at once and done after it has been looked at a number of times.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use mainspring_model::clock::{Clock, Millis};
use serde_json::{Value, json};

use super::asked::Asked;
use super::server::{self, Reply, Server};

/// The queue: `POST /jobs` gives 202 `{id, state}`, `GET /job?id=…` the state.
pub struct Jobs {
    pub server: Server,
    desk: Arc<Desk>,
}

struct Desk {
    /// The look that finds the job ended.
    ready_at: usize,
    /// What it then finds.
    end: Value,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Job by idempotency key: the same request again is the same job.
    by_key: HashMap<String, String>,
    looks: Vec<Millis>,
}

impl Jobs {
    /// `end` is what the look number `ready_at` (from 1) and later ones find.
    pub async fn start(ready_at: usize, end: Value, clock: Arc<dyn Clock>) -> Jobs {
        let desk = Arc::new(Desk { ready_at, end, clock, state: Mutex::default() });
        let server = Server::start({
            let desk = desk.clone();
            move |asked| desk.answer(asked)
        })
        .await;
        Jobs { server, desk }
    }

    /// When the job was looked at, by the given clock.
    pub fn looks(&self) -> Vec<Millis> {
        self.desk.state.lock().expect("no panic happens while the desk is held").looks.clone()
    }
}

impl Desk {
    fn answer(&self, asked: &Asked) -> Reply {
        let mut state = self.state.lock().expect("no panic happens while the desk is held");
        match asked.line().as_str() {
            "POST /jobs" if asked.header("idempotency-key").is_empty() => {
                server::json(400, &json!({"error": "an Idempotency-Key is needed"}))
            }
            "POST /jobs" => {
                let number = state.by_key.len() + 1;
                let id = state.by_key.entry(asked.header("idempotency-key").to_owned()).or_insert_with(|| format!("job-{number}"));
                server::json(202, &json!({"id": id, "state": "queued"}))
            }
            "GET /job" if !state.by_key.values().any(|id| Some(id) == asked.query("id").as_ref()) => {
                server::json(404, &json!({"error": "no such job"}))
            }
            "GET /job" => {
                state.looks.push(self.clock.now());
                match state.looks.len() >= self.ready_at {
                    true => server::json(200, &self.end),
                    false => server::json(200, &json!({"state": "running", "percent": 100 * state.looks.len() / self.ready_at})),
                }
            }
            _ => server::json(404, &json!({"error": "no such place"})),
        }
    }
}
