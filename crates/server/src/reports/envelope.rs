//! One report as it travels: a head, and one event behind it.

use serde_json::{Map, Value, json};
use uuid::Uuid;

/// Of one text, in characters. What explains an error is shorter; what is longer may be somebody's data.
const MOST_TEXT: usize = 300;

/// What happened, without values of users.
#[derive(Clone, Debug)]
pub struct Report {
    pub id: Uuid,
    /// Unix milliseconds.
    pub at: i64,
    /// The program ends by it.
    pub fatal: bool,
    pub message: String,
    /// The stable code, where there is one.
    pub code: Option<String>,
    /// Ids of request, run and so on.
    pub tags: Map<String, Value>,
    /// What else the line of the log said.
    pub said: Map<String, Value>,
}

/// Who reports.
#[derive(Clone, Debug)]
pub struct Sender {
    pub environment: String,
    pub node: String,
}

impl Report {
    /// The bytes of an envelope.
    pub fn written(&self, from: &Sender) -> String {
        let id = self.id.simple().to_string();
        let mut tags = self.tags.clone();
        tags.extend(self.code.clone().map(|code| ("code".to_owned(), Value::from(code))));
        let event = json!({
            "event_id": id,
            "timestamp": self.at as f64 / 1_000.0,
            "platform": "other",
            "level": if self.fatal { "fatal" } else { "error" },
            "logger": "mainspring",
            "release": concat!("mainspring@", env!("CARGO_PKG_VERSION")),
            "environment": from.environment,
            "server_name": from.node,
            // Reports of one kind are one issue, whatever their texts.
            "fingerprint": [self.message, self.code],
            "exception": {"values": [{"type": self.code.as_deref().unwrap_or(&self.message), "value": short(&self.message)}]},
            "tags": tags,
            "extra": self.said.iter().map(|(name, value)| (name.clone(), shortened(value))).collect::<Map<_, _>>(),
            "sdk": {"name": "mainspring", "version": env!("CARGO_PKG_VERSION")},
        })
        .to_string();
        format!("{{\"event_id\":\"{id}\"}}\n{{\"type\":\"event\",\"length\":{}}}\n{event}\n", event.len())
    }
}

fn shortened(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(short(text)),
        other => other.clone(),
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(MOST_TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_is_three_lines_and_its_texts_are_short() {
        let said = json!({"error": "x".repeat(400), "times": 3});
        let Value::Object(said) = said else { unreachable!("it is one") };
        let report =
            Report { id: Uuid::nil(), at: 1_500, fatal: false, message: "it broke".to_owned(), code: None, tags: Map::new(), said };
        let text = report.written(&Sender { environment: "test".to_owned(), node: "n".to_owned() });
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        let head: Value = serde_json::from_str(lines[1]).expect("JSON");
        assert_eq!(head["length"], lines[2].len());
        let event: Value = serde_json::from_str(lines[2]).expect("JSON");
        assert_eq!((&event["timestamp"], &event["environment"], &event["extra"]["times"]), (&json!(1.5), &json!("test"), &json!(3)));
        assert_eq!(event["extra"]["error"].as_str().map(|text| text.chars().count()), Some(MOST_TEXT + 1));
    }
}
