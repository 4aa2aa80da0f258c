//! A credential as an action sees it, and how a provider describes the fields it needs.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

/// A secret text: zeroed when dropped, neither serialised nor printed.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(SecretString::from(text.into()))
    }

    /// The clear text. Hand it to the wire or to the redactor and to nothing else.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// An opened credential: its name and fields, for the length of one attempt.
#[derive(Clone, Debug)]
pub struct Credential {
    pub provider: String,
    pub name: String,
    pub fields: BTreeMap<String, Secret>,
}

impl Credential {
    /// The clear text of a field, `None` when it was not given or is empty.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(Secret::expose).filter(|text| !text.is_empty())
    }
}

/// One field of a provider's credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialField {
    pub name: String,
    pub title: String,
    pub required: bool,
    /// Hidden in forms. Every stored value is sealed, secret or not.
    pub secret: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}
