//! A collector gets the spans of a request, its run, the attempts and their calls, each under the one that it is a part of; also those
//! of a run whose process was killed in between.

use std::collections::BTreeMap;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Told;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::{Value, json};

use super::until;
use crate::gates::clock::pause;
use crate::gates::dice::Dice;
use crate::gates::process::Server as Program;
use crate::servers::{Server, json as answer};

const SECRET: &str = "sk-traced-4242-secret";

fn text(span: &Span, name: &str) -> String {
    let found = span.attributes.iter().find(|attribute| attribute.key == name);
    match found.and_then(|attribute| attribute.value.clone()?.value) {
        Some(Told::StringValue(text)) => text,
        Some(Told::IntValue(number)) => number.to_string(),
        _ => String::new(),
    }
}

/// All spans that came.
fn spans(collector: &Server) -> Vec<Span> {
    let mut spans = Vec::new();
    for asked in collector.asked_for("POST /v1/traces") {
        let batch = ExportTraceServiceRequest::decode(asked.body.clone()).unwrap();
        for resource in batch.resource_spans {
            let who = resource.resource.unwrap_or_default().attributes;
            assert!(who.iter().any(|attribute| attribute.key == "service.name"), "{who:?}");
            spans.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
        }
    }
    spans
}

/// The spans of one run by name, when its own has come.
fn of_run(collector: &Server, run: &str) -> Option<BTreeMap<String, Span>> {
    let all = spans(collector);
    let own = all.iter().find(|span| span.name == "run" && text(span, "mainspring.run.id") == run)?;
    let trace = own.trace_id.clone();
    let named = |span: &Span| match text(span, "mainspring.step.id") {
        step if step.is_empty() => span.name.clone(),
        step => format!("{} {step}", span.name),
    };
    Some(all.into_iter().filter(|span| span.trace_id == trace).map(|span| (named(&span), span)).collect())
}

async fn seen(collector: &Server, run: &str, count: usize) -> BTreeMap<String, Span> {
    until("the run's spans", || async {
        pause(Duration::from_millis(20)).await;
        of_run(collector, run).is_some_and(|spans| spans.len() >= count)
    })
    .await;
    of_run(collector, run).unwrap()
}

async fn post(program: &Program, path: &str, header: Option<&str>, body: &Value) -> Value {
    // Fails where another test of this process was first, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = client.post(format!("http://{}{path}", program.address)).json(body);
    if let Some(header) = header {
        request = request.header("traceparent", header);
    }
    request.send().await.unwrap().json().await.unwrap()
}

async fn run(program: &Program, header: Option<&str>, wait: bool, steps: Value) -> String {
    let name = format!("Traced {}", steps[0]["id"]);
    let made = post(program, "/api/plans", None, &json!({"name": name, "steps": steps})).await;
    let body = json!({"plan_id": made["plan"]["id"], "wait": wait});
    let run = post(program, "/api/execute", header, &body).await;
    run["execution"]["id"].as_str().unwrap_or_else(|| panic!("{made} {run}")).to_owned()
}

fn tell(program: &mut Program, collector: &Server) {
    program.tell("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url(""));
    program.tell("OTEL_EXPORTER_OTLP_HEADERS", &format!("x-key={SECRET}"));
    program.tell("OTEL_SERVICE_NAME", "traced");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_part_of_a_run_is_a_span_below_what_it_is_a_part_of() {
    let (collector, service) = tokio::join!(Server::start(|_| answer(200, &json!({}))), Server::start(|_| answer(200, &json!({"ok": 1}))));
    let folder = tempfile::tempdir().unwrap();
    let mut program = Program::new(folder.path(), &mut Dice::new(0x7ace));
    tell(&mut program, &collector);
    program.start().await;
    let call = json!({"id": "fetch", "action": "http.request", "params": {"url": service.url("/a/path?key=hidden")}});
    let caller = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let id = run(&program, Some(caller), true, json!([{"id": "first", "action": "logic.set", "params": {"x": 1}}, call])).await;
    let told = seen(&collector, &id, 5).await;
    let names: Vec<&str> = told.keys().map(String::as_str).collect();
    assert_eq!(names, ["GET", "POST execute_plan", "http.request fetch", "logic.set first", "run"]);
    for (part, whole) in
        [("run", "POST execute_plan"), ("logic.set first", "run"), ("http.request fetch", "run"), ("GET", "http.request fetch")]
    {
        assert_eq!(told[part].parent_span_id, told[whole].span_id, "{part}");
        assert!(told[part].start_time_unix_nano + 2_000_000 >= told[whole].start_time_unix_nano, "{part} began before {whole}");
    }
    // Nobody said that callers are believed, or that others may see the ids.
    assert!(told["POST execute_plan"].parent_span_id.is_empty());
    assert_ne!(told["run"].trace_id[0..2], [0x4b, 0xf9]);
    assert!(service.asked()[0].headers.get("traceparent").is_none());
    assert_eq!(text(&told["GET"], "http.response.status_code"), "200");
    for asked in collector.asked() {
        assert_eq!(asked.header("x-key"), SECRET);
        let body = String::from_utf8_lossy(&asked.body).into_owned();
        assert!(!body.contains("hidden") && !body.contains("/a/path") && !body.contains(SECRET));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_goes_on_after_a_kill_and_from_and_to_others_who_may() {
    let (collector, service) = tokio::join!(Server::start(|_| answer(200, &json!({}))), Server::start(|_| answer(503, &json!({}))));
    let folder = tempfile::tempdir().unwrap();
    let mut program = Program::new(folder.path(), &mut Dice::new(0x7acf));
    tell(&mut program, &collector);
    program.tell("MAINSPRING_TRACES_ACCEPT", "true");
    program.tell("MAINSPRING_TRACES_SEND_TO", "127.0.0.1");
    program.start().await;
    let sleep = json!({"id": "rest", "action": "logic.sleep", "params": {"for": "4s"}});
    let call = json!({"id": "fetch", "action": "http.request", "params": {"url": service.url("/")}, "retry": {"max_attempts": 1}});
    let caller = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let id = run(&program, Some(caller), false, json!([sleep, call])).await;
    // What was told before the kill has come.
    until("the request's span", || async {
        pause(Duration::from_millis(20)).await;
        spans(&collector).iter().any(|span| span.name == "POST execute_plan")
    })
    .await;
    assert!(program.kill());
    program.start().await;
    let told = seen(&collector, &id, 4).await;
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(hex(&told["run"].trace_id), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(hex(&told["POST execute_plan"].parent_span_id), "00f067aa0ba902b7");
    assert_eq!(told["run"].parent_span_id, told["POST execute_plan"].span_id);
    assert_eq!(told["http.request fetch"].parent_span_id, told["run"].span_id);
    assert_eq!(told["GET"].parent_span_id, told["http.request fetch"].span_id);
    assert_eq!((text(&told["GET"], "error.type").as_str(), told["run"].status.as_ref().unwrap().code), ("503", 2));
    let sent = service.asked()[0].header("traceparent").to_owned();
    assert_eq!(sent, format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{}-01", hex(&told["GET"].span_id)));
    // What the journal keeps is the place alone, and one run is told of once.
    let runs = spans(&collector).into_iter().filter(|span| span.name == "run").count();
    assert_eq!(runs, 1);
}
