//! What a provider can do: the `Action` trait, its static description, and what an attempt is given.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::budget::ModelCall;
use crate::clock::Millis;
pub use crate::context::{Context, Holds, Keeps, NoPerItem, PerItem};
use crate::fault::Fault;
use crate::state::StateAsk;
use crate::wait::Wait;

/// What repeating an attempt can do to the outside world; decides what is retried by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Looks only.
    Read,
    /// Repeating is harmless.
    Idempotent,
    /// The service takes an idempotency key, which is sent.
    Keyed,
    /// Each attempt may do something again.
    Write,
}

/// How a param's value is read before the action sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParamKind {
    /// `${…}` inside is evaluated at any depth.
    #[default]
    Template,
    /// Never scanned: the action gets the written text.
    Literal,
    /// An expression (or, for objects, one per label) that the action evaluates per item through [`Context::per_item`].
    PerItem,
    /// A template that the action evaluates per item: `map.value`.
    PerItemTemplate,
    /// An expression that is evaluated per event, with `event` in scope: `wait_for_event.where`.
    PerEvent,
}

/// A named way for a step to end, beside `error` and `skipped`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    pub name: String,
    /// A plain edge is live when its source ended in a main port.
    pub main: bool,
}

impl Port {
    pub fn main(name: impl Into<String>) -> Port {
        Port { name: name.into(), main: true }
    }

    pub fn side(name: impl Into<String>) -> Port {
        Port { name: name.into(), main: false }
    }
}

/// An action's static description: what forms, checks, documents and the engine need to know.
#[derive(Clone, Debug, Serialize)]
pub struct ActionSpec {
    /// `request` in `http.request`.
    pub name: String,
    pub title: String,
    /// One sentence: what it does for its user.
    pub description: String,
    pub effect: Effect,
    /// Computes only: no outside effect, no waiting, ready at the first poll. May run ahead of the disk.
    pub computes: bool,
    /// Works on its params alone, but in a process apart: no outside effect either.
    #[serde(skip)]
    pub apart: bool,
    /// Runs without a credential. When false, a step without one fails with `MISSING_CREDENTIALS` before the call.
    pub needs_credential: bool,
    /// JSON Schema of the params.
    pub params: Value,
    /// JSON Schema of the output, when it is known.
    pub output: Option<Value>,
    /// Calls a language model: what a call may use at most, for the plan's `budget`.
    #[serde(skip)]
    pub model: Option<fn(&Value) -> ModelCall>,
    /// Params that are not plain templates.
    pub param_kinds: BTreeMap<String, ParamKind>,
    /// Time for one attempt; the engine's default (30 s) when absent.
    #[serde(skip)]
    pub timeout: Option<Duration>,
    /// A working params object.
    pub example: Value,
}

impl ActionSpec {
    /// A description from a params type; every further field is set by struct update.
    pub fn of<P: JsonSchema>(name: &str, title: &str, description: &str) -> ActionSpec {
        ActionSpec {
            name: name.to_owned(),
            title: title.to_owned(),
            description: description.to_owned(),
            effect: Effect::Write,
            computes: false,
            apart: false,
            needs_credential: false,
            params: schema_of::<P>(),
            output: None,
            model: None,
            param_kinds: BTreeMap::new(),
            timeout: None,
            example: Value::Object(Map::new()),
        }
    }

    /// The kind of one param; `Template` when nothing else is declared.
    pub fn param_kind(&self, name: &str) -> ParamKind {
        self.param_kinds.get(name).copied().unwrap_or_default()
    }
}

/// The JSON Schema of a type, without the `$schema` line.
pub fn schema_of<T: JsonSchema>() -> Value {
    let mut schema = schemars::schema_for!(T).to_value();
    if let Some(fields) = schema.as_object_mut() {
        fields.shift_remove("$schema");
        fields.shift_remove("title");
    }
    schema
}

/// What an action gives back when it did its work.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Output<T = Value> {
    pub value: T,
    /// The port to end in; `success` when `None`.
    pub port: Option<String>,
    /// One line for people.
    pub message: String,
    /// Facts beside the output: status code, token usage, url.
    pub metadata: Map<String, Value>,
}

impl<T> Output<T> {
    pub fn new(value: T) -> Output<T> {
        Output { value, port: None, message: String::new(), metadata: Map::new() }
    }

