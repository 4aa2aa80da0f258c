//! The published JSON Schema of the plan document.

use serde_json::{Value, json};

use super::document::PlanDoc;

/// The JSON Schema (draft 2020-12) that `mainspring schema plan` prints and `GET /api/schemas/plan` serves.
///
/// A document that is only a list of steps, and the fields of earlier documents, are read but not published here.
pub fn plan_schema() -> Value {
    let mut schema = schemars::schema_for!(PlanDoc).to_value();
    // Two spellings of one thing that the typed document does not keep apart.
    if let Some(step) = schema.pointer_mut("/$defs/StepDoc/properties").and_then(Value::as_object_mut) {
        step.insert("provider".to_owned(), json!({ "type": ["string", "null"], "description": "`provider:` and `action:` as two fields are the same as `action: provider.action`." }));
    }
    let mut published = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:mainspring:schema:plan",
        "title": "Mainspring plan",
    });
    if let (Some(published), Some(schema)) = (published.as_object_mut(), schema.as_object_mut()) {
        schema.retain(|name, _| name != "$schema" && name != "title");
        published.append(schema);
    }
    published
}
