//! Which secrets that are kept elsewhere credentials may name: what the operator listed, for the organizations listed, and nothing else.

use std::path::{Component, Path, PathBuf};

use mainspring_model::credential::Secret;
use mainspring_model::id::OrgId;
use mainspring_model::secret_reference::Reference;
use url::Url;

use crate::settings::SETTINGS;

/// What the operator opened. Nothing, unless something is listed.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Names of variables, or a beginning with `*` behind it.
    pub env: Vec<String>,
    /// The folder below which files may be named.
    pub files: Option<PathBuf>,
    /// `MOUNT/PATH` each: what is there and below.
    pub vault: Vec<String>,
    pub vault_url: Option<Url>,
    pub vault_token: Option<Secret>,
    /// Ids of organizations, or `*`.
    pub organizations: Vec<String>,
}

impl Default for Terms {
    fn default() -> Terms {
        Terms { env: Vec::new(), files: None, vault: Vec::new(), vault_url: None, vault_token: None, organizations: first() }
    }
}

/// The organization that every installation has.
fn first() -> Vec<String> {
    vec![OrgId::LOCAL.to_string()]
}

impl Terms {
    /// Whether credentials of the organization may name it.
    ///
    /// # Errors
    /// Why not, and which setting would change it.
    pub fn allows(&self, org: OrgId, reference: &Reference) -> Result<(), String> {
        let id = org.to_string();
        if !self.organizations.iter().any(|entry| entry == "*" || *entry == id) {
            return Err("references to secrets that are kept elsewhere are not open to this organization; \
                        the operator may list it in secrets.organizations"
                .to_owned());
        }
        match reference {
            Reference::Env(name) if self.env.iter().any(|entry| fits(entry, name)) && !is_ours(name) => Ok(()),
            Reference::Env(_) => Err("the operator did not list this variable in secrets.env".to_owned()),
            Reference::File(path) => match &self.files {
                Some(folder) if Path::new(path).starts_with(folder) && Path::new(path) != folder.as_path() => Ok(()),
                Some(_) => Err("the file is not below the folder that the operator named in secrets.files".to_owned()),
                None => Err("the operator named no folder in secrets.files".to_owned()),
            },
            Reference::Vault { mount, path, .. } => {
                let place = format!("{mount}/{path}");
                let below =
                    |entry: &String| place.strip_prefix(entry.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
                match (&self.vault_url, &self.vault_token, self.vault.iter().any(below)) {
                    (Some(_), Some(_), true) => Ok(()),
                    (_, _, false) => Err("the operator did not list this place in secrets.vault".to_owned()),
                    _ => Err("the operator set no secrets.vault_url and secrets.vault_token".to_owned()),
                }
            }
        }
    }
}

fn fits(entry: &str, name: &str) -> bool {
    entry.strip_suffix('*').map_or(entry == name, |beginning| name.starts_with(beginning))
}

/// The program's own settings are never given out, whatever a list says: the encryption key is among them.
fn is_ours(name: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.variables.contains(&name))
}

/// Reads `secrets.env`.
///
/// # Errors
/// The entry that is none.
pub fn variables(entries: Vec<String>) -> Result<Vec<String>, String> {
    for entry in &entries {
        if Reference::parse(&format!("env:{}", entry.strip_suffix('*').unwrap_or(entry))).is_err() {
            return Err(format!("\"{entry}\" is no variable; write APP_KEY, or APP_* for all that begin so"));
        }
    }
    Ok(entries)
}

/// Reads `secrets.files`.
///
/// # Errors
/// It is no folder of its own.
pub fn folder(text: &str) -> Result<PathBuf, String> {
    let path = Path::new(text);
    let parts: Vec<Component<'_>> = path.components().collect();
    let good = path.is_absolute() && parts.len() > 1 && !parts.contains(&Component::ParentDir);
    if good { Ok(parts.iter().collect()) } else { Err(format!("\"{text}\" is no folder of secrets; write it whole, as in /run/secrets")) }
}

/// Reads `secrets.vault`.
///
/// # Errors
/// The entry that is none.
pub fn places(entries: Vec<String>) -> Result<Vec<String>, String> {
    for entry in &entries {
        // A mount alone is all that is in it.
        if Reference::parse(&format!("vault:{entry}/x#x")).is_err() {
            return Err(format!("\"{entry}\" is no place in Vault; write MOUNT/PATH, as in secret/automation"));
        }
    }
    Ok(entries)
}

