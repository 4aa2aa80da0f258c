//! A log line: what happened, and the ids of what it happened in, as text or as JSON.

use std::fmt::{self, Debug, Write as _};
use std::io::Write as _;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

/// The ids that a line carries where they apply, in this order. Spans are there for them alone: what else a span says is not kept.
const IDS: [&str; 5] = ["request_id", "org_id", "run_id", "step_id", "attempt"];

#[derive(Clone, Debug)]
enum Given {
    Text(String),
    Number(u64),
}

/// Of a span, or of an event itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Ids([Option<Given>; IDS.len()]);

/// One event on its way out.
#[derive(Default)]
pub(crate) struct Line {
    message: String,
    fields: Vec<(&'static str, Value)>,
    ids: Ids,
}

/// Writes each event as one line with the ids of the spans around it.
pub(crate) struct Lines<W> {
    pub writer: W,
    pub json: bool,
}

impl<S, W> Layer<S> for Lines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut ids = Ids::default();
        attributes.record(&mut ids);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(ids);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(ids) = span.extensions_mut().get_mut::<Ids>() {
            values.record(ids);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let line = Line::of(event, &context);
        let level = event.metadata().level().as_str();
        let mut text = if self.json { line.json(level) } else { line.text(level) };
        text.push('\n');
        // Nobody is left to tell when the log is closed.
        drop(self.writer.make_writer_for(event.metadata()).write_all(text.as_bytes()));
    }
}

impl Ids {
    fn place(field: &Field) -> Option<usize> {
        IDS.iter().position(|id| *id == field.name())
    }

    /// Takes what is not known from nearer by.
    fn fill(&mut self, outer: &Ids) {
        for (own, outer) in self.0.iter_mut().zip(&outer.0) {
            if own.is_none() {
                own.clone_from(outer);
            }
        }
    }

    fn known(&self) -> impl Iterator<Item = (&'static str, &Given)> {
        IDS.into_iter().zip(&self.0).filter_map(|(name, id)| Some((name, id.as_ref()?)))
    }
}

impl Visit for Ids {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if let Some(place) = Ids::place(field) {
            self.0[place] = Some(Given::Text(format!("{value:?}")));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if let Some(place) = Ids::place(field) {
            self.0[place] = Some(Given::Text(value.to_owned()));
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if let Some(place) = Ids::place(field) {
            self.0[place] = Some(Given::Number(value));
        }
    }
}

impl Line {
    /// With the ids of the spans around it, which [`Lines`] keeps there.
    pub(crate) fn of<S: Subscriber + for<'a> LookupSpan<'a>>(event: &Event<'_>, context: &Context<'_, S>) -> Line {
        let mut line = Line::default();
        event.record(&mut line);
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(ids) = span.extensions().get::<Ids>() {
                line.ids.fill(ids);
            }
        }
        line
    }

    /// What it says, with what, and its ids.
    pub(crate) fn parts(self) -> (String, Map<String, Value>, Map<String, Value>) {
        let fields = self.fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let ids = self.ids.known().map(|(name, id)| match id {
            Given::Text(text) => (name.to_owned(), Value::from(text.as_str())),
            Given::Number(number) => (name.to_owned(), Value::from(*number)),
        });
        (self.message, fields, ids.collect())
    }

    fn put(&mut self, field: &Field, value: Value) {
        self.fields.push((field.name(), value));
    }

    fn json(self, level: &str) -> String {
        let (message, said, ids) = self.parts();
        let mut fields = Map::new();
        fields.insert("message".to_owned(), Value::String(message));
        fields.extend(said);
        let mut line = Map::new();
        line.insert("timestamp".to_owned(), Value::String(now()));
        line.insert("level".to_owned(), Value::from(level));
        line.insert("fields".to_owned(), Value::Object(fields));
        line.extend(ids);
        Value::Object(line).to_string()
    }

