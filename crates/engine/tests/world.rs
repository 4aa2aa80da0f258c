//! A simulated world for the pure run: scripted actions, time that jumps, and one text that renders a whole run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use mainspring_engine::run::{Awaiting, Call, Illegal, Replaying, RowsRead, RowsWanted, Run, RunKeys, Todo, Tried, path};
use mainspring_model::action::{Action, ActionResult, ActionSpec, Context, Effect, Outcome, Output, ParamKind, Port};
use mainspring_model::budget::{ModelCall, Price};
use mainspring_model::catalog::{BuiltIns, Provider};
use mainspring_model::event::{Event, EventBody};
use mainspring_model::fault::{Code, Effected, Fault};
use mainspring_model::id::{Owner, PlanId, RunId};
use mainspring_model::plan::{self, Format, Plan};
use mainspring_model::run::RunHeader;
use mainspring_model::state::{StateChange, StateScope, StateWrite};
use mainspring_model::store::SignalRecord;
use mainspring_model::wait::{Wait, WaitKind, event_topic};
use serde_json::{Value, json};
use uuid::Uuid;

struct Scripted(ActionSpec, Vec<Port>);

impl Action for Scripted {
    fn spec(&self) -> &ActionSpec {
        &self.0
    }
    fn ports(&self, _: &Value) -> Vec<Port> {
        self.1.clone()
    }
    fn call<'a>(&'a self, _: Value, _: &'a Context) -> BoxFuture<'a, ActionResult> {
        Box::pin(std::future::ready(Err(Fault::internal("the simulated world answers itself"))))
    }
}

fn action(name: &str, effect: Effect, computes: bool, ports: Vec<Port>) -> Arc<dyn Action> {
    let spec = ActionSpec {
        name: name.to_owned(),
        title: name.to_owned(),
        description: "For tests.".to_owned(),
        effect,
        computes,
        apart: false,
        needs_credential: false,
        params: json!({"type": "object"}),
        output: None,
        model: None,
        param_kinds: Default::default(),
        timeout: None,
        example: json!({}),
    };
    Arc::new(Scripted(spec, ports))
}

/// `await{type, where, timeout}`: what `logic.wait_for_event` is.
fn waiting() -> Arc<dyn Action> {
    let ports = vec![Port::main("success"), Port::side("timeout")];
    let spec = action("await", Effect::Read, false, ports.clone()).spec().clone();
    Arc::new(Scripted(ActionSpec { param_kinds: [("where".to_owned(), ParamKind::PerEvent)].into(), ..spec }, ports))
}

/// `ask{sent, most, used: [sent, answered]}`: a language model, for a dollar and two for a million tokens.
fn asking() -> Arc<dyn Action> {
    let spec = action("ask", Effect::Idempotent, false, Vec::new()).spec().clone();
    let most = |params: &Value| ModelCall {
        model: "m".to_owned(),
        sent: params["sent"].as_u64().unwrap_or(0),
        answered: params["most"].as_u64(),
        price: Some(Price { sent: 1.0, answered: 2.0 }),
    };
    Arc::new(Scripted(ActionSpec { model: Some(most), ..spec }, vec![Port::main("success")]))
}

pub fn catalog() -> BuiltIns {
    let ok = || vec![Port::main("success")];
    let provider = Provider {
        id: "t".into(),
        title: "Test".into(),
        category: "test".into(),
        version: 1,
        description: "Scripted.".into(),
        credential: Vec::new(),
        hosts: Vec::new(),
        verify: None,
        actions: vec![
            action("read", Effect::Read, false, ok()),
            action("write", Effect::Write, false, ok()),
            action("count", Effect::Idempotent, false, ok()),
            action("echo", Effect::Read, true, ok()),
            action("choose", Effect::Read, true, vec![Port::main("success"), Port::main("yes"), Port::side("no")]),
            action("sleep", Effect::Read, false, ok()),
            action("stop", Effect::Read, true, ok()),
            action("call", Effect::Read, false, ok()),
            waiting(),
            asking(),
        ],
        aliases: Default::default(),
    };
    BuiltIns::new([provider])
}

pub fn plan(text: &str) -> Arc<Plan> {
    match plan::load(text, Format::Auto, &catalog(), &Owner::LOCAL) {
        Ok(checked) => Arc::new(checked.plan),
        Err(problems) => panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    }
}

struct PlainKeys;

