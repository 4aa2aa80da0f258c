//! Plans that come from files: what became of each file, and plans that are detached from theirs.

use axum::extract::State;
use mainspring_model::id::PlanId;
use mainspring_model::store::PlanSource;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::api::Shared;
use super::audit::Target;
use super::body::BareWrite;
use super::caller::Caller;
use super::path::PathId;
use super::plan_body::PlanAnswer;
use super::plans::{answer, find};
use super::problem::{FieldError, Problem, Refusable};
use super::reach::{Reach, demand_edit};
use super::reply::Reply;
use super::shape::{Id, Time};

#[derive(Serialize, ToSchema)]
pub struct PlanFileList {
    /// Whether this node follows a folder of plan files.
    followed: bool,
    /// Why the folder as a whole cannot be followed just now.
    trouble: Option<String>,
    files: Vec<PlanFileBody>,
    total: usize,
}

#[derive(Serialize, ToSchema)]
#[schema(as = PlanFile)]
pub struct PlanFileBody {
    /// Below the folder.
    #[schema(example = "payments.yaml")]
    file: String,
    /// `loaded`; `broken`: what was loaded before stays in force; `detached`: its plan is changed by hand now.
    state: &'static str,
    plan_id: Option<Id>,
    name: Option<String>,
    /// The version that it became.
    version: Option<u32>,
    looked_at: Time,
    /// Everything to mend in it.
    errors: Vec<FieldError>,
}

/// The plan files of the caller's organization, and what became of each
#[utoipa::path(get, path = "/api/plan-files", tag = "plans", responses((status = 200, body = PlanFileList)))]
pub async fn list_plan_files(State(api): Shared, caller: Caller) -> Refusable<Reply> {
    let reach = Reach::of(&api, &caller).await?;
    let files: Vec<PlanFileBody> = api
        .plan_files
        .of(caller.owner.org)
        .into_iter()
        .filter(|(_, file)| file.plan.is_none_or(|plan| reach.sees(plan)))
        .map(|(path, file)| PlanFileBody {
            file: path,
            state: file.state.as_str(),
            plan_id: file.plan.map(Id::from),
            name: file.name,
            version: file.version,
            looked_at: Time(file.looked_at),
            errors: file.problems.into_iter().map(FieldError::from).collect(),
        })
        .collect();
    let (followed, trouble) = (api.plan_files.folder().is_some(), api.plan_files.trouble());
    Ok(Reply::ok(&PlanFileList { followed, trouble, total: files.len(), files }))
}

/// Detach a plan from its file: it is changed by hand from now on
///
/// The file is passed over for as long as the plan is there.
#[utoipa::path(post, path = "/api/plans/{id}/detach", tag = "plans", params(("id" = String, Path, format = "uuid")),
    responses((status = 200, body = PlanAnswer)))]
pub async fn detach_plan(State(api): Shared, PathId(id): PathId<PlanId>, write: BareWrite) -> Refusable<Reply> {
    let caller = write.caller;
    let known = find(&api, &caller, id).await?;
    demand_edit(&api, &caller, id).await?;
    if known.source != PlanSource::File {
        return Err(Problem::conflict(format!("the plan \"{}\" comes from no file", known.name)));
    }
    let record = crate::plans::detach(&api, &known).await?;
    let told = |source: &str| Some(json!({ "name": known.name, "file": known.file, "source": source }));
    api.audit(&caller, "detach_plan", Target::new("plan", id), told("file"), told("api"));
    Ok(answer(record))
}
