//! What is checked of a credential before it is stored: its hosts, whom it is shared with, and the fields that change.

use std::collections::BTreeMap;

use mainspring_model::Problem as Finding;
use mainspring_model::catalog::Provider;
use mainspring_model::clock::Millis;
use mainspring_model::credential::{Secret, is_host_entry};
use mainspring_model::id::UserId;
use mainspring_model::value::pointer_join;
use serde_json::{Map, Value};

use super::api::Api;
use super::caller::Caller;
use super::credentials::fields_of;
use super::problem::Refusable;

/// Most hosts of one credential, and most members whom it is shared with.
const MOST: usize = 100;

pub(super) fn check_hosts(hosts: Option<&[String]>, findings: &mut Vec<Finding>) {
    let Some(hosts) = hosts else { return };
    if hosts.is_empty() || hosts.len() > MOST {
        findings.push(Finding::new(
            "INVALID_VALUE",
            "/hosts",
            format!("hosts are a list of 1 to {MOST}; leave them out for the provider's own"),
        ));
    }
    for (index, host) in hosts.iter().enumerate().filter(|(_, host)| !is_host_entry(host)) {
        let shown: String = host.chars().take(100).collect();
        let text = format!("\"{shown}\" is no host; write api.example.com, localhost:8080, *.example.org, or * for every host");
        findings.push(Finding::new("INVALID_VALUE", pointer_join("/hosts", &index.to_string()), text));
    }
}

/// What others may use must not go wherever they like.
pub(super) fn want_hosts(provider: &Provider, hosts: Option<&[String]>, findings: &mut Vec<Finding>) {
    if provider.hosts.is_empty() && hosts.is_none() {
        let text = format!(
            "{} sends a credential to any address; name the hosts of one that others may use, or \"*\" to let them send it anywhere",
            provider.id
        );
        findings.push(Finding::new("MISSING_FIELD", "/hosts", text).expected("hosts"));
    }
}

/// The ids of members of the caller's organization.
pub(super) async fn members(api: &Api, caller: &Caller, ids: &[String], findings: &mut Vec<Finding>) -> Refusable<Vec<UserId>> {
    if ids.len() > MOST {
        findings.push(Finding::new("INVALID_VALUE", "/shared_with", format!("a credential is shared with {MOST} members at the most")));
        return Ok(Vec::new());
    }
    let mut users = Vec::new();
    for (index, id) in ids.iter().enumerate() {
        let user = id.parse::<UserId>().ok();
        let is_member = match user {
            Some(user) => api.store.role_of(user, caller.owner.org).await?.is_some(),
            None => false,
        };
        match user.filter(|_| is_member) {
            Some(user) => users.push(user),
            None => {
                let pointer = pointer_join("/shared_with", &index.to_string());
                findings.push(Finding::new("INVALID_VALUE", pointer, "this is not the id of a member of the organization"));
            }
        }
    }
    users.sort_unstable();
    users.dedup();
    Ok(users)
}

pub(super) fn changed_fields(
    provider: &Provider,
    values: Map<String, Value>,
    now: Millis,
    findings: &mut Vec<Finding>,
) -> BTreeMap<String, Option<Secret>> {
    let mut given = BTreeMap::new();
    let mut texts = Map::new();
    for (name, value) in values {
        let required = provider.credential.iter().any(|field| field.name == name && field.required);
        if value.is_null() && !required {
            given.insert(name, None);
        } else {
            texts.insert(name, value);
        }
    }
    if !texts.is_empty() {
        given.extend(fields_of(provider, texts, true, now, findings).into_iter().map(|(name, secret)| (name, Some(secret))));
    }
    given
}
