//! Commands beside a server: handed over by the data folder, or named by its address, with and without a key.

use std::io::{BufRead, BufReader, Read};
use std::process::Child;

use serde_json::json;

use super::program::{Done, Place, signal};

const PLAN: &str = "name: Counting\nsteps:\n  - {id: one, action: logic.set, params: {n: 1}}\n  - {id: nap, action: logic.sleep, params: {for: 1500ms}}\n  - {id: two, action: logic.set, params: {n: \"${steps.one.output.n + 1}\"}}\noutput: \"${steps.two.output.n}\"\n";

/// A server in its own process; told to end when dropped.
struct Server {
    child: Option<Child>,
    url: String,
}

impl Server {
    fn start(place: &Place, args: &[&str]) -> Server {
        let mut child = place.start(&[&["serve", "--listen", "127.0.0.1:0"], args].concat());
        let mut reader = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        let url = loop {
            line.clear();
            assert_ne!(reader.read_line(&mut line).unwrap(), 0, "the server ended before it said where it listens");
            if let Some(at) = line.find("http://") {
                break line[at..].split_whitespace().next().unwrap().to_owned();
            }
        };
        // Whatever else it says must not fill the pipe.
        std::thread::spawn(move || drop(reader.read_to_end(&mut Vec::new())));
        Server { child: Some(child), url }
    }

    fn stop(mut self) -> i32 {
        let mut child = self.child.take().unwrap();
        signal(&child, "TERM");
        child.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

#[test]
fn a_run_goes_to_the_server_that_holds_the_folder() {
    let place = Place::new();
    place.write("plan.yaml", PLAN);
    let server = Server::start(&place, &["--dev"]);
    let done = place.run(&["run", "plan.yaml"]).expect(0);
    assert!(done.err.contains(&server.url), "{}", done.err);
    assert!(done.out.contains("✓ one") && done.out.contains("◷ nap") && done.out.contains("✓ two"), "{}", done.out);
    assert_eq!(done.out.lines().last(), Some("2"));
    assert_eq!(server.stop(), 0);
    let run = place.run(&["run", "show", "last", "-o", "json"]).expect(0).json();
    assert_eq!((&run["status"], &run["output"]), (&json!("success"), &json!(2)));
}

#[test]
fn a_named_server_does_the_same() {
    let place = Place::new();
    place.write("plan.yaml", PLAN);
    place.write("bad.yaml", "name: Bad\nsteps:\n  - {id: a, action: logic.set, parms: {}}\n");
    let server = Server::start(&place, &["--dev"]);
    let elsewhere = Place::new();
    let there = |args: &[&str]| -> Done {
        let mut command = elsewhere.command(args);
        command.env("MAINSPRING_URL", &server.url).env_remove("MAINSPRING_DATA").current_dir(place.folder());
        Done::of(command.output().unwrap())
    };
    let run = there(&["run", "plan.yaml", "--json"]).expect(0).json();
    assert_eq!((&run["output"], &run["plan_version"]), (&json!(2), &json!(1)));
    assert_eq!(there(&["run", "plan.yaml", "--json"]).expect(0).json()["plan_version"], 1, "an unchanged file is no new version");
    let done = there(&["run", "bad.yaml"]).expect(3);
    assert!(done.err.starts_with("bad.yaml:3:32: UNKNOWN_FIELD: "), "{}", done.err);
    let done = there(&["validate", "bad.yaml"]).expect(3);
    assert!(done.out.starts_with("bad.yaml:3:32: UNKNOWN_FIELD: "), "{}", done.out);
    assert_eq!(there(&["run", "list", "-o", "json"]).expect(0).json()["runs"].as_array().unwrap().len(), 2);
    there(&["run", "cancel", "last"]).expect(6);
    there(&["run", "logs", "last"]).expect(0);
    there(&["schedule", "list"]).expect(0);
    there(&["api-key", "list"]).expect(2);
    assert!(!elsewhere.data().exists());
    assert_eq!(server.stop(), 0);
}

#[test]
fn without_a_key_a_server_is_4() {
    let place = Place::new();
    let key = place.run(&["api-key", "create", "-q"]).expect(0).out.trim().to_owned();
    let server = Server::start(&place, &[]);
    let done = place.run(&["plan", "list", "--server", &server.url]).expect(4);
    assert!(done.err.contains("MAINSPRING_API_KEY"), "{}", done.err);
    place.run(&["plan", "list", "--server", &server.url, "--api-key", "msk_wrong"]).expect(4);
    place.run(&["plan", "list", "--server", &server.url, "--api-key", &key]).expect(0);
    assert_eq!(server.stop(), 0);
}

#[test]
fn a_server_that_cannot_start_says_why() {
    let place = Place::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let done = place.run(&["serve", "--dev", "--listen", &address]).expect(6);
    assert!(done.err.contains("error[PORT_IN_USE]") && done.err.contains("--listen"), "{}", done.err);
    let done = place.run(&["serve", "--dev", "--listen", "0.0.0.0:0"]).expect(3);
    assert!(done.err.contains("error[DEV_ADDRESS]"), "{}", done.err);
    let server = Server::start(&place, &["--dev"]);
    let done = place.run(&["serve", "--dev", "--listen", "127.0.0.1:0"]).expect(6);
    assert!(done.err.contains("error[STORE_LOCKED]"), "{}", done.err);
    assert_eq!(server.stop(), 0);
}
