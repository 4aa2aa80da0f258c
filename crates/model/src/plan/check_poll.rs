//! Checks and compiles a trigger that polls: its call is a plan of one step.

use std::sync::Arc;

use serde_json::json;

use super::check::Mode;
use super::check_trigger::{Around, LEAST_INTERVAL};
use super::compile::Compiler;
use super::document::{TriggerDoc, TriggerKindDoc};
use super::policy;
use super::problems::Problems;
use super::surroundings::Site;
use super::trigger::{Poll, TriggerKind};
use super::{code, load};
use crate::Problem;
use crate::cron::{Cron, CronField};
use crate::duration;

/// `Manual` when something is wrong, which has been reported then.
pub(crate) fn compile(
    doc: &TriggerDoc,
    pointer: &str,
    around: &Around<'_>,
    compiler: &mut Compiler<'_, '_>,
    problems: &mut Problems<'_>,
) -> TriggerKind {
    let TriggerKindDoc::Poll { action, params, every, cron, timezone, items, dedupe_key, per, first } = &doc.kind else {
        return TriggerKind::Manual;
    };
    let rule = match (every, cron) {
        (Some(every), _) => policy::span(Some(every), LEAST_INTERVAL, &format!("{pointer}/every"), problems)
            .map(|every| format!("every {}", duration::format(every))),
        (None, Some(cron)) => match Cron::parse(cron, timezone.as_deref()) {
            Ok(_) => Some(cron.clone()),
            Err(problem) => {
                let field = if problem.field == Some(CronField::Timezone) { "timezone" } else { "cron" };
                problems.push(problem.at(format!("{pointer}/{field}")));
                None
            }
        },
        // Reported as missing.
        (None, None) => None,
    };
    if every.is_some() && timezone.is_some() {
        let message = "\"timezone\" belongs to \"cron\"; \"every\" knows none";
        problems.push_key(Problem::new(code::CONFLICTING_FIELDS, format!("{pointer}/timezone"), message));
    }
    let before = problems.count();
    if action.starts_with("logic.") {
        let message = "a trigger polls a service; the actions of \"logic\" belong into steps";
        problems.push(
            Problem::new(code::INVALID_VALUE, format!("{pointer}/action"), message)
                .expected("an action that gives a list, such as http.request"),
        );
    }
    for (name, value) in params {
        let at = crate::value::pointer_join(&format!("{pointer}/params"), name);
        compiler.template(value, &at, Site::Trigger, &[], problems);
    }
    let call = if problems.count() == before && !action.is_empty() { call(doc, action, pointer, around, problems) } else { None };
    let items = items.as_ref().map(|items| compiler.expr(items, &format!("{pointer}/items"), Site::Trigger, &["output"], problems));
    let key = (!dedupe_key.is_null())
        .then(|| compiler.expr(dedupe_key, &format!("{pointer}/dedupe_key"), Site::Trigger, &["item", "index", "output"], problems));
    match (rule, call, items, key.flatten()) {
        (Some(rule), Some(call), items @ (None | Some(Some(_))), Some(dedupe_key)) => TriggerKind::Poll(Box::new(Poll {
            call,
            rule,
            timezone: timezone.clone(),
            items: items.flatten(),
            dedupe_key,
            per: per.unwrap_or_default(),
            first: first.unwrap_or_default(),
        })),
        _ => TriggerKind::Manual,
    }
}

/// The call as a plan of one step, checked as a step is.
fn call(
    doc: &TriggerDoc,
    action: &str,
    pointer: &str,
    around: &Around<'_>,
    problems: &mut Problems<'_>,
) -> Option<Arc<super::compiled::Plan>> {
    let TriggerKindDoc::Poll { params, .. } = &doc.kind else { return None };
    let mut step = json!({"id": "poll", "action": action, "params": params});
    if let Some(credential) = &doc.credential {
        step["credential"] = json!(credential);
    }
    let document = json!({"name": around.name, "steps": [step]});
    let loaded = match around.mode {
        Mode::Save => load::load_value(document, around.catalog, around.owner).map(|checked| checked.plan),
        Mode::Lenient => load::load_stored(document, around.catalog, around.owner),
    };
    match loaded {
        Ok(plan) => Some(Arc::new(plan)),
        Err(found) => {
            for mut problem in found {
                let rest = problem.pointer.strip_prefix("/steps/0").unwrap_or_default().to_owned();
                problem.pointer = format!("{pointer}{rest}");
                problems.push(problem);
            }
            None
        }
    }
}
