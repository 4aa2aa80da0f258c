//! Retries of attempts and of bodies, sleeps, and children.

use crate::world::{check, check_with};
use serde_json::json;

#[test]
fn a_passing_fault_is_repeated_with_growing_delays() {
    let life = check(
        "{name: p, steps: [{id: a, action: t.read, params: {fail: TIMEOUT, times: 2}, retry: {delay: 1s, jitter: false}}]}",
        "
        a success \"a\"
        = success \"a\"",
    );
    assert_eq!(life.calls("a"), 3);
    let waits: Vec<i64> = life.history.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
    assert!(waits.contains(&1_001) && waits.contains(&2_001), "{waits:?}");
}

#[test]
fn attempts_run_out() {
    let life = check(
        "{name: p, steps: [{id: a, action: t.read, params: {fail: TIMEOUT}}]}",
        "
        a error TIMEOUT null
        = error null TIMEOUT at \"a\"",
    );
    assert_eq!(life.calls("a"), 3);
}

#[test]
fn what_was_held_back_uses_up_no_attempt() {
    let life = check(
        "{name: p, steps: [{id: a, action: t.read, params: {fail: CIRCUIT_OPEN, times: 7}, retry: {max_attempts: 2, delay: 1s, jitter: false}}]}",
        "
        a success \"a\"
        = success \"a\"",
    );
    assert_eq!(life.calls("a"), 8);
    // The pauses stay those of a first attempt: the breaker says how long to wait.
    let longest = life.history.windows(2).map(|pair| pair[1].at - pair[0].at).max();
    assert_eq!(longest, Some(1_001));
}

#[test]
fn holding_back_has_an_end_and_a_policy_of_one_attempt_means_it() {
    let life = check(
        "{name: p, steps: [{id: a, action: t.read, params: {fail: CIRCUIT_OPEN}, retry: {max_attempts: 3, delay: 1s, factor: 1}}]}",
        "
        a error CIRCUIT_OPEN null
        = error null CIRCUIT_OPEN at \"a\"",
    );
    assert_eq!(life.calls("a"), 203);
    let life = check(
        "{name: p, steps: [{id: a, action: t.read, params: {fail: CIRCUIT_OPEN, times: 1}, retry: {max_attempts: 1}}]}",
        "
        a error CIRCUIT_OPEN null
        = error null CIRCUIT_OPEN at \"a\"",
    );
    assert_eq!(life.calls("a"), 1);
}

#[test]
fn a_body_is_repeated_only_when_written() {
    let life = check(
        "{name: p, steps: [{id: g, retry: {max_attempts: 2, delay: 1s}, steps: [{id: a, action: t.read}, {id: b, action: t.write, params: {fail: X}}]}]}",
        "
        g error X null
        = error null X at \"g.b\"",
    );
    assert_eq!(life.calls("g.a"), 2);
    let life = check(
        "{name: p, steps: [{id: g, steps: [{id: b, action: t.write, params: {fail: X}}]}]}",
        "
        g error X null
        = error null X at \"g.b\"",
    );
    assert_eq!(life.calls("g.b"), 1);
}

#[test]
fn a_finished_once_step_keeps_its_result_when_its_body_is_repeated() {
    let life = check(
        "{name: p, steps: [{id: g, retry: {max_attempts: 3, delay: 1s}, steps: [{id: pay, once: true, action: t.write}, {id: b, action: t.write, params: {fail: X}}]}]}",
        "
        g error X null
        = error null X at \"g.b\"",
    );
    assert_eq!(life.calls("g.pay"), 1);
    assert_eq!(life.calls("g.b"), 3);
}

#[test]
fn sleeping_is_an_event_and_ends_when_it_is_due() {
    let life = check(
        "{name: p, steps: [{id: s, action: t.sleep, params: {until: 60000}}, {id: z, action: t.read}]}",
        "
        s success null
        z success \"z\"
        = success \"z\"",
    );
    assert!(life.history.last().unwrap().at >= 60_000);
}

#[test]
fn a_child_runs_and_gives_its_output() {
    check(
        "{name: p, steps: [{id: c, action: t.call}]}",
        "
        c success \"from the child\"
        = success \"from the child\"",
    );
}

#[test]
fn a_bodys_timeout_aborts_what_is_in_flight() {
    let life = check(
        "{name: p, steps: [{id: g, timeout: 5s, on_error: continue, steps: [{id: a, action: t.read, params: {takes: 60000}}]}, {id: z, action: t.read}]}",
        "
        g error TIMEOUT null
        z success \"z\"
        = success \"z\"",
    );
    assert!(life.history.last().unwrap().at < 10_000);
}

#[test]
fn values_of_the_moment_are_the_same_after_a_crash() {
    check_with(
        "{name: p, steps: [{id: a, action: t.read, params: {out: \"${[now(), uuid(), random()]}\"}}, {id: b, action: t.read, params: {out: '${steps.a.output.length}'}}]}",
        json!({}),
        Vec::new(),
        &"a success X\nb success 3\n= success 3".replace('X', &first_output()),
    );
}

fn first_output() -> String {
    use crate::world::{Life, header, plan};
    let mut life =
        Life::new(plan("{name: p, steps: [{id: a, action: t.read, params: {out: \"${[now(), uuid(), random()]}\"}}]}"), header(json!({})));
    life.live(usize::MAX);
    life.run.top_outputs()[0].to_string()
}
