//! Approvals: what runs ask people, and their answers.

use axum::extract::State;
use mainspring_model::Problem as Finding;
use mainspring_model::clock::Millis;
use mainspring_model::id::UserId;
use mainspring_model::plan::InputSpec;
use mainspring_model::store::WaitRecord;
use mainspring_model::wait::approval_topic;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::api::{Api, Shared};
use super::audit::Target;
use super::body::Write;
use super::caller::Caller;
use super::path::PathName;
use super::problem::{Problem, Refusable};
use super::reach::Reach;
use super::reply::Reply;
use super::shape::{Id, Time};

/// As many are listed; who has more open questions than these needs another way to answer them.
const MOST: u32 = 500;
/// The longest comment, in bytes.
const LONGEST: usize = 10_000;

#[derive(Serialize, ToSchema)]
pub struct ApprovalList {
    /// Newest first; answered ones and those of ended runs are not listed.
    approvals: Vec<ApprovalEntry>,
    total: usize,
}

#[derive(Serialize, ToSchema)]
pub struct ApprovalEntry {
    #[schema(example = "mfrggzdfmztwq2lk")]
    id: String,
    run_id: Id,
    /// The step that asks: its path.
    step: String,
    plan_id: Option<String>,
    plan_name: String,
    #[schema(example = "Refund 120 € to Ada?")]
    message: String,
    /// Whom the plan asks; every member who may control runs can answer.
    to: Vec<String>,
    /// Who was asked by mail, and how far the mails have come.
    mails: Vec<ApprovalMail>,
    /// What is to be filled in: a JSON Schema for each field.
    #[schema(value_type = Object)]
    form: Value,
    asked_at: Time,
    /// From then on nobody can answer.
    until: Option<Time>,
}

/// A mail that asks.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct ApprovalMail {
    #[schema(example = "ada@example.com")]
    to: String,
    /// `waiting` until the mail server has taken it (`sent`), or it was given up (`failed`).
    #[schema(example = "waiting")]
    state: String,
    attempts: u32,
    /// Why the last attempt did not do.
    reason: Option<String>,
}

impl ApprovalEntry {
    fn of(wait: WaitRecord, mails: Vec<Value>) -> ApprovalEntry {
        let text = |name: &str| wait.detail[name].as_str().unwrap_or_default().to_owned();
        let to = wait.detail["to"].as_array().into_iter().flatten().filter_map(|to| Some(to.as_str()?.to_owned())).collect();
        ApprovalEntry {
            id: id_of(&wait).to_owned(),
            run_id: wait.run.into(),
            plan_id: wait.detail["plan_id"].as_str().map(str::to_owned),
            plan_name: text("plan_name"),
            message: text("message"),
            to,
            mails: mails.into_iter().filter_map(|mail| serde_json::from_value(mail).ok()).collect(),
            form: if wait.detail["form"].is_object() { wait.detail["form"].clone() } else { json!({}) },
            asked_at: Time(wait.created_at),
            until: wait.detail["until"].as_i64().map(Time),
            step: wait.path,
        }
    }
}

fn id_of(wait: &WaitRecord) -> &str {
    wait.topic.split_once(':').map_or("", |(_, id)| id)
}

fn is_seen(reach: &Reach, wait: &WaitRecord) -> bool {
    wait.detail["plan_id"].as_str().and_then(|id| id.parse().ok()).is_some_and(|plan| reach.sees(plan))
}

