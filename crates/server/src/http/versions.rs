//! A plan's versions: its history, what changed between two, and which of them runs.

use axum::extract::State;
use mainspring_model::Problem as Finding;
use mainspring_model::id::PlanId;
use mainspring_model::plan::diff::{Colour, Diff};
use mainspring_model::plan::{self, Checked};
use mainspring_model::store::{Paging, PlanRecord, SaveAs, Saving, VersionRecord};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::api::{Api, Shared};
use super::audit::Target;
use super::body::{BareWrite, Write};
use super::caller::Caller;
use super::path::{PathId, PathLast};
use super::plan_body::{self, PlanAnswer};
use super::plans::find;
use super::problem::{Problem, Refusable};
use super::query::{self, Query, wrong};
use super::reach::demand_edit;
use super::reply::Reply;
use super::shape::{Id, Time};
use super::{plan_changes, plans};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct VersionQuery {
    /// 1–200, 50 unless written.
    #[param(value_type = Option<u32>)]
    limit: Option<String>,
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct VersionList {
    versions: Vec<VersionEntry>,
    next_cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct VersionEntry {
    version: u32,
    /// The version that new runs get.
    current: bool,
    /// The version that is worked on.
    draft: bool,
    /// The plan's name in it.
    name: String,
    created_at: Time,
    /// Null for a draft that never was the version that runs.
    published_at: Option<Time>,
    /// Who saved it; null when it was the server itself, or before that was noted.
    by: Option<Id>,
    /// Null also when the account is gone.
    by_name: Option<String>,
    /// Why, in the words of who did.
    note: Option<String>,
}

async fn entry(api: &Api, plan: &PlanRecord, version: VersionRecord) -> Refusable<VersionEntry> {
    let by_name = match version.by {
        Some(user) => api.store.user(user).await?.map(|user| user.name),
        None => None,
    };
    Ok(VersionEntry {
        version: version.version,
        current: version.version == plan.version,
        draft: Some(version.version) == plan.draft,
        name: version.name,
        created_at: Time(version.created_at),
        published_at: version.published_at.map(Time),
        by: version.by.map(Id::from),
        by_name,
        note: version.note,
    })
}

/// A plan's versions, newest first
///
/// The last 100 published ones, and those that a run needs. A draft that was replaced or given up goes an hour later.
#[utoipa::path(get, path = "/api/plans/{id}/versions", tag = "plans", params(("id" = String, Path, format = "uuid"), VersionQuery), responses((status = 200, body = VersionList)))]
pub async fn list_versions(
    State(api): Shared,
    caller: Caller,
    PathId(id): PathId<PlanId>,
    Query(query): Query<VersionQuery>,
) -> Refusable<Reply> {
    let paging = query::paging(query.limit.as_deref(), query.cursor)?;
    let plan = find(&api, &caller, id).await?;
    let page = api.store.plan_versions(caller.owner.org, id, &paging).await?;
    let mut versions = Vec::with_capacity(page.items.len());
    for version in page.items {
        versions.push(entry(&api, &plan, version).await?);
    }
    Ok(Reply::ok(&VersionList { versions, next_cursor: page.next_cursor }))
}

#[derive(Serialize, ToSchema)]
pub struct VersionAnswer {
    version: VersionEntry,
    /// The document as it was saved.
    #[schema(value_type = Object)]
    plan: Value,
}

/// One version of a plan, with its document
#[utoipa::path(get, path = "/api/plans/{id}/versions/{n}", tag = "plans",
    params(("id" = String, Path, format = "uuid"), ("n" = u32, Path)), responses((status = 200, body = VersionAnswer)))]
pub async fn get_version(
    State(api): Shared,
    caller: Caller,
    PathId(id): PathId<PlanId>,
    PathLast(number): PathLast<u32>,
) -> Refusable<Reply> {
    let plan = find(&api, &caller, id).await?;
    let document = document(&api, &plan, number).await?;
    // The list is newest first, and a number is used once.
    let paging = Paging { limit: 1, cursor: number.checked_add(1).map(|next| format!("0-{next:x}")) };
    let found = api.store.plan_versions(caller.owner.org, id, &paging).await?.items.into_iter().next();
    let version = found.filter(|found| found.version == number).ok_or_else(|| missing(&plan, number))?;
    Ok(Reply::ok(&VersionAnswer { version: entry(&api, &plan, version).await?, plan: document }))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DiffQuery {
    /// The newer version; the one that runs, or the draft where nothing runs, when it is left out.
    #[param(value_type = Option<u32>)]
    to: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct DiffAnswer {
    from: u32,
    to: u32,
    /// Each with `part` (`plan`, `trigger`, `step`, `edge`), `kind` (`added`, `removed`, `changed`, `moved`), `id`, `path`, `from` and `to`.
    #[schema(value_type = Vec<Object>)]
    changes: Value,
    /// The same for people, a line for each change.
    text: String,
}

/// What changed between two versions of a plan: its steps, their params, triggers and edges
#[utoipa::path(get, path = "/api/plans/{id}/versions/{n}/diff", tag = "plans",
    params(("id" = String, Path, format = "uuid"), ("n" = u32, Path), DiffQuery), responses((status = 200, body = DiffAnswer)))]
