//! `mainspring run` in its own process: progress, results, failures, interrupts, and going on after a kill.

use std::io::{BufRead, BufReader};
use std::process::Child;

use serde_json::{Value, json};

use super::program::{Done, Place, Watchdog, signal};

const GREETING: &str = "name: Greeting\ninputs: {who: {type: string, required: true}}\nsteps:\n  - {id: hello, action: logic.set, params: {text: \"Hello, ${inputs.who}\"}}\noutput: \"${steps.hello.output.text}\"\n";
const FAILING: &str = "name: Failing\nsteps:\n  - {id: good, action: logic.set, params: {n: 1}}\n  - {id: bad, action: logic.fail, params: {code: USER_NO, message: not today}}\n  - {id: after, action: logic.set, params: {n: 2}}\n";
const SLEEPING: &str = "name: Sleeping\nsteps:\n  - {id: first, action: logic.set, params: {n: 1}}\n  - {id: nap, action: logic.sleep, params: {for: 1h}}\n  - {id: last, action: logic.set, params: {n: 2}}\nfinally:\n  - {id: tidy, action: logic.set, params: {status: \"${run.status}\"}}\n";

#[test]
fn a_run_shows_progress_a_table_and_its_output() {
    let place = Place::new();
    place.write("plan.yaml", GREETING);
    let done = place.run(&["run", "plan.yaml", "-i", "who=world"]).expect(0);
    let lines: Vec<&str> = done.out.lines().collect();
    assert!(
        lines[0].starts_with("✓ hello") && lines[0].contains("logic.set") && lines[0].ends_with("{\"text\":\"Hello, world\"}"),
        "{}",
        done.out
    );
    assert!(done.out.contains("STEP") && done.out.contains("success") && lines.last() == Some(&"Hello, world"), "{}", done.out);
    assert!(!done.out.contains('\u{1b}'), "no colours in a pipe");
    let run = place.run(&["run", "show", "last", "-o", "json"]).expect(0).json();
    assert_eq!((&run["status"], &run["plan_name"], &run["output"]), (&json!("success"), &json!("Greeting"), &json!("Hello, world")));
}

#[test]
fn json_is_one_document_and_events_are_lines() {
    let place = Place::new();
    place.write("plan.yaml", GREETING);
    place.write("inputs.yaml", "who: file\n");
    let run = place.run(&["run", "plan.yaml", "--inputs", "inputs.yaml", "--json"]).expect(0).json();
    assert_eq!(run["output"], "Hello, file");
    let done = place.feed(&["run", "-", "--inputs", "inputs.yaml", "-i", "who=\"3\"", "--json", "--events", "-q"], GREETING).expect(0);
    let mut stream = serde_json::Deserializer::from_str(&done.out).into_iter::<Value>().map(Result::unwrap);
    let kinds: Vec<String> = stream.by_ref().map(|value| value["kind"].as_str().unwrap_or("run").to_owned()).collect();
    assert_eq!(kinds, ["attempted", "finished", "run"]);
}

#[test]
fn a_failed_run_is_1_and_names_the_step() {
    let place = Place::new();
    place.write("plan.yaml", FAILING);
    let done = place.run(&["run", "plan.yaml"]).expect(1);
    assert!(done.out.contains("✗ bad") && done.out.contains("USER_NO: not today") && done.out.contains("not_reached"), "{}", done.out);
    let list = place.run(&["run", "list", "--plan", "Failing", "--status", "error"]).expect(0).out;
    assert!(list.contains("USER_NO"), "{list}");
    assert!(place.run(&["run", "list", "--status", "success"]).expect(0).out.starts_with("there is no such run"));
    let logs = place.run(&["run", "logs", "last", "-o", "json"]).expect(0).json();
    let steps: Vec<&Value> = logs["logs"].as_array().unwrap().iter().map(|entry| &entry["step_id"]).collect();
    assert_eq!(steps, ["good", "bad"]);
}

#[test]
fn a_failed_run_is_run_again_from_the_terminal() {
    let place = Place::new();
    place.write("plan.yaml", FAILING);
    place.run(&["run", "plan.yaml"]).expect(1);
    let failures = place.run(&["run", "failures", "-o", "json"]).expect(0).json();
    assert_eq!((&failures["failures"][0]["count"], &failures["failures"][0]["step"]), (&json!(1), &json!("bad")));
    let first = place.run(&["run", "show", "last", "-o", "json"]).expect(0).json();
    let retried = place.run(&["run", "retry", "last"]).expect(1);
    assert!(retried.err.contains("goes on from run") && retried.out.contains("USER_NO: not today"), "{}", retried.out);
    let run = place.run(&["run", "show", "last", "-o", "json"]).expect(0).json();
    assert_eq!((&run["replay_of"], &run["steps"][0]["metadata"]["recorded_by"]), (&first["id"], &first["id"]));
    place.run(&["run", "replay", "last", "--from", "nothing"]).expect(3);
    place.run(&["run", "decide", "last", "--repeat"]).expect(6);
    place.run(&["run", "decide", "last"]).expect(2);
    place.run(&["run", "retry"]).expect(2);
    let all = place.run(&["run", "retry", "--all", "--plan", "Failing", "--status", "error"]).expect(0);
    assert!(all.out.contains("retried: 1 run") && all.err.contains("mainspring serve"), "the first was retried before: {}", all.out);
    let cancelled = place.run(&["run", "cancel", "--all", "--status", "queued"]).expect(0);
    assert!(cancelled.out.contains("cancelled: 1 run"), "{}", cancelled.out);
}

