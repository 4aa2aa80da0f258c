//! Undo: what was done is taken back when the run falls, newest first, and retried runs do it anew.

use mainspring_engine::run::{Again, keep, receipt};
use mainspring_model::event::{AttemptStatus, EventBody};
use serde_json::json;

use crate::world::{Life, check, header, keys, plan};

/// What was undone, in order: path, status and what it was given.
fn undone(life: &Life) -> Vec<String> {
    let ends = life.history.iter().filter_map(|event| match &event.body {
        EventBody::Attempted(attempted) if attempted.path.ends_with("_undo") => {
            Some(format!("{} {} {}", attempted.path, attempted.status.as_str(), attempted.output))
        }
        _ => None,
    });
    ends.collect()
}

const CHAIN: &str = "{name: p, steps: [
  {id: a, action: t.write, params: {out: {id: 7}}, undo: {action: t.write, params: {out: 'drop ${steps.a.output.id}'}}},
  {id: b, action: t.write, params: {out: second}, undo: {action: t.write, params: {out: 'drop ${steps.b.output} after ${steps.a.output.id}'}}},
  {id: plain, action: t.write},
  {id: c, action: t.write, params: {fail: HTTP_400}, undo: {action: t.write}}],
  on_error: [{id: tell, action: t.write, params: {out: '${error.step}'}}]}";

