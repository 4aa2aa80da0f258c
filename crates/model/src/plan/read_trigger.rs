//! Reads the triggers of a document, in the present form and as the earlier `{type, config: {…}}`, which `older` has unpacked.

use serde_json::Value;

use super::code;
use super::document::{TriggerDoc, TriggerKindDoc};
use super::fields::{Fields, one_of, unknown_word};
use super::names::{self, Noun};
use super::problems::Problems;
use super::read_burst;
use super::read_step::{credential_problem, identifier, is_plain_name};
use super::trigger::{FolderEvent, FormAuth, PollFirst, PollPer, Respond, WebhookAuth};
use crate::Problem;
use crate::cron::Misfire;

const TYPES: [&str; 11] =
    ["cron", "interval", "webhook", "form", "folder", "email", "poll", "event", "plan_failed", "plan_finished", "manual"];
const MISFIRE: [(&str, Misfire); 3] = [("fire_once", Misfire::FireOnce), ("skip", Misfire::Skip), ("fire_all", Misfire::FireAll)];
const AUTH: [(&str, WebhookAuth); 3] = [("none", WebhookAuth::None), ("basic", WebhookAuth::Basic), ("header", WebhookAuth::Header)];
const RESPOND: [(&str, Respond); 3] = [("immediately", Respond::Immediately), ("last_step", Respond::LastStep), ("step", Respond::Step)];

const PER: [(&str, PollPer); 2] = [("item", PollPer::Item), ("batch", PollPer::Batch)];
const FIRST: [(&str, PollFirst); 2] = [("skip", PollFirst::Skip), ("all", PollFirst::All)];
const EVENTS: [(&str, FolderEvent); 2] = [("created", FolderEvent::Created), ("modified", FolderEvent::Modified)];
const FORM_AUTH: [(&str, FormAuth); 2] = [("none", FormAuth::None), ("basic", FormAuth::Basic)];

pub(crate) fn triggers(plan: &Fields<'_>, problems: &mut Problems<'_>) -> Vec<TriggerDoc> {
    let Some(items) = plan.list("triggers", problems) else { return Vec::new() };
    items.iter().enumerate().map(|(place, item)| trigger(item, &format!("/triggers/{place}"), problems)).collect()
}

fn trigger(value: &Value, pointer: &str, problems: &mut Problems<'_>) -> TriggerDoc {
    let empty = TriggerDoc {
        id: None,
        kind: TriggerKindDoc::Manual,
        condition: None,
        key: None,
        credential: None,
        inputs: None,
        debounce: None,
        batch: None,
    };
    let Some(fields) = Fields::of(Noun::Trigger, value, pointer, problems) else { return empty };
    let Some((kind, own)) = kind(&fields, problems) else { return empty };
    let known: Vec<&str> = names::TRIGGER.iter().chain(own).copied().collect();
    fields.refuse_unknown(&known, problems);
    TriggerDoc {
        id: identifier(&fields, "id", problems),
        kind,
        condition: fields.filled("if", problems).cloned(),
        key: fields.map.get("key").cloned(),
        credential: credential(&fields, problems),
        inputs: fields.object("inputs", problems).cloned(),
        debounce: read_burst::debounce(&fields, problems),
        batch: read_burst::batch(&fields, problems),
    }
}

fn credential(fields: &Fields<'_>, problems: &mut Problems<'_>) -> Option<String> {
    let text = fields.text("credential", problems)?;
    if !is_plain_name(&text) {
        problems.push(credential_problem(&fields.at("credential")));
    }
    Some(text)
}

/// The kind and the fields that are its own.
fn kind(fields: &Fields<'_>, problems: &mut Problems<'_>) -> Option<(TriggerKindDoc, &'static [&'static str])> {
    let Some(kind) = fields.get("type") else {
        let message = format!("a trigger needs a \"type\": {}", one_of(&TYPES));
        problems.push(Problem::new(code::MISSING_FIELD, fields.pointer.clone(), message).expected(TYPES.join(", ")));
        return None;
    };
    let kind = match kind {
        Value::String(kind) => kind.as_str(),
        _ => fields.text("type", problems).map(|_| "")?,
    };
    Some(match kind {
        "manual" => (TriggerKindDoc::Manual, &[]),
        "cron" | "schedule" => (cron(fields, problems), &["cron", "expression", "timezone", "misfire"]),
        "interval" => {
            let every = needed(fields, "every", "how long from one run to the next", problems).cloned();
            (TriggerKindDoc::Interval { every: every.unwrap_or_default() }, &["every"])
        }
        "webhook" => (webhook(fields, problems), &["path", "methods", "auth", "signature", "respond", "dedupe"]),
        "poll" => (poll(fields, problems), POLL),
        "folder" => (folder(fields, problems), &["path", "pattern", "events", "every", "settle", "first"]),
        "email" => (email(fields, problems), &["mailbox", "every", "first", "mark_seen"]),
        "form" => (form(fields, problems), &["path", "auth", "title", "description", "submit", "message"]),
        "event" => {
            needed(fields, "event_type", "the type of the events that start it, such as invoice.paid", problems);
            let event_type = fields.text("event_type", problems).unwrap_or_default();
            (TriggerKindDoc::Event { event_type }, &["event_type"])
        }
        "plan_failed" => (TriggerKindDoc::PlanFailed { plan: fields.text("plan", problems) }, &["plan"]),
        "plan_finished" => (TriggerKindDoc::PlanFinished { plan: fields.text("plan", problems) }, &["plan"]),
        other => {
            let pointer = fields.at("type");
            match names::LATER_TRIGGERS.iter().find(|(later, _)| *later == other) {
                Some((_, what)) => {
                    let message = format!("the trigger \"{other}\" is not yet known: {what} arrives later");
                    problems.push(Problem::new(code::NOT_YET_SUPPORTED, pointer, message).expected(TYPES.join(", ")));
                }
                None => problems.push(unknown_word(&pointer, "a trigger's \"type\"", other, TYPES.into_iter())),
            }
            return None;
        }
    })
}

