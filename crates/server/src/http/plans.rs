//! Plans: list, create, get, replace, delete, and the check alone; under both families of names.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use mainspring_engine::offline::{self, TestReport};
use mainspring_model::id::PlanId;
use mainspring_model::role::Permission;
use mainspring_model::run::RunStatus;
use mainspring_model::store::{PlanRecord, PlanSource};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::api::{Api, Shared};
use super::audit::Target;
use super::body::Write;
use super::caller::Caller;
use super::idempotency::once;
use super::path::PathId;
use super::plan_body::{self, PlanAnswer, PlanBody};
use super::plan_changes;
use super::problem::{FieldError, Problem, Refusable};
use super::query::{self, Query};
use super::reach::{Reach, demand_edit};
use super::reply::Reply;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// 1–200, 50 unless written.
    #[param(value_type = Option<u32>)]
    limit: Option<String>,
    /// From `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Newest first.
#[derive(Serialize, ToSchema)]
pub struct PlanList {
    plans: Vec<PlanBody>,
    next_cursor: Option<String>,
}

/// All plans, newest first
#[utoipa::path(get, path = "/api/plans", tag = "plans", params(ListQuery), responses((status = 200, body = PlanList)))]
pub async fn list_plans(State(api): Shared, caller: Caller, Query(query): Query<ListQuery>) -> Refusable<Reply> {
    let paging = query::paging(query.limit.as_deref(), query.cursor)?;
    let mut page = api.store.list_plans(caller.owner.org, &paging).await?;
    let reach = Reach::of(&api, &caller).await?;
    page.items.retain(|plan| reach.sees(plan.id));
    Ok(Reply::ok(&PlanList { plans: page.items.into_iter().map(PlanBody::from).collect(), next_cursor: page.next_cursor }))
}

/// Create a plan
///
/// The body is the plan document. An earlier document is translated; `notes` say what was changed. With `draft: true` beside the document it is
/// kept as a draft, which no trigger uses; `note` says why.
#[utoipa::path(post, path = "/api/plans", tag = "plans", request_body(content = Object, description = "The plan document; see `/api/schemas/plan`."),
    params(("Idempotency-Key" = Option<String>, Header)), responses((status = 201, body = PlanAnswer)))]
pub async fn create_plan(State(api): Shared, write: Write<Value>) -> Refusable<Reply> {
    create(api, write).await
}

async fn create(api: Arc<Api>, write: Write<Value>) -> Refusable<Reply> {
    let Write { caller, body, text, once: key } = write;
    let saving = api.clone();
    once(api, caller, key, async move {
        let (checked, how) = plan_body::read(&saving, caller, body, text).await?;
        let record = crate::plans::create_as(&saving, caller.owner, PlanSource::Api, &checked, None, how).await?;
        saving.audit(&caller, "", Target::new("plan", record.id), None, Some(plan_changes::brief(&record)));
        let location = format!("/api/plans/{}", record.id);
        Ok(plan_body::reply(StatusCode::CREATED, record, checked.notes).location(&location))
    })
    .await
}

/// One plan
#[utoipa::path(get, path = "/api/plans/{id}", tag = "plans", params(("id" = String, Path, format = "uuid")),
    responses((status = 200, body = PlanAnswer, headers(("ETag" = String, description = "Its version, for `If-Match`.")))))]
pub async fn get_plan(State(api): Shared, caller: Caller, PathId(id): PathId<PlanId>) -> Refusable<Reply> {
    Ok(plan_body::reply(StatusCode::OK, find(&api, &caller, id).await?, Vec::new()))
}

/// Replace a plan's document: a new version
///
/// Runs that have started keep the version that they started with. With `draft: true` beside the document it becomes the draft, and what runs
/// stays; `note` says why. 409 `PLAN_FROM_FILE` for the plan of a file.
#[utoipa::path(put, path = "/api/plans/{id}", tag = "plans", request_body(content = Object, description = "The whole plan document."),
    params(("id" = String, Path, format = "uuid"), ("If-Match" = Option<String>, Header, description = "The ETag that the caller saw; 412 when the plan has changed since.")),
    responses((status = 200, body = PlanAnswer)))]
pub async fn update_plan(State(api): Shared, PathId(id): PathId<PlanId>, headers: HeaderMap, write: Write<Value>) -> Refusable<Reply> {
    update(api, id, &headers, write).await
}

async fn update(api: Arc<Api>, id: PlanId, headers: &HeaderMap, write: Write<Value>) -> Refusable<Reply> {
    let expected = plan_body::expected(headers)?;
    let known = find(&api, &write.caller, id).await?;
    demand_edit(&api, &write.caller, id).await?;
    plan_body::demand_own(&known)?;
    let (checked, how) = plan_body::read(&api, write.caller, write.body, write.text).await?;
    let record = crate::plans::save(&api, &known, expected, &checked, how).await?;
    let after = plan_changes::since(&known, &record);
    api.audit(&write.caller, "", Target::new("plan", id), Some(plan_changes::brief(&known)), Some(after));
    Ok(plan_body::reply(StatusCode::OK, record, checked.notes))
}

/// Delete a plan with its schedules and webhooks; its runs stay
#[utoipa::path(delete, path = "/api/plans/{id}", tag = "plans", params(("id" = String, Path, format = "uuid")), responses((status = 204)))]
pub async fn delete_plan(State(api): Shared, caller: Caller, PathId(id): PathId<PlanId>, headers: HeaderMap) -> Refusable<Reply> {
    delete(&api, &caller, id, &headers).await
}

