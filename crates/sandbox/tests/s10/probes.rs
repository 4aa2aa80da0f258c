//! What the process around the interpreter lets through when the interpreter is taken over: nothing.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

/// Each is done by the test's child after it gave everything up, in plain Rust: see `bin/code_child.rs`.
const PROBES: [&str; 18] = [
    "open a file",
    "write a file",
    "list a folder",
    "read the environment of the parent",
    "connect",
    "listen",
    "open a local socket",
    "send a datagram",
    "start a program",
    "start a thread",
    "raise its limits",
    "become another user",
    "mount a folder",
    "signal the parent",
    "leave the namespaces",
    "trace itself",
    "open a queue",
    "run memory",
];

#[test]
fn whatever_asks_the_kernel_for_more_is_ended() {
    let mut wrong = Vec::new();
    for probe in PROBES {
        let status = Command::new(env!("CARGO_BIN_EXE_code-child")).args(["probe", probe]).status().unwrap();
        if status.signal() != Some(31) {
            wrong.push(format!("{probe}: {status}"));
        }
    }
    assert!(wrong.is_empty(), "not ended by the filter (SIGSYS):\n{}", wrong.join("\n"));
    let status = Command::new(env!("CARGO_BIN_EXE_code-child")).args(["probe", "nothing"]).status().unwrap();
    assert_eq!(status.code(), Some(0), "one that asks for nothing lives: the others were ended by what they did");
}
