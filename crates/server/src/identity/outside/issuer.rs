//! An issuer as the operator names it.

use mainspring_model::credential::Secret;
use serde::Deserialize;
use url::Url;

/// Where people may log in.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// Part of addresses here: lower-case letters, digits and hyphens.
    pub name: String,
    /// To the letter as the issuer writes it in its tokens.
    pub issuer: String,
    pub client_id: String,
    pub client_secret: Option<Secret>,
    /// Always with `openid`.
    pub scopes: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    issuer: String,
    client_id: String,
    client_secret: Option<String>,
    scopes: Option<Vec<String>>,
}

/// Reads the operator's list: `[{"name": "corp", "issuer": "https://…", "client_id": "…", "client_secret": "…"}]`.
///
/// # Errors
/// What is wrong, without any value: there are secrets among them.
pub fn issuers(text: &str) -> Result<Vec<Issuer>, String> {
    let shape = "write [{\"name\": \"corp\", \"issuer\": \"https://…\", \"client_id\": \"…\", \"client_secret\": \"…\"}]";
    let written: Vec<Written> = serde_json::from_str(text)
        .map_err(|error| format!("it is no list of issuers (line {}, column {}); {shape}", error.line(), error.column()))?;
    let mut issuers: Vec<Issuer> = Vec::new();
    for (at, one) in written.into_iter().enumerate() {
        let wrong = |reason: &str| format!("issuer {}: {reason}", at + 1);
        let name_is_plain = (1..=40).contains(&one.name.len())
            && one.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if !name_is_plain {
            return Err(wrong("its name is 1 to 40 lower-case letters, digits and hyphens"));
        }
        if issuers.iter().any(|known| known.name == one.name) {
            return Err(wrong("another has the same name"));
        }
        let url = Url::parse(&one.issuer).ok().filter(|url| matches!(url.scheme(), "https" | "http") && url.has_host());
        if url.is_none_or(|url| url.query().is_some() || url.fragment().is_some()) {
            return Err(wrong("its address begins with https:// and has no query"));
        }
        if one.client_id.is_empty() {
            return Err(wrong("its client_id is empty"));
        }
        let mut scopes = one.scopes.unwrap_or_else(|| vec!["email".to_owned(), "profile".to_owned()]);
        scopes.retain(|scope| scope != "openid");
        scopes.insert(0, "openid".to_owned());
        let client_secret = one.client_secret.filter(|secret| !secret.is_empty()).map(Secret::new);
        issuers.push(Issuer { name: one.name, issuer: one.issuer, client_id: one.client_id, client_secret, scopes });
    }
    Ok(issuers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_and_what_is_wrong_is_said_without_secrets() {
        let good = r#"[{"name": "corp", "issuer": "https://id.example.org", "client_id": "m", "client_secret": "hush-hush", "scopes": ["email"]}]"#;
        let read = issuers(good).unwrap();
        assert_eq!((read[0].scopes.join(" "), format!("{:?}", read[0]).contains("hush")), ("openid email".to_owned(), false));
        for (text, part) in [
            ("hush-hush", "no list"),
            (r#"[{"name": "Corp", "issuer": "https://a", "client_id": "m", "client_secret": "hush-hush"}]"#, "issuer 1: its name"),
            (r#"[{"name": "a", "issuer": "ftp://a", "client_id": "m", "client_secret": "hush-hush"}]"#, "its address"),
            (r#"[{"name": "a", "issuer": "https://a?x=hush-hush", "client_id": "m"}]"#, "its address"),
            (r#"[{"name": "a", "issuer": "https://a", "client_id": ""}]"#, "client_id"),
            (
                r#"[{"name": "a", "issuer": "https://a", "client_id": "m"}, {"name": "a", "issuer": "https://b", "client_id": "m"}]"#,
                "issuer 2",
            ),
            (r#"[{"name": "a", "issuer": "https://a", "client_id": "m", "secret": "hush-hush"}]"#, "no list"),
        ] {
            let said = issuers(text).unwrap_err();
            assert!(said.contains(part) && !said.contains("hush"), "{said}");
        }
    }
}
