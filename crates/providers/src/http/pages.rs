//! Further pages of a list: finds the next request in an answer and collects the items.

use http::header;
use mainspring_model::action::{Context, Output};
use mainspring_model::value::type_name;
use mainspring_model::{Code, Fault};
use serde_json::Value;
use url::Url;

use super::exchange::{Reading, exchange};
use super::output::output;
use super::params::Pagination;
use super::query::scalar;
use crate::egress::{Answer, Egress, Request, query};
use crate::logic::path::Path;

/// How the next page is found.
enum Next {
    Link,
    /// An address in the body.
    Address(Path),
    /// A value in the body that goes into this query parameter.
    Cursor(Path, String),
    /// A counted query parameter.
    Counted(String),
}

/// Asks page after page until there is none or `max_pages` came. The output is the list of all items; metadata has
/// `pages` and `more` (whether pages were left) beside the last answer's facts.
pub(super) async fn pages(
    egress: &Egress,
    mut request: Request,
    reading: Reading,
    paging: &Pagination,
    cx: &Context,
) -> Result<Output, Fault> {
    let next = how(paging)?;
    let mut count = paging.start;
    if let Next::Counted(name) = &next {
        query::set(&mut request.url, name, &count.to_string());
    }
    let home = request.url.clone();
    // All pages together obey the cap of one answer.
    let limits = &egress.policy().limits;
    let cap = request.max_bytes.unwrap_or(limits.default_body).min(limits.max_body);
    let (mut all, mut read) = (Vec::new(), 0);
    for page in 1.. {
        request.max_bytes = Some(cap - read);
        let (answer, mut value) = match exchange(egress, request.clone(), reading, cx).await {
            Err(fault) if page > 1 && fault.code == Code::PAYLOAD_TOO_LARGE => {
                let message = format!("page {page}: all pages together are larger than {cap} bytes; ask for less, or raise max_bytes");
                return Err(Fault { message, ..fault });
            }
            answered => answered?,
        };
        read += answer.len().min(cap - read);
        let named = match &next {
            Next::Link => link(&answer)?,
            Next::Address(path) => address(&answer, path.get_or_null(&value))?,
            Next::Cursor(path, name) => cursor(&answer, path.get_or_null(&value))?.map(|cursor| with(&request.url, name, &cursor)),
            Next::Counted(_) => None,
        };
        let items = items(&answer, &mut value, paging)?;
        let following = match &next {
            Next::Counted(name) if !items.is_empty() => {
                count = count.saturating_add(paging.step);
                Some(with(&request.url, name, &count.to_string()))
            }
            _ => named,
        };
        all.extend(items);
        match following {
            Some(following) if page < paging.max_pages => go_to(&mut request, following, &home, &answer)?,
            following => {
                let message = format!("{} items from {page} page{}", all.len(), if page == 1 { "" } else { "s" });
                let output = output(&answer, Value::Array(all)).message(message);
                return Ok(output.metadata("pages", page).metadata("more", following.is_some()));
            }
        }
    }
    Err(Fault::internal("the page loop ended without an answer"))
}

fn how(paging: &Pagination) -> Result<Next, Fault> {
    let wrong = |text: &str| Err(Fault::invalid_params(format!("pagination: {text}")));
    if !(1..=1_000).contains(&paging.max_pages) {
        return wrong("max_pages must be 1 to 1,000");
    }
    match (&paging.next, &paging.cursor, &paging.page) {
        (Some(next), None, None) if next == "link" => Ok(Next::Link),
        (Some(next), cursor, None) => {
            let path = Path::parse(next.strip_prefix("body.").unwrap_or(next))
                .map_err(|why| Fault::invalid_params(format!("pagination.next: {why}")))?;
            Ok(cursor.clone().map_or(Next::Address(path.clone()), |name| Next::Cursor(path, name)))
        }
        (None, None, Some(_)) if paging.step == 0 => wrong("step must not be 0"),
        (None, None, Some(name)) => Ok(Next::Counted(name.clone())),
        _ => wrong("write either next (with cursor, if what stands there is no address) or page"),
    }
}

