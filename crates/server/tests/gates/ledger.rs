//! The ledger: the harness's own HTTP server, which notes every call that a plan makes, and which process made it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::clock::{pause, wall_ms};
use super::dice::{Dice, hash};
use super::oracle::{Call, fingerprint};
use super::peers;
use super::stand_in;

/// What stands in each call's header beside its body.
pub const KEY_HEADER: &str = "idempotency-key";

pub struct Ledger {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    connections: watch::Receiver<usize>,
}

struct Shared {
    calls: Mutex<Calls>,
    open: AtomicUsize,
    life: AtomicU32,
    /// Which processes may call, when there are several at a time, and the number of each.
    callers: Mutex<HashMap<u32, u32>>,
    /// A call takes up to this long.
    slow_ms: u64,
    connections: watch::Sender<usize>,
    /// Connections accepted so far, the barrier's own included.
    accepted: watch::Sender<u64>,
}

#[derive(Default)]
struct Calls {
    all: Vec<Call>,
    times: HashMap<String, u32>,
}

/// Counts one thing down again when it is dropped, as hyper drops the work of a caller that died.
struct Open<'a>(&'a AtomicUsize);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Ledger {
    pub async fn start(slow_ms: u64) -> Ledger {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, watching) = watch::channel(0);
        let shared = Arc::new(Shared {
            calls: Mutex::default(),
            open: AtomicUsize::new(0),
            life: AtomicU32::new(1),
            callers: Mutex::default(),
            slow_ms,
            connections,
            accepted: watch::channel(0).0,
        });
        tokio::spawn(listen(listener, shared.clone()));
        Ledger { address, shared, connections: watching }
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Calls that were received and not answered.
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::Acquire)
    }

    /// Waits until everything that a dead process sent has been noted, then counts calls to the next process.
    pub async fn settle(&self) {
        self.drained().await;
        self.shared.life.fetch_add(1, Ordering::AcqRel);
    }

    /// Calls of this process count under a new number from here on: it has begun, or it was paused.
    pub fn know(&self, process: u32) -> u32 {
        let life = self.shared.life.fetch_add(1, Ordering::AcqRel);
        self.shared.callers.lock().unwrap().insert(process, life);
        life
    }

    /// Waits until everything that was sent by processes that are gone has been noted.
    pub async fn drained(&self) {
        // Connections are accepted in order: when ours has been, all of the dead process's have.
        let mut accepted = self.shared.accepted.subscribe();
        let before = *accepted.borrow_and_update();
        let barrier = TcpStream::connect(self.address).await.unwrap();
        accepted.wait_for(|count| *count > before).await.unwrap();
        drop(barrier);
        self.connections.clone().wait_for(|open| *open == 0).await.unwrap();
    }

    /// All calls so far; it counts anew from here.
    pub fn take(&self) -> Vec<Call> {
        std::mem::take(&mut *self.shared.calls.lock().unwrap()).all
    }
}

async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, peer)) = listener.accept().await {
        shared.connections.send_modify(|open| *open += 1);
        shared.accepted.send_modify(|count| *count += 1);
        stream.set_nodelay(true).unwrap();
        let shared = shared.clone();
        tokio::spawn(async move {
            let among: Vec<u32> = shared.callers.lock().unwrap().keys().copied().collect();
            let caller = if among.is_empty() { None } else { peers::process_of(peer, &among) };
            let service = service_fn(|request| answer(&shared, request, caller));
            // A killed caller resets the connection, which is what it is here for.
            drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
            shared.connections.send_modify(|open| *open -= 1);
        });
    }
}

async fn answer(shared: &Shared, request: Request<Incoming>, caller: Option<u32>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let key = request.headers().get(KEY_HEADER).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    let Ok(body) = request.into_body().collect().await else { return Ok(reply(400, &json!({"error": "cut off"}))) };
    let body: Value = serde_json::from_slice(&body.to_bytes()).unwrap_or_default();
    let nth = note(shared, &format!("{method} {uri}"), key.clone(), &body, shared.life_of(caller));
    shared.open.fetch_add(1, Ordering::AcqRel);
    let _open = Open(&shared.open);
    if shared.slow_ms > 0 {
        let time = Dice::new(hash(key.as_bytes())).fork(&nth.to_string()).between(0, shared.slow_ms);
        pause(Duration::from_millis(time)).await;
    }
    if uri.path() != "/" {
        let (status, media_type, text) = stand_in::answer(uri.path(), uri.query().unwrap_or_default());
        return Ok(Response::builder().status(status).header("content-type", media_type).body(Full::new(Bytes::from(text))).unwrap());
    }
    if body["down"] == json!(true) || body["fail_first"].as_u64().is_some_and(|times| u64::from(nth) <= times) {
        return Ok(reply(503, &json!({"error": "as asked"})));
    }
    // The same for every repetition, as a service that honours the key would answer.
    let print = hash(format!("{}/{}", body["token"], body["path"]).as_bytes());
    Ok(reply(200, &json!({"receipt": format!("{print:016x}"), "path": body["path"]})))
}

impl Shared {
    /// The number of a calling process. One that was killed the moment it called is nobody any more, and counts once.
    fn life_of(&self, caller: Option<u32>) -> u32 {
        let callers = self.callers.lock().unwrap();
        match caller.and_then(|caller| callers.get(&caller)) {
            Some(life) => *life,
            None if callers.is_empty() => self.life.load(Ordering::Acquire),
            None => self.life.fetch_add(1, Ordering::AcqRel),
        }
    }
}

fn note(shared: &Shared, line: &str, key: String, body: &Value, life: u32) -> u32 {
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let mut without_run = body.clone();
    if let Some(fields) = without_run.as_object_mut() {
        fields.shift_remove("run");
    }
    let what = format!("{line} {without_run}");
    let mut calls = shared.calls.lock().unwrap();
    let times = calls.times.entry(if key.is_empty() { what.clone() } else { key.clone() }).or_default();
    *times += 1;
    let nth = *times;
    calls.all.push(Call {
        key,
        run: text("run"),
        token: text("token"),
        path: text("path"),
        nth,
        body: fingerprint(body),
        at: wall_ms(),
        life,
        once: body["once"] == json!(true),
        what,
    });
    nth
}

fn reply(status: u16, body: &Value) -> Response<Full<Bytes>> {
    let response = Response::builder().status(status).header("content-type", "application/json");
    response.body(Full::new(Bytes::from(body.to_string()))).unwrap()
}
