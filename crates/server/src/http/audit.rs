//! Entries of the audit log that requests leave: one for each write that succeeded, and for each that was refused for want of rights.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, header};
use mainspring_model::id::OrgId;
use mainspring_model::store::{Actor, AuditOutcome, AuditRecord};
use serde_json::{Value, json};

use super::api::Api;
use super::caller::{By, Caller};
use super::problem::Problem;
use crate::audit::Audit;
use crate::limits;

/// Where a request comes from; the edge puts it into the request's extensions.
#[derive(Clone, Debug)]
pub struct Origin {
    pub request_id: String,
    pub address: Option<IpAddr>,
    pub agent: Option<String>,
}

impl Origin {
    /// The address is the one that limits count by: a forwarding header is believed from trusted proxies alone.
    pub fn of(api: &Api, request_id: &str, peer: Option<SocketAddr>, headers: &HeaderMap) -> Origin {
        let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
        Origin {
            request_id: request_id.to_owned(),
            address: peer.map(|peer| limits::client(peer.ip(), headers, &api.mode.proxies)),
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
pub struct Trail {
    operation: &'static str,
    origin: Option<Origin>,
    told: Mutex<Told>,
}

/// What a handler said of its work.
#[derive(Default)]
struct Told {
    /// What was written when it began, until it is settled.
    begun: Option<(Arc<Audit>, AuditRecord)>,
    entries: Vec<AuditRecord>,
    /// It repeats an answer, or wrote nothing.
    nothing_done: bool,
}

impl Trail {
    fn new(operation: &'static str, origin: Option<Origin>) -> Trail {
        Trail { operation, origin, told: Mutex::default() }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().expect("no panic happens while a trail is held")
    }
}

impl Drop for Trail {
    /// The caller went away before the answer: what the handler said is kept all the same, and without a word of it the entry stays `unknown`.
    fn drop(&mut self) {
        let mut told = self.told();
        let (Some((audit, begun)), false) = (told.begun.take(), told.entries.is_empty()) else { return };
        let entries = placed(std::mem::take(&mut told.entries), &begun);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            if let Err(error) = audit.settle(begun.org, begun.id, &entries).await {
                tracing::warn!(%error, "what an operation did is in the audit log as unknown");
            }
        });
    }
}

/// The first entry takes the id, and so the place, of what was begun.
fn placed(mut entries: Vec<AuditRecord>, begun: &AuditRecord) -> Vec<AuditRecord> {
    if let Some(first) = entries.iter_mut().find(|entry| entry.org == begun.org) {
        first.id = begun.id;
    }
    entries
}

tokio::task_local! {
    static TRAIL: Arc<Trail>;
}

/// Operations that write nothing although their method could: a check, a look, and calls of others' webhooks, whose runs tell of themselves.
const WRITE_NOTHING: &[&str] = &["validate_plan", "look_at_invitation", "call_webhook", "send_form"];
/// Each makes a run, which is durable and says who started it, or keeps an event: the entry may follow within a second, and costs no write of its own.
const FOLLOW: &[&str] = &["execute_plan", "execute_execution_plan", "post_event"];

/// Runs a handler with its trail. That it begins is durable before it does anything, and what came of it before its answer leaves: a write
/// without an entry is impossible, and one whose process died stays as `unknown`.
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
    let trail = Arc::new(Trail::new(operation, origin));
    let target = |at: &str| Some(Target::new("path", at));
    let Some(caller) = caller else {
        let response = TRAIL.scope(trail.clone(), handler).await;
        // Nobody is signed in yet: who came in, and who was not let in. Neither costs a write of its own.
        if path.starts_with("/api/auth/") {
            let outcome = if response.status().is_success() { AuditOutcome::Done } else { AuditOutcome::Refused };
            let entry = entry(api, &trail, None, operation, outcome, target(&path), None, None);
            if outcome == AuditOutcome::Done { api.audit.later(entry) } else { api.audit.refused(entry) }
        }
        return response;
    };
    let begun = entry(api, &trail, Some(&caller), operation, AuditOutcome::Unknown, target(&path), None, None);
    if FOLLOW.contains(&operation) {
        let response = TRAIL.scope(trail.clone(), handler).await;
        if response.status().is_success() && !trail.told().nothing_done {
            let location = location(&response).map(str::to_owned);
            let target = target(location.as_deref().unwrap_or(&path));
            api.audit.later(entry(api, &trail, Some(&caller), operation, AuditOutcome::Done, target, None, None));
        }
        return response;
    }
    if let Err(error) = api.audit.begin(begun.clone()).await {
        return Box::<Problem>::from(error).into_response();
    }
    trail.told().begun = Some((api.audit.clone(), begun.clone()));
    let response = TRAIL.scope(trail.clone(), handler).await;
    trail.told().begun = None;
    let entries = what_came_of_it(&trail, &begun, &response);
    match api.audit.settle(begun.org, begun.id, &entries).await {
        Ok(()) => response,
        // What was written stays, and so does that it was begun; but nobody is told that it went well before the log knows of it.
        Err(error) if response.status().is_success() => Box::<Problem>::from(error).into_response(),
        Err(error) => {
            tracing::warn!(%error, operation, "it could not be noted that an operation came to nothing");
            response
        }
    }
}

