//! From what a trigger saw to a run's inputs: the trigger's own `if` and `inputs`, then the plan's check.

use mainspring_model::burst::{Burst, Gather, batch_trigger, burst_key};
use mainspring_model::clock::Millis;
use mainspring_model::expr::{Ambient, Fuel, Scope, StepField, StepKey};
use mainspring_model::fault::Fault;
use mainspring_model::id::PlanId;
use mainspring_model::plan::Plan;
use mainspring_model::plan::trigger::Trigger;
use mainspring_model::problem::Problem;
use serde_json::{Map, Value};
use std::borrow::Cow;
use thiserror::Error;

/// Why a trigger did not give a run its inputs.
#[derive(Debug, Error)]
pub enum Refused {
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error("the inputs do not fit the plan")]
    Inputs(Vec<Problem>),
}

/// What a trigger's own fields see.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// The root `trigger`.
    pub trigger: &'a Value,
    /// The organization's variables that are no secrets: see `Engine::org_of_triggers`.
    pub org: &'a Value,
    pub now: Millis,
}

/// The checked inputs; `None` when the trigger's `if` was false.
///
/// # Errors
/// A fault of the trigger's expressions, or inputs that do not fit.
pub fn inputs(plan: &Plan, trigger: &Trigger, sight: Sight<'_>) -> Result<Option<Value>, Refused> {
    if holds(trigger, sight)? { given(plan, trigger, sight).map(Some) } else { Ok(None) }
}

/// As [`inputs`], with the burst that the firing belongs to. A batch has its inputs when it closes, and its firings have none.
///
/// # Errors
/// As for [`inputs`].
pub fn fired(id: PlanId, plan: &Plan, trigger: &Trigger, sight: Sight<'_>) -> Result<Option<(Value, Option<Burst>)>, Refused> {
    if !holds(trigger, sight)? {
        return Ok(None);
    }
    let Some(together) = &trigger.burst else { return Ok(Some((given(plan, trigger, sight)?, None))) };
    let key = match &together.key {
        Some(template) => template.eval(&TriggerScope { sight, more: &[] }, &mut Fuel::default())?,
        None => Value::Null,
    };
    let burst = Burst { key: burst_key(id, &trigger.id, together.gather.by(), &key), gather: together.gather };
    let inputs = match together.gather {
        Gather::Debounce { .. } => given(plan, trigger, sight)?,
        Gather::Batch { .. } => Value::Object(Map::new()),
    };
    Ok(Some((inputs, Some(burst))))
}

/// The root `trigger` and the checked inputs of the run that a firing would start by itself, whatever others it would be gathered with.
///
/// # Errors
/// As for [`inputs`].
pub fn alone(plan: &Plan, trigger: &Trigger, sight: Sight<'_>) -> Result<Option<(Value, Value)>, Refused> {
    if !holds(trigger, sight)? {
        return Ok(None);
    }
    let root = match trigger.burst.as_ref().map(|together| together.gather) {
        Some(Gather::Batch { .. }) => batch_trigger(std::slice::from_ref(sight.trigger), &[]),
        _ => sight.trigger.clone(),
    };
    given(plan, trigger, Sight { trigger: &root, ..sight }).map(|inputs| Some((root, inputs)))
}

/// Whether the trigger's `if` lets a run be started.
fn holds(trigger: &Trigger, sight: Sight<'_>) -> Result<bool, Fault> {
    let scope = TriggerScope { sight, more: &[] };
    trigger.condition.as_ref().map_or(Ok(true), |condition| condition.truthy(&scope, &mut Fuel::default()))
}

/// The checked inputs, whatever the trigger's `if` says.
///
/// # Errors
/// As for [`inputs`].
pub(crate) fn given(plan: &Plan, trigger: &Trigger, sight: Sight<'_>) -> Result<Value, Refused> {
    let scope = TriggerScope { sight, more: &[] };
    let given = match &trigger.inputs {
        Some(templates) => {
            let mut given = Map::new();
            for (name, template) in templates {
                given.insert(name.clone(), template.eval(&scope, &mut Fuel::default())?);
            }
            Value::Object(given)
        }
        None => by_name(plan, sight.trigger),
    };
    plan.inputs.accept(&given).map_err(Refused::Inputs)
}

/// What the trigger's `dedupe` says that the delivery is known by; `None` where it says nothing.
///
/// # Errors
/// A fault of the expression.
pub fn known_by(trigger: &Trigger, sight: Sight<'_>) -> Result<Option<String>, Fault> {
    let Some(template) = &trigger.dedupe else { return Ok(None) };
    Ok(match template.eval(&TriggerScope { sight, more: &[] }, &mut Fuel::default())? {
        Value::Null => None,
        Value::String(text) => Some(text).filter(|text| !text.is_empty()),
        other => Some(other.to_string()),
    })
}

/// The plan's inputs taken by name from the body, the event's data, or the item, or from what a file or a message is said to be; a plan without inputs takes anything.
fn by_name(plan: &Plan, seen: &Value) -> Value {
    let body = seen.get("body").or_else(|| seen.get("event")?.get("data")).or_else(|| seen.get("item"));
    let body = body.or_else(|| matches!(seen["type"].as_str(), Some("folder" | "email")).then_some(seen)).and_then(Value::as_object);
    let Some(properties) = plan.inputs.schema.as_ref().and_then(|schema| schema.get("properties")).and_then(Value::as_object) else {
        return Value::Object(Map::new());
    };
    let Some(body) = body else { return Value::Object(Map::new()) };
    Value::Object(
        body.iter().filter(|(name, _)| properties.contains_key(*name)).map(|(name, value)| (name.clone(), value.clone())).collect(),
    )
}

/// What a trigger's own fields see: `trigger`, `org`, and what a kind of trigger adds.
pub(crate) struct TriggerScope<'a> {
    pub(crate) sight: Sight<'a>,
    pub(crate) more: &'a [(&'static str, &'a Value)],
}

impl Scope for TriggerScope<'_> {
    fn root(&self, name: &str) -> Option<Cow<'_, Value>> {
        match name {
            "trigger" => Some(Cow::Borrowed(self.sight.trigger)),
            "org" => Some(Cow::Borrowed(self.sight.org)),
            _ => self.more.iter().find(|(other, _)| *other == name).map(|(_, value)| Cow::Borrowed(*value)),
        }
    }
    fn root_names(&self) -> Vec<String> {
        let more = self.more.iter().map(|(name, _)| (*name).to_owned());
        ["trigger".to_owned(), "org".to_owned()].into_iter().chain(more).collect()
    }
    fn step(&self, _: &StepKey, _: StepField) -> Option<Cow<'_, Value>> {
        None
    }
    fn step_names(&self) -> Vec<String> {
        Vec::new()
    }
    fn ambient(&self) -> &dyn Ambient {
        self
    }
}

impl Ambient for TriggerScope<'_> {
    fn now(&self) -> i64 {
        self.sight.now
    }
    fn random_bits(&self, _: u32) -> u128 {
        0
    }
}
