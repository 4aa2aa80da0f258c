//! Every place of the interface that takes a text, out of the OpenAPI document: a new operation is tried without anybody's doing.

use axum::body::Body;
use http::{Method, Request};
use serde_json::{Map, Value, json};

use crate::http::world::ask;

/// One place for one text.
#[derive(Clone, Debug)]
pub struct Sink {
    pub method: Method,
    path: String,
    pub at: At,
    /// What the operation needs beside, of the right types.
    body: Option<Value>,
}

#[derive(Clone, Debug)]
pub enum At {
    Path(String),
    Query(String),
    Header(String),
    /// The fields that lead to it.
    Body(Vec<String>),
}

/// Operations that hold the connection open, or that are no operations of ours to try.
const LEFT_OUT: &[&str] = &["/api/ws", "/api/live", "/api/runs/{id}/events"];

pub fn of(document: &Value) -> Vec<Sink> {
    let mut sinks = Vec::new();
    let paths = document["paths"].as_object().expect("paths");
    for (path, item) in paths.iter().filter(|(path, _)| !LEFT_OUT.contains(&path.as_str())) {
        for (method, operation) in item.as_object().expect("operations") {
            let Ok(method) = method.to_uppercase().parse::<Method>() else { continue };
            if operation["responses"].is_null() || method.as_str().len() > 7 {
                continue;
            }
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            let body = (!schema.is_null()).then(|| example(schema, document, 0));
            let sink = |at| Sink { method: method.clone(), path: path.clone(), at, body: body.clone() };
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let name = parameter["name"].as_str().expect("a name").to_owned();
                match parameter["in"].as_str() {
                    Some("path") => sinks.push(sink(At::Path(name))),
                    Some("query") => sinks.push(sink(At::Query(name))),
                    _ => {}
                }
            }
            // A path without a declared parameter has them all the same.
            sinks.push(sink(At::Query("user_id".to_owned())));
            for header in ["x-organization", "authorization", "idempotency-key", "if-match"] {
                sinks.push(sink(At::Header(header.to_owned())));
            }
            let mut found = Vec::new();
            texts(schema, document, &mut Vec::new(), &mut found);
            sinks.extend(found.into_iter().map(|fields| sink(At::Body(fields))));
        }
    }
    sinks
}

fn resolved<'d>(schema: &'d Value, document: &'d Value) -> &'d Value {
    match schema["$ref"].as_str().and_then(|reference| document.pointer(reference.trim_start_matches('#'))) {
        Some(target) => target,
        None => schema,
    }
}

/// Paths of fields that may hold a text, or anything.
fn texts(schema: &Value, document: &Value, at: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let schema = resolved(schema, document);
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        at.push(name.clone());
        found.push(at.clone());
        if at.len() < 4 {
            texts(field, document, at, found);
        }
        at.pop();
    }
}

/// A value of the schema's type, with what is required.
fn example(schema: &Value, document: &Value, depth: usize) -> Value {
    let schema = resolved(schema, document);
    if !schema["example"].is_null() {
        return schema["example"].clone();
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"].as_array().and_then(|kinds| kinds.first()?.as_str()));
    match kind {
        Some("string") => json!("x"),
        Some("integer" | "number") => json!(1),
        Some("boolean") => json!(true),
        Some("array") => json!([]),
        _ if depth < 4 => {
            let required = schema["required"].as_array().cloned().unwrap_or_default();
            let fields = schema["properties"].as_object();
            required
                .iter()
                .filter_map(|name| {
                    let name = name.as_str()?;
                    Some((name.to_owned(), example(fields?.get(name)?, document, depth + 1)))
                })
                .collect::<Map<String, Value>>()
                .into()
        }
        _ => json!({}),
    }
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

impl Sink {
    pub fn name(&self) -> String {
        format!("{} {} {:?}", self.method, self.path, self.at)
    }

    /// The request with the text in its place; `None` for a text that cannot be sent there.
    pub fn request(&self, text: &str) -> Option<Request<Body>> {
        let mut path = self.path.clone();
        while let (Some(from), Some(to)) = (path.find('{'), path.find('}')) {
            let name = path[from + 1..to].trim_start_matches('*').to_owned();
            let value = match &self.at {
                At::Path(at) if *at == name => escaped(text),
                _ => "01890a5d-ac96-774b-bcce-b302099a8057".to_owned(),
            };
            path.replace_range(from..=to, &value);
        }
        if let At::Query(name) = &self.at {
            path = format!("{path}?{name}={}", escaped(text));
        }
        let mut request = ask(self.method.clone(), &path);
        if let At::Header(name) = &self.at {
            request = request.header(name.as_str(), http::HeaderValue::from_bytes(text.as_bytes()).ok()?);
        }
        let mut body = self.body.clone();
        if let (At::Body(fields), Some(body)) = (&self.at, &mut body) {
            let mut place = body;
            for field in fields {
                if !place.is_object() {
                    *place = json!({});
                }
                place = place.as_object_mut()?.entry(field.clone()).or_insert(Value::Null);
            }
            *place = json!(text);
        }
        let body = body.map(|body| Body::from(body.to_string()));
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        request.body(body.unwrap_or_else(Body::empty)).ok()
    }
}
