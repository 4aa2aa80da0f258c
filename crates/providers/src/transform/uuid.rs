//! `transform.uuid`: identifiers that nobody else has, recorded with the step that made them.

use std::future::{Future, ready};

use mainspring_model::Fault;
use mainspring_model::action::{ActionResult, ActionSpec, Context, Effect, TypedAction};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::logic::bounds::{done, within_items};

pub(super) struct Uuid;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// 4: random. 7: begins with the time, so that later ones sort after earlier ones.
    #[serde(default)]
    version: Version,
    /// How many; then the output is a list.
    #[schemars(range(min = 1, max = 10_000))]
    count: Option<usize>,
}

#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(try_from = "u8")]
#[schemars(inline, extend("type" = "integer", "enum" = [4, 7]))]
enum Version {
    #[default]
    Four,
    Seven,
}

impl TryFrom<u8> for Version {
    type Error = String;

    fn try_from(number: u8) -> Result<Version, String> {
        match number {
            4 => Ok(Version::Four),
            7 => Ok(Version::Seven),
            other => Err(format!("version {other} is not made; write 4 or 7")),
        }
    }
}

const MOST: usize = 10_000;

impl TypedAction for Uuid {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            // Not computed again after a crash: the moment is part of it.
            effect: Effect::Read,
            output: Some(json!({"type": ["string", "array"], "items": {"type": "string"}})),
            example: json!({"version": 7}),
            ..ActionSpec::of::<Params>("uuid", "UUID", "Makes identifiers that nobody else has.")
        }
    }

    fn call(&self, params: Params, cx: &Context) -> impl Future<Output = ActionResult> + Send {
        ready(made(&params, cx).and_then(done))
    }
}

fn made(params: &Params, cx: &Context) -> Result<Value, Fault> {
    let Some(count) = params.count else { return Ok(one(params.version, 0, cx)) };
    within_items("count", count)?;
    if count == 0 || count > MOST {
        return Err(Fault::invalid_params(format!("\"count\" is {count}; it is from 1 to {MOST}")));
    }
    Ok((0..count).map(|index| one(params.version, index, cx)).collect())
}

/// Randomness comes from the attempt's key, which only we can make and which no other step, item or run has.
fn one(version: Version, index: usize, cx: &Context) -> Value {
    let now = cx.clock.now();
    let parts: [&[u8]; 5] =
        [b"uuid", cx.idempotency_key.as_bytes(), &cx.attempt.to_be_bytes(), &now.to_be_bytes(), &(index as u64).to_be_bytes()];
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    let made = match version {
        Version::Four => uuid::Builder::from_random_bytes(bytes),
        Version::Seven => {
            let mut random = [0; 10];
            random.copy_from_slice(&bytes[..10]);
            // Within one millisecond they keep their order: the twelve bits behind the time count.
            let count = u16::try_from(index & 0xfff).unwrap_or_default().to_be_bytes();
            random[..2].copy_from_slice(&count);
            uuid::Builder::from_unix_timestamp_millis(u64::try_from(now).unwrap_or_default(), &random)
        }
    };
    Value::String(made.into_uuid().to_string())
}
