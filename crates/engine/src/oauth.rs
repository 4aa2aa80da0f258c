//! Access tokens of OAuth credentials: renewed before use by one of all nodes, since a refresh token may be good only once.
//!
//! Whoever wants to renew one writes a claim into the sealed credential first, by compare-and-set; who loses looks again. The answer is
//! put in the claim's place. A rotation of keys that changes the row meanwhile, or an owner who saves other values, is seen by the same
//! comparison. When a process dies between the answer and its writing, the token it was given is lost: a service that rotates refresh
//! tokens then takes the credential as revoked, and somebody has to connect it again.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mainspring_model::catalog::Provider;
use mainspring_model::clock::Millis;
use mainspring_model::credential::{Credential, Secret};
use mainspring_model::fault::{Class, Code, Fault};
use mainspring_model::id::CredentialId;
use mainspring_model::oauth::{self, Answer, CLAIM, Grant, NEEDS_RECONNECT, Standing};
use mainspring_model::store::{CredentialRecord, StoreError};
use mainspring_vault::Redactor;

use crate::credentials::{Credentials, SealError, place, sealed_row};
use crate::driver::HOLD;
use crate::inner::passes;

/// How long somebody else's claim is waited for, from when it was first seen, in milliseconds: clocks of nodes may differ.
const CLAIMED: Millis = 30_000;
/// A claim of this age by our own clock was left by a process that died, in milliseconds.
const LEFT: Millis = 600_000;
/// Between two looks at somebody else's claim, in milliseconds.
const LOOK: Millis = 100;
/// After a failure the endpoint is left alone for this long, in milliseconds.
const REST: Millis = 5_000;

/// Credentials that are remembered while nobody asks.
const MOST: usize = 10_000;

/// What is asked of a token endpoint.
#[derive(Debug)]
pub struct TokenRequest {
    /// Whose it is: the rules of that organization hold.
    pub record: CredentialRecord,
    /// Each of them must be for the host of `url`; they have no fields.
    pub bindings: Vec<Credential>,
    pub url: String,
    pub form: Vec<(&'static str, Secret)>,
    /// The value of `Authorization`, when the client proves itself by it.
    pub authorization: Option<Secret>,
}

/// The way to a token endpoint: through the guard, like everything that leaves.
#[async_trait]
pub trait TokenEndpoint: Send + Sync {
    /// The status and the body of its answer. Comes to an end by itself well within [`CLAIMED`].
    ///
    /// # Errors
    /// It could not be asked.
    async fn ask(&self, request: TokenRequest) -> Result<(u16, Vec<u8>), Fault>;
}

/// Hears of a credential that has to be connected again, and since when.
pub type ReconnectListener = Box<dyn Fn(&CredentialRecord, Millis) + Send + Sync>;
type Flight = Arc<tokio::sync::Mutex<Option<Failed>>>;

/// When the endpoint failed last, how, and for which values.
struct Failed {
    at: Millis,
    fault: Fault,
    fields: BTreeMap<String, Vec<u8>>,
}

#[derive(Default)]
pub(crate) struct OAuth {
    endpoint: OnceLock<Arc<dyn TokenEndpoint>>,
    listener: OnceLock<ReconnectListener>,
    /// Of this process one at a time.
    flights: Mutex<HashMap<CredentialId, Flight>>,
}

impl OAuth {
    fn flight(&self, id: CredentialId) -> Flight {
        let mut flights = self.flights.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if flights.len() >= MOST {
            flights.retain(|_, flight| Arc::strong_count(flight) > 1);
        }
        flights.entry(id).or_default().clone()
    }
}

impl Credentials {
    /// The way to token endpoints; the first one stays. Without one, tokens are used as they are.
    pub fn renew_tokens_by(&self, endpoint: Arc<dyn TokenEndpoint>) {
        if self.oauth.endpoint.set(endpoint).is_err() {
            tracing::debug!("there is a way to token endpoints already");
        }
    }

