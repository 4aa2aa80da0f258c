//! The checked plan: ids, lists, edges, defaults.

use std::time::Duration;

use mainspring_model::plan::{Backoff, EdgePort, Join, ListRole, Loop, OnError, OnItemError, Plan, RetryPolicy, StepIx, StepKind};

use super::good;

fn plan() -> Plan {
    good(
        "name: A
steps:
  - {action: test.read}
  - id: each
    for_each: inputs.rows
    as: row
    max_parallel: 4
    on_item_error: continue
    steps:
      - {action: test.read, params: {at: \"${now()}\"}}
      - {steps: [{action: test.write}]}
    on_error:
      - {id: handle, action: test.write}
  - {id: last, needs: ['each:error', step_1, each], action: test.write, retry: {max_attempts: 5}, timeout: 2m, on_error: continue, once: true}
  - {repeat: {until: true, delay: 5s}, steps: [{id: inner, action: logic.set}], retry: {}}
on_error: [{action: test.write}]
finally: [{action: test.write}]
deadline: 1d
",
    )
    .plan
}

#[test]
fn ids_go_by_place() {
    let plan = plan();
    let ids: Vec<&str> = plan.steps.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(ids, ["step_1", "each", "each_1", "each_2", "each_2_1", "handle", "last", "step_4", "inner", "on_error_1", "finally_1"]);
    for (id, ix) in &plan.ids {
        assert_eq!(plan.step(*ix).id, *id);
    }
    let numbers: Vec<Option<u32>> = plan.steps.iter().map(|step| step.number).collect();
    assert_eq!(numbers, [Some(0), Some(1), Some(1), Some(1), Some(1), Some(1), Some(2), Some(3), Some(3), None, None]);
    let roles: Vec<ListRole> = plan.lists.iter().map(|list| list.role).collect();
    assert_eq!(
        roles,
        [
            ListRole::Top,
            ListRole::Body(StepIx(1)),
            ListRole::Body(StepIx(3)),
            ListRole::StepError(StepIx(1)),
            ListRole::Body(StepIx(7)),
            ListRole::PlanError,
            ListRole::Finally
        ]
    );
    assert_eq!(plan.list(Plan::TOP).steps, [StepIx(0), StepIx(1), StepIx(6), StepIx(7)]);
    assert_eq!((plan.on_error.map(|list| list.0), plan.finally.map(|list| list.0)), (Some(5), Some(6)));
}

#[test]
fn edges_are_resolved() {
    let plan = plan();
    let edges = |ix: u32| plan.step(StepIx(ix)).edges.iter().map(|edge| (edge.source.0, edge.ports.clone())).collect::<Vec<_>>();
    assert_eq!(edges(0), []);
    assert_eq!(edges(1), [(0, vec![EdgePort::Plain])]);
    assert_eq!(edges(2), []);
    assert_eq!(edges(3), [(2, vec![EdgePort::Plain])]);
    assert_eq!(edges(6), [(1, vec![EdgePort::Port("error".to_owned()), EdgePort::Plain]), (0, vec![EdgePort::Plain])]);
    assert_eq!(plan.step(StepIx(0)).dependents, [StepIx(1), StepIx(6)]);
    assert_eq!(plan.step(StepIx(1)).dependents, [StepIx(6)]);
    assert!(plan.step(StepIx(1)).error_handled && !plan.step(StepIx(0)).error_handled);
    assert_eq!(plan.step(StepIx(6)).join, Join::All);
}

#[test]
fn defaults_are_those_of_the_page() {
    let plan = plan();
    assert_eq!((plan.timeout, plan.deadline), (Duration::from_secs(3_600), Some(Duration::from_secs(86_400))));
    let backoff = Backoff { delay: Duration::from_secs(1), factor: 2.0, max_delay: Duration::from_secs(60), jitter: true };
    let step = |ix: u32| plan.step(StepIx(ix));
    assert_eq!(step(0).retry, RetryPolicy { max_attempts: 3, backoff, codes: Vec::new() });
    assert_eq!(step(1).retry.max_attempts, 1, "bodies: 1 attempt unless written");
    assert_eq!((step(6).retry.max_attempts, step(7).retry.max_attempts), (5, 3));
    assert_eq!((step(0).timeout, step(1).timeout, step(6).timeout), (Some(Duration::from_secs(30)), None, Some(Duration::from_secs(120))));
    assert_eq!((&step(0).on_error, &step(6).on_error), (&OnError::Fail, &OnError::Continue));
    assert!(matches!(step(1).on_error, OnError::Steps(list) if plan.list(list).role == ListRole::StepError(StepIx(1))));
    assert!(step(6).once && !step(0).once);
    assert!(step(2).reads_now && !step(0).reads_now);
    let Loop::ForEach(each) = &step(1).looped else { panic!("for_each") };
    assert_eq!((each.name.as_str(), each.max_parallel, each.batch, each.on_item_error), ("row", 4, None, OnItemError::Continue));
    let Loop::Repeat(repeat) = &step(7).looped else { panic!("repeat") };
    let delay = Backoff { delay: Duration::from_secs(5), factor: 1.0, max_delay: Duration::from_secs(5), jitter: false };
    assert_eq!((repeat.max, repeat.delay), (100, Some(delay)));
    let StepKind::Action(action) = &step(8).kind else { panic!("an action") };
    assert!(action.computes && action.provider == "logic" && action.action == "set");
}

#[test]
fn the_example_of_the_page_passes() {
    let text = "name: Payments
inputs: {amount: {type: number, required: true}, email: {type: string, required: true}}
triggers:
  - {id: paid, type: webhook, path: stripe, if: trigger.body.type == 'charge.succeeded',
     inputs: {amount: \"${trigger.body.data.object.amount}\", email: \"${trigger.body.data.object.receipt_email}\"}}
steps:
  - {id: customer, action: test.read, params: {email: \"${inputs.email}\"}, on_error: continue}
  - {id: notify, if: inputs.amount > 1000, action: test.write, params: {channel: sales, text: \"${inputs.email} paid ${inputs.amount}\"}}
  - {id: append, if: inputs.amount <= 1000, action: test.write, params: {row: [\"${inputs.email}\", \"${inputs.amount}\"]}}
  - {id: log, action: test.write, params: {table: payments, row: \"${inputs}\"}}          # runs in both cases
";
    assert_eq!(good(text).plan.steps.len(), 4);
}

#[test]
fn a_tag_holds_for_what_is_inside() {
    let text = "name: A
tag: lab
steps:
  - {id: a, action: test.read}
  - {id: b, tag: gpu-2, steps: [{id: c, action: test.read}, {id: d, tag: default, action: test.read}], on_error: [{id: e, action: test.read}]}
finally: [{id: f, action: test.read}]
";
    let plan = good(text).plan;
    let tags: Vec<(&str, &str)> = plan.steps.iter().map(|step| (step.id.as_str(), step.tag.as_deref().unwrap())).collect();
    assert_eq!(tags, [("a", "lab"), ("b", "gpu-2"), ("c", "gpu-2"), ("d", "default"), ("e", "gpu-2"), ("f", "lab")]);
}
