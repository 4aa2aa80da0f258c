//! Which other versions of its plan a waiting run can go on by.

use std::sync::Arc;

use mainspring_engine::run::fits;
use mainspring_model::event::EventBody;
use mainspring_model::id::Owner;
use mainspring_model::plan::diff::Diff;
use mainspring_model::plan::{self, Format, Plan};
use mainspring_model::run::RunHeader;
use serde_json::{Value, json};

use crate::world::{Life, catalog, header, keys, plan};

const OLD: &str = "{name: p, inputs: {n: {type: integer}}, steps: [{id: a, action: t.write}, {id: w, action: t.await, params: {type: paid, until: 900}}, \
    {id: z, action: t.write}]}";

/// A run of `old` that waits in `w`.
fn waiting(old: &str) -> Life {
    let mut life = Life::new(plan(old), header(json!({"n": 1})));
    life.live(usize::MAX);
    let waits = life.history.iter().position(|event| matches!(event.body, EventBody::Awaited { .. })).unwrap();
    life.history.truncate(waits + 1);
    life
}

fn document(text: &str) -> Value {
    plan::load(text, Format::Auto, &catalog(), &Owner::LOCAL).unwrap().document
}

fn move_to(old: &str, new: &str) -> Result<(), String> {
    let life = waiting(old);
    let (was, is): (Arc<Plan>, Arc<Plan>) = (plan(old), plan(new));
    let of: Arc<RunHeader> = life.run.header().clone();
    fits(&was, &is, &Diff::between(&document(old), &document(new)), &of, &keys(), &life.history)?;
    // What fits goes on to an end.
    let mut moved = Life::resumed(is, of, life.history, Arc::default());
    moved.live(usize::MAX);
    assert!(moved.run.is_finished());
    assert_eq!(moved.calls("a"), 0, "what was done is not done again");
    Ok(())
}

#[test]
fn what_is_still_to_come_may_be_another() {
    assert_eq!(move_to(OLD, OLD), Ok(()));
    let new = OLD.replace("{id: z, action: t.write}", "{id: y, action: t.read}, {id: x, action: t.write}");
    assert_eq!(move_to(OLD, &new), Ok(()));
}

#[test]
fn what_ended_may_have_changed_but_not_gone() {
    assert_eq!(move_to(OLD, &OLD.replace("{id: a, action: t.write}", "{id: a, action: t.read}")), Ok(()));
    let gone = move_to(OLD, &OLD.replace("{id: a, action: t.write}, ", "")).unwrap_err();
    assert_eq!(gone, "what the run did does not fit the new version: the plan has no step \"a\"");
}

#[test]
fn what_the_run_waits_in_stays_as_it_is() {
    let other = move_to(OLD, &OLD.replace("until: 900", "until: 500")).unwrap_err();
    assert_eq!(other, "the run is in the step \"w\", which is another one in the new version");
    let inside = "{name: p, inputs: {n: {type: integer}}, steps: [{id: a, action: t.write}, {id: all, for_each: '[1, 2]', steps: [{id: w, action: t.await, \
                  params: {type: paid, until: 900}}, {id: after, action: t.read}]}]}";
    assert_eq!(move_to(inside, &inside.replace("after, action: t.read", "after, action: t.write")), Ok(()));
    let other = move_to(inside, &inside.replace("'[1, 2]'", "'[1, 2, 3]'")).unwrap_err();
    assert_eq!(other, "the run is in the step \"all\", which is another one in the new version");
}

#[test]
fn inputs_are_those_that_the_run_was_given() {
    let more = move_to(OLD, &OLD.replace("inputs: {n: {type: integer}}", "inputs: {n: {type: integer}, m: {default: 2}}")).unwrap_err();
    assert_eq!(more, "the new version has inputs that the run was not given");
    assert!(move_to(OLD, &OLD.replace("type: integer", "type: string")).unwrap_err().starts_with("the run's inputs do not fit"));
}