    /// Tells `listener`, at each use, of a credential that has to be connected again, and since when. It must not wait.
    pub fn on_needs_reconnect(&self, listener: ReconnectListener) {
        if self.oauth.listener.set(listener).is_err() {
            tracing::debug!("somebody hears of credentials to be connected again already");
        }
    }

    /// The credential with a token that is good, in the field that its provider reads; all other OAuth material stays here.
    /// `refused`: a token that the service did not take.
    pub(crate) async fn with_token(
        &self,
        provider: &Provider,
        record: &CredentialRecord,
        mut credential: Credential,
        refused: Option<&str>,
    ) -> Result<Credential, Fault> {
        let Some(bearer) = oauth::bearer_field(&provider.credential) else { return Ok(credential) };
        self.judge(record, &credential)?;
        for field in [oauth::ACCESS_TOKEN, oauth::REFRESH_TOKEN, oauth::CLIENT_SECRET] {
            if let Some(secret) = credential.field(field) {
                self.redactor.add(secret);
            }
        }
        if oauth::can_renew(&credential) && oauth::standing(&credential, refused, self.clock.now()) != Standing::Good {
            // On its own: what a service gave must be written down even if the step that asked for it is gone by then.
            let (this, record, refused) = (self.clone(), record.clone(), refused.map(str::to_owned));
            let renewed = tokio::spawn(async move { this.renew(record, refused.as_deref()).await }).await;
            let renewed = renewed.map_err(|_| Fault::internal("the renewal of an access token failed in a way it should not"))??;
            credential.fields = renewed.fields;
        }
        let token = credential.fields.get(oauth::ACCESS_TOKEN).filter(|token| !token.expose().is_empty()).cloned();
        credential.fields.retain(|field, _| !oauth::FIELDS.contains(&field.as_str()) && !oauth::is_note(field));
        if let Some(token) = token {
            credential.fields.insert(bearer.to_owned(), token);
        }
        Ok(credential)
    }

    fn judge(&self, record: &CredentialRecord, credential: &Credential) -> Result<(), Fault> {
        let Some(since) = credential.field(NEEDS_RECONNECT) else { return Ok(()) };
        let since = since.parse::<i64>().unwrap_or_default().saturating_mul(1_000);
        if let Some(listener) = self.oauth.listener.get() {
            listener(record, since);
        }
        Err(oauth::needs_reconnect(&record.provider, &record.name))
    }

    async fn renew(&self, record: CredentialRecord, refused: Option<&str>) -> Result<Credential, Fault> {
        let flight = self.oauth.flight(record.id);
        let mut failed = flight.lock().await;
        let mut seen: Option<(String, Millis)> = None;
        loop {
            let now = self.clock.now();
            let (current, credential) = self.again(&record).await?;
            self.judge(&current, &credential)?;
            let credential = self.resolved(&current, credential).await?;
            let standing = oauth::standing(&credential, refused, now);
            if standing == Standing::Good || !oauth::can_renew(&credential) {
                return Ok(credential);
            }
            if let Some(failed) = failed.as_ref().filter(|failed| (0..REST).contains(&(now - failed.at)) && failed.fields == current.fields)
            {
                return if standing == Standing::Ending { Ok(credential) } else { Err(failed.fault.clone()) };
            }
            if let Some(claim) = credential.field(CLAIM) {
                let since = match &seen {
                    Some((known, since)) if known == claim => *since,
                    _ => now,
                };
                seen = Some((claim.to_owned(), since));
                let left = claim.split(' ').next_back().and_then(|at| at.parse::<i64>().ok()).is_none_or(|at| now - at > LEFT);
                if !left && now - since < CLAIMED {
                    if standing == Standing::Ending {
                        return Ok(credential);
                    }
                    self.clock.sleep_until(now.saturating_add(LOOK)).await;
                    continue;
                }
                tracing::warn!(credential = %record.id, "a claim on a token was left behind and is taken over");
            }
            let mine = self.claim(now)?;
            let claimed = BTreeMap::from([(CLAIM, Some(Secret::new(mine.as_str())))]);
            if !self.replaced(&current, &claimed).await? {
                continue;
            }
            match self.ask(&current, &credential).await {
                Answer::Granted(grant) => {
                    self.redactor.add(grant.access.expose());
                    if let Some(refresh) = &grant.refresh {
                        self.redactor.add(refresh.expose());
                    }
                    *failed = None;
                    self.settle(&record, &mine, &granted(grant)).await?;
                }
                Answer::Revoked(said) => {
                    tracing::warn!(credential = %record.id, provider = record.provider, said, "a credential has to be connected again");
                    let since = Secret::new(now.div_euclid(1_000).to_string());
                    self.settle(&record, &mine, &BTreeMap::from([(CLAIM, None), (NEEDS_RECONNECT, Some(since))])).await?;
                }
                Answer::Passing(said) => {
                    let fault = failure(&current, &said).class(Class::Transient);
                    tracing::warn!(credential = %record.id, provider = record.provider, said, "an access token could not be renewed");
                    *failed = Some(Failed { at: self.clock.now(), fault: Fault { retryable: true, ..fault }, fields: current.fields });
                    self.settle(&record, &mine, &BTreeMap::from([(CLAIM, None)])).await?;
                }
                Answer::Refused(said) => {
                    tracing::warn!(credential = %record.id, provider = record.provider, said, "an access token could not be renewed");
                    *failed = Some(Failed { at: self.clock.now(), fault: failure(&current, &said), fields: current.fields });
                    self.settle(&record, &mine, &BTreeMap::from([(CLAIM, None)])).await?;
                }
            }
        }
    }

