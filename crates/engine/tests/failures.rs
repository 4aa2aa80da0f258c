//! Failure: what stops, what goes on, and who handles it.

use crate::world::check;

#[test]
fn an_unhandled_failure_fails_the_run_and_nothing_new_starts() {
    check(
        "{name: p, steps: [{id: a, action: t.write, params: {fail: HTTP_404}}, {id: b, action: t.read}]}",
        "
        a error HTTP_404 null
        b not_reached null
        = error null HTTP_404 at \"a\"",
    );
}

#[test]
fn attempts_in_flight_finish_and_are_recorded() {
    check(
        "{name: p, steps: [{id: bad, action: t.write, needs: [], params: {fail: X, takes: 1}}, {id: slow, action: t.read, needs: [], params: {takes: 50}}, \
           {id: after, action: t.read, needs: [slow]}]}",
        "
        bad error X null
        slow success \"slow\"
        after not_reached null
        = error null X at \"bad\"",
    );
}

#[test]
fn on_error_continue_passes_with_a_null_output() {
    check(
        "{name: p, steps: [{id: a, action: t.write, params: {fail: X}, on_error: continue}, {id: b, action: t.read, params: {out: '${steps.a.error.code}'}}]}",
        "
        a error X null
        b success \"X\"
        = success \"X\"",
    );
}

#[test]
fn a_written_error_edge_handles_the_failure() {
    check(
        "{name: p, steps: [{id: a, action: t.write, params: {fail: X}}, {id: fix, action: t.read, needs: ['a:error']}, {id: b, action: t.read, needs: [a]}]}",
        "
        a error X null
        fix success \"fix\"
        b not_reached null
        = success \"fix\"",
    );
}

#[test]
fn an_on_error_list_gives_the_steps_output() {
    check(
        "{name: p, steps: [{id: a, action: t.write, params: {fail: X}, on_error: [{id: h, action: t.read, params: {out: '${error.code} at ${error.step}'}}]}, {id: b, action: t.read, params: {out: '${steps.a.output}'}}]}",
        "
        a success \"X at a\"
        b success \"X at a\"
        = success \"X at a\"",
    );
}

#[test]
fn a_failing_on_error_list_keeps_the_first_error_as_cause() {
    let life = check(
        "{name: p, steps: [{id: a, action: t.write, params: {fail: X}, on_error: [{id: h, action: t.write, params: {fail: Y}}]}]}",
        "
        a error Y null
        = error null Y at \"h\""
            .replace("\"h\"", "\"a.h\"")
            .as_str(),
    );
    let ended = life.run.top_steps();
    let details = ended[0].2.as_ref().unwrap().details.as_ref().unwrap();
    assert_eq!(details["cause"]["code"], "X");
}

#[test]
fn a_failure_inside_a_group_stops_only_the_group() {
    check(
        "{name: p, steps: [{id: g, needs: [], on_error: continue, steps: [{id: x, action: t.write, params: {fail: X}}, {id: y, action: t.read}]}, \
           {id: side, action: t.read, needs: []}, {id: last, action: t.read, needs: [g, side], params: {out: '${steps.g.error.step}'}}]}",
        "
        g error X null
        side success \"side\"
        last success \"g.x\"
        = success \"g.x\"",
    );
}

#[test]
fn waits_and_retries_are_dropped_when_the_list_fails() {
    let life = check(
        "{name: p, steps: [{id: bad, action: t.write, needs: [], params: {fail: X, takes: 5}}, {id: again, action: t.read, needs: [], params: {fail: TIMEOUT}, retry: {max_attempts: 5, delay: 1m}}]}",
        "
        bad error X null
        again cancelled null
        = error null X at \"bad\"",
    );
    assert_eq!(life.calls("again"), 1);
}
