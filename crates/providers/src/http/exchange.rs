//! One request and its answer as a value: what every HTTP-shaped action ends in.

use mainspring_model::Fault;
use mainspring_model::action::{Context, Output};
use serde_json::Value;

use super::files::save;
use super::output::{output, read};
use super::params::ResponseType;
use crate::egress::{Answer, Egress, Request, status_fault};

/// How an answer is judged and read.
#[derive(Clone, Copy)]
pub(crate) struct Reading {
    pub response: ResponseType,
    pub fail_on_status: bool,
}

impl Default for Reading {
    fn default() -> Reading {
        Reading { response: ResponseType::Auto, fail_on_status: true }
    }
}

/// Sends, refuses an answer outside 2xx unless told otherwise, and reads the body.
pub(crate) async fn exchange(egress: &Egress, request: Request, reading: Reading, cx: &Context) -> Result<(Answer, Value), Fault> {
    // With redirects off the author asks to see them, so a 3xx is an answer like any other.
    let redirects_wanted = !request.follow_redirects;
    let mut answer = egress.send(request, cx).await?;
    let fine = answer.status.is_success() || (redirects_wanted && answer.status.is_redirection());
    if !fine && reading.fail_on_status {
        return Err(status_fault(&mut answer, cx.clock.as_ref()).await);
    }
    let value = match reading.response {
        ResponseType::File => save(&mut answer, cx).await?,
        kind => read(&mut answer, kind).await?,
    };
    Ok((answer, value))
}

/// The same as a step's output.
pub(crate) async fn exchanged(egress: &Egress, request: Request, reading: Reading, cx: &Context) -> Result<Output, Fault> {
    let (answer, value) = exchange(egress, request, reading, cx).await?;
    Ok(output(&answer, value))
}
