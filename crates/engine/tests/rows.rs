//! `for_each` over the rows of a file: they come while they are needed, and none stands in the journal.

use std::sync::Arc;

use mainspring_engine::run::{Run, Todo};
use mainspring_model::event::EventBody;
use serde_json::json;

use crate::world::{Life, check, header, keys, plan};

#[test]
fn rows_are_items() {
    let life = check(
        "{name: p, steps: [{id: l, for_each: {file: 5}, max_parallel: 3, action: t.read, params: {out: '${item.n * 10 + index}'}}]}",
        "
        l success [0,11,22,33,44]
        = success [0,11,22,33,44]",
    );
    assert_eq!((life.max_flying, life.calls("l[4]")), (3, 1));
}

#[test]
fn a_file_value_of_an_expression_is_a_file() {
    let value = json!({"f": {"file": "0198c3f2-7a51-7cc3-9d2e-3c6a5a3f1b10", "name": "a.csv", "media_type": "text/csv", "size": 1, "sha256": "00"}});
    let plan = plan("{name: p, steps: [{id: l, for_each: inputs.f, action: t.read}]}");
    let mut run = Run::new(plan, header(value.clone()), keys()).unwrap();
    let Todo::Rows(wanted) = run.next(0) else { panic!("no rows are asked for") };
    assert_eq!((&wanted.source.params["file"], wanted.item), (&value["f"], None));
    assert!(matches!(run.next(0), Todo::Wait(None)), "they are asked for once");
}

#[test]
fn what_is_not_for_it_is_refused() {
    check(
        "{name: p, steps: [{id: l, for_each: {file: 5, limit: 2}, action: t.read}]}",
        "
        l error INVALID_PARAMS null
        = error null INVALID_PARAMS at \"l\"",
    );
}

#[test]
fn no_row_is_an_empty_list_and_no_file_an_error() {
    check("{name: p, steps: [{id: l, for_each: {file: 0}, action: t.read}]}", "\nl success []\n= success []");
    check(
        "{name: p, steps: [{id: l, for_each: {file: none}, action: t.read}]}",
        "
        l error FILE_NOT_FOUND null
        = error null FILE_NOT_FOUND at \"l\"",
    );
}

#[test]
fn batches_of_rows_are_items() {
    check(
        "{name: p, steps: [{id: l, for_each: {file: 5}, batch: 2, action: t.read, params: {out: '${item.map(row => row.n)}'}}]}",
        "
        l success [[0,1],[2,3],[4]]
        = success [[0,1],[2,3],[4]]",
    );
}

#[test]
fn errors_name_the_row() {
    let life = check(
        "{name: p, steps: [
            {id: l, for_each: {file: 9}, batch: 2, on_item_error: continue, action: t.write, params: {fail: \"${index == 2 ? 'X' : null}\"}},
            {id: e, action: t.read, params: {out: '${steps.l.errors.map(e => [e.index, e.row, e.item.map(row => row.n), e.error.code])}'}},
            {id: f, needs: [e], for_each: {file: 3}, action: t.write, params: {fail: \"${item.n == 1 ? 'Y' : null}\"}}]}",
        "
        l success [\"l[0]\",\"l[1]\",null,\"l[3]\",\"l[4]\"]
        e success [[2,5,[4,5],\"X\"]]
        f error Y null
        = error null Y at \"f[1]\"",
    );
    let Some(EventBody::Finished(ending)) = life.history.last().map(|event| &event.body) else { panic!("it did not end") };
    let message = &ending.error.as_ref().unwrap().message;
    assert!(message.starts_with("row 2 of "), "{message}");
}

#[test]
fn bodies_and_loops_in_loops_see_the_row() {
    check(
        "{name: p, steps: [{id: l, for_each: {file: 3}, as: row, max_parallel: 2, steps: [
            {id: parts, for_each: row.parts, action: t.read, params: {out: '${row.n * 100 + item}'}},
            {id: again, for_each: {file: 2}, as: inner, action: t.read, params: {out: '${[row.n, inner.n]}'}},
            {id: both, needs: [parts, again], action: t.read, params: {out: '${[steps.parts.output, steps.again.output]}'}}]}]}",
        "
        l success [[[0,1],[[0,0],[0,1]]],[[101,102],[[1,0],[1,1]]],[[202,203],[[2,0],[2,1]]]]
        = success [[[0,1],[[0,0],[0,1]]],[[101,102],[[1,0],[1,1]]],[[202,203],[[2,0],[2,1]]]]",
    );
}

#[test]
fn a_row_that_cannot_be_read_is_an_item_that_failed() {
    check(
        "{name: p, steps: [{id: l, for_each: {file: 4, gone: 2}, on_item_error: continue, action: t.read},
            {id: e, action: t.read, params: {out: '${steps.l.errors.map(e => [e.index, e.error.code])}'}}]}",
        "
        l success [\"l[0]\",\"l[1]\",null,\"l[3]\"]
        e success [[2,\"FILE_NOT_FOUND\"]]
        = success [[2,\"FILE_NOT_FOUND\"]]",
    );
    check(
        "{name: p, steps: [{id: l, for_each: {file: 4, gone: 1}, steps: [{id: a, action: t.read}]}]}",
        "
        l error FILE_NOT_FOUND null
        = error null FILE_NOT_FOUND at \"l[1]\"",
    );
}

#[test]
fn undo_knows_the_row() {
    let life = check(
        "{name: p, steps: [{id: l, for_each: {file: 3}, action: t.write, undo: {action: t.write, params: {out: '${item.n}'}}}, {id: z, action: t.write, params: {fail: X}}]}",
        "
        l success [\"l[0]\",\"l[1]\",\"l[2]\"]
        z error X null
        = error null X at \"z\"",
    );
    let undone: Vec<_> = life
        .history
        .iter()
        .filter_map(|event| match &event.body {
            EventBody::Attempted(attempted) if attempted.path.contains("undo") => Some(attempted.output.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(undone, [json!(2), json!(1), json!(0)]);
}

#[test]
fn a_hundred_thousand_rows_leave_no_row_in_the_journal_and_few_in_memory() {
    let text =
        "{name: p, steps: [{id: l, for_each: {file: 100000, at_once: 500}, max_parallel: 10, action: t.read, params: {out: '${item.n}'}}]}";
    let mut life = Life::new(plan(text), header(json!({})));
    let mut most = 0;
    while life.history.len() < 3_000 {
        let upto = life.history.len() + 100;
        life.live(upto);
        most = most.max(life.run.rows_held());
    }
    assert!(most <= 510, "{most} rows were in memory");
    assert!(!serde_json::to_string(&life.history).unwrap().contains("parts"), "a row stands in the journal");
    let mut again = Life::resumed(plan(text), header(json!({})), life.history.clone(), Arc::default());
    assert!(again.run.rows_held() <= 510);
    while !again.run.is_finished() {
        let upto = again.history.len() + 20_000;
        again.live(upto);
    }
    assert!(again.render().contains("99998,99999]"));
}
