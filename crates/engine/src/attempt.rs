//! One attempt: finds the action, opens the credential, bounds the time, turns panics into faults.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{Either, select};
use mainspring_model::action::{Action, ActionResult, Context, Effect, Holds, Keeps, Outcome};
use mainspring_model::catalog::Provider;
use mainspring_model::clock::Millis;
use mainspring_model::credential::Credential;
use mainspring_model::fault::{Code, Effected, Fault};
use mainspring_model::oauth;
use mainspring_model::problem::nearest;
use mainspring_model::run::RunHeader;
use mainspring_model::trace::Tracing;

use crate::engine::Inner;
use crate::files::OrgFiles;
use crate::run::{Call, Tried};
use crate::spans::Attempt;
use crate::trust::within_trust;

/// Time for one attempt when neither the plan nor the action says.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// An action that only computes, called in place: it is ready at the first poll.
pub fn compute(inner: &Inner, header: &RunHeader, call: Call) -> Tried {
    let began = inner.clock.monotonic_us();
    let traced = Attempt::begin(inner, header, &call);
    let (result, effect) = match find(inner, header, &call) {
        Err(fault) => (Err(fault), Effect::Read),
        Ok((_, action)) => {
            let effect = action.effect(&call.params);
            let cx = Context {
                owner: header.owner,
                run: Some(header.id),
                step: call.path,
                attempt: call.attempt,
                // Nothing is sent, so nothing needs a key.
                idempotency_key: String::new(),
                credential: None,
                per_item: call.per_item,
                clock: inner.clock.clone(),
                deadline: i64::MAX,
                sent: Arc::new(AtomicBool::new(false)),
                holds: None,
                keeps: Keeps::default(),
                tracing: None,
                files: None,
            };
            let answer = std::panic::catch_unwind(AssertUnwindSafe(|| action.call(call.params, &cx).now_or_never()));
            let result = match answer {
                Ok(Some(result)) => result,
                Ok(None) => Err(Fault::internal(format!("{}.{} says it only computes, and waited", call.provider, call.action))),
                Err(_) => {
                    // The line of the panic itself knows the run alone: a span for each step that only computes would cost more than most.
                    tracing::error!(step_id = cx.step, attempt = cx.attempt, "a step panicked");
                    Err(panicked(&call.provider, &call.action))
                }
            };
            (result, effect)
        }
    };
    if let Some(traced) = traced {
        traced.end(inner, result.as_ref().err());
    }
    Tried { result, effect, latency_us: inner.clock.monotonic_us().saturating_sub(began), child: None, write: None }
}

/// An attempt with an outside effect or a wait, for a run that is held under `epoch`. `None` when that is over: the run is somebody
/// else's, and there is nothing to record.
pub async fn perform(
    inner: Arc<Inner>,
    header: Arc<RunHeader>,
    call: Call,
    epoch: i64,
    sent: Arc<AtomicBool>,
    keeps: Keeps,
) -> Option<Tried> {
    let began = inner.clock.monotonic_us();
    if let Some(output) = inner.result_before(&header, &call).await {
        let latency_us = inner.clock.monotonic_us().saturating_sub(began);
        return Some(Tried { result: Ok(Outcome::Done(output)), effect: Effect::Read, latency_us, child: None, write: None });
    }
    let mut effect = Effect::Read;
    let (mut child, mut write) = (None, None);
    let traced = Attempt::begin(&inner, &header, &call);
    let at = traced.as_ref().map(|traced| traced.tracing.at);
    let holder = inner.clone();
    let holds: Holds = Arc::new(move || holder.store.trusts(epoch));
    let beside = Beside { sent: &sent, holds, keeps };
    let work = attempt(&inner, &header, &call, &beside, &mut effect, traced.as_ref().map(|traced| traced.tracing.clone()));
    let mut result = within_trust(&inner, epoch, &sent, work).await?;
    inner.leave_result(&header, &call, &result).await;
    if let Ok(Outcome::Call { plan, inputs, .. }) = &result {
        match inner.start_child(&header, epoch, &call.path, plan, inputs.clone(), at).await? {
            Ok(run) => child = Some(run),
            Err(fault) => result = Err(fault),
        }
    }
    if let Ok(Outcome::State(ask)) = result {
        (result, write) = inner.remember(&header, epoch, &call, *ask).await?;
    } else if let Ok(outcome) = result {
        result = inner.carry_out(&header, epoch, &call, outcome).await?;
    }
    if let Some(traced) = traced {
        traced.end(&inner, result.as_ref().err());
    }
    Some(Tried { result, effect, latency_us: inner.clock.monotonic_us().saturating_sub(began), child, write })
}

async fn attempt(
    inner: &Arc<Inner>,
    header: &RunHeader,
    call: &Call,
    beside: &Beside<'_>,
    effect: &mut Effect,
    tracing: Option<Tracing>,
) -> ActionResult {
    let (provider, action) = find(inner, header, call)?;
    *effect = action.effect(&call.params);
    let credential = inner.credentials.open(&header.owner, &provider, call.credential.as_deref()).await?;
    if credential.is_none() && action.spec().needs_credential {
        return Err(missing_credential(&provider));
    }
    let timeout = call.timeout.or(action.spec().timeout).unwrap_or(DEFAULT_TIMEOUT);
    let deadline = inner.clock.now().saturating_add(i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX / 4));
    let terms = Terms { timeout, deadline, tracing, told: AtomicBool::new(false) };
    let result = ask(inner, header, call, &*action, credential.clone(), beside, &terms).await;
    let refused = matches!(&result, Err(fault) if fault.code.http_status() == Some(401));
    let token = credential.as_ref().filter(|_| refused).and_then(|used| used.field(oauth::bearer_field(&provider.credential)?));
    let Some(token) = token else { return result };
    // A service may take an access token back before its end. Once, and only when there is another one.
    match inner.credentials.open_anew(&header.owner, &provider, call.credential.as_deref(), Some(token)).await {
        Ok(Some(renewed)) if renewed.fields.values().all(|field| field.expose() != token) => {
            ask(inner, header, call, &*action, Some(renewed), beside, &terms).await
        }
        Err(fault) if fault.code == Code::NEEDS_RECONNECT => Err(fault),
        _ => result,
    }
}

