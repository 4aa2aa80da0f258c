//! Checks and compiles what brings a trigger's firings together: which triggers may have it, and within which bounds.

use std::time::Duration;

use serde_json::Value;

use super::code;
use super::compile::Compiler;
use super::document::{TriggerDoc, TriggerKindDoc};
use super::inputs::InputSpec;
use super::policy;
use super::problems::Problems;
use super::surroundings::Site;
use super::trigger::{PollPer, Respond, TriggerBurst};
use crate::burst::Gather;
use crate::clock::Millis;
use crate::{Problem, duration};

/// The shortest time for which firings wait for others.
const LEAST: Duration = Duration::from_millis(100);
/// The longest.
const MOST: Duration = Duration::from_secs(7 * 86_400);

pub(crate) fn compile(
    doc: &TriggerDoc,
    pointer: &str,
    inputs: &InputSpec,
    compiler: &mut Compiler<'_, '_>,
    problems: &mut Problems<'_>,
) -> Option<TriggerBurst> {
    let (name, key) = match (&doc.debounce, &doc.batch) {
        (None, None) => return None,
        (Some(debounce), None) => ("debounce", &debounce.key),
        (None, Some(batch)) => ("batch", &batch.key),
        (Some(_), Some(batch)) => {
            let message = "\"debounce\" runs the last firing and \"batch\" all of them; write one of the two";
            problems.push_key(Problem::new(code::CONFLICTING_FIELDS, format!("{pointer}/batch"), message));
            ("batch", &batch.key)
        }
    };
    let at = format!("{pointer}/{name}");
    if let Some(reason) = refused(&doc.kind) {
        problems.push_key(Problem::new(code::CONFLICTING_FIELDS, at.clone(), format!("\"{name}\" cannot stand here: {reason}")));
    }
    let required = inputs.schema.as_ref().and_then(|schema| schema.get("required")).and_then(Value::as_array);
    if doc.batch.is_some()
        && doc.inputs.is_none()
        && let Some(input) = required.and_then(|names| names.first()?.as_str())
    {
        let message = format!("the plan needs the input \"{input}\", and a batch gives none by name: say what it is by \"inputs\"");
        let example = format!("inputs: {{{input}: \"${{trigger.batch}}\"}}");
        problems.push(Problem::new(code::MISSING_FIELD, pointer, message).expected(example));
    }
    let key = key.as_ref().and_then(|value| compiler.template(value, &format!("{at}/key"), Site::Trigger, &[], problems));
    let gather = match (&doc.debounce, &doc.batch) {
        (_, Some(batch)) => Gather::Batch { size: batch.size, within: span(&batch.within, &format!("{at}/within"), problems)? },
        (Some(debounce), None) => {
            let quiet = span(&debounce.quiet, &format!("{at}/for"), problems)?;
            let most = debounce.max.as_ref().and_then(|max| span(max, &format!("{at}/max"), problems));
            if most.is_some_and(|most| most < quiet) {
                let message = "\"max\" is shorter than \"for\": the run would never wait for quiet";
                problems
                    .push(Problem::new(code::INVALID_VALUE, format!("{at}/max"), message).expected("a time as long as \"for\" or longer"));
            }
            Gather::Debounce { quiet, most }
        }
        (None, None) => return None,
    };
    Some(TriggerBurst { gather, key })
}

/// Why the firings of such a trigger are not brought together.
fn refused(kind: &TriggerKindDoc) -> Option<&'static str> {
    match kind {
        TriggerKindDoc::Manual => Some("a run by hand begins when somebody asks for it; remove it"),
        TriggerKindDoc::Cron { .. } | TriggerKindDoc::Interval { .. } => {
            Some("this trigger fires at its own times, which can be further apart; remove it")
        }
        TriggerKindDoc::Poll { per: Some(PollPer::Batch), .. } => {
            Some("\"per: batch\" gives one run all that is new already; remove one of the two")
        }
        TriggerKindDoc::Webhook { respond: Some(Respond::LastStep | Respond::Step), .. } => {
            Some("\"respond\" answers each caller from a run of its own; write respond: immediately")
        }
        _ => None,
    }
}

fn span(value: &Value, pointer: &str, problems: &mut Problems<'_>) -> Option<Millis> {
    // A missing one has been reported.
    let found = policy::span((!value.is_null()).then_some(value), LEAST, pointer, problems)?;
    if found > MOST {
        let message = format!("{} is too long; at most {} is allowed", duration::format(found), duration::format(MOST));
        problems.push(Problem::new(code::INVALID_DURATION, pointer, message).expected(format!("at most {}", duration::format(MOST))));
        return None;
    }
    Millis::try_from(found.as_millis()).ok()
}
