//! Pinned outputs: a step ends with what it was given, and nothing is called.

use crate::world::check;

#[test]
fn a_pinned_step_calls_nothing_and_gives_what_was_written() {
    let life = check(
        "{name: p, steps: [
          {id: a, action: t.write, params: {fail: X}, pinned: {id: 7}},
          {id: each, for_each: [1, 2], action: t.write, params: {fail: X}, pinned: [10, 20]},
          {id: body, steps: [{id: inner, action: t.write, params: {fail: X}}], pinned: text},
          {id: some, for_each: [1, 2], steps: [{id: deep, action: t.write, pinned: same}]},
          {id: never, action: t.write, if: false, pinned: 1},
          {id: z, action: t.read, params: {out: '${steps.a.output.id + steps.each.output[1]} ${steps.body.output}'}}]}",
        "
        a success {\"id\":7}
        each success [10,20]
        body success \"text\"
        some success [\"same\",\"same\"]
        never skipped null
        z success \"27 text\"
        = success \"27 text\"",
    );
    assert_eq!(life.ledger.lock().unwrap().keys().collect::<Vec<_>>(), ["z"]);
}

#[test]
fn a_once_step_that_is_pinned_leaves_no_marker() {
    let life = check("{name: p, steps: [{id: a, action: t.write, once: true, pinned: 1}]}", "a success 1\n= success 1");
    assert_eq!(life.history.len(), 2, "{:#?}", life.history);
}
