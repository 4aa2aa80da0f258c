//! `transform.hash`: the digest of text.

use mainspring_model::Fault;
use mainspring_model::action::ActionSpec;
use md5::Md5;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

use crate::logic::pure::Pure;
use crate::written_bytes::Encoding;

pub(super) struct Hash;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    #[serde(default)]
    algorithm: Algorithm,
    /// The text, hashed as UTF-8.
    text: String,
    #[serde(default)]
    encoding: Encoding,
}

/// Which digest. MD5 and SHA-1 are for services that ask for them (avatars, older APIs); neither protects anything.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Algorithm {
    Md5,
    Sha1,
    #[default]
    Sha256,
    Sha384,
    Sha512,
}

impl Pure for Hash {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({"type": "string"})),
            example: json!({"algorithm": "sha256", "text": "ada@example.com"}),
            ..ActionSpec::of::<Params>("hash", "Hash", "Gives the digest of text, to compare or to look things up by.")
        }
    }

    fn run(&self, params: Params) -> Result<Value, Fault> {
        let digest = match params.algorithm {
            Algorithm::Md5 => Md5::digest(params.text).to_vec(),
            Algorithm::Sha1 => Sha1::digest(params.text).to_vec(),
            Algorithm::Sha256 => Sha256::digest(params.text).to_vec(),
            Algorithm::Sha384 => Sha384::digest(params.text).to_vec(),
            Algorithm::Sha512 => Sha512::digest(params.text).to_vec(),
        };
        Ok(Value::String(params.encoding.write(&digest)))
    }
}
