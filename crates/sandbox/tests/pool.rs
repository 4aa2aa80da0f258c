//! The pool: who waits for whom, and what ends a child.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mainspring_model::id::OrgId;
use mainspring_sandbox::{Sandbox, Settings};
use serde_json::json;

use crate::s10::eye::{children, children_of};
use crate::sandbox::{run, run_for, sandbox, settings};

#[tokio::test]
async fn a_call_that_nobody_waits_for_ends_its_child() {
    let sandbox = sandbox();
    assert_eq!(run(&sandbox, "return 1").await, Ok(json!(1)));
    let before = children();
    let endless = run(&sandbox, "for (;;);");
    assert!(tokio::time::timeout(Duration::from_millis(50), endless).await.is_err(), "it goes on");
    eventually("one of those that were there is gone", || before.iter().any(|id| !children().contains(id))).await;
    assert_eq!(run(&sandbox, "return 2").await, Ok(json!(2)));
}

#[tokio::test]
async fn children_end_with_their_parent_even_in_a_loop() {
    let mut parent = Ended(Command::new(env!("CARGO_BIN_EXE_code-child")).arg("parent").stdout(Stdio::null()).spawn().unwrap());
    let id = parent.0.id().to_string();
    eventually("a child", || !children_of(&id).is_empty()).await;
    let orphans = children_of(&id);
    parent.0.kill().unwrap();
    assert_eq!(parent.0.wait().unwrap().signal(), Some(9));
    eventually("no child", || orphans.iter().all(|id| !std::path::Path::new(&format!("/proc/{id}")).exists())).await;
}

/// A process that does not outlive its test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        drop(self.0.kill());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_organization_does_not_take_every_child() {
    let sandbox = Sandbox::new(Settings { children: 2, ..settings() });
    let other: OrgId = "00000000-0000-7000-8000-000000000009".parse().unwrap();
    let hogs: Vec<_> = (0..3)
        .map(|_| {
            let sandbox = sandbox.clone();
            tokio::spawn(async move { run(&sandbox, "for (;;);").await })
        })
        .collect();
    eventually("a hog at work", || !children().is_empty()).await;
    let answer = tokio::time::timeout(Duration::from_secs(10), run_for(&sandbox, other, json!({"code": "return 'mine'"}))).await;
    assert_eq!(answer.expect("the other need not wait for the hogs").unwrap().value, json!("mine"));
    hogs.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_calls_than_children_all_get_their_turn() {
    let sandbox = Sandbox::new(Settings { children: 2, ..settings() });
    let calls: Vec<_> = (0..40)
        .map(|number| {
            let sandbox = sandbox.clone();
            tokio::spawn(async move { run_for(&sandbox, OrgId::LOCAL, json!({"code": "return input * 2", "input": number})).await })
        })
        .collect();
    for (number, call) in calls.into_iter().enumerate() {
        assert_eq!(call.await.unwrap().unwrap().value, json!(number * 2));
    }
    assert!(children().len() <= 3, "two at work or waiting, and a spare: {:?}", children());
}

#[tokio::test]
async fn where_no_child_can_be_started_the_step_says_so() {
    let sandbox = Sandbox::new(Settings { program: "/nowhere/mainspring".into(), ..settings() });
    let fault = run(&sandbox, "return 1").await.unwrap_err();
    assert_eq!(fault.code.as_str(), "CODE_FAILED");
    assert!(fault.message.contains("/nowhere/mainspring"), "{}", fault.message);
    let sandbox = Sandbox::new(Settings { program: "/bin/true".into(), ..settings() });
    assert!(sandbox.probe().await.is_err(), "a program that is no child");
}

/// Asks until it is so, ten seconds at most.
async fn eventually(what: &str, so: impl Fn() -> bool) {
    let asked = async {
        let mut looks = tokio::time::interval(Duration::from_millis(2));
        while !so() {
            looks.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), asked).await.unwrap_or_else(|_| panic!("never: {what}"));
}
