//! What a run may grow to.

use mainspring_engine::run::Run;
use mainspring_model::event::EventBody;
use mainspring_model::run::RunStatus;
use serde_json::json;

use crate::world::{Life, header, keys, plan};

/// A loop over calls, far longer than the bound.
const LONG: &str =
    "{name: p, steps: [{id: l, for_each: '[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]', max_parallel: 3, action: t.read}],
    finally: [{id: f, action: t.read}]}";

#[test]
fn a_journal_that_is_full_ends_the_run_when_nothing_is_in_flight() {
    let (plan, header) = (plan(LONG), header(json!({})));
    let mut life = Life::new(plan.clone(), header.clone());
    life.run.set_most_entries(6);
    life.live(usize::MAX);
    let Some(EventBody::Finished(ending)) = life.history.last().map(|event| event.body.clone()) else {
        panic!("the run did not end: {}", life.render());
    };
    assert_eq!(ending.status, RunStatus::Error);
    let error = ending.error.unwrap();
    assert_eq!(error.code.as_str(), "LIMIT_EXCEEDED");
    assert!(error.message.contains("split the work over several runs with `logic.call`"), "{}", error.message);
    assert!((7..=9).contains(&life.history.len()), "what was in flight landed: {}", life.history.len());
    assert_eq!((life.calls("f"), life.calls("l[19]")), (0, 0));
    // The end stands in the journal, whatever the bound of the process that reads it.
    assert!(Run::replay(plan, header, keys(), life.history).unwrap().is_finished());
}
