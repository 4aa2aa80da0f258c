//! What authors use in their own process: `dev`, `plan test`, and the tests that `validate` runs.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::ChildStdout;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;

use super::program::{Place, Watchdog, signal};

/// A service that counts its callers.
fn service() -> (String, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let count = Arc::new(AtomicU32::new(0));
    let counted = count.clone();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut asked = BufReader::new(connection.try_clone().unwrap());
            let mut line = String::new();
            while asked.read_line(&mut line).unwrap_or(0) > 2 {
                line.clear();
            }
            let n = counted.fetch_add(1, Ordering::SeqCst) + 1;
            let body = json!({ "n": n }).to_string();
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            drop(connection.write_all(format!("{head}{body}").as_bytes()));
        }
    });
    (url, count)
}

/// Reads lines until one holds `text`, which it gives.
fn until(reader: &mut BufReader<ChildStdout>, text: &str) -> String {
    let mut line = String::new();
    loop {
        line.clear();
        assert_ne!(reader.read_line(&mut line).unwrap(), 0, "the program ended before it said {text:?}");
        if line.contains(text) {
            return line;
        }
    }
}

#[test]
fn dev_runs_again_on_save_and_calls_only_what_changed() {
    let (url, count) = service();
    let place = Place::new();
    let plan = |word: &str| {
        format!(
            "name: Look\ntriggers: [{{type: interval, every: 1h}}]\nsteps:\n  - {{id: look, action: http.get, params: {{url: \"{url}\"}}}}\n  \
             - {{id: say, action: logic.set, params: {{text: \"{word} ${{steps.look.output.n}}\"}}}}\noutput: ${{steps.say.output.text}}\n\
             tests: [{{pinned: {{look: {{n: 5}}}}, expect: {{output: {word} 5}}}}]\n"
        )
    };
    place.write("plan.yaml", &plan("first"));
    let mut child = place.start(&["dev", "plan.yaml"]);
    let _watchdog = Watchdog::over(&child);
    let mut out = BufReader::new(child.stdout.take().unwrap());
    until(&mut out, "1 test passed");
    until(&mut out, "first 1");
    place.write("plan.yaml", "name: Look\nsteps: [{id: x, action: logic.nothing}]\n");
    until(&mut out, "UNKNOWN_ACTION");
    place.write("plan.yaml", &plan("second"));
    until(&mut out, "second 1");
    assert_eq!(count.load(Ordering::SeqCst), 1, "what did not change is not called again");
    place.write("plan.yaml", &plan("third").replace("id: look, action", "id: look, name: Look again, action"));
    until(&mut out, "third 2");
    signal(&child, "INT");
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    child.wait().unwrap();
    let plans = place.run(&["plan", "list", "-o", "json"]).expect(0).json();
    let names: Vec<&str> = plans["plans"].as_array().unwrap().iter().map(|plan| plan["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Look (dev)"]);
    let jobs = place.run(&["schedule", "list", "-o", "json"]).expect(0).json();
    assert_eq!(jobs["total"], 0, "a plan that is tried has no triggers: {jobs}");
}

const SUM: &str = "name: Sum\ninputs: {a: {type: number, required: true}}\nsteps: []\noutput: ${inputs.a * 2}\n";

#[test]
fn plan_test_and_validate_tell_of_failed_tests() {
    let place = Place::new();
    place.write("good.yaml", &format!("{SUM}tests: [{{name: doubles, inputs: {{a: 2}}, expect: {{output: 4}}}}]\n"));
    place.write("bad.yaml", &format!("{SUM}tests: [{{name: doubles, inputs: {{a: 2}}, expect: {{output: 5}}}}]\n"));
    place.write("none.yaml", SUM);
    let good = place.run(&["plan", "test", "good.yaml", "none.yaml"]).expect(0);
    assert!(good.out.contains("good.yaml: 1 test passed") && good.out.contains("none.yaml: no tests"), "{}", good.out);
    let bad = place.run(&["plan", "test", "good.yaml", "bad.yaml"]).expect(1);
    assert!(bad.out.contains("output is 4, and 5 is expected"), "{}", bad.out);
    let report = place.run(&["plan", "test", "bad.yaml", "-o", "json"]).expect(1).json();
    assert_eq!((&report["passed"], &report["files"][0]["tests"][0]["name"]), (&json!(false), &json!("doubles")));
    let checked = place.run(&["validate", "bad.yaml"]).expect(3);
    assert!(checked.out.contains("test \"doubles\": output is 4, and 5 is expected"), "{}", checked.out);
    place.run(&["validate", "good.yaml", "none.yaml"]).expect(0);
    assert!(place.run(&["plan", "list"]).expect(0).out.contains("no plan is saved"), "nothing was saved");
}
