//! Compiles one step that has been laid out.

use std::time::Duration;

use serde_json::Value;

use super::actions::ActionName;
use super::code;
use super::compile::Compiler;
use super::compiled::{
    ActionStep, Cache, Edge, EdgePort, ForEach, Items, Join, ListId, ListRole, Loop, OnError, OnItemError, Repeat, Step, StepIx, StepKind,
};
use super::document::{JoinDoc, OnErrorDoc, OnItemErrorDoc, StepDoc};
use super::graph::Graph;
use super::layout::{Laid, Layout};
use super::params::{self, Validators};
use super::policy;
use super::problems::Problems;
use super::surroundings::Site;
use crate::Problem;
use crate::action::Effect;

/// Time for one attempt of an action that says nothing of its own.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Names that an item cannot take.
const TAKEN: [&str; 10] = ["inputs", "vars", "org", "steps", "trigger", "run", "index", "loop", "error", "true"];

/// Compiles the step at `ix`; its `dependents` and `error_handled` are filled in when all edges are known.
pub(crate) fn compile(
    ix: StepIx,
    graphs: &[Graph],
    compiler: &mut Compiler<'_, '_>,
    validators: &mut Validators,
    problems: &mut Problems<'_>,
) -> Step {
    let layout = compiler.known.surroundings.layout;
    let laid = layout.step(ix);
    let doc = laid.doc;
    let outside = Site::Step { ix, looped: false };
    compiler.reads_now = false;
    let condition = doc.condition.as_ref().and_then(|value| compiler.expr(value, &format!("{}/if", laid.pointer), outside, &[], problems));
    let looped = looped(ix, laid, compiler, problems);
    let kind = match laid.body {
        Some(body) => StepKind::Body(body),
        None => StepKind::Action(Box::new(action(ix, laid, compiler, validators, problems))),
    };
    let spec = laid.action.as_ref().map(|(_, action)| action.spec());
    if laid.undo.is_some() && laid.number.is_none() {
        let message = "the plan's own on_error and finally lists run after everything was undone: their steps have no \"undo\"";
        problems.push(Problem::new(code::CONFLICTING_FIELDS, format!("{}/undo", laid.pointer), message));
    }
    let written = policy::span(doc.timeout.as_ref(), policy::LEAST, &format!("{}/timeout", laid.pointer), problems);
    Step {
        id: laid.id.clone(),
        list: laid.list,
        place: laid.place,
        number: laid.number,
        kind,
        looped,
        condition,
        edges: graphs[laid.list.0 as usize].edges[laid.place as usize].clone(),
        dependents: Vec::new(),
        join: match doc.join {
            Some(JoinDoc::Any) => Join::Any,
            Some(JoinDoc::All) | None => Join::All,
        },
        retry: policy::retry(doc.retry.as_ref(), laid.body.is_some(), &format!("{}/retry", laid.pointer), problems),
        timeout: written.or(if laid.body.is_some() { None } else { Some(spec.and_then(|spec| spec.timeout).unwrap_or(TIMEOUT)) }),
        on_error: on_error(doc.on_error.as_ref(), laid.handler),
        error_handled: false,
        undo: laid.undo,
        once: doc.once,
        cache: cache(ix, laid, compiler, problems),
        pinned: doc.pinned.clone(),
        tag: laid.tag.map(str::to_owned),
        reads_now: compiler.reads_now,
    }
}

fn on_error(doc: Option<&OnErrorDoc>, handler: Option<ListId>) -> OnError {
    match (doc, handler) {
        (_, Some(list)) => OnError::Steps(list),
        (Some(OnErrorDoc::Word(OnItemErrorDoc::Continue)), None) => OnError::Continue,
        _ => OnError::Fail,
    }
}

fn action(
    ix: StepIx,
    laid: &Laid<'_>,
    compiler: &mut Compiler<'_, '_>,
    validators: &mut Validators,
    problems: &mut Problems<'_>,
) -> ActionStep {
    let (doc, layout) = (laid.doc, compiler.known.surroundings.layout);
    let written = doc.action.as_deref().unwrap_or_default();
    let name = ActionName::parse(written).unwrap_or(ActionName { provider: "", version: None, action: written });
    let spec = laid.action.as_ref().map(|(_, action)| action.spec());
    let pointer = format!("{}/params", laid.pointer);
    let compiled = params::compile(&doc.params, spec, &pointer, Site::Step { ix, looped: true }, compiler, problems);
    if let Some(spec) = spec.filter(|_| !compiler.known.lenient) {
        params::validate(&doc.params, &format!("{}.{}", name.provider, name.action), spec, &pointer, validators, problems);
    }
    ActionStep {
        provider: name.provider.to_owned(),
        action: name.action.to_owned(),
        params: compiled.template,
        per_item: compiled.per_item,
        credential: doc.credential.clone().or_else(|| undone(layout, laid)?.credential.clone()),
        computes: spec.is_some_and(|spec| spec.computes),
        model: spec.and_then(|spec| spec.model),
        effect: spec.map_or(Effect::Write, |spec| spec.effect),
        ports: laid.ports.clone(),
    }
}

