//! What the built-in providers say of themselves: forms, checks and documents are made from it.

use std::collections::BTreeSet;

use mainspring_model::action::ActionSpec;
use mainspring_model::catalog::Provider;
use mainspring_providers::apart::Apart;
use mainspring_providers::{Parts, built_ins};
use serde_json::{Value, json};

use crate::net::dev;

#[test]
fn the_services_as_the_catalogue_shows_them() {
    let providers = built_ins(&Parts { egress: dev(), apart: Apart::here() });
    let shown: Vec<Value> = providers
        .iter()
        .filter(|provider| !["logic", "transform"].contains(&provider.id.as_str()))
        .map(|provider| json!({"id": provider.id, "credential": provider.credential, "actions": actions(provider)}))
        .collect();
    insta::assert_json_snapshot!(shown);
}

/// `http.get` and the like differ from `http.request` by their method alone.
fn actions(provider: &Provider) -> Vec<&ActionSpec> {
    provider.actions.iter().map(|action| action.spec()).filter(|spec| provider.id != "http" || spec.name == "request").collect()
}

#[test]
fn ids_are_unique_and_every_example_fits_its_schema() {
    let mut seen = BTreeSet::new();
    for provider in built_ins(&Parts { egress: dev(), apart: Apart::here() }) {
        assert!(seen.insert(provider.id.clone()), "{} twice", provider.id);
        for action in &provider.actions {
            let spec = action.spec();
            let schema = jsonschema::validator_for(&spec.params).unwrap();
            assert!(
                schema.is_valid(&spec.example),
                "{}.{}: {:?}",
                provider.id,
                spec.name,
                schema.iter_errors(&spec.example).map(|error| error.to_string()).collect::<Vec<_>>()
            );
            assert!(!spec.title.is_empty() && spec.description.ends_with('.'), "{}.{}", provider.id, spec.name);
        }
    }
}