    #[must_use]
    pub fn port(mut self, port: impl Into<String>) -> Output<T> {
        self.port = Some(port.into());
        self
    }

    #[must_use]
    pub fn message(mut self, message: impl Into<String>) -> Output<T> {
        self.message = message.into();
        self
    }

    #[must_use]
    pub fn metadata(mut self, name: &str, value: impl Into<Value>) -> Output<T> {
        self.metadata.insert(name.to_owned(), value.into());
        self
    }
}

/// How an attempt ended well. Everything but `Done` is an instruction to the engine.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome<T = Value> {
    Done(Output<T>),
    /// `logic.sleep`: end in success at this moment; the wait is a row.
    SleepUntil(Millis),
    /// Said by the engine alone: under the `rate` of its step the call does not begin before this moment.
    Held(Millis),
    /// `logic.call`: start the plan as a child run (once per step path) and, when `wait`, end with its result.
    Call {
        plan: String,
        inputs: Value,
        wait: bool,
    },
    /// `logic.wait_for_event` and its kin: end with the first signal that fits.
    Wait(Wait),
    /// `logic.emit`: tell every plan of the organization that something happened, once per step path.
    Emit {
        event_type: String,
        data: Value,
    },
    /// `logic.open_callback`: make an address that anybody who knows it can answer once.
    OpenCallback,
    /// Provider `state`: look at what is remembered between runs, or change it when the run succeeds.
    State(Box<StateAsk>),
    /// `logic.respond`: the answer for the waiting webhook caller. The step ends in success with the object as output.
    Respond {
        status: u16,
        headers: BTreeMap<String, String>,
        body: Value,
    },
    /// `logic.stop`: end the whole run in success with this output (`None`: the output by the usual rule).
    Stop(Option<Value>),
}

pub type ActionResult<T = Value> = Result<Outcome<T>, Fault>;

/// One thing that a provider can do.
pub trait Action: Send + Sync {
    fn spec(&self) -> &ActionSpec;

    /// The ports this step can end in, given its params as written in the document. `success` always is one.
    fn ports(&self, _params: &Value) -> Vec<Port> {
        vec![Port::main("success")]
    }

    /// The effect of one call with these resolved params (`http.request` decides by method).
    fn effect(&self, _params: &Value) -> Effect {
        self.spec().effect
    }

    /// Makes one attempt. `params` were resolved and hold only template and literal params. Never called again after
    /// it returned; dropped when the attempt is aborted.
    fn call<'a>(&'a self, params: Value, cx: &'a Context) -> BoxFuture<'a, ActionResult>;
}

/// An action with typed params: what hand-written actions implement; [`erase`] makes an [`Action`] of it.
pub trait TypedAction: Send + Sync + 'static {
    type Params: DeserializeOwned + JsonSchema + Send;

    fn spec(&self) -> ActionSpec;

    fn ports(&self, _params: &Value) -> Vec<Port> {
        vec![Port::main("success")]
    }

    fn effect(&self, spec: &ActionSpec, _params: &Value) -> Effect {
        spec.effect
    }

    fn call(&self, params: Self::Params, cx: &Context) -> impl Future<Output = ActionResult> + Send;
}

struct Erased<A> {
    spec: ActionSpec,
    action: A,
}

/// A typed action behind the common trait. Params that do not fit the type are `INVALID_PARAMS`, with the field named.
pub fn erase<A: TypedAction>(action: A) -> Arc<dyn Action> {
    Arc::new(Erased { spec: action.spec(), action })
}

impl<A: TypedAction> Action for Erased<A> {
    fn spec(&self) -> &ActionSpec {
        &self.spec
    }

    fn ports(&self, params: &Value) -> Vec<Port> {
        self.action.ports(params)
    }

    fn effect(&self, params: &Value) -> Effect {
        self.action.effect(&self.spec, params)
    }

    fn call<'a>(&'a self, params: Value, cx: &'a Context) -> BoxFuture<'a, ActionResult> {
        match serde_json::from_value::<A::Params>(params) {
            Ok(params) => Box::pin(self.action.call(params, cx)),
            Err(error) => {
                let fault = Fault::invalid_params(format!("{}: {error}", self.spec.name));
                Box::pin(std::future::ready(Err(fault)))
            }
        }
    }
}
