//! One thing that happened to a run, from the engine in this process or from a server's event stream.

use mainspring_engine::live::LiveEvent;
use mainspring_model::clock::Millis;
use mainspring_model::event::{Event, EventBody};
use mainspring_model::store::JournalRow;
use serde_json::{Value, json};

use crate::cli::text::millis_of;

/// An update in the order in which it happened.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Update {
    /// An attempt left for the world. Not journalled, so it may be missing.
    Attempting {
        path: String,
        attempt: u32,
        action: String,
        at: Millis,
    },
    Event(Box<Event>),
}

impl Update {
    /// From the engine. `None` for a row that this version cannot read.
    pub(crate) fn of_live(event: LiveEvent) -> Option<Update> {
        match event {
            LiveEvent::Attempting { path, attempt, action, at } => Some(Update::Attempting { path, attempt, action, at }),
            LiveEvent::Row(row) => Update::of_row(&row),
        }
    }

    fn of_row(row: &JournalRow) -> Option<Update> {
        let body: EventBody = serde_json::from_str(&row.body).ok()?;
        Some(Update::Event(Box::new(Event { seq: row.seq, at: row.at, body })))
    }

    /// From a server's event: the stream's event name and its data. Events of a newer server are passed over.
    pub(crate) fn of_stream(name: &str, data: &str) -> Option<Update> {
        let mut value: Value = serde_json::from_str(data).ok()?;
        let fields = value.as_object_mut()?;
        let kind = fields.get("kind").and_then(Value::as_str).unwrap_or(name).to_owned();
        // A server writes moments as text, and of a value that lies elsewhere its beginning.
        for name in ["at", "until", "retry_at", "now"] {
            if let Some(moment) = fields.get(name).and_then(millis_of) {
                fields.insert(name.to_owned(), json!(moment));
            }
        }
        if let Some(preview) = fields.shift_remove("output_preview") {
            let size = fields.shift_remove("output_size").unwrap_or_else(|| json!(0));
            fields.insert("blob".to_owned(), json!({ "sha256": "", "size": size, "preview": preview }));
        }
        let at = fields.get("at").and_then(Value::as_i64).unwrap_or_default();
        if kind == "attempting" {
            let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            let attempt = fields.get("attempt").and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok()).unwrap_or(1);
            return Some(Update::Attempting { path: text("path"), attempt, action: text("action"), at });
        }
        fields.insert("kind".to_owned(), Value::String(kind));
        serde_json::from_value(value).ok().map(|event| Update::Event(Box::new(event)))
    }

    /// The place in the journal, for what is journalled.
    pub(crate) fn seq(&self) -> Option<u32> {
        match self {
            Update::Attempting { .. } => None,
            Update::Event(event) => Some(event.seq),
        }
    }

    /// One line of `--events`.
    pub(crate) fn to_value(&self) -> Value {
        match self {
            Update::Attempting { path, attempt, action, at } => {
                json!({"kind": "attempting", "at": at, "path": path, "attempt": attempt, "action": action})
            }
            Update::Event(event) => serde_json::to_value(event).unwrap_or(Value::Null),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_time_and_kind_are_read() {
        let update = Update::of_stream("skipped", r#"{"seq": 3, "at": "1970-01-01T00:00:02Z", "path": "a"}"#);
        let expected = Update::Event(Box::new(Event { seq: 3, at: 2_000, body: EventBody::Skipped { path: "a".into() } }));
        assert_eq!(update, Some(expected.clone()));
        assert_eq!(Update::of_stream("", &expected.to_value().to_string()), Some(expected));
        let going = Update::Attempting { path: "a[3]".into(), attempt: 2, action: "http.request".into(), at: 5 };
        assert_eq!(Update::of_stream("", &going.to_value().to_string()), Some(going));
    }

    #[test]
    fn a_servers_moments_and_previews_are_read_back() {
        let waiting = Update::of_stream("waiting", r#"{"seq": 1, "at": 1, "path": "a", "attempt": 1, "until": "1970-01-01T00:00:09Z"}"#);
        assert!(matches!(waiting, Some(Update::Event(event)) if matches!(event.body, EventBody::Waiting { until: 9_000, .. })));
        let spilled = r#"{"seq": 1, "at": 1, "path": "a", "attempt": 1, "status": "success", "provider": "http", "action": "get", "latency_us": 5, "output_preview": "[1", "output_size": 9}"#;
        let Some(Update::Event(event)) = Update::of_stream("attempted", spilled) else { panic!("not read") };
        assert!(matches!(event.body, EventBody::Attempted(attempted) if attempted.blob.as_ref().is_some_and(|blob| blob.preview == "[1")));
    }

    #[test]
    fn what_a_newer_server_says_is_passed_over() {
        assert_eq!(Update::of_stream("danced", r#"{"seq": 3, "at": 1}"#), None);
        assert_eq!(Update::of_stream("skipped", "no json"), None);
        assert_eq!(Update::of_stream("ping", "[]"), None);
    }
}
