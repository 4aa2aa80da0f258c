//! How an action writes bytes as text: a digest, a signature.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::Deserialize;

/// How the result is written.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum Encoding {
    /// Small letters.
    #[default]
    Hex,
    Base64,
}

impl Encoding {
    pub(crate) fn write(self, bytes: &[u8]) -> String {
        match self {
            Encoding::Base64 => STANDARD.encode(bytes),
            Encoding::Hex => bytes.iter().fold(String::new(), |mut text, byte| {
                // Text takes everything.
                write!(text, "{byte:02x}").ok();
                text
            }),
        }
    }
}