/// Questions that wait for an answer
#[utoipa::path(get, path = "/api/approvals", tag = "runs", responses((status = 200, body = ApprovalList)))]
pub async fn list_approvals(State(api): Shared, caller: Caller) -> Refusable<Reply> {
    let org = caller.owner.org;
    let reach = Reach::of(&api, &caller).await?;
    let mut approvals = Vec::new();
    for wait in api.store.list_waits(org, &approval_topic(""), MOST).await? {
        if is_seen(&reach, &wait) {
            let mails = api.engine.mails_of(org, wait.run, &wait.topic, &wait.detail).await?;
            approvals.push(ApprovalEntry::of(wait, mails));
        }
    }
    Ok(Reply::ok(&ApprovalList { total: approvals.len(), approvals }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalWrite {
    approved: bool,
    /// Why; the plan sees it.
    #[serde(default)]
    comment: String,
    /// The fields that the question asks for.
    #[serde(default)]
    #[schema(value_type = Object)]
    form: Map<String, Value>,
}

#[derive(Serialize, ToSchema)]
pub struct ApprovalAnswer {
    id: String,
    run_id: Id,
    approved: bool,
    decided_at: Time,
}

/// Answer a question
///
/// The first answer counts. Who answered, and when, stands in the step's output, in the log and in the audit log.
#[utoipa::path(post, path = "/api/approvals/{id}", tag = "runs", params(("id" = String, Path)), request_body = ApprovalWrite,
    responses((status = 200, body = ApprovalAnswer)))]
pub async fn answer_approval(State(api): Shared, PathName(id): PathName, write: Write<ApprovalWrite>) -> Refusable<Reply> {
    let (caller, ApprovalWrite { approved, comment, form }) = (write.caller, write.body);
    let (org, topic) = (caller.owner.org, approval_topic(&id));
    let unknown = || Problem::not_found("an open approval of this id");
    let wait = api.store.wait_for(org, &topic).await?.ok_or_else(unknown)?;
    if !is_seen(&Reach::of(&api, &caller).await?, &wait) {
        return Err(unknown());
    }
    let (by, by_id) = (caller.owner.user, Some(caller.owner.user));
    let by = match api.store.user(by).await? {
        Some(user) => user.email,
        None => by.to_string(),
    };
    let decided_at = decide(&api, &wait, Decision { approved, comment, form, by, by_id }).await?;
    let after = json!({"run_id": wait.run, "step": wait.path, "approved": approved});
    api.audit(&caller, "", Target::new("approval", &id), None, Some(after));
    Ok(Reply::ok(&ApprovalAnswer { id, run_id: wait.run.into(), approved, decided_at }))
}

/// A yes or a no, and whose.
pub(super) struct Decision {
    pub approved: bool,
    pub comment: String,
    pub form: Map<String, Value>,
    /// An address.
    pub by: String,
    /// Of who has an account and used it.
    pub by_id: Option<UserId>,
}

/// Keeps the decision: durable when this returns.
///
/// # Errors
/// 409 when the time is over or somebody was faster; 422 when the form is not filled in as it asks.
pub(super) async fn decide(api: &Api, wait: &WaitRecord, decision: Decision) -> Refusable<Time> {
    let Decision { approved, comment, form, by, by_id } = decision;
    let now = api.clock.now();
    let too_late = || Problem::conflict("the time to answer this is over");
    if is_over(wait, now) {
        return Err(too_late());
    }
    if comment.len() > LONGEST {
        let message = format!("a comment has at most {LONGEST} bytes; this one has {}", comment.len());
        return Err(Problem::invalid(Finding::new("INVALID_VALUE", "/comment", message)));
    }
    // What is turned down need not be filled in.
    let form = if approved { filled(wait, form)? } else { Value::Object(form) };
    let answer = json!({"approved": approved, "by": by, "by_id": by_id, "comment": comment, "form": form, "decided_at": Time(now)});
    let told = api.engine.answer(wait.org, &wait.topic, answer).await?;
    if !told.new {
        let earlier = told.signal.data["by"].as_str().unwrap_or("somebody").to_owned();
        let what = if told.signal.data["approved"] == json!(true) { "approved" } else { "rejected" };
        return Err(Problem::conflict(format!("{earlier} has {what} this already")));
    }
    // The run goes by when it was kept: nobody is told that an answer counts which came while it was written.
    if is_over(wait, told.signal.received_at) {
        return Err(too_late());
    }
    Ok(Time(now))
}

/// Whether nobody can answer any more.
pub(super) fn is_over(wait: &WaitRecord, now: Millis) -> bool {
    wait.detail["until"].as_i64().is_some_and(|until| until < now)
}

fn filled(wait: &WaitRecord, given: Map<String, Value>) -> Refusable<Value> {
    let Some(fields) = wait.detail["form"].as_object().filter(|fields| !fields.is_empty()) else {
        return match given.is_empty() {
            true => Ok(json!({})),
            false => Err(Problem::invalid(Finding::new("INVALID_VALUE", "/form", "this question has no form"))),
        };
    };
    let spec = InputSpec::of(fields).map_err(Problem::invalid_all)?;
    spec.accept(&Value::Object(given)).map_err(|findings| {
        let moved = findings.into_iter().map(|finding| Finding { pointer: finding.pointer.replacen("/inputs", "/form", 1), ..finding });
        Problem::invalid_all(moved.collect())
    })
}
