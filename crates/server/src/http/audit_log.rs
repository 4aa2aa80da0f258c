//! The audit log of an organization: listed, filtered, and exported as lines of JSON or as CSV.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use http::header;
use mainspring_model::id::OrgId;
use mainspring_model::store::{AuditFilter, AuditRecord, Paging};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::api::{Api, Shared};
use super::caller::Caller;
use super::problem::Refusable;
use super::query::{self, Query};
use super::reply::Reply;
use super::shape::{Id, Time};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// A user's id.
    #[param(format = "uuid")]
    actor: Option<String>,
    /// An operation's id, such as `update_plan`; or `use_credential`.
    action: Option<String>,
    /// The id of what it was done to.
    target: Option<String>,
    /// At or after.
    #[param(format = DateTime)]
    since: Option<String>,
    /// Before.
    #[param(format = DateTime)]
    until: Option<String>,
    /// `json` unless written; `jsonl` and `csv` give all that fits as a file.
    format: Option<String>,
    /// 1–200, 50 unless written.
    #[param(value_type = Option<u32>)]
    limit: Option<String>,
    cursor: Option<String>,
}

/// Newest first.
#[derive(Serialize, ToSchema)]
pub struct AuditList {
    entries: Vec<AuditEntry>,
    next_cursor: Option<String>,
}

/// Who did what.
#[derive(Serialize, ToSchema)]
pub struct AuditEntry {
    id: Id,
    at: Time,
    /// Who; null for the server itself and for strangers.
    user_id: Option<Id>,
    /// How they came in: `session`, `key`, `dev`; or who else it was: `run`, `server`, `nobody`.
    #[schema(example = "key")]
    via: &'static str,
    /// Of the session, the key or the run.
    via_id: Option<Id>,
    /// The network address.
    address: Option<String>,
    user_agent: Option<String>,
    #[schema(example = "update_plan")]
    action: String,
    /// `done`, `refused`, or `unknown` while it is under way and for ever when the process died then.
    outcome: &'static str,
    #[schema(example = "plan")]
    target_kind: Option<String>,
    target_id: Option<String>,
    /// How the target was; never a secret.
    before: Option<Value>,
    after: Option<Value>,
    request_id: Option<String>,
}

impl From<AuditRecord> for AuditEntry {
    fn from(record: AuditRecord) -> AuditEntry {
        AuditEntry {
            id: Id::of(record.id.0),
            at: Time(record.at.unwrap_or_default()),
            user_id: record.user.map(Id::from),
            via: record.actor.kind(),
            via_id: record.actor.id().map(Id::of),
            address: record.address,
            user_agent: record.agent,
            action: record.action,
            outcome: record.outcome.as_str(),
            target_kind: record.target_kind,
            target_id: record.target_id,
            before: record.before,
            after: record.after,
            request_id: record.request_id,
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Format {
    Page,
    Lines,
    Csv,
}

/// The audit log of an organization, newest first
///
/// Every write, every use of a credential by a run, and every permission that was refused. With `format=jsonl` or `format=csv` all
/// entries that fit come in one answer.
#[utoipa::path(get, path = "/api/organizations/{id}/audit-log", tag = "organizations", params(("id" = String, Path), AuditQuery), responses(
    (status = 200, description = "A page, or the whole as a file.",
        content((AuditList = "application/json"), (String = "application/x-ndjson"), (String = "text/csv")))))]
