//! Limits at the edge: whose budget a request is counted in, and what the answer says about it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::Request;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};

use super::api::Api;
use super::caller::By;
use super::problem::{Problem, Refusable};
use super::{caller, socket, webhook_request};
use crate::limits::{Door, Limits, Standing, Subject};

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// Counts a request; `None` when its path is not limited.
pub fn count(api: &Api, limits: &Limits, peer: Option<SocketAddr>, request: &Request) -> impl Future<Output = Option<Standing>> + Send {
    // The body is not looked at, and may not be shared between threads.
    let (headers, uri) = (request.headers(), request.uri());
    async move {
        if is_free(uri.path()) {
            return None;
        }
        let door = Door::at(uri.path());
        if door.is_none() && !limits.is_general() {
            return None;
        }
        // Without a socket there is no address: everybody is one.
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
        let address = limits.client(peer, headers);
        let at_door = match door {
            Some(door) => Some(limits.take(Subject::door(door, address)).await).filter(|standing| standing.limit > 0),
            None => None,
        };
        if at_door.is_some_and(|standing| !standing.allowed) || !limits.is_general() {
            return at_door;
        }
        let everywhere = match subject(api, limits, address, headers, uri).await {
            Ok(subject) => limits.take(subject).await,
            Err(refused) => refused,
        };
        // The tighter one is told, unless the other refuses.
        Some(at_door.filter(|_| everywhere.allowed).unwrap_or(everywhere))
    }
}

/// What watches the server must see it also, and most of all, when it is busy.
pub fn is_free(path: &str) -> bool {
    path.starts_with("/health/") || path == "/api/health" || path == "/metrics"
}

/// Whose budget a request is counted in. An error is a refusal that was found without asking the store.
async fn subject(api: &Api, limits: &Limits, address: IpAddr, headers: &HeaderMap, uri: &Uri) -> Result<Subject, Standing> {
    if uri.path().starts_with("/api/webhook/") {
        let path = webhook_request::path_of(uri);
        // A path that does not exist is no subject: whoever tries out paths would have a budget for each.
        let known = api.webhooks.at(&path).is_some();
        return Ok(if known { Subject::hook(address, &path) } else { Subject::address(address) });
    }
    // A WebSocket's key may be in another header.
    let opened;
    let headers = if uri.path() == "/api/ws" {
        opened = socket::identity(headers);
        &opened
    } else {
        headers
    };
    let by_address = Subject::address(address);
    if api.mode.dev {
        return Ok(by_address);
    }
    // Who names no key that can be right is whoever sits at that address; the handler tells it so.
    let hash = match caller::sign(api, headers) {
        Ok(caller::Sign::Key(hash)) => hash,
        // Signed by us: nobody guesses those, so no look at the store has to be spared.
        Ok(caller::Sign::Access(token)) => return Ok(Subject::User(token.user)),
        _ => return Ok(by_address),
    };
    // Guessed keys cost a look at the store each, so only an address that has some budget left may have one looked up.
    if !caller::was_right(api, &hash) {
        let standing = limits.look(&by_address);
        if !standing.allowed {
            return Err(standing);
        }
    }
    Ok(match caller::by_key(api, hash).await.map(|caller| caller.by) {
        Ok(By::Key(key)) => Subject::Key(key),
        _ => by_address,
    })
}

/// Refuses what is over a limit.
pub fn admit(standing: Option<Standing>) -> Refusable<()> {
    let Some(Standing { allowed: false, limit, per, again, .. }) = standing else { return Ok(()) };
    let detail = format!("too many requests: the limit is {limit} per {per}, and the next one is taken in {again} s");
    Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", detail).retry_after(again))
}

/// Says how much is left.
pub fn tell(headers: &mut HeaderMap, standing: Standing) {
    headers.insert(LIMIT, HeaderValue::from(standing.limit));
    headers.insert(REMAINING, HeaderValue::from(standing.remaining));
    headers.insert(RESET, HeaderValue::from(standing.reset));
}
