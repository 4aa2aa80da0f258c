//! Reads secrets of key-value stores (version 2) of a HashiCorp Vault, and remembers each for half a minute.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::Method;
use mainspring_engine::Unread;
use mainspring_model::action::Context;
use mainspring_model::clock::{Clock, Millis};
use mainspring_model::credential::Secret;
use mainspring_model::fault::Fault;
use mainspring_model::id::Owner;
use mainspring_providers::egress::{Egress, Request};
use serde_json::Value;
use url::Url;

/// A Vault that takes longer is taken as away.
const PATIENCE: Duration = Duration::from_secs(5);
/// Vault itself takes no larger secret.
const MOST_BYTES: usize = 1 << 20;
/// How long a secret is remembered, in milliseconds.
const KEPT: Millis = 30_000;
/// Secrets that are remembered at once.
const MOST: usize = 1_000;

type Fields = Arc<BTreeMap<String, Secret>>;

pub(super) struct VaultKv {
    /// To that host alone, wherever it stands.
    pub egress: Arc<Egress>,
    pub clock: Arc<dyn Clock>,
    pub url: Url,
    pub token: Secret,
    /// By mount and path, with the moment of the answer.
    pub kept: Mutex<HashMap<String, (Millis, Fields)>>,
}

impl VaultKv {
    pub(super) async fn read(&self, owner: Owner, mount: &str, path: &str, field: &str) -> Result<Secret, Unread> {
        let place = format!("{mount}/data/{path}");
        let fields = match self.known(&place) {
            Some(fields) => fields,
            None => {
                let fields = Arc::new(self.ask(owner, &place).await?);
                let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() >= MOST {
                    kept.clear();
                }
                kept.insert(place, (self.clock.now(), fields.clone()));
                fields
            }
        };
        fields.get(field).cloned().ok_or_else(|| Unread::Refused("the secret has no text field of that name".to_owned()))
    }

    fn known(&self, place: &str) -> Option<Fields> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, fields) = kept.get(place)?;
        (0..KEPT).contains(&(self.clock.now() - at)).then(|| fields.clone())
    }

    async fn ask(&self, owner: Owner, place: &str) -> Result<BTreeMap<String, Secret>, Unread> {
        let url = format!("{}/v1/{place}", self.url.as_str().trim_end_matches('/'));
        let (status, body) = self.get(owner, &url).await.map_err(|fault| {
            // Where it stands is the operator's business, and the text goes to who wrote the plan.
            tracing::warn!(%fault, "Vault could not be asked");
            let text = format!("Vault could not be asked ({})", fault.code);
            if fault.retryable { Unread::Away(text) } else { Unread::Refused(text) }
        })?;
        let refused = |text: &str| Err(Unread::Refused(format!("Vault answered {status}: {text}")));
        match status {
            200 => {}
            404 => return refused("there is no such secret, or its newest version is deleted"),
            401 | 403 => return refused("its token may not read this, or has ended"),
            429 | 472 | 473 | 500..=599 => return Err(Unread::Away(format!("Vault answered {status}"))),
            _ => return refused("nothing that a secret can be read from"),
        }
        let Some(Value::Object(data)) = serde_json::from_slice::<Value>(&body).ok().map(|mut answer| answer["data"]["data"].take()) else {
            return refused("nothing that a secret can be read from; is the mount a key-value store of version 2?");
        };
        let texts = data.into_iter().filter_map(|(name, value)| match value {
            Value::String(text) => Some((name, Secret::new(text))),
            _ => None,
        });
        Ok(texts.collect())
    }

    async fn get(&self, owner: Owner, url: &str) -> Result<(u16, Vec<u8>), Fault> {
        let mut request = Request::new(Method::GET, Request::parse_url(url)?);
        // The token stays with the server that it was set for.
        request.follow_redirects = false;
        request.timeout = Some(PATIENCE);
        request.max_bytes = Some(MOST_BYTES);
        request.secret_header("x-vault-token", self.token.expose())?;
        let cx = Context::apart(owner, "vault", self.clock.clone(), PATIENCE);
        let mut answer = self.egress.send(request, &cx).await?;
        Ok((answer.status.as_u16(), answer.bytes().await?.to_vec()))
    }
}