async fn delete(api: &Api, caller: &Caller, id: PlanId, headers: &HeaderMap) -> Refusable<Reply> {
    let expected = plan_body::expected(headers)?;
    let known = find(api, caller, id).await?;
    let current = known.newest();
    demand_edit(api, caller, id).await?;
    plan_body::demand_own(&known)?;
    if expected.is_some_and(|expected| current != expected) {
        let detail = format!("plan {id} was changed meanwhile: it is at version {current}");
        return Err(Problem::new(StatusCode::PRECONDITION_FAILED, "STALE_VERSION", detail));
    }
    crate::plans::delete(api, caller.owner, id).await?;
    api.audit(caller, "", Target::new("plan", id), Some(plan_changes::brief(&known)), None);
    Ok(Reply::no_content())
}

/// What a check of a document found.
#[derive(Serialize, ToSchema)]
pub struct Validation {
    valid: bool,
    /// All problems at once; empty when it is valid.
    errors: Vec<FieldError>,
    /// What would be changed in a document of an earlier form.
    notes: Vec<String>,
    /// The document as it would be stored.
    #[schema(value_type = Option<Object>)]
    plan: Option<Value>,
    /// How the document's own tests went.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tests: Vec<PlanTestBody>,
}

/// How one test of a plan went
#[derive(Serialize, ToSchema)]
#[schema(as = PlanTest)]
pub struct PlanTestBody {
    name: String,
    passed: bool,
    /// What was not as expected, a sentence each.
    problems: Vec<String>,
    /// How its run ended; absent where it could not go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    output: Value,
}

impl From<TestReport> for PlanTestBody {
    fn from(report: TestReport) -> PlanTestBody {
        let TestReport { name, passed, problems, status, output } = report;
        PlanTestBody { name, passed, problems, status: status.map(RunStatus::as_str), output }
    }
}

/// For all tests of one document.
const TEST_PATIENCE: Duration = Duration::from_secs(30);

/// Check a plan document without storing it
#[utoipa::path(post, path = "/api/plans/validate", tag = "plans", request_body(content = Object, description = "The plan document."),
    responses((status = 200, body = Validation)))]
pub async fn validate_plan(State(api): Shared, write: Write<Value>) -> Refusable<Reply> {
    let (owner, may_run) = (write.caller.owner, write.caller.may(Permission::RunStart));
    match plan_body::check(&api, write.caller, write.body, write.text).await {
        Ok(checked) => {
            let plan = Arc::new(checked.plan);
            // A test is work, as a run is: for those who may start one.
            let tests = if !may_run { Vec::new() } else { offline::tests(&*api.catalog, &api.clock, owner, &plan, TEST_PATIENCE).await };
            let tests = tests.into_iter().map(PlanTestBody::from).collect();
            Ok(Reply::ok(&Validation { valid: true, errors: Vec::new(), notes: checked.notes, plan: Some(checked.document), tests }))
        }
        Err(problem) if problem.status == StatusCode::UNPROCESSABLE_ENTITY => {
            let errors = problem.errors.into_iter().map(FieldError::from).collect();
            Ok(Reply::ok(&Validation { valid: false, errors, notes: Vec::new(), plan: None, tests: Vec::new() }))
        }
        Err(problem) => Err(problem),
    }
}

/// A plan as it is now.
pub fn answer(record: PlanRecord) -> Reply {
    plan_body::reply(StatusCode::OK, record, Vec::new())
}

/// A plan of the caller's organization, or 404.
pub async fn find(api: &Api, caller: &Caller, id: PlanId) -> Refusable<PlanRecord> {
    let reach = Reach::of(api, caller).await?;
    let found = api.store.get_plan(caller.owner.org, id).await?.filter(|plan| reach.sees(plan.id));
    found.ok_or_else(|| Problem::not_found(format_args!("plan {id}")))
}

// The second family of names.

/// All plans, newest first
#[utoipa::path(get, path = "/api/execution-plans", tag = "earlier names", params(ListQuery), responses((status = 200, body = PlanList)))]
pub async fn list_execution_plans(state: Shared, caller: Caller, query: Query<ListQuery>) -> Refusable<Reply> {
    list_plans(state, caller, query).await
}

/// Create a plan
#[utoipa::path(post, path = "/api/execution-plans", tag = "earlier names", request_body = Object, responses((status = 201, body = PlanAnswer)))]
pub async fn create_execution_plan(State(api): Shared, write: Write<Value>) -> Refusable<Reply> {
    create(api, write).await
}

/// One plan
#[utoipa::path(get, path = "/api/execution-plans/{id}", tag = "earlier names", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = PlanAnswer)))]
pub async fn get_execution_plan(state: Shared, caller: Caller, id: PathId<PlanId>) -> Refusable<Reply> {
    get_plan(state, caller, id).await
}

/// Replace a plan's document
#[utoipa::path(put, path = "/api/execution-plans/{id}", tag = "earlier names", params(("id" = String, Path, format = "uuid")), request_body = Object, responses((status = 200, body = PlanAnswer)))]
pub async fn update_execution_plan(
    State(api): Shared,
    PathId(id): PathId<PlanId>,
    headers: HeaderMap,
    write: Write<Value>,
) -> Refusable<Reply> {
    update(api, id, &headers, write).await
}

/// Delete a plan
#[utoipa::path(delete, path = "/api/execution-plans/{id}", tag = "earlier names", params(("id" = String, Path, format = "uuid")), responses((status = 204)))]
pub async fn delete_execution_plan(State(api): Shared, caller: Caller, PathId(id): PathId<PlanId>, headers: HeaderMap) -> Refusable<Reply> {
    delete(&api, &caller, id, &headers).await
}
