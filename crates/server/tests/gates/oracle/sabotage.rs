//! The oracle itself under test: made-up records with one defect each must turn it red, by the right rule.

use std::collections::BTreeMap;

use super::records::{Ack, Call, Kill, Records, Row, RowKind, RunDump};
use super::{Floor, judge};

fn attempted(path: &str, output: u64) -> RowKind {
    RowKind::Attempted { path: path.into(), attempt: 1, status: "success".into(), output, keys: BTreeMap::new() }
}

fn rows(kinds: Vec<RowKind>) -> Vec<Row> {
    let at = |seq: u32| 1_000 + i64::from(seq) * 10;
    kinds.into_iter().zip(1..).map(|(kind, seq)| Row { seq, at: at(seq), written: at(seq), kind }).collect()
}

fn run(id: &str, plan: &str, kinds: Vec<RowKind>) -> RunDump {
    let status = match kinds.last() {
        Some(RowKind::Finished { status }) => status.clone(),
        _ => "running".into(),
    };
    RunDump { id: id.into(), token: format!("token-{id}"), plan: plan.into(), status, created_at: 1_000, due_at: None, rows: rows(kinds) }
}

fn finished(status: &str) -> RowKind {
    RowKind::Finished { status: status.into() }
}

fn call(run: &str, path: &str, nth: u32, life: u32) -> Call {
    let (token, key) = (format!("token-{run}"), format!("key-{run}-{path}"));
    Call { key, run: run.into(), token, path: path.into(), nth, body: 7, at: 1_005, life, once: false, what: String::new() }
}

/// A gate that went well: two runs, one of them hit by the kill and its call repeated.
fn good() -> Records {
    let a = run("a", "calls", vec![attempted("one", 11), attempted("pay", 12), finished("success")]);
    let b = run(
        "b",
        "nap",
        vec![RowKind::Waiting { path: "nap".into(), until: 1_012 }, attempted("nap", 13), attempted("pay", 14), finished("success")],
    );
    let mut late = call("b", "pay", 1, 2);
    late.at = 1_025;
    let ack = Ack {
        token: "token-a".into(),
        run: "a".into(),
        steps: [("one".into(), 11), ("pay".into(), 12)].into(),
        ended: Some("success".into()),
    };
    Records {
        acks: vec![ack],
        calls: vec![call("a", "pay", 1, 1), call("a", "pay", 2, 2), late],
        kills: vec![Kill { at: 1_006, calls_open: 1, requests_open: 0 }],
        first: vec![a.clone(), b.clone()],
        second: vec![a, b],
        refusals: Vec::new(),
        settled_ms: Some(900),
        last: vec![("a run".into(), true)],
    }
}

const FLOOR: Floor = Floor { acked_steps: 2, kills: 1, hits: 60, settle_ms: 30_000 };

/// The rules that a defect breaks; each defect is put into both dumps unless it says otherwise.
fn red(defect: impl FnOnce(&mut Records)) -> Vec<&'static str> {
    let mut records = good();
    defect(&mut records);
    let mut rules: Vec<_> = judge(&records, &FLOOR).into_iter().map(|broken| broken.rule).collect();
    rules.dedup();
    rules
}

fn both(records: &mut Records, change: impl Fn(&mut Vec<RunDump>)) {
    change(&mut records.first);
    change(&mut records.second);
}

#[test]
fn a_good_gate_is_green() {
    assert_eq!(judge(&good(), &FLOOR), []);
}

#[test]
fn what_a_client_was_told_and_is_not_there_is_red() {
    assert_eq!(red(|r| both(r, |dump| drop(dump.remove(0)))), ["acked run lost", "unknown ledger key"]);
    assert_eq!(red(|r| r.acks[0].token = "token-x".into()), ["acked run lost"]);
    let step = |name: &'static str| move |r: &mut Records| r.acks[0].steps.extend([(name.to_owned(), 9)]);
    assert_eq!(red(step("two")), ["acked step lost"]);
    assert_eq!(red(step("one")), ["acked step changed"]);
    assert_eq!(red(|r| r.acks[0].ended = Some("error".into())), ["ending changed"]);
    assert_eq!(red(|r| r.refusals.push("500 to a webhook".into())), ["refused"]);
}

#[test]
fn a_request_that_made_two_runs_is_red() {
    let again = |dump: &mut Vec<RunDump>| {
        let mut twin = dump[1].clone();
        twin.id = "c".into();
        dump.push(twin);
    };
    assert_eq!(red(|r| both(r, again)), ["request twice"]);
}

