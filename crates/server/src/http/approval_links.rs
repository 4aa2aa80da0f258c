//! `/api/approval-links/{token}`: the page behind the link of a mail that asks. Looking at it decides nothing; sending it does, once.

use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use mainspring_engine::ApprovalLink;
use mainspring_model::form::{Button, Field, FormPage, Typed, Widget, fields, notice, read};
use mainspring_model::id::OrgId;
use mainspring_model::plan::InputSpec;
use mainspring_model::run::RunHeader;
use mainspring_model::store::WaitRecord;
use mainspring_model::wait::approval_topic;
use serde_json::{Value, json};

use super::api::{Api, Shared};
use super::approvals::{Decision, decide, is_over};
use super::audit::Target;
use super::form_sent::{self, Sent};
use super::forms::page;
use super::path::PathName;
use super::problem::{Problem, Refusable};
use super::resting;

/// What a page carries beside the question's fields, under names that no field has.
const DECISION: &str = ".decision";
const COMMENT: &str = ".comment";

/// What a link leads to.
struct Asked {
    link: ApprovalLink,
    header: RunHeader,
    state: Standing,
}

enum Standing {
    Open(Box<WaitRecord>),
    /// Who said what, and when.
    Decided(Value),
    /// Its time is over, or its run.
    Over(&'static str),
}

/// The question behind a link
///
/// An HTML page with the message and its form. Whoever follows the link sees it, and nothing is decided by that. After the decision it says what
/// it was.
#[utoipa::path(get, path = "/api/approval-links/{token}", tag = "runs", security(()), params(("token" = String, Path)),
    responses((status = 200, content_type = "text/html", body = String)))]
pub async fn get_approval_page(State(api): Shared, PathName(token): PathName) -> Refusable<Response> {
    let asked = find(&api, &token).await?;
    let Standing::Open(wait) = &asked.state else { return Ok(closed(&asked, StatusCode::OK)) };
    let fields = fields_of(wait)?;
    Ok(shown(&asked, wait, StatusCode::OK, &fields, &Typed::defaults(&fields), &[]))
}

/// Answer the question behind a link
///
/// `.decision` is `approve` or `reject`, `.comment` says why, and the other fields are the question's. The first answer counts; it stands in the
/// run's log under the address that the link was sent to. What does not fit comes back as the page (422); what is decided already, or too late,
/// as a page that says so (409).
#[utoipa::path(post, path = "/api/approval-links/{token}", tag = "runs", security(()), params(("token" = String, Path)),
    request_body(content = String, content_type = "application/x-www-form-urlencoded"), responses(
    (status = 200, content_type = "text/html", body = String), (status = 409, description = "It was decided before, or its time is over.", content_type = "text/html", body = String),
    (status = 422, description = "The page, with what is wrong.", content_type = "text/html", body = String)))]
pub async fn send_approval_page(State(api): Shared, PathName(token): PathName, request: Request) -> Refusable<Response> {
    let asked = find(&api, &token).await?;
    let (parts, content) = request.into_parts();
    let fields = match &asked.state {
        Standing::Open(wait) => fields_of(wait)?,
        _ => return Ok(closed(&asked, StatusCode::CONFLICT)),
    };
    let owner = asked.header.owner;
    // Whoever has the link may send what the question asks for.
    let sent = form_sent::sent(&api, owner, &fields, &parts.headers, content, None).await?;
    let taken = take(&api, &token, &asked, &fields, &sent).await;
    // An answer that could not be kept for certain may have been kept.
    let has_them = taken.as_ref().map_or_else(|problem| problem.status.is_server_error(), |answer| answer.status() == StatusCode::OK);
    if !has_them {
        sent.files.remove().await;
    }
    taken
}

