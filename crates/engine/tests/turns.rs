//! Steps that wait for their turn under a `rate`: it is no attempt, it leaves no mark, and cancelling ends it.

use mainspring_model::event::EventBody;
use mainspring_model::id::Owner;
use mainspring_model::plan::{self as plans, Format};
use mainspring_model::run::RunStatus;
use serde_json::json;

use crate::world::{Life, catalog, check, header, plan};

const RATE: &str = "rate: {limit: 2, per: 1m}";

fn attempts(life: &Life) -> Vec<(String, u32)> {
    let ended = life.history.iter().filter_map(|event| match &event.body {
        EventBody::Attempted(attempted) => Some((attempted.path.clone(), attempted.attempt)),
        _ => None,
    });
    ended.collect()
}

#[test]
fn a_turn_that_is_waited_for_is_no_attempt() {
    let life = check(
        &format!(
            "{{name: p, steps: [{{id: a, action: t.write, params: {{turn: 5000, fail: TIMEOUT, times: 1}}, retry: {{codes: [TIMEOUT], delay: 1s, jitter: false}}, {RATE}}}, {{id: b, action: t.read}}]}}"
        ),
        "
        a success \"a\"
        b success \"b\"
        = success \"b\"",
    );
    assert_eq!(attempts(&life), [("a".to_owned(), 1), ("a".to_owned(), 2), ("b".to_owned(), 1)]);
    assert!(life.history.iter().any(|event| matches!(&event.body, EventBody::Held { path, attempt: 1, until: 5_000, .. } if path == "a")));
}

#[test]
fn each_item_has_a_turn_of_its_own() {
    check(
        &format!(
            "{{name: p, steps: [{{id: l, for_each: '[100, 300, 200]', max_parallel: 3, action: t.write, params: {{turn: '${{item}}'}}, {RATE}}}]}}"
        ),
        "
        l success [\"l[0]\",\"l[1]\",\"l[2]\"]
        = success [\"l[0]\",\"l[1]\",\"l[2]\"]",
    );
}

#[test]
fn cancelling_ends_the_wait_and_nothing_is_undone_that_never_began() {
    let text = format!("{{name: p, steps: [{{id: a, action: t.write, params: {{turn: 5000}}, undo: {{action: t.write}}, {RATE}}}]}}");
    let mut life = Life::new(plan(&text), header(json!({})));
    life.at = vec![(1_000, EventBody::CancelRequested { by: "somebody".to_owned() })];
    life.live(usize::MAX);
    assert!(matches!(&life.history.last().unwrap().body, EventBody::Finished(ending) if ending.status == RunStatus::Cancelled));
    assert_eq!(*life.ledger.lock().unwrap().get("a").unwrap(), 1);
    assert_eq!(life.ledger.lock().unwrap().len(), 1, "no undo");
    let receipts = mainspring_engine::run::view::steps(&plan(&text), &header(json!({})), crate::world::keys(), &life.history).unwrap();
    assert!(receipts[0].effect.is_none(), "nothing became of it: {:?}", receipts[0].effect);
}

#[test]
fn a_step_that_happens_once_goes_on_after_a_crash_while_it_waits() {
    let text = format!("{{name: p, steps: [{{id: a, once: true, action: t.write, params: {{turn: 5000}}, {RATE}}}]}}");
    let mut life = Life::new(plan(&text), header(json!({})));
    // Its marker, and that it waits.
    life.live(2);
    assert!(matches!(life.history[1].body, EventBody::Held { .. }), "{:?}", life.history);
    let mut next = Life::resumed(plan(&text), header(json!({})), life.history.clone(), life.ledger.clone());
    next.live(usize::MAX);
    assert!(matches!(&next.history.last().unwrap().body, EventBody::Finished(ending) if ending.status == RunStatus::Success));
}

#[test]
fn a_list_that_failed_without_an_attempt_while_a_step_was_held_reads_back() {
    check(
        &format!(
            "{{name: p, inputs: {{n: {{default: 5}}}}, steps: [{{id: a, needs: [], action: t.write, params: {{turn: 5000}}, {RATE}}},
              {{id: b, needs: [], for_each: '${{inputs.n}}', action: t.read}}], finally: [{{id: z, action: t.read}}]}}"
        ),
        "
        a cancelled null
        b error UNRESOLVED_REFERENCE null
        = error null UNRESOLVED_REFERENCE at \"b\"",
    );
}

