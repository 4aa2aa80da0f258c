//! The published JSON Schema agrees with what is read.

use mainspring_model::plan::{Format, parse, plan_schema};
use serde_json::Value;

use super::{good, loaded};

fn accepts(text: &str) -> bool {
    let schema = plan_schema();
    assert!(jsonschema::meta::is_valid(&schema));
    jsonschema::validator_for(&schema).unwrap().is_valid(&parse(text, Format::Auto).unwrap().value)
}

#[test]
fn every_field_of_the_page_is_in_both() {
    let text = "name: A
description: d
original_prompt: o
inputs: {a: {type: number, required: true, default: 1}}
vars: {v: \"${inputs.a}\"}
triggers:
  - {id: t, type: cron, cron: '@daily', timezone: UTC, misfire: skip, if: trigger.id == 't', key: k, inputs: {a: 1}}
  - {type: interval, every: 5m}
  - {type: webhook, path: x, methods: [GET], auth: header, credential: c, respond: last_step}
  - {type: manual}
steps:
  - {id: a, name: n, notes: m, action: test.read, params: {x: 1}, credential: c, needs: [], join: any, if: inputs.a > 1, retry: {max_attempts: 3, delay: 1s, factor: 2, max_delay: 60, jitter: true, codes: [TIMEOUT]}, timeout: 5s, on_error: continue, once: true, position: {x: 1}}
  - {for_each: [1, 2], as: row, max_parallel: 2, batch: 10, on_item_error: continue, steps: [{action: test.read}]}
  - {repeat: {until: true, start: 1, next: 2, max: 3, delay: {delay: 1s, factor: 2}}, action: test.read, on_error: [{action: test.read}]}
  - {repeat: {until: loop.index > 1, delay: 5s}, provider: test, action: read, on_error: fail}
output: {a: \"${inputs.a}\"}
on_error: [{action: test.read}]
finally: [{action: test.read}]
timeout: 1h
deadline: 2d
";
    assert!(
        accepts(text),
        "{:?}",
        jsonschema::validator_for(&plan_schema())
            .unwrap()
            .iter_errors(&parse(text, Format::Auto).unwrap().value)
            .map(|error| format!("{} {error}", error.instance_path()))
            .collect::<Vec<_>>()
    );
    let checked = good(text);
    assert!(accepts(&checked.document.to_string()), "the normalised document is one too");
}

#[test]
fn what_is_refused_by_shape_is_refused_by_both() {
    for text in [
        "name: A",
        "name: A\nsteps: [{action: test.read, nedds: []}]",
        "name: A\nsteps: []\nbudget: {euros: 1}",
        "name: A\nsteps: []\nconcurrency: {}",
        "name: A\nsteps: []\nconcurrency: {limit: 1, policy: drop}",
        "name: A\nsteps: [{action: test.read, undo: {}}]",
        "name: A\nsteps: [{action: test.read, join: some}]",
        "name: A\nsteps: [{action: test.read, max_parallel: 2000, for_each: [1]}]",
        "name: A\nsteps: [{action: test.read, retry: {attempts: 3}}]",
        "name: A\nsteps: [{action: test.read, timeout: -5s}]",
        "name: A\nsteps: [{action: test.read, id: A-B}]",
        "name: A\nsteps: []\ntriggers: [{type: event}]",
        "name: A\nsteps: []\ntriggers: [{type: webhook}]",
        "name: A\nsteps: []\ntriggers: [{type: manual, paht: x}]",
        "name: A\nsteps: []\ntriggers: [{type: event, event_type: a, debounce: {}}]",
        "name: A\nsteps: []\ntriggers: [{type: event, event_type: a, batch: {size: 0, within: 1s}}]",
        "name: A\nsteps: []\ntriggers: [{type: event, event_type: a, batch: {size: 5, within: 1s, each: x}}]",
        "name: A\nsteps: [{action: test.read, on_error: ignore}]",
    ] {
        assert!(!accepts(text), "{text}");
        assert!(loaded(text).is_err(), "{text}");
    }
}

#[test]
fn the_schema_is_published() {
    let schema = plan_schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["title"], "Mainspring plan");
    let fields = |pointer: &str| schema.pointer(pointer).and_then(Value::as_object).unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        fields("/properties"),
        [
            "name",
            "description",
            "original_prompt",
            "inputs",
            "vars",
            "triggers",
            "steps",
            "output",
            "on_error",
            "finally",
            "timeout",
            "deadline",
            "concurrency",
            "budget",
            "priority",
            "tag",
            "tests"
        ]
    );
    assert_eq!(schema["required"], serde_json::json!(["name", "steps"]));
}
