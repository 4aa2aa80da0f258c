//! `for_each`, `repeat` and groups.

use crate::world::check;

#[test]
fn for_each_gives_one_value_per_item_in_item_order() {
    let life = check(
        "{name: p, steps: [{id: l, for_each: '[3, 2, 1]', max_parallel: 3, action: t.read, params: {out: '${item * 10 + index}', takes: '${item}'}}]}",
        "
        l success [30,21,12]
        = success [30,21,12]",
    );
    assert_eq!(life.max_flying, 3);
    assert_eq!(life.calls("l[1]"), 1);
}

#[test]
fn an_empty_list_gives_an_empty_list() {
    check(
        "{name: p, steps: [{id: l, for_each: '[]', action: t.read}, {id: z, action: t.read}]}",
        "
        l success []
        z success \"z\"
        = success \"z\"",
    );
}

#[test]
fn what_is_no_list_is_refused() {
    check(
        "{name: p, steps: [{id: l, for_each: '{a: 1}', action: t.read}]}",
        "
        l error INVALID_PARAMS null
        = error null INVALID_PARAMS at \"l\"",
    );
}

#[test]
fn a_failing_item_stops_the_loop_with_the_lowest_index() {
    let life = check(
        "{name: p, steps: [{id: l, for_each: '[1, 2, 3, 4]', max_parallel: 2, action: t.write, params: {fail: \"${item == 2 ? 'X' : null}\", takes: '${item == 2 ? 1 : 9}'}}]}",
        "
        l error X null
        = error null X at \"l[1]\"",
    );
    assert_eq!(life.calls("l[3]"), 0);
}

#[test]
fn on_item_error_continue_keeps_going() {
    check(
        "{name: p, steps: [{id: l, for_each: '[1, 2, 3]', on_item_error: continue, action: t.write, params: {fail: \"${item == 2 ? 'X' : null}\"}}, {id: e, action: t.read, params: {out: '${steps.l.errors.map(e => [e.index, e.item, e.error.code])}'}}]}",
        "
        l success [\"l[0]\",null,\"l[2]\"]
        e success [[1,2,\"X\"]]
        = success [[1,2,\"X\"]]",
    );
}

#[test]
fn batches_make_the_item_a_list() {
    check(
        "{name: p, steps: [{id: l, for_each: '[1, 2, 3, 4, 5]', batch: 2, action: t.read, params: {out: '${item}'}}]}",
        "
        l success [[1,2],[3,4],[5]]
        = success [[1,2],[3,4],[5]]",
    );
}

#[test]
fn bodies_see_their_own_item_and_steps() {
    check(
        "{name: p, steps: [{id: l, for_each: '[1, 2]', as: n, max_parallel: 2, steps: [{id: a, action: t.read, params: {out: '${n + 1}'}}, {id: b, action: t.read, params: {out: '${steps.a.output * 10}'}}]}]}",
        "
        l success [20,30]
        = success [20,30]",
    );
}

#[test]
fn loops_nest() {
    check(
        "{name: p, steps: [{id: o, for_each: '[1, 2]', as: x, steps: [{id: i, for_each: '[10, 20]', as: y, action: t.read, params: {out: '${x * y}'}}]}]}",
        "
        o success [[10,20],[20,40]]
        = success [[10,20],[20,40]]",
    );
}

#[test]
fn repeat_goes_on_until_its_condition_holds() {
    check(
        "{name: p, steps: [{id: r, repeat: {start: 1, next: '${loop.value * 2}', until: 'loop.value >= 8', max: 10}, action: t.read, params: {out: '${loop.value}'}}]}",
        "
        r success 8
        = success 8",
    );
}

#[test]
fn repeat_sees_the_body_of_the_pass_just_ended() {
    check(
        "{name: p, steps: [{id: r, repeat: {until: 'steps.a.output >= 2', delay: 5s}, steps: [{id: a, action: t.read, params: {out: '${loop.index}'}}]}]}",
        "
        r success 2
        = success 2",
    );
}

#[test]
fn reaching_max_is_an_error() {
    check(
        "{name: p, steps: [{id: r, repeat: {until: 'false', max: 3}, action: t.read}]}",
        "
        r error LIMIT_EXCEEDED null
        = error null LIMIT_EXCEEDED at \"r\"",
    );
}

#[test]
fn groups_have_the_output_of_their_last_successful_step() {
    check(
        "{name: p, steps: [{id: g, steps: [{id: a, action: t.read}, {id: b, action: t.read, if: 'false'}]}]}",
        "
        g success \"g.a\"
        = success \"g.a\"",
    );
}

#[test]
fn many_items_end() {
    let life = check_quick("{name: p, steps: [{id: l, for_each: 'inputs.n', max_parallel: 100, action: t.read}]}", 5_000);
    assert_eq!(life.calls("l[4999]"), 1);
}

fn check_quick(text: &str, n: usize) -> crate::world::Life {
    use crate::world::{Life, header, plan};
    let items: Vec<usize> = (0..n).collect();
    let mut life = Life::new(plan(text), header(serde_json::json!({"n": items})));
    life.live(usize::MAX);
    assert!(life.render().contains("= success"), "{}", life.render());
    life
}
