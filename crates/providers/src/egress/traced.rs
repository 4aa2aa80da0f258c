//! A call as a part of a trace: what it asked whom, how that ended, and, where the operator wants it, the ids on its way.

use http::header::HeaderValue;
use mainspring_model::Fault;
use mainspring_model::action::Context;
use mainspring_model::trace::{Ended, Side, Tracing};
use serde_json::json;

use super::{Answer, Egress, Request};

const TRACEPARENT: &str = "traceparent";

impl Egress {
    pub(super) async fn traced(&self, mut request: Request, cx: &Context, tracing: &Tracing) -> Result<Answer, Fault> {
        let Tracing { spans, at: attempt } = tracing;
        let at = attempt.at(spans.span());
        let host = request.url.host_str().unwrap_or_default().to_owned();
        if spans.reaches(&host)
            && let Ok(value) = HeaderValue::from_str(&at.to_string())
        {
            // A header that the plan writes itself stays. On a redirect to another origin it stays behind, as all unknown ones do.
            request.headers.entry(TRACEPARENT).or_insert(value);
        }
        if !at.sampled {
            return self.ask(request, cx).await;
        }
        // Neither path nor query: either may hold a secret that nobody told us of.
        let mut attributes = vec![
            ("http.request.method", json!(request.method.as_str())),
            ("server.address", json!(host)),
            ("server.port", json!(request.url.port_or_known_default())),
        ];
        let name = request.method.to_string();
        let began = cx.clock.monotonic_us();
        let answered = self.ask(request, cx).await;
        let fault = match &answered {
            Ok(answer) => {
                attributes.push(("http.response.status_code", json!(answer.status.as_u16())));
                let is_error = answer.status.is_client_error() || answer.status.is_server_error();
                is_error.then(|| answer.status.as_u16().to_string())
            }
            Err(fault) => Some(fault.code.to_string()),
        };
        spans.ended(Ended {
            at,
            parent: attempt.span,
            side: Side::Client,
            name: name.into(),
            took_us: cx.clock.monotonic_us().saturating_sub(began),
            attributes,
            fault,
        });
        answered
    }
}
