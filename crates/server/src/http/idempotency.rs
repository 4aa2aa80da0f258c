//! `Idempotency-Key`: the same key and body gives the first answer again, the same key with another body is refused.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode, header};
use mainspring_model::store::{IdempotentAnswer, Remembered};
use sha2::{Digest, Sha256};
use tracing::Instrument;

use super::api::Api;
use super::audit;
use super::caller::Caller;
use super::problem::{Problem, Refusable};
use super::reply::Reply;
use crate::traces;

/// A write's idempotency key, and what it was sent with.
#[derive(Clone, Debug)]
pub struct Once {
    pub key: String,
    /// SHA-256 of method, path and body.
    fingerprint: Vec<u8>,
}

const MAX_KEY: usize = 255;

impl Once {
    pub fn of(parts: &Parts, body: &[u8]) -> Refusable<Option<Once>> {
        let Some(value) = parts.headers.get("idempotency-key") else { return Ok(None) };
        let key = value.to_str().ok().map(str::trim).filter(|key| !key.is_empty() && key.len() <= MAX_KEY);
        let key = key.ok_or_else(|| Problem::malformed(format!("Idempotency-Key must be 1 to {MAX_KEY} plain characters")))?;
        let mut hash = Sha256::new();
        for part in [parts.method.as_str().as_bytes(), parts.uri.path().as_bytes()] {
            hash.update(part);
            hash.update([0]);
        }
        hash.update(body);
        Ok(Some(Once { key: key.to_owned(), fingerprint: hash.finalize().to_vec() }))
    }

    /// A key for what the write makes: another body under the same key, a day later, is another thing.
    pub fn for_run(&self) -> String {
        let print: String = self.fingerprint.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        format!("request/{}/{print}", self.key)
    }
}

/// Does the write once per key. A refused write leaves no trace: it may be mended and sent again under its key.
pub async fn once(
    api: Arc<Api>,
    caller: Caller,
    once: Option<Once>,
    write: impl Future<Output = Refusable<Reply>> + Send + 'static,
) -> Refusable<Reply> {
    let Some(once) = once else { return write.await };
    // Apart from the connection: a caller that goes away must not leave a write without its answer.
    tokio::spawn(traces::carried(audit::carried(audit::trail(), remembered(api, caller, once, write))).in_current_span())
        .await
        .unwrap_or_else(|error| Err(Problem::internal(error)))
}

async fn remembered(api: Arc<Api>, caller: Caller, once: Once, write: impl Future<Output = Refusable<Reply>>) -> Refusable<Reply> {
    let Once { key, fingerprint } = &once;
    let org = caller.owner.org;
    match api.store.begin_idempotent(org, key, fingerprint).await? {
        Remembered::Started => {}
        Remembered::InProgress => {
            return Err(Problem::conflict("the first request with this Idempotency-Key is not answered yet").retry_after(1));
        }
        Remembered::Answered(first) if first.fingerprint == *fingerprint => {
            audit::nothing_done();
            return Ok(again(first));
        }
        Remembered::Answered(_) => {
            let detail = "this Idempotency-Key was used for another request; take a new key";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "IDEMPOTENCY_KEY_REUSED", detail));
        }
    }
    let done = write.await;
    let noted = match &done {
        Ok(reply) => api.store.finish_idempotent(org, key, &answer_of(reply, fingerprint)).await,
        Err(_) => api.store.forget_idempotent(org, key).await,
    };
    if let Err(error) = noted {
        // The write happened: its answer counts more than its memory.
        tracing::warn!(%error, "an idempotent answer was not kept");
    }
    done
}

fn answer_of(reply: &Reply, fingerprint: &[u8]) -> IdempotentAnswer {
    let worth = |name: &HeaderName| *name == header::LOCATION || *name == header::ETAG;
    let headers = reply.headers.iter().filter(|(name, _)| worth(name));
    IdempotentAnswer {
        fingerprint: fingerprint.to_vec(),
        status: reply.status.as_u16(),
        headers: headers.filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))).collect(),
        body: reply.body.to_vec(),
    }
}

fn again(first: IdempotentAnswer) -> Reply {
    let header = |(name, value): (String, String)| Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_str(&value).ok()?));
    Reply {
        status: StatusCode::from_u16(first.status).unwrap_or(StatusCode::OK),
        headers: first.headers.into_iter().filter_map(header).collect(),
        body: first.body.into(),
    }
}
