//! Checks and compiles a plan's triggers.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::Value;

use super::check::Mode;
use super::check_burst;
use super::check_email;
use super::check_folder;
use super::check_poll;
use super::code;
use super::compile::Compiler;
use super::document::{TriggerDoc, TriggerKindDoc};
use super::fields::unknown_word;
use super::inputs::InputSpec;
use super::near::{meant, nearest};
use super::policy;
use super::problems::Problems;
use super::signature;
use super::surroundings::Site;
use super::trigger::{Form, FormAuth, PlanEnd, Respond, Trigger, TriggerKind, Webhook, WebhookAuth};
use crate::Problem;
use crate::catalog::Catalog;
use crate::cron::{Cron, CronField};
use crate::id::Owner;
use crate::value::pointer_join;
use crate::wait::check_event_type;

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
/// The shortest interval: below it a run would begin before the one before has its answer.
pub(crate) const LEAST_INTERVAL: Duration = Duration::from_secs(1);
const MAX_PATH: usize = 200;

/// The plan that triggers stand in.
pub(crate) struct Around<'d> {
    pub name: &'d str,
    pub inputs: &'d InputSpec,
    pub catalog: &'d dyn Catalog,
    pub owner: &'d Owner,
    pub mode: Mode,
}

pub(crate) fn compile(
    docs: &[TriggerDoc],
    around: &Around<'_>,
    compiler: &mut Compiler<'_, '_>,
    problems: &mut Problems<'_>,
) -> Vec<Trigger> {
    let mut ids = HashSet::new();
    let triggers: Vec<Trigger> = docs
        .iter()
        .enumerate()
        .map(|(place, doc)| {
            let pointer = format!("/triggers/{place}");
            let trigger = trigger(doc, place, &pointer, around, compiler, problems);
            if !ids.insert(trigger.id.clone()) {
                let at = if doc.id.is_some() { format!("{pointer}/id") } else { pointer };
                problems.push(Problem::new(code::DUPLICATE_ID, at, format!("the id \"{}\" is taken by another trigger", trigger.id)));
            }
            trigger
        })
        .collect();
    own_paths(&triggers, problems);
    triggers
}

fn trigger(
    doc: &TriggerDoc,
    place: usize,
    pointer: &str,
    around: &Around<'_>,
    compiler: &mut Compiler<'_, '_>,
    problems: &mut Problems<'_>,
) -> Trigger {
    let condition = doc.condition.as_ref().and_then(|value| compiler.expr(value, &format!("{pointer}/if"), Site::Trigger, &[], problems));
    let key = doc.key.as_ref().and_then(|value| compiler.template(value, &format!("{pointer}/key"), Site::Trigger, &[], problems));
    let (inputs, declared) = (around.inputs, around.inputs.names());
    let given = doc.inputs.as_ref().map(|given| {
        let each = given.iter().filter_map(|(name, value)| {
            let at = pointer_join(&format!("{pointer}/inputs"), name);
            if inputs.schema.is_some() && !declared.contains(&name.as_str()) {
                let near = nearest(name, declared.iter().copied());
                let problem = Problem::new(code::INVALID_INPUT, at.clone(), meant(format!("the plan has no input \"{name}\""), near))
                    .expected(declared.join(", "));
                problems.push_key(near.map_or_else(|| problem.clone(), |near| problem.clone().fix(near)));
            }
            Some((name.clone(), compiler.template(value, &at, Site::Trigger, &[], problems)?))
        });
        each.collect()
    });
    let dedupe = match &doc.kind {
        TriggerKindDoc::Webhook { dedupe: Some(value), .. } => {
            compiler.template(value, &format!("{pointer}/dedupe"), Site::Trigger, &[], problems)
        }
        _ => None,
    };
    Trigger {
        id: doc.id.clone().unwrap_or_else(|| format!("trigger_{}", place + 1)),
        kind: kind(doc, pointer, around, compiler, problems),
        condition,
        inputs: given,
        key,
        credential: doc.credential.clone(),
        dedupe,
        burst: check_burst::compile(doc, pointer, around.inputs, compiler, problems),
    }
}

