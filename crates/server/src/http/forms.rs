//! `/api/forms/{path}`: a page made from a plan's inputs. What is sent by it is durable before it is answered, and one run for each page.

use std::sync::{Arc, LazyLock};

use axum::extract::{Request, State};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use mainspring_engine::Start;
use mainspring_engine::triggers::{self, Refused, Sight};
use mainspring_model::Problem as Finding;
use mainspring_model::clock::Millis;
use mainspring_model::form::{Button, Field, FormPage, STYLE, Typed, fields, notice, read};
use mainspring_model::id::RunId;
use mainspring_model::plan::trigger::{Form, FormAuth, WebhookAuth};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::api::{Api, Shared};
use super::form_sent::{self, Sent};
use super::problem::{Problem, Refusable};
use super::shape::Time;
use super::webhook_auth;
use crate::plans::form_route;
use crate::webhooks::Hook;

/// What a page carries beside the inputs, under names that no input of a person's plan has.
const TOKEN: &str = ".token";
/// A field that only programs fill in.
const TRAP: &str = ".website";
/// For how long a page may be filled in.
const OPEN_FOR: Millis = 24 * 3_600_000;
/// Pages of a node whose clock goes ahead.
const AHEAD: Millis = 60_000;
/// What is said of an older page.
pub(super) const TOO_LATE: &str = "this page was open for too long. Look it over and send it again.";

/// Nothing runs, nothing is loaded, nobody frames it; the one style is known by its hash. The referrer stays, so that a browser says where
/// the form was sent from.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    let text = format!("default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'");
    HeaderValue::from_str(&text).expect("plain letters")
});

/// A page as a browser gets it.
pub(super) fn page(status: StatusCode, html: String) -> Response {
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY.clone()),
        (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (status, headers, Html(html)).into_response()
}

/// The form at this path
///
/// An HTML page, made from the inputs of the plan whose trigger has the path. Asks for a user name and a password where the trigger does.
#[utoipa::path(get, path = "/api/forms/{*path}", tag = "webhooks", security(()), params(("path" = String, Path, description = "May have several parts.")),
    responses((status = 200, content_type = "text/html", body = String)))]
pub async fn get_form(State(api): Shared, request: Request) -> Refusable<Response> {
    let hook = find(&api, request.uri()).await?;
    admit(&api, request.headers(), &hook).await?;
    let fields = fields(&hook.plan.plan.inputs);
    let typed = Typed::defaults(&fields);
    shown(&api, &hook, StatusCode::OK, &fields, &typed, &[]).await
}

/// Send the form at this path
///
/// What does not fit comes back as the page with what was typed (422). Otherwise the run is durable when the page says so; the same page sent
/// twice is one run.
#[utoipa::path(post, path = "/api/forms/{*path}", tag = "webhooks", security(()), params(("path" = String, Path, description = "May have several parts.")),
    request_body(content = String, content_type = "application/x-www-form-urlencoded", description = "Or `multipart/form-data`, where an input is a file."), responses(
    (status = 200, content_type = "text/html", body = String), (status = 422, description = "The page, with what is wrong.", content_type = "text/html", body = String)))]
pub async fn send_form(State(api): Shared, request: Request) -> Refusable<Response> {
    let (parts, content) = request.into_parts();
    let hook = find(&api, &parts.uri).await?;
    admit(&api, &parts.headers, &hook).await?;
    let fields = fields(&hook.plan.plan.inputs);
    let sent = form_sent::sent(&api, hook.owner, &fields, &parts.headers, content, Some(&hook)).await?;
    let taken = take(&api, &hook, &parts.uri, &fields, &sent).await;
    if !matches!(taken, Ok((_, true)) | Err((_, true))) {
        sent.files.remove().await;
    }
    taken.map(|(answer, _)| answer).map_err(|(problem, _)| problem)
}

