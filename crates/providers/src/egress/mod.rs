//! The only way out, and the only HTTP client: every request of every provider leaves here, judged before it connects and counted as it answers.
//!
//! Invariants: an address is judged in the same answer that is connected to; redirects are followed by hand, each hop
//! judged anew; on a change of origin no credential, no body and no unknown header goes along; cookies are never kept;
//! no proxy variable is read; decompressed bytes are counted.

mod address;
mod allowed;
mod answer;
mod binding;
mod breaker;
mod budget;
mod circuit;
mod client;
mod decode;
mod departure;
mod dial;
mod fault;
mod gate;
mod large;
mod org_rules;
mod policy;
pub(crate) mod query;
mod rate_headers;
mod redirect;
mod request;
mod resolve;
mod retry_after;
mod status;
mod stream;
mod target;
mod traced;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{BoxFuture, Either, select};
use http::Method;
use http::header::{self, HeaderValue};
use mainspring_model::action::Context;
use mainspring_model::clock::Millis;
use mainspring_model::id::OrgId;
use mainspring_model::{Code, Effected, Fault};
use url::Url;

pub use address::{Kind, kind};
pub use allowed::{AllowedHost, BadEntry};
pub use answer::{Answer, text};
pub use breaker::{Breaker, HostState};
pub use circuit::State as HostCircuit;
pub use dial::Dialled;
pub use policy::{Blocked, By, Limits, Mode, Policy};
pub use request::{Request, header_name, header_value};
pub use resolve::{Lookup, SystemLookup, Unresolved};
pub use status::{said, status_fault};
pub use stream::{Pieces, Streamed};
pub use target::Place;

use answer::{Body, Large};
use client::{Clients, Key};
use decode::Decoder;
use departure::{DepartingBody, Departure};
use fault::Phase;
use gate::Gate;
use large::Places;
use org_rules::{AllRules, Judge};
use retry_after::retry_after;
use target::Refused;

/// What an answer may be packed in.
const ACCEPT_ENCODING: HeaderValue = HeaderValue::from_static("gzip, deflate");
const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("Mainspring/", env!("CARGO_PKG_VERSION")));

/// The way out. One per process, shared by all providers, so that connections are reused across steps and runs.
pub struct Egress {
    policy: Arc<Policy>,
    clients: Clients,
    gate: Gate,
    breaker: Arc<Breaker>,
    rules: AllRules,
    lookups: Arc<resolve::Lookups>,
    trust: dial::Trust,
    large: Arc<Places>,
}

/// The call's time: one deadline for all hops and the body.
struct Time {
    deadline: BoxFuture<'static, ()>,
    length: Duration,
    /// The moment of the deadline.
    until: Millis,
}

impl Egress {
    /// Cheap: clients and certificates are made by the first call that needs them.
    pub fn new(policy: Policy) -> Egress {
        Egress::with_lookup(policy, Arc::new(SystemLookup))
    }

    /// With another resolver: a test's.
    pub fn with_lookup(policy: Policy, lookup: Arc<dyn Lookup>) -> Egress {
        let policy = Arc::new(policy);
        let lookups = Arc::new(resolve::Lookups::new(lookup));
        let breaker = Arc::new(Breaker::new(policy.limits.breaker_after));
        Egress {
            clients: Clients::new(policy.clone(), lookups.clone()),
            gate: Gate::new(policy.limits.connecting),
            breaker,
            rules: AllRules::default(),
            lookups,
            trust: dial::Trust::default(),
            large: Arc::new(Places::new()),
            policy,
        }
    }

    /// What each organization's plans may reach; those that are not named, or with nothing, have the operator's rules alone.
    pub fn set_rules(&self, all: Vec<(OrgId, Vec<AllowedHost>)>) {
        self.rules.set(all);
    }

