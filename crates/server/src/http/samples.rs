//! Test addresses of a plan's webhooks, and the samples that came there.

use std::time::Duration;

use axum::extract::State;
use http::StatusCode;
use mainspring_engine::triggers::{self, Refused, Sight};
use mainspring_engine::{LoadedPlan, MOST_SAMPLES, sample_topic};
use mainspring_model::clock::Millis;
use mainspring_model::id::{OrgId, PlanId, SignalId};
use mainspring_model::plan::trigger::{Trigger, TriggerKind};
use mainspring_model::store::{PlanRecord, SignalRecord};
use mainspring_model::{Problem as Finding, duration};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::api::{Api, Shared};
use super::audit::Target;
use super::body::Write;
use super::caller::Caller;
use super::path::PathId;
use super::plans::find;
use super::problem::{Problem, Refusable};
use super::query::{self, Query, moment};
use super::reach::demand_edit;
use super::reply::Reply;
use super::shape::{Id, Time};
use super::webhook::TEST;

/// How long an address holds unless it is said, and at the most.
const HOLDS: Duration = Duration::from_secs(3_600);
const LONGEST: Duration = Duration::from_secs(86_400);

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TestAddressWrite {
    /// The id of a webhook trigger; may be left out where the plan has one.
    trigger: Option<String>,
    /// How long it holds, at most `24h`; `1h` unless written.
    #[serde(rename = "for")]
    #[schema(value_type = Option<String>, example = "15m")]
    holds: Option<Value>,
}

#[derive(Serialize, ToSchema)]
pub struct TestAddressAnswer {
    /// Who has it can leave samples until it ends, and nothing else.
    url: String,
    trigger: String,
    /// Samples from then on are this address's.
    from: Time,
    expires_at: Time,
    /// As many as it takes.
    most_samples: u32,
}

/// Make a test address for a plan's webhook
///
/// What is sent there is checked as by the webhook itself, by the draft where there is one, kept as a sample, and starts nothing. Samples are read from
/// `/api/plans/{id}/samples`; `POST /api/execute` runs the plan with one.
#[utoipa::path(post, path = "/api/plans/{id}/test-address", tag = "plans", request_body = TestAddressWrite,
    params(("id" = String, Path, format = "uuid")), responses((status = 201, body = TestAddressAnswer)))]
pub async fn make_test_address(State(api): Shared, PathId(id): PathId<PlanId>, write: Write<TestAddressWrite>) -> Refusable<Reply> {
    let Write { caller, body, .. } = write;
    let plan = find(&api, &caller, id).await?;
    demand_edit(&api, &caller, id).await?;
    let holds = match &body.holds {
        None => HOLDS,
        Some(text) => duration::parse(text).map_err(|said| wrong("/for", said))?,
    };
    if holds.is_zero() || holds > LONGEST {
        return Err(wrong("/for", format!("{} is not within 1s and {}", duration::format(holds), duration::format(LONGEST))));
    }
    let loaded = worked_on(&api, &caller, &plan).await?;
    let trigger = chosen(&loaded, body.trigger.as_deref())?.id.clone();
    let until = api.clock.now().saturating_add(Millis::try_from(holds.as_millis()).unwrap_or(Millis::MAX));
    let address = api.engine.test_address(caller.owner.org, id, &trigger, until).await.map_err(Problem::internal)?;
    api.audit(
        &caller,
        "make_test_address",
        Target::new("plan", id),
        None,
        Some(json!({"trigger": trigger, "test_address_until": Time(until)})),
    );
    let url = format!("{}/api/webhook/{TEST}{}", api.engine.public_url(), address.text());
    let (from, expires_at) = (Time(address.from), Time(until));
    Ok(Reply::json(StatusCode::CREATED, &TestAddressAnswer { url, trigger, from, expires_at, most_samples: MOST_SAMPLES }))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SampleQuery {
    /// Only what came at this moment or later; the last hour unless written.
    since: Option<String>,
    /// The id of the last sample that was seen.
    after: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Samples {
    /// Oldest first, at most 50; ask again with `after`.
    samples: Vec<Sample>,
}

#[derive(Serialize, ToSchema)]
pub struct Sample {
    id: Id,
    received_at: Time,
    /// What a run sees as `trigger`, without secrets.
    #[schema(value_type = Object)]
    trigger: Value,
    /// `{code, detail}`: what the webhook itself would have answered instead of starting a run.
    #[schema(value_type = Option<Object>)]
    refused: Value,
    /// Whether a run would start, by the plan as it is worked on now.
    starts: bool,
    /// The inputs that it would have.
    #[schema(value_type = Option<Object>)]
    inputs: Value,
    /// Why none would start: the trigger's `if` was false, or what does not fit.
    #[schema(value_type = Vec<Object>)]
    problems: Vec<Value>,
}

/// What came to a plan's test addresses
///
/// Each with what the plan would make of it as it is now: change a trigger's `if` or `inputs`, save the draft, and look again.
#[utoipa::path(get, path = "/api/plans/{id}/samples", tag = "plans", params(("id" = String, Path, format = "uuid"), SampleQuery),
    responses((status = 200, body = Samples)))]
