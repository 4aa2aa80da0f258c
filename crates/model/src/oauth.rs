//! OAuth 2 material in a credential: its fields, when its access token is used up, and what an answer of a token endpoint means.

use serde_json::Value;

use crate::clock::Millis;
use crate::credential::{Credential, CredentialField, Secret};
use crate::fault::{Code, Fault};

pub const ACCESS_TOKEN: &str = "access_token";
pub const REFRESH_TOKEN: &str = "refresh_token";
pub const TOKEN_URL: &str = "token_url";
pub const CLIENT_ID: &str = "client_id";
pub const CLIENT_SECRET: &str = "client_secret";
/// `body` unless written, or `basic`: how the client proves itself to the token endpoint.
pub const CLIENT_AUTH: &str = "client_auth";
pub const SCOPE: &str = "scope";
/// When the access token is used up, in seconds since 1970.
pub const EXPIRES_AT: &str = "expires_at";
/// What people have instead of it: seconds from now. Never stored.
pub const EXPIRES_IN: &str = "expires_in";

/// Every field that people may give.
pub const FIELDS: [&str; 9] =
    [ACCESS_TOKEN, REFRESH_TOKEN, TOKEN_URL, CLIENT_ID, CLIENT_SECRET, CLIENT_AUTH, SCOPE, EXPIRES_AT, EXPIRES_IN];

/// The program's own notes beside the fields, which nobody gives and nobody is shown.
const NOTES: &str = "oauth.";
/// Whoever is asking for a new token.
pub const CLAIM: &str = "oauth.claim";
/// The service took the grant back: in seconds since 1970, since when.
pub const NEEDS_RECONNECT: &str = "oauth.needs_reconnect";

/// A token that is used up this soon is renewed before it is used.
pub const MARGIN: Millis = 60_000;

/// A note of the program and no field of the credential's owner.
pub fn is_note(field: &str) -> bool {
    field.starts_with(NOTES)
}

/// Of a provider that sends one token: the field that holds it. An access token takes its place.
pub fn bearer_field(fields: &[CredentialField]) -> Option<&str> {
    let named = |name| fields.iter().map(|field| field.name.as_str()).find(|field| *field == name);
    [ACCESS_TOKEN, "token", "api_key"].into_iter().find_map(named)
}

/// Whether there is anything to renew the token with: a refresh token, or a client that asks on its own behalf.
pub fn can_renew(credential: &Credential) -> bool {
    let has = |field| credential.field(field).is_some();
    has(TOKEN_URL) && (has(REFRESH_TOKEN) || (has(CLIENT_ID) && has(CLIENT_SECRET)))
}

/// When the access token is used up, as far as anybody said.
pub fn used_up_at(credential: &Credential) -> Option<Millis> {
    credential.field(EXPIRES_AT)?.trim().parse::<i64>().ok().map(|seconds| seconds.saturating_mul(1_000))
}

/// How good the access token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Good,
    /// It is renewed first, and used as it is when that does not work.
    Ending,
    UsedUp,
}

/// `refused`: an access token that the service did not take.
pub fn standing(credential: &Credential, refused: Option<&str>, now: Millis) -> Standing {
    match (credential.field(ACCESS_TOKEN), used_up_at(credential)) {
        (None, _) => Standing::UsedUp,
        (token, _) if token == refused => Standing::UsedUp,
        (_, Some(at)) if at <= now => Standing::UsedUp,
        (_, Some(at)) if at <= now.saturating_add(MARGIN) => Standing::Ending,
        _ => Standing::Good,
    }
}

/// What is sent to the token endpoint, as a form.
pub fn form(credential: &Credential) -> Vec<(&'static str, Secret)> {
    let field =
        |name: &'static str| credential.fields.get(name).filter(|value| !value.expose().is_empty()).map(|value| (name, value.clone()));
    let grant = if field(REFRESH_TOKEN).is_some() { "refresh_token" } else { "client_credentials" };
    let mut form = vec![("grant_type", Secret::new(grant))];
    form.extend(field(REFRESH_TOKEN));
    form.extend(field(SCOPE));
    if !asks_by_basic(credential) {
        form.extend(field(CLIENT_ID));
        form.extend(field(CLIENT_SECRET));
    }
    form
}

