//! `/api/webhook/{path}`: starts the plans that are bound to a path, and answers as their triggers say.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use futures_util::future::join_all;
use http::StatusCode;
use mainspring_engine::triggers::{self, Refused, Sight};
use mainspring_engine::{RunHandle, Start, StartError};
use mainspring_model::id::{PlanId, RunId};
use mainspring_model::plan::trigger::Respond;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::api::{Api, Shared};
use super::edge::method_not_allowed;
use super::problem::{Problem, Refusable};
use super::reply::Reply;
use super::shape::Id;
use super::webhook_form::WebhookForm;
use super::webhook_request::Called;
use super::{body, sample_capture, webhook_answer, webhook_auth, webhook_challenge, webhook_request, webhook_signature};
use crate::webhooks::{Bound, Hook};

/// Before the token of a test address; no path of a trigger has a colon.
pub const TEST: &str = "test:";

#[derive(Serialize, ToSchema)]
pub struct WebhookRuns {
    /// None where a trigger's `if` was false.
    runs: Vec<WebhookRun>,
    /// Plans on the path that could not start, beside others that did.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refused: Vec<WebhookRefusal>,
}

#[derive(Serialize, ToSchema)]
pub struct WebhookRun {
    plan_id: Id,
    id: Id,
}

#[derive(Serialize, ToSchema)]
pub struct WebhookRefusal {
    plan_id: Id,
    code: String,
    detail: String,
}

/// Run the plans bound to this path
///
/// Needs no key, but what the trigger's `auth` and `signature` ask for. A message that was delivered before gets the first answer's run.
/// Answers as its `respond` says: `immediately` 202 with the runs of all plans
/// on the path; `last_step` 200 with the run's output; `step` what `logic.respond` said. 202 with `Location` when the run begins
/// to wait, or still goes after 60 s. Any content type is taken. What is sent to a test address (`/api/plans/{id}/test-address`) is kept as a
/// sample and starts nothing.
#[utoipa::path(method(get, post, put, patch, delete), path = "/api/webhook/{*path}", tag = "webhooks", security(()),
    params(("path" = String, Path, description = "May have several parts.")), request_body(content = Value, description = "Anything."), responses(
    (status = 200, description = "The run's output, or the answer that the plan gave.", body = Value),
    (status = 202, description = "The runs are accepted.", body = WebhookRuns),
))]
pub async fn call_webhook(State(api): Shared, request: Request) -> Refusable<Response> {
    let (parts, content) = request.into_parts();
    let path = webhook_request::path_of(&parts.uri);
    if let Some(token) = path.strip_prefix(TEST) {
        return sample_capture::capture(&api, token, parts, content).await;
    }
    let routes = api
        .webhooks
        .at(&path)
        // What has a colon is a form.
        .filter(|_| !path.contains(':'))
        .ok_or_else(|| Problem::not_found(format_args!("the webhook \"{}\"", path.chars().take(200).collect::<String>())))?;
    let bound: Vec<&Bound> = routes.iter().filter(|bound| bound.route.method == parts.method.as_str()).collect();
    if bound.is_empty() {
        return Err(method_not_allowed(&methods(&routes)));
    }
    let mut hooks: Vec<Arc<Hook>> = Vec::with_capacity(bound.len());
    for bound in bound {
        hooks.extend(bound.hook(&api).await?);
    }
    let admitted = webhook_auth::admitted(&api, &parts.headers, hooks).await?;
    let content = body::read(&api, content).await?;
    let admitted = webhook_signature::proven(&api, &parts, &content, admitted).await?;
    let form = WebhookForm::read(&api, &parts.headers, &content).await?;
    let called = match &form {
        Some(form) => Called::with(&parts, path, &admitted.secret_headers, form.shown()),
        None => Called::read(&parts, path, &content, &admitted.secret_headers)?,
    };
    if let Some(answer) = webhook_challenge::answer(&admitted.hooks, called.body()) {
        return Ok(answer);
    }
    let ids = admitted.hooks.iter().map(|hook| webhook_signature::message_id(hook, &parts, called.body()));
    let hooks: Vec<Delivered> = admitted.hooks.iter().cloned().zip(ids).map(|(hook, id)| Delivered { hook, id }).collect();
    match hooks.as_slice() {
        [] => Err(Problem::not_found("the webhook")),
        [one] if one.hook.webhook().is_some_and(|webhook| webhook.respond != Respond::Immediately) => {
            let hook = &one.hook;
            let answers = hook.webhook().map_or(Respond::LastStep, |webhook| webhook.respond);
            let Some(handle) = begin(&api, one, called.into_seen(&hook.trigger().id), form.as_ref()).await? else {
                return Ok(accepted(Vec::new(), Vec::new()).into_response());
            };
            webhook_answer::answer(&api, hook.owner.org, hook.plan.id, handle, answers).await
        }
        hooks => start_all(&api, hooks, called, form.as_ref()).await.map(IntoResponse::into_response),
    }
}