pub async fn list_samples(
    State(api): Shared,
    caller: Caller,
    PathId(id): PathId<PlanId>,
    Query(asked): Query<SampleQuery>,
) -> Refusable<Reply> {
    let plan = find(&api, &caller, id).await?;
    let since = moment("since", asked.since.as_deref())?.unwrap_or_else(|| api.clock.now() - 3_600_000);
    let after: Option<SignalId> = query::id("after", asked.after.as_deref())?;
    let found = api.store.signals(caller.owner.org, &sample_topic(id), since, after, MOST_SAMPLES).await?;
    let loaded = worked_on(&api, &caller, &plan).await?;
    let org = api.engine.org_of_triggers(caller.owner.org).await?;
    let samples = found.into_iter().map(|record| shown(&loaded, &org, record)).collect();
    Ok(Reply::ok(&Samples { samples }))
}

/// The sample of this id.
///
/// # Errors
/// 404 when the plan has none.
pub async fn sample(api: &Api, org: OrgId, plan: PlanId, id: SignalId) -> Refusable<SignalRecord> {
    let found = api.store.signal(org, id).await?.filter(|found| found.topic == sample_topic(plan));
    found.ok_or_else(|| Problem::not_found(format_args!("sample {id} of the plan {plan}")))
}

/// The plan's trigger that a sample was sent to.
///
/// # Errors
/// 409 when the plan has it no more.
pub fn trigger_of<'p>(plan: &'p LoadedPlan, seen: &Value) -> Refusable<&'p Trigger> {
    let id = seen["id"].as_str().unwrap_or_default();
    let found = plan.plan.triggers.iter().find(|trigger| trigger.id == id && matches!(trigger.kind, TriggerKind::Webhook(_)));
    found.ok_or_else(|| Problem::conflict(format!("the plan has no webhook trigger \"{id}\" any more")))
}

fn shown(plan: &LoadedPlan, org: &Value, record: SignalRecord) -> Sample {
    let SignalRecord { id, mut data, received_at, .. } = record;
    let (seen, refused) = (data["trigger"].take(), data["refused"].take());
    let given =
        trigger_of(plan, &seen).map(|trigger| triggers::alone(&plan.plan, trigger, Sight { trigger: &seen, org, now: received_at }));
    let said = |code: &str, message: &str| vec![json!({"code": code, "message": message})];
    let (inputs, problems) = match given {
        Ok(Ok(Some((_, inputs)))) => (inputs, Vec::new()),
        Ok(Ok(None)) => (Value::Null, said("skipped", "the trigger's `if` is false")),
        Ok(Err(Refused::Fault(fault))) => (Value::Null, said(fault.code.as_str(), &fault.message)),
        Ok(Err(Refused::Inputs(findings))) => (Value::Null, findings.iter().map(|finding| json!(finding)).collect()),
        Err(problem) => (Value::Null, said(&problem.code, &problem.detail)),
    };
    let starts = refused.is_null() && problems.is_empty();
    Sample { id: id.into(), received_at: Time(received_at), trigger: seen, refused, starts, inputs, problems }
}

/// The draft where there is one.
async fn worked_on(api: &Api, caller: &Caller, plan: &PlanRecord) -> Refusable<LoadedPlan> {
    Ok(api.engine.plan(&caller.owner, plan.id, plan.draft.unwrap_or(plan.version)).await?)
}

fn chosen<'p>(plan: &'p LoadedPlan, wanted: Option<&str>) -> Refusable<&'p Trigger> {
    let hooks: Vec<&Trigger> = plan.plan.triggers.iter().filter(|trigger| matches!(trigger.kind, TriggerKind::Webhook(_))).collect();
    let known = || hooks.iter().map(|trigger| trigger.id.as_str()).collect::<Vec<_>>().join(", ");
    match (wanted, hooks.as_slice()) {
        (_, []) => Err(wrong("/trigger", "the plan has no webhook trigger".to_owned())),
        (None, [one]) => Ok(one),
        (None, _) => Err(wrong("/trigger", format!("the plan has several webhook triggers; name one of {}", known()))),
        (Some(id), _) => hooks
            .iter()
            .find(|trigger| trigger.id == id)
            .copied()
            .ok_or_else(|| wrong("/trigger", format!("the plan has no webhook trigger \"{id}\"; it has {}", known()))),
    }
}

fn wrong(pointer: &str, said: String) -> Box<Problem> {
    Problem::invalid(Finding::new("INVALID_VALUE", pointer, said))
}
