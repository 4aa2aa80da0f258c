//! A plan as callers read it, and as they send it back.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use mainspring_model::Problem as Finding;
use mainspring_model::plan::{self, Checked, Format};
use mainspring_model::store::{PlanRecord, PlanSource, PlanSummary};
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
    /// From 1, one more with each change.
    version: u32,
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
const OURS: [&str; 5] = ["id", "version", "source", "created_at", "updated_at"];

impl From<PlanRecord> for PlanBody {
    fn from(record: PlanRecord) -> PlanBody {
        PlanBody {
            id: record.id.into(),
            version: record.version,
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
    let etag = format!("\"v{}\"", record.version);
    Reply::json(status, &PlanAnswer { plan: record.into(), notes }).header(header::ETAG, &etag)
}

/// The document that was sent, checked: 400 when it is no JSON, 422 with all problems otherwise. `text` keeps lines and columns.
pub async fn check(api: &Arc<Api>, caller: Caller, mut document: Value, text: Bytes) -> Refusable<Checked> {
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
        if returned {
            return plan::load_value(document, &*api.catalog, &caller.owner);
        }
        match std::str::from_utf8(&text) {
            Ok(text) => plan::load(text, Format::Json, &*api.catalog, &caller.owner),
            Err(_) => Err(vec![Finding::new("SYNTAX", "", "the body is no UTF-8 text")]),
        }
    });
    checked.await.map_err(Problem::internal)?.map_err(refused)
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