    fn text(self, level: &str) -> String {
        let mut text = now();
        let mut say = |part: fmt::Arguments<'_>| text.write_fmt(part).expect("a text takes everything");
        say(format_args!(" {level:>5} {}", Plain(&self.message)));
        for (name, value) in &self.fields {
            match value {
                Value::String(shown) => say(format_args!(" {name}={}", Quoted(shown))),
                value => say(format_args!(" {name}={value}")),
            }
        }
        for (name, id) in self.ids.known() {
            match id {
                Given::Text(id) => say(format_args!(" {name}={}", Quoted(id))),
                Given::Number(id) => say(format_args!(" {name}={id}")),
            }
        }
        text
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            _ if Ids::place(field).is_some() => self.ids.record_debug(field, value),
            _ => self.put(field, Value::String(format!("{value:?}"))),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            _ if Ids::place(field).is_some() => self.ids.record_str(field, value),
            _ => self.put(field, Value::from(value)),
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match Ids::place(field) {
            Some(_) => self.ids.record_u64(field, value),
            None => self.put(field, Value::from(value)),
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Value::from(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Value::from(value));
    }
}

/// Text on one line: a line that a caller wrote in between would look like one of ours, and a control character moves the reader's cursor.
struct Plain<'a>(&'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if c.is_control() { write!(f, "{}", c.escape_default())? } else { f.write_char(c)? }
        }
        Ok(())
    }
}

/// A value that ends where a reader thinks it does.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = !self.0.is_empty() && !self.0.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '"' | '='));
        if plain { f.write_str(self.0) } else { write!(f, "{:?}", self.0) }
    }
}

fn now() -> String {
    let mut text = String::with_capacity(160);
    SystemTime.format_time(&mut Writer::new(&mut text)).expect("a text takes everything");
    text
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing::subscriber::with_default;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("nothing panics here").extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Kept {
        type Writer = Kept;
        fn make_writer(&'a self) -> Kept {
            self.clone()
        }
    }

    fn lines(json: bool, happen: impl FnOnce()) -> Vec<String> {
        let kept = Kept::default();
        with_default(tracing_subscriber::registry().with(Lines { writer: kept.clone(), json }), happen);
        let bytes = kept.0.lock().expect("nothing panics here").clone();
        String::from_utf8(bytes).expect("text").lines().map(str::to_owned).collect()
    }

    fn happen() {
        let request = tracing::error_span!("request", request_id = "r-1", org_id = tracing::field::Empty, path = "/kept/out");
        request.record("org_id", "o-1");
        let _request = request.enter();
        let _run = tracing::error_span!("run", run_id = %"run-1").entered();
        tracing::info!(code = "BROKEN", times = 2, "it broke\nhere");
        let _attempt = tracing::error_span!("attempt", step_id = "fetch", attempt = 2_u64).entered();
        tracing::warn!(run_id = "run-2", error = %"bad\r\n2026-01-01 INFO forged", "of another run");
    }

    #[test]
    fn a_line_carries_the_ids_of_what_it_happened_in() {
        let lines = lines(true, happen);
        let seen: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(seen.len(), 2);
        assert!(seen[0]["timestamp"].as_str().is_some_and(|at| at.ends_with('Z')));
        let rest = |line: &Value| line.to_string().split_once("\"level\"").map(|(_, rest)| rest.to_owned()).unwrap_or_default();
        assert_eq!(
            rest(&seen[0]),
            r#":"INFO","fields":{"message":"it broke\nhere","code":"BROKEN","times":2},"request_id":"r-1","org_id":"o-1","run_id":"run-1"}"#
        );
        assert_eq!(seen[1]["run_id"], "run-2", "what the event says itself wins");
        assert_eq!((&seen[1]["step_id"], &seen[1]["attempt"], &seen[1]["request_id"]), (&"fetch".into(), &2.into(), &"r-1".into()));
    }

    #[test]
    fn text_stays_on_its_line() {
        let lines = lines(false, happen);
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].ends_with(r"  INFO it broke\nhere code=BROKEN times=2 request_id=r-1 org_id=o-1 run_id=run-1"), "{}", lines[0]);
        let told = r#"error="bad\r\n2026-01-01 INFO forged" request_id=r-1 org_id=o-1 run_id=run-2 step_id=fetch attempt=2"#;
        assert!(lines[1].ends_with(told), "{}", lines[1]);
    }
}
