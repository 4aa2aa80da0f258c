//! Reads one step of a document.

use serde_json::Value;

use super::code;
use super::document::{BackoffDoc, CacheDoc, DelayDoc, JoinDoc, OnErrorDoc, OnItemErrorDoc, RateDoc, RepeatDoc, RetryDoc, StepDoc};
use super::fields::{Fields, unknown_word, wrong_type};
use super::names::{self, Noun};
use super::problems::Problems;
use super::read::{self, Counted};
use crate::Problem;
use crate::rate::MOST_CALLS;

const ON_ERROR: [(&str, OnItemErrorDoc); 2] = [("fail", OnItemErrorDoc::Fail), ("continue", OnItemErrorDoc::Continue)];
const MAX_NAME: usize = 64;

/// Always gives a step, so that those after it keep their places while the other problems are looked for.
pub(crate) fn step(value: &Value, pointer: &str, level: usize, counted: &mut Counted, problems: &mut Problems<'_>) -> StepDoc {
    let Some(fields) = Fields::of(Noun::Step, value, pointer, problems) else { return StepDoc::default() };
    fields.refuse_unknown(names::STEP, problems);
    let doc = StepDoc {
        id: identifier(&fields, "id", problems),
        name: fields.text("name", problems),
        notes: fields.text("notes", problems),
        action: action(&fields, problems),
        params: fields.object("params", problems).cloned().unwrap_or_default(),
        credential: credential(&fields, problems),
        needs: fields.texts("needs", problems),
        join: fields.word("join", &[("all", JoinDoc::All), ("any", JoinDoc::Any)], problems),
        condition: fields.filled("if", problems).cloned(),
        for_each: for_each(&fields, problems),
        item_name: identifier(&fields, "as", problems),
        max_parallel: fields.whole("max_parallel", 1, 1_000, problems),
        batch: fields.whole("batch", 1, 100_000, problems),
        on_item_error: fields.word("on_item_error", &ON_ERROR, problems),
        repeat: repeat(&fields, problems),
        steps: read::steps(&fields, "steps", level + 1, counted, problems),
        retry: retry(&fields, problems),
        timeout: fields.get("timeout").cloned(),
        on_error: on_error(&fields, level, counted, problems),
        undo: undo(&fields, problems),
        pinned: fields.get("pinned").cloned(),
        once: fields.boolean("once", problems).unwrap_or(false),
        cache: cache(&fields, problems),
        rate: rate(&fields, problems),
        tag: tag(&fields, problems),
        position: fields.get("position").cloned(),
    };
    together(&fields, problems);
    doc
}

/// Problems of fields that exclude or need each other.
fn together(fields: &Fields<'_>, problems: &mut Problems<'_>) {
    let has = |name: &str| fields.map.contains_key(name);
    let mut conflict = |name: &str, message: &str| problems.push_key(Problem::new(code::CONFLICTING_FIELDS, fields.at(name), message));
    if has("action") && has("steps") {
        conflict("steps", "a step has either \"action\" or \"steps\", not both");
    }
    if has("for_each") && has("repeat") {
        conflict("repeat", "a step has either \"for_each\" or \"repeat\", not both; put one into a step inside the other");
    }
    for name in ["as", "max_parallel", "batch", "on_item_error"] {
        if has(name) && !has("for_each") {
            conflict(name, &format!("\"{name}\" belongs to \"for_each\", which this step does not have"));
        }
    }
    if has("steps") && !has("action") {
        for name in ["params", "credential", "undo"] {
            if has(name) {
                conflict(name, &format!("\"{name}\" belongs to an action; this step has a body of steps"));
            }
        }
    }
    for name in ["cache", "rate"] {
        if has(name) && !has("action") {
            conflict(name, &format!("\"{name}\" belongs to an action; this step has a body of steps"));
        }
    }
    if has("cache") && fields.map.get("once") == Some(&Value::Bool(true)) {
        conflict("cache", "a step with \"once\" happens each time, exactly once; its result is not used again");
    }
    if !has("action") && !has("steps") {
        let message = "a step needs an \"action\", or \"steps\" as its body";
        problems.push(Problem::new(code::MISSING_FIELD, fields.pointer.clone(), message).expected("action, or steps"));
    }
}

/// `provider.action`, from one field or two.
fn action(fields: &Fields<'_>, problems: &mut Problems<'_>) -> Option<String> {
    let provider = fields.text("provider", problems);
    fields.filled("action", problems)?;
    let action = fields.text("action", problems)?;
    match provider {
        None => Some(action),
        Some(provider) => match action.strip_prefix(provider.as_str()).and_then(|rest| rest.strip_prefix('.')) {
            Some(_) => Some(action),
            None => Some(format!("{provider}.{action}")),
        },
    }
}

