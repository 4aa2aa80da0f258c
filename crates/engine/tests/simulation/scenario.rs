//! What is asked of the nodes: a few plans, their schedules, and callers who start and cancel runs and repeat themselves.

use std::sync::{Arc, LazyLock};

use mainspring_engine::LoadedPlan;
use mainspring_model::clock::Millis;
use mainspring_model::cron::Misfire;
use mainspring_model::id::{Owner, PlanId, ScheduleId};
use mainspring_model::plan::{self, Format, Plan};
use mainspring_model::store::{PlanRecord, PlanSource, ScheduleRecord};
use serde_json::Value;
use uuid::Uuid;

use super::agenda::BEGIN;
use super::database::Database;
use super::dice::Dice;

/// Callers start runs within this time, and faults happen within it; after it everything heals.
pub const LIVELY: Millis = 540_000;
/// A world lasts so long at least.
pub const LENGTH: Millis = 600_000;

const PLANS: [(&str, &str); 11] = [
    (
        "flow",
        r#"{"steps": [{"id": "look", "action": "w.read", "params": {"token": "${inputs.token}"}, "retry": RETRY}, {"id": "keep", "action": "w.put", "params": {"token": "${inputs.token}"}, "retry": RETRY}, {"id": "nap", "action": "w.sleep", "params": {"ms": 20000}}, {"id": "sum", "action": "w.echo", "params": {"of": "${steps.keep.output.path}"}}, {"id": "last", "action": "w.put", "params": {"of": "${steps.sum.output}"}, "retry": RETRY}]}"#,
    ),
    (
        "fan",
        r#"{"steps": [{"id": "all", "for_each": "range(0, 5)", "as": "n", "max_parallel": 3, "action": "w.put", "params": {"n": "${n}"}, "retry": RETRY}, {"id": "sum", "action": "w.echo", "params": {"of": "${steps.all.output}"}}]}"#,
    ),
    (
        "once",
        r#"{"steps": [{"id": "look", "action": "w.read", "params": {}, "retry": RETRY}, {"id": "pay", "action": "w.write", "params": {"once": true}, "once": true, "retry": RETRY}, {"id": "tell", "action": "w.put", "params": {}, "retry": RETRY}]}"#,
    ),
    (
        "parent",
        r#"{"steps": [{"id": "child", "needs": [], "action": "w.call", "params": {"plan": "child", "token": "${inputs.token}"}}, {"id": "beside", "needs": [], "action": "w.put", "params": {}, "retry": RETRY}, {"id": "after", "needs": ["child", "beside"], "action": "w.put", "params": {}, "retry": RETRY}]}"#,
    ),
    (
        "child",
        r#"{"steps": [{"id": "look", "action": "w.read", "params": {}, "retry": RETRY}, {"id": "nap", "action": "w.sleep", "params": {"ms": 4000}}, {"id": "keep", "action": "w.put", "params": {}, "retry": RETRY}]}"#,
    ),
    (
        "handled",
        r#"{"steps": [{"id": "bad", "action": "w.fail", "params": {}, "on_error": [{"id": "mend", "action": "w.put", "params": {}, "retry": RETRY}]}, {"id": "worse", "action": "w.fail", "params": {}}], "on_error": [{"id": "report", "action": "w.put", "params": {}, "retry": RETRY}], "finally": [{"id": "tidy", "action": "w.put", "params": {}, "retry": RETRY}]}"#,
    ),
    (
        "long",
        r#"{"steps": [{"id": "a", "needs": [], "action": "w.put", "params": {}, "retry": RETRY}, {"id": "b", "needs": [], "action": "w.sleep", "params": {"ms": 45000}}, {"id": "c", "needs": ["a", "b"], "action": "w.put", "params": {}, "retry": RETRY}, {"id": "d", "action": "w.sleep", "params": {"ms": 500}}, {"id": "e", "action": "w.put", "params": {}, "retry": RETRY}]}"#,
    ),
    (
        "few",
        r#"{"concurrency": {"limit": 2}, "steps": [{"id": "a", "action": "w.put", "params": {}, "retry": RETRY}, {"id": "b", "action": "w.sleep", "params": {"ms": 9000}}, {"id": "c", "action": "w.put", "params": {}, "retry": RETRY}]}"#,
    ),
    (
        "calm",
        r#"{"triggers": [{"id": "hook", "type": "webhook", "path": "calm", "debounce": {"for": "40s", "max": "80s"}}], "steps": [{"id": "a", "action": "w.put", "params": {"token": "${inputs.token}"}, "retry": RETRY}, {"id": "b", "action": "w.sleep", "params": {"ms": 3000}}, {"id": "c", "action": "w.put", "params": {}, "retry": RETRY}]}"#,
    ),
    (
        "lot",
        r#"{"concurrency": {"limit": 1}, "triggers": [{"id": "hook", "type": "webhook", "path": "lot", "batch": {"size": 3, "within": "75s"}, "inputs": {"token": "${trigger.batch[0].body.token}"}}], "steps": [{"id": "a", "action": "w.put", "params": {"token": "${inputs.token}", "of": "${trigger.batch.length}"}, "retry": RETRY}, {"id": "b", "action": "w.put", "params": {}, "retry": RETRY}]}"#,
    ),
    (
        "tick",
        r#"{"steps": [{"id": "look", "action": "w.read", "params": {}, "retry": RETRY}, {"id": "keep", "action": "w.put", "params": {}, "retry": RETRY}]}"#,
    ),
];
const RETRY: &str = r#"{"max_attempts": 6, "delay": "2s", "factor": 1.5, "codes": ["transient"]}"#;
const INPUTS: &str = r#""inputs": {"token": {"type": "string", "default": "none"}}, "#;
pub const FLOW: usize = 0;
pub const ONCE: usize = 2;
pub const PARENT: usize = 3;
/// Plans that callers start; `child` and `tick` are started otherwise.
const STARTED: [usize; 9] = [0, 1, 2, 3, 5, 6, 7, 8, 9];