#[test]
fn what_was_done_is_undone_newest_first_and_before_on_error() {
    let life = check(
        CHAIN,
        "
        a success {\"id\":7}
        b success \"second\"
        plain success \"plain\"
        c error HTTP_400 null
        = error null HTTP_400 at \"c\"",
    );
    assert_eq!(undone(&life), [r#"b.b_undo success "drop second after 7""#, r#"a.a_undo success "drop 7""#]);
    let last = life.history.iter().rev().find_map(|event| match &event.body {
        EventBody::Attempted(attempted) => Some(attempted.path.as_str()),
        _ => None,
    });
    assert_eq!(last, Some("tell"));
}

#[test]
fn a_run_that_ends_well_undoes_nothing_even_where_a_failure_was_handled() {
    let life = check(
        "{name: p, steps: [{id: a, action: t.write, undo: {action: t.write}}, {id: b, action: t.write, params: {fail: X}, on_error: continue}]}",
        "
        a success \"a\"
        b error X null
        = success \"a\"",
    );
    assert_eq!(undone(&life), Vec::<String>::new());
}

#[test]
fn each_item_is_undone_with_its_own_item_and_output() {
    let life = check(
        "{name: p, steps: [
          {id: each, for_each: [1, 2, 3], action: t.write, params: {out: '${item * 10}'},
           undo: {action: t.write, params: {out: '${item} gave ${steps.each.output}'}}},
          {id: outer, for_each: [x, y], steps: [
            {id: inner, action: t.write, params: {out: '${item}${index}', fail: \"${item == 'y' ? 'X' : ''}\"}, undo: {action: t.write, params: {out: '${item} ${steps.inner.output}'}}}]}]}",
        "
        each success [10,20,30]
        outer error X null
        = error null X at \"outer[1].inner\"",
    );
    assert_eq!(
        undone(&life),
        [
            r#"outer[0].inner.inner_undo success "x x0""#,
            r#"each[2].each_undo success "3 gave 30""#,
            r#"each[1].each_undo success "2 gave 20""#,
            r#"each[0].each_undo success "1 gave 10""#,
        ]
    );
}

#[test]
fn an_effect_that_nobody_heard_of_is_undone_without_an_output_and_a_proven_failure_is_not() {
    let life = check(
        "{name: p, steps: [{id: a, action: t.write, params: {fail: X, unheard: true}, undo: {action: t.write, params: {out: '${steps.a.output} ${steps.a.error.code}'}}}]}",
        "
        a error X null
        = error null X at \"a\"",
    );
    assert_eq!(undone(&life), [r#"a.a_undo success " X""#]);
}

#[test]
fn what_a_later_attempt_proves_of_itself_does_not_forget_an_earlier_one() {
    let life = check(
        "{name: p, steps: [{id: a, action: t.write, params: {fail: CONNECTION_FAILED, unheard: 1}, \
          retry: {max_attempts: 2, jitter: false, codes: [CONNECTION_FAILED]}, undo: {action: t.write, params: {out: back}}}]}",
        "
        a error CONNECTION_FAILED null
        = error null CONNECTION_FAILED at \"a\"",
    );
    assert_eq!(undone(&life), [r#"a.a_undo success "back""#]);
}

#[test]
fn a_failed_undo_is_recorded_and_the_rest_goes_on() {
    let life = check(
        "{name: p, steps: [
          {id: a, action: t.write, undo: {action: t.write, params: {out: a}}},
          {id: b, action: t.write, undo: {action: t.write, params: {fail: HTTP_409}}},
          {id: c, action: t.write, undo: {action: t.write, params: {out: '${steps.c.output.nothing}'}}},
          {id: d, action: t.write, params: {fail: X}}]}",
        "
        a success \"a\"
        b success \"b\"
        c success \"c\"
        d error X null
        = error null X at \"d\"",
    );
    assert_eq!(undone(&life), ["c.c_undo error null", "b.b_undo error null", r#"a.a_undo success "a""#]);
}

#[test]
fn a_cancelled_run_is_undone_and_a_second_cancel_ends_that() {
    let cancel = |at| (at, EventBody::CancelRequested { by: "somebody".to_owned() });
    let text = "{name: p, steps: [
      {id: a, action: t.write, undo: {action: t.write, params: {out: a}}},
      {id: b, action: t.write, undo: {action: t.write, params: {out: b, takes: 50}}},
      {id: c, action: t.write, params: {takes: 1000}, undo: {action: t.write, params: {out: c}}}],
      finally: [{id: last, action: t.write}]}";
    let expected = "a success \"a\"\nb success \"b\"\nc cancelled null\n= cancelled null CANCELLED at \"\"\n";
    let live = |at: Vec<(i64, EventBody)>| {
        let mut life = Life::new(plan(text), header(json!({})));
        life.at = at;
        life.live(usize::MAX);
        assert_eq!(life.render(), expected);
        // Crashes behind the last request end the same way.
        let asked =
            life.history.iter().rposition(|event| matches!(event.body, EventBody::CancelRequested { .. })).expect("it was cancelled");
        for events in asked + 1..life.history.len() {
            let mut again = Life::resumed(plan(text), header(json!({})), life.history[..events].to_vec(), Default::default());
            again.live(usize::MAX);
            assert_eq!(again.render(), life.render(), "after {events} events");
            // What was given up and in flight at the crash has no end in the journal.
            let ended = |life: &Life| undone(life).into_iter().filter(|line| !line.contains("cancelled")).collect::<Vec<_>>();
            assert_eq!(ended(&again), ended(&life), "after {events} events");
        }
        life
    };
    let life = live(vec![cancel(10)]);
    assert_eq!(undone(&life), [r#"c.c_undo success "c""#, r#"b.b_undo success "b""#, r#"a.a_undo success "a""#]);
    let life = live(vec![cancel(10), cancel(30)]);
    assert_eq!(undone(&life), [r#"c.c_undo success "c""#, "b.b_undo cancelled null"]);
    assert_eq!(life.calls("last"), 1);
}

#[test]
fn a_body_that_begins_again_is_undone_once_for_each_effect_of_its_own() {
    let life = check(
        "{name: p, steps: [{id: body, retry: {max_attempts: 2, jitter: false}, steps: [
            {id: same, action: t.write, undo: {action: t.write, params: {out: same}}},
            {id: new, action: t.write, params: {out: '${now()}'}, undo: {action: t.write, params: {out: '${steps.new.attempts} ${now()}'}}},
            {id: bad, action: t.write, params: {fail: CONNECTION_FAILED}, retry: {max_attempts: 1}}]}]}",
        "
        body error CONNECTION_FAILED null
        = error null CONNECTION_FAILED at \"body.bad\"",
    );
    let paths: Vec<String> = undone(&life).iter().map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect();
    assert!(paths.contains(&"body.same.same_undo".to_owned()), "{paths:?}");
    assert_eq!(paths.iter().filter(|path| path.contains("same")).count(), 1, "{paths:?}");
}

#[test]
fn a_retry_does_again_what_was_undone_and_what_follows_from_it() {
    let life = check(
        "{name: p, steps: [
          {id: free, action: t.write, needs: []},
          {id: a, action: t.write, needs: [], undo: {action: t.write}},
          {id: after, action: t.write, needs: [a]},
          {id: kept, action: t.write, needs: [], undo: {action: t.write, params: {fail: HTTP_409}}},
          {id: bad, action: t.write, needs: [after, kept, free], params: {fail: X}}]}",
        "
        free success \"free\"
        a success \"a\"
        after success \"after\"
        kept success \"kept\"
        bad error X null
        = error null X at \"bad\"",
    );
    let kept = keep(life.run.plan(), &life.history, &Again::Failed, &Default::default()).expect("it can be taken over");
    let paths: Vec<&str> = kept
        .events
        .iter()
        .filter_map(|event| match event {
            EventBody::Attempted(attempted) if attempted.status == AttemptStatus::Success => Some(attempted.path.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(paths, ["free", "kept"]);
}

/// The receipts of a life's journal, a line each: path, how far it came, and what else is known.
fn receipts(life: &Life) -> Vec<String> {
    let run = &life.run;
    let all = receipt::of(run.plan(), run.header(), &*keys(), &life.history);
    let mut lines: Vec<String> = all
        .iter()
        .map(|(path, receipt)| {
            let twice = if receipt.maybe_repeated { " maybe twice" } else { "" };
            format!("{path} {}{twice}{}", receipt.reached.as_str(), receipt.undone.map_or(String::new(), |done| format!(" undone: {done}")))
        })
        .collect();
    lines.sort_unstable();
    lines
}

#[test]
fn a_receipt_says_what_became_of_each_effect() {
    let life = check(
        "{name: p, steps: [
          {id: looked, action: t.read},
          {id: done, action: t.write, undo: {action: t.write}},
          {id: stays, action: t.write, undo: {action: t.write, params: {fail: HTTP_409}}},
          {id: retried, action: t.write, params: {fail: CONNECTION_FAILED, times: 1}},
          {id: twice, action: t.write, params: {fail: CONNECTION_FAILED, times: 1, unheard: true}, retry: {max_attempts: 2, codes: [CONNECTION_FAILED]}},
          {id: unheard, action: t.write, params: {fail: X, unheard: true}}]}",
        "
        looked success \"looked\"
        done success \"done\"
        stays success \"stays\"
        retried success \"retried\"
        twice success \"twice\"
        unheard error X null
        = error null X at \"unheard\"",
    );
    assert_eq!(
        receipts(&life),
        [
            "done confirmed undone: true",
            "done.done_undo confirmed",
            "retried confirmed",
            "stays confirmed undone: false",
            "stays.stays_undo not_sent",
            "twice confirmed maybe twice",
            "unheard unknown",
        ]
    );
}

#[test]
fn what_is_begun_first_after_a_crash_may_have_been_done_before() {
    let text = "{name: p, steps: [{id: a, action: t.write}, {id: b, action: t.write}, {id: c, action: t.write}]}";
    let whole = check(text, "a success \"a\"\nb success \"b\"\nc success \"c\"\n= success \"c\"");
    let mut life = Life::resumed(plan(text), header(json!({})), whole.history[..1].to_vec(), Default::default());
    life.run.doubt();
    life.live(usize::MAX);
    assert_eq!(receipts(&life), ["a confirmed", "b confirmed maybe twice", "c confirmed"]);
}

#[test]
fn an_undo_resumes_where_its_journal_ends() {
    let whole = check(
        CHAIN,
        "a success {\"id\":7}\nb success \"second\"\nplain success \"plain\"\nc error HTTP_400 null\n= error null HTTP_400 at \"c\"",
    );
    let place =
        whole.history.iter().position(|event| matches!(&event.body, EventBody::Attempted(attempted) if attempted.path == "b.b_undo"));
    let cut = whole.history[..=place.expect("b was undone")].to_vec();
    let mut life = Life::resumed(plan(CHAIN), header(json!({})), cut, Default::default());
    life.live(usize::MAX);
    assert_eq!((life.calls("b.b_undo"), life.calls("a.a_undo"), life.calls("tell")), (0, 1, 1));
}
