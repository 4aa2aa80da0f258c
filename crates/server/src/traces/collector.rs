//! The way to the collector: our own client, on which nobody waits. What it does not take is lost, and the log says so once.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use mainspring_model::action::Context;
use mainspring_model::clock::Clock;
use mainspring_model::id::Owner;
use mainspring_providers::egress::{Egress, Request};
use opentelemetry_http::{HttpClient, HttpError};
use tokio::runtime::Handle;
use url::Url;

/// For one batch.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Collector {
    pub egress: Arc<Egress>,
    pub clock: Arc<dyn Clock>,
    /// The exporter's own thread has none.
    pub runtime: Handle,
    pub lost: Arc<AtomicBool>,
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Collector")
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, HttpError> {
        let (egress, clock) = (self.egress.clone(), self.clock.clone());
        let sent = self.runtime.spawn(async move { send(&egress, clock, request).await }).await?;
        let failure = match &sent {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(format!("it answered {}", answer.status())),
            Err(reason) => Some(reason.clone()),
        };
        match failure {
            Some(reason) if !self.lost.swap(true, Ordering::Relaxed) => {
                tracing::warn!(reason, "the collector of traces takes nothing; spans are dropped until it does");
            }
            None if self.lost.swap(false, Ordering::Relaxed) => tracing::info!("the collector of traces takes spans again"),
            _ => {}
        }
        Ok(sent?)
    }
}

async fn send(egress: &Egress, clock: Arc<dyn Clock>, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, String> {
    let (head, body) = request.into_parts();
    let url = Url::parse(&head.uri.to_string()).map_err(|error| error.to_string())?;
    let mut outgoing = Request::new(head.method, url);
    outgoing.headers = head.headers;
    outgoing.body = Some(body);
    outgoing.timeout = Some(PATIENCE);
    outgoing.max_bytes = Some(1 << 20);
    // What the operator named gets the headers, and nobody whom that names.
    outgoing.follow_redirects = false;
    // Itself not traced: a span about spans would never end.
    let cx = Context::apart(Owner::LOCAL, "traces", clock, PATIENCE);
    let mut answer = egress.send(outgoing, &cx).await.map_err(|fault| fault.to_string())?;
    let bytes = answer.bytes().await.map_err(|fault| fault.to_string())?;
    let mut response = http::Response::new(bytes);
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    Ok(response)
}