/// A step's id, or a loop item's name.
pub(crate) fn identifier(fields: &Fields<'_>, name: &str, problems: &mut Problems<'_>) -> Option<String> {
    let text = fields.text(name, problems)?;
    if is_identifier(&text) {
        return Some(text);
    }
    let rule = "a small letter, then up to 63 small letters, digits or _";
    let shown: String = text.chars().take(MAX_NAME + 1).collect();
    let problem = Problem::new(code::INVALID_VALUE, fields.at(name), format!("\"{name}\" is {rule}; \"{shown}\" is not"))
        .expected("[a-z][a-z0-9_]{0,63}");
    let near = to_identifier(&text);
    problems.push(if near.is_empty() { problem } else { problem.fix(near) });
    // Kept, so that references to it are not reported as well.
    Some(text)
}

/// What nodes are started with (`--tags`) and plans ask for.
pub(crate) fn tag(fields: &Fields<'_>, problems: &mut Problems<'_>) -> Option<String> {
    let text = fields.text("tag", problems)?;
    if is_tag(&text) {
        return Some(text);
    }
    let rule = "a small letter, then up to 63 small letters, digits, _ or -";
    let shown: String = text.chars().take(MAX_NAME + 1).collect();
    let message = format!("\"tag\" is {rule}; \"{shown}\" is not");
    problems.push(Problem::new(code::INVALID_VALUE, fields.at("tag"), message).expected("[a-z][a-z0-9_-]{0,63}"));
    None
}

/// Whether a node may serve, and a plan may ask for, a tag of this name.
pub fn is_tag(text: &str) -> bool {
    is_identifier(&text.replace('-', "_"))
}

