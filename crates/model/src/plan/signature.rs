//! How a webhook's sender signs what it delivers, as a trigger says it: a service by its name, or the parts of a plain HMAC.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::code;
use super::fields::{Fields, unknown_word, wrong_type};
use super::names::Noun;
use super::problems::Problems;
use crate::Problem;

/// What a delivery must carry to be its sender's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signature {
    Service(Service),
    Hmac(HmacForm),
}

/// The services whose ways are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    Github,
    Gitlab,
    Stripe,
    Slack,
    Shopify,
    Twilio,
    Linear,
    Discord,
    Zendesk,
    Typeform,
    /// <https://www.standardwebhooks.com>, and those who sign by it under the earlier header names of Svix.
    StandardWebhooks,
}

/// A header that holds the HMAC of the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HmacForm {
    /// In lower case.
    pub header: String,
    pub algorithm: HmacAlgorithm,
    pub encoding: HmacEncoding,
    /// What stands before the code itself, such as `sha256=`.
    pub prefix: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HmacAlgorithm {
    Sha1,
    Sha256,
    Sha512,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HmacEncoding {
    Hex,
    Base64,
}

impl Default for HmacForm {
    fn default() -> Self {
        HmacForm { header: "x-signature".to_owned(), algorithm: HmacAlgorithm::Sha256, encoding: HmacEncoding::Hex, prefix: String::new() }
    }
}

const SERVICES: [(&str, Service); 11] = [
    ("github", Service::Github),
    ("gitlab", Service::Gitlab),
    ("stripe", Service::Stripe),
    ("slack", Service::Slack),
    ("shopify", Service::Shopify),
    ("twilio", Service::Twilio),
    ("linear", Service::Linear),
    ("discord", Service::Discord),
    ("zendesk", Service::Zendesk),
    ("typeform", Service::Typeform),
    ("standard_webhooks", Service::StandardWebhooks),
];
const HMAC: &str = "hmac";
const ALGORITHMS: [(&str, HmacAlgorithm); 3] =
    [("sha256", HmacAlgorithm::Sha256), ("sha512", HmacAlgorithm::Sha512), ("sha1", HmacAlgorithm::Sha1)];
const ENCODINGS: [(&str, HmacEncoding); 2] = [("hex", HmacEncoding::Hex), ("base64", HmacEncoding::Base64)];
const FIELDS: &[&str] = &["header", "algorithm", "encoding", "prefix"];
const MAX_HEADER: usize = 100;

impl Service {
    pub fn name(self) -> &'static str {
        SERVICES.iter().find(|(_, service)| *service == self).map_or("", |(name, _)| name)
    }
}

/// Reads the field `signature`.
pub(crate) fn read(value: &Value, pointer: &str, problems: &mut Problems<'_>) -> Option<Signature> {
    match value {
        Value::String(name) if name == HMAC => Some(Signature::Hmac(HmacForm::default())),
        Value::String(name) => {
            let known = SERVICES.iter().find(|(known, _)| known == name).map(|(_, service)| Signature::Service(*service));
            if known.is_none() {
                let words = SERVICES.iter().map(|(word, _)| *word).chain([HMAC]);
                problems.push(unknown_word(pointer, "\"signature\"", name, words));
            }
            known
        }
        Value::Object(_) => hmac(value, pointer, problems).map(Signature::Hmac),
        other => {
            let what = "\"signature\" is the name of a service, or {header, algorithm, encoding, prefix}";
            problems.push(wrong_type(pointer, what, "text or an object", other));
            None
        }
    }
}

fn hmac(value: &Value, pointer: &str, problems: &mut Problems<'_>) -> Option<HmacForm> {
    let fields = Fields::of(Noun::Signature, value, pointer, problems)?;
    fields.refuse_unknown(FIELDS, problems);
    let usual = HmacForm::default();
    let header = fields.text("header", problems).map(|name| name.to_ascii_lowercase());
    let is_name = |name: &String| {
        (1..=MAX_HEADER).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
    };
    if let Some(bad) = header.as_ref().filter(|name| !is_name(name)) {
        let message = format!("\"{}\" is no name of a header", bad.chars().take(60).collect::<String>().escape_debug());
        problems.push(Problem::new(code::INVALID_VALUE, fields.at("header"), message).expected("a name such as X-Signature"));
    }
    Some(HmacForm {
        header: header.unwrap_or(usual.header),
        algorithm: fields.word("algorithm", &ALGORITHMS, problems).unwrap_or(usual.algorithm),
        encoding: fields.word("encoding", &ENCODINGS, problems).unwrap_or(usual.encoding),
        prefix: fields.text("prefix", problems).unwrap_or_default(),
    })
}

/// The schema of the field.
pub(crate) struct SignatureSchema;

impl JsonSchema for SignatureSchema {
    fn schema_name() -> Cow<'static, str> {
        "Signature".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<&str> = SERVICES.iter().map(|(name, _)| *name).chain([HMAC]).collect();
        let words = |words: Vec<&str>| json_schema!({ "type": "string", "enum": words });
        json_schema!({
            "description": "Who signs: a service by its name, or the parts of a plain HMAC of the body.",
            "oneOf": [
                { "type": "string", "enum": names },
                {
                    "type": "object",
                    "properties": {
                        "header": { "description": "`X-Signature` unless written.", "type": "string" },
                        "algorithm": words(ALGORITHMS.iter().map(|(name, _)| *name).collect()),
                        "encoding": words(ENCODINGS.iter().map(|(name, _)| *name).collect()),
                        "prefix": { "description": "What stands before the code itself, such as `sha256=`.", "type": "string" }
                    },
                    "additionalProperties": false
                }
            ]
        })
    }
}