#[test]
fn what_a_process_that_died_may_have_called_stays_marked_while_its_repetition_waits() {
    let text = format!("{{name: p, steps: [{{id: a, action: t.count, params: {{turn: 5000}}, undo: {{action: t.write}}, {RATE}}}]}}");
    let mut life = Life::new(plan(&text), header(json!({})));
    // Its mark: the call is made, and the process dies.
    life.live(1);
    let mut next = Life::resumed(plan(&text), header(json!({})), life.history.clone(), life.ledger.clone());
    next.run.doubt();
    next.at = vec![(1_000, EventBody::CancelRequested { by: "somebody".to_owned() })];
    next.live(usize::MAX);
    assert!(matches!(&next.history[1].body, EventBody::Held { again: true, .. }), "{:?}", next.history);
    assert_eq!(next.calls("a.a_undo"), 1, "{:?}", next.ledger);
}

#[test]
fn a_call_to_a_model_that_waits_for_its_turn_spends_nothing() {
    let text =
        format!("{{name: p, budget: {{calls: 1}}, steps: [{{id: a, action: t.ask, params: {{turn: 5000, sent: 1, most: 1}}, {RATE}}}]}}");
    let mut life = Life::new(plan(&text), header(json!({})));
    life.live(usize::MAX);
    assert!(matches!(&life.history.last().unwrap().body, EventBody::Finished(ending) if ending.status == RunStatus::Success));
    assert_eq!(life.run.spent().calls, 1);
}

#[test]
fn a_step_that_happens_once_and_only_waited_leaves_nothing_to_decide() {
    let text = format!("{{name: p, steps: [{{id: a, once: true, action: t.write, params: {{turn: 5000}}, {RATE}}}]}}");
    let mut life = Life::new(plan(&text), header(json!({})));
    life.at = vec![(1_000, EventBody::CancelRequested { by: "somebody".to_owned() })];
    life.live(usize::MAX);
    assert_eq!(mainspring_engine::run::undecided(&life.history), Vec::<String>::new());
}

#[test]
fn what_cannot_be_counted_is_refused() {
    for (rate, expected) in [
        ("{limit: 0, per: 1m}", "/steps/0/rate/limit"),
        ("{limit: 10001, per: 1m}", "/steps/0/rate/limit"),
        ("{limit: 1}", "/steps/0/rate"),
        ("{per: 1m}", "/steps/0/rate"),
        ("{limit: 1, per: 10ms}", "/steps/0/rate/per"),
        ("{limit: 1, per: 32d}", "/steps/0/rate/per"),
        ("{limit: 1, per: 1m, window: 1m}", "/steps/0/rate/window"),
        ("5", "/steps/0/rate"),
    ] {
        let text = format!("{{name: p, steps: [{{action: t.write, rate: {rate}}}]}}");
        let problems = plans::load(&text, Format::Auto, &catalog(), &Owner::LOCAL).expect_err(rate);
        assert_eq!(problems[0].pointer, expected, "{rate}");
    }
    let text = "{name: p, steps: [{steps: [{action: t.write}], rate: {limit: 1, per: 1m}}, {action: t.echo, rate: {limit: 1, per: 1m}}]}";
    let problems = plans::load(text, Format::Auto, &catalog(), &Owner::LOCAL).expect_err("a body, and what computes");
    assert_eq!(problems.iter().map(|problem| problem.pointer.as_str()).collect::<Vec<_>>(), ["/steps/0/rate", "/steps/1/rate"]);
}
