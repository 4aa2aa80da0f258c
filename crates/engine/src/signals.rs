//! Signals: telling runs what happened outside, and what steps ask for that wait, emit, or open an address.

use std::sync::Arc;

use mainspring_model::action::{ActionResult, Outcome, Output};
use mainspring_model::fault::Fault;
use mainspring_model::id::{OrgId, RunId, SignalId};
use mainspring_model::run::RunHeader;
use mainspring_model::store::{NewSignal, StoreError, Told, WaitKey, WaitRecord};
use mainspring_model::wait::{Wait, WaitKind, callback_topic, event_topic, triggers_topic};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::driver::{HOLD, Signal};
use crate::engine::{Engine, Inner};
use crate::inner::passes;
use crate::run::Call;

impl Engine {
    /// Keeps an event and wakes the runs that wait for it. Durable when this returns; the same `id` is one event.
    ///
    /// # Errors
    /// The store's.
    pub async fn tell_event(&self, org: OrgId, id: SignalId, event_type: &str, data: Value) -> Result<Told, StoreError> {
        self.0.tell(NewSignal { org, id, topic: event_topic(event_type), data, sole: false }).await
    }

    /// Keeps the answer that a wait of this topic is for. The first one counts: [`Told::new`] says whether this was it.
    ///
    /// # Errors
    /// The store's.
    pub async fn answer(&self, org: OrgId, topic: &str, data: Value) -> Result<Told, StoreError> {
        self.0.tell(NewSignal { org, id: SignalId(self.new_id()), topic: topic.to_owned(), data, sole: true }).await
    }
}

/// The id of an address that a step opened, from the run and its secret part: who has it may answer, nobody can guess it.
fn callback_id(run: RunId, secret: &str) -> String {
    format!("{}.{secret}", run.0.simple())
}

/// The run that opened an address.
pub fn run_of_callback(id: &str) -> Option<RunId> {
    let (run, secret) = id.split_once('.')?;
    (!secret.is_empty() && run.len() == 32).then(|| Uuid::try_parse(run).ok().map(RunId)).flatten()
}

impl Inner {
    async fn tell(&self, signal: NewSignal) -> Result<Told, StoreError> {
        let told = self.store.put_signal(&signal).await?;
        if told.heard {
            self.heard.notify_one();
        }
        for run in &told.woken {
            self.signal(*run, Signal::Arrived);
        }
        Ok(told)
    }

    /// Does what an action asks for that waits, emits or opens an address. `None`: the run is somebody else's by now.
    pub(crate) async fn carry_out(self: &Arc<Self>, header: &RunHeader, epoch: i64, call: &Call, outcome: Outcome) -> Option<ActionResult> {
        match outcome {
            Outcome::Wait(mut wait) => {
                let key = match wait.kind {
                    WaitKind::Event => demanded(call),
                    WaitKind::Callback | WaitKind::Approval => None,
                    WaitKind::Triggers => {
                        if let Err(fault) = self.triggers_are_known(header, &wait).await {
                            return Some(Err(fault));
                        }
                        wait.topic = triggers_topic(header.id);
                        None
                    }
                };
                if wait.kind == WaitKind::Approval
                    && let Err(fault) = self.ask_by_mail(header, epoch, &call.path, &mut wait).await?
                {
                    return Some(Err(fault));
                }
                let detail = shown(header, &wait);
                self.keep_wait(header, epoch, &call.path, &wait.topic, key, detail).await?;
                Some(Ok(Outcome::Wait(wait)))
            }
            Outcome::OpenCallback => {
                let id = callback_id(header.id, &self.keys.idempotency_key(header, &call.path).to_lowercase());
                self.keep_wait(header, epoch, &call.path, &callback_topic(&id), None, json!({})).await?;
                let url = format!("{}/api/callbacks/{id}", self.settings.public_url);
                Some(Ok(Outcome::Done(Output::new(json!({"id": id, "url": url})))))
            }
            Outcome::Emit { event_type, data } => {
                // However often the step is repeated, it is one event.
                let id = SignalId(uuid_of(self.keys.random_bits(header, &call.path, 0)));
                loop {
                    if !self.store.trusted(epoch).await {
                        return None;
                    }
                    let new = NewSignal { org: header.owner.org, id, topic: event_topic(&event_type), data: data.clone(), sole: false };
                    match self.tell(new).await {
                        Ok(_) => return Some(Ok(Outcome::Done(Output::new(json!({"id": id, "type": event_type}))))),
                        Err(error) if passes(&error) => self.hold(header, &call.path, &error).await,
                        Err(error) => return Some(Err(Fault::internal(error.to_string()))),
                    }
                }
            }
            other => Some(Ok(other)),
        }
    }

    /// A trigger that the plan does not have would never come.
    async fn triggers_are_known(&self, header: &RunHeader, wait: &Wait) -> Result<(), Fault> {
        let plan = self.plans.get(&*self.store, &*self.catalog, &header.owner, header.plan_id, header.plan_version).await;
        let Ok(Some(plan)) = plan else { return Ok(()) };
        match wait.wanted().find(|id| !plan.triggers.iter().any(|trigger| trigger.id == *id)) {
            None => Ok(()),
            Some(id) => {
                let known: Vec<&str> = plan.triggers.iter().map(|trigger| trigger.id.as_str()).collect();
                Err(Fault::invalid_params(format!("the plan has no trigger \"{id}\"; it has {}", known.join(", "))))
            }
        }
    }

    /// Durable before the wait itself is journalled: a signal in between finds it, and the first look finds the signal.
    async fn keep_wait(&self, header: &RunHeader, epoch: i64, path: &str, topic: &str, key: Option<WaitKey>, detail: Value) -> Option<()> {
        let wait = WaitRecord {
            org: header.owner.org,
            run: header.id,
            path: path.to_owned(),
            topic: topic.to_owned(),
            key,
            detail,
            created_at: self.clock.now(),
        };
        loop {
            if !self.store.trusted(epoch).await {
                return None;
            }
            match self.store.put_wait(&wait).await {
                Ok(()) => return Some(()),
                Err(StoreError::Closed) => return None,
                Err(error) => self.hold(header, path, &error).await,
            }
        }
    }

    pub(crate) async fn hold(&self, header: &RunHeader, path: &str, error: &StoreError) {
        tracing::error!(run = %header.id, step = path, %error, "what a step asked for could not be written; trying again");
        self.clock.sleep_until(self.clock.now().saturating_add(HOLD)).await;
    }
}

/// What `where` demands of every event that could fit, so that the others wake nobody.
fn demanded(call: &Call) -> Option<WaitKey> {
    let (pointer, value) = call.per_item.demand("where", "event")?;
    let pointer = pointer.strip_prefix("/data").filter(|rest| rest.starts_with('/'))?.to_owned();
    Some(WaitKey { pointer, value: WaitKey::text_of(&value)? })
}

/// What people who answer are shown of a wait.
fn shown(header: &RunHeader, wait: &Wait) -> Value {
    if wait.kind != WaitKind::Approval {
        return json!({});
    }
    let mut detail = wait.detail.clone();
    detail["plan_id"] = json!(header.plan_id);
    detail["plan_name"] = json!(header.plan_name);
    detail["user_id"] = json!(header.owner.user);
    detail["until"] = json!(wait.until);
    detail
}

pub(crate) fn uuid_of(bits: u128) -> Uuid {
    uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
}