/// Files are taken from who has a page of ours alone.
pub(super) async fn may_send_files(api: &Api, hook: &Hook, typed: &Typed) -> Refusable<bool> {
    Ok(proven(api, hook, typed.first(TOKEN)).await?.is_some())
}

/// The answer, and whether a run has the files, or may have.
async fn take(api: &Api, hook: &Hook, uri: &Uri, fields: &[Field], sent: &Sent) -> Result<(Response, bool), (Box<Problem>, bool)> {
    let nothing = |problem: Box<Problem>| (problem, false);
    let (plan, typed) = (&hook.plan.plan, &sent.typed);
    if !typed.first(TRAP).is_empty() {
        tracing::info!(plan = %hook.plan.id, trigger = hook.trigger().id, "a form was filled in by a program: nothing was started");
        return Ok((done(hook), false));
    }
    let refused = async |wrong: Vec<(Option<String>, String)>| {
        let wrong = sent.with_files_again(wrong);
        let page = shown(api, hook, StatusCode::UNPROCESSABLE_ENTITY, fields, typed, &wrong).await.map_err(nothing)?;
        Ok((page, false))
    };
    if !sent.wrong.is_empty() {
        return refused(sent.wrong.clone()).await;
    }
    let Some(nonce) = proven(api, hook, typed.first(TOKEN)).await.map_err(nothing)? else {
        return refused(vec![(None, TOO_LATE.to_owned())]).await;
    };
    let values = Value::Object(read(fields, typed));
    let values = match plan.inputs.accept(&values) {
        Ok(values) => values,
        Err(findings) => return refused(wrong_of(&findings, fields)).await,
    };
    let now = api.clock.now();
    let id = &hook.trigger().id;
    let seen = json!({"id": id, "type": "form", "path": path_of(uri), "body": values, "submitted_at": Time(now)});
    let org = api.engine.org_of_triggers(hook.owner.org).await.map_err(|error| nothing(error.into()))?;
    let (inputs, burst) = match triggers::fired(hook.plan.id, plan, hook.trigger(), Sight { trigger: &seen, org: &org, now }) {
        Ok(Some(fired)) => fired,
        Ok(None) => return Ok((done(hook), false)),
        Err(Refused::Inputs(findings)) => return refused(wrong_of(&findings, fields)).await,
        Err(Refused::Fault(fault)) => {
            tracing::error!(plan = %hook.plan.id, trigger = id, %fault, "a form could not be taken: its trigger's own fields failed");
            return refused(vec![(None, "this form cannot be taken as it is set up. Tell whoever sent you here.".to_owned())]).await;
        }
    };
    let key = Some(format!("form/{}/{id}/{nonce}", hook.plan.id));
    let start =
        Start { owner: hook.owner, plan: hook.plan.clone(), inputs, trigger: seen, key, slot: None, parent: None, priority: None, burst };
    // From here on nobody who gives up the request knows what became of it.
    sent.files.leave();
    let mut handle = api.engine.start(start).await.map_err(|error| nothing(error.into()))?;
    match handle.accepted().await {
        // Another one: the page was sent before, and its run has that sending's files.
        Ok(run) => Ok((done(hook), run == handle.id)),
        Err(error) => Err((error.into(), true)),
    }
}

/// What is wrong, by field.
pub(super) fn wrong_of(findings: &[Finding], fields: &[Field]) -> Vec<(Option<String>, String)> {
    let place = |pointer: &str| {
        let name = pointer.trim_start_matches('/').split('/').nth(1)?.replace("~1", "/").replace("~0", "~");
        fields.iter().any(|field| field.name == name).then_some(name)
    };
    findings.iter().map(|finding| (place(&finding.pointer), finding.message.clone())).collect()
}

fn path_of(uri: &Uri) -> String {
    uri.path().strip_prefix("/api/forms/").unwrap_or_default().trim_matches('/').to_owned()
}

