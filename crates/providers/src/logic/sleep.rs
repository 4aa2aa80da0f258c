//! `logic.sleep`: waits for a time or until a moment; the wait is a row, not a task.

use std::future::{Future, ready};

use mainspring_model::Fault;
use mainspring_model::action::{ActionResult, ActionSpec, Context, Effect, Outcome, Output, TypedAction};
use mainspring_model::clock::Millis;
use mainspring_model::duration;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::moment::moment;

pub(super) struct Sleep;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub(super) struct Params {
    /// How long: 500ms, 30s, 5m, 2h, 7d, or a number of seconds.
    #[serde(rename = "for", default)]
    #[schemars(extend("type" = ["string", "number"]))]
    length: Value,
    /// Until when, with the offset: 2026-03-01T09:00:00+01:00. A moment that is past does not wait.
    #[serde(default)]
    #[schemars(extend("type" = "string"))]
    until: Value,
}

impl TypedAction for Sleep {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            effect: Effect::Read,
            output: Some(json!({"type": "null"})),
            example: json!({"for": "5m"}),
            ..ActionSpec::of::<Params>("sleep", "Sleep", "Waits for a time, or until a moment, and goes on.")
        }
    }

    fn call(&self, params: Params, cx: &Context) -> impl Future<Output = ActionResult> + Send {
        let now = cx.clock.now();
        ready(wake(&params, now).map(|wake| if wake > now { Outcome::SleepUntil(wake) } else { Outcome::Done(Output::new(Value::Null)) }))
    }
}

fn wake(params: &Params, now: Millis) -> Result<Millis, Fault> {
    match (&params.length, &params.until) {
        (Value::Null, Value::Null) => Err(Fault::invalid_params("sleep needs \"for\" (such as 5m) or \"until\" (a moment)")),
        (length, Value::Null) => after(length, now),
        (Value::Null, until) => moment("until", until),
        _ => Err(Fault::invalid_params("sleep takes \"for\" or \"until\", not both")),
    }
}

fn after(length: &Value, now: Millis) -> Result<Millis, Fault> {
    let length = duration::parse(length).map_err(|error| Fault::invalid_params(format!("\"for\": {error}")))?;
    // A duration is at most 100 years, so that neither can overflow.
    Ok(now.saturating_add(Millis::try_from(length.as_millis()).unwrap_or(Millis::MAX)))
}