impl RunKeys for PlainKeys {
    fn idempotency_key(&self, _: &RunHeader, path: &str) -> String {
        format!("key:{path}")
    }
    fn random_bits(&self, _: &RunHeader, path: &str, n: u32) -> u128 {
        path.bytes().fold(u128::from(n) + 1, |bits, byte| {
            bits.wrapping_mul(0x5851_F42D_4C95_7F2D_1405_7B7E_F767_814F).wrapping_add(u128::from(byte))
        })
    }
}

pub fn keys() -> Arc<dyn RunKeys> {
    Arc::new(PlainKeys)
}

pub fn header(inputs: Value) -> Arc<RunHeader> {
    Arc::new(RunHeader {
        id: RunId(Uuid::from_u128(1)),
        owner: Owner::LOCAL,
        plan_id: PlanId(Uuid::from_u128(2)),
        plan_version: 1,
        plan_name: "test".into(),
        inputs,
        trigger: json!({"type": "manual"}),
        org: json!({}),
        created_at: 0,
        environment: "test".into(),
        seed: [7; 16],
        parent: None,
    })
}

/// What the world answers: by default each call gives its params; `fail` in the params makes it fail.
///
/// `{fail: CODE, times: n}` fails the first n attempts, `unheard: true` (or the first n) so that nobody knows what became of them; `{port: p}` ends in that port; `{for: ms}` sleeps.
pub fn answer(call: &Call, healed: bool) -> ActionResult {
    let params = &call.params;
    if !healed && let Some(code) = params.get("fail").and_then(Value::as_str).filter(|code| !code.is_empty()) {
        let times = params.get("times").and_then(Value::as_u64).unwrap_or(u64::MAX);
        if u64::from(call.attempt) <= times {
            let fault = Fault::new(Code::other(code), format!("{} failed", call.path));
            let unheard = match params.get("unheard") {
                Some(Value::Number(first)) => u64::from(call.attempt) <= first.as_u64().unwrap_or(0),
                other => other == Some(&json!(true)),
            };
            return Err(if unheard { fault.effect(Effected::Unknown) } else { fault });
        }
    }
    match call.action.as_str() {
        "sleep" => Ok(Outcome::SleepUntil(params.get("until").and_then(Value::as_i64).unwrap_or(0))),
        "stop" => Ok(Outcome::Stop(params.get("output").cloned())),
        "await" => Ok(Outcome::Wait(Wait {
            kind: WaitKind::Event,
            topic: event_topic(params["type"].as_str().unwrap_or_default()),
            since: params.get("since").and_then(Value::as_i64),
            until: params.get("until").and_then(Value::as_i64),
            detail: Value::Null,
        })),
        "call" => Ok(Outcome::Call { plan: "child".into(), inputs: json!({}), wait: true }),
        "choose" => Ok(Outcome::Done(Output::new(Value::Null).port(if params.get("yes") == Some(&json!(true)) { "yes" } else { "no" }))),
        "ask" => {
            let used = params.get("used").map(|used| json!({"prompt_tokens": used[0], "completion_tokens": used[1]}));
            Ok(Outcome::Done(Output::new(json!(call.path)).metadata("usage", used)))
        }
        _ => Ok(Outcome::Done(Output::new(params.get("out").cloned().unwrap_or_else(|| json!(call.path))))),
    }
}

/// The rows of the one file of this world: its id says how many it has, `{n, parts}` each. The row `gone` of it cannot be read, and
/// as many are given at once as `at_once` says.
fn rows(wanted: &RowsWanted) -> Result<RowsRead, Fault> {
    let (params, batch) = (&wanted.source.params, wanted.source.batch);
    let number = |name: &str| params.get(name).and_then(Value::as_u64);
    let count = number("file").ok_or_else(|| Fault::new(Code::other("FILE_NOT_FOUND"), "no such file"))?;
    let total = count.div_ceil(u64::from(batch.unwrap_or(1)));
    let read = RowsRead { source: wanted.source.clone(), total: Some(total as u32), items: Vec::new() };
    let Some(first) = wanted.item.map(u64::from) else { return Ok(read) };
    let gone = number("gone").unwrap_or(u64::MAX);
    if gone == first {
        return Err(Fault::new(Code::other("FILE_NOT_FOUND"), "the file went"));
    }
    let upto = (first + number("at_once").unwrap_or(2)).min(if gone > first { gone } else { total }).min(total);
    let row = |n: u64| json!({"n": n, "parts": [n, n + 1]});
    let item = |at: u64| match batch.map(u64::from) {
        Some(size) => (at * size..((at + 1) * size).min(count)).map(row).collect(),
        None => row(at),
    };
    Ok(RowsRead { items: (first..upto).map(item).collect(), ..read })
}