/// Documents and checked plans, read once a process: the same for every seed.
static LOADED: LazyLock<Vec<(Value, Arc<Plan>)>> = LazyLock::new(|| {
    let catalog = super::actions::catalog(&super::world::World::bare(), 0, 0);
    let load = |(name, steps): &(&str, &str)| {
        let text = format!(r#"{{"name": "{name}", {INPUTS}{}"#, &steps.replace("RETRY", RETRY)[1..]);
        let text = if *name == "tick" { text.replacen('{', &format!("{{{TRIGGERS}"), 1) } else { text };
        match plan::load(&text, Format::Auto, &catalog, &Owner::LOCAL) {
            Ok(checked) => (checked.document, Arc::new(checked.plan)),
            Err(problems) => panic!("{text}\n{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
        }
    };
    PLANS.iter().map(load).collect()
});

const TRIGGERS: &str = r#""triggers": [{"id": "all", "type": "cron", "cron": "*/2 * * * *", "misfire": "fire_all"}, {"id": "once", "type": "cron", "cron": "* * * * *", "misfire": "fire_once"}, {"id": "skip", "type": "cron", "cron": "*/3 * * * *", "misfire": "skip"}], "#;

pub struct Schedule {
    pub id: ScheduleId,
    pub name: &'static str,
    pub misfire: Misfire,
    every: Millis,
}

impl Schedule {
    /// The due times after the beginning that were due by `end`, with time to be fired.
    pub fn slots(&self, end: Millis) -> impl Iterator<Item = Millis> + '_ {
        (1..).map(|n| BEGIN + n * self.every).take_while(move |due| *due <= end - super::verdict::LAST)
    }
}

/// A caller's wish.
#[derive(Clone, Debug)]
pub struct Request {
    pub no: usize,
    pub plan: usize,
    /// With a key the caller repeats itself until it is answered.
    pub key: Option<String>,
    pub at: Millis,
    /// Cancels the run so long after it was acknowledged.
    pub cancel_after: Option<Millis>,
}

pub struct Scenario {
    pub schedules: Vec<Schedule>,
    pub requests: Vec<Request>,
}

pub fn loaded(plan: usize) -> LoadedPlan {
    LoadedPlan { id: plan_id(plan), version: 1, plan: LOADED[plan].1.clone() }
}

fn plan_id(plan: usize) -> PlanId {
    PlanId(Uuid::from_u128(0x7000_0000 + plan as u128))
}

impl Scenario {
    pub fn new(dice: &mut Dice, requests: usize) -> Scenario {
        let schedule = |n: u128, name, minutes: i64, misfire| Schedule {
            id: ScheduleId(Uuid::from_u128(0x8000_0000 + n)),
            name,
            misfire,
            every: minutes * 60_000,
        };
        let mut request = |no| Request {
            no,
            plan: STARTED[dice.index(STARTED.len())],
            key: dice.percent(70).then(|| format!("caller-{no}")),
            at: BEGIN + dice.between(2_000, LIVELY - 20_000),
            cancel_after: dice.percent(10).then(|| dice.between(10, 20_000)),
        };
        Scenario {
            requests: (0..requests).map(&mut request).collect(),
            schedules: vec![
                schedule(0, "all", 2, Misfire::FireAll),
                schedule(1, "once", 1, Misfire::FireOnce),
                schedule(2, "skip", 3, Misfire::Skip),
            ],
        }
    }

    /// Plans and schedules as they stand in the database before the first node starts.
    pub fn fill(&self, database: &mut Database) {
        for (n, (document, plan)) in LOADED.iter().enumerate() {
            let record = PlanRecord {
                id: plan_id(n),
                owner: Owner::LOCAL,
                name: plan.name.clone(),
                source: PlanSource::Api,
                version: 1,
                draft: None,
                file: None,
                document: document.clone(),
                created_at: BEGIN,
                updated_at: BEGIN,
            };
            database.plans.insert(record.id, record);
        }
        for schedule in &self.schedules {
            let minutes = schedule.every / 60_000;
            let record = ScheduleRecord {
                id: schedule.id,
                plan: plan_id(PLANS.len() - 1),
                plan_name: "tick".to_owned(),
                owner: Owner::LOCAL,
                trigger: schedule.name.to_owned(),
                expression: if minutes == 1 { "* * * * *".to_owned() } else { format!("*/{minutes} * * * *") },
                timezone: None,
                misfire: schedule.misfire,
                next_due: Some(BEGIN + schedule.every),
                last_due: None,
                last_status: None,
            };
            database.schedules.insert(schedule.id, record);
        }
    }
}