/// A trigger that this call may start, and what its sender calls the message.
struct Delivered {
    hook: Arc<Hook>,
    id: Option<String>,
}

/// The methods that some plan takes on this path.
fn methods(routes: &[Bound]) -> String {
    let mut methods: Vec<&str> = routes.iter().map(|bound| bound.route.method.as_str()).collect();
    methods.sort_unstable();
    methods.dedup();
    methods.join(",")
}

/// Starts one run; `None` when the trigger's `if` was false.
async fn begin(api: &Arc<Api>, delivered: &Delivered, mut seen: Value, form: Option<&WebhookForm>) -> Refusable<Option<RunHandle>> {
    let Some(form) = form else { return begin_with(api, delivered, seen).await };
    let mut kept = form.keep(api, delivered.hook.owner).await?;
    seen["body"] = kept.body();
    // From here on nobody who gives up the request knows what became of it.
    kept.files.leave();
    let mut begun = begin_with(api, delivered, seen).await;
    let has_them = match &mut begun {
        Ok(Some(handle)) => match handle.accepted().await {
            // A message that came before has its run and that run's files.
            Ok(run) => run == handle.id,
            // It may have been written; its files go when they expire.
            Err(error) => matches!(error, StartError::Store(_)),
        },
        _ => false,
    };
    if !has_them {
        kept.files.remove().await;
    }
    begun
}

async fn begin_with(api: &Api, Delivered { hook, id }: &Delivered, seen: Value) -> Refusable<Option<RunHandle>> {
    let now = api.clock.now();
    let org = api.engine.org_of_triggers(hook.owner.org).await?;
    let sight = Sight { trigger: &seen, org: &org, now };
    let (inputs, burst) = match triggers::fired(hook.plan.id, &hook.plan.plan, hook.trigger(), sight) {
        Ok(Some(fired)) => fired,
        Ok(None) => return Ok(None),
        Err(Refused::Inputs(findings)) => return Err(Problem::invalid_all(findings)),
        Err(Refused::Fault(fault)) => return Err(fault.into()),
    };
    let written = triggers::known_by(hook.trigger(), sight)?;
    // Unique in the run's own transaction: the second delivery of a message meets the run of the first.
    let key = written.or_else(|| id.clone()).map(|id| format!("webhook/{}/{}/{id}", hook.plan.id, hook.trigger().id));
    let start =
        Start { owner: hook.owner, plan: hook.plan.clone(), inputs, trigger: seen, key, slot: None, parent: None, priority: None, burst };
    Ok(Some(api.engine.start(start).await?))
}

/// `immediately`: every plan on the path starts, and the answer waits only until all runs are durable.
async fn start_all(api: &Arc<Api>, hooks: &[Delivered], called: Called, form: Option<&WebhookForm>) -> Refusable<Reply> {
    if let [one] = hooks {
        let runs = match begin(api, one, called.into_seen(&one.hook.trigger().id), form).await? {
            Some(mut handle) => vec![(one.hook.plan.id, handle.accepted().await?)],
            None => Vec::new(),
        };
        return Ok(accepted(runs, Vec::new()));
    }
    let starts = hooks.iter().map(|one| {
        let seen = called.seen_by(&one.hook.trigger().id);
        async move {
            let started: Refusable<Option<RunId>> = match begin(api, one, seen, form).await {
                Ok(Some(mut handle)) => handle.accepted().await.map(Some).map_err(Into::into),
                Ok(None) => Ok(None),
                Err(problem) => Err(problem),
            };
            (one.hook.plan.id, started)
        }
    });
    let (mut runs, mut refused) = (Vec::new(), Vec::new());
    for (plan, started) in join_all(starts).await {
        match started {
            Ok(run) => runs.extend(run.map(|run| (plan, run))),
            Err(problem) => refused.push((plan, problem)),
        }
    }
    // One plan's trouble is not another's; only when nothing at all began is the call refused.
    if runs.is_empty()
        && refused.len() == hooks.len()
        && let Some((_, problem)) = refused.pop()
    {
        return Err(problem);
    }
    Ok(accepted(runs, refused))
}

fn accepted(runs: Vec<(PlanId, RunId)>, refused: Vec<(PlanId, Box<Problem>)>) -> Reply {
    let runs = runs.into_iter().map(|(plan, run)| WebhookRun { plan_id: plan.into(), id: run.into() }).collect();
    let refusal = |(plan, problem): (PlanId, Box<Problem>)| WebhookRefusal {
        plan_id: plan.into(),
        code: problem.code.into_owned(),
        detail: problem.detail,
    };
    Reply::json(StatusCode::ACCEPTED, &WebhookRuns { runs, refused: refused.into_iter().map(refusal).collect() })
}

/// 202 for a run that goes on.
pub fn going_on(plan: PlanId, run: RunId) -> Reply {
    accepted(vec![(plan, run)], Vec::new()).location(&format!("/api/runs/{run}"))
}
