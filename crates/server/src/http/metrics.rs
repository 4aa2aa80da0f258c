//! `/metrics` on the server's own address: only for who has the token that the operator set.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, header};

use super::api::Shared;
use super::caller::unauthorized;
use super::problem::{Problem, Refusable};
use super::webhook_auth::same;
use crate::metrics::CONTENT_TYPE;

/// Figures for monitoring
///
/// In the text format of OpenMetrics. Served here only when `MAINSPRING_METRICS_TOKEN` is set, to callers that send it as a
/// bearer token; `--metrics-listen` serves them on an address of their own instead.
#[utoipa::path(get, path = "/metrics", tag = "server", security(("metrics_token" = [])), responses(
    (status = 200, description = "OpenMetrics text.", body = String, content_type = "application/openmetrics-text"),
    (status = 401, description = "The token is missing or wrong."),
    (status = 404, description = "No token is set, so the figures are not served here."),
))]
pub async fn get_metrics(State(api): Shared, headers: HeaderMap) -> Refusable<Response> {
    let Some(token) = &api.mode.metrics_token else {
        return Err(Problem::not_found("the address /metrics"));
    };
    let sent = headers.get(header::AUTHORIZATION).and_then(|sent| sent.to_str().ok()?.strip_prefix("Bearer "));
    if !sent.is_some_and(|sent| same(sent.trim().as_bytes(), token.expose().as_bytes())) {
        return Err(unauthorized("send the metrics token as Authorization: Bearer …"));
    }
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], api.metrics.text(&api)).into_response())
}