pub async fn list_audit_log(State(api): Shared, caller: Caller, Query(query): Query<AuditQuery>) -> Refusable<Response> {
    let formats = [("json", Format::Page), ("jsonl", Format::Lines), ("csv", Format::Csv)];
    let format = query::word("format", query.format.as_deref(), &formats)?.unwrap_or(Format::Page);
    let paging = query::paging(query.limit.as_deref(), query.cursor)?;
    let filter = AuditFilter {
        user: query::id("actor", query.actor.as_deref())?,
        action: query.action.filter(|action| !action.is_empty()),
        target: query.target.filter(|target| !target.is_empty()),
        since: query::moment("since", query.since.as_deref())?,
        until: query::moment("until", query.until.as_deref())?,
    };
    let org = caller.owner.org;
    // What was done a moment ago may still be gathering on this node.
    api.audit.flush().await;
    if format == Format::Page {
        let page = api.store.list_audit(org, &filter, &paging).await?;
        let entries = page.items.into_iter().map(AuditEntry::from).collect();
        return Ok(Reply::ok(&AuditList { entries, next_cursor: page.next_cursor }).into_response());
    }
    let (kind, name) = match format {
        Format::Csv => ("text/csv; charset=utf-8", "attachment; filename=\"audit-log.csv\""),
        _ => ("application/x-ndjson", "attachment; filename=\"audit-log.jsonl\""),
    };
    let whole = Whole { api, org, filter, format, cursor: paging.cursor, begun: false, over: false };
    let pieces = stream::unfold(whole, |mut whole| async move { Some((Ok::<_, Infallible>(whole.next().await?), whole)) });
    Ok(([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)], Body::from_stream(pieces)).into_response())
}

/// An export under way: a page of the store at a time, so that a long log needs no memory.
struct Whole {
    api: Arc<Api>,
    org: OrgId,
    filter: AuditFilter,
    format: Format,
    cursor: Option<String>,
    begun: bool,
    over: bool,
}

impl Whole {
    async fn next(&mut self) -> Option<Bytes> {
        if self.over {
            return None;
        }
        let mut text = String::new();
        if !self.begun && self.format == Format::Csv {
            text.push_str(&COLUMNS.join(","));
            text.push_str("\r\n");
        }
        self.begun = true;
        let paging = Paging { limit: 200, cursor: self.cursor.take() };
        match self.api.store.list_audit(self.org, &self.filter, &paging).await {
            Ok(page) => {
                self.cursor = page.next_cursor;
                self.over = self.cursor.is_none();
                for record in page.items {
                    let entry = AuditEntry::from(record);
                    match self.format {
                        Format::Csv => line(&entry, &mut text),
                        _ => {
                            text.push_str(&serde_json::to_string(&entry).unwrap_or_default());
                            text.push('\n');
                        }
                    }
                }
            }
            Err(error) => {
                tracing::error!(%error, "an export of the audit log broke off");
                return None;
            }
        }
        Some(text.into())
    }
}

const COLUMNS: [&str; 14] = [
    "id",
    "at",
    "user_id",
    "via",
    "via_id",
    "address",
    "user_agent",
    "action",
    "outcome",
    "target_kind",
    "target_id",
    "before",
    "after",
    "request_id",
];

fn line(entry: &AuditEntry, text: &mut String) {
    let fields = serde_json::to_value(entry).unwrap_or_default();
    for (at, column) in COLUMNS.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        match &fields[*column] {
            Value::Null => {}
            Value::String(value) => cell(value, text),
            other => cell(&other.to_string(), text),
        }
    }
    text.push_str("\r\n");
}

/// RFC 4180. A value that a spreadsheet would take for a formula gets an apostrophe before it: a user agent must not compute.
fn cell(value: &str, text: &mut String) {
    let formula = value.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if !formula && !value.contains(['"', ',', '\n', '\r']) {
        return text.push_str(value);
    }
    text.push('"');
    if formula {
        text.push('\'');
    }
    text.push_str(&value.replace('"', "\"\""));
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn no_cell_is_a_formula_and_every_one_is_one_cell() {
        for (value, written) in [
            ("plain", "plain"),
            ("", ""),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("=HYPERLINK(\"http://x\")", "\"'=HYPERLINK(\"\"http://x\"\")\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("\tx", "\"'\tx\""),
            ("two\nlines", "\"two\nlines\""),
        ] {
            let mut text = String::new();
            cell(value, &mut text);
            assert_eq!(text, written);
        }
    }
}
