//! Requests of people who have not said who they are: their body, and where they come from.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Request};
use http::request::Parts;
use http::{HeaderMap, StatusCode, header};
use mainspring_model::lockout::{Admission, Rule};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::http::api::Api;
use crate::http::audit::Origin;
use crate::http::body::{self, is_json, parse, typed};
use crate::http::cookie;
use crate::http::problem::{Problem, Refusable};
use crate::identity::sessions::Client;
use crate::limits::Subject;

/// A write of anybody's: its JSON body as `T`, and who sent it as far as that can be seen.
pub struct PublicWrite<T> {
    pub body: T,
    pub sender: Sender,
}

impl<T: DeserializeOwned + Send + 'static> FromRequest<Arc<Api>> for PublicWrite<T> {
    type Rejection = Box<Problem>;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, Box<Problem>> {
        let (mut parts, body) = request.into_parts();
        let sender = Sender::from_request_parts(&mut parts, api).await?;
        if !is_json(&parts.headers) {
            let detail = "the body must be JSON: send Content-Type: application/json";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", detail));
        }
        let text = body::read(api, body).await?;
        Ok(PublicWrite { body: typed(&parse(&text)?)?, sender })
    }
}

/// Who sends, as far as that can be seen.
#[derive(Clone, Debug)]
pub struct Sender {
    address: IpAddr,
    pub client: Client,
}

impl FromRequestParts<Arc<Api>> for Sender {
    type Rejection = Box<Problem>;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Api>) -> Result<Self, Box<Problem>> {
        let address = parts.extensions.get::<Origin>().and_then(|origin| origin.address).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        Ok(Sender { address, client: client(address, &parts.headers) })
    }
}

fn client(address: IpAddr, headers: &HeaderMap) -> Client {
    let device = headers.get(header::USER_AGENT).map(|agent| String::from_utf8_lossy(agent.as_bytes()).into_owned()).unwrap_or_default();
    Client { device, address: address.to_canonical().to_string(), browser: cookie::is_from_own_page(headers) }
}

impl Sender {
    /// Under what attempts from here are counted: an address, or the IPv6 network that one customer has.
    pub fn key(&self, what: &str) -> String {
        format!("{what}:{}", Subject::address(self.address))
    }
}

/// Under what attempts at one account are counted; the address itself is nobody's business in a table of attempts.
pub fn account_key(what: &str, email: &str) -> String {
    let hash = Sha256::digest(mainspring_model::store::email_key(email));
    format!("{what}:account:{}", hash[..16].iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// Counts an attempt.
///
/// # Errors
/// 429 `TOO_MANY_ATTEMPTS` when it is too early for another.
pub async fn attempt(api: &Api, key: &str, rule: &Rule) -> Refusable<()> {
    match api.store.attempt(key, rule).await? {
        Admission::Admitted => Ok(()),
        Admission::Refused { until } => {
            let seconds = u32::try_from((until - api.clock.now()).max(0) / 1_000 + 1).unwrap_or(u32::MAX);
            let detail = format!("there were too many attempts; the next one is taken in {seconds} s");
            Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_ATTEMPTS", detail).retry_after(seconds))
        }
    }
}
