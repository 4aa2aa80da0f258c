//! `code.python`, where this machine has an interpreter: what it can do, and what it cannot.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mainspring_model::Fault;
use mainspring_model::id::OrgId;
use mainspring_sandbox::{Sandbox, Settings};
use serde_json::{Value, json};

use crate::s10::eye::Eye;
use crate::sandbox::{call, has_namespaces, settings};

/// A sandbox with this machine's interpreter, if it has one.
async fn sandbox() -> Option<Arc<Sandbox>> {
    if !has_namespaces().await {
        return None;
    }
    let said = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().ok().filter(|said| said.status.success());
    let Some(said) = said else {
        println!("skipped: no python3 here");
        return None;
    };
    let python = PathBuf::from(String::from_utf8(said.stdout).unwrap().trim());
    Some(Sandbox::new(Settings { python: Some(python), ..settings() }))
}

async fn run(sandbox: &Arc<Sandbox>, code: &str, input: Value, timeout: &str) -> Result<Value, Fault> {
    let params = json!({"code": code, "input": input, "timeout": timeout, "memory": "32MB"});
    call(sandbox, "python", OrgId::LOCAL, params).await.map(|output| output.value)
}

#[tokio::test]
async fn a_function_body_reads_input_and_returns_json() {
    let Some(sandbox) = sandbox().await else { return };
    let code = "import re, math, datetime, collections, hashlib\nif input is None:\n    return None\nprint('sum of', len(input))\ntext = '''two\n  lines'''\nreturn {'sum': sum(input), 'text': text}";
    let params = json!({"code": code, "input": [1, 2, 3.5]});
    let output = call(&sandbox, "python", OrgId::LOCAL, params).await.unwrap();
    assert_eq!(output.value, json!({"sum": 6.5, "text": "two\n  lines"}));
    assert_eq!(output.metadata["console"], json!(["sum of 3"]));
    assert_eq!(run(&sandbox, "", json!(1), "10s").await, Ok(Value::Null));
    assert_eq!(run(&sandbox, "return 'später 🎈' + input", json!("!"), "10s").await, Ok(json!("später 🎈!")));
}

#[tokio::test]
async fn an_error_names_its_line() {
    let Some(sandbox) = sandbox().await else { return };
    for (code, message, line) in [
        ("x = 1\nraise ValueError('no money')", "line 2: ValueError: no money", 2),
        ("x = 1\n\nreturn input['a']['b']", "line 3: TypeError: 'NoneType' object is not subscriptable", 3),
        ("def f():\n    return 1 / 0\nreturn f()", "line 2: ZeroDivisionError: division by zero", 2),
    ] {
        let fault = run(&sandbox, code, Value::Null, "10s").await.unwrap_err();
        assert_eq!((fault.code.as_str(), &*fault.message), ("CODE_FAILED", message));
        assert_eq!(fault.details.unwrap()["line"], json!(line));
    }
    let fault = run(&sandbox, "x = (\n", Value::Null, "10s").await.unwrap_err();
    assert!(fault.message.contains("SyntaxError"), "{}", fault.message);
}