/// Reads `secrets.organizations`.
///
/// # Errors
/// The entry that is none.
pub fn organizations(entries: Vec<String>) -> Result<Vec<String>, String> {
    match entries.iter().find(|entry| *entry != "*" && entry.parse::<OrgId>().is_err()) {
        Some(entry) => Err(format!("\"{entry}\" is no id of an organization; `mainspring org list` shows them, * is every one")),
        None => Ok(entries.iter().map(|entry| entry.parse::<OrgId>().map_or_else(|_| entry.clone(), |id| id.to_string())).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Terms {
        Terms {
            env: vec!["APP_*".to_owned(), "ONE".to_owned(), "ENCRYPTION_*".to_owned(), "VAULT_*".to_owned(), "MAINSPRING_*".to_owned()],
            files: Some(folder("/run/secrets/").unwrap()),
            vault: vec!["kv/app".to_owned(), "team".to_owned()],
            vault_url: Url::parse("http://127.0.0.1:8200").ok(),
            vault_token: Some(Secret::new("t")),
            ..Terms::default()
        }
    }

    #[test]
    fn what_is_listed_is_allowed_and_nothing_beside() {
        let none = Terms { files: None, env: Vec::new(), vault: Vec::new(), ..all() };
        for (text, may) in [
            ("env:APP_KEY", true),
            ("env:ONE", true),
            ("env:ONE_MORE", false),
            ("env:XAPP_KEY", false),
            ("env:PATH", false),
            ("env:ENCRYPTION_KEY", false),
            ("env:MAINSPRING_ENCRYPTION_KEY", false),
            ("env:VAULT_TOKEN", false),
            ("env:MAINSPRING_MINE", true),
            ("file:/run/secrets/a", true),
            ("file:/run/secrets/b/c", true),
            ("file:/run/secrets", false),
            ("file:/run/secrets-of-others/a", false),
            ("file:/etc/passwd", false),
            ("vault:kv/app#a", true),
            ("vault:kv/app/b#a", true),
            ("vault:kv/application#a", false),
            ("vault:kv/other#a", false),
            ("vault:team/x/y#a", true),
            ("vault:teams/x#a", false),
        ] {
            let reference = Reference::parse(text).unwrap();
            assert_eq!(all().allows(OrgId::LOCAL, &reference).is_ok(), may, "{text}");
            assert!(none.allows(OrgId::LOCAL, &reference).is_err(), "{text}");
            assert!(Terms::default().allows(OrgId::LOCAL, &reference).is_err(), "{text}");
        }
        let reference = Reference::parse("vault:kv/app#a").unwrap();
        assert!(Terms { vault_token: None, ..all() }.allows(OrgId::LOCAL, &reference).is_err());
        assert!(Terms { vault_url: None, ..all() }.allows(OrgId::LOCAL, &reference).is_err());
    }

    #[test]
    fn other_organizations_are_named() {
        let (reference, other) = (Reference::parse("env:ONE").unwrap(), "01890000-0000-7000-8000-000000000009");
        let org: OrgId = other.parse().unwrap();
        assert!(all().allows(org, &reference).is_err());
        for list in [other, "*"] {
            let terms = Terms { organizations: organizations(vec![list.to_owned()]).unwrap(), ..all() };
            assert!(terms.allows(org, &reference).is_ok(), "{list}");
        }
        assert!(organizations(vec!["mine".to_owned()]).is_err());
    }

    #[test]
    fn lists_that_open_more_than_they_say_are_refused() {
        for entry in ["*", "A-*", "A*B", "**", "9*"] {
            assert!(variables(vec![entry.to_owned()]).is_err(), "{entry}");
        }
        for text in ["/", "secrets", "./secrets", "/run/../etc", ""] {
            assert!(folder(text).is_err(), "{text}");
        }
        for entry in ["", "kv/", "kv/..", "*", "kv/a*", "kv#a"] {
            assert!(places(vec![entry.to_owned()]).is_err(), "{entry}");
        }
    }
}
