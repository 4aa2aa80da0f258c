//! The way to token endpoints through the guard, and who hears of a credential that has to be connected again.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};
use mainspring_engine::{TokenEndpoint, TokenRequest};
use mainspring_model::action::Context;
use mainspring_model::clock::Clock;
use mainspring_model::credential::Secret;
use mainspring_model::fault::{Code, Fault};
use mainspring_providers::egress::{Egress, Request};

use crate::app::App;
use crate::notify::credential_needs_reconnect;

/// A token endpoint that takes longer is taken as away.
const PATIENCE: Duration = Duration::from_secs(10);
/// An answer with tokens is small.
const MOST_BYTES: usize = 64 << 10;
/// Credentials that were told of and are remembered.
const MOST: usize = 10_000;

pub(super) struct Guarded {
    pub egress: Arc<Egress>,
    pub clock: Arc<dyn Clock>,
}

#[async_trait]
impl TokenEndpoint for Guarded {
    async fn ask(&self, wanted: TokenRequest) -> Result<(u16, Vec<u8>), Fault> {
        let url = Request::parse_url(&wanted.url)?;
        let (host, port) = (url.host_str().unwrap_or_default().to_owned(), url.port_or_known_default().unwrap_or(0));
        if !wanted.bindings.iter().all(|credential| credential.is_for(&host, port)) {
            let text = format!("the token_url is at {host}, and the credential is not for it; add the host to the credential's hosts");
            return Err(Fault::new(Code::CREDENTIAL_HOST, text));
        }
        let mut request = Request::new(Method::POST, url);
        // A refresh token stays with the server that it was given for.
        request.follow_redirects = false;
        request.timeout = Some(PATIENCE);
        request.max_bytes = Some(MOST_BYTES);
        request = request.header(HeaderName::from_static("content-type"), HeaderValue::from_static("application/x-www-form-urlencoded"));
        request = request.header(HeaderName::from_static("accept"), HeaderValue::from_static("application/json"));
        if let Some(authorization) = &wanted.authorization {
            request.secret_header("authorization", authorization.expose())?;
        }
        request.body = Some(Bytes::from(encoded(&wanted.form)));
        let cx = Context::apart(wanted.record.owner, "token", self.clock.clone(), PATIENCE);
        let mut answer = self.egress.send(request, &cx).await?;
        let body = answer.bytes().await?;
        Ok((answer.status.as_u16(), body.to_vec()))
    }
}

fn encoded(form: &[(&'static str, Secret)]) -> String {
    let mut text = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in form {
        text.append_pair(name, value.expose());
    }
    text.finish()
}

/// Makes the notices of credentials that have to be connected again. A use tells of it each time, so that one which a kill swallowed
/// is made at the next; there is one message for each.
pub(super) fn tell_of_reconnects(app: &Arc<App>) {
    let app: Weak<App> = Arc::downgrade(app);
    let told = Arc::new(Mutex::new(HashSet::new()));
    let Some(known) = app.upgrade() else { return };
    known.engine.credentials().on_needs_reconnect(Box::new(move |record, since| {
        let Some(app) = app.upgrade() else { return };
        let (told, record) = (told.clone(), record.clone());
        {
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            if told.len() >= MOST {
                told.clear();
            }
            if !told.insert((record.id, since)) {
                return;
            }
        }
        tokio::spawn(async move {
            if let Err(error) = credential_needs_reconnect(&app, &record.owner, record.id, &record.provider, &record.name, since).await {
                tracing::error!(%error, credential = %record.id, "nobody was told of a credential that has to be connected again");
                told.lock().unwrap_or_else(PoisonError::into_inner).remove(&(record.id, since));
            }
        });
    }));
}
