//! One operation of the document, and a request for it that looks valid: values by the path's parameters, a body by its schema.

use axum::body::Body;
use http::{Method, Request};
use mainspring_model::role::{Permission, Role};
use serde_json::{Map, Value, json};

use super::super::world::ask;
use super::lessons::{body_of, names_by_body, value_of};
use super::tenant::Tenant;

pub struct Operation {
    pub id: String,
    pub method: Method,
    pub path: String,
    pub public: bool,
    pub operator: bool,
    /// The least role; `None`: whoever signs in.
    pub least: Option<Role>,
    body: Option<Value>,
}

/// Every one of the document, in its order.
pub fn operations(document: &Value) -> Vec<Operation> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for method in ["get", "put", "post", "patch", "delete"] {
            let Some(operation) = item.get(method) else { continue };
            let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} has no id")).to_owned();
            let permission = operation["x-permission"].as_str();
            let least = permission.and_then(|text| Permission::ALL.iter().find(|one| one.as_str() == text)).map(|one| one.least());
            let schema = operation.pointer("/requestBody/content/application~1json/schema");
            found.push(Operation {
                public: operation["security"].as_array().is_some_and(|rules| rules.iter().any(|rule| rule != &json!({"bearer": []}))),
                operator: permission == Some("operator"),
                body: schema.map(|schema| sample(schema, document)),
                method: method.to_uppercase().parse().expect("a method"),
                path: path.clone(),
                least,
                id,
            });
        }
    }
    assert!(found.len() > 50, "the document has only {} operations", found.len());
    found
}

impl Operation {
    pub fn writes(&self) -> bool {
        !self.method.is_safe()
    }

    /// Whether path or body name something that belongs to one organization.
    pub fn names_something(&self) -> bool {
        // It marks what is there and says how many: of others' none.
        let counts = self.id == "read_notification";
        !counts && self.parameters().any(|name| value_of(&self.path, name).is_owned()) || names_by_body(&self.id)
    }

    /// Whether "there is no such thing" is a good answer to a call with one's own ids.
    pub fn may_lack(&self) -> bool {
        // Says so when no token is set; nobody has bound the path; and what is personal is the owner's, and not the other members'.
        let personal = [
            "delete_credentials",
            "update_notification_rule",
            "delete_notification_rule",
            "rotate_notification_secret",
            "delete_api_key",
            "end_session",
        ];
        self.id == "get_metrics"
            || self.id.starts_with("call_webhook")
            || self.id == "get_form"
            || self.id == "send_form"
            // Its link was sent by mail; `telling/approvals.rs` has one.
            || self.id == "get_approval_page"
            || self.id == "send_approval_page"
            || personal.contains(&self.id.as_str())
            || self.id == "delete_notification"
            || self.id == "get_feature_flag"
            // No host is held back.
            || self.id == "reset_host"
    }

    fn parameters(&self) -> impl Iterator<Item = &str> {
        self.path.split('{').skip(1).filter_map(|part| part.split('}').next())
    }

    /// Where it is for this tenant.
    pub fn address(&self, named: &Tenant) -> String {
        let mut path = self.path.clone();
        for name in self.parameters() {
            path = path.replace(&format!("{{{name}}}"), &value_of(&self.path, name).of(named));
        }
        match self.id.as_str() {
            "stream_live" => format!("{path}?topics=run:{}", named.run),
            "delete_organization" => format!("{path}?confirm={}", named.slug),
            _ => path,
        }
    }

    pub fn request(&self, named: &Tenant, key: Option<String>) -> Request<Body> {
        self.request_at(named, key, str::to_owned)
    }

    /// The same at an address that was changed.
    pub fn request_at(&self, named: &Tenant, key: Option<String>, change: impl Fn(&str) -> String) -> Request<Body> {
        let mut request = ask(self.method.clone(), &change(&self.address(named)));
        if let Some(key) = key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let body = body_of(&self.id, named).or_else(|| self.body.clone());
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        request.body(body.map_or_else(Body::empty, |body| Body::from(body.to_string()))).expect("a request")
    }
}

/// A value that fits a schema: its example, or the least there can be.
fn sample(schema: &Value, document: &Value) -> Value {
    if let Some(example) = schema.get("example").filter(|example| !example.is_null()) {
        return example.clone();
    }
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#')).unwrap_or_else(|| panic!("{reference} leads nowhere"));
        return sample(target, document);
    }
    for one_of in ["oneOf", "anyOf", "allOf"] {
        if let Some(choice) = schema[one_of].as_array().and_then(|all| all.iter().find(|one| one["type"] != "null")) {
            return sample(choice, document);
        }
    }
    let kind = match &schema["type"] {
        Value::String(kind) => kind.as_str(),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or("null"),
        _ => "object",
    };
    match kind {
        "object" => {
            let needed = schema["required"].as_array().cloned().unwrap_or_default();
            let fields = needed.iter().filter_map(Value::as_str);
            Value::Object(fields.map(|name| (name.to_owned(), sample(&schema["properties"][name], document))).collect::<Map<_, _>>())
        }
        "array" => json!([]),
        "integer" | "number" => json!(1),
        "boolean" => json!(false),
        "null" => Value::Null,
        _ if schema["format"] == "uuid" => json!("019a0000-0000-7000-8000-000000000000"),
        _ => schema["enum"][0].as_str().map_or_else(|| json!("text"), |word| json!(word)),
    }
}