/// The items of a page, taken out of its body.
fn items(answer: &Answer, body: &mut Value, paging: &Pagination) -> Result<Vec<Value>, Fault> {
    let (found, place) = match &paging.items {
        None => (std::mem::take(body), "the body".to_owned()),
        Some(path) => (path.get(body).cloned().unwrap_or_default(), format!("body.{path}")),
    };
    match found {
        Value::Array(items) => Ok(items),
        Value::Null => Ok(Vec::new()),
        other => {
            let text =
                format!("answered a page where {place} is {}, not a list; set pagination.items to the list's path", type_name(&other));
            Err(answer.fault(Code::BAD_RESPONSE, text))
        }
    }
}

/// The address with `rel="next"` in the Link header (RFC 8288).
fn link(answer: &Answer) -> Result<Option<Url>, Fault> {
    for header in answer.headers.get_all(header::LINK) {
        let text = String::from_utf8_lossy(header.as_bytes());
        // An address may hold commas, so the split is at the "<" that follows one.
        for part in text.split('<').skip(1) {
            let Some((target, params)) = part.split_once('>') else { continue };
            let is_next = params.split([';', ',']).filter_map(|param| param.split_once('=')).any(|(name, value)| {
                name.trim().eq_ignore_ascii_case("rel")
                    && value.trim().trim_matches('"').split_whitespace().any(|rel| rel.eq_ignore_ascii_case("next"))
            });
            if is_next {
                return join(answer, target).map(Some);
            }
        }
    }
    Ok(None)
}

fn address(answer: &Answer, value: &Value) -> Result<Option<Url>, Fault> {
    match value {
        Value::Null | Value::Bool(false) => Ok(None),
        Value::String(text) if text.is_empty() => Ok(None),
        Value::String(text) => join(answer, text).map(Some),
        other => {
            let text = format!(
                "answered {} where pagination.next expects an address; if it is a cursor, name its parameter in pagination.cursor",
                type_name(other)
            );
            Err(answer.fault(Code::BAD_RESPONSE, text))
        }
    }
}

fn cursor(answer: &Answer, value: &Value) -> Result<Option<String>, Fault> {
    match value {
        Value::Null | Value::Bool(false) => Ok(None),
        Value::String(text) if text.is_empty() => Ok(None),
        other => match scalar(other) {
            Some(text) => Ok(Some(text.into_owned())),
            None => Err(answer.fault(Code::BAD_RESPONSE, format!("answered {} where pagination.next expects a cursor", type_name(other)))),
        },
    }
}

fn join(answer: &Answer, text: &str) -> Result<Url, Fault> {
    let url = answer.url.join(text.trim());
    url.map_err(|error| answer.fault(Code::BAD_RESPONSE, format!("names a next page that is no address: {error}")))
}

fn with(url: &Url, name: &str, value: &str) -> Url {
    let mut url = url.clone();
    query::set(&mut url, name, value);
    url
}

/// Makes `request` the one for the next page. `home` has the secret query parameters, which a service does not repeat.
fn go_to(request: &mut Request, mut following: Url, home: &Url, answer: &Answer) -> Result<(), Fault> {
    following.set_fragment(None);
    if following.origin() == home.origin() {
        for name in &request.secret_query {
            if let Some((_, value)) = home.query_pairs().find(|(other, _)| other == name) {
                query::set(&mut following, name, &value);
            }
        }
    } else if request.has_secrets() || request.body.is_some() {
        let text = format!(
            "names a next page at another origin ({}), where the credential and the body are not sent",
            following.origin().ascii_serialization()
        );
        return Err(answer.fault(Code::BAD_RESPONSE, text));
    } else {
        request.strip_for_other_origin();
    }
    if following == request.url {
        return Err(answer.fault(Code::BAD_RESPONSE, "names the same page as its next; check pagination"));
    }
    request.url = following;
    Ok(())
}
