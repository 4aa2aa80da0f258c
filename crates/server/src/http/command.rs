//! What a client says over a WebSocket, and the frames that it gets: JSON texts.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::live::{Item, Place, Topic, VERSION};

/// A client's message. Unknown members are passed over, so that clients may be newer.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Command {
    Subscribe {
        topic: String,
        /// The id of the last event that was seen.
        #[serde(default)]
        after: Option<String>,
    },
    Unsubscribe {
        topic: String,
    },
    Ping,
}

impl Command {
    /// # Errors
    /// What is wrong with it, for its sender.
    pub fn parse(text: &str) -> Result<Command, &'static str> {
        serde_json::from_str(text).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => {
                "a message is {\"op\": \"subscribe\", \"topic\": …, \"after\"?: …}, {\"op\": \"unsubscribe\", \"topic\": …} or {\"op\": \"ping\"}"
            }
            _ => "the message is no JSON",
        })
    }
}

pub fn hello(ping_ms: i64, most_topics: usize) -> String {
    json!({"type": "hello", "version": VERSION, "ping_ms": ping_ms, "most_topics": most_topics}).to_string()
}

pub fn subscribed(topic: Topic, place: Place) -> String {
    json!({"type": "subscribed", "topic": topic.to_string(), "id": place.to_string()}).to_string()
}

pub fn unsubscribed(topic: Topic) -> String {
    json!({"type": "unsubscribed", "topic": topic.to_string()}).to_string()
}

pub fn pong() -> String {
    json!({"type": "pong"}).to_string()
}

pub fn error(code: &str, message: &str, topic: Option<&str>) -> String {
    let mut error = json!({"type": "error", "code": code, "message": message});
    if let Some(topic) = topic {
        // As it was sent, but not all of a hostile one.
        error["topic"] = Value::String(topic.chars().take(100).collect());
    }
    error.to_string()
}

/// An item as a frame. The event itself is written out already, once for all its readers.
pub fn frame(item: &Item) -> String {
    match item {
        Item::Event { topic, place: Some(place), text } => {
            format!("{{\"type\":\"event\",\"topic\":\"{topic}\",\"id\":\"{place}\",\"event\":{text}}}")
        }
        Item::Event { topic, place: None, text } => format!("{{\"type\":\"event\",\"topic\":\"{topic}\",\"event\":{text}}}"),
        Item::Reset { topic, place } => json!({"type": "reset", "topic": topic.to_string(), "id": place.to_string()}).to_string(),
        Item::End { topic } => json!({"type": "end", "topic": topic.to_string()}).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_and_the_rest_is_refused() {
        let after = |after: Option<&str>| Command::Subscribe { topic: "runs".to_owned(), after: after.map(str::to_owned) };
        assert_eq!(Command::parse("{\"op\":\"subscribe\",\"topic\":\"runs\"}"), Ok(after(None)));
        assert_eq!(Command::parse("{\"op\":\"subscribe\",\"topic\":\"runs\",\"after\":\"1\",\"new\":[]}"), Ok(after(Some("1"))));
        assert_eq!(Command::parse("{\"op\":\"ping\"}"), Ok(Command::Ping));
        for (text, says) in
            [("{", "no JSON"), ("", "no JSON"), ("[]", "a message is"), ("{\"op\":\"drop\"}", "a message is"), ("7", "a message is")]
        {
            assert!(Command::parse(text).unwrap_err().contains(says), "{text}");
        }
        let deep = format!("{{\"op\":\"ping\",\"x\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(Command::parse(&deep).is_err());
    }

    #[test]
    fn frames_are_json() {
        let place = Place::List { tag: 10, number: 3 };
        let event = frame(&Item::Event { topic: Topic::Runs, place: Some(place), text: "{\"a\":1}".into() });
        let read: Value = serde_json::from_str(&event).unwrap();
        assert_eq!(read, json!({"type": "event", "topic": "runs", "id": "000000000000000a.3", "event": {"a": 1}}));
        let read: Value = serde_json::from_str(&frame(&Item::Event { topic: Topic::Runs, place: None, text: "{}".into() })).unwrap();
        assert_eq!(read, json!({"type": "event", "topic": "runs", "event": {}}));
    }
}
