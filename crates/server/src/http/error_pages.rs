//! `/docs/errors/{code}`: what an error means and what to do, where the `type` of every refusal leads.

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, header};

use super::docs::STYLE;
use super::problem::{Problem, Refusable};
use crate::error_pages;

const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// What an error code means and what to do about it
///
/// A page for browsers; Markdown for everybody else.
#[utoipa::path(get, path = "/docs/errors/{code}", tag = "server", security(()), params(("code" = String, Path, example = "NOT_FOUND")), responses(
    (status = 200, description = "HTML when asked for, else Markdown.", content((String = "text/html"), (String = "text/markdown"))),
    (status = 404, description = "There is no such code."),
))]
pub async fn get_error_page(Path(code): Path<String>, headers: HeaderMap) -> Refusable<Response> {
    match error_pages::page(&code) {
        Some(text) => Ok(answer(&headers, &code.to_uppercase(), &text)),
        None => Err(Problem::not_found("this error code")),
    }
}

/// All error codes
#[utoipa::path(get, path = "/docs/errors", tag = "server", security(()), responses(
    (status = 200, description = "HTML when asked for, else Markdown.", content((String = "text/html"), (String = "text/markdown"))),
))]
pub async fn list_error_pages(headers: HeaderMap) -> Response {
    let lines: Vec<String> = error_pages::codes().iter().map(|code| format!("* [{code}](/docs/errors/{code})")).collect();
    answer(&headers, "Error codes", &format!("# Error codes\n\n{}\n", lines.join("\n")))
}

fn answer(headers: &HeaderMap, title: &str, text: &str) -> Response {
    let wants_html = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).is_some_and(|accept| accept.contains("text/html"));
    if !wants_html {
        return ([(header::CONTENT_TYPE, "text/markdown; charset=utf-8")], text.to_owned()).into_response();
    }
    let mut body = String::with_capacity(2 * text.len());
    // Links between the pages are written for a folder of files.
    let text = text.replace(".md)", ")");
    pulldown_cmark::html::push_html(&mut body, pulldown_cmark::Parser::new_ext(&text, pulldown_cmark::Options::ENABLE_TABLES));
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title} – Mainspring</title><style>{STYLE}</style>{body}<p><a href=\"/docs/errors\">All error codes</a></p></html>"
    );
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, POLICY)], page).into_response()
}
