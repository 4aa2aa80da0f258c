//! Traces of runs: each run and each attempt has ids that follow from the run's own, so whichever process ends it tells the same ones.

use std::sync::{Arc, OnceLock};

use mainspring_model::fault::Fault;
use mainspring_model::run::{Ending, RunHeader};
use mainspring_model::trace::{Ended, Side, Spans, TraceContext, Tracing};
use serde_json::{Value, json};

use crate::engine::{Engine, Inner};
use crate::run::Call;

/// In a run's trigger: by which piece of work it was started, kept with the run because it outlives that.
pub(crate) const STARTED_BY: &str = "traceparent";

#[derive(Default)]
pub(crate) struct Told(OnceLock<Arc<dyn Spans>>);

impl Told {
    /// `None`: nothing is traced.
    pub(crate) fn get(&self) -> Option<&Arc<dyn Spans>> {
        self.0.get()
    }

    /// Notes in a trigger what starts the run: an attempt, or the request that is being answered.
    pub(crate) fn note(&self, trigger: &mut Value, attempt: Option<TraceContext>) {
        let Some(spans) = self.get() else { return };
        let Some(trigger) = trigger.as_object_mut().filter(|trigger| !trigger.contains_key(STARTED_BY)) else { return };
        if let Some(by) = attempt.or_else(|| spans.around()) {
            trigger.insert(STARTED_BY.to_owned(), Value::from(by.to_string()));
        }
    }

    /// A run's end is on disk.
    pub(crate) fn ended(&self, header: &RunHeader, ending: &Ending, now: i64) {
        let Some((spans, at)) = self.get().map(|spans| (spans, of_run(&**spans, header))).filter(|(_, at)| at.sampled) else { return };
        spans.ended(Ended {
            at,
            parent: started_by(header).map_or([0; 8], |by| by.span),
            side: Side::Internal,
            name: "run".into(),
            took_us: u64::try_from(now.saturating_sub(header.created_at)).unwrap_or(0).saturating_mul(1_000),
            attributes: vec![
                ("mainspring.run.id", json!(header.id)),
                ("mainspring.run.status", json!(ending.status)),
                ("mainspring.plan.id", json!(header.plan_id)),
                ("mainspring.plan.name", json!(header.plan_name)),
                ("mainspring.org.id", json!(header.owner.org)),
                ("mainspring.trigger", header.trigger["type"].clone()),
            ],
            fault: ending.error.as_ref().map(|fault| fault.code.to_string()),
        });
    }
}

fn started_by(header: &RunHeader) -> Option<TraceContext> {
    TraceContext::parse(header.trigger[STARTED_BY].as_str()?)
}

/// A run that nothing traced started begins the trace that is named like it.
fn of_run(spans: &dyn Spans, header: &RunHeader) -> TraceContext {
    let id = *header.id.0.as_bytes();
    let mut span = [0; 8];
    // The random half of the id.
    span.copy_from_slice(&id[8..]);
    match started_by(header) {
        Some(by) => by.at(span),
        None => TraceContext { trace: id, span, sampled: spans.samples(id) },
    }
}

/// An attempt under way. One that is cut off is not told of: it has no end that was recorded, and may be made again under the same id.
pub(crate) struct Attempt {
    pub(crate) tracing: Tracing,
    parent: [u8; 8],
    name: String,
    attributes: Vec<(&'static str, Value)>,
    began_us: u64,
}

impl Attempt {
    /// `None`: nothing is traced.
    pub(crate) fn begin(inner: &Inner, header: &RunHeader, call: &Call) -> Option<Attempt> {
        let spans = inner.spans.get()?.clone();
        let run = of_run(&*spans, header);
        // The same in every process that makes it, so that what it started finds it: FNV-1a.
        let told = call.path.bytes().chain(call.attempt.to_be_bytes());
        let hash = run
            .span
            .into_iter()
            .chain(told)
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        let tracing = Tracing { spans, at: run.at(hash.max(1).to_be_bytes()) };
        let (name, attributes) = if run.sampled {
            let attributes = vec![
                ("mainspring.run.id", json!(header.id)),
                ("mainspring.step.id", json!(call.path)),
                ("mainspring.attempt", json!(call.attempt)),
            ];
            (format!("{}.{}", call.provider, call.action), attributes)
        } else {
            Default::default()
        };
        Some(Attempt { tracing, parent: run.span, name, attributes, began_us: inner.clock.monotonic_us() })
    }

    pub(crate) fn end(self, inner: &Inner, fault: Option<&Fault>) {
        let Tracing { spans, at } = self.tracing;
        if !at.sampled {
            return;
        }
        spans.ended(Ended {
            at,
            parent: self.parent,
            side: Side::Internal,
            name: self.name.into(),
            took_us: inner.clock.monotonic_us().saturating_sub(self.began_us),
            attributes: self.attributes,
            fault: fault.map(|fault| fault.code.to_string()),
        });
    }
}

impl Engine {
    /// Tells `spans` from now on of runs and attempts; the first one stays.
    pub fn trace_with(&self, spans: Arc<dyn Spans>) {
        if self.0.spans.0.set(spans).is_err() {
            tracing::debug!("the engine is traced already");
        }
    }
}