#[test]
fn a_broken_journal_is_red() {
    assert_eq!(red(|r| both(r, |dump| dump[1].rows[1].seq = 1)), ["journal row twice", "journal gap"]);
    assert_eq!(red(|r| both(r, |dump| dump[1].rows.iter_mut().skip(1).for_each(|row| row.seq += 1))), ["journal gap"]);
    assert_eq!(
        red(|r| both(r, |dump| dump[1].rows = rows(vec![attempted("pay", 14), attempted("pay", 14), finished("success")]))),
        ["result twice", "extra ledger call"]
    );
    assert_eq!(red(|r| both(r, |dump| dump[1].rows[1].at = 1_011)), ["early"]);
    assert_eq!(red(|r| both(r, |dump| dump.push(dump[0].clone()))), ["request twice", "run twice"]);
}

#[test]
fn a_run_without_one_lasting_end_is_red() {
    assert_eq!(red(|r| both(r, |dump| drop(dump[1].rows.pop()))), ["not ended"]);
    assert_eq!(red(|r| both(r, |dump| dump[1].status = "running".into())), ["two terminal states", "wrong ending"]);
    let nap = RowKind::Waiting { path: "nap".into(), until: 1_012 };
    let twice = vec![nap, attempted("nap", 13), attempted("pay", 14), finished("success"), finished("success")];
    assert_eq!(red(|r| both(r, |dump| dump[1].rows = rows(twice.clone()))), ["two terminal states"]);
    let after = vec![attempted("nap", 13), finished("success"), attempted("pay", 14)];
    assert_eq!(red(|r| both(r, |dump| dump[1].rows = rows(after.clone()))), ["after the end"]);
    assert_eq!(red(|r| r.second[1].status = "error".into()), ["two terminal states"]);
    assert_eq!(red(|r| r.second[1].rows[0].at += 1), ["journal changed"]);
    assert_eq!(red(|r| drop(r.second.remove(1))), ["run lost later"]);
    let failed = |dump: &mut Vec<RunDump>, status: &str| {
        dump[1].status = status.into();
        dump[1].rows[3].kind = finished(status);
    };
    assert_eq!(red(|r| both(r, |dump| failed(dump, "error"))), ["wrong ending"]);
    assert_eq!(red(|r| both(r, |dump| failed(dump, "needs_decision"))), ["wrong ending"]);
    assert_eq!(red(|r| both(r, |dump| failed(dump, "quarantined"))), ["wrong ending"]);
    assert_eq!(red(|r| both(r, |dump| failed(dump, "waiting"))), ["not ended", "wrong ending"]);
}

#[test]
fn an_effect_that_nobody_can_explain_is_red() {
    assert_eq!(red(|r| r.calls.push(call("x", "pay", 1, 1))), ["unknown ledger key"]);
    assert_eq!(red(|r| r.calls.push(call("a", "two", 1, 1))), ["unknown ledger key"]);
    assert_eq!(red(|r| r.calls[0].token = "token-b".into()), ["unknown ledger key"]);
    assert_eq!(red(|r| r.calls[1].life = 1), ["extra ledger call"]);
    assert_eq!(red(|r| r.calls[1].at = 1_021), ["extra ledger call"]);
    assert_eq!(red(|r| r.calls[1].key = "other".into()), ["key differs"]);
    assert_eq!(red(|r| r.calls[2].key = "key-a-pay".into()), ["key differs", "extra ledger call"]);
    assert_eq!(red(|r| r.calls[1].body = 8), ["body differs"]);
    assert_eq!(red(|r| r.calls[2].at = 1_011), ["early"]);
    assert_eq!(red(|r| r.calls.iter_mut().for_each(|call| call.once = true)), ["once twice"]);
    let keyed = |dump: &mut Vec<RunDump>| {
        let RowKind::Attempted { keys, .. } = &mut dump[0].rows[1].kind else { panic!("an attempt") };
        keys.insert("pay".into(), "another".into());
    };
    assert_eq!(red(|r| both(r, keyed)), ["key differs"]);
}

#[test]
fn an_empty_pass_is_red() {
    assert_eq!(red(|r| r.acks[0].steps.clear()), ["too little work"]);
    assert_eq!(red(|r| r.kills.clear()), ["too few kills"]);
    assert_eq!(red(|r| r.kills[0].calls_open = 0), ["idle kills"]);
    assert_eq!(red(|r| r.settled_ms = None), ["slow to settle"]);
    assert_eq!(red(|r| r.settled_ms = Some(30_001)), ["slow to settle"]);
    assert_eq!(red(|r| r.last.clear()), ["last operations"]);
    assert_eq!(red(|r| r.last[0].1 = false), ["last operations"]);
}
