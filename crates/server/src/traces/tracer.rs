//! Takes what ended, takes the secrets out, and hands it to the exporter.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use http::{Method, StatusCode};
use mainspring_model::clock::Clock;
use mainspring_model::trace::{Ended, Side, Spans, TraceContext};
use mainspring_vault::{Entropy, OsEntropy, Redactor};
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SpanData, SpanEvents, SpanLinks, SpanProcessor};
use serde_json::Value;

use super::asked::{Asked, around};
use super::collector::Collector;
use super::terms::{Terms, pairs};
use crate::app::App;
use crate::settings::Settings;
use crate::wire;

/// Spans that wait to be sent; more are dropped.
const QUEUE: usize = 8_192;
const BATCH: usize = 512;
/// How long a span waits at most for others to be sent with.
const GATHER: Duration = Duration::from_secs(1);
/// The last spans of a server that ends get this long.
const LAST: Duration = Duration::from_secs(3);
/// A wall clock that moved by more is followed, in microseconds.
const DRIFT: i64 = 10_000;

/// One per server that is told of a collector.
pub struct Tracer {
    terms: Terms,
    processor: BatchSpanProcessor,
    scope: InstrumentationScope,
    redactor: Arc<Redactor>,
    clock: Arc<dyn Clock>,
    /// Wall time minus the monotonic clock's, in microseconds: the wall clock alone tells milliseconds.
    offset: AtomicI64,
}

/// Begins to trace, when the operator named a collector.
///
/// # Errors
/// Why the settings do not make an exporter.
pub fn begin(settings: &Settings, app: &App) -> Result<(), String> {
    let terms = &settings.traces;
    let Some(address) = terms.address() else { return Ok(()) };
    let egress = wire::way_to(address.host_str().unwrap_or_default(), settings.listen)?;
    let collector =
        Collector { egress, clock: app.clock.clone(), runtime: tokio::runtime::Handle::current(), lost: Arc::new(AtomicBool::new(false)) };
    let headers = terms.headers.as_ref().map(|headers| pairs(headers.expose())).transpose()?.unwrap_or_default();
    for (_, value) in &headers {
        app.redactor.add(value);
    }
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(address.as_str())
        .with_headers(headers.into_iter().collect())
        .with_http_client(collector)
        .build()
        .map_err(|error| error.to_string())?;
    let batches =
        BatchConfigBuilder::default().with_max_queue_size(QUEUE).with_max_export_batch_size(BATCH).with_scheduled_delay(GATHER).build();
    let mut processor = BatchSpanProcessor::new(exporter, batches);
    processor.set_resource(&resource(settings)?);
    let tracer = Arc::new(Tracer {
        terms: terms.clone(),
        processor,
        scope: InstrumentationScope::builder("mainspring").with_version(env!("CARGO_PKG_VERSION")).build(),
        redactor: app.redactor.clone(),
        clock: app.clock.clone(),
        offset: AtomicI64::new(i64::MIN),
    });
    app.engine.trace_with(tracer.clone());
    if app.tracer.set(tracer).is_err() {
        tracing::debug!("the server is traced already");
    }
    Ok(())
}

/// Who tells.
fn resource(settings: &Settings) -> Result<Resource, String> {
    let terms = &settings.traces;
    let text = |name: &'static str, value: String| KeyValue::new(name, value);
    let mut attributes = vec![text("service.name", "mainspring".to_owned())];
    attributes.extend(pairs(&terms.resource.join(","))?.into_iter().map(|(name, value)| KeyValue::new(name, value)));
    attributes.extend(terms.service.clone().map(|service| text("service.name", service)));
    attributes.push(text("service.version", env!("CARGO_PKG_VERSION").to_owned()));
    attributes.push(text("deployment.environment.name", settings.environment.clone()));
    // Of several of one name the last holds.
    Ok(Resource::builder_empty().with_attributes(attributes).build())
}

impl Tracer {
    /// A request that begins to be answered; `said` is its `traceparent`.
    pub fn asked(&self, said: Option<&str>) -> Arc<Asked> {
        let parent = said.filter(|_| self.terms.accept).and_then(TraceContext::parse);
        let trace = parent.map_or_else(|| self.random(), |parent| parent.trace);
        let sampled = self.sampled(trace, parent.map(|parent| parent.sampled));
        Asked::new(TraceContext { trace, span: self.span(), sampled }, parent.map_or([0; 8], |parent| parent.span))
    }

