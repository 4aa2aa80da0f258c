//! Edges, ports and joins: which steps run.

use crate::world::check;

#[test]
fn steps_run_one_after_the_other_unless_written_otherwise() {
    let life = check(
        "{name: p, steps: [{action: t.echo, params: {out: 1}}, {action: t.read, params: {out: '${steps.step_1.output + 1}'}}]}",
        "
        step_1 success 1
        step_2 success 2
        = success 2",
    );
    assert_eq!(life.calls("step_1"), 1);
}

#[test]
fn siblings_run_side_by_side() {
    let life = check(
        "{name: p, steps: [{id: a, action: t.read, needs: []}, {id: b, action: t.read, needs: []}, {id: c, action: t.read, needs: [a, b]}]}",
        "
        a success \"a\"
        b success \"b\"
        c success \"c\"
        = success \"c\"",
    );
    assert_eq!(life.max_flying, 2);
}

#[test]
fn a_false_condition_skips_and_passes() {
    check(
        "{name: p, steps: [{id: a, action: t.read, if: '1 > 2'}, {id: b, action: t.read, params: {out: '${steps.a.output ?? steps.a.status}'}}]}",
        "
        a skipped null
        b success \"skipped\"
        = success \"skipped\"",
    );
}

#[test]
fn a_port_edge_is_live_only_when_the_step_ended_there() {
    let text = |yes: bool| {
        format!(
            "{{name: p, steps: [{{id: pick, action: t.choose, params: {{yes: {yes}}}}}, {{id: y, action: t.read, needs: ['pick:yes']}}, \
         {{id: n, action: t.read, needs: ['pick:no']}}, {{id: after_y, action: t.read, needs: [y]}}, \
         {{id: end, action: t.read, needs: [y, n], join: any}}]}}"
        )
    };
    check(
        &text(true),
        "
        pick success null
        y success \"y\"
        n not_reached null
        after_y success \"after_y\"
        end success \"end\"
        = success \"end\"",
    );
    check(
        &text(false),
        "
        pick success null
        y not_reached null
        n success \"n\"
        after_y not_reached null
        end success \"end\"
        = success \"end\"",
    );
}

#[test]
fn join_all_needs_every_reached_source_live() {
    check(
        "{name: p, steps: [{id: a, action: t.read, needs: []}, {id: b, action: t.read, needs: [], params: {fail: X}, on_error: continue}, \
           {id: both, action: t.read, needs: [a, 'b:success'], join: all}, {id: one, action: t.read, needs: [a, 'b:success'], join: any}]}",
        "
        a success \"a\"
        b error X null
        both not_reached null
        one success \"one\"
        = success \"one\"",
    );
}

#[test]
fn a_side_port_stops_the_plain_edge() {
    check(
        "{name: p, steps: [{id: pick, action: t.choose}, {id: next, action: t.read}]}",
        "
        pick success null
        next not_reached null
        = success null",
    );
}
