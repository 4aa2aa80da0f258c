//! Takes reports without waiting, and sends them one after another. Who floods is cut short, and a receiver that does not answer loses them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use mainspring_model::action::Context;
use mainspring_model::clock::Clock;
use mainspring_model::id::Owner;
use mainspring_providers::egress::{Egress, Request};
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use super::dsn::Dsn;
use super::envelope::{Report, Sender};
use crate::settings::Settings;
use crate::wire;

/// Reports that wait; more are dropped.
const QUEUE: usize = 64;
/// Between two reports of the same thing, in milliseconds.
const SAME: i64 = 60_000;
/// Different things that are remembered.
const MOST_KINDS: usize = 256;
/// For one report.
const PATIENCE: Duration = Duration::from_secs(10);
/// For the last ones of a process that ends, in milliseconds.
const LAST: i64 = 2_000;
/// After an answer that asks for rest and does not say for how long, in milliseconds.
const REST: i64 = 60_000;

/// One per server whose operator gave a DSN.
pub struct Reporter {
    queue: mpsc::Sender<Job>,
    told: Mutex<HashMap<String, i64>>,
    clock: Arc<dyn Clock>,
    lost: AtomicBool,
}

enum Job {
    Report(Box<Report>),
    /// Everything before it was sent or given up.
    Done(tokio::sync::oneshot::Sender<()>),
}

impl Reporter {
    /// Begins to send, when there is a DSN that is one; what is wrong with another the checks of the start say.
    pub fn begin(settings: &Settings, clock: Arc<dyn Clock>) -> Option<Arc<Reporter>> {
        let dsn = Dsn::parse(settings.sentry_dsn.as_ref()?.expose()).ok()?;
        let egress = wire::way_to(&dsn.host, settings.listen).ok()?;
        let (queue, mut jobs) = mpsc::channel(QUEUE);
        let reporter = Arc::new(Reporter { queue, told: Mutex::default(), clock: clock.clone(), lost: AtomicBool::new(false) });
        let from = Sender { environment: settings.environment.clone(), node: settings.listen.to_string() };
        let sending = reporter.clone();
        tokio::spawn(async move {
            let mut rests_until = i64::MIN;
            while let Some(job) = jobs.recv().await {
                match job {
                    Job::Report(report) if clock.now() >= rests_until => {
                        if let Some(rest) = sending.send(&egress, &dsn, report.written(&from)).await {
                            rests_until = clock.now().saturating_add(rest);
                        }
                    }
                    Job::Report(_) => {}
                    // Whoever waited may be gone.
                    Job::Done(done) => drop(done.send(())),
                }
            }
        });
        Some(reporter)
    }

    /// Takes a report, unless the same thing was reported a moment ago or too many wait.
    pub fn report(&self, message: &str, code: Option<String>, tags: Map<String, Value>, said: Map<String, Value>, fatal: bool) {
        let at = self.clock.now();
        let kind = format!("{} {message}", code.as_deref().unwrap_or_default());
        {
            let mut told = self.told.lock().expect("no panic happens while the kinds are held");
            if told.get(&kind).is_some_and(|last| at < last.saturating_add(SAME)) {
                return;
            }
            if told.len() >= MOST_KINDS {
                told.clear();
            }
            told.insert(kind, at);
        }
        let report = Report { id: wire::random_id(), at, fatal, message: message.to_owned(), code, tags, said };
        // A full queue loses it: nobody waits for a report.
        drop(self.queue.try_send(Job::Report(Box::new(report))));
    }

    /// Until what waits was sent, within a bound.
    pub async fn finish(&self) {
        let (done, finished) = tokio::sync::oneshot::channel();
        let all = async {
            if self.queue.send(Job::Done(done)).await.is_ok() {
                drop(finished.await);
            }
        };
        tokio::select! {
            () = all => {}
            () = self.clock.sleep_until(self.clock.now() + LAST) => {}
        }
    }

    /// For how long nothing more is to be sent, in milliseconds, when the receiver asked for that.
    async fn send(&self, egress: &Egress, dsn: &Dsn, envelope: String) -> Option<i64> {
        let failure = match ask(egress, dsn, &self.clock, envelope).await {
            Ok((status, _)) if status.is_success() => None,
            Ok((StatusCode::TOO_MANY_REQUESTS, rest)) => return Some(rest.unwrap_or(REST)),
            Ok((status, _)) => Some(format!("it answered {status}")),
            Err(reason) => Some(reason),
        };
        match failure {
            Some(reason) if !self.lost.swap(true, Ordering::Relaxed) => {
                tracing::warn!(reason, "the receiver of error reports takes nothing; they are dropped until it does");
            }
            None => self.lost.store(false, Ordering::Relaxed),
            Some(_) => {}
        }
        None
    }
}

async fn ask(egress: &Egress, dsn: &Dsn, clock: &Arc<dyn Clock>, envelope: String) -> Result<(StatusCode, Option<i64>), String> {
    let mut request = Request::new(Method::POST, dsn.address.clone());
    let auth = format!("Sentry sentry_version=7, sentry_client=mainspring/{}, sentry_key={}", env!("CARGO_PKG_VERSION"), dsn.key);
    let auth = HeaderValue::from_str(&auth).map_err(|error| error.to_string())?;
    request.headers.insert(HeaderName::from_static("x-sentry-auth"), auth);
    request.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-sentry-envelope"));
    request.body = Some(Bytes::from(envelope));
    request.timeout = Some(PATIENCE);
    request.max_bytes = Some(64 << 10);
    // What the operator named gets the key, and nobody whom that names.
    request.follow_redirects = false;
    let cx = Context::apart(Owner::LOCAL, "reports", clock.clone(), PATIENCE);
    let answer = egress.send(request, &cx).await.map_err(|fault| fault.to_string())?;
    let rest = answer.headers.get(header::RETRY_AFTER).and_then(|rest| rest.to_str().ok()?.parse::<i64>().ok());
    Ok((answer.status, rest.map(|seconds| seconds.saturating_mul(1_000))))
}