    /// The request was answered.
    pub fn answered(&self, asked: &Asked, method: &Method, status: StatusCode, request_id: &str, took_us: u64) {
        if !asked.at.sampled {
            return;
        }
        // A path may hold a secret, as those of webhooks do; the operation says as much.
        let operation = asked.operation.get();
        let mut attributes = vec![
            ("http.request.method", Value::from(method.as_str())),
            ("http.response.status_code", Value::from(status.as_u16())),
            ("mainspring.request.id", Value::from(request_id)),
        ];
        attributes.extend(operation.map(|operation| ("mainspring.operation", Value::from(*operation))));
        attributes.extend(asked.org.get().map(|org| ("mainspring.org.id", Value::from(org.to_string()))));
        self.ended(Ended {
            at: asked.at,
            parent: asked.parent,
            side: Side::Server,
            name: operation.map_or("request".into(), |operation| format!("{method} {operation}").into()),
            took_us,
            attributes,
            fault: status.is_server_error().then(|| status.as_u16().to_string()),
        });
    }

    fn sampled(&self, trace: [u8; 16], parent: Option<bool>) -> bool {
        self.terms.sampler.samples(self.terms.ratio.unwrap_or(1.0), trace, parent)
    }

    fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [1; N];
        if let Err(error) = OsEntropy.fill(&mut bytes) {
            tracing::debug!(%error, "a trace has no random id");
        }
        bytes
    }

    /// Sends what has gathered, within a bound; nothing more is taken.
    pub async fn close(self: Arc<Self>) {
        let closed = tokio::task::spawn_blocking(move || self.processor.shutdown_with_timeout(LAST)).await;
        if !matches!(closed, Ok(Ok(()))) {
            tracing::warn!("the last spans could not be sent");
        }
    }

    /// Microseconds of wall time, which go on as the monotonic clock does.
    fn now_us(&self) -> i64 {
        let monotonic = i64::try_from(self.clock.monotonic_us()).unwrap_or(i64::MAX);
        let wall = self.clock.now().saturating_mul(1_000);
        let told = monotonic.saturating_add(self.offset.load(Ordering::Relaxed));
        if wall.abs_diff(told) <= DRIFT.unsigned_abs() {
            return told;
        }
        self.offset.store(wall.saturating_sub(monotonic), Ordering::Relaxed);
        wall
    }

    fn clean(&self, value: Value) -> opentelemetry::Value {
        match value {
            Value::Bool(truth) => truth.into(),
            Value::Number(number) => match number.as_i64() {
                Some(whole) => whole.into(),
                None => number.as_f64().unwrap_or_default().into(),
            },
            Value::String(text) => self.redactor.redact(&text).into_owned().into(),
            other => self.redactor.redact(&other.to_string()).into_owned().into(),
        }
    }
}

impl Spans for Tracer {
    fn span(&self) -> [u8; 8] {
        self.random()
    }

    fn samples(&self, trace: [u8; 16]) -> bool {
        self.sampled(trace, None)
    }

    fn around(&self) -> Option<TraceContext> {
        around()
    }

    fn reaches(&self, host: &str) -> bool {
        self.terms.reaches(host)
    }

    fn ended(&self, work: Ended) {
        let Ended { at, parent, side, name, took_us, attributes, fault } = work;
        let end = self.now_us();
        let moment = |us: i64| SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(us).unwrap_or(0));
        let mut told: Vec<KeyValue> = attributes.into_iter().map(|(name, value)| KeyValue::new(name, self.clean(value))).collect();
        told.extend(fault.clone().map(|code| KeyValue::new("error.type", code)));
        self.processor.on_end(SpanData {
            span_context: SpanContext::new(
                TraceId::from_bytes(at.trace),
                SpanId::from_bytes(at.span),
                TraceFlags::SAMPLED,
                false,
                TraceState::NONE,
            ),
            parent_span_id: SpanId::from_bytes(parent),
            parent_span_is_remote: side == Side::Server,
            span_kind: match side {
                Side::Server => SpanKind::Server,
                Side::Client => SpanKind::Client,
                Side::Internal => SpanKind::Internal,
            },
            name: self.redactor.redact(&name).into_owned().into(),
            start_time: moment(end.saturating_sub(i64::try_from(took_us).unwrap_or(i64::MAX))),
            end_time: moment(end),
            attributes: told,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: fault.map_or(Status::Unset, Status::error),
            instrumentation_scope: self.scope.clone(),
        });
    }
}