pub async fn diff_versions(
    State(api): Shared,
    caller: Caller,
    PathId(id): PathId<PlanId>,
    PathLast(from): PathLast<u32>,
    Query(query): Query<DiffQuery>,
) -> Refusable<Reply> {
    let plan = find(&api, &caller, id).await?;
    let to = match query.to {
        None => plan.draft.filter(|_| plan.version == 0).unwrap_or(plan.version),
        Some(text) => text.parse().map_err(|_| wrong("to", "it is no version number".to_owned()))?,
    };
    let diff = Diff::between(&document(&api, &plan, from).await?, &document(&api, &plan, to).await?);
    let changes = serde_json::to_value(&diff.changes).map_err(Problem::internal)?;
    Ok(Reply::ok(&DiffAnswer { from, to, changes, text: diff.text(Colour::Plain) }))
}

pub async fn document(api: &Api, plan: &PlanRecord, version: u32) -> Refusable<Value> {
    api.store.plan_version(plan.id, version).await?.ok_or_else(|| missing(plan, version))
}

fn missing(plan: &PlanRecord, version: u32) -> Box<Problem> {
    Problem::not_found(format_args!("version {version} of the plan {}", plan.id))
}

/// A plan that the caller may change, by hand and not in a file.
async fn mine(api: &Api, caller: &Caller, id: PlanId) -> Refusable<PlanRecord> {
    let plan = find(api, caller, id).await?;
    demand_edit(api, caller, id).await?;
    plan_body::demand_own(&plan)?;
    Ok(plan)
}

/// A stored document, checked as a new one: what it needs may have gone since.
fn checked(api: &Api, plan: &PlanRecord, document: Value) -> Refusable<Checked> {
    plan::load_value(document, &*api.catalog, &plan.owner).map_err(|findings: Vec<Finding>| Problem::invalid_all(findings))
}

fn saving(caller: &Caller, note: Option<&Value>, as_what: SaveAs) -> Refusable<Saving> {
    Ok(Saving { by: Some(caller.owner.user), note: plan_body::note(note)?, as_what })
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rollback {
    /// Whose content becomes the newest version.
    version: u32,
    /// `rolled back to version N` when it is left out.
    #[schema(value_type = Option<String>)]
    note: Option<Value>,
}

/// Go back to an earlier version: its content becomes a new one
///
/// Nothing is written when that is the content of the version that runs.
#[utoipa::path(post, path = "/api/plans/{id}/rollback", tag = "plans", request_body = Rollback,
    params(("id" = String, Path, format = "uuid")), responses((status = 200, body = PlanAnswer)))]
pub async fn rollback_plan(State(api): Shared, PathId(id): PathId<PlanId>, write: Write<Rollback>) -> Refusable<Reply> {
    let Write { caller, body, .. } = write;
    let known = mine(&api, &caller, id).await?;
    let content = checked(&api, &known, document(&api, &known, body.version).await?)?;
    let mut saving = saving(&caller, body.note.as_ref(), SaveAs::Published)?;
    saving.note = saving.note.or_else(|| Some(format!("rolled back to version {}", body.version)));
    let record = crate::plans::save(&api, &known, Some(known.newest()), &content, saving).await?;
    done(&api, &caller, "rollback_plan", &known, record)
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Publish {
    /// The draft that the caller saw; 412 when there is another one by now.
    version: Option<u32>,
    #[schema(value_type = Option<String>)]
    note: Option<Value>,
}

/// Publish the draft: triggers and runs use it from now on
#[utoipa::path(post, path = "/api/plans/{id}/publish", tag = "plans", request_body = Publish,
    params(("id" = String, Path, format = "uuid")), responses((status = 200, body = PlanAnswer)))]
pub async fn publish_plan(State(api): Shared, PathId(id): PathId<PlanId>, write: Write<Publish>) -> Refusable<Reply> {
    let Write { caller, body, .. } = write;
    let known = mine(&api, &caller, id).await?;
    let draft = known.draft.ok_or_else(|| Problem::conflict(format!("the plan \"{}\" has no draft to publish", known.name)))?;
    let content = checked(&api, &known, document(&api, &known, draft).await?)?;
    let saving = saving(&caller, body.note.as_ref(), SaveAs::Publish(body.version.unwrap_or(draft)))?;
    let record = crate::plans::save(&api, &known, None, &content, saving).await?;
    done(&api, &caller, "publish_plan", &known, record)
}

/// Give up the draft; what is published stays
#[utoipa::path(post, path = "/api/plans/{id}/discard", tag = "plans", params(("id" = String, Path, format = "uuid")),
    responses((status = 200, body = PlanAnswer)))]
pub async fn discard_draft(State(api): Shared, PathId(id): PathId<PlanId>, write: BareWrite) -> Refusable<Reply> {
    let caller = write.caller;
    let known = mine(&api, &caller, id).await?;
    let record = crate::plans::discard(&api, &known, saving(&caller, None, SaveAs::Discard)?).await?;
    done(&api, &caller, "discard_draft", &known, record)
}

fn done(api: &Api, caller: &Caller, action: &str, known: &PlanRecord, record: PlanRecord) -> Refusable<Reply> {
    let after = plan_changes::since(known, &record);
    api.audit(caller, action, Target::new("plan", known.id), Some(plan_changes::brief(known)), Some(after));
    Ok(plans::answer(record))
}
