//! `state.unseen`: of a list, the items that no run has seen before.

use std::future::{Future, ready};

use mainspring_model::action::{ActionResult, ActionSpec, Context, Effect, TypedAction};
use mainspring_model::state::{Digest, MAX_ITEMS, StateScope, StateWhat};
use mainspring_model::{Code, Fault};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::terms::{Commit, ask, name, ttl};
use crate::logic::compare::content_key;
use crate::logic::path::Keys;

pub(super) struct Unseen;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The name of the set that remembers, at most 512 bytes.
    #[schemars(length(min = 1, max = 512))]
    set: String,
    /// At most 100,000 items.
    items: Vec<Value>,
    /// A path, or a list of paths, that tells items apart, such as id. Without it the whole item does. An item without it is refused.
    by: Option<Keys>,
    /// How long an item is remembered after it was last seen, such as 90d; for ever unless written.
    #[serde(default)]
    ttl: Value,
    /// plan: this plan's own sets. organization: sets that all plans of the organization share.
    #[serde(default)]
    scope: StateScope,
    /// success: remembered when the run succeeds, so that a failed run sees the items again. now: at once.
    #[serde(default)]
    commit: Commit,
}

impl TypedAction for Unseen {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            effect: Effect::Idempotent,
            output: Some(json!({"type": "array"})),
            example: json!({"set": "articles", "items": [{"id": 1, "title": "One"}, {"id": 2, "title": "Two"}], "by": "id", "ttl": "90d"}),
            ..ActionSpec::of::<Params>("unseen", "Only new items", "Of a list, keeps the items that were not seen before.")
        }
    }

    fn call(&self, params: Params, _: &Context) -> impl Future<Output = ActionResult> + Send {
        ready(outcome(params))
    }
}

fn outcome(params: Params) -> ActionResult {
    let Params { set, items, by, scope, commit, .. } = params;
    let (set, ttl) = (name("set", set)?, ttl(&params.ttl)?);
    if items.len() > MAX_ITEMS {
        let message = format!("\"items\" has {} items and at most {MAX_ITEMS} are taken; ask for fewer at a time", items.len());
        return Err(Fault::new(Code::LIMIT_EXCEEDED, message));
    }
    let mut digests = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let key = match &by {
            // Without its key every such item would be the same one, seen once and then lost.
            Some(by) if by.paths().iter().all(|path| path.get_or_null(item).is_null()) => {
                let names: Vec<&str> = by.paths().iter().map(|path| path.name()).collect();
                let message = format!("item {index} has no \"{}\" to tell it from others; choose another \"by\"", names.join("\", \""));
                return Err(Fault::new(Code::INVALID_INPUT, message));
            }
            Some(by) => content_key(&by.of(item)),
            None => content_key(item),
        };
        digests.push(digest(&key));
    }
    ask(scope, set, commit, ttl, StateWhat::Unseen { items, digests })
}

fn digest(key: &str) -> Digest {
    let mut digest = Digest::default();
    digest.copy_from_slice(&Sha256::digest(key.as_bytes())[..16]);
    digest
}

#[cfg(test)]
mod tests {
    use mainspring_model::action::Outcome;

    use super::*;

    fn digests(params: Value) -> Result<Vec<Digest>, Fault> {
        match outcome(serde_json::from_value(params).unwrap())? {
            Outcome::State(ask) => match ask.what {
                StateWhat::Unseen { digests, .. } => Ok(digests),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn items_are_told_apart_by_what_was_said() {
        let items = json!([{"id": 1, "n": 1}, {"id": 1.0, "n": 2}, {"n": 1, "id": "1"}]);
        let by_id = digests(json!({"set": "s", "items": items, "by": "id"})).unwrap();
        assert!(by_id[0] == by_id[1] && by_id[0] != by_id[2]);
        let whole = digests(json!({"set": "s", "items": [{"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 1}]})).unwrap();
        assert!(whole[0] == whole[1] && whole[0] != whole[2]);
    }

    #[test]
    fn what_cannot_be_told_apart_is_refused() {
        let refused = digests(json!({"set": "s", "items": [{"id": 1}, {"name": "x"}], "by": "id"})).unwrap_err();
        assert!(refused.code == Code::INVALID_INPUT && refused.message.contains("item 1"), "{refused:?}");
        for set in ["", " ", "a\nb", &"x".repeat(513)] {
            assert_eq!(digests(json!({"set": set, "items": []})).unwrap_err().code, Code::INVALID_PARAMS, "{set:?}");
        }
        let many = vec![json!(1); MAX_ITEMS + 1];
        assert_eq!(digests(json!({"set": "s", "items": many})).unwrap_err().code, Code::LIMIT_EXCEEDED);
        assert_eq!(digests(json!({"set": "s", "items": [], "ttl": "0s"})).unwrap_err().code, Code::INVALID_PARAMS);
    }
}
