//! Turns under the `rate` of a step: asked for in the store right before the call, and again when they come.

use std::time::Duration;

use mainspring_model::clock::Millis;
use mainspring_model::credential::Credential;
use mainspring_model::rate::{Turn, TurnAsk, Waiter, key_of, look_again, slack, window};
use mainspring_model::run::RunHeader;
use serde_json::json;

use crate::driver::HOLD;
use crate::engine::Inner;
use crate::run::{Call, RateTerms};

/// Turns that were let go by in a row before the step lies down: whatever stands still for so long needs room.
const TRIES: u32 = 3;

impl Inner {
    /// Counts the call. `None`: it begins now; otherwise not before this moment, when its turn is asked for again.
    pub(crate) async fn wait_for_turn(
        &self,
        header: &RunHeader,
        call: &Call,
        rate: &RateTerms,
        credential: Option<&Credential>,
    ) -> Option<Millis> {
        let counted = match (&rate.key, credential) {
            (Some(key), _) => json!(["key", key]),
            (None, Some(Credential { id: Some(id), .. })) => json!(["credential", id]),
            (None, _) => json!(["provider", call.provider]),
        };
        let ask = TurnAsk {
            org: header.owner.org,
            key: key_of(&counted),
            limit: rate.limit,
            window: window(rate.per),
            waits: Some(Waiter::of(header.id, &call.path)),
        };
        for _ in 0..TRIES {
            let asked = self.clock.monotonic_us();
            match self.store.take_turn(&ask).await {
                Ok(Turn::At(at)) => return Some(look_again(self.clock.now(), at)),
                Ok(Turn::Now) if Duration::from_micros(self.clock.monotonic_us().saturating_sub(asked)) <= slack(rate.per) => return None,
                // It took so long that others may begin meanwhile: this turn counts, and is let go.
                Ok(Turn::Now) => {}
                Err(error) => {
                    tracing::warn!(%error, step_id = call.path, "the turn of a step could not be asked for; trying again");
                    break;
                }
            }
        }
        Some(self.clock.now().saturating_add(HOLD))
    }

    /// What is left behind is passed over when its time comes, and pruned.
    pub(crate) async fn forget_turns(&self, header: &RunHeader) {
        if let Err(error) = self.store.forget_turns(header.owner.org, header.id).await {
            tracing::debug!(run = %header.id, %error, "the places of a run that ended were not given up");
        }
    }
}
