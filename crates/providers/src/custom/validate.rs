//! Everything that is wrong with a custom integration's definition, at once.

use std::collections::BTreeSet;

use mainspring_model::Problem;
use url::Url;

use super::definition::{AuthType, Definition};
use super::endpoint::placeholders;
use super::params::declared;
use crate::egress::header_name;
use crate::http::request::method;

/// The problems of a definition; none means that [`super::provider`] makes a provider of it.
pub fn validate(definition: &Definition) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut problem = |pointer: String, message: String| problems.push(Problem::new("INVALID_INTEGRATION", pointer, message));
    if definition.name.trim().is_empty() || definition.name.chars().count() > 200 {
        problem("/name".into(), "a name of 1 to 200 characters is needed".into());
    }
    match Url::parse(definition.base_url.trim()) {
        Err(error) => problem("/base_url".into(), format!("this is not a URL: {error}")),
        Ok(url) if !matches!(url.scheme(), "http" | "https") => {
            problem("/base_url".into(), "only http and https addresses are asked".into())
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            problem("/base_url".into(), "a name or password stands in the address; put it in the credential".into());
        }
        Ok(url) if url.query().is_some() || url.fragment().is_some() => {
            problem("/base_url".into(), "a base address has no query and no fragment".into())
        }
        Ok(_) => {}
    }
    if definition.auth_type != AuthType::None {
        if let Err(fault) = header_name(&definition.auth_header) {
            problem("/auth_header".into(), fault.message);
        }
        if definition.auth_prefix.chars().any(char::is_control) {
            problem("/auth_prefix".into(), "it holds a line break or another control character".into());
        }
    }
    if definition.actions.len() > 200 {
        problem("/actions".into(), format!("{} actions; 200 at most", definition.actions.len()));
    }
    let mut seen = BTreeSet::new();
    for (index, action) in definition.actions.iter().enumerate() {
        let at = |field: &str| format!("/actions/{index}/{field}");
        if !is_name(&action.id) {
            problem(at("id"), format!("\"{}\" is no action name; write a-z, 0-9 and _, a letter first, up to 64 characters", action.id));
        } else if !seen.insert(action.id.as_str()) {
            problem(at("id"), format!("\"{}\" names two actions", action.id));
        }
        if let Err(fault) = method(None, Some(&action.method)) {
            problem(at("method"), fault.message);
        }
        if let Err(why) = placeholders(&action.endpoint) {
            problem(at("endpoint"), why);
        } else if action.endpoint.contains("://") || action.endpoint.starts_with("//") {
            problem(at("endpoint"), "an endpoint is a path below the base address".into());
        }
        if let Err((place, why)) = declared(&action.params) {
            problem(format!("{}{place}", at("params")), why);
        }
    }
    problems
}

fn is_name(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}
