//! Compiles a step's params by their declared kinds, and checks what is written out against the action's schema.

use std::collections::HashMap;
use std::sync::Arc;

use jsonschema::Validator;
use jsonschema::error::ValidationErrorKind;
use serde_json::{Map, Value};

use super::code;
use super::compile::Compiler;
use super::compiled::PerItemParam;
use super::inputs;
use super::javascript;
use super::problems::Problems;
use super::references::{PER_EVENT, PER_ITEM};
use super::schema_error;
use super::surroundings::Site;
use crate::Problem;
use crate::action::{ActionSpec, ParamKind};
use crate::expr::Template;
use crate::value::pointer_join;

/// Compiled params.
pub(crate) struct Params {
    pub template: Template,
    pub per_item: Vec<PerItemParam>,
}

pub(crate) fn compile(
    params: &Map<String, Value>,
    spec: Option<&ActionSpec>,
    pointer: &str,
    site: Site<'_>,
    compiler: &mut Compiler<'_, '_>,
    problems: &mut Problems<'_>,
) -> Params {
    let mut plain = Map::new();
    let mut per_item = Vec::new();
    for (name, value) in params {
        let at = pointer_join(pointer, name);
        let name = name.clone();
        match spec.map_or(ParamKind::Template, |spec| spec.param_kind(&name)) {
            ParamKind::Template => drop(plain.insert(name, value.clone())),
            ParamKind::Literal => drop(plain.insert(name, escaped(value))),
            ParamKind::PerItem => per_item.extend(labelled_or_expr(name, value, &at, site, compiler, problems)),
            ParamKind::PerEvent => {
                let expr = compiler.expr(value, &at, site, PER_EVENT, problems);
                per_item.extend(expr.map(|expr| PerItemParam::Expr { name, expr }));
            }
            ParamKind::PerItemTemplate => {
                let template = compiler.template(value, &at, site, PER_ITEM, problems);
                per_item.extend(template.map(|template| PerItemParam::Template { name, template }));
            }
        }
    }
    let template = compiler
        .template(&Value::Object(plain), pointer, site, &[], problems)
        .unwrap_or_else(|| Template::literal(Value::Object(Map::new())));
    Params { template, per_item }
}

fn labelled_or_expr(
    name: String,
    value: &Value,
    at: &str,
    site: Site<'_>,
    compiler: &mut Compiler<'_, '_>,
    problems: &mut Problems<'_>,
) -> Option<PerItemParam> {
    let Value::Object(labels) = value else {
        let expr = compiler.expr(value, at, site, PER_ITEM, problems)?;
        return Some(PerItemParam::Expr { name, expr });
    };
    let mut cases = Vec::with_capacity(labels.len());
    for (label, value) in labels {
        let expr = compiler.expr(value, &pointer_join(at, label), site, PER_ITEM, problems);
        cases.extend(expr.map(|expr| (label.clone(), expr)));
    }
    Some(PerItemParam::Labelled { name, cases })
}

/// A value whose template gives the value itself: `$${` writes `${`.
fn escaped(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace("${", "$${")),
        Value::Array(items) => items.iter().map(escaped).collect(),
        Value::Object(fields) => Value::Object(fields.iter().map(|(name, value)| (name.clone(), escaped(value))).collect()),
        other => other.clone(),
    }
}

/// The validators of the actions of one plan, built when first asked for.
#[derive(Default)]
pub(crate) struct Validators(HashMap<String, Option<Arc<Validator>>>);

impl Validators {
    fn of(&mut self, action: &str, spec: &ActionSpec) -> Option<Arc<Validator>> {
        // A schema that cannot be built is the provider's mistake, found by its own tests, not by a plan's author.
        self.0.entry(action.to_owned()).or_insert_with(|| inputs::build(&spec.params).ok().map(Arc::new)).clone()
    }
}

