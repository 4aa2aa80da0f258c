//! A plan's own tests, run without the world.

use std::sync::Arc;
use std::time::Duration;

use mainspring_engine::offline::{self, TestReport};
use mainspring_model::clock::{Clock, FakeClock};
use mainspring_model::id::Owner;

use crate::world::{catalog, plan};

async fn reports(text: &str) -> Vec<TestReport> {
    let clock: Arc<dyn Clock> = Arc::new(FakeClock::at(0));
    offline::tests(&catalog(), &clock, Owner::LOCAL, &plan(text), Duration::from_secs(60)).await
}

/// The problems of the one test of a plan.
async fn problems(text: &str) -> Vec<String> {
    let mut all = reports(text).await;
    assert_eq!(all.len(), 1);
    let report = all.remove(0);
    assert_eq!(report.passed, report.problems.is_empty());
    report.problems
}

#[tokio::test]
async fn a_run_on_pinned_outputs_ends_as_expected() {
    let text = "{name: p, inputs: {limit: {type: number, required: true}}, steps: [
      {id: order, action: t.write},
      {id: big, if: steps.order.output.cents > inputs.limit, action: t.write},
      {id: lines, for_each: steps.order.output.lines, steps: [{id: line, action: t.read}]}],
      output: {big: '${steps.big.status}', lines: '${steps.lines.output}'},
      tests: [
        {name: small, inputs: {limit: 100}, pinned: {order: {cents: 5, lines: [1, 2]}, line: seen},
         expect: {output: {big: skipped, lines: [seen, seen]}, steps: {big: {status: skipped}, order: {output: {cents: 5.0, lines: [1, 2]}}}}},
        {name: big, inputs: {limit: 1}, pinned: {order: {cents: 5, lines: []}, big: null}, expect: {status: success, steps: {big: {status: success, output: null}}}}]}";
    let all = reports(text).await;
    assert_eq!(
        all.iter().map(|report| (report.name.as_str(), &report.problems[..])).collect::<Vec<_>>(),
        [("small", &[][..]), ("big", &[][..])]
    );
}

#[tokio::test]
async fn what_would_leave_the_process_has_to_be_pinned() {
    let found =
        problems("{name: p, steps: [{id: a, for_each: [1], steps: [{id: send, action: t.write}]}], tests: [{expect: {output: 1}}]}").await;
    assert_eq!(found, ["step \"a[0].send\" would call t.write, and tests run offline; pin its output: `pinned: {send: …}`"]);
}

#[tokio::test]
async fn each_difference_is_named_with_its_place() {
    let found = problems(
        "{name: p, steps: [{id: a, action: t.write}, {id: b, if: false, action: t.write}], output: '${steps.a.output}',
          tests: [{pinned: {a: {x: [1, {y: 2}], gone: 1, same: 1}}, expect: {output: {x: [1, {y: 3}], same: 1.0, more: 2}, steps: {b: {status: success}}}}]}",
    )
    .await;
    let expected = [
        "output.x[1].y is 2, and 3 is expected",
        "output has no \"more\"; 2 is expected",
        "output has \"gone\" (1), which is not expected",
        "step \"b\" ended in skipped, and success is expected",
    ];
    assert_eq!(found, expected);
}

#[tokio::test]
async fn failures_can_be_what_is_expected() {
    let failing = |expect: &str| {
        format!(
            "{{name: p, steps: [{{id: a, action: t.write, pinned: {{}}}}, {{id: b, if: steps.a.output.nothing, action: t.write}}], tests: [{{expect: {expect}}}]}}"
        )
    };
    assert_eq!(problems(&failing("{error: UNRESOLVED_REFERENCE, status: error}")).await, Vec::<String>::new());
    assert_eq!(problems(&failing("{error: UNRESOLVED_REFERENCE}")).await, Vec::<String>::new());
    assert!(problems(&failing("{error: TIMEOUT}")).await[0].contains("UNRESOLVED_REFERENCE"));
    let found = problems(&failing("{output: 1}")).await;
    assert!(
        found[0].starts_with("the run ended in error (UNRESOLVED_REFERENCE") && found[0].ends_with("and success is expected"),
        "{found:?}"
    );
}

#[tokio::test]
async fn wrong_inputs_and_endless_loops_are_problems_of_their_test() {
    let found = problems("{name: p, inputs: {n: {type: integer, required: true}}, steps: [], tests: [{inputs: {n: x}, expect: {}}]}").await;
    assert!(found[0].starts_with("inputs/n: "), "{found:?}");
    let endless = "{name: p, steps: [{id: a, repeat: {until: false, max: 100000}, steps: [{id: b, action: t.write, pinned: 1}]}], tests: [{expect: {}}]}";
    let found = problems(endless).await;
    assert!(found[0].contains("20000 events"), "{found:?}");
}
