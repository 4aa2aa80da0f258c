//! A step without an engine: calls one action with a fake clock and fake per-item expressions.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use futures_util::FutureExt;
use mainspring_model::Fault;
use mainspring_model::action::{Action, Context, Outcome, Output, PerItem};
use mainspring_model::clock::{FakeClock, Millis};
use mainspring_model::id::Owner;
use mainspring_providers::apart::Apart;
use mainspring_providers::{logic, transform};
use serde_json::{Map, Value};

/// 2026-03-01T12:00:00Z.
pub const NOW: Millis = 1_772_366_400_000;

type Eval = dyn Fn(&str, &Map<String, Value>) -> Result<Value, Fault> + Send + Sync;

/// Per-item params by name, each computed by a closure over the locals.
#[derive(Clone, Default)]
pub struct Fake(Vec<(String, Arc<Eval>)>);

impl Fake {
    pub fn with(mut self, param: &str, eval: impl Fn(&Map<String, Value>) -> Value + Send + Sync + 'static) -> Fake {
        self.0.push((param.to_owned(), Arc::new(move |_, locals| Ok(eval(locals)))));
        self
    }

    pub fn failing(mut self, param: &str, fault: Fault) -> Fake {
        self.0.push((param.to_owned(), Arc::new(move |_, _| Err(fault.clone()))));
        self
    }

    /// Declares an object param without labels.
    pub fn empty(self, param: &str) -> Fake {
        self.with(&format!("{param}."), |_| Value::Null)
    }
}

impl PerItem for Fake {
    fn eval(&self, param: &str, locals: &[(&str, &Value)]) -> Result<Value, Fault> {
        let locals = locals.iter().map(|(name, value)| ((*name).to_owned(), (*value).clone())).collect();
        match self.0.iter().find(|(name, _)| name == param) {
            Some((_, eval)) => eval(param, &locals),
            None => Err(Fault::invalid_params(format!("the step has no \"{param}\""))),
        }
    }

    fn has(&self, param: &str) -> bool {
        let within = format!("{param}.");
        self.0.iter().any(|(name, _)| name == param || name.starts_with(&within))
    }

    fn labels(&self, param: &str) -> Vec<String> {
        let within = format!("{param}.");
        self.0.iter().filter_map(|(name, _)| name.strip_prefix(&within)).filter(|label| !label.is_empty()).map(str::to_owned).collect()
    }
}

pub fn context(per_item: Fake, deadline: Millis) -> Context {
    Context {
        owner: Owner::LOCAL,
        run: None,
        step: "step_1".to_owned(),
        attempt: 1,
        idempotency_key: "key".to_owned(),
        credential: None,
        per_item: Arc::new(per_item),
        clock: Arc::new(FakeClock::at(NOW)),
        deadline,
        sent: Arc::new(AtomicBool::new(false)),
        holds: None,
        keeps: Default::default(),
        tracing: None,
        files: None,
    }
}

pub fn action(name: &str) -> Arc<dyn Action> {
    let (provider, action) = name.split_once('.').expect("provider.action");
    let provider = match provider {
        "logic" => logic::provider(&Apart::here()),
        "transform" => transform::provider(&Apart::here()),
        other => panic!("no provider {other}"),
    };
    provider.action(action).unwrap_or_else(|| panic!("no action {name}")).clone()
}

/// What the first poll gives: every action of these providers is ready at once.
pub fn outcome_of(name: &str, params: Value, per_item: Fake) -> Result<Outcome, Fault> {
    let cx = context(per_item, Millis::MAX);
    action(name).call(params, &cx).now_or_never().expect("ready at the first poll")
}

pub fn outcome(name: &str, params: Value) -> Result<Outcome, Fault> {
    outcome_of(name, params, Fake::default())
}

pub fn output_of(name: &str, params: Value, per_item: Fake) -> Output {
    match outcome_of(name, params, per_item) {
        Ok(Outcome::Done(output)) => output,
        other => panic!("{name} gave {other:?}"),
    }
}

/// The output of a call that ends well.
pub fn value(name: &str, params: Value) -> Value {
    output_of(name, params, Fake::default()).value
}

/// `CODE: message` of a call that fails.
pub fn error(name: &str, params: Value) -> String {
    error_of(name, params, Fake::default())
}

pub fn error_of(name: &str, params: Value, per_item: Fake) -> String {
    match outcome_of(name, params, per_item) {
        Err(fault) => fault.to_string(),
        Ok(outcome) => panic!("{name} gave {outcome:?}"),
    }
}