/// One simulated life of a run.
pub struct Life {
    pub run: Run,
    pub history: Vec<Event>,
    /// Every attempt that was made, by path: how often.
    pub ledger: Arc<Mutex<HashMap<String, u32>>>,
    now: i64,
    flying: Vec<Call>,
    /// What somebody does to the run at a moment.
    pub at: Vec<(i64, EventBody)>,
    /// What happens outside, by `received_at`.
    pub signals: Vec<SignalRecord>,
    pub max_flying: usize,
    /// Nothing fails any more.
    pub healed: bool,
}

impl Life {
    pub fn new(plan: Arc<Plan>, header: Arc<RunHeader>) -> Life {
        let run = Run::new(plan, header, keys()).unwrap_or_else(|fault| panic!("{fault}"));
        Life {
            run,
            history: Vec::new(),
            ledger: Arc::default(),
            now: 0,
            flying: Vec::new(),
            at: Vec::new(),
            signals: Vec::new(),
            max_flying: 0,
            healed: false,
        }
    }

    /// A life that goes on from a journal.
    pub fn resumed(plan: Arc<Plan>, header: Arc<RunHeader>, history: Vec<Event>, ledger: Arc<Mutex<HashMap<String, u32>>>) -> Life {
        let now = history.last().map_or(0, |event| event.at);
        let replayed = || -> Result<Run, Illegal> {
            let mut replaying = Replaying::new(plan, header, keys(), history.clone())?;
            while let Some(wanted) = replaying.go_on()? {
                replaying.rows_read(&wanted, rows(&wanted));
            }
            Ok(replaying.done())
        };
        let run = replayed().unwrap_or_else(|illegal| panic!("{illegal}\n{history:#?}"));
        Life { run, history, ledger, now, flying: Vec::new(), at: Vec::new(), signals: Vec::new(), max_flying: 0, healed: false }
    }

    fn record(&mut self, body: EventBody) {
        let event = self.run.event(body, self.now);
        self.history.push(event.clone());
        self.run.apply(event).unwrap_or_else(|illegal| panic!("{illegal}\n{:#?}", self.history));
    }

    /// Lives until the end, or until `events` events stand in the journal (a crash).
    pub fn live(&mut self, events: usize) {
        for _ in 0..200_000 {
            if self.history.len() >= events {
                return;
            }
            match self.run.next(self.now) {
                Todo::Over => return,
                Todo::Record(body) => self.record(body),
                Todo::Abort(addr) => {
                    let place = self.flying.iter().position(|call| call.addr == addr).expect("what is aborted is in flight");
                    let call = self.flying.remove(place);
                    if let Some(body) = self.run.aborted(addr, call.attempt, true, 0) {
                        self.record(body);
                    }
                }
                Todo::Call(call) => {
                    *self.ledger.lock().unwrap().entry(call.path.clone()).or_default() += 1;
                    assert!(path::parse(&call.path).is_some(), "{} is no path", call.path);
                    if call.computes {
                        self.end(*call);
                    } else {
                        self.flying.push(*call);
                        self.max_flying = self.max_flying.max(self.flying.len());
                    }
                }
                Todo::LastLook(over) => {
                    let body = self.fitting(&over).or_else(|| self.run.timed_out(&over)).expect("the unit is there");
                    self.record(body);
                }
                Todo::Rows(wanted) => {
                    let read = rows(&wanted);
                    self.run.rows_read(&wanted, read);
                }
                Todo::Wait(until) => self.pass_time(until),
            }
        }
        panic!("the run does not end: {:#?}", &self.history[..self.history.len().min(50)]);
    }

    /// The end of a wait, by what has come so far.
    fn fitting(&self, awaiting: &Awaiting) -> Option<EventBody> {
        let since = awaiting.wait.since.unwrap_or(0);
        let come =
            |signal: &&SignalRecord| signal.topic == awaiting.wait.topic && signal.received_at >= since && signal.received_at <= self.now;
        let come: Vec<SignalRecord> = self.signals.iter().filter(come).cloned().collect();
        self.run.first_fitting(awaiting, &come)
    }

