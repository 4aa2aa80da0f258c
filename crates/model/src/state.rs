//! State: what plans remember between runs, and how a change to it is asked for, recorded and applied.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use crate::clock::Millis;

/// Bytes of a key or of a set's name.
pub const MAX_KEY: usize = 512;
/// Bytes of one value's JSON.
pub const MAX_VALUE: usize = 256 * 1024;
/// Items of one `unseen`.
pub const MAX_ITEMS: usize = 100_000;
/// Keys that one plan may have, and keys that an organization may have beside its plans'.
pub const MAX_KEYS_OF_PLAN: u64 = 10_000;
pub const MAX_KEYS_OF_ORGANIZATION: u64 = 100_000;
/// Items that one set remembers.
pub const MAX_SEEN: u64 = 1_000_000;
/// Different changes that a run may have pending, and their bytes together.
pub const MAX_PENDING: usize = 10_000;
pub const MAX_PENDING_BYTES: usize = 16 << 20;

/// Whose state: the plan's own, or one that all plans of the organization share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StateScope {
    #[default]
    Plan,
    Organization,
}

/// What stands for an item in a set: the first half of the SHA-256 of its key's canonical JSON.
pub type Digest = [u8; 16];

/// What a step of provider `state` asks of the engine.
#[derive(Clone, Debug, PartialEq)]
pub struct StateAsk {
    pub scope: StateScope,
    /// The key, or the name of the set.
    pub key: String,
    /// Written at once, once for the step's path; otherwise when the run succeeds.
    pub now: bool,
    /// How long what is written is kept, in milliseconds from now; for ever when `None`.
    pub ttl: Option<Millis>,
    pub what: StateWhat,
}

#[derive(Clone, Debug, PartialEq)]
pub enum StateWhat {
    Get {
        default: Value,
    },
    Set {
        value: Value,
    },
    Increment {
        by: Number,
    },
    Delete,
    /// `items` and `digests` are of the same length.
    Unseen {
        items: Vec<Value>,
        digests: Vec<Digest>,
    },
}

/// A change as it is recorded with the step's end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StateWrite {
    #[serde(default)]
    pub scope: StateScope,
    pub key: String,
    /// When what is written is forgotten, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Millis>,
    pub change: StateChange,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateChange {
    Set(Value),
    /// A difference, so that runs side by side lose nothing.
    Add(Number),
    Delete,
    /// Items that a set has seen.
    Remember(Digests),
}

impl StateWrite {
    /// About how many bytes it takes.
    pub fn size(&self) -> usize {
        let change = match &self.change {
            StateChange::Set(value) => crate::value::approximate_size(value),
            StateChange::Remember(digests) => digests.0.len() * 16,
            StateChange::Add(_) | StateChange::Delete => 16,
        };
        self.key.len() + change + 64
    }
}

/// Digests, written as one Base64 text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Digests(pub Vec<Digest>);

impl Serialize for Digests {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use base64::Engine as _;
        serializer.serialize_str(&base64::engine::general_purpose::STANDARD.encode(self.0.as_flattened()))
    }
}

impl<'de> Deserialize<'de> for Digests {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Digests, D::Error> {
        use base64::Engine as _;
        use serde::de::Error as _;
        let text = String::deserialize(deserializer)?;
        let bytes = base64::engine::general_purpose::STANDARD.decode(text).map_err(D::Error::custom)?;
        let (digests, rest) = bytes.as_chunks::<16>();
        if rest.is_empty() { Ok(Digests(digests.to_vec())) } else { Err(D::Error::custom("digests have 16 bytes each")) }
    }
}

/// The sum; whole numbers stay whole and end at the bounds of 64 bits.
pub fn sum(a: &Number, b: &Number) -> Number {
    if let (Some(a), Some(b)) = (a.as_i128(), b.as_i128()) {
        let sum = a + b;
        return match (i64::try_from(sum), u64::try_from(sum)) {
            (Ok(sum), _) => sum.into(),
            (_, Ok(sum)) => sum.into(),
            _ if sum < 0 => i64::MIN.into(),
            _ => u64::MAX.into(),
        };
    }
    let sum = a.as_f64().unwrap_or_default() + b.as_f64().unwrap_or_default();
    Number::from_f64(sum.clamp(f64::MIN, f64::MAX)).unwrap_or_else(|| 0.into())
}

/// What stands under a key after adding to it: what is no number any more counts as nothing.
pub fn added(value: Option<&Value>, by: &Number) -> Number {
    match value {
        Some(Value::Number(number)) => sum(number, by),
        _ => by.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn number(value: Value) -> Number {
        match value {
            Value::Number(number) => number,
            other => panic!("{other} is no number"),
        }
    }

    #[test]
    fn whole_numbers_stay_whole_and_end_at_their_bounds() {
        let cases = [
            (json!(1), json!(2), json!(3)),
            (json!(9_007_199_254_740_993_i64), json!(1), json!(9_007_199_254_740_994_i64)),
            (json!(i64::MAX), json!(1), json!(9_223_372_036_854_775_808_u64)),
            (json!(u64::MAX), json!(1), json!(u64::MAX)),
            (json!(i64::MIN), json!(-1), json!(i64::MIN)),
            (json!(0.5), json!(1), json!(1.5)),
            (json!(f64::MAX), json!(f64::MAX), json!(f64::MAX)),
        ];
        for (a, b, expected) in cases {
            assert_eq!(Value::Number(sum(&number(a.clone()), &number(b.clone()))), expected, "{a} + {b}");
        }
        assert_eq!(added(Some(&json!("text")), &1.into()), 1.into());
        assert_eq!(added(None, &5.into()), 5.into());
    }

    #[test]
    fn a_change_survives_its_text() {
        let changes = [
            StateChange::Set(json!({"a": [1, null]})),
            StateChange::Add(2.into()),
            StateChange::Delete,
            StateChange::Remember(Digests(vec![[7; 16], [0; 16]])),
        ];
        for change in changes {
            let write = StateWrite { scope: StateScope::Organization, key: "k".to_owned(), until: Some(5), change };
            assert_eq!(serde_json::from_value::<StateWrite>(json!(write)).unwrap(), write);
        }
        assert!(serde_json::from_value::<Digests>(json!("AAAA")).is_err());
    }
}