/// Checks what is known of the params before any run: all but what hangs on an expression.
pub(crate) fn validate(
    params: &Map<String, Value>,
    action: &str,
    spec: &ActionSpec,
    pointer: &str,
    validators: &mut Validators,
    problems: &mut Problems<'_>,
) {
    code_reads(params, action, spec, pointer, problems);
    let Some(validator) = validators.of(action, spec) else { return };
    let instance = Value::Object(params.clone());
    for error in validator.iter_errors(&instance) {
        if problems.is_full() {
            return;
        }
        let path = error.instance_path().as_str();
        let at = instance.pointer(path).unwrap_or(&Value::Null);
        if hangs_on_expression(spec, path, at, error.kind()) {
            continue;
        }
        for misfit in schema_error::explain(&error, &spec.params, "param") {
            if instance.pointer(&misfit.path).is_some_and(|value| is_dynamic(spec, &misfit.path, value)) && !misfit.key {
                continue;
            }
            let message = format!("{action}: {}", misfit.message);
            // A missing param has no place of its own; the object that it is missing from has.
            let inner = if misfit.absent { misfit.path.rsplit_once('/').map_or("", |(parent, _)| parent) } else { &misfit.path };
            let problem = Problem {
                expected: misfit.expected,
                fix: misfit.fix,
                ..Problem::new(code::INVALID_PARAMS, format!("{pointer}{inner}"), message)
            };
            if misfit.key {
                problems.push_key(problem);
            } else {
                problems.push(problem);
            }
        }
    }
}

/// User code that no run could ever read, at its line.
fn code_reads(params: &Map<String, Value>, action: &str, spec: &ActionSpec, pointer: &str, problems: &mut Problems<'_>) {
    for (name, value) in params {
        let media_type = &spec.params["properties"][name]["contentMediaType"];
        if spec.param_kind(name) != ParamKind::Literal || media_type != javascript::MEDIA_TYPE {
            continue;
        }
        if let Some((line, column, why)) = value.as_str().and_then(javascript::misfit) {
            let message = format!("{action}: line {line} of \"{name}\", column {column}: {why}");
            problems.push_within(Problem::new(code::INVALID_PARAMS, pointer_join(pointer, name), message), line, column);
        }
    }
}

/// Whether the finding could vanish when expressions have their values.
fn hangs_on_expression(spec: &ActionSpec, path: &str, value: &Value, kind: &ValidationErrorKind) -> bool {
    match kind {
        // The names and the number of parts are written out, whatever the parts will be.
        ValidationErrorKind::Type { .. }
        | ValidationErrorKind::Required { .. }
        | ValidationErrorKind::AdditionalProperties { .. }
        | ValidationErrorKind::UnevaluatedProperties { .. }
        | ValidationErrorKind::PropertyNames { .. }
        | ValidationErrorKind::MinItems { .. }
        | ValidationErrorKind::MaxItems { .. }
        | ValidationErrorKind::MinProperties { .. }
        | ValidationErrorKind::MaxProperties { .. } => is_dynamic(spec, path, value),
        _ => holds_dynamic(spec, path, value),
    }
}

/// Whether the value is text with an expression in it.
fn is_dynamic(spec: &ActionSpec, path: &str, value: &Value) -> bool {
    let name = path.split('/').nth(1).unwrap_or_default();
    let kind = spec.param_kind(&name.replace("~1", "/").replace("~0", "~"));
    let text = value.as_str().is_some_and(|text| text.contains("${"));
    text && kind != ParamKind::Literal && Template::parse(value, "").map_or(true, |template| !template.is_literal())
}

fn holds_dynamic(spec: &ActionSpec, path: &str, value: &Value) -> bool {
    match value {
        Value::String(_) => is_dynamic(spec, path, value),
        Value::Array(items) => items.iter().any(|item| holds_dynamic(spec, &format!("{path}/0"), item)),
        Value::Object(fields) => fields.iter().any(|(name, value)| holds_dynamic(spec, &pointer_join(path, name), value)),
        _ => false,
    }
}
