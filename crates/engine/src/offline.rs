//! A plan's own tests: whole runs without the world, on pinned outputs and a clock that jumps.
//!
//! What computes runs as it always does. Whatever would leave the process, wait for somebody or use a credential has to be pinned.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use futures_util::future::{Either, select};
use mainspring_model::action::{Context, Effect};
use mainspring_model::catalog::Catalog;
use mainspring_model::clock::{Clock, Millis};
use mainspring_model::event::EventBody;
use mainspring_model::fault::Fault;
use mainspring_model::id::{Owner, PlanId, RunId};
use mainspring_model::plan::{Plan, PlanTest};
use mainspring_model::run::{Ending, RunHeader, RunStatus};
use mainspring_model::value::preview;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::run::{Call, Run, RunKeys, Todo, Tried};

/// When the runs of tests begin: 2026-01-01, so that a test of dates gives the same on every day.
pub const BEGIN: Millis = 1_767_225_600_000;
/// More than a test of a plan needs, and an end for a loop that has none.
const MAX_EVENTS: u32 = 20_000;
/// For one computing step.
const STEP_TIME: Duration = Duration::from_secs(10);
const PREVIEW: usize = 300;

/// How one test went.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TestReport {
    pub name: String,
    pub passed: bool,
    /// What was not as expected, a sentence each.
    pub problems: Vec<String>,
    /// How the run ended; `None` where it could not go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<RunStatus>,
    pub output: Value,
}

/// Runs all tests of a plan, as many as begin within `patience`.
pub async fn tests(catalog: &dyn Catalog, clock: &Arc<dyn Clock>, owner: Owner, plan: &Arc<Plan>, patience: Duration) -> Vec<TestReport> {
    let until = clock.now().saturating_add(Millis::try_from(patience.as_millis()).unwrap_or(Millis::MAX));
    let mut reports = Vec::with_capacity(plan.tests.len());
    for case in &plan.tests {
        reports.push(if clock.now() < until {
            test(catalog, clock, owner, plan, case, until).await
        } else {
            let problems = vec![format!("not run: the tests before it took longer than {} s", patience.as_secs())];
            TestReport { name: case.name.clone(), passed: false, problems, status: None, output: Value::Null }
        });
    }
    reports
}

/// Runs one test of a plan.
async fn test(catalog: &dyn Catalog, clock: &Arc<dyn Clock>, owner: Owner, plan: &Arc<Plan>, test: &PlanTest, until: Millis) -> TestReport {
    let mut report = TestReport { name: test.name.clone(), passed: false, problems: Vec::new(), status: None, output: Value::Null };
    let inputs = match plan.inputs.accept(&test.inputs) {
        Ok(inputs) => inputs,
        Err(problems) => {
            report.problems =
                problems.iter().map(|problem| format!("{}: {}", problem.pointer.trim_start_matches('/'), problem.message)).collect();
            return report;
        }
    };
    match drive(catalog, clock, owner, plan, test, inputs, until).await {
        Err(stuck) => report.problems.push(stuck),
        Ok((run, ending)) => {
            report.status = Some(ending.status);
            report.output = ending.output.clone();
            report.problems = differences(test, &run, &ending);
        }
    }
    report.passed = report.problems.is_empty();
    report
}

