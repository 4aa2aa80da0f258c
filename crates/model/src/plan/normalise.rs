//! Writes `{{path}}` as `${path}` wherever its root is a name in scope, before anything is compiled.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::actions::ActionName;
use super::document::{OnErrorDoc, PlanDoc, StepDoc, TriggerKindDoc};
use crate::action::ParamKind;
use crate::catalog::Catalog;
use crate::expr::older;
use crate::id::Owner;

/// Names in scope at some place.
type Names = Vec<String>;

pub(crate) fn normalise(doc: &mut PlanDoc, catalog: &dyn Catalog, owner: &Owner) {
    let of = |names: &[&str]| -> Names { names.iter().map(|name| (*name).to_owned()).collect() };
    let walk = Walk { catalog, owner };
    let run = of(&["inputs", "vars", "org", "steps", "trigger", "run"]);
    let handler = with(&run, ["error"]);
    for value in doc.vars.values_mut() {
        template(value, &of(&["inputs", "org", "vars"]));
    }
    for trigger in &mut doc.triggers {
        let names = of(&["trigger", "org"]);
        let dedupe = match &mut trigger.kind {
            TriggerKindDoc::Webhook { dedupe, .. } => dedupe,
            TriggerKindDoc::Poll { params, items, dedupe_key, .. } => {
                fields(params, &names);
                template(dedupe_key, &with(&names, ["item", "index", "output"]));
                items.iter_mut().for_each(|value| template(value, &with(&names, ["output"])));
                &mut None
            }
            _ => &mut None,
        };
        let own = [&mut trigger.condition, &mut trigger.key, dedupe];
        own.into_iter().flatten().for_each(|value| template(value, &names));
        let debounce = trigger.debounce.as_mut().and_then(|debounce| debounce.key.as_mut());
        let batch = trigger.batch.as_mut().and_then(|batch| batch.key.as_mut());
        [debounce, batch].into_iter().flatten().for_each(|value| template(value, &names));
        trigger.inputs.iter_mut().for_each(|inputs| fields(inputs, &names));
    }
    walk.steps(&mut doc.steps, &run);
    doc.output.iter_mut().for_each(|value| template(value, &run));
    for list in [&mut doc.on_error, &mut doc.finally].into_iter().flatten() {
        walk.steps(list, &handler);
    }
}

fn with<const N: usize>(names: &Names, more: [&str; N]) -> Names {
    names.iter().cloned().chain(more.into_iter().map(str::to_owned)).collect()
}

struct Walk<'c> {
    catalog: &'c dyn Catalog,
    owner: &'c Owner,
}

impl Walk<'_> {
    fn steps(&self, steps: &mut [StepDoc], names: &Names) {
        for step in steps {
            self.step(step, names);
        }
    }

    fn step(&self, step: &mut StepDoc, names: &Names) {
        let mut inside = names.clone();
        if step.for_each.is_some() {
            inside = with(&inside, ["item", "index", step.item_name.as_deref().unwrap_or("item")]);
        }
        if step.repeat.is_some() {
            inside = with(&inside, ["loop", "index"]);
        }
        for value in [&mut step.condition, &mut step.for_each].into_iter().flatten() {
            template(value, names);
        }
        if let Some(repeat) = &mut step.repeat {
            template(&mut repeat.until, &inside);
            repeat.start.iter_mut().for_each(|value| template(value, names));
            repeat.next.iter_mut().for_each(|value| template(value, &inside));
        }
        if let Some(undo) = &mut step.undo {
            self.step(undo, &inside);
        }
        let kinds = self.kinds(step.action.as_deref());
        for (name, value) in &mut step.params {
            match kinds.get(name).copied().unwrap_or_default() {
                ParamKind::Literal => {}
                ParamKind::Template => template(value, &inside),
                ParamKind::PerEvent => template(value, &with(&inside, ["event"])),
                ParamKind::PerItem | ParamKind::PerItemTemplate => template(value, &with(&inside, ["item", "index"])),
            }
        }
        step.steps.iter_mut().for_each(|steps| self.steps(steps, &inside));
        if let Some(OnErrorDoc::Steps(steps)) = &mut step.on_error {
            self.steps(steps, &with(names, ["error"]));
        }
    }

    fn kinds(&self, action: Option<&str>) -> BTreeMap<String, ParamKind> {
        let found = action
            .and_then(ActionName::parse)
            .and_then(|name| self.catalog.provider(self.owner, name.provider)?.action(name.action).cloned());
        found.map(|action| action.spec().param_kinds.clone()).unwrap_or_default()
    }
}

fn fields(map: &mut Map<String, Value>, names: &Names) {
    map.values_mut().for_each(|value| template(value, names));
}

fn template(value: &mut Value, names: &Names) {
    match value {
        Value::String(text) => {
            if let Some(made) = older::normalise(text, &|root| names.iter().any(|name| name == root)) {
                *text = made;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| template(item, names)),
        Value::Object(map) => fields(map, names),
        _ => {}
    }
}