async fn find(api: &Api, uri: &Uri) -> Refusable<Arc<Hook>> {
    let path = path_of(uri);
    let unknown = || Problem::not_found(format_args!("the form \"{}\"", path.chars().take(200).collect::<String>()));
    let routes = api.webhooks.at(&form_route(&path)).ok_or_else(unknown)?;
    for bound in routes.iter() {
        if let Some(hook) = bound.hook(api).await?.filter(|hook| hook.form().is_some()) {
            return Ok(hook);
        }
    }
    Err(unknown())
}

async fn admit(api: &Api, headers: &HeaderMap, hook: &Hook) -> Refusable<()> {
    if form(hook).auth == FormAuth::None {
        return Ok(());
    }
    let known =
        webhook_auth::credential(api, hook).await?.is_some_and(|credential| webhook_auth::knows(WebhookAuth::Basic, headers, &credential));
    if known {
        return Ok(());
    }
    let problem = Problem::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "this form asks for a user name and a password");
    Err(problem.header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"form\", charset=\"UTF-8\"")))
}

fn form(hook: &Hook) -> Form {
    hook.form().cloned().unwrap_or_default()
}

async fn shown(
    api: &Api,
    hook: &Hook,
    status: StatusCode,
    fields: &[Field],
    typed: &Typed,
    wrong: &[(Option<String>, String)],
) -> Refusable<Response> {
    let form = form(hook);
    // A page that came back keeps its token: sent twice at once, it is still one run.
    let token = match typed.first(TOKEN) {
        "" => token(api, hook).await?,
        old if proven(api, hook, old).await?.is_some() => old.to_owned(),
        _ => token(api, hook).await?,
    };
    let buttons = [Button { sends: None, label: form.submit.as_deref().unwrap_or("Send"), unchecked: false }];
    let html = FormPage {
        title: form.title.as_deref().unwrap_or(&hook.plan.plan.name),
        text: form.description.as_deref().unwrap_or_default(),
        fields,
        typed,
        wrong,
        hidden: &[(TOKEN, token)],
        buttons: &buttons,
        trap: Some(TRAP),
    };
    Ok(page(status, html.html()))
}

fn done(hook: &Hook) -> Response {
    let form = form(hook);
    let title = form.title.unwrap_or_else(|| hook.plan.plan.name.clone());
    page(StatusCode::OK, notice(&title, form.message.as_deref().unwrap_or("Thank you. It was received.")))
}

/// A page's own, good for a day: `nonce.moment.proof`.
async fn token(api: &Api, hook: &Hook) -> Refusable<String> {
    let (nonce, at) = (api.engine.new_id(), api.clock.now());
    Ok(format!("{}.{at}.{}", nonce.simple(), proof(api, hook, nonce, at).await?))
}

/// The nonce of a token of ours that still counts.
async fn proven(api: &Api, hook: &Hook, token: &str) -> Refusable<Option<Uuid>> {
    let mut parts = token.splitn(3, '.');
    let nonce = parts.next().and_then(|text| Uuid::try_parse(text).ok());
    let at = parts.next().and_then(|text| text.parse::<Millis>().ok());
    let (Some(nonce), Some(at), Some(given)) = (nonce, at, parts.next()) else { return Ok(None) };
    let age = api.clock.now().saturating_sub(at);
    let fits = webhook_auth::same(given.as_bytes(), proof(api, hook, nonce, at).await?.as_bytes());
    Ok((fits && (-AHEAD..=OPEN_FOR).contains(&age)).then_some(nonce))
}

async fn proof(api: &Api, hook: &Hook, nonce: Uuid, at: Millis) -> Refusable<String> {
    let org = hook.owner.org;
    api.engine.credentials().ensure_key(org).await.map_err(Problem::internal)?;
    let said = format!("form/{}/{}/{at}", hook.plan.id, hook.trigger().id);
    api.vault.idempotency_key(org, RunId(nonce), &said).map_err(Problem::internal)
}