#[test]
fn wrong_plans_and_inputs_are_3_and_start_nothing() {
    let place = Place::new();
    place.write("plan.yaml", GREETING);
    place.write("bad.yaml", "name: Bad\nsteps:\n  - {id: a, action: logic.set, parms: {}}\n");
    let done = place.run(&["run", "bad.yaml"]).expect(3);
    assert!(
        done.err.starts_with("bad.yaml:3:32: UNKNOWN_FIELD: ") && done.err.contains("error[UNKNOWN_FIELD]: bad.yaml: 1 problem"),
        "{}",
        done.err
    );
    let done = place.run(&["run", "plan.yaml"]).expect(3);
    assert!(done.err.contains("INVALID_INPUT") && done.err.contains("who"), "{}", done.err);
    assert_eq!(place.run(&["run", "list", "-o", "json"]).expect(0).json(), json!({"runs": []}));
    place.run(&["run", "show", "last"]).expect(5);
    place.run(&["run", "show", "0198c3f2-7a51-7cc3-9d2e-3c6a5a3f1b10"]).expect(5);
    place.run(&["run", "show", "nonsense"]).expect(2);
    place.run(&["run", "--resume", "last"]).expect(5);
}

/// Reads lines until one holds `text`; the rest stays in the pipe.
fn read_until(child: &mut Child, text: &str) -> BufReader<std::process::ChildStdout> {
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains(text) {
        line.clear();
        assert_ne!(reader.read_line(&mut line).unwrap(), 0, "the program ended before it said {text:?}");
    }
    reader
}

fn rest(mut reader: BufReader<std::process::ChildStdout>, child: Child) -> Done {
    let _watchdog = Watchdog::over(&child);
    let mut out = String::new();
    std::io::Read::read_to_string(&mut reader, &mut out).unwrap();
    let mut done = Done::of(child.wait_with_output().unwrap());
    done.out = out;
    done
}

#[test]
fn ctrl_c_cancels_and_finally_runs() {
    let place = Place::new();
    place.write("plan.yaml", SLEEPING);
    let mut child = place.start(&["run", "plan.yaml"]);
    let reader = read_until(&mut child, "◷ nap");
    signal(&child, "INT");
    let done = rest(reader, child).expect(130);
    assert!(done.out.contains("✓ tidy") && done.out.contains("cancelled"), "{}", done.out);
    let run = place.run(&["run", "show", "last", "-o", "json"]).expect(0).json();
    assert_eq!(run["status"], "cancelled");
}

#[test]
fn a_timeout_of_the_command_is_7() {
    let place = Place::new();
    place.write("plan.yaml", SLEEPING);
    let done = place.run(&["run", "plan.yaml", "--timeout", "300ms"]).expect(7);
    assert!(done.out.contains("--timeout passed") && done.out.contains("✓ tidy"), "{}", done.out);
}

#[test]
fn a_killed_run_goes_on() {
    let place = Place::new();
    place.write("plan.yaml", &SLEEPING.replace("1h", "3s"));
    let mut child = place.start(&["run", "plan.yaml"]);
    let reader = read_until(&mut child, "◷ nap");
    child.kill().unwrap();
    drop(reader);
    child.wait().unwrap();
    let open = place.run(&["run", "show", "last", "-o", "json"]).expect(0).json();
    assert!(open["finished_at"].is_null(), "{open}");
    let done = place.run(&["run", "--resume", "last"]).expect(0);
    assert!(done.out.contains("✓ first") && done.out.contains("✓ last") && done.out.contains("✓ tidy"), "{}", done.out);
    let id = open["id"].as_str().unwrap();
    let ended = place.run(&["run", "--resume", id]).expect(0);
    assert!(ended.err.contains("had ended already"), "{}", ended.err);
}

#[test]
fn a_left_run_goes_on() {
    let place = Place::new();
    place.write("plan.yaml", &SLEEPING.replace("1h", "3s"));
    let mut child = place.start(&["run", "plan.yaml"]);
    let reader = read_until(&mut child, "◷ nap");
    signal(&child, "TERM");
    let done = rest(reader, child).expect(130);
    assert!(done.err.contains("mainspring run --resume "), "{}", done.err);
    place.run(&["run", "--resume", "last", "-q"]).expect(0);
}