const POLL: &[&str] = &["action", "params", "every", "cron", "timezone", "items", "dedupe_key", "per", "first"];

fn poll(fields: &Fields<'_>, problems: &mut Problems<'_>) -> TriggerKindDoc {
    needed(fields, "action", "what is asked again and again, such as http.request", problems);
    if fields.get("every").is_none() && fields.get("cron").is_none() {
        needed(fields, "every", "how long from one time to the next, or \"cron\", the times", problems);
    }
    if fields.get("every").is_some() && fields.get("cron").is_some() {
        let message = "\"every\" and \"cron\" both say when; write one of them";
        problems.push_key(Problem::new(code::CONFLICTING_FIELDS, fields.at("cron"), message));
    }
    needed(fields, "dedupe_key", "what an item is known by, such as item.id", problems);
    TriggerKindDoc::Poll {
        action: fields.text("action", problems).unwrap_or_default(),
        params: fields.object("params", problems).cloned().unwrap_or_default(),
        every: fields.filled("every", problems).cloned(),
        cron: fields.text("cron", problems),
        timezone: fields.text("timezone", problems),
        items: fields.filled("items", problems).cloned(),
        dedupe_key: fields.filled("dedupe_key", problems).cloned().unwrap_or_default(),
        per: fields.word("per", &PER, problems),
        first: fields.word("first", &FIRST, problems),
    }
}

fn folder(fields: &Fields<'_>, problems: &mut Problems<'_>) -> TriggerKindDoc {
    needed(fields, "path", "the folder that is watched, such as /srv/inbox", problems);
    let events = fields.texts("events", problems).and_then(|names| {
        let at = fields.at("events");
        let one = |(place, name): (usize, &String)| match EVENTS.iter().find(|(known, _)| known == name) {
            Some((_, event)) => Some(*event),
            None => {
                problems.push(unknown_word(&format!("{at}/{place}"), "an event of a folder", name, EVENTS.iter().map(|(known, _)| *known)));
                None
            }
        };
        let known: Vec<_> = names.iter().enumerate().filter_map(one).collect();
        // What is empty because nothing in it is known has been told of.
        (known.is_empty() == names.is_empty()).then_some(known)
    });
    TriggerKindDoc::Folder {
        path: fields.text("path", problems).unwrap_or_default(),
        pattern: fields.text("pattern", problems),
        events,
        every: fields.filled("every", problems).cloned(),
        settle: fields.filled("settle", problems).cloned(),
        first: fields.word("first", &FIRST, problems),
    }
}

fn email(fields: &Fields<'_>, problems: &mut Problems<'_>) -> TriggerKindDoc {
    TriggerKindDoc::Email {
        mailbox: fields.text("mailbox", problems),
        every: fields.filled("every", problems).cloned(),
        first: fields.word("first", &FIRST, problems),
        mark_seen: fields.boolean("mark_seen", problems),
    }
}

fn form(fields: &Fields<'_>, problems: &mut Problems<'_>) -> TriggerKindDoc {
    needed(fields, "path", "the part of the address after /api/forms/", problems);
    TriggerKindDoc::Form {
        path: fields.text("path", problems).unwrap_or_default(),
        auth: fields.word("auth", &FORM_AUTH, problems),
        title: fields.text("title", problems),
        description: fields.text("description", problems),
        submit: fields.text("submit", problems),
        message: fields.text("message", problems),
    }
}

fn cron(fields: &Fields<'_>, problems: &mut Problems<'_>) -> TriggerKindDoc {
    let cron = match (fields.get("cron"), fields.get("expression")) {
        (None, Some(_)) => fields.text("expression", problems),
        (None, None) => {
            needed(fields, "cron", "the times, such as \"0 9 * * *\"", problems);
            None
        }
        (Some(_), other) => {
            if other.is_some() {
                let message = "\"expression\" is the earlier name of \"cron\"; write one of them";
                problems.push_key(Problem::new(code::CONFLICTING_FIELDS, fields.at("expression"), message));
            }
            fields.text("cron", problems)
        }
    };
    TriggerKindDoc::Cron {
        cron: cron.unwrap_or_default(),
        timezone: fields.text("timezone", problems),
        misfire: fields.word("misfire", &MISFIRE, problems),
    }
}

fn webhook(fields: &Fields<'_>, problems: &mut Problems<'_>) -> TriggerKindDoc {
    needed(fields, "path", "the part of the address after /api/webhook/", problems);
    TriggerKindDoc::Webhook {
        path: fields.text("path", problems).unwrap_or_default(),
        methods: fields.texts("methods", problems),
        auth: fields.word("auth", &AUTH, problems),
        // One that is empty would leave open what its author meant to close.
        signature: fields.filled("signature", problems).cloned(),
        respond: fields.word("respond", &RESPOND, problems),
        dedupe: fields.filled("dedupe", problems).cloned(),
    }
}

fn needed<'v>(fields: &Fields<'v>, name: &str, what: &str, problems: &mut Problems<'_>) -> Option<&'v Value> {
    let value = fields.get(name);
    if value.is_none() {
        let message = format!("this trigger needs \"{name}\", {what}");
        problems.push(Problem::new(code::MISSING_FIELD, fields.pointer.clone(), message).expected(name));
    }
    value
}