fn location(response: &Response) -> Option<&str> {
    response.headers().get(header::LOCATION).and_then(|at| at.to_str().ok())
}

fn what_came_of_it(trail: &Trail, begun: &AuditRecord, response: &Response) -> Vec<AuditRecord> {
    let status = response.status();
    let mut told = trail.told();
    let mut entries = std::mem::take(&mut told.entries);
    if entries.is_empty() && status.is_server_error() {
        // Some of it may have been done.
        let after = Some(json!({ "status": status.as_u16() }));
        entries.push(AuditRecord { after, ..begun.clone() });
    } else if entries.is_empty() && status.is_success() && !told.nothing_done {
        let target_id = location(response).map(str::to_owned).or_else(|| begun.target_id.clone());
        entries.push(AuditRecord { outcome: AuditOutcome::Done, target_id, ..begun.clone() });
    }
    placed(entries, begun)
}

/// A permission that was refused; within a second, so that a flood of them costs no writes of its own.
pub fn refused(api: &Api, operation: &'static str, caller: &Caller, origin: Option<Origin>, path: &str) {
    let trail = Trail::new(operation, origin);
    let target = Target::new("path", path.chars().take(300).collect::<String>());
    api.audit.refused(entry(api, &trail, Some(caller), operation, AuditOutcome::Refused, Some(target), None, None));
}

/// A key or token that was sent and is none.
pub fn unrecognised(api: &Api, origin: Option<Origin>, path: &str) {
    let trail = Trail::new("authenticate", origin);
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
        trail.told().nothing_done = true;
    }
}

impl Api {
    /// Says what a caller did, for the audit log: it is written before the caller is told so. `before` and `after` are without secrets and
    /// without anybody's address.
    pub fn audit(&self, caller: &Caller, action: &str, target: Target, before: Option<Value>, after: Option<Value>) {
        let trail = trail().unwrap_or_else(|| Arc::new(Trail::new("", None)));
        let entry = entry(self, &trail, Some(caller), action, AuditOutcome::Done, Some(target), before, after);
        trail.told().entries.push(entry);
    }

    /// The same for what somebody without an account did in an organization, such as by a link. It follows within a second.
    pub fn audit_nobody(&self, org: OrgId, action: &str, target: Target, after: Value) {
        let trail = trail().unwrap_or_else(|| Arc::new(Trail::new("", None)));
        let entry = entry(self, &trail, None, action, AuditOutcome::Done, Some(target), None, Some(after));
        self.audit.later(AuditRecord { org, ..entry });
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
        id: api.audit.next_id(api.engine.new_id()),
        org: caller.map_or(OrgId::INSTALLATION, |caller| caller.owner.org),
        at: None,
        user: caller.map(|caller| caller.owner.user),
        actor: caller.map_or(Actor::Nobody, |caller| actor_of(caller.by)),
        address: origin.and_then(|origin| origin.address).map(|address| address.to_string()),
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