/// Whether the client's name and secret go into a header.
pub fn asks_by_basic(credential: &Credential) -> bool {
    credential.field(CLIENT_AUTH) == Some("basic")
}

/// What the token endpoint gave.
#[derive(Clone, Debug)]
pub struct Grant {
    pub access: Secret,
    /// `None`: the one that was used goes on.
    pub refresh: Option<Secret>,
    /// In seconds since 1970; `None` when it did not say.
    pub expires_at: Option<i64>,
}

/// What an answer of a token endpoint means.
#[derive(Clone, Debug)]
pub enum Answer {
    Granted(Grant),
    /// The grant is no good any more: somebody has to connect the credential again.
    Revoked(String),
    /// It may work another time.
    Passing(String),
    /// It will not work until somebody changes the credential.
    Refused(String),
}

/// Reads an answer. Texts of the service are cut and never hold more than its error's name and description.
pub fn read(status: u16, body: &[u8], now: Millis) -> Answer {
    let json = serde_json::from_slice::<Value>(body).ok().filter(Value::is_object);
    let text = |name: &str| json.as_ref().and_then(|json| json[name].as_str()).filter(|text| !text.is_empty());
    if let Some(error) = text("error") {
        let said: String = match text("error_description") {
            Some(description) => format!("{error}: {description}"),
            None => error.to_owned(),
        };
        let said: String = said.chars().filter(|one| !one.is_control()).take(200).collect();
        return match error {
            // The second is GitHub's name for it, the third Slack's; both come with the status 200.
            "invalid_grant" | "bad_refresh_token" | "invalid_refresh_token" => Answer::Revoked(said),
            "temporarily_unavailable" | "server_error" | "slow_down" => Answer::Passing(said),
            _ if status >= 500 || status == 429 => Answer::Passing(said),
            _ => Answer::Refused(said),
        };
    }
    if !(200..300).contains(&status) {
        let said = format!("it answered {status} without an OAuth error");
        return if status >= 500 || matches!(status, 408 | 425 | 429) { Answer::Passing(said) } else { Answer::Refused(said) };
    }
    let Some(access) = text(ACCESS_TOKEN) else { return Answer::Passing(format!("it answered {status} without an access token")) };
    if text("token_type").is_some_and(|kind| !matches!(kind.to_ascii_lowercase().as_str(), "bearer" | "bot" | "user")) {
        return Answer::Refused("it gave a token that is no bearer token".to_owned());
    }
    let seconds = match json.as_ref().map(|json| &json[EXPIRES_IN]) {
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.trim().parse::<f64>().ok(),
        _ => None,
    };
    let expires_at = seconds.filter(|seconds| seconds.is_finite() && *seconds > 0.0).map(|seconds| now.div_euclid(1_000) + seconds as i64);
    Answer::Granted(Grant { access: Secret::new(access), refresh: text(REFRESH_TOKEN).map(Secret::new), expires_at })
}

