//! The plan's budget for language models: nothing is sent that it does not cover, whatever crashes in between.

use mainspring_model::budget::Spent;

use crate::world::{Life, check, header, plan};

fn lived(text: &str) -> Life {
    let mut life = Life::new(plan(text), header(serde_json::json!({})));
    life.live(usize::MAX);
    life
}

#[test]
fn what_was_used_counts_and_not_what_was_reserved() {
    let life = check(
        "{name: p, budget: {tokens: 2000}, steps: [{id: a, for_each: [1, 2, 3], action: t.ask, params: {sent: 100, most: 500, used: [50, 20]}}]}",
        "
        a success [\"a[0]\",\"a[1]\",\"a[2]\"]
        = success [\"a[0]\",\"a[1]\",\"a[2]\"]",
    );
    assert_eq!((life.run.spent().calls, life.run.spent().tokens), (3, 210));
    assert!((life.run.spent().cost_usd - 3.0 * (50.0 + 2.0 * 20.0) / 1e6).abs() < 1e-12);
}

#[test]
fn a_call_that_is_not_covered_is_not_made() {
    for (budget, code) in [("tokens: 1199", "BUDGET_EXCEEDED"), ("calls: 1", "BUDGET_EXCEEDED"), ("cost_usd: 0.002", "BUDGET_EXCEEDED")] {
        let life = lived(&format!(
            "{{name: p, budget: {{{budget}}}, steps: [{{id: a, action: t.ask, params: {{sent: 100, most: 500}}}},
              {{id: b, action: t.ask, params: {{sent: 100, most: 500}}}}]}}"
        ));
        assert_eq!((life.calls("a"), life.calls("b")), (1, 0), "{budget}: {}", life.render());
        assert!(life.render().contains(code), "{budget}: {}", life.render());
    }
    let endless = lived("{name: p, budget: {tokens: 9999}, steps: [{id: a, action: t.ask, params: {sent: 1}}]}");
    assert_eq!(endless.calls("a"), 0, "nothing bounds its answer");
    let free = lived("{name: p, steps: [{id: a, action: t.ask, params: {sent: 1}}]}");
    assert_eq!((free.calls("a"), free.run.spent()), (1, Spent::default()), "a plan without a budget keeps no books");
}

#[test]
fn items_side_by_side_take_from_one_budget() {
    let life = lived(
        "{name: p, budget: {tokens: 1500}, steps: [{id: a, for_each: [1, 2, 3, 4], max_parallel: 4, on_item_error: continue, action: t.ask,
          params: {sent: 100, most: 500, used: [1, 1]}}]}",
    );
    let calls: u32 = (0..4).map(|n| life.calls(&format!("a[{n}]"))).sum();
    assert_eq!(calls, 2, "what is under way is reserved: {}", life.render());
}

#[test]
fn failures_count_by_what_is_known_of_them() {
    let unsent =
        lived("{name: p, budget: {calls: 1}, steps: [{id: a, on_error: continue, action: t.ask, params: {sent: 1, most: 1, fail: X}}]}");
    assert_eq!(unsent.run.spent(), Spent::default(), "nothing was sent");
    let unheard = lived(
        "{name: p, budget: {calls: 5}, steps: [{id: a, on_error: continue, retry: {max_attempts: 1}, action: t.ask,
          params: {sent: 100, most: 500, fail: X, unheard: true}}]}",
    );
    assert_eq!((unheard.run.spent().calls, unheard.run.spent().tokens), (1, 600), "it may have used all of it");
}

#[test]
fn a_call_that_a_crash_hid_counts_as_made() {
    let text = "{name: p, budget: {calls: 2}, steps: [{id: a, action: t.ask, params: {sent: 1, most: 1, used: [1, 1]}},
        {id: b, action: t.ask, params: {sent: 1, most: 1, used: [1, 1]}}]}";
    let mut life = Life::new(plan(text), header(serde_json::json!({})));
    // The reservation of the first call is the first event: it is made, and the process dies.
    life.live(1);
    let mut after = Life::resumed(plan(text), header(serde_json::json!({})), life.history.clone(), life.ledger.clone());
    after.live(usize::MAX);
    assert_eq!((after.calls("a"), after.calls("b")), (1, 0), "{}", after.render());
    assert_eq!(after.run.spent().calls, 2);
}
