//! One step alone, without a journal: `execute-step`, for trying an action while a plan is written.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use mainspring_model::action::Keeps;
use mainspring_model::event::{AttemptStatus, EventBody};
use mainspring_model::fault::Fault;
use mainspring_model::id::{Owner, PlanId, RunId};
use mainspring_model::plan::Plan;
use mainspring_model::run::RunHeader;
use serde_json::{Map, Value, json};

use crate::attempt;
use crate::engine::Engine;
use crate::rows;
use crate::run::{Run, Todo};

/// How the step ended.
#[derive(Clone, Debug, PartialEq)]
pub struct StepResult {
    pub output: Value,
    pub message: String,
    pub metadata: Map<String, Value>,
    pub error: Option<Fault>,
    /// The step's own `if` was false.
    pub skipped: bool,
}

/// The most events one step may make here: enough for a loop, not for a flood.
const MAX_EVENTS: u32 = 10_000;

impl Engine {
    /// Runs the last step of `plan`'s top list with the results of the steps before it given by `earlier` (output by
    /// place in the list). One attempt, nothing is journalled and nothing waits for longer than the attempt itself.
    ///
    /// # Errors
    /// A fault of our own making; the step's faults are in the result.
    pub async fn rehearse(&self, owner: Owner, plan: Arc<Plan>, inputs: Value, earlier: Vec<Value>) -> Result<StepResult, Fault> {
        self.call_alone(owner, plan, inputs, json!({"type": "manual"}), earlier).await
    }

    /// As [`Engine::rehearse`], for a step that a trigger calls: `trigger` is in its scope.
    pub(crate) async fn call_alone(
        &self,
        owner: Owner,
        plan: Arc<Plan>,
        inputs: Value,
        trigger: Value,
        earlier: Vec<Value>,
    ) -> Result<StepResult, Fault> {
        let inner = &self.0;
        inner.credentials.ensure_key(owner.org).await.map_err(|error| Fault::internal(error.to_string()))?;
        let now = inner.clock.now();
        let id = RunId(self.new_id());
        let variables = inner.org_root(owner.org, id).await.map_err(|error| Fault::internal(error.to_string()))?;
        let header = Arc::new(RunHeader {
            id,
            owner,
            plan_id: PlanId(self.new_id()),
            plan_version: 0,
            plan_name: plan.name.clone(),
            inputs,
            trigger,
            org: variables,
            created_at: now,
            environment: inner.settings.environment.clone(),
            seed: inner.random_16(),
            parent: None,
        });
        let target = plan.step(*plan.list(Plan::TOP).steps.last().ok_or_else(|| Fault::internal("the plan has no step"))?).id.clone();
        let mut run = Run::new(plan, header.clone(), inner.keys.clone())?;
        let mut earlier = earlier.into_iter();
        loop {
            if run.seq() > MAX_EVENTS {
                return Err(Fault::invalid_params("the step does more than one try allows; run its plan instead"));
            }
            let body = match run.next(inner.clock.now()) {
                Todo::Over => return Ok(skipped("the step was not reached")),
                Todo::Abort(_) => continue,
                Todo::Rows(wanted) => {
                    let read = rows::read(inner, &header, &wanted).await;
                    run.rows_read(&wanted, read);
                    continue;
                }
                Todo::Wait(_) | Todo::LastLook(_) => return Ok(skipped("the step waits; run its plan to see it go on")),
                Todo::Record(EventBody::Skipped { path }) if path == target => return Ok(skipped("the step's \"if\" is false")),
                Todo::Record(EventBody::BodyFailed { path, error, .. }) if path == target => return Ok(failed(error)),
                Todo::Record(body) => body,
                Todo::Call(call) => {
                    let (addr, attempt) = (call.addr, call.attempt);
                    if call.path != target && !call.path.starts_with(&format!("{target}[")) && !call.path.starts_with(&format!("{target}."))
                    {
                        given(&run, &call, earlier.next().unwrap_or(Value::Null))
                    } else {
                        let tried = if call.computes {
                            attempt::compute(inner, &header, *call)
                        } else {
                            let sent = Arc::new(AtomicBool::new(false));
                            let tried =
                                attempt::perform(inner.clone(), header.clone(), *call, inner.store.epoch(), sent, Keeps::default()).await;
                            tried
                                .ok_or_else(|| Fault::internal("this node lost its place among the others meanwhile; try the step again"))?
                        };
                        run.outcome(addr, attempt, tried, inner.clock.now()).ok_or_else(|| Fault::internal("the step is gone"))?
                    }
                }
            };
            if let EventBody::Attempted(attempted) = &body
                && attempted.path == target
            {
                return Ok(match (&attempted.error, attempted.status) {
                    (Some(error), AttemptStatus::Error | AttemptStatus::Retrying | AttemptStatus::Cancelled) => failed(error.clone()),
                    _ => StepResult {
                        output: attempted.output.clone(),
                        message: attempted.message.clone(),
                        metadata: attempted.metadata.clone(),
                        error: None,
                        skipped: false,
                    },
                });
            }
            let finished = matches!(body, EventBody::Finished(_));
            let event = run.event(body, inner.clock.now());
            run.apply(event).map_err(|illegal| Fault::internal(illegal.to_string()))?;
            if finished {
                return Ok(last_output(&run));
            }
        }
    }
}

/// The recorded result of an earlier step, taken as the caller gave it.
fn given(run: &Run, call: &crate::run::Call, output: Value) -> EventBody {
    let tried = crate::run::Tried {
        result: Ok(mainspring_model::action::Outcome::Done(mainspring_model::action::Output::new(output))),
        effect: mainspring_model::action::Effect::Read,
        latency_us: 0,
        child: None,
        write: None,
    };
    run.outcome(call.addr, call.attempt, tried, 0).expect("the unit was just begun")
}

fn last_output(run: &Run) -> StepResult {
    let error = run.top_steps().into_iter().next_back().and_then(|(_, _, error)| error);
    let output = run.top_outputs().into_iter().next_back().unwrap_or(Value::Null);
    StepResult { output, message: String::new(), metadata: Map::new(), error, skipped: false }
}

fn skipped(message: &str) -> StepResult {
    StepResult { output: Value::Null, message: message.to_owned(), metadata: Map::new(), error: None, skipped: true }
}

fn failed(error: Fault) -> StepResult {
    StepResult { output: Value::Null, message: error.message.clone(), metadata: Map::new(), error: Some(error), skipped: false }
}
