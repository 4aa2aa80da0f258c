//! Reads what brings a trigger's firings together: `debounce` and `batch`.

use serde_json::Value;

use super::code;
use super::document::{BatchDoc, DebounceDoc};
use super::fields::Fields;
use super::names::{self, Noun};
use super::problems::Problems;
use crate::Problem;
use crate::burst::MOST_IN_BATCH;

pub(crate) fn debounce(trigger: &Fields<'_>, problems: &mut Problems<'_>) -> Option<DebounceDoc> {
    let fields = inner(trigger, Noun::Debounce, names::DEBOUNCE, problems)?;
    let quiet = needed(&fields, "for", "how long no firing must have come, such as 30s", problems);
    Some(DebounceDoc {
        quiet: quiet.unwrap_or_default(),
        max: fields.filled("max", problems).cloned(),
        key: fields.filled("key", problems).cloned(),
    })
}

pub(crate) fn batch(trigger: &Fields<'_>, problems: &mut Problems<'_>) -> Option<BatchDoc> {
    let fields = inner(trigger, Noun::Batch, names::BATCH, problems)?;
    needed(&fields, "size", "how many firings one run gets at most", problems);
    let within = needed(&fields, "within", "how long the first firing waits for others at most, such as 1m", problems);
    Some(BatchDoc {
        size: fields.whole("size", 1, MOST_IN_BATCH, problems).unwrap_or(1),
        within: within.unwrap_or_default(),
        key: fields.filled("key", problems).cloned(),
    })
}

fn inner<'v>(trigger: &Fields<'v>, noun: Noun, known: &[&str], problems: &mut Problems<'_>) -> Option<Fields<'v>> {
    let value = trigger.filled(noun.text(), problems)?;
    let fields = Fields::of(noun, value, &trigger.at(noun.text()), problems)?;
    fields.refuse_unknown(known, problems);
    Some(fields)
}

fn needed(fields: &Fields<'_>, name: &str, what: &str, problems: &mut Problems<'_>) -> Option<Value> {
    let value = fields.get(name).cloned();
    if value.is_none() {
        let message = format!("\"{}\" needs \"{name}\", {what}", fields.noun.text());
        problems.push(Problem::new(code::MISSING_FIELD, fields.pointer.clone(), message).expected(name));
    }
    value
}
