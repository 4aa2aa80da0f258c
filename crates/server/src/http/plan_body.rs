//! A plan as callers read it, and as they send it back.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use mainspring_model::Problem as Finding;
use mainspring_model::plan::{self, Checked, Format};
use mainspring_model::store::{PlanRecord, PlanSource, PlanSummary, SaveAs, Saving};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::api::Api;
use super::caller::Caller;
use super::problem::{Problem, Refusable};
use super::reply::Reply;
use super::shape::{Id, Time};

/// A stored plan: what the server knows of it, and its document's own fields (`name`, `steps`, `triggers`, …) beside.
#[derive(Serialize, ToSchema)]
#[schema(as = Plan)]
pub struct PlanBody {
    id: Id,
    /// The version that runs, from 1. 0: nothing is published, the document is the draft's.
    version: u32,
    /// The version that is worked on beside it; its document is at `versions/{n}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    draft: Option<u32>,
    /// The plan file that it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    /// `api` or `file`.
    source: &'static str,
    created_at: Time,
    updated_at: Time,
    /// The document's fields; see `/api/schemas/plan`.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    document: Map<String, Value>,
}

/// What a document may carry back from an answer of ours; we know better.
const OURS: [&str; 7] = ["id", "version", "draft", "file", "source", "created_at", "updated_at"];

/// Longer notes are refused, in characters.
const MOST_NOTE: usize = 500;

impl From<PlanRecord> for PlanBody {
    fn from(record: PlanRecord) -> PlanBody {
        PlanBody {
            id: record.id.into(),
            version: record.version,
            draft: record.draft,
            file: record.file,
            source: source(record.source),
            created_at: Time(record.created_at),
            updated_at: Time(record.updated_at),
            document: fields(record.document),
        }
    }
}

impl From<PlanSummary> for PlanBody {
    fn from(summary: PlanSummary) -> PlanBody {
        PlanBody {
            id: summary.id.into(),
            version: summary.version,
            draft: summary.draft,
            file: summary.file,
            source: source(summary.source),
            created_at: Time(summary.created_at),
            updated_at: Time(summary.updated_at),
            document: fields(summary.document),
        }
    }
}

fn source(source: PlanSource) -> &'static str {
    match source {
        PlanSource::Api => "api",
        PlanSource::File => "file",
    }
}

fn fields(document: Value) -> Map<String, Value> {
    match document {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

#[derive(Serialize, ToSchema)]
pub struct PlanAnswer {
    plan: PlanBody,
    /// What was changed in a document of an earlier form.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

/// `{plan}` with its `ETag`.
pub fn reply(status: StatusCode, record: PlanRecord, notes: Vec<String>) -> Reply {
    let etag = format!("\"v{}\"", record.newest());
    Reply::json(status, &PlanAnswer { plan: record.into(), notes }).header(header::ETAG, &etag)
}

/// The document that was sent, checked: 400 when it is no JSON, 422 with all problems otherwise. `text` keeps lines and columns.
pub async fn check(api: &Arc<Api>, caller: Caller, document: Value, text: Bytes) -> Refusable<Checked> {
    read(api, caller, document, text).await.map(|(checked, _)| checked)
}

/// As [`check`], with what the caller says beside the document: `draft: true`, and `note`.
pub async fn read(api: &Arc<Api>, caller: Caller, mut document: Value, text: Bytes) -> Refusable<(Checked, Saving)> {
    let mut saving = Saving { by: Some(caller.owner.user), ..Saving::default() };
    let mut beside = false;
    if let Some(fields) = document.as_object_mut() {
        if let Some(Value::Bool(draft)) = fields.get("draft") {
            saving.as_what = if *draft { SaveAs::Draft } else { SaveAs::Published };
            fields.shift_remove("draft");
            beside = true;
        }
        if let Some(note) = fields.shift_remove("note") {
            saving.note = self::note(Some(&note))?;
            beside = true;
        }
    }
    let returned = document.as_object_mut().is_some_and(|fields| {
        // Only where it is an answer of ours that came back: a step list may be under any name, an `id` beside `version` is ours.
        let answered = fields.contains_key("id") && fields.contains_key("version");
        if answered {
            fields.retain(|name, _| !OURS.contains(&name.as_str()));
        }
        answered
    });
    let api = api.clone();
    // A large document takes milliseconds, which other requests must not wait for.
    let checked = tokio::task::spawn_blocking(move || {
        if returned || beside {
            return plan::load_value(document, &*api.catalog, &caller.owner);
        }
        match std::str::from_utf8(&text) {
            Ok(text) => plan::load(text, Format::Json, &*api.catalog, &caller.owner),
            Err(_) => Err(vec![Finding::new("SYNTAX", "", "the body is no UTF-8 text")]),
        }
    });
    let checked = checked.await.map_err(Problem::internal)?.map_err(refused)?;
    Ok((checked, saving))
}

/// Why something was changed, in the words of who did.
pub fn note(written: Option<&Value>) -> Refusable<Option<String>> {
    match written {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.chars().count() <= MOST_NOTE => Ok(Some(text.clone()).filter(|text| !text.trim().is_empty())),
        Some(_) => {
            let message = format!("a note is text of at most {MOST_NOTE} characters");
            Err(Problem::invalid(Finding::new("INVALID_VALUE", "/note", message)))
        }
    }
}

/// A plan of a file is changed in its file.
pub fn demand_own(plan: &PlanRecord) -> Refusable<()> {
    match (&plan.file, plan.source) {
        (Some(file), PlanSource::File) => {
            let detail = format!(
                "the plan \"{}\" comes from the plan file {file}; change the file, or detach the plan from it first: POST /api/plans/{}/detach",
                plan.name, plan.id
            );
            Err(Problem::new(StatusCode::CONFLICT, "PLAN_FROM_FILE", detail))
        }
        _ => Ok(()),
    }
}

/// The version that new runs get.
pub fn published(plan: &PlanRecord) -> Refusable<u32> {
    if plan.version > 0 {
        return Ok(plan.version);
    }
    let detail = format!(
        "the plan \"{}\" is a draft: publish it (POST /api/plans/{}/publish), or run the draft with draft: true",
        plan.name, plan.id
    );
    Err(Problem::new(StatusCode::CONFLICT, "NOT_PUBLISHED", detail))
}

fn refused(findings: Vec<Finding>) -> Box<Problem> {
    let syntax = findings.iter().any(|finding| matches!(finding.code.as_str(), "SYNTAX" | "DUPLICATE_KEY"));
    let mut problem = Problem::invalid_all(findings);
    if syntax {
        problem.status = StatusCode::BAD_REQUEST;
    }
    problem
}

/// The version that an `If-Match` names. `None` when it is absent or `*`.
pub fn expected(headers: &HeaderMap) -> Refusable<Option<u32>> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let version = text.strip_prefix("\"v").and_then(|rest| rest.strip_suffix('"')).and_then(|digits| digits.parse().ok());
    version.map(Some).ok_or_else(|| {
        // A tag that we never gave matches no version.
        let detail = "If-Match names no version of this plan; send the ETag of the answer that you saw, such as \"v3\"";
        Problem::new(StatusCode::PRECONDITION_FAILED, "STALE_VERSION", detail)
    })
}
