//! Progress and summaries of runs as they happen, from updates to the text that is shown.

use mainspring_model::event::{AttemptStatus, Attempted, BlobRef, Event, EventBody, TimeLimit};
use mainspring_model::fault::{Code, Fault};
use mainspring_model::run::{Ending, RunStatus};
use serde_json::{Map, Value, json};

use super::line::{Columns, Line};
use super::progress::Progress;
use super::summary;
use super::update::Update;
use crate::cli::terminal::Style;

const COLUMNS: Columns = Columns { path: 10, action: 14, width: 90 };

fn attempted(path: &str, status: AttemptStatus, output: Value, error: Option<Fault>) -> Attempted {
    Attempted {
        path: path.into(),
        attempt: 1,
        status,
        provider: "http".into(),
        action: "request".into(),
        step_number: Some(0),
        latency_us: 132_000,
        port: None,
        output,
        blob: None,
        message: String::new(),
        metadata: Map::new(),
        error,
        retry_at: None,
        effect: None,
        again: false,
        mark: None,
        beside: Default::default(),
    }
}

fn event(at: i64, body: EventBody) -> Update {
    Update::Event(Box::new(Event { seq: 1, at, body }))
}

fn went(path: &str, status: AttemptStatus, output: Value, error: Option<Fault>) -> Update {
    event(10_000, EventBody::Attempted(Box::new(attempted(path, status, output, error))))
}

fn going(path: &str, attempt: u32) -> Update {
    Update::Attempting { path: path.into(), attempt, action: "http.request".into(), at: 9_000 }
}

fn text(lines: &[Line]) -> String {
    lines.iter().map(|line| line.render(COLUMNS, Style::default(), 0) + "\n").collect()
}

fn seen(progress: &mut Progress, updates: &[Update]) -> String {
    let lines: Vec<Line> = updates.iter().flat_map(|update| progress.see(update)).collect();
    text(&lines)
}

fn finished() -> Update {
    event(11_000, EventBody::Finished(Ending { status: RunStatus::Success, output: Value::Null, blob: None, error: None }))
}