/// What a step says when somebody has to connect its credential again.
pub fn needs_reconnect(provider: &str, name: &str) -> Fault {
    let text = format!(
        "{provider} no longer takes the grant of the credential \"{name}\"; connect it again and save its new values \
         (mainspring credential set {provider}, or PATCH /api/credentials/{{id}})"
    );
    Fault::new(Code::NEEDS_RECONNECT, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(fields: &[(&str, &str)]) -> Credential {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect();
        Credential { id: None, provider: "http".to_owned(), name: "default".to_owned(), fields, hosts: Vec::new() }
    }

    #[test]
    fn a_token_is_renewed_a_minute_before_its_end() {
        for (fields, refused, now, expected) in [
            (&[(ACCESS_TOKEN, "a")][..], None, 0, Standing::Good),
            (&[(ACCESS_TOKEN, "a"), (EXPIRES_AT, "100")], None, 39_999, Standing::Good),
            (&[(ACCESS_TOKEN, "a"), (EXPIRES_AT, "100")], None, 40_000, Standing::Ending),
            (&[(ACCESS_TOKEN, "a"), (EXPIRES_AT, "100")], None, 100_000, Standing::UsedUp),
            (&[(ACCESS_TOKEN, "a"), (EXPIRES_AT, "100")], Some("a"), 0, Standing::UsedUp),
            (&[(ACCESS_TOKEN, "a"), (EXPIRES_AT, "100")], Some("b"), 0, Standing::Good),
            (&[(ACCESS_TOKEN, "a"), (EXPIRES_AT, "nonsense")], None, i64::MAX, Standing::Good),
            (&[(REFRESH_TOKEN, "r")], None, 0, Standing::UsedUp),
        ] {
            assert_eq!(standing(&credential(fields), refused, now), expected, "{fields:?} {refused:?} {now}");
        }
    }

    #[test]
    fn what_is_sent_follows_from_what_there_is() {
        let sent = |fields: &[(&str, &str)]| {
            form(&credential(fields)).iter().map(|(name, value)| format!("{name}={}", value.expose())).collect::<Vec<_>>().join("&")
        };
        let client = [(REFRESH_TOKEN, "r"), (CLIENT_ID, "i"), (CLIENT_SECRET, "s"), (SCOPE, "a b")];
        assert_eq!(sent(&client), "grant_type=refresh_token&refresh_token=r&scope=a b&client_id=i&client_secret=s");
        assert_eq!(sent(&[client[0], client[1], client[2], (CLIENT_AUTH, "basic")]), "grant_type=refresh_token&refresh_token=r");
        assert_eq!(sent(&client[1..3]), "grant_type=client_credentials&client_id=i&client_secret=s");
        assert!(!can_renew(&credential(&client)) && !can_renew(&credential(&[(TOKEN_URL, "u"), (CLIENT_ID, "i")])));
        assert!(can_renew(&credential(&[(TOKEN_URL, "u"), (REFRESH_TOKEN, "r")])));
    }

    #[test]
    fn answers_of_token_endpoints() {
        let kind = |status, body: &str| match read(status, body.as_bytes(), 10_000) {
            Answer::Granted(grant) => {
                let refresh = grant.refresh.as_ref().map_or("-", |refresh| refresh.expose());
                format!("granted {} {refresh} {:?}", grant.access.expose(), grant.expires_at)
            }
            Answer::Revoked(said) => format!("revoked {said}"),
            Answer::Passing(_) => "passing".to_owned(),
            Answer::Refused(_) => "refused".to_owned(),
        };
        for (status, body, expected) in [
            (200, r#"{"access_token":"a","token_type":"Bearer","expires_in":3600,"refresh_token":"r"}"#, "granted a r Some(3610)"),
            (200, r#"{"access_token":"a","expires_in":"60"}"#, "granted a - Some(70)"),
            (200, r#"{"access_token":"a","refresh_token":""}"#, "granted a - None"),
            (200, r#"{"access_token":"a","expires_in":-5}"#, "granted a - None"),
            (200, r#"{"access_token":"a","token_type":"mac"}"#, "refused"),
            (200, r#"{"access_token":""}"#, "passing"),
            (200, r#"{"access_token":7}"#, "passing"),
            (200, "[]", "passing"),
            (200, "<html>Log in</html>", "passing"),
            (200, r#"{"error":"bad_refresh_token"}"#, "revoked bad_refresh_token"),
            (400, "{\"error\":\"invalid_grant\",\"error_description\":\"gone\\u0007\"}", "revoked invalid_grant: gone"),
            (401, r#"{"error":"invalid_client"}"#, "refused"),
            (400, r#"{"error":"slow_down"}"#, "passing"),
            (404, "not here", "refused"),
            (429, "", "passing"),
            (500, "<html>", "passing"),
            (503, r#"{"error":"unavailable"}"#, "passing"),
        ] {
            assert_eq!(kind(status, body), expected, "{status} {body}");
        }
    }
}