pub(crate) fn is_identifier(text: &str) -> bool {
    text.len() <= MAX_NAME
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// The nearest text that may be an id; empty when nothing of it may.
pub(crate) fn to_identifier(text: &str) -> String {
    let mut id = String::new();
    for character in text.chars().flat_map(char::to_lowercase) {
        match character {
            'a'..='z' | '0'..='9' => id.push(character),
            _ if !id.is_empty() && !id.ends_with('_') => id.push('_'),
            _ => {}
        }
    }
    let id = id.trim_end_matches('_');
    let id = if id.starts_with(|first: char| first.is_ascii_digit()) { format!("s{id}") } else { id.to_owned() };
    id.chars().take(MAX_NAME).collect()
}

fn credential(fields: &Fields<'_>, problems: &mut Problems<'_>) -> Option<String> {
    let text = fields.text("credential", problems)?;
    if is_plain_name(&text) {
        return Some(text);
    }
    problems.push(credential_problem(&fields.at("credential")));
    None
}

pub(crate) fn credential_problem(pointer: &str) -> Problem {
    let message = "\"credential\" is the plain name of a stored credential, never an expression";
    Problem::new(code::INVALID_VALUE, pointer, message).expected("a name of 1 to 200 characters")
}

pub(crate) fn is_plain_name(text: &str) -> bool {
    !text.trim().is_empty()
        && text.chars().count() <= 200
        && !text.contains("${")
        && !text.contains("{{")
        && !text.contains(char::is_control)
}

fn for_each(fields: &Fields<'_>, problems: &mut Problems<'_>) -> Option<Value> {
    let value = fields.filled("for_each", problems)?;
    if matches!(value, Value::String(_) | Value::Array(_)) || value.get("file").is_some() {
        return Some(value.clone());
    }
    problems.push(wrong_type(
        &fields.at("for_each"),
        "\"for_each\" is an expression, a list, or {file: …} for the rows of a file",
        "an expression or a list",
        value,
    ));
    None
}

fn cache(fields: &Fields<'_>, problems: &mut Problems<'_>) -> Option<CacheDoc> {
    let value = fields.filled("cache", problems)?;
    let inner = Fields::of(Noun::Cache, value, &fields.at("cache"), problems)?;
    inner.refuse_unknown(names::CACHE, problems);
    let Some(ttl) = inner.get("ttl") else {
        let message = "\"cache\" needs \"ttl\", how long a result is used";
        problems.push(Problem::new(code::MISSING_FIELD, inner.pointer.clone(), message).expected("ttl"));
        return None;
    };
    Some(CacheDoc { key: inner.map.get("key").cloned(), ttl: ttl.clone() })
}

fn rate(fields: &Fields<'_>, problems: &mut Problems<'_>) -> Option<RateDoc> {
    let value = fields.filled("rate", problems)?;
    let inner = Fields::of(Noun::Rate, value, &fields.at("rate"), problems)?;
    inner.refuse_unknown(names::RATE, problems);
    for (name, what) in [("limit", "how many calls may begin"), ("per", "in which time, such as 1m")] {
        if !inner.map.contains_key(name) {
            let message = format!("\"rate\" needs \"{name}\", {what}");
            problems.push(Problem::new(code::MISSING_FIELD, inner.pointer.clone(), message).expected(name));
        }
    }
    let limit = inner.whole("limit", 1, MOST_CALLS, problems);
    let per = inner.get("per").cloned();
    Some(RateDoc { limit: limit?, per: per?, key: inner.map.get("key").cloned() })
}

fn repeat(fields: &Fields<'_>, problems: &mut Problems<'_>) -> Option<RepeatDoc> {
    let value = fields.filled("repeat", problems)?;
    let inner = Fields::of(Noun::Repeat, value, &fields.at("repeat"), problems)?;
    inner.refuse_unknown(names::REPEAT, problems);
    let until = inner.filled("until", problems).cloned();
    if !inner.map.contains_key("until") {
        problems.push(
            Problem::new(code::MISSING_FIELD, inner.pointer.clone(), "\"repeat\" needs \"until\", the condition that ends it")
                .expected("until"),
        );
    }
    Some(RepeatDoc {
        until: until.unwrap_or(Value::Bool(true)),
        start: inner.map.get("start").cloned(),
        next: inner.map.get("next").cloned(),
        max: inner.whole("max", 1, 100_000, problems),
        delay: inner.get("delay").map(|delay| match delay {
            Value::Object(_) => DelayDoc::Growing(delay_object(delay, &inner.at("delay"), problems)),
            other => DelayDoc::Same(other.clone()),
        }),
    })
}

fn delay_object(value: &Value, pointer: &str, problems: &mut Problems<'_>) -> BackoffDoc {
    let Some(fields) = Fields::of(Noun::Delay, value, pointer, problems) else { return BackoffDoc::default() };
    fields.refuse_unknown(names::BACKOFF, problems);
    backoff(&fields, problems)
}

fn backoff(fields: &Fields<'_>, problems: &mut Problems<'_>) -> BackoffDoc {
    BackoffDoc {
        delay: fields.get("delay").cloned(),
        factor: fields.number("factor", 1.0, 100.0, problems),
        max_delay: fields.get("max_delay").cloned(),
        jitter: fields.boolean("jitter", problems),
    }
}

fn retry(fields: &Fields<'_>, problems: &mut Problems<'_>) -> Option<RetryDoc> {
    let value = fields.get("retry")?;
    let inner = match value {
        Value::Object(_) => Fields::of(Noun::Retry, value, &fields.at("retry"), problems)?,
        other => {
            let problem = wrong_type(&fields.at("retry"), "\"retry\" is an object such as {max_attempts: 3}", "an object", other);
            problems.push(if other.is_u64() { problem.fix(format!("{{max_attempts: {other}}}")) } else { problem });
            return None;
        }
    };
    inner.refuse_unknown(names::RETRY, problems);
    Some(RetryDoc {
        max_attempts: inner.whole("max_attempts", 1, 100, problems),
        backoff: backoff(&inner, problems),
        codes: inner.texts("codes", problems).unwrap_or_default(),
    })
}

/// An action alone: what it is about, when it is tried again and with which credential is the step's matter.
fn undo(fields: &Fields<'_>, problems: &mut Problems<'_>) -> Option<Box<StepDoc>> {
    let value = fields.filled("undo", problems)?;
    let inner = Fields::of(Noun::Undo, value, &fields.at("undo"), problems)?;
    inner.refuse_unknown(names::UNDO, problems);
    let action = action(&inner, problems);
    if !inner.map.contains_key("action") {
        let message = "\"undo\" needs the \"action\" that takes the effect back";
        problems.push(Problem::new(code::MISSING_FIELD, inner.pointer.clone(), message).expected("action"));
    }
    let params = inner.object("params", problems).cloned().unwrap_or_default();
    Some(Box::new(StepDoc { action, params, ..StepDoc::default() }))
}

fn on_error(fields: &Fields<'_>, level: usize, counted: &mut Counted, problems: &mut Problems<'_>) -> Option<OnErrorDoc> {
    let pointer = fields.at("on_error");
    match fields.filled("on_error", problems)? {
        Value::Array(items) => Some(OnErrorDoc::Steps(read::step_list(items, &pointer, level + 1, counted, problems))),
        Value::String(word) => {
            let known = ON_ERROR.iter().find(|(known, _)| known == word);
            if known.is_none() {
                problems.push(unknown_word(&pointer, "\"on_error\"", word, ["fail", "continue", "a list of steps"].into_iter()));
            }
            known.map(|(_, word)| OnErrorDoc::Word(*word))
        }
        other => {
            problems.push(wrong_type(
                &pointer,
                "\"on_error\" is fail, continue or a list of steps",
                "fail, continue or a list of steps",
                other,
            ));
            None
        }
    }
}
