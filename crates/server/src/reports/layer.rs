//! What the log says at the level of errors becomes a report.

use std::sync::Arc;

use mainspring_vault::Redactor;
use serde_json::{Map, Value};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use super::reporter::Reporter;
use crate::wire::line::Line;

/// Beside the lines of the log, which put the ids of spans where this finds them.
pub struct Reports {
    pub reporter: Arc<Reporter>,
    pub redactor: Arc<Redactor>,
}

impl<S> Layer<S> for Reports
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if *event.metadata().level() != Level::ERROR {
            return;
        }
        let line = Line::of(event, &context);
        let (message, fields, ids) = line.parts();
        let clean = |pairs: Map<String, Value>| {
            let mut value = Value::Object(pairs);
            self.redactor.redact_value(&mut value);
            match value {
                Value::Object(pairs) => pairs,
                _ => Map::new(),
            }
        };
        let mut fields = clean(fields);
        let code = fields.remove("code").and_then(|code| code.as_str().map(str::to_owned));
        // A path may hold what only its caller knows, as those of webhooks do.
        fields.remove("path");
        self.reporter.report(&self.redactor.redact(&message), code, clean(ids), fields, false);
    }
}

#[cfg(test)]
mod tests {
    use mainspring_model::credential::Secret;
    use serde_json::json;
    use tracing::subscriber::with_default;
    use tracing_subscriber::layer::SubscriberExt;
    use wiremock::{Mock, MockServer, ResponseTemplate, matchers};

    use super::*;
    use crate::settings::Settings;
    use crate::wire;
    use crate::wire::line::Lines;

    #[tokio::test]
    async fn an_error_is_reported_once_with_its_ids_and_without_secrets() {
        let receiver = MockServer::start().await;
        Mock::given(matchers::path("/api/7/envelope/")).respond_with(ResponseTemplate::new(200)).mount(&receiver).await;
        let dsn = format!("http://abc@{}/7", receiver.address());
        let settings = Settings { sentry_dsn: Some(Secret::new(dsn)), ..Settings::default() };
        let reporter = Reporter::begin(&settings, Arc::new(wire::SystemClock::new())).expect("a DSN");
        let redactor = Arc::new(Redactor::new());
        redactor.add("sk-very-secret-4242");
        let reports = Reports { reporter: reporter.clone(), redactor };
        let lines = Lines { writer: std::io::sink, json: false };
        with_default(tracing_subscriber::registry().with(lines).with(reports), || {
            let _request = tracing::error_span!("request", request_id = "r-1").entered();
            let _run = tracing::error_span!("run", run_id = "run-1").entered();
            for _ in 0..3 {
                tracing::error!(code = "INTERNAL", cause = "it had sk-very-secret-4242", path = "/api/webhook/hidden", "a request failed");
            }
            tracing::error!(place = "src/x.rs:1:2", panic = "index out of bounds", "a panic was caught");
            tracing::warn!("nothing for others");
        });
        reporter.finish().await;
        let sent = receiver.received_requests().await.expect("they are recorded");
        let texts: Vec<String> = sent.iter().map(|request| String::from_utf8_lossy(&request.body).into_owned()).collect();
        assert_eq!(texts.len(), 2, "{texts:?}");
        assert!(!texts.iter().any(|text| text.contains("4242") || text.contains("hidden")), "{texts:?}");
        let event: Value = serde_json::from_str(texts[0].lines().nth(2).expect("three lines")).expect("JSON");
        assert_eq!(event["tags"], json!({"request_id": "r-1", "run_id": "run-1", "code": "INTERNAL"}));
        assert_eq!((&event["level"], &event["extra"]["cause"]), (&json!("error"), &json!("it had ***")));
        assert!(texts[1].contains("src/x.rs:1:2"), "{}", texts[1]);
    }

    #[tokio::test]
    async fn who_asks_for_rest_gets_it_and_a_full_queue_holds_nobody_up() {
        let receiver = MockServer::start().await;
        let rest = ResponseTemplate::new(429).insert_header("retry-after", "120");
        Mock::given(matchers::any()).respond_with(rest).mount(&receiver).await;
        let dsn = format!("http://abc@{}/7", receiver.address());
        let settings = Settings { sentry_dsn: Some(Secret::new(dsn)), ..Settings::default() };
        let reporter = Reporter::begin(&settings, Arc::new(wire::SystemClock::new())).expect("a DSN");
        reporter.report("first", None, Map::new(), Map::new(), false);
        reporter.finish().await;
        // More than the queue takes, in a moment in which nothing is sent: none of them waits.
        for n in 0..1_000 {
            reporter.report(&format!("thing {n}"), None, Map::new(), Map::new(), false);
        }
        reporter.finish().await;
        assert_eq!(receiver.received_requests().await.expect("they are recorded").len(), 1);
    }
}