fn kind(doc: &TriggerDoc, pointer: &str, around: &Around<'_>, compiler: &mut Compiler<'_, '_>, problems: &mut Problems<'_>) -> TriggerKind {
    let name = around.name;
    match &doc.kind {
        TriggerKindDoc::Manual => TriggerKind::Manual,
        TriggerKindDoc::Cron { cron, .. } if cron.is_empty() => TriggerKind::Manual,
        TriggerKindDoc::Cron { cron: expression, timezone, misfire } => match Cron::parse(expression, timezone.as_deref()) {
            Ok(cron) => TriggerKind::Cron {
                cron: Box::new(cron),
                expression: expression.clone(),
                timezone: timezone.clone(),
                misfire: misfire.unwrap_or_default(),
            },
            Err(problem) => {
                let field = if problem.field == Some(CronField::Timezone) { "timezone" } else { "cron" };
                problems.push(problem.at(format!("{pointer}/{field}")));
                TriggerKind::Manual
            }
        },
        // A missing one has been reported.
        TriggerKindDoc::Interval { every: Value::Null } => TriggerKind::Manual,
        TriggerKindDoc::Interval { every } => match policy::span(Some(every), LEAST_INTERVAL, &format!("{pointer}/every"), problems) {
            Some(every) => TriggerKind::Interval { every },
            None => TriggerKind::Manual,
        },
        // A missing one has been reported.
        TriggerKindDoc::Event { event_type } if event_type.is_empty() => TriggerKind::Manual,
        TriggerKindDoc::Event { event_type } => {
            if let Err(said) = check_event_type(event_type) {
                problems.push(Problem::new(code::INVALID_VALUE, format!("{pointer}/event_type"), said));
            }
            TriggerKind::Event { event_type: event_type.clone() }
        }
        TriggerKindDoc::PlanFailed { plan } => plan_end(plan.as_deref(), true, name, pointer, problems),
        TriggerKindDoc::PlanFinished { plan } => plan_end(plan.as_deref(), false, name, pointer, problems),
        TriggerKindDoc::Poll { .. } => check_poll::compile(doc, pointer, around, compiler, problems),
        TriggerKindDoc::Email { .. } => check_email::compile(&doc.kind, pointer, problems),
        TriggerKindDoc::Folder { .. } => check_folder::compile(&doc.kind, pointer, problems),
        TriggerKindDoc::Form { path, auth, title, description, submit, message } => {
            let auth = auth.unwrap_or_default();
            if auth != FormAuth::None && doc.credential.is_none() {
                let message = "\"auth\" needs a \"credential\" to compare the caller's with";
                problems.push(Problem::new(code::MISSING_FIELD, pointer, message).expected("credential"));
            }
            for (field, text, most) in
                [("title", title, 200), ("description", description, 4_000), ("submit", submit, 100), ("message", message, 4_000)]
            {
                if text.as_ref().is_some_and(|text| text.chars().count() > most) {
                    let message = format!("\"{field}\" has more than {most} characters");
                    problems.push(Problem::new(code::INVALID_VALUE, format!("{pointer}/{field}"), message));
                }
            }
            TriggerKind::Form(Form {
                path: own_path("form", path, &format!("{pointer}/path"), problems),
                auth,
                title: title.clone(),
                description: description.clone(),
                submit: submit.clone(),
                message: message.clone(),
            })
        }
        TriggerKindDoc::Webhook { path, methods, auth, signature, respond, dedupe: _ } => {
            let auth = auth.unwrap_or_default();
            if auth != WebhookAuth::None && doc.credential.is_none() {
                let message = "\"auth\" needs a \"credential\" to compare the caller's with";
                problems.push(Problem::new(code::MISSING_FIELD, pointer, message).expected("credential"));
            }
            if signature.is_some() && doc.credential.is_none() {
                let message = "\"signature\" needs a \"credential\" with the secret that deliveries are signed by";
                problems.push(Problem::new(code::MISSING_FIELD, pointer, message).expected("credential"));
            }
            TriggerKind::Webhook(Webhook {
                path: own_path("webhook", path, &format!("{pointer}/path"), problems),
                methods: webhook_methods(methods.as_deref(), &format!("{pointer}/methods"), problems),
                auth,
                signature: signature.as_ref().and_then(|value| signature::read(value, &format!("{pointer}/signature"), problems)),
                respond: respond.unwrap_or_default(),
            })
        }
    }
}

