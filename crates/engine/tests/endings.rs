//! How runs end: output, stop, cancel, time limits, the plan's own lists.

use crate::world::{Life, check, check_with, header, plan};
use mainspring_model::event::EventBody;
use mainspring_model::run::RunStatus;
use serde_json::json;

fn cancel_at(at: i64) -> Vec<(i64, EventBody)> {
    vec![(at, EventBody::CancelRequested { by: "a test".into() })]
}

#[test]
fn the_written_output_wins() {
    check(
        "{name: p, output: {sum: '${steps.a.output + 1}'}, steps: [{id: a, action: t.read, params: {out: 1}}]}",
        "
        a success 1
        = success {\"sum\":2}",
    );
}

#[test]
fn an_output_that_fails_fails_the_run() {
    check(
        "{name: p, output: '${steps.a.output.x.y}', steps: [{id: a, action: t.read, params: {out: {x: null}}}]}",
        "
        a success {\"x\":null}
        = error null UNRESOLVED_REFERENCE at \"\"",
    );
}

#[test]
fn stop_ends_the_run_in_success_from_any_depth() {
    check(
        "{name: p, finally: [{id: f, action: t.read}], steps: [{id: l, for_each: '[1, 2]', steps: [{id: s, action: t.stop, params: {output: enough}}]}, {id: z, action: t.read}]}",
        "
        l cancelled null
        z not_reached null
        = success \"enough\"",
    );
}

#[test]
fn on_error_and_finally_run_in_this_order() {
    let life = check(
        "{name: p, on_error: [{id: tell, action: t.read, params: {out: '${error.code}'}}], finally: [{id: tidy, action: t.read, params: {out: '${run.status}'}}], \
           steps: [{id: a, action: t.write, params: {fail: X}}]}",
        "
        a error X null
        = error null X at \"a\"",
    );
    assert_eq!((life.calls("tell"), life.calls("tidy")), (1, 1));
}

#[test]
fn a_cancellation_that_finds_on_error_under_way_changes_nothing() {
    check_with(
        "{name: p, on_error: [{id: tell, action: t.read, params: {takes: 100}}], finally: [{id: tidy, action: t.read}], \
           steps: [{id: a, action: t.write, params: {fail: X}}]}",
        json!({}),
        cancel_at(50),
        "
        a error X null
        = error null X at \"a\"",
    );
}

#[test]
fn a_failing_finally_turns_success_into_error() {
    check(
        "{name: p, finally: [{id: tidy, action: t.write, params: {fail: Y}}], steps: [{id: a, action: t.read}]}",
        "
        a success \"a\"
        = error null Y at \"tidy\"",
    );
}

#[test]
fn a_failing_on_error_is_recorded_beside() {
    let life = check(
        "{name: p, on_error: [{id: tell, action: t.write, params: {fail: Y}}], steps: [{id: a, action: t.write, params: {fail: X}}]}",
        "
        a error X null
        = error null X at \"a\"",
    );
    let Some(EventBody::Finished(ending)) = life.history.last().map(|event| &event.body) else { panic!() };
    assert_eq!(ending.error.as_ref().unwrap().details.as_ref().unwrap()["beside"][0]["code"], "Y");
}

#[test]
fn cancel_aborts_what_is_in_flight_and_runs_finally() {
    let text = "{name: p, on_error: [{id: never, action: t.read}], finally: [{id: tidy, action: t.read, params: {out: '${run.status}'}}], \
                steps: [{id: a, action: t.read, params: {takes: 1000}}, {id: b, action: t.read}]}";
    let mut life = Life::new(plan(text), header(json!({})));
    life.at = cancel_at(10);
    life.live(usize::MAX);
    assert_eq!(life.render(), "a cancelled null\nb not_reached null\n= cancelled null CANCELLED at \"\"\n");
    assert_eq!((life.calls("never"), life.calls("tidy")), (0, 1));
    // Crashes behind the request end the same way.
    let asked = life.history.iter().position(|event| matches!(event.body, EventBody::CancelRequested { .. })).unwrap();
    for events in asked + 1..life.history.len() {
        let mut again = Life::resumed(plan(text), header(json!({})), life.history[..events].to_vec(), Default::default());
        again.live(usize::MAX);
        assert_eq!(again.render(), life.render());
    }
}

#[test]
fn a_second_cancel_ends_finally_too() {
    let text = "{name: p, finally: [{id: tidy, action: t.read, params: {takes: 100000}}], steps: [{id: a, action: t.read, params: {takes: 1000}}]}";
    let mut life = Life::new(plan(text), header(json!({})));
    life.at = [cancel_at(10), cancel_at(20)].concat();
    life.live(usize::MAX);
    assert!(life.history.last().unwrap().at < 100, "{:#?}", life.history);
    assert!(life.render().ends_with("= cancelled null CANCELLED at \"\"\n"), "{}", life.render());
}

#[test]
fn the_deadline_counts_the_wall_clock_and_the_timeout_only_work() {
    check_with(
        "{name: p, deadline: 1m, steps: [{id: s, action: t.sleep, params: {until: 3600000}}]}",
        json!({}),
        Vec::new(),
        "
        s cancelled null
        = timed_out null TIMEOUT at \"\"",
    );
    check(
        "{name: p, timeout: 1m, steps: [{id: s, action: t.sleep, params: {until: 3600000}}, {id: z, action: t.read}]}",
        "
        s success null
        z success \"z\"
        = success \"z\"",
    );
    check(
        "{name: p, timeout: 1s, steps: [{id: a, action: t.read, params: {takes: 5000}}]}",
        "
        a cancelled null
        = timed_out null TIMEOUT at \"\"",
    );
}

#[test]
fn a_once_step_in_flight_at_a_crash_stops_the_run() {
    let text = "{name: p, steps: [{id: pay, once: true, action: t.write, params: {takes: 10}}]}";
    let mut life = Life::new(plan(text), header(json!({})));
    life.live(1);
    assert!(matches!(life.history[0].body, EventBody::Started(_)));
    let mut again = Life::resumed(plan(text), header(json!({})), life.history.clone(), Default::default());
    again.live(usize::MAX);
    assert_eq!(again.calls("pay"), 0);
    let Some(EventBody::Finished(ending)) = again.history.last().map(|event| &event.body) else { panic!() };
    assert_eq!(ending.status, RunStatus::NeedsDecision);
}
