//! Steps with a tag: left ready by a process that does not serve it, and begun by one that does.

use std::sync::Arc;

use mainspring_engine::run::{Run, Tags, Todo, Tried};
use mainspring_model::action::Effect;
use mainspring_model::event::{Event, EventBody};
use mainspring_model::plan::Plan;
use serde_json::json;

use crate::world::{answer, header, keys, plan};

/// A process that takes the run up from its journal and goes as far as it may: the steps that it made, and the tag that the run
/// waits for in the end.
fn go_on(plan: &Arc<Plan>, served: &[&str], journal: &mut Vec<Event>) -> (Vec<String>, Option<String>) {
    let tags: Tags = Some(served.iter().map(ToString::to_string).collect());
    let mut run = Run::replay(plan.clone(), header(json!({})), keys(), journal.clone()).unwrap();
    run.set_tags(tags);
    let mut made = Vec::new();
    loop {
        let body = match run.next(0) {
            Todo::Record(body) => body,
            Todo::Call(call) => {
                made.push(call.path.clone());
                let tried = Tried { result: answer(&call, false), effect: Effect::Read, latency_us: 0, child: None, write: None };
                run.outcome(call.addr, call.attempt, tried, 0).expect("it is in flight")
            }
            Todo::Abort(_) | Todo::Rows(_) | Todo::Wait(_) | Todo::LastLook(_) | Todo::Over => {
                return (made, run.tag_wanted().map(str::to_owned));
            }
        };
        let event = run.event(body, 0);
        journal.push(event.clone());
        run.apply(event).unwrap();
    }
}

fn said(made: &[&str], wanted: Option<&str>) -> (Vec<String>, Option<String>) {
    (made.iter().map(ToString::to_string).collect(), wanted.map(str::to_owned))
}

#[test]
fn a_run_goes_from_node_to_node() {
    let plan = plan(
        "name: A
steps:
  - {id: first, action: t.read}
  - {id: train, action: t.write, tag: gpu, once: true}
  - {id: beside, action: t.read, needs: [first]}
  - {id: last, action: t.read, needs: [train, beside]}
",
    );
    let mut journal = Vec::new();
    assert_eq!(go_on(&plan, &["default"], &mut journal), said(&["first", "beside"], Some("gpu")));
    assert!(!journal.iter().any(|event| matches!(event.body, EventBody::Started(_))), "no marker of a step that was not begun");
    assert_eq!(go_on(&plan, &["gpu"], &mut journal), said(&["train"], Some("default")));
    assert_eq!(go_on(&plan, &["default", "lab"], &mut journal), said(&["last"], None));
    assert!(matches!(journal.last().unwrap().body, EventBody::Finished(_)));
}

#[test]
fn a_plans_tag_is_that_of_its_steps_and_a_cancelled_run_waits_for_none() {
    let plan = plan("name: A\ntag: lab\nsteps: [{for_each: '[1, 2]', steps: [{id: inner, action: t.read}]}]\n");
    let mut journal = Vec::new();
    assert_eq!(go_on(&plan, &["default"], &mut journal), said(&[], Some("lab")));
    let mut stopped = journal.clone();
    let run = Run::replay(plan.clone(), header(json!({})), keys(), journal.clone()).unwrap();
    stopped.push(run.event(EventBody::CancelRequested { by: "Ada".to_owned() }, 0));
    assert_eq!(go_on(&plan, &["default"], &mut stopped), said(&[], None));
    assert!(matches!(stopped.last().unwrap().body, EventBody::Finished(_)));
    assert_eq!(go_on(&plan, &["lab"], &mut journal).0.len(), 2);
}