/// The run at its end, or why it could not go on.
async fn drive(
    catalog: &dyn Catalog,
    clock: &Arc<dyn Clock>,
    owner: Owner,
    plan: &Arc<Plan>,
    test: &PlanTest,
    inputs: Value,
    until: Millis,
) -> Result<(Run, Ending), String> {
    let header = Arc::new(RunHeader {
        id: RunId(Uuid::from_u128(1)),
        owner,
        plan_id: PlanId(Uuid::from_u128(2)),
        plan_version: 0,
        plan_name: plan.name.clone(),
        inputs,
        trigger: test.trigger.clone(),
        org: json!({}),
        created_at: BEGIN,
        environment: "test".to_owned(),
        seed: [7; 16],
        parent: None,
    });
    let mut run = Run::new(plan.clone(), header, Arc::new(TestKeys)).map_err(|fault| format!("vars: {fault}"))?;
    run.pin(test.pinned.clone());
    let mut now = BEGIN;
    loop {
        if run.seq() > MAX_EVENTS {
            return Err(format!("the run had more than {MAX_EVENTS} events; a test is a short run"));
        }
        // What computes is done in place: others have their turn in between.
        tokio::task::yield_now().await;
        if clock.now() >= until {
            return Err("the test took too long".to_owned());
        }
        let body = match run.next(now) {
            Todo::Over => return Err("the run ended without an end".to_owned()),
            Todo::Abort(addr) => match run.aborted(addr, 1, false, 0) {
                Some(body) => body,
                None => continue,
            },
            Todo::LastLook(over) => match run.timed_out(&over) {
                Some(body) => body,
                None => continue,
            },
            Todo::Rows(wanted) => return Err(pin_it(&run.path_of(wanted.addr), "goes over the rows of a file")),
            Todo::Wait(Some(until)) if run.in_flight() == 0 => {
                now = until.max(now + 1);
                continue;
            }
            Todo::Wait(_) => return Err("the run waits for somebody; pin the output of the step that waits".to_owned()),
            Todo::Record(EventBody::Finished(ending)) => {
                let event = run.event(EventBody::Finished(ending.clone()), now);
                run.apply(event).map_err(|illegal| illegal.to_string())?;
                return Ok((run, ending));
            }
            Todo::Record(body) => body,
            Todo::Call(call) => {
                let (addr, attempt) = (call.addr, call.attempt);
                let tried = compute(catalog, clock, owner, *call).await?;
                match run.outcome(addr, attempt, tried, now) {
                    Some(EventBody::Awaited { path, .. } | EventBody::Called { path, .. }) => {
                        return Err(pin_it(&path, "waits for somebody"));
                    }
                    Some(body) => body,
                    None => continue,
                }
            }
        };
        let event = run.event(body, now);
        run.apply(event).map_err(|illegal| illegal.to_string())?;
    }
}

async fn compute(catalog: &dyn Catalog, clock: &Arc<dyn Clock>, owner: Owner, call: Call) -> Result<Tried, String> {
    let found = catalog.provider(&owner, &call.provider).and_then(|provider| provider.action(&call.action).cloned());
    let Some(action) = found else { return Err(format!("{}.{} is not there", call.provider, call.action)) };
    if !call.computes && !action.spec().apart {
        return Err(pin_it(&call.path, &format!("would call {}.{}", call.provider, call.action)));
    }
    let context = Context {
        owner,
        run: None,
        step: call.path.clone(),
        attempt: call.attempt,
        idempotency_key: TestKeys::key(&call.path),
        credential: None,
        per_item: call.per_item.clone(),
        clock: clock.clone(),
        deadline: clock.now().saturating_add(Millis::try_from(STEP_TIME.as_millis()).unwrap_or(Millis::MAX)),
        sent: Arc::new(AtomicBool::new(false)),
        holds: None,
        keeps: Default::default(),
        tracing: None,
        files: None,
    };
    let result = match select(action.call(call.params.clone(), &context), clock.sleep_until(context.deadline)).await {
        Either::Left((result, _)) => result,
        Either::Right(_) => return Err(format!("step \"{}\" computed for more than {} s", call.path, STEP_TIME.as_secs())),
    };
    Ok(Tried { result, effect: Effect::Read, latency_us: 0, child: None, write: None })
}

fn pin_it(path: &str, what: &str) -> String {
    let id = path.rsplit('.').next().unwrap_or(path);
    let id = id.split('[').next().unwrap_or(id);
    format!("step \"{path}\" {what}, and tests run offline; pin its output: `pinned: {{{id}: …}}`")
}

