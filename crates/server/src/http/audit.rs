//! Entries of the audit log that requests leave: one for each write that succeeded, and for each that was refused for want of rights.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::response::Response;
use http::{HeaderMap, Method, header};
use mainspring_model::id::{AuditId, OrgId};
use mainspring_model::store::{Actor, AuditOutcome, AuditRecord};
use serde_json::Value;

use super::api::Api;
use super::caller::{By, Caller};
use super::problem::{Problem, Refusable};
use crate::limits;

/// Where a request comes from; the edge puts it into the request's extensions.
#[derive(Clone, Debug)]
pub struct Origin {
    pub request_id: String,
    pub address: Option<String>,
    pub agent: Option<String>,
}

impl Origin {
    /// The address is the one that limits count by: a forwarding header is believed from trusted proxies alone.
    pub fn of(api: &Api, request_id: &str, peer: Option<SocketAddr>, headers: &HeaderMap) -> Origin {
        let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
        Origin {
            request_id: request_id.to_owned(),
            address: peer.map(|peer| limits::client(peer.ip(), headers, &api.mode.proxies).to_string()),
            agent: agent.map(|agent| agent.chars().take(MOST_AGENT).collect()),
        }
    }
}

/// Characters of a `User-Agent` that are kept.
const MOST_AGENT: usize = 200;

/// What an operation was done to.
#[derive(Clone, Debug)]
pub struct Target {
    pub kind: &'static str,
    pub id: String,
}

impl Target {
    pub fn new(kind: &'static str, id: impl ToString) -> Target {
        Target { kind, id: id.to_string() }
    }
}

/// Of one request, for as long as its handler works.
#[derive(Debug)]
pub struct Trail {
    operation: &'static str,
    origin: Option<Origin>,
    /// The handler has said what it did, or that it did nothing.
    told: AtomicBool,
}

tokio::task_local! {
    static TRAIL: Arc<Trail>;
}

/// Operations that write nothing although their method could: a check, and calls of others' webhooks, whose runs tell of themselves.
const WRITE_NOTHING: &[&str] = &["validate_plan", "call_webhook"];
/// Each makes a run, which is durable and says who started it: the entry may follow within a second, and costs no write of its own.
const FOLLOW: &[&str] = &["execute_plan", "execute_execution_plan"];

/// Runs a handler with its trail, and writes the entry that it did not write itself before its answer leaves.
pub async fn watched<F: Future<Output = Response>>(
    api: &Api,
    operation: &'static str,
    method: &Method,
    caller: Option<Caller>,
    origin: Option<Origin>,
    path: String,
    handler: F,
) -> Response {
    if method.is_safe() || WRITE_NOTHING.contains(&operation) {
        return handler.await;
    }
    let trail = Arc::new(Trail { operation, origin, told: AtomicBool::new(false) });
    let response = TRAIL.scope(trail.clone(), handler).await;
    let Some(caller) = caller else {
        // Nobody is signed in yet: who came in, and who was not let in. Neither costs a write of its own.
        if path.starts_with("/api/auth/") {
            let outcome = if response.status().is_success() { AuditOutcome::Done } else { AuditOutcome::Refused };
            let entry = entry(api, &trail, None, operation, outcome, Some(Target::new("path", &path)), None, None);
            if outcome == AuditOutcome::Done { api.audit.later(entry) } else { api.audit.refused(entry) }
        }
        return response;
    };
    if !response.status().is_success() || trail.told.load(Ordering::Acquire) {
        return response;
    }
    let location = response.headers().get(header::LOCATION).and_then(|at| at.to_str().ok());
    let target = Target::new("path", location.unwrap_or(&path));
    let entry = entry(api, &trail, Some(&caller), operation, AuditOutcome::Done, Some(target), None, None);
    if FOLLOW.contains(&operation) {
        api.audit.later(entry);
        return response;
    }
    match api.audit.now(entry).await {
        Ok(()) => response,
        // What was written stays; but nobody is told that it went well before the log knows of it.
        Err(error) => axum::response::IntoResponse::into_response(Box::<Problem>::from(error)),
    }
}

/// A permission that was refused; within a second, so that a flood of them costs no writes of its own.
pub fn refused(api: &Api, operation: &'static str, caller: &Caller, origin: Option<Origin>, path: &str) {
    let trail = Trail { operation, origin, told: AtomicBool::new(true) };
    let target = Target::new("path", path.chars().take(300).collect::<String>());
    api.audit.refused(entry(api, &trail, Some(caller), operation, AuditOutcome::Refused, Some(target), None, None));
}

/// A key or token that was sent and is none.
pub fn unrecognised(api: &Api, origin: Option<Origin>, path: &str) {
    let trail = Trail { operation: "authenticate", origin, told: AtomicBool::new(true) };
    let target = Target::new("path", path.chars().take(300).collect::<String>());
    api.audit.refused(entry(api, &trail, None, "authenticate", AuditOutcome::Refused, Some(target), None, None));
}

/// A task that a handler hands its work to, so that it goes on without the caller, keeps the trail.
pub async fn carried<F: Future>(trail: Option<Arc<Trail>>, work: F) -> F::Output {
    match trail {
        Some(trail) => TRAIL.scope(trail, work).await,
        None => work.await,
    }
}

/// The trail of the request that is being answered.
pub fn trail() -> Option<Arc<Trail>> {
    TRAIL.try_with(Arc::clone).ok()
}

/// This request repeats an answer and does nothing.
pub fn nothing_done() {
    if let Some(trail) = trail() {
        trail.told.store(true, Ordering::Release);
    }
}

impl Api {
    /// Writes what a caller did into the audit log, before it is told so. `before` and `after` are without secrets.
    ///
    /// # Errors
    /// The store's.
    pub async fn audit(&self, caller: &Caller, action: &str, target: Target, before: Option<Value>, after: Option<Value>) -> Refusable<()> {
        let trail = trail().unwrap_or_else(|| Arc::new(Trail { operation: "", origin: None, told: AtomicBool::new(false) }));
        let entry = entry(self, &trail, Some(caller), action, AuditOutcome::Done, Some(target), before, after);
        self.audit.now(entry).await?;
        trail.told.store(true, Ordering::Release);
        Ok(())
    }
}

#[expect(clippy::too_many_arguments, reason = "one place that knows the columns")]
fn entry(
    api: &Api,
    trail: &Trail,
    caller: Option<&Caller>,
    action: &str,
    outcome: AuditOutcome,
    target: Option<Target>,
    before: Option<Value>,
    after: Option<Value>,
) -> AuditRecord {
    let origin = trail.origin.as_ref();
    let (target_kind, target_id) = target.map(|target| (target.kind.to_owned(), target.id)).unzip();
    AuditRecord {
        id: AuditId(api.engine.new_id()),
        org: caller.map_or(OrgId::INSTALLATION, |caller| caller.owner.org),
        at: None,
        user: caller.map(|caller| caller.owner.user),
        actor: caller.map_or(Actor::Nobody, |caller| actor_of(caller.by)),
        address: origin.and_then(|origin| origin.address.clone()),
        agent: origin.and_then(|origin| origin.agent.clone()),
        action: if action.is_empty() { trail.operation.to_owned() } else { action.to_owned() },
        outcome,
        target_kind,
        target_id,
        before,
        after,
        request_id: origin.map(|origin| origin.request_id.clone()),
    }
}

fn actor_of(by: By) -> Actor {
    match by {
        By::Dev => Actor::Dev,
        By::Key(id) => Actor::Key(id),
        By::Session(id) => Actor::Session(id.0),
    }
}
