//! OAuth 2 material among the fields of a credential: which providers take it, what has to come together, and when it is used up.

use std::collections::BTreeMap;

use mainspring_model::Problem as Finding;
use mainspring_model::catalog::Provider;
use mainspring_model::clock::Millis;
use mainspring_model::credential::Secret;
use mainspring_model::oauth;
use mainspring_model::value::pointer_join;
use mainspring_providers::egress::Request;

use super::shape::Time;

/// The fields that a credential of the provider takes beside its own.
pub(super) fn known(provider: &Provider) -> &'static [&'static str] {
    if oauth::bearer_field(&provider.credential).is_some() { &oauth::FIELDS } else { &[] }
}

/// Whether the field that holds the token may be left out, since the material gives it.
pub(super) fn gives(provider: &Provider, field: &str, fields: &BTreeMap<String, Secret>) -> bool {
    let has = |name: &str| fields.get(name).is_some_and(|value| !value.expose().is_empty());
    oauth::bearer_field(&provider.credential) == Some(field)
        && (has(oauth::ACCESS_TOKEN) || has(oauth::REFRESH_TOKEN) || (has(oauth::CLIENT_SECRET) && has(oauth::TOKEN_URL)))
}

/// Checks the material and brings `expires_at` and `expires_in` into the form that is stored. `partly`: what is missing may be stored.
pub(super) fn check(fields: &mut BTreeMap<String, Secret>, partly: bool, now: Millis, findings: &mut Vec<Finding>) {
    let wrong = |field: &str, message: &str| Finding::new("INVALID_VALUE", pointer_join("/credentials", field), message);
    if let Some(text) = fields.remove(oauth::EXPIRES_IN) {
        match text.expose().trim().parse::<i64>() {
            Ok(seconds) => {
                let at = now.div_euclid(1_000).saturating_add(seconds);
                fields.entry(oauth::EXPIRES_AT.to_owned()).or_insert_with(|| Secret::new(at.to_string()));
            }
            Err(_) => findings.push(wrong(oauth::EXPIRES_IN, "expires_in is a number of seconds from now")),
        }
    }
    if let Some(text) = fields.get(oauth::EXPIRES_AT).map(|text| text.expose().trim().to_owned()).filter(|text| !text.is_empty()) {
        let seconds = text.parse::<i64>().ok().or_else(|| Time::parse(&text).map(|time| time.0.div_euclid(1_000)));
        match seconds {
            Some(seconds) => drop(fields.insert(oauth::EXPIRES_AT.to_owned(), Secret::new(seconds.to_string()))),
            None => findings.push(wrong(oauth::EXPIRES_AT, "expires_at is an RFC 3339 time, or seconds since 1970")),
        }
    }
    let has = |name: &str| fields.get(name).is_some_and(|value| !value.expose().is_empty());
    if let Some(url) = fields.get(oauth::TOKEN_URL).filter(|url| !url.expose().is_empty())
        && Request::parse_url(url.expose()).map_or(true, |url| !matches!(url.scheme(), "http" | "https") || url.host_str().is_none())
    {
        findings.push(wrong(oauth::TOKEN_URL, "token_url is the http or https address of the service's token endpoint"));
    }
    if let Some(way) = fields.get(oauth::CLIENT_AUTH)
        && !matches!(way.expose(), "" | "body" | "basic")
    {
        findings.push(wrong(oauth::CLIENT_AUTH, "client_auth is body or basic").expected("body, basic"));
    }
    if !partly && has(oauth::REFRESH_TOKEN) && !has(oauth::TOKEN_URL) {
        let message = "a refresh_token needs the token_url that renews it";
        findings.push(Finding::new("MISSING_FIELD", pointer_join("/credentials", oauth::TOKEN_URL), message).expected(oauth::TOKEN_URL));
    }
}