fn differences(test: &PlanTest, run: &Run, ending: &Ending) -> Vec<String> {
    let mut found = Vec::new();
    let asked = test.status.as_deref().or(test.error.is_none().then_some("success"));
    if let Some(asked) = asked.filter(|asked| *asked != ending.status.as_str()) {
        let why = ending.error.as_ref().map(|fault| format!(" ({fault})")).unwrap_or_default();
        found.push(format!("the run ended in {}{why}, and {asked} is expected", ending.status.as_str()));
    }
    if let Some(code) = &test.error {
        found.extend(other_code("the run", code, ending.error.as_ref()));
    }
    if let Some(output) = &test.output {
        compare("output", output, &ending.output, &mut found);
    }
    let outputs = run.top_outputs();
    let ended = run.top_steps();
    for (id, expected) in &test.steps {
        let Some(place) = ended.iter().position(|(step, ..)| step == id) else { continue };
        let (_, status, error) = &ended[place];
        if let Some(asked) = expected.status.as_deref().filter(|asked| *asked != status.as_str()) {
            let why = error.as_ref().map(|fault| format!(" ({fault})")).unwrap_or_default();
            found.push(format!("step \"{id}\" ended in {}{why}, and {asked} is expected", status.as_str()));
        }
        if let Some(code) = &expected.error {
            found.extend(other_code(&format!("step \"{id}\""), code, error.as_ref()));
        }
        if let Some(output) = &expected.output {
            compare(&format!("steps.{id}.output"), output, &outputs[place], &mut found);
        }
    }
    found
}

fn other_code(what: &str, asked: &str, error: Option<&Fault>) -> Option<String> {
    match error {
        None => Some(format!("{what} has no error, and {asked} is expected")),
        Some(fault) if fault.code.as_str() != asked => Some(format!("{what} failed with {fault}, and {asked} is expected")),
        Some(_) => None,
    }
}

/// Each place where two values differ, down to what is no object and no list.
fn compare(at: &str, expected: &Value, found: &Value, problems: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(wanted), Value::Object(there)) => {
            for (name, value) in wanted {
                match there.get(name) {
                    Some(other) => compare(&format!("{at}.{name}"), value, other, problems),
                    None => problems.push(format!("{at} has no \"{name}\"; {} is expected", preview(value, PREVIEW))),
                }
            }
            for (name, value) in there.iter().filter(|(name, _)| !wanted.contains_key(*name)) {
                problems.push(format!("{at} has \"{name}\" ({}), which is not expected", preview(value, PREVIEW)));
            }
        }
        (Value::Array(wanted), Value::Array(there)) if wanted.len() == there.len() => {
            for (place, (value, other)) in wanted.iter().zip(there).enumerate() {
                compare(&format!("{at}[{place}]"), value, other, problems);
            }
        }
        _ if same(expected, found) => {}
        _ => problems.push(format!("{at} is {}, and {} is expected", preview(found, PREVIEW), preview(expected, PREVIEW))),
    }
}

/// By content, 1 equal to 1.0.
fn same(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::Number(expected), Value::Number(found)) => expected == found || expected.as_f64() == found.as_f64(),
        _ => expected == found,
    }
}

/// Keys and random numbers of tests: the same in every run of them.
struct TestKeys;

impl TestKeys {
    fn key(path: &str) -> String {
        format!("test:{path}")
    }
}

impl RunKeys for TestKeys {
    fn idempotency_key(&self, _: &RunHeader, path: &str) -> String {
        TestKeys::key(path)
    }
    fn random_bits(&self, _: &RunHeader, path: &str, n: u32) -> u128 {
        // FNV-1a, twice: spread enough for ids of tests.
        let fold = |seed: u64| {
            path.bytes().chain(n.to_le_bytes()).fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
        };
        (u128::from(fold(0xcbf2_9ce4_8422_2325)) << 64) | u128::from(fold(0x9ae1_6a3b_2f90_404f))
    }
}
