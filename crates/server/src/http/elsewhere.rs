//! Callers that wait on a node that does not drive their run: it is another node's, and is looked at in the store.

use std::pin::pin;

use futures_util::future::{Either, select};
use mainspring_engine::RunHandle;
use mainspring_model::event::{EventBody, Mark};
use mainspring_model::id::{OrgId, RunId};
use mainspring_model::run::RunStatus;
use serde_json::Value;

use super::api::Api;
use super::execution;
use super::problem::Refusable;

/// Between two looks, in milliseconds: soon at first, the last one over and over.
const LOOKS: [i64; 6] = [10, 20, 40, 80, 160, 250];

/// Whether the run, started here, is driven by others, or will be.
pub fn is_elsewhere(api: &Api, handle: &RunHandle) -> bool {
    !api.mode.roles.worker || handle.leaves
}

/// Returns when the run has ended or waits itself, or when callers are no longer held. With `for_response`, also as soon as
/// `logic.respond` has said something, which is then given.
pub async fn wait(api: &Api, org: OrgId, run: RunId, for_response: bool) -> Refusable<Option<Value>> {
    let looking = async {
        let mut number = 0;
        loop {
            if let Seen::Enough(said) = look(api, org, run, for_response).await? {
                return Ok(said);
            }
            let pause = LOOKS[number.min(LOOKS.len() - 1)];
            number += 1;
            api.clock.sleep_until(api.clock.now() + pause).await;
        }
    };
    match select(pin!(looking), pin!(execution::held(api))).await {
        Either::Left((said, _)) => said,
        Either::Right(((), _)) => Ok(None),
    }
}

enum Seen {
    Enough(Option<Value>),
    NotYet,
}

async fn look(api: &Api, org: OrgId, run: RunId, for_response: bool) -> Refusable<Seen> {
    let status = api.store.get_run(org, run).await?.map(|run| run.status);
    let over = status.is_none_or(|status| status.is_terminal() || matches!(status, RunStatus::Waiting | RunStatus::Paused));
    // After the status: what is said before an end is in the journal when the end is seen.
    let said = if for_response { response(api, org, run).await? } else { None };
    Ok(if over || said.is_some() { Seen::Enough(said) } else { Seen::NotYet })
}

async fn response(api: &Api, org: OrgId, run: RunId) -> Refusable<Option<Value>> {
    let mut history = api.store.history(run).await?;
    mainspring_engine::hydrate(&*api.store, org, &mut history).await?;
    Ok(history.into_iter().find_map(|event| match event.body {
        EventBody::Attempted(attempt) if attempt.mark == Some(Mark::Respond) => Some(attempt.output),
        _ => None,
    }))
}