fn plan_end(plan: Option<&str>, failed_only: bool, own: &str, pointer: &str, problems: &mut Problems<'_>) -> TriggerKind {
    if plan.is_some_and(|plan| plan.trim().is_empty() || plan == own) {
        let message = "a plan cannot wait for its own end: it would start for ever";
        let message = if plan == Some(own) { message } else { "\"plan\" is empty; name a plan, or leave it out to mean any other" };
        problems.push(Problem::new(code::INVALID_VALUE, format!("{pointer}/plan"), message).expected("another plan's name or id"));
    }
    TriggerKind::PlanEnd(PlanEnd { plan: plan.map(str::to_owned), failed_only })
}

/// The path without slashes around it.
fn own_path(what: &str, path: &str, pointer: &str, problems: &mut Problems<'_>) -> String {
    let trimmed = path.trim_matches('/');
    let allowed = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.' | '~' | '/');
    let reason = match trimmed {
        // A missing one has been reported.
        "" if path.is_empty() => return String::new(),
        "" => Some("is empty".to_owned()),
        text if text.len() > MAX_PATH => Some(format!("has {} characters; at most {MAX_PATH} are allowed", text.len())),
        text if text.split('/').any(|part| matches!(part, "" | "." | "..")) => Some("has an empty part, \".\" or \"..\"".to_owned()),
        text => text
            .chars()
            .find(|character| !allowed(*character))
            .map(|character| format!("has the character \"{}\"", character.escape_debug())),
    };
    if let Some(reason) = reason {
        let message = format!("the {what}'s path {reason}");
        problems.push(
            Problem::new(code::INVALID_VALUE, pointer, message)
                .expected("letters, digits, - _ . ~ in parts joined by /, such as orders/new"),
        );
    }
    trimmed.to_owned()
}

fn webhook_methods(methods: Option<&[String]>, pointer: &str, problems: &mut Problems<'_>) -> Vec<String> {
    let Some(methods) = methods else { return vec!["POST".to_owned()] };
    if methods.is_empty() {
        problems.push(
            Problem::new(code::INVALID_VALUE, pointer, "\"methods\" is empty; nothing could call this webhook")
                .expected(METHODS.join(", ")),
        );
    }
    let mut known: Vec<String> = Vec::new();
    for (place, method) in methods.iter().enumerate() {
        let upper = method.to_ascii_uppercase();
        if !METHODS.contains(&upper.as_str()) {
            problems.push(unknown_word(&format!("{pointer}/{place}"), "a webhook's method", method, METHODS.into_iter()));
        } else if !known.contains(&upper) {
            known.push(upper);
        }
    }
    known
}

/// A webhook that answers with the run's result has its path and method to itself.
fn own_paths(triggers: &[Trigger], problems: &mut Problems<'_>) {
    for (place, trigger) in triggers.iter().enumerate() {
        if let TriggerKind::Form(form) = &trigger.kind {
            let same = |other: &&Trigger| matches!(&other.kind, TriggerKind::Form(other) if other.path == form.path);
            if let Some(other) = triggers[..place].iter().find(same).filter(|_| !form.path.is_empty()) {
                let message = format!("the form \"{}\" has this path", other.id);
                problems.push(Problem::new(code::CONFLICTING_FIELDS, format!("/triggers/{place}/path"), message));
            }
        }
        let TriggerKind::Webhook(webhook) = &trigger.kind else { continue };
        let shared = triggers[..place].iter().find(|other| match &other.kind {
            TriggerKind::Webhook(other) => {
                other.path == webhook.path
                    && other.methods.iter().any(|method| webhook.methods.contains(method))
                    && (other.respond != Respond::Immediately || webhook.respond != Respond::Immediately)
            }
            _ => false,
        });
        if let Some(other) = shared.filter(|_| !webhook.path.is_empty()) {
            let message = format!(
                "the trigger \"{}\" has this path and method, and one of the two answers with its run; it needs them for itself",
                other.id
            );
            problems.push(Problem::new(code::CONFLICTING_FIELDS, format!("/triggers/{place}/path"), message));
        }
    }
}