/// What an attempt shares with whoever drives its run.
struct Beside<'a> {
    sent: &'a Arc<AtomicBool>,
    holds: Holds,
    keeps: Keeps,
}

/// What both tries of an attempt keep to.
struct Terms {
    timeout: Duration,
    deadline: Millis,
    tracing: Option<Tracing>,
    /// Whoever listens knows that the credential was used.
    told: AtomicBool,
}

/// One call of the action with this credential, whose values are taken out of what comes back.
async fn ask(
    inner: &Arc<Inner>,
    header: &RunHeader,
    call: &Call,
    action: &dyn Action,
    credential: Option<Credential>,
    beside: &Beside<'_>,
    terms: &Terms,
) -> ActionResult {
    let mut params = call.params.clone();
    let mut secrets = credential.clone();
    if let Some(variables) = inner.open_variables(header, &mut params).await? {
        match &mut secrets {
            Some(secrets) => secrets.fields.extend(variables.fields),
            None => secrets = Some(variables),
        }
    }
    let mut cx = Context {
        owner: header.owner,
        run: Some(header.id),
        step: call.path.clone(),
        attempt: call.attempt,
        idempotency_key: inner.keys.idempotency_key(header, &call.path),
        credential,
        per_item: call.per_item.clone(),
        clock: inner.clock.clone(),
        deadline: terms.deadline,
        sent: beside.sent.clone(),
        holds: Some(beside.holds.clone()),
        keeps: beside.keeps.clone(),
        tracing: terms.tracing.clone(),
        files: Some(Arc::new(OrgFiles::of_step(inner.clone(), header, &call.path))),
    };
    // The last thing before the call: what was let begin begins now.
    if let Some(rate) = &call.rate {
        let began = inner.clock.now();
        if let Some(until) = inner.wait_for_turn(header, call, rate, cx.credential.as_ref()).await {
            return Ok(Outcome::Held(until));
        }
        // Asking is none of the call's time.
        cx.deadline = cx.deadline.saturating_add(inner.clock.now().saturating_sub(began).max(0));
    }
    if let Some(credential) = &cx.credential
        && !terms.told.swap(true, Ordering::Relaxed)
    {
        inner.uses.tell(inner, header, &call.path, credential);
    }
    let work = AssertUnwindSafe(action.call(params, &cx)).catch_unwind();
    let result = match select(work, inner.clock.sleep_until(cx.deadline)).await {
        Either::Left((Ok(result), _)) => result,
        Either::Left((Err(_), _)) => Err(panicked(&call.provider, &call.action).effect(effect_of(beside.sent))),
        Either::Right(_) => {
            let message = format!("\"{}\" did not answer within {}", call.path, mainspring_model::duration::format(terms.timeout));
            Err(Fault::new(Code::TIMEOUT, message).effect(effect_of(beside.sent)))
        }
    };
    match secrets {
        // What came back may hold what was sent: a service that echoes its headers must not put a key into the journal.
        Some(credential) => Ok(inner.credentials.redact_result(&credential, result)?),
        None => result,
    }
}

fn effect_of(sent: &AtomicBool) -> Effected {
    if sent.load(Ordering::Acquire) { Effected::Unknown } else { Effected::Unsent }
}

fn panicked(provider: &str, action: &str) -> Fault {
    Fault::internal(format!("{provider}.{action} failed in a way it should not; the program goes on, and its log has the place"))
}

pub(crate) fn missing_credential(provider: &Provider) -> Fault {
    let fields: Vec<&str> = provider.credential.iter().map(|field| field.name.as_str()).collect();
    let message = format!(
        "{} needs a credential ({}); store one with \"mainspring credential set {} …\" or POST /api/provider-credentials/{}",
        provider.id,
        fields.join(", "),
        provider.id,
        provider.id
    );
    Fault::new(Code::MISSING_CREDENTIALS, message)
}

fn find(inner: &Inner, header: &RunHeader, call: &Call) -> Result<(Arc<Provider>, Arc<dyn Action>), Fault> {
    let owner = &header.owner;
    let Some(provider) = inner.catalog.provider(owner, &call.provider) else {
        let known = inner.catalog.ids(owner);
        let near =
            nearest(&call.provider, known.iter().map(String::as_str)).map(|name| format!("; did you mean \"{name}\"?")).unwrap_or_default();
        return Err(Fault::new(Code::UNKNOWN_PROVIDER, format!("there is no provider \"{}\"{near}", call.provider)));
    };
    let Some(action) = provider.action(&call.action).cloned() else {
        let message = format!("{} has no action \"{}\"; it has {}", call.provider, call.action, provider.action_names().join(", "));
        return Err(Fault::new(Code::UNKNOWN_ACTION, message));
    };
    Ok((provider, action))
}
