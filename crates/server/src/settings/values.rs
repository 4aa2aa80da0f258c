//! How texts become values: each error says what to write, and none repeats a secret.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use mainspring_model::credential::Secret;
use mainspring_model::duration;
use mainspring_model::store::MOST_PLACES;
use mainspring_vault::SigningKeys;
use tracing_subscriber::EnvFilter;
use url::Url;

use super::Settings;

pub(super) fn put<T>(place: &mut T, value: Result<T, String>) -> Result<(), String> {
    *place = value?;
    Ok(())
}

pub(super) fn exposed(secret: Option<&Secret>) -> Option<String> {
    secret.map(|secret| secret.expose().to_owned())
}

pub(super) fn joined(items: &[String]) -> Option<String> {
    (!items.is_empty()).then(|| items.join(","))
}

pub(super) fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

pub(super) fn address(text: &str, example: &str) -> Result<SocketAddr, String> {
    // A bare port is this machine's; a name is looked up once.
    if let Ok(port) = text.trim_start_matches(':').parse::<u16>() {
        return Ok(SocketAddr::from(([127, 0, 0, 1], port)));
    }
    let wrong = || format!("\"{text}\" is no address; write {example}, or a name with its port");
    text.to_socket_addrs().map_err(|_| wrong())?.next().ok_or_else(wrong)
}

pub(super) fn span(text: &str) -> Result<Duration, String> {
    duration::parse_text(text)
}

pub(super) fn switch(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| format!("\"{text}\" is not true or false"))
}

pub(super) fn number<T: FromStr>(text: &str, noun: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("\"{text}\" is no number of {noun}"))
}

/// Runs of one organization at work.
pub(super) fn places(text: &str) -> Result<Option<u32>, String> {
    match text.parse() {
        Ok(runs @ 1..=MOST_PLACES) => Ok(Some(runs)),
        _ => Err(format!("\"{text}\" is no number of runs from 1 to {MOST_PLACES}")),
    }
}

pub(super) fn filter(text: &str) -> Result<String, String> {
    EnvFilter::try_new(text).map_err(|_| format!("\"{text}\" is no filter; write error, warn, info or debug"))?;
    Ok(text.to_owned())
}

/// Where people reach the server: the beginning of links, so without a query and the like.
pub(super) fn public_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let url = url.filter(|url| url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none());
    url.ok_or_else(|| format!("\"{text}\" is no address to reach a server by; write https://mainspring.example.org"))
}

/// Refused wherever it is used, in development too: whoever guesses it is everybody.
pub(super) fn signing_secret(text: &str) -> Result<Secret, String> {
    if crate::checks::is_placeholder(text) {
        return Err("it is known from documents and examples; make one with `openssl rand -hex 32`".to_owned());
    }
    SigningKeys::parse(text).map_err(|error| error.to_string().replace("encryption key", "secret").replace("-base64 32", "-hex 32"))?;
    Ok(Secret::new(text))
}

/// The shortest metrics token, in characters.
const MIN_TOKEN: usize = 16;

pub(super) fn token(text: &str) -> Result<Secret, String> {
    if text.len() < MIN_TOKEN {
        return Err(format!("it is shorter than {MIN_TOKEN} characters, so it could be guessed"));
    }
    Ok(Secret::new(text))
}

/// `sqlite:<folder>` names the data folder, `postgres://…` the database of many nodes. The URL may hold a password, so no part of it
/// is repeated but the scheme, when there is one.
pub(super) fn database_url(settings: &mut Settings, text: &str) -> Result<(), String> {
    if let Some(folder) = text.strip_prefix("sqlite:") {
        settings.postgres = None;
        settings.data = PathBuf::from(folder.trim_start_matches("//"));
        return Ok(());
    }
    match text.split_once("://") {
        Some(("postgres" | "postgresql", _)) => {
            settings.postgres = Some(Secret::new(text));
            Ok(())
        }
        Some((scheme, _)) if scheme.len() <= 12 && scheme.chars().all(|c| c.is_ascii_alphanumeric()) => Err(format!(
            "\"{scheme}\" databases are not supported; write postgres://… or sqlite:<folder>, or leave it out for the data folder"
        )),
        _ => Err("it is no address of a database; write postgres://… or sqlite:<folder>, or leave it out for the data folder".to_owned()),
    }
}