    fn pass_time(&mut self, until: Option<i64>) {
        if let Some(body) = self.run.awaiting().iter().find_map(|awaiting| self.fitting(awaiting)) {
            return self.record(body);
        }
        let come = self.signals.iter().map(|signal| signal.received_at).filter(|at| *at > self.now).min();
        let until = until.into_iter().chain(come).min();
        if let Some(place) = self.at.iter().position(|(at, _)| *at <= self.now) {
            let (_, body) = self.at.remove(place);
            return self.record(body);
        }
        let children = self.run.children();
        if !self.flying.is_empty() {
            // The attempt that takes the shortest time ends first; `takes` in the params, else a millisecond.
            let takes = |call: &Call| call.params.get("takes").and_then(Value::as_i64).unwrap_or(1);
            let place = (0..self.flying.len()).min_by_key(|place| takes(&self.flying[*place])).expect("not empty");
            let ends = self.now + takes(&self.flying[place]);
            let sooner = until.into_iter().chain(self.at.iter().map(|(at, _)| *at)).filter(|at| *at < ends && *at > self.now).min();
            if let Some(sooner) = sooner {
                self.age(sooner - self.now);
                self.now = sooner;
                return;
            }
            let call = self.flying.remove(place);
            self.age(ends - self.now);
            self.now = ends;
            return self.end(call);
        }
        if let Some((addr, attempt, child)) = children.first() {
            let ending = mainspring_model::run::Ending {
                status: mainspring_model::run::RunStatus::Success,
                output: json!("from the child"),
                blob: None,
                error: None,
            };
            let body = self.run.child_ended(*addr, *attempt, *child, ending).expect("the unit is there");
            return self.record(body);
        }
        let next = until.into_iter().chain(self.at.iter().map(|(at, _)| *at)).min();
        self.now = next.unwrap_or_else(|| panic!("the run waits for nothing: {:#?}", self.history)).max(self.now);
    }

    fn age(&mut self, by: i64) {
        for call in &mut self.flying {
            if let Some(takes) = call.params.get("takes").and_then(Value::as_i64) {
                call.params["takes"] = json!((takes - by).max(1));
            }
        }
    }

    fn end(&mut self, call: Call) {
        let result = answer(&call, self.healed);
        let child = matches!(result, Ok(Outcome::Call { .. })).then(|| RunId(Uuid::from_u128(9)));
        let effect = if call.action == "write" { Effect::Write } else { Effect::Read };
        // What provider `state` does, as the engine has it from the store: the run leaves the change behind if it succeeds.
        let counts = call.action == "count" && result.is_ok();
        let write = counts.then(|| StateWrite {
            scope: StateScope::Plan,
            key: call.params["key"].as_str().unwrap_or("n").to_owned(),
            until: None,
            change: StateChange::Add(1.into()),
        });
        let tried = Tried { result, effect, latency_us: 0, child, write };
        if let Some(body) = self.run.outcome(call.addr, call.attempt, tried, self.now) {
            self.record(body);
        }
    }

    /// The whole final state: a line per step of the top list, then the ending.
    pub fn render(&self) -> String {
        let mut text = String::new();
        for ((id, status, error), output) in self.run.top_steps().into_iter().zip(self.run.top_outputs()) {
            let error = error.map(|fault| format!(" {}", fault.code)).unwrap_or_default();
            text += &format!("{id} {}{error} {output}\n", status.as_str());
        }
        let Some(EventBody::Finished(ending)) = self.history.last().map(|event| &event.body) else { return text + "not ended\n" };
        let error = ending.error.as_ref().map(|fault| {
            let step = fault.details.as_ref().and_then(|details| details.get("step")).and_then(Value::as_str).unwrap_or("");
            format!(" {} at \"{step}\"", fault.code)
        });
        text += &format!("= {} {}{}\n", ending.status.as_str(), ending.output, error.unwrap_or_default());
        for write in self.run.leaves_behind() {
            text += &format!("leaves {} {:?}\n", write.key, write.change);
        }
        text
    }

    pub fn calls(&self, path: &str) -> u32 {
        self.ledger.lock().unwrap().get(path).copied().unwrap_or(0)
    }
}

/// Lives a plan to its end and compares the rendered state; then again with a crash after every event.
pub fn check(text: &str, expected: &str) -> Life {
    check_with(text, json!({}), Vec::new(), expected)
}

pub fn check_with(text: &str, inputs: Value, at: Vec<(i64, EventBody)>, expected: &str) -> Life {
    let plan = plan(text);
    let header = header(inputs);
    let mut life = Life::new(plan, header);
    life.at = at;
    life.live(usize::MAX);
    let trim = |text: &str| text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
    assert_eq!(trim(&life.render()), trim(expected), "\n{text}\n{:#?}", life.history);
    crate::crash::at_every_event(text, &life);
    life
}