/// Its key sees what the params see.
fn cache(ix: StepIx, laid: &Laid<'_>, compiler: &mut Compiler<'_, '_>, problems: &mut Problems<'_>) -> Option<Cache> {
    let doc = laid.doc.cache.as_ref()?;
    let pointer = format!("{}/cache", laid.pointer);
    let key =
        doc.key.as_ref().and_then(|key| compiler.template(key, &format!("{pointer}/key"), Site::Step { ix, looped: true }, &[], problems));
    let ttl = policy::span(Some(&doc.ttl), policy::LEAST, &format!("{pointer}/ttl"), problems)?;
    if laid.action.as_ref().is_some_and(|(_, action)| action.spec().computes) {
        let message = "this action only computes; that is quicker than to look for an earlier result. Remove \"cache\"";
        problems.push(Problem::new(code::CONFLICTING_FIELDS, pointer, message));
    }
    Some(Cache { key, ttl })
}

/// Of an undo that calls the same provider, the step whose effect it takes back: it uses the same credential.
fn undone<'d>(layout: &Layout<'d>, laid: &Laid<'_>) -> Option<&'d StepDoc> {
    let ListRole::Undo(of) = layout.list_of(laid.list).role else { return None };
    let of = layout.step(of).doc;
    let provider = |doc: &StepDoc| doc.action.as_deref().and_then(ActionName::parse).map(|name| name.provider.to_owned());
    (provider(of) == provider(laid.doc)).then_some(of)
}

fn looped(ix: StepIx, laid: &Laid<'_>, compiler: &mut Compiler<'_, '_>, problems: &mut Problems<'_>) -> Loop {
    let doc = laid.doc;
    if let Some(items) = &doc.for_each {
        let (pointer, site) = (format!("{}/for_each", laid.pointer), Site::Step { ix, looped: false });
        let items = match items {
            Value::Array(_) | Value::Object(_) => compiler.template(items, &pointer, site, &[], problems).map(Items::Template),
            other => compiler.expr(other, &pointer, site, &[], problems).map(Items::Expr),
        };
        let name = doc.item_name.clone().unwrap_or_else(|| "item".to_owned());
        if TAKEN.contains(&name.as_str()) {
            let message = format!("\"{name}\" already means something in expressions; give the item another name");
            problems.push(Problem::new(code::INVALID_VALUE, format!("{}/as", laid.pointer), message));
        }
        return Loop::ForEach(Box::new(ForEach {
            items: items.unwrap_or(Items::Template(crate::expr::Template::literal(Value::Array(Vec::new())))),
            name,
            max_parallel: doc.max_parallel.unwrap_or(1),
            batch: doc.batch,
            on_item_error: match doc.on_item_error {
                Some(OnItemErrorDoc::Continue) => OnItemError::Continue,
                Some(OnItemErrorDoc::Fail) | None => OnItemError::Fail,
            },
        }));
    }
    let Some(repeat) = &doc.repeat else { return Loop::None };
    let pointer = format!("{}/repeat", laid.pointer);
    let (outside, pass) = (Site::Step { ix, looped: false }, Site::Pass { ix });
    let mut template = |field: &str, value: &Option<Value>, site| {
        value.as_ref().and_then(|value| compiler.template(value, &format!("{pointer}/{field}"), site, &[], problems))
    };
    let (start, next) = (template("start", &repeat.start, outside), template("next", &repeat.next, pass));
    Loop::Repeat(Box::new(Repeat {
        until: compiler.expr(&repeat.until, &format!("{pointer}/until"), pass, &[], problems),
        start,
        next,
        max: repeat.max.unwrap_or(100),
        delay: repeat.delay.as_ref().map(|delay| policy::delay(delay, &format!("{pointer}/delay"), problems)),
    }))
}

/// Gives every step the steps that follow it, and notes which failures a written `x:error` handles.
pub(crate) fn link(steps: &mut [Step]) {
    let edges: Vec<(StepIx, Edge)> =
        (0..).zip(steps.iter()).flat_map(|(at, step)| step.edges.iter().map(move |edge| (StepIx(at), edge.clone()))).collect();
    for (target, edge) in edges {
        let source = &mut steps[edge.source.0 as usize];
        source.dependents.push(target);
        source.error_handled |= edge.ports.iter().any(|port| matches!(port, EdgePort::Port(port) if port == "error"));
    }
}
