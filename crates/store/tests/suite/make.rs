//! Builders: a world with a store and a clock, and the runs, events and plans that tests put into it.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mainspring_model::clock::{Clock, FakeClock, Millis};
use mainspring_model::event::{AttemptStatus, Attempted, Event, EventBody};
use mainspring_model::fault::{Code, Fault};
use mainspring_model::flow::Priority;
use mainspring_model::id::{OrgId, Owner, PlanId, RunId, ScheduleId, UserId};
use mainspring_model::run::{Ending, RunHeader, RunStatus};
use mainspring_model::store::{
    Committed, JournalRow, NewPlan, NewRun, Paging, PlanSource, RunWrite, Saving, ScheduleRecord, Standing, Store, StoreError,
};
use serde_json::{Value, json};
use uuid::Uuid;

/// Where every test begins.
pub const START: Millis = 1_750_000_000_000;

pub struct World {
    pub store: Arc<dyn Store>,
    pub clock: FakeClock,
    /// Kept until the test ends.
    pub folder: tempfile::TempDir,
    /// Whatever else ends with the test, after the store.
    pub keep: Vec<Box<dyn Any + Send + Sync>>,
}

/// Of all worlds, so that ids of two that share a store never meet.
static NEXT: AtomicU64 = AtomicU64::new(1);

impl World {
    pub fn new(store: Arc<dyn Store>, clock: FakeClock, folder: tempfile::TempDir) -> World {
        World { store, clock, folder, keep: Vec::new() }
    }

    pub fn now(&self) -> Millis {
        self.clock.now()
    }

    pub fn pass(&self, millis: Millis) {
        self.clock.advance_to(self.clock.now() + millis);
    }

    /// A new id whose time part is the clock's.
    pub fn uuid(&self) -> Uuid {
        let mut random = [0; 10];
        random[2..].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        RunId::at(self.now(), random).0
    }

    pub fn header(&self) -> RunHeader {
        self.header_of(Owner::LOCAL, plan_id(1))
    }

    pub fn header_of(&self, owner: Owner, plan_id: PlanId) -> RunHeader {
        RunHeader {
            id: RunId(self.uuid()),
            owner,
            plan_id,
            plan_version: 1,
            plan_name: "Greeting".to_owned(),
            inputs: json!({"who": "Ada"}),
            trigger: json!({"type": "manual"}),
            org: json!({}),
            created_at: self.now(),
            environment: "development".to_owned(),
            seed: [3; 16],
            parent: None,
        }
    }

    pub fn creation(&self, header: &RunHeader, standing: Standing) -> RunWrite {
        let new = NewRun { header: Arc::new(header.clone()), slot: None, key: None, flow: None, burst: None, priority: Priority::Normal };
        self.creation_of(new, standing)
    }

    pub fn creation_of(&self, new: NewRun, standing: Standing) -> RunWrite {
        RunWrite { run: new.header.id, epoch: self.store.epoch(), create: Some(Arc::new(new)), events: Arc::default(), standing }
    }

    pub fn write(&self, run: RunId, events: &[Event], standing: Standing) -> RunWrite {
        RunWrite { run, epoch: self.store.epoch(), create: None, events: rows(events), standing }
    }

    pub async fn commit(&self, write: RunWrite) -> Committed {
        self.store.commit(write).await.unwrap()
    }

    /// A run that this process holds.
    pub async fn held(&self) -> RunId {
        let header = self.header();
        assert_eq!(self.commit(self.creation(&header, Standing::Running)).await, Committed::Done);
        header.id
    }

    pub async fn queued(&self) -> RunId {
        let header = self.header();
        assert_eq!(self.commit(self.creation(&header, Standing::Queued)).await, Committed::Done);
        header.id
    }

    /// A run that has ended, with one attempt in its journal.
    pub async fn ended(&self, status: RunStatus) -> RunId {
        let header = self.header();
        self.ended_as(&header, status).await
    }

