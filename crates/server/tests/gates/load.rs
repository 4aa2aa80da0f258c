//! The clients: they start runs, read them back, and note what they were told, which is the oracle's first record.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::client::{Answer, Client, Gone};
use super::clock::pause;
use super::dice::Dice;
use super::oracle::{Ack, fingerprint};

/// No answer takes this long, whatever is killed.
const PATIENCE: Duration = Duration::from_secs(40);
/// Runs that one client watches at a time.
const WATCHED: usize = 4;

/// What all clients share.
pub struct Load {
    address: SocketAddr,
    acks: Mutex<HashMap<String, Ack>>,
    refusals: Mutex<Vec<String>>,
    /// Requests for a run that were sent and not answered.
    open: AtomicUsize,
    /// Answers 503.
    turned_away: AtomicUsize,
    /// The number of the process that serves.
    up: watch::Sender<u32>,
    stopping: watch::Sender<bool>,
    /// Between two calls of one client: a gate of hours must not fill the memory with what it was told.
    pace: Duration,
    /// Between two looks at a run.
    glance: Duration,
}

impl Load {
    pub fn new(address: SocketAddr, pace: Duration) -> Arc<Load> {
        Load::paced(address, pace, Duration::from_millis(5))
    }

    pub fn paced(address: SocketAddr, pace: Duration, glance: Duration) -> Arc<Load> {
        Arc::new(Load {
            address,
            acks: Mutex::default(),
            refusals: Mutex::default(),
            open: AtomicUsize::new(0),
            turned_away: AtomicUsize::new(0),
            up: watch::channel(0).0,
            stopping: watch::channel(false).0,
            pace,
            glance,
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn requests_open(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    pub fn turned_away(&self) -> usize {
        self.turned_away.load(Ordering::Relaxed)
    }

    pub fn acked_steps(&self) -> usize {
        self.acks.lock().unwrap().values().map(|ack| ack.steps.len()).sum()
    }

    pub fn acks(&self) -> Vec<Ack> {
        self.acks.lock().unwrap().values().cloned().collect()
    }

    pub fn refusals(&self) -> Vec<String> {
        self.refusals.lock().unwrap().clone()
    }

    /// A process is ready; clients that lost theirs go on.
    pub fn announce(&self, life: u32) {
        self.up.send_replace(life);
    }

    /// Clients start nothing more, and end when what they watch has ended.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }

    pub fn refuse(&self, text: String) {
        self.refusals.lock().unwrap().push(text);
    }

    pub fn ack(&self, token: &str, run: &str, steps: impl IntoIterator<Item = (String, u64)>, ended: Option<&str>) {
        let mut acks = self.acks.lock().unwrap();
        let ack = acks.entry(token.to_owned()).or_insert_with(|| Ack {
            token: token.to_owned(),
            run: run.to_owned(),
            steps: BTreeMap::new(),
            ended: None,
        });
        for (path, output) in steps {
            // The first sight stays: a later one that differs differs from the journal.
            ack.steps.entry(path).or_insert(output);
        }
        if ack.run != run {
            self.refuse(format!("{token} was acknowledged as run {} and as {run}", ack.run));
        }
        ack.ended = ack.ended.take().or(ended.map(str::to_owned));
    }
}

/// Starts clients: so many that call each of these webhooks, and so many that start runs and watch them.
pub fn clients(
    load: &Arc<Load>,
    dice: &Dice,
    prefix: &str,
    watched: &[(String, u64, u64)],
    hooks: &[(&'static str, usize)],
    watchers: usize,
) -> JoinSet<()> {
    let mut clients = JoinSet::new();
    for (name, count) in hooks {
        for n in 0..*count {
            clients.spawn(Worker::new(load, dice, &format!("{prefix}{name}-{n}")).call(name));
        }
    }
    for n in 0..watchers {
        clients.spawn(Worker::new(load, dice, &format!("{prefix}watch-{n}")).watch(watched.to_vec()));
    }
    clients
}

/// One client.
pub struct Worker {
    load: Arc<Load>,
    client: Client,
    dice: Dice,
    name: String,
    count: u64,
    up: watch::Receiver<u32>,
}

impl Worker {
    pub fn new(load: &Arc<Load>, dice: &Dice, name: &str) -> Worker {
        let (client, up) = (Client::new(load.address), load.up.subscribe());
        Worker { load: load.clone(), client, dice: dice.fork(name), name: name.to_owned(), count: 0, up }
    }

    fn stopping(&self) -> bool {
        *self.load.stopping.borrow()
    }

    fn token(&mut self) -> String {
        self.count += 1;
        format!("{}/{}", self.name, self.count)
    }

    /// One request. After a death it returns when the next process is up.
    async fn ask(&mut self, method: &str, path: &str, body: Option<&Value>, key: Option<&str>) -> Result<Answer, Gone> {
        let life = *self.up.borrow();
        let asked = method != "GET";
        self.load.open.fetch_add(usize::from(asked), Ordering::AcqRel);
        let answer = tokio::time::timeout(PATIENCE, self.client.send(method, path, body, key)).await;
        self.load.open.fetch_sub(usize::from(asked), Ordering::AcqRel);
        let answer = answer.unwrap_or_else(|_| {
            self.load.refuse(format!("{method} {path} was not answered within {PATIENCE:?}"));
            Err(Gone)
        });
        self.load.turned_away.fetch_add(usize::from(matches!(answer, Ok((503, _)))), Ordering::Relaxed);
        if answer.is_err() && !self.stopping() {
            let mut stopping = self.load.stopping.subscribe();
            // Whichever comes first.
            tokio::select! {
                _ = self.up.wait_for(|up| *up > life) => {}
                _ = stopping.wait_for(|stopping| *stopping) => {}
            }
        }
        answer
    }

    /// Calls a webhook and takes its answer for the acknowledgement of all steps; `false` when it was not answered.
    pub async fn hook(&mut self, name: &str) -> bool {
        let token = self.token();
        let n = self.dice.between(1, 1_000);
        let asked = json!({"token": token, "n": n});
        match self.ask("POST", &format!("/api/webhook/{name}"), Some(&asked), None).await {
            Ok((200, answer)) => {
                let run = answer["run"].as_str().unwrap_or_default().to_owned();
                let steps = answer["steps"].as_object().into_iter().flatten();
                self.load.ack(&token, &run, steps.map(|(path, output)| (path.clone(), fingerprint(output))), Some("success"));
                true
            }
            // A run that waits for its turn after a crash is accepted, and its address says how it goes on.
            Ok((202, answer)) => {
                let run = answer["runs"][0]["id"].as_str().unwrap_or_default();
                self.load.ack(&token, run, [], None);
                while !self.look(&token, run).await {
                    pause(Duration::from_millis(10)).await;
                }
                true
            }
            Ok((503, _)) => {
                pause(Duration::from_millis(5)).await;
                false
            }
            Ok((status, answer)) => {
                self.load.refuse(format!("webhook {name}: {status} {answer}"));
                false
            }
            Err(Gone) => false,
        }
    }

    /// Calls a webhook again and again.
    pub async fn call(mut self, name: &'static str) {
        while !self.stopping() {
            self.hook(name).await;
            if !self.load.pace.is_zero() {
                pause(self.load.pace).await;
            }
        }
    }

    /// Starts a run without waiting. Some requests carry a key and are repeated when their fate is unknown.
    pub async fn execute(&mut self, plan: &str, n: u64) -> Option<(String, String)> {
        let token = self.token();
        let asked = json!({"plan_id": plan, "wait": false, "inputs": {"token": token, "n": n}});
        let key = self.dice.percent(50).then(|| token.clone());
        for _ in 0..if key.is_some() { 3 } else { 1 } {
            match self.ask("POST", "/api/execute", Some(&asked), key.as_deref()).await {
                Ok((200 | 202, answer)) => {
                    let run = answer["execution"]["id"].as_str().unwrap_or_default().to_owned();
                    self.load.ack(&token, &run, [], None);
                    return Some((token, run));
                }
                Ok((503, _)) => pause(Duration::from_millis(5)).await,
                // Its first request was taken by a process that died before it answered.
                Ok((409, _)) if key.is_some() => return None,
                Ok((status, answer)) => {
                    self.load.refuse(format!("execute: {status} {answer}"));
                    return None;
                }
                Err(Gone) => {}
            }
        }
        None
    }

    /// Reads a run back and takes what it shows for acknowledged; whether it has ended.
    pub async fn look(&mut self, token: &str, run: &str) -> bool {
        let run_now = match self.ask("GET", &format!("/api/runs/{run}"), None, None).await {
            Ok((200, mut answer)) => answer["run"].take(),
            Ok((503, _)) | Err(Gone) => return false,
            Ok((status, answer)) => {
                self.load.refuse(format!("run {run}, which was acknowledged: {status} {answer}"));
                return true;
            }
        };
        let steps = run_now["steps"].as_array().into_iter().flatten();
        let done =
            steps.filter(|step| step["status"] == "success" && step["attempts"].as_array().is_some_and(|attempts| !attempts.is_empty()));
        let done = done.map(|step| (step["id"].as_str().unwrap_or_default().to_owned(), fingerprint(&step["output"])));
        let status = run_now["status"].as_str().unwrap_or_default();
        let ended = !matches!(status, "queued" | "running" | "waiting" | "paused");
        self.load.ack(token, run, done, ended.then_some(status));
        ended
    }

    /// Starts runs of these plans (id, and the bounds of `n`) and watches them to their ends.
    pub async fn watch(mut self, plans: Vec<(String, u64, u64)>) {
        let mut watched: Vec<(String, String)> = Vec::new();
        loop {
            if !self.stopping() && watched.len() < WATCHED {
                let place = usize::try_from(self.dice.next() % plans.len() as u64).unwrap();
                let (plan, low, high) = plans[place].clone();
                let n = self.dice.between(low, high);
                watched.extend(self.execute(&plan, n).await);
            }
            if watched.is_empty() {
                if self.stopping() {
                    return;
                }
                continue;
            }
            let (token, run) = watched.remove(0);
            if !self.look(&token, &run).await {
                watched.push((token, run));
                pause(self.load.glance).await;
            }
        }
    }
}
