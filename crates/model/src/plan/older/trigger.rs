//! Earlier triggers: a single `trigger`, `{type, config: {…}}`, and earlier names of fields.

use serde_json::{Map, Value};

use super::Work;
use crate::value::pointer_join;

const RENAMED: [(&str, &str); 3] = [("cron_expression", "cron"), ("webhook_path", "path"), ("event_source", "source")];

pub(super) fn translate(plan: &mut Map<String, Value>, work: &mut Work<'_>) {
    if plan.get("triggers").is_none_or(Value::is_null)
        && let Some(trigger) = plan.get("trigger").filter(|trigger| trigger.is_object() || trigger.is_null()).cloned()
    {
        plan.shift_remove("trigger");
        if trigger.is_object() {
            plan.insert("triggers".to_owned(), Value::Array(vec![trigger]));
            work.origins.moved("/triggers/0", "/trigger");
            work.note("\"trigger\" is now the only one of \"triggers\"");
        }
    }
    let Some(Value::Array(triggers)) = plan.get_mut("triggers") else { return };
    for (place, trigger) in triggers.iter_mut().enumerate() {
        if let Value::Object(fields) = trigger {
            one(fields, &format!("/triggers/{place}"), work);
        }
    }
}

fn one(fields: &mut Map<String, Value>, pointer: &str, work: &mut Work<'_>) {
    let written = work.origins.written(pointer);
    if let Some(Value::Object(config)) = fields.get("config").cloned() {
        fields.shift_remove("config");
        for (name, value) in config {
            work.origins.moved(pointer_join(pointer, &name), pointer_join(&format!("{written}/config"), &name));
            fields.entry(name).or_insert(value);
        }
        work.note(format!("{written}: the fields of \"config\" now stand in the trigger itself"));
    }
    if fields.get("config").is_some_and(Value::is_null) {
        fields.shift_remove("config");
    }
    if fields.contains_key("webhook_secret") {
        fields.shift_remove("webhook_secret");
        work.note(format!("{written}: \"webhook_secret\" was dropped, as nothing ever checked it; use \"auth\" with a credential"));
    }
    for (older, ours) in RENAMED {
        let Some(value) = fields.get(older).cloned() else { continue };
        fields.shift_remove(older);
        if value.is_null() || fields.contains_key(ours) {
            continue;
        }
        let from = work.origins.written(&pointer_join(pointer, older));
        fields.insert(ours.to_owned(), value);
        work.origins.moved(pointer_join(pointer, ours), from);
        work.note(format!("{written}: \"{older}\" is now \"{ours}\""));
    }
    if fields.get("type").and_then(Value::as_str) == Some("event") && fields.contains_key("source") {
        fields.shift_remove("source");
        work.note(format!("{written}: \"event_source\" was dropped: an event is known by its type, and \"if\" may ask for more"));
    }
    match fields.get("type").and_then(Value::as_str) {
        Some("schedule") => {
            fields.insert("type".to_owned(), Value::from("cron"));
            work.note(format!("{written}: the type \"schedule\" is now \"cron\""));
        }
        None if fields.get("type").is_none_or(Value::is_null) && fields.contains_key("cron") => {
            fields.insert("type".to_owned(), Value::from("cron"));
        }
        _ => {}
    }
    if fields.get("type").and_then(Value::as_str) == Some("manual") {
        // Earlier clients sent every field of every type.
        fields.retain(|_, value| !value.is_null());
    }
}