    pub async fn ended_as(&self, header: &RunHeader, status: RunStatus) -> RunId {
        let mut write = self.creation(header, Standing::Ended(ending(status)));
        write.events = rows(&[attempt(1, self.now(), "first", "http", AttemptStatus::Success, json!(1)), finished(2, self.now(), status)]);
        assert_eq!(self.commit(write).await, Committed::Done);
        header.id
    }

    pub async fn seqs(&self, run: RunId) -> Vec<u32> {
        self.store.history(run).await.unwrap().iter().map(|event| event.seq).collect()
    }

    pub fn plan(&self, name: &str) -> NewPlan {
        NewPlan {
            owner: Owner::LOCAL,
            name: name.to_owned(),
            source: PlanSource::Api,
            document: json!({"name": name, "steps": []}),
            webhooks: vec![],
            schedules: vec![],
            file: None,
            saving: Saving::default(),
        }
    }

    pub fn schedule(&self, trigger: &str, expression: &str, next_due: Option<Millis>) -> ScheduleRecord {
        ScheduleRecord {
            id: ScheduleId(self.uuid()),
            plan: plan_id(0),
            plan_name: String::new(),
            owner: Owner::LOCAL,
            trigger: trigger.to_owned(),
            expression: expression.to_owned(),
            timezone: None,
            misfire: Default::default(),
            next_due,
            last_due: None,
            last_status: None,
        }
    }
}

pub fn plan_id(n: u128) -> PlanId {
    PlanId(Uuid::from_u128(0x7000_0000_0000_0000_0000_0000_0000_0000 + n))
}

/// Somebody in another organization than the local one.
pub fn owner(n: u128) -> Owner {
    Owner { org: OrgId(Uuid::from_u128(1_000 + n)), user: UserId(Uuid::from_u128(2_000 + n)) }
}

pub fn page(limit: u32) -> Paging {
    Paging { limit, cursor: None }
}

pub fn ending(status: RunStatus) -> Ending {
    let error = (status != RunStatus::Success).then(|| Fault::new(Code::INTERNAL, "it broke"));
    Ending { status, output: json!({"ok": error.is_none()}), blob: None, error }
}

pub fn attempt(seq: u32, at: Millis, path: &str, provider: &str, status: AttemptStatus, output: Value) -> Event {
    let error = (status != AttemptStatus::Success).then(|| Fault::new(Code::TIMEOUT, "no answer in 5 s"));
    // From JSON, so that a new field with a default is no change here.
    let mut attempted: Attempted = serde_json::from_value(json!({
        "path": path, "attempt": 1, "status": status, "provider": provider, "action": "get", "step_number": seq - 1,
        "latency_us": 1_500, "message": "done", "error": error,
    }))
    .unwrap();
    attempted.output = output;
    Event { seq, at, body: EventBody::Attempted(Box::new(attempted)) }
}

pub fn success(seq: u32, at: Millis) -> Event {
    attempt(seq, at, &format!("step_{seq}"), "http", AttemptStatus::Success, json!({"n": seq}))
}

pub fn skipped(seq: u32, at: Millis) -> Event {
    Event { seq, at, body: EventBody::Skipped { path: format!("step_{seq}") } }
}

pub fn finished(seq: u32, at: Millis, status: RunStatus) -> Event {
    Event { seq, at, body: EventBody::Finished(ending(status)) }
}

/// As the engine writes events out.
pub fn rows(events: &[Event]) -> Arc<Vec<JournalRow>> {
    let row = |event: &Event| JournalRow {
        seq: event.seq,
        at: event.at,
        kind: event.body.kind(),
        body: serde_json::to_string(&event.body).unwrap(),
        progress: matches!(&event.body, EventBody::Attempted(attempted)
            if matches!(attempted.status, AttemptStatus::Success | AttemptStatus::Error)),
    };
    Arc::new(events.iter().map(row).collect())
}

pub fn code(result: Result<impl std::fmt::Debug, StoreError>) -> &'static str {
    match result {
        Err(error) => error.code(),
        Ok(value) => panic!("expected an error, got {value:?}"),
    }
}