    async fn ask(&self, record: &CredentialRecord, credential: &Credential) -> Answer {
        let Some(endpoint) = self.oauth.endpoint.get() else { return Answer::Refused("this process cannot reach it".to_owned()) };
        let (id, secret) = (credential.field(oauth::CLIENT_ID), credential.field(oauth::CLIENT_SECRET).unwrap_or_default());
        let basic =
            id.filter(|_| oauth::asks_by_basic(credential)).map(|id| STANDARD.encode(format!("{}:{}", escaped(id), escaped(secret))));
        let request = TokenRequest {
            record: record.clone(),
            bindings: bindings(record, credential),
            url: credential.field(oauth::TOKEN_URL).unwrap_or_default().to_owned(),
            form: oauth::form(credential),
            authorization: basic.map(|pair| Secret::new(format!("Basic {pair}"))),
        };
        let answer = match endpoint.ask(request).await {
            Ok((status, body)) => oauth::read(status, &body, self.clock.now()),
            Err(fault) if fault.retryable => Answer::Passing(format!("{}: {}", fault.code, fault.message)),
            Err(fault) => Answer::Refused(format!("{}: {}", fault.code, fault.message)),
        };
        // An endpoint may say again what it was sent.
        let redactor = Redactor::new();
        for field in [oauth::ACCESS_TOKEN, oauth::REFRESH_TOKEN, oauth::CLIENT_SECRET] {
            redactor.add(credential.field(field).unwrap_or_default());
        }
        let clean = |said: String| redactor.redact(&said).into_owned();
        match answer {
            Answer::Granted(grant) => Answer::Granted(grant),
            Answer::Revoked(said) => Answer::Revoked(clean(said)),
            Answer::Passing(said) => Answer::Passing(clean(said)),
            Answer::Refused(said) => Answer::Refused(clean(said)),
        }
    }

    /// Puts what came of it in the place of the claim, however often the row changes meanwhile. Whoever saved other values, or took the
    /// claim over, is not overwritten.
    async fn settle(&self, record: &CredentialRecord, mine: &str, change: &BTreeMap<&str, Option<Secret>>) -> Result<(), Fault> {
        loop {
            let (current, credential) = self.again(record).await?;
            if credential.field(CLAIM) != Some(mine) {
                tracing::warn!(credential = %record.id, "a credential was saved while its token was renewed; what was saved stays");
                return Ok(());
            }
            if self.replaced(&current, change).await? {
                return Ok(());
            }
        }
    }

