//! Steps that wait for a signal: which one ends them, also when it came before, and what a timeout means.

use mainspring_model::event::EventBody;
use mainspring_model::id::SignalId;
use mainspring_model::store::SignalRecord;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{Life, header, plan};

fn event(at: i64, event_type: &str, data: Value) -> SignalRecord {
    let id = SignalId(Uuid::from_u128(u128::try_from(at).unwrap()));
    SignalRecord { id, topic: format!("event:{event_type}"), data, received_at: at }
}

/// Lives the plan among these events, then again with a crash after each of its own.
fn lives(text: &str, signals: Vec<SignalRecord>, expected: &str) -> Life {
    let mut life = Life::new(plan(text), header(json!({"order": 7})));
    life.signals = signals;
    life.live(usize::MAX);
    let trim = |text: &str| text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
    assert_eq!(trim(&life.render()), trim(expected), "\n{text}\n{:#?}", life.history);
    crate::crash::at_every_event(text, &life);
    life
}

const PAID: &str = "{name: p, inputs: {order: {type: integer}}, steps: [\
    {id: w, action: t.await, params: {type: paid, until: 100, where: event.data.order == inputs.order}}, \
    {id: yes, action: t.read, params: {out: '${steps.w.output.data.sum}'}}, {id: late, needs: ['w:timeout'], action: t.read}]}";

#[test]
fn the_first_that_fits_ends_the_wait() {
    let signals = vec![
        event(10, "paid", json!({"order": 6, "sum": 1})),
        event(15, "paid", json!({"sum": 2})),
        event(20, "sent", json!({"order": 7, "sum": 3})),
        event(30, "paid", json!({"order": 7, "sum": 4})),
        event(40, "paid", json!({"order": 7, "sum": 5})),
    ];
    let life = lives(
        PAID,
        signals,
        "
        w success {\"id\":\"00000000-0000-0000-0000-00000000001e\",\"type\":\"paid\",\"data\":{\"order\":7,\"sum\":4},\"received_at\":\"1970-01-01T00:00:00.030Z\"}
        yes success 4
        late not_reached null
        = success 4",
    );
    assert!(life.history.iter().any(|event| matches!(&event.body, EventBody::Awaited { wait, .. } if wait.until == Some(100))));
}

#[test]
fn one_that_came_before_the_wait_is_not_lost() {
    lives(
        "{name: p, steps: [{id: a, action: t.read, params: {takes: 50}}, {id: w, action: t.await, params: {type: paid}}]}",
        vec![event(10, "paid", json!(1))],
        "
        a success \"a\"
        w success {\"id\":\"00000000-0000-0000-0000-00000000000a\",\"type\":\"paid\",\"data\":1,\"received_at\":\"1970-01-01T00:00:00.010Z\"}
        = success {\"id\":\"00000000-0000-0000-0000-00000000000a\",\"type\":\"paid\",\"data\":1,\"received_at\":\"1970-01-01T00:00:00.010Z\"}",
    );
}

#[test]
fn a_wait_that_nobody_ends_in_time_ends_in_its_port() {
    lives(
        PAID,
        vec![event(101, "paid", json!({"order": 7, "sum": 4}))],
        "
        w success null
        yes not_reached null
        late success \"late\"
        = success \"late\"",
    );
}

#[test]
fn what_came_in_time_counts_also_when_it_is_seen_late() {
    let mut life = Life::new(plan(PAID), header(json!({"order": 7})));
    life.signals = vec![event(100, "paid", json!({"order": 7, "sum": 4}))];
    life.live(usize::MAX);
    assert!(life.render().contains("= success 4"), "{}", life.render());
}

#[test]
fn a_condition_that_fails_fails_the_step() {
    lives(
        "{name: p, steps: [{id: w, action: t.await, params: {type: paid, where: 'event.data.sum.toUpperCase() == 1'}}]}",
        vec![event(10, "paid", json!({"sum": 3}))],
        "
        w error EXPRESSION_FAILED null
        = error null EXPRESSION_FAILED at \"w\"",
    );
}

#[test]
fn items_wait_side_by_side_and_a_cancelled_run_waits_no_more() {
    let text = "{name: p, steps: [{id: l, for_each: '[1, 2, 3]', max_parallel: 3, action: t.await, \
        params: {type: paid, where: event.data.n == item}}]}";
    let at = |at, n| event(at, "paid", json!({ "n": n }));
    let life = lives(text, vec![at(10, 3), at(20, 1), at(30, 2)], &{
        let shown = |at: u32, n: u32| {
            format!(
                "{{\"id\":\"{}\",\"type\":\"paid\",\"data\":{{\"n\":{n}}},\"received_at\":\"1970-01-01T00:00:00.0{at}Z\"}}",
                Uuid::from_u128(u128::from(at))
            )
        };
        let all = format!("[{},{},{}]", shown(20, 1), shown(30, 2), shown(10, 3));
        format!("l success {all}\n= success {all}")
    });
    assert_eq!(life.calls("l[0]"), 1);
    let mut life = Life::new(plan(text), header(json!({})));
    life.at = vec![(15, EventBody::CancelRequested { by: "a test".to_owned() })];
    life.signals = vec![at(10, 3)];
    life.live(usize::MAX);
    assert!(life.render().contains("= cancelled"), "{}", life.render());
}
