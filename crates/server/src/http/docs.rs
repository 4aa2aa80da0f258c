//! `/api/docs`: the OpenAPI document as a page to read. Written here from the document itself: no script, no request elsewhere.

use std::fmt::Write;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header;
use serde_json::Value;

use super::api::Shared;
use super::openapi;

pub(super) const STYLE: &str = "\
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}\
h1{margin-bottom:.2rem}h2{margin-top:3rem;border-bottom:1px solid #ccc}code,pre{font:14px/1.4 ui-monospace,monospace}\
details{border:1px solid #ddd;border-radius:6px;margin:.5rem 0;padding:.4rem .8rem}summary{cursor:pointer}\
summary b{display:inline-block;min-width:4.5rem}table{border-collapse:collapse;width:100%}\
td,th{text-align:left;vertical-align:top;padding:.2rem .6rem .2rem 0;border-bottom:1px solid #eee}a{color:#0550ae}\
@media(prefers-color-scheme:dark){body{background:#111;color:#eee}details,td,th,h2{border-color:#333}a{color:#79b8ff}}";

/// This interface as a page to read
#[utoipa::path(get, path = "/api/docs", tag = "server", security(()), responses((status = 200, description = "HTML.", body = String, content_type = "text/html")))]
pub async fn get_page(State(api): Shared) -> Response {
    let page = openapi::written(&api).1.clone();
    let policy = "default-src 'none'; style-src 'unsafe-inline'";
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, policy)], page).into_response()
}

/// The page of a document.
pub fn page(document: &Value) -> String {
    let mut page = String::with_capacity(64 * 1024);
    let title = escaped(document["info"]["title"].as_str().unwrap_or_default());
    let about = escaped(document["info"]["description"].as_str().unwrap_or_default());
    let version = escaped(document["info"]["version"].as_str().unwrap_or_default());
    push(
        &mut page,
        format_args!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>{title} API</title>\
             <style>{STYLE}</style><h1>{title} {version}</h1><p>{about} <a href=\"/api/openapi.json\">openapi.json</a></p>"
        ),
    );
    for tag in document["tags"].as_array().into_iter().flatten() {
        let name = tag["name"].as_str().unwrap_or_default();
        push(&mut page, format_args!("<h2>{}</h2><p>{}</p>", escaped(name), escaped(tag["description"].as_str().unwrap_or_default())));
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            for (method, operation) in item.as_object().into_iter().flatten() {
                if operation["tags"].as_array().is_some_and(|tags| tags.iter().any(|tag| tag == name)) {
                    write_operation(&mut page, path, method, operation);
                }
            }
        }
    }
    page.push_str("<h2>Schemas</h2>");
    for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
        push(&mut page, format_args!("<details id=\"{0}\"><summary><code>{0}</code></summary>", escaped(name)));
        write_text(&mut page, &schema["description"]);
        write_fields(&mut page, schema);
        page.push_str("</details>");
    }
    page.push_str("</html>");
    page
}

fn write_operation(page: &mut String, path: &str, method: &str, operation: &Value) {
    let summary = escaped(operation["summary"].as_str().unwrap_or_default());
    let method = escaped(&method.to_ascii_uppercase());
    push(page, format_args!("<details><summary><b>{method}</b><code>{}</code> {summary}</summary>", escaped(path)));
    write_text(page, &operation["description"]);
    if let Some(params) = operation["parameters"].as_array().filter(|params| !params.is_empty()) {
        page.push_str("<table><tr><th>Parameter<th>In<th>Type<th>Meaning");
        for param in params {
            push(
                page,
                format_args!(
                    "<tr><td><code>{}</code><td>{}<td>{}<td>{}",
                    escaped(param["name"].as_str().unwrap_or_default()),
                    escaped(param["in"].as_str().unwrap_or_default()),
                    kind(&param["schema"]),
                    escaped(param["description"].as_str().unwrap_or_default()),
                ),
            );
        }
        page.push_str("</table>");
    }
    for content in operation["requestBody"]["content"].as_object().into_iter().flat_map(|content| content.values()) {
        push(
            page,
            format_args!(
                "<p>Body: {} {}</p>",
                kind(&content["schema"]),
                escaped(operation["requestBody"]["description"].as_str().unwrap_or_default())
            ),
        );
    }
    page.push_str("<table><tr><th>Answer<th>Body<th>Meaning");
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        let bodies: Vec<String> =
            response["content"].as_object().into_iter().flatten().map(|(_, content)| kind(&content["schema"])).collect();
        let meaning = escaped(response["description"].as_str().unwrap_or_default());
        push(page, format_args!("<tr><td>{}<td>{}<td>{meaning}", escaped(status), bodies.join(", ")));
    }
    page.push_str("</table></details>");
}

fn write_fields(page: &mut String, schema: &Value) {
    let parts = std::iter::once(schema).chain(schema["allOf"].as_array().into_iter().flatten());
    page.push_str("<table>");
    for part in parts {
        if part["$ref"].is_string() {
            push(page, format_args!("<tr><td>and all of<td>{}<td>", kind(part)));
        }
        for (name, field) in part["properties"].as_object().into_iter().flatten() {
            let about = escaped(field["description"].as_str().unwrap_or_default());
            push(page, format_args!("<tr><td><code>{}</code><td>{}<td>{about}", escaped(name), kind(field)));
        }
    }
    page.push_str("</table>");
}

fn write_text(page: &mut String, text: &Value) {
    if let Some(text) = text.as_str() {
        push(page, format_args!("<p>{}</p>", escaped(text)));
    }
}

/// A schema in a word or two, with a link where it has a name.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
        return format!("<a href=\"#{0}\">{0}</a>", escaped(name));
    }
    for word in ["oneOf", "anyOf"] {
        if let Some(options) = schema[word].as_array() {
            return options.iter().map(kind).collect::<Vec<_>>().join(" or ");
        }
    }
    let names = match &schema["type"] {
        Value::String(name) => name.clone(),
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => "any".to_owned(),
    };
    match schema["format"].as_str() {
        _ if schema["items"].is_object() => format!("list of {}", kind(&schema["items"])),
        Some(format) => format!("{} ({})", escaped(&names), escaped(format)),
        None => escaped(&names),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn push(page: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a text cannot fail.
    page.write_fmt(text).unwrap_or_default();
}
