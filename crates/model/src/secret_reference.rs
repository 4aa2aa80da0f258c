//! A reference to a secret that is kept elsewhere, in the place of a credential's value: what it looks like and how it is noted.
//!
//! A value is a reference because it was saved as one, which a note beside it says. What was stored without such a note stays the text
//! that it is, whatever it begins with.

use std::collections::BTreeMap;
use std::fmt;

use crate::credential::Secret;

/// The longest reference, in bytes.
const LONGEST: usize = 1_000;
/// The program's own notes beside the fields, which nobody gives and nobody is shown.
const NOTES: &str = "reference.";

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// `env:NAME`: a variable of the server's environment.
    Env(String),
    /// `file:/path`: a whole file of the server's machine.
    File(String),
    /// `vault:MOUNT/PATH#FIELD`: a field of a secret in a key-value store (version 2) of HashiCorp Vault.
    Vault { mount: String, path: String, field: String },
}

impl Reference {
    /// Whether the text begins as references do.
    pub fn begins(text: &str) -> bool {
        ["env:", "file:", "vault:"].iter().any(|scheme| text.starts_with(scheme))
    }

    /// Reads a reference.
    ///
    /// # Errors
    /// How it is written; the text itself, which may be a secret by mistake, is not repeated.
    pub fn parse(text: &str) -> Result<Reference, &'static str> {
        let Some((scheme, rest)) = text.split_once(':').filter(|_| text.len() <= LONGEST && !text.chars().any(char::is_control)) else {
            return Err("a reference is env:NAME, file:/path or vault:MOUNT/PATH#FIELD, in up to 1000 bytes");
        };
        match scheme {
            "env" if is_variable(rest) => Ok(Reference::Env(rest.to_owned())),
            "env" => Err("a reference to a variable is env:NAME, with letters, digits and _ in the name"),
            "file" => match rest.strip_prefix('/') {
                Some(path) if path.split('/').all(is_segment) => Ok(Reference::File(rest.to_owned())),
                _ => Err("a reference to a file is file:/path, whole, without empty parts, \".\" and \"..\""),
            },
            "vault" => {
                vault(rest).ok_or("a reference to Vault is vault:MOUNT/PATH#FIELD, with letters, digits, _, - and . in mount and path")
            }
            _ => Err("a reference is env:NAME, file:/path or vault:MOUNT/PATH#FIELD"),
        }
    }

    /// `env`, `file` or `vault`.
    pub fn kind(&self) -> &'static str {
        match self {
            Reference::Env(_) => "env",
            Reference::File(_) => "file",
            Reference::Vault { .. } => "vault",
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reference::Env(name) => write!(f, "env:{name}"),
            Reference::File(path) => write!(f, "file:{path}"),
            Reference::Vault { mount, path, field } => write!(f, "vault:{mount}/{path}#{field}"),
        }
    }
}

fn is_variable(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !name.is_empty() && name.bytes().all(inner) && !name.starts_with(|first: char| first.is_ascii_digit())
}

fn is_segment(part: &str) -> bool {
    !matches!(part, "" | "." | "..")
}

fn vault(rest: &str) -> Option<Reference> {
    let (place, field) = rest.split_once('#')?;
    let (mount, path) = place.split_once('/')?;
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    let good = place.split('/').all(|part| is_segment(part) && plain(part)) && !field.is_empty() && !field.contains('#');
    good.then(|| Reference::Vault { mount: mount.to_owned(), path: path.to_owned(), field: field.to_owned() })
}

/// The name of the note that makes a field's value a reference; it holds the same text.
pub fn note(field: &str) -> String {
    format!("{NOTES}{field}")
}

/// A note of the program and no field of the credential's owner.
pub fn is_note(field: &str) -> bool {
    field.starts_with(NOTES)
}

/// The fields of an opened credential that are references, with their texts.
pub fn noted(fields: &BTreeMap<String, Secret>) -> impl Iterator<Item = (&str, &str)> {
    // Compared, so that a note which outlived its value says nothing of the next one.
    fields.iter().filter_map(|(name, text)| {
        let field = name.strip_prefix(NOTES)?;
        fields.get(field).filter(|value| value.expose() == text.expose()).map(|value| (field, value.expose()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_and_written() {
        for text in
            ["env:A", "env:_a9", "file:/run/secrets/..data/key", "file:/a b", "vault:kv/app#key", "vault:kv/team-1/a.b/c_d#an odd.key"]
        {
            assert!(Reference::begins(text));
            assert_eq!(Reference::parse(text).map(|read| read.to_string()).as_deref(), Ok(text));
        }
    }

    #[test]
    fn what_is_none_is_refused_and_not_repeated() {
        let long = format!("env:{}", "A".repeat(1_000));
        for text in [
            "env:",
            "env:9A",
            "env:A B",
            "env:A=hunter2",
            "env:A\0",
            &long,
            "file:",
            "file:hunter2",
            "file:/",
            "file://hunter2",
            "file:/a/../hunter2",
            "file:/a/./hunter2",
            "file:/a/hunter2/",
            "file:/hunter2\n",
            "vault:hunter2",
            "vault:kv#hunter2",
            "vault:kv/#hunter2",
            "vault:/kv/hunter2#a",
            "vault:kv/../sys/hunter2#a",
            "vault:kv/%2e%2e/hunter2#a",
            "vault:kv/a?hunter2#a",
            "vault:kv/hunter2",
            "vault:kv/hunter2#",
            "vault:kv/a#b#hunter2",
        ] {
            assert!(Reference::begins(text), "{text}");
            let reason = Reference::parse(text).expect_err(text);
            assert!(!reason.contains("hunter2"), "{text}: {reason}");
        }
        assert!(!Reference::begins("ENV:A") && !Reference::begins("sk-env:A") && Reference::parse("https://a").is_err());
    }

    #[test]
    fn a_value_is_a_reference_as_long_as_its_note_says_so() {
        let fields = |pairs: &[(&str, &str)]| -> BTreeMap<String, Secret> {
            pairs.iter().map(|(name, text)| ((*name).to_owned(), Secret::new(*text))).collect()
        };
        assert_eq!(noted(&fields(&[("token", "env:A")])).count(), 0);
        assert_eq!(noted(&fields(&[("token", "env:B"), ("reference.token", "env:A")])).count(), 0);
        assert_eq!(noted(&fields(&[("reference.token", "env:A")])).count(), 0);
        let both = fields(&[("token", "env:A"), (&note("token"), "env:A")]);
        assert_eq!(noted(&both).collect::<Vec<_>>(), [("token", "env:A")]);
        assert!(is_note(&note("token")) && !is_note("token"));
    }
}