    /// The credential as it is now, references as they are: what a service gave is written down even when their keeper is away.
    async fn again(&self, record: &CredentialRecord) -> Result<(CredentialRecord, Credential), Fault> {
        let found = loop {
            match self.store.list_credentials(&record.owner, Some(&record.provider)).await {
                Ok(found) => break found,
                Err(error) => self.hold(error).await?,
            }
        };
        let current = found.into_iter().find(|one| one.id == record.id).ok_or_else(|| {
            Fault::new(Code::MISSING_CREDENTIALS, format!("the credential \"{}\" of {} was removed", record.name, record.provider))
        })?;
        let credential = self.open_patiently(&current).await?;
        Ok((current, credential))
    }

    /// Whether the fields were changed: nobody had written the row since it was read.
    async fn replaced(&self, seen: &CredentialRecord, change: &BTreeMap<&str, Option<Secret>>) -> Result<bool, Fault> {
        loop {
            match self.replace_fields(seen, change).await {
                Ok(done) => return Ok(done),
                Err(SealError::Store(error)) => self.hold(error).await?,
                Err(SealError::Vault(error)) => return Err(Fault::internal(error.to_string())),
            }
        }
    }

    /// Changes fields where the row is still what was read.
    pub(crate) async fn replace_fields(&self, seen: &CredentialRecord, change: &BTreeMap<&str, Option<Secret>>) -> Result<bool, SealError> {
        let mut fields = seen.fields.clone();
        for (field, value) in change {
            match value {
                Some(value) => {
                    let sealed = self.vault.seal(&place(&seen.owner, &seen.id, field), value.expose().as_bytes())?;
                    fields.insert((*field).to_owned(), sealed.to_bytes());
                }
                None => drop(fields.remove(*field)),
            }
        }
        Ok(self.store.replace_sealed(&sealed_row(seen), &fields).await?)
    }

    /// Waits when the store is away for a while.
    async fn hold(&self, error: StoreError) -> Result<(), Fault> {
        if !passes(&error) {
            return Err(Fault::internal(error.to_string()));
        }
        tracing::error!(%error, "the store is away while a token is renewed; trying again");
        self.clock.sleep_until(self.clock.now().saturating_add(HOLD)).await;
        Ok(())
    }

    /// Nobody else's, with the time that it was made at behind it.
    fn claim(&self, now: Millis) -> Result<String, Fault> {
        let mut bytes = [0; 16];
        self.vault.entropy().fill(&mut bytes).map_err(|error| Fault::internal(error.to_string()))?;
        Ok(format!("{:032x} {now}", u128::from_be_bytes(bytes)))
    }
}

/// The hosts that the credential's owner wrote, in either of the two places. Hosts that follow from the provider do not count: who
/// wrote the token_url has said where the refresh token goes.
fn bindings(record: &CredentialRecord, credential: &Credential) -> Vec<Credential> {
    let listed = credential.field("hosts").map(|hosts| hosts.split(',').map(|host| host.trim().to_owned()).collect::<Vec<_>>());
    let written = [record.hosts.clone(), listed].into_iter().flatten();
    let bound =
        |hosts| Credential { id: None, provider: record.provider.clone(), name: record.name.clone(), fields: BTreeMap::new(), hosts };
    written.map(bound).collect()
}

fn granted(grant: Grant) -> BTreeMap<&'static str, Option<Secret>> {
    let mut change = BTreeMap::from([
        (CLAIM, None),
        (oauth::ACCESS_TOKEN, Some(grant.access)),
        (oauth::EXPIRES_AT, grant.expires_at.map(|at| Secret::new(at.to_string()))),
    ]);
    if let Some(refresh) = grant.refresh {
        change.insert(oauth::REFRESH_TOKEN, Some(refresh));
    }
    change
}

fn failure(record: &CredentialRecord, said: &str) -> Fault {
    let text = format!("the access token of the credential \"{}\" of {} could not be renewed: {said}", record.name, record.provider);
    Fault::new(Code::TOKEN_REFRESH_FAILED, text)
}

/// As RFC 6749 wants the parts of a client's Basic header.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    crate::variables::escape(text, &mut out);
    out
}