    /// Judges a URL by itself, as calls of an organization would be: for what is checked before it is asked. A name is judged again
    /// when it is resolved.
    ///
    /// # Errors
    /// `INVALID_PARAMS` for a URL that cannot be asked, `BLOCKED_ADDRESS`.
    pub fn admits(&self, org: OrgId, url: &Url) -> Result<(), Fault> {
        let judge = Judge { policy: self.policy.clone(), org: self.rules.of(org) };
        admit(&Request::new(Method::GET, url.clone()), &judge)
    }

    /// What is known of the hosts that were asked.
    pub fn breaker(&self) -> &Breaker {
        &self.breaker
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Sends a request and follows its redirects; gives the answer as soon as its head has come, whatever its status.
    /// `cx.sent` is set when the first byte is about to leave.
    ///
    /// # Errors
    /// `INVALID_PARAMS` for a URL that cannot be asked, `BLOCKED_ADDRESS`, `CONNECTION_FAILED`, `TLS_FAILED`,
    /// `TIMEOUT`, `BAD_RESPONSE`, `CIRCUIT_OPEN`, each with `effect` as far as it is known.
    pub async fn send(&self, request: Request, cx: &Context) -> Result<Answer, Fault> {
        match &cx.tracing {
            None => self.ask(request, cx).await,
            // Its own allocation: without traces no call pays for the room.
            Some(tracing) => Box::pin(self.traced(request, cx, tracing)).await,
        }
    }

    async fn ask(&self, mut request: Request, cx: &Context) -> Result<Answer, Fault> {
        let judge = Judge { policy: self.policy.clone(), org: self.rules.of(cx.owner.org) };
        admit(&request, &judge)?;
        binding::check(&request, cx)?;
        request.url.set_fragment(None);
        request.headers.entry(header::ACCEPT_ENCODING).or_insert(ACCEPT_ENCODING);
        request.headers.entry(header::USER_AGENT).or_insert(USER_AGENT);
        let mut time = time(&request, cx);
        let mut stripped = false;
        for hop in 0.. {
            let place = Place::new(&request.method, &request.url);
            let answered = self.hop(&request, &place, &judge, &mut time, cx).await;
            // A later hop that stayed unsent does not undo that the first was answered.
            let response =
                answered.map_err(|fault| if hop > 0 && fault.effect == Effected::Unsent { fault.effect(Effected::Sent) } else { fault })?;
            if request.follow_redirects && redirect::is_redirect(response.status(), response.headers()) {
                if hop == self.policy.max_redirects {
                    let text = format!("{place} redirects again after {hop} redirects; write the final address into the step");
                    return Err(Fault::new(Code::BAD_RESPONSE, text).effect(Effected::Sent));
                }
                stripped |= redirect::follow(&mut request, response.status(), response.headers(), &judge)?;
                continue;
            }
            return self.answer(response, request, place, time, stripped, cx);
        }
        Err(Fault::internal("the redirect loop ended without an answer"))
    }

    async fn hop(
        &self,
        request: &Request,
        place: &Place,
        judge: &Judge,
        time: &mut Time,
        cx: &Context,
    ) -> Result<reqwest::Response, Fault> {
        let tls = request.url.scheme() == "https";
        let port = judge.ruled_port(request.url.port_or_known_default().unwrap_or(0));
        let org = judge.org.as_ref().map(|rules| (rules.org, rules.version));
        let client = self.clients.get(Key { tls, port, org }, judge).map_err(|error| fault::no_client(place, &error))?;
        // Before it: a probe that is held back would say nothing of the host.
        let spent = self.breaker.spend(cx.owner.org, request, cx.clock.now()).map_err(|held| fault::held_back(place, &held))?;
        let pass = self.breaker.pass(cx.owner.org, &request.url, &cx.clock, time.until).map_err(|held| fault::held_back(place, &held))?;
        let departure = Departure::new(cx.sent.clone(), cx.holds.clone());
        let body = DepartingBody::new(request, departure.clone());
        let mut outgoing = reqwest::Request::new(request.method.clone(), request.url.clone());
        *outgoing.headers_mut() = request.headers.clone();
        // hyper leaves it out, and some servers refuse a POST that does not say that it is empty (411).
        if body.is_empty() && matches!(request.method, Method::POST | Method::PUT | Method::PATCH) {
            outgoing.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        *outgoing.body_mut() = Some(reqwest::Body::wrap(body));
        let origin = target::origin(&request.url);
        let exchange = async {
            departure.hold(self.gate.pass(&origin).await);
            client.execute(outgoing).await
        };
        match select(std::pin::pin!(exchange), &mut time.deadline).await {
            Either::Left((Ok(answer), _)) => {
                tracing::debug!(call = %place, status = answer.status().as_u16(), "a call was answered");
                spent.learn(answer.headers(), cx.clock.now());
                pass.answered(answer.status(), retry_after(answer.headers(), cx.clock.now()));
                Ok(answer)
            }
            Either::Left((Err(error), _)) => {
                let fault = fault::unanswered(place, &error, departure.has_begun(), tls);
                tracing::debug!(call = %place, code = %fault.code, "a call was not answered");
                pass.failed(&fault.code);
                Err(fault)
            }
            Either::Right(((), _)) => {
                tracing::debug!(call = %place, code = %Code::TIMEOUT, "a call was not answered");
                pass.failed(&Code::TIMEOUT);
                let phase = if departure.has_begun() { Phase::Waiting } else { Phase::Connecting };
                Err(fault::timed_out(place, time.length, phase))
            }
        }
    }

    fn answer(
        &self,
        response: reqwest::Response,
        request: Request,
        place: Place,
        time: Time,
        stripped: bool,
        cx: &Context,
    ) -> Result<Answer, Fault> {
        let limits = &self.policy.limits;
        let bounded = || request.max_bytes.unwrap_or(limits.default_body).min(limits.max_body);
        let cap = if request.into_file { usize::MAX } else { bounded() };
        let codings: Vec<&str> =
            response.headers().get_all(header::CONTENT_ENCODING).iter().filter_map(|value| value.to_str().ok()).collect();
        let decoder = Decoder::new(&codings.join(", "), cap).map_err(|coding| {
            let text = format!(
                "{place} answered in the content coding \"{coding}\", which was not asked for; leave Accept-Encoding to Mainspring"
            );
            Fault::new(Code::BAD_RESPONSE, text).effect(Effected::Sent)
        })?;
        Ok(Answer {
            status: response.status(),
            headers: response.headers().clone(),
            url: request.shown_url(),
            place,
            stripped,
            body: Body {
                response,
                decoder: Some(decoder),
                wire: Bytes::new(),
                step: answer::AT_ONCE,
                cap,
                read: 0,
                deadline: time.deadline,
                timeout: time.length,
                large: Large { places: self.large.clone(), org: cx.owner.org, keeps: cx.keeps.clone() },
            },
        })
    }
}

/// The first URL is the author's, so what is wrong with it is their param; what a redirect names is not.
fn admit(request: &Request, judge: &Judge) -> Result<(), Fault> {
    target::check(&request.url, judge).map_err(|refused| match refused {
        Refused::Blocked(blocked) => Fault::new(Code::BLOCKED_ADDRESS, format!("{}: {blocked}", Place::new(&request.method, &request.url))),
        other => Fault::invalid_params(format!("url: {other}")),
    })
}

fn time(request: &Request, cx: &Context) -> Time {
    let now = cx.clock.now();
    let whole = cx.deadline.saturating_sub(now).max(0);
    let asked = request.timeout.map_or(whole, |timeout| i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX).min(whole));
    let length = Duration::from_millis(u64::try_from(asked).unwrap_or(0));
    let until = now.saturating_add(asked);
    Time { deadline: cx.clock.sleep_until(until), length, until }
}