/// Code, and what the result or the error has in it.
const ATTEMPTS: &[(&str, &str)] = &[
    ("return open('/etc/passwd').read()", "FileNotFoundError"),
    ("return open('/etc/hostname').read()", "FileNotFoundError"),
    ("return open('/proc/self/environ').read()", "FileNotFoundError"),
    ("return open('/proc/1/cmdline').read()", "FileNotFoundError"),
    ("import os\nreturn sorted(os.listdir('/'))", "lib"),
    ("import os\nreturn os.listdir('/home')", "FileNotFoundError"),
    (
        "import os\nreturn sorted(key for key in os.environ if not key.endswith('NUM_THREADS'))",
        "[\"LC_CTYPE\"|\"MALLOC_MMAP_THRESHOLD_\",\"MALLOC_TRIM_THRESHOLD_\",\"TZ\"]",
    ),
    ("open('/tmp/x', 'w')", "Error"),
    ("open('/usr/lib/x', 'w')", "Error"),
    ("import os\nos.mkdir('/x')", "PermissionError"),
    ("import os\nos.unlink(os.__file__)", "PermissionError"),
    ("import os\nos.chmod(os.__file__, 0o777)", "PermissionError"),
    ("import socket\nsocket.socket()", "PermissionError"),
    ("import socket\nsocket.create_connection(('127.0.0.1', 80))", "PermissionError"),
    ("import socket\nsocket.getaddrinfo('example.com', 80)", "gaierror"),
    ("import urllib.request\nurllib.request.urlopen('http://127.0.0.1')", "Error"),
    ("import subprocess\nsubprocess.run(['/bin/true'])", "Error"),
    ("import os\nreturn os.system('true') != 0", "true"),
    ("import os\nos.fork()", "PermissionError"),
    ("import os\nos.posix_spawn('/usr/bin/env', ['env'], {})", "Error"),
    ("import threading\nthreading.Thread(target=print).start()", "can't start new thread"),
    ("import multiprocessing\nmultiprocessing.Process(target=print).start()", "PermissionError"),
    ("import os, signal\nos.kill(os.getppid(), signal.SIGTERM)", "PermissionError"),
    ("import os\nos.setuid(0)", "PermissionError"),
    ("import os\nos.chroot('/')", "PermissionError"),
    ("import os\nos.nice(-5)", "PermissionError"),
    ("import os\nreturn os.getuid()", "65534"),
    ("import socket\nreturn socket.gethostname()", "code"),
    ("import resource\nresource.setrlimit(resource.RLIMIT_DATA, (-1, -1))", "Error"),
    ("import ctypes\nreturn ctypes.CDLL(None).ptrace(0, 0, 0, 0)", "-1"),
    ("import ctypes\nreturn ctypes.CDLL(None).unshare(0x10000000)", "-1"),
    ("import ctypes\nreturn ctypes.CDLL(None).mount(None, b'/', b'tmpfs', 0, None)", "-1"),
    ("import os\nreturn os.memfd_create('x')", "PermissionError"),
    ("import os\nreturn sorted(int(one) for one in range(3, 64) if os.path.exists(f'/proc/self/fd/{one}'))", "[]"),
    ("import os\nos._exit(0)", "ended without an answer"),
    ("import os\nos.write(1, b'X' * 100)", "no child writes"),
    ("import os\nos.write(1, b'D' + (4).to_bytes(4, 'little') + b'true')", "true"),
    ("import os\nos.write(1, b'D' + (2**31).to_bytes(4, 'little'))", "no child writes"),
    ("raise SystemExit(3)", "SystemExit"),
    ("return float('nan')", "ValueError"),
    ("return {1, 2}", "not JSON serializable"),
    ("a = []\na.append(a)\nreturn a", "Circular"),
    ("def down(): return down()\nreturn down()", "nested too deep"),
    ("return bytearray(10**9)", "memory"),
    ("a = []\nwhile True: a.append(bytearray(100000))", "memory"),
    ("a = 'x'\nwhile True: a += a", "memory"),
    ("return 'x' * 9000000", "result is longer"),
    ("while True: pass", "did not end within"),
    ("while True: print('x' * 100)", "did not end within"),
    ("import re\nre.match('(a+)+$', 'a' * 40 + '!')", "did not end within"),
    ("return 10 ** 10 ** 8 and 1", "did not end within"),
    ("try:\n    while True: pass\nexcept BaseException:\n    pass\nwhile True: pass", "did not end within"),
    ("import signal\nreturn signal.pause()", "null"),
    ("import time\ntime.sleep(100)", "did not end within"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_gets_out_and_no_limit_is_overshot() {
    let Some(sandbox) = sandbox().await else { return };
    let eye = Eye::open();
    assert_eq!(run(&sandbox, "return 1", Value::Null, "10s").await, Ok(json!(1)));
    let base = eye.highest();
    let mut wrong = Vec::new();
    let mut most = (base, "");
    for (code, wanted) in ATTEMPTS {
        eye.begin();
        let (timeout, limit) = if *wanted == "did not end within" { ("400ms", 400) } else { ("10s", 10_000) };
        #[expect(clippy::disallowed_methods, reason = "it measures")]
        let began = Instant::now();
        let end = run(&sandbox, code, Value::Null, timeout).await;
        let took = began.elapsed();
        let shown = match &end {
            Ok(value) => value.to_string(),
            Err(fault) => fault.message.clone(),
        };
        // Starting the interpreter is not the code's time.
        if took > Duration::from_millis(limit + 200 + 500) {
            wrong.push(format!("{code:?} took {took:?}"));
        }
        if eye.highest() > most.0 {
            most = (eye.highest(), code);
        }
        if !wanted.split('|').any(|wanted| shown.contains(wanted)) {
            wrong.push(format!("{code:?}: {}", shown.chars().take(300).collect::<String>()));
        }
    }
    println!(
        "S10, Python: {} attempts; most memory {} MiB ({:?}), {} before any, limit 32",
        ATTEMPTS.len(),
        most.0 >> 20,
        most.1,
        base >> 20
    );
    assert!(most.0 <= base + ((32 + 16) << 20), "{:?} held {} bytes; a new one {base}", most.1, most.0);
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), ATTEMPTS.len(), wrong.join("\n"));
}

#[tokio::test]
async fn without_an_interpreter_there_is_no_such_action() {
    let sandbox = Sandbox::new(settings());
    assert_eq!(mainspring_sandbox::provider(sandbox).action_names(), ["javascript"]);
    let broken = Sandbox::new(Settings { python: Some("/usr/bin/true".into()), ..settings() });
    assert!(broken.probe_python().await.is_err(), "a program that is no Python");
}