#[test]
fn every_way_for_a_step_to_go_has_its_line() {
    let refused = || Fault::new(Code::CONNECTION_FAILED, "127.0.0.1:9 refused\nthe connection\u{1b}[2J");
    let mut retrying = attempted("post", AttemptStatus::Retrying, Value::Null, Some(refused()));
    retrying.retry_at = Some(12_000);
    let mut spilled = attempted("big", AttemptStatus::Success, Value::Null, None);
    spilled.blob = Some(BlobRef { sha256: "ab".into(), size: 1 << 20, preview: "[1,2,3".into() });
    let mut said = attempted("mail", AttemptStatus::Success, Value::Null, None);
    said.message = "sent to 3".into();
    let updates = [
        going("fetch", 1),
        went("fetch", AttemptStatus::Success, json!({"items": [{"id": 1, "name": "a".repeat(80)}]}), None),
        event(10_000, EventBody::Attempted(Box::new(spilled))),
        event(10_000, EventBody::Attempted(Box::new(said))),
        event(10_000, EventBody::Attempted(Box::new(retrying))),
        went("post", AttemptStatus::Error, Value::Null, Some(refused())),
        event(10_000, EventBody::Skipped { path: "notify".into() }),
        event(10_000, EventBody::Waiting { path: "nap".into(), attempt: 1, until: 3_610_000 }),
        event(10_000, EventBody::BodyFailed { path: "group".into(), attempt: 1, error: refused(), retry_at: Some(11_000) }),
        event(10_000, EventBody::BodyFailed { path: "group".into(), attempt: 2, error: refused(), retry_at: None }),
        event(10_000, EventBody::TimedOut { limit: TimeLimit::Deadline }),
        event(10_000, EventBody::CancelRequested { by: "ctrl-c".into() }),
        went("slow", AttemptStatus::Cancelled, Value::Null, None),
    ];
    insta::assert_snapshot!(seen(&mut Progress::default(), &updates), @r#"
    ✓ fetch       http.request       132 ms  {"items":[{"id":1,"name":"aaaaaaaaaaaaaaaaaaaaaa…
    ✓ big         http.request       132 ms  [1,2,3
    ✓ mail        http.request       132 ms  sent to 3
    ↻ post        http.request       132 ms  attempt 2 in 2 s: CONNECTION_FAILED: 127.0.0.1:9…
    ✗ post        http.request       132 ms  CONNECTION_FAILED: 127.0.0.1:9 refused⏎the conne…
    – notify                                 skipped: its "if" is false
    ◷ nap                                    waits until 1970-01-01 01:00:10Z (1 h)
    ↻ group                                  again in 1 s: CONNECTION_FAILED: 127.0.0.1:9 ref…
    ✗ group                                  CONNECTION_FAILED: 127.0.0.1:9 refused⏎the conne…
    ! the plan's deadline passed
    ! cancelled by ctrl-c
    ■ slow        http.request       132 ms  cancelled
    "#);
}

#[test]
fn running_steps_show_until_they_end() {
    let mut progress = Progress::default();
    seen(
        &mut progress,
        &[going("fetch", 1), going("post", 2), event(9_500, EventBody::Waiting { path: "nap".into(), attempt: 1, until: 60_000 })],
    );
    insta::assert_snapshot!(text(&progress.live(10_500)), @r#"
    ⠋ fetch       http.request        1.5 s
    ⠋ post        http.request        1.5 s  attempt 2
    ◷ nap                                    waits until 1970-01-01 00:01:00Z (49 s)
    "#);
    assert_eq!(progress.waits_until(), None);
    seen(&mut progress, &[went("fetch", AttemptStatus::Success, json!(1), None), went("post", AttemptStatus::Success, json!(1), None)]);
    assert_eq!(progress.waits_until(), Some(60_000));
    seen(&mut progress, &[finished()]);
    assert_eq!((progress.live(11_000), progress.is_over()), (vec![], true));
}

#[test]
fn a_wide_loop_is_counted_and_its_failures_are_shown() {
    let mut progress = Progress::default();
    seen(&mut progress, &[event(9_000, EventBody::Opened { path: "get".into(), attempt: 1, items: 1_000 })]);
    let mut lines = String::new();
    for item in 0..999 {
        let path = format!("get[{item}]");
        let fault = Fault::new(Code::http(500), "the service failed");
        let update = if item == 500 {
            went(&path, AttemptStatus::Error, Value::Null, Some(fault))
        } else {
            went(&path, AttemptStatus::Success, json!(item), None)
        };
        lines += &seen(&mut progress, &[going(&path, 1), update]);
    }
    let up_to_now = lines.lines().count();
    seen(&mut progress, &[going("get[999]", 1)]);
    let live = text(&progress.live(10_000));
    lines += &seen(&mut progress, &[went("get[999]", AttemptStatus::Success, json!(999), None), finished()]);
    let tail: Vec<&str> = lines.lines().skip(19).collect();
    assert_eq!(up_to_now, 21);
    insta::assert_snapshot!(format!("{live}---\n{}", tail.join("\n")), @r#"
    ⠋ get[999]    http.request        1.0 s
    ⠋ get                                    999 of 1,000 done, 1 failed, 1 running
    ---
    ✓ get[19]     http.request       132 ms  19
    ✗ get[500]    http.request       132 ms  HTTP_500: the service failed
    ✓ get                                    … and 979 more that ended well
    "#);
}

#[test]
fn inner_steps_of_a_loop_are_counted_at_the_end() {
    let mut progress = Progress::default();
    let mut updates = vec![event(9_000, EventBody::Opened { path: "each".into(), attempt: 1, items: 30 })];
    updates.extend((0..30).map(|item| went(&format!("each[{item}].post"), AttemptStatus::Success, json!(item), None)));
    updates.push(finished());
    let lines = seen(&mut progress, &updates);
    assert_eq!(lines.lines().count(), 21);
    assert_eq!(lines.lines().last(), Some("✓ each                                   … and 10 more that ended well"));
}

fn sample_run() -> Value {
    json!({
        "id": "0198c3f2-7a51-7cc3-9d2e-3c6a5a3f1b10", "plan_id": "0198c3f2-0000-7cc3-9d2e-3c6a5a3f1b10", "plan_name": "Payments", "plan_version": 3,
        "status": "error", "created_at": "2026-03-01T09:00:00Z", "finished_at": "2026-03-01T09:00:02.500Z", "output": null,
        "error": {"code": "HTTP_500", "message": "the service failed", "class": "transient", "retryable": true, "effect": "sent", "step": "post"},
        "steps": [
            {"id": "fetch", "step_number": 0, "action": "http.get", "status": "success", "output": {"items": [1, 2]},
             "attempts": [{"attempt": 1, "status": "success", "ended_at": "2026-03-01T09:00:00.132Z", "latency_ms": 132.0}]},
            {"id": "each", "step_number": 1, "action": "steps", "status": "success", "output": [10, 20], "attempts": []},
            {"id": "skip", "step_number": 2, "action": "http.get", "status": "skipped", "output": null, "attempts": []},
            {"id": "post", "step_number": 3, "action": "http.post", "status": "error", "output": null, "error": {"code": "HTTP_500", "message": "the service failed"},
             "attempts": [{"attempt": 1, "status": "retrying", "latency_ms": 8.5}, {"attempt": 2, "status": "error", "latency_ms": 3.0}]},
            {"id": "after", "step_number": 4, "action": "http.get", "status": "not_reached", "output": null, "attempts": []},
            {"id": "each[0]", "action": "http.get", "status": "success", "output": 10, "attempts": [{"attempt": 1, "status": "success", "ended_at": 2_000, "latency_ms": 1_000.0}]},
            {"id": "each[1]", "action": "http.get", "status": "success", "output": 20, "attempts": [{"attempt": 1, "status": "success", "ended_at": 2_500, "latency_ms": 1_000.0}]},
            {"id": "tidy", "action": "http.get", "status": "success", "output": "ok", "attempts": [{"attempt": 1, "status": "success", "latency_ms": 0.4}]},
        ],
    })
}

#[test]
fn a_run_ends_with_a_table() {
    insta::assert_snapshot!(summary::render(&sample_run(), Style::default(), 90), @r#"
       STEP   STATUS       ATTEMPTS  LATENCY  OUTPUT
    ✓  fetch  success      1         132 ms   {"items":[1,2]}
    ✓  each   success      2         1.5 s    [10,20]
    –  skip   skipped
    ✗  post   error        2         11 ms    HTTP_500: the service failed
    –  after  not_reached
    ✓  tidy   success      1         400 µs   ok

    ✗ error after 2.5 s  Payments version 3  run 0198c3f2-7a51-7cc3-9d2e-3c6a5a3f1b10
      HTTP_500: the service failed (step post)
      next: `mainspring run show 0198c3f2-7a51-7cc3-9d2e-3c6a5a3f1b10` has every attempt
    "#);
}

#[test]
fn a_good_run_ends_with_its_output() {
    let mut run = sample_run();
    run["status"] = json!("success");
    run["error"] = Value::Null;
    run["output"] = json!({"total": 3});
    run["steps"] = json!([]);
    insta::assert_snapshot!(summary::render(&run, Style::default(), 90), @r#"
    no step ran

    ✓ success after 2.5 s  Payments version 3  run 0198c3f2-7a51-7cc3-9d2e-3c6a5a3f1b10
    {
      "total": 3
    }
    "#);
}