async fn take(api: &Api, token: &str, asked: &Asked, fields: &[Field], sent: &Sent) -> Refusable<Response> {
    let Standing::Open(wait) = &asked.state else { return Ok(closed(asked, StatusCode::CONFLICT)) };
    let typed = &sent.typed;
    let refused = |wrong: Vec<(Option<String>, String)>| {
        let wrong = sent.with_files_again(wrong);
        shown(asked, wait, StatusCode::UNPROCESSABLE_ENTITY, fields, typed, &wrong)
    };
    if !sent.wrong.is_empty() {
        return Ok(refused(sent.wrong.clone()));
    }
    let approved = match typed.first(DECISION) {
        "approve" => true,
        "reject" => false,
        _ => return Ok(refused(vec![(None, "say yes or no by one of the two buttons.".to_owned())])),
    };
    let mut form = read(fields, typed);
    form.remove(COMMENT);
    if !approved {
        form.clear();
    }
    let comment = typed.first(COMMENT).replace("\r\n", "\n");
    let decision = Decision { approved, comment, form, by: asked.link.address.clone(), by_id: None };
    sent.files.leave();
    match decide(api, wait, decision).await {
        Ok(_) => {}
        Err(problem) if problem.status == StatusCode::CONFLICT => {
            return Ok(closed(&find(api, token).await?, StatusCode::CONFLICT));
        }
        Err(problem) if !problem.errors.is_empty() => {
            let wrong = problem.errors.iter().map(|finding| (place(&finding.pointer, fields), finding.message.clone())).collect();
            return Ok(refused(wrong));
        }
        Err(problem) => return Err(problem),
    }
    if !approved {
        sent.files.remove().await;
    }
    let after = json!({"run_id": wait.run, "step": wait.path, "approved": approved, "via": "link"});
    api.audit_nobody(wait.org, "answer_approval", Target::new("approval", &asked.link.id), after);
    let said = if approved { "You have approved this." } else { "You have rejected this." };
    Ok(page(StatusCode::OK, notice(&asked.header.plan_name, &format!("{said}\n\n{}", message(wait)))))
}

async fn find(api: &Api, token: &str) -> Refusable<Asked> {
    let unknown = || Problem::not_found("a question behind this link; look whether the whole link was copied");
    let link = ApprovalLink::parse(token).ok_or_else(unknown)?;
    let header = api.store.header(link.run).await?.ok_or_else(unknown)?;
    let org: OrgId = header.owner.org;
    resting::refuse(api, org).await?;
    if !api.engine.proves(org, &link).await.map_err(Problem::internal)? {
        return Err(unknown());
    }
    let topic = approval_topic(&link.id);
    let state = match api.store.signals(org, &topic, 0, None, 1).await?.pop() {
        Some(answer) => Standing::Decided(answer.data),
        None => match api.store.wait_for(org, &topic).await? {
            Some(wait) if !is_over(&wait, api.clock.now()) => Standing::Open(Box::new(wait)),
            Some(_) => Standing::Over("The time to answer this is over."),
            None => Standing::Over("This question is closed: nobody has to answer it any more."),
        },
    };
    Ok(Asked { link, header, state })
}

fn fields_of(wait: &WaitRecord) -> Refusable<Vec<Field>> {
    let none = serde_json::Map::new();
    let spec = InputSpec::of(wait.detail["form"].as_object().unwrap_or(&none)).map_err(Problem::invalid_all)?;
    let mut fields = fields(&spec);
    fields.push(Field {
        name: COMMENT.to_owned(),
        label: "Comment".to_owned(),
        description: String::new(),
        required: false,
        default: None,
        widget: Widget::Text { most: Some(2_000) },
    });
    Ok(fields)
}

fn message(wait: &WaitRecord) -> &str {
    wait.detail["message"].as_str().unwrap_or_default()
}

/// The field that a finding is about.
fn place(pointer: &str, fields: &[Field]) -> Option<String> {
    if pointer == "/comment" {
        return Some(COMMENT.to_owned());
    }
    let name = pointer.strip_prefix("/form/")?.split('/').next()?.replace("~1", "/").replace("~0", "~");
    fields.iter().any(|field| field.name == name).then_some(name)
}

fn shown(
    asked: &Asked,
    wait: &WaitRecord,
    status: StatusCode,
    fields: &[Field],
    typed: &Typed,
    wrong: &[(Option<String>, String)],
) -> Response {
    let buttons = [
        Button { sends: Some((DECISION, "approve")), label: "Approve", unchecked: false },
        // What is turned down need not be filled in.
        Button { sends: Some((DECISION, "reject")), label: "Reject", unchecked: true },
    ];
    let html = FormPage {
        title: &asked.header.plan_name,
        text: &format!("{}\n\nYou answer as {}.", message(wait), asked.link.address),
        fields,
        typed,
        wrong,
        hidden: &[],
        buttons: &buttons,
        trap: None,
    };
    page(status, html.html())
}

fn closed(asked: &Asked, status: StatusCode) -> Response {
    let said = match &asked.state {
        Standing::Decided(answer) => {
            let text = |name: &str| answer[name].as_str().unwrap_or_default();
            let what = if answer["approved"] == json!(true) { "approved" } else { "rejected" };
            format!("{} has {what} this on {}.", text("by"), text("decided_at"))
        }
        Standing::Over(said) => (*said).to_owned(),
        Standing::Open(_) => "The answer could not be taken. Open the link again.".to_owned(),
    };
    page(status, notice(&asked.header.plan_name, &said))
}
