//! `logic.fail`: an ordinary failure with the plan author's own code, never retried.

use std::future::{Future, ready};

use mainspring_model::action::{ActionResult, ActionSpec, Context, Effect, TypedAction};
use mainspring_model::{Class, Code, Fault};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

pub(super) struct Fail;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The plan's own code: USER_ and capital letters, digits or _.
    #[schemars(regex(pattern = r"^USER_[A-Z0-9_]+$"))]
    code: String,
    /// What went wrong, for people.
    message: String,
}

impl TypedAction for Fail {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            effect: Effect::Read,
            computes: true,
            example: json!({"code": "USER_NO_STOCK", "message": "The item is sold out"}),
            ..ActionSpec::of::<Params>("fail", "Fail", "Fails with a code and message of the plan's own.")
        }
    }

    fn call(&self, params: Params, _: &Context) -> impl Future<Output = ActionResult> + Send {
        ready(Err(fault(params)))
    }
}

fn fault(params: Params) -> Fault {
    let name = params.code.strip_prefix("USER_").filter(|name| !name.is_empty());
    let well_formed = name.is_some_and(|name| name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_'));
    if !well_formed {
        let message = format!("\"{}\" is not a code of a plan's own; write USER_ and capital letters, such as USER_NO_STOCK", params.code);
        return Fault::invalid_params(message);
    }
    Fault { retryable: false, ..Fault::new(Code::other(params.code), params.message).class(Class::User) }
}
