//! What a run leaves behind: each step's change once, whatever is tried again, crashes, or is taken over by a replay.

use std::collections::BTreeMap;

use mainspring_engine::run::{Again, keep};
use mainspring_model::event::{Attempted, EventBody, Mark};

use crate::world::{check, plan};

const ADD: &str = "[{id: a, action: t.count}, {id: b, action: t.count, params: {key: m}}, {id: c, action: t.count}]";

#[test]
fn each_change_is_left_once() {
    check(
        &format!("{{name: p, steps: {ADD}}}"),
        "
        a success \"a\"
        b success \"b\"
        c success \"c\"
        = success \"c\"
        leaves m Add(Number(1))
        leaves n Add(Number(2))",
    );
}

#[test]
fn items_count_each_and_what_failed_does_not() {
    check(
        "{name: p, steps: [{id: l, for_each: '[1, 2, 3]', max_parallel: 2, on_item_error: continue, action: t.count,
            params: {fail: \"${item == 2 ? 'USER_NO' : ''}\"}}]}",
        "
        l success [\"l[0]\",null,\"l[2]\"]
        = success [\"l[0]\",null,\"l[2]\"]
        leaves n Add(Number(2))",
    );
}

#[test]
fn a_body_that_begins_again_takes_its_changes_back() {
    // Both attempts make the change; the second one takes the first one's place.
    check(
        "{name: p, steps: [{id: g, on_error: continue, retry: {max_attempts: 2, delay: 1s}, steps: [{id: a, action: t.count},
            {id: b, action: t.write, params: {fail: X}}]}, {id: z, action: t.count, params: {key: m}}]}",
        "
        g error X null
        z success \"z\"
        = success \"z\"
        leaves m Add(Number(1))
        leaves n Add(Number(1))",
    );
}

#[test]
fn a_replay_leaves_what_its_kept_steps_changed_only_if_nothing_of_it_is_there_yet() {
    let text = format!("{{name: p, steps: {ADD}}}");
    let life = check(
        &text,
        "
        a success \"a\"
        b success \"b\"
        c success \"c\"
        = success \"c\"
        leaves m Add(Number(1))
        leaves n Add(Number(2))",
    );
    let marks = |events: &[mainspring_model::event::Event]| {
        let kept = keep(&plan(&text), events, &Again::From("c".to_owned()), &BTreeMap::new()).unwrap();
        let marked = |attempted: &Attempted| matches!(attempted.mark, Some(Mark::State(_)));
        kept.events.iter().filter(|event| matches!(event, EventBody::Attempted(attempted) if marked(attempted))).count()
    };
    let before_its_end = life.history.len() - 1;
    assert_eq!((marks(&life.history[..before_its_end]), marks(&life.history)), (2, 0));
}
