//! Work in processes apart: hogs end at their limits, nothing else waits for them, and what is killed from outside is done again.

#![expect(clippy::disallowed_methods, reason = "how long a limit was overshot is told by the machine's clock")]

mod helpers;

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use helpers::{Worker, helpers_of_this_process};
use serde_json::json;

/// How far a limit may be overshot: 200 ms, and what a machine of two processors that does ten other things adds.
const OVERSHOT: Duration = Duration::from_millis(1_500);

/// Queries that never end, fill the memory or the stack.
const HOGS: [&str; 13] = [
    "def f: f; f",
    "last(repeat(1))",
    "[repeat(1)]",
    "reduce range(1e18) as $i (0; . + 1)",
    "[range(1e18)]",
    "[recurse(. + 1)] | length",
    "reduce range(64) as $i (\"aaaaaaaa\"; . + .)",
    "reduce range(64) as $i ([1]; . + .)",
    "\"a\" * 4000000000",
    "def f: [f]; f",
    "def f: 1 + f; f",
    "reduce range(1e9) as $i (1; . * 999999999999999999)",
    "[limit(1e9; repeat(\"x\"))] | add",
];

#[tokio::test(flavor = "current_thread")]
async fn hogs_end_at_their_limit_and_nothing_waits_for_them() {
    let worker = Worker::new();
    // The one thread of this runtime goes round all the time; how long it ever stood is seen.
    let stood = tokio::spawn(async {
        let mut every = tokio::time::interval(Duration::from_millis(5));
        let (mut last, mut longest) = (Instant::now(), Duration::ZERO);
        loop {
            every.tick().await;
            longest = longest.max(last.elapsed());
            last = Instant::now();
            if STOOD.swap(longest.as_millis() as u64, std::sync::atomic::Ordering::Relaxed) == u64::MAX {
                return;
            }
        }
    });
    let mut seen = Vec::new();
    for query in HOGS {
        let began = Instant::now();
        let fault = worker.call("logic.jq", json!({"input": 0, "query": query, "timeout": "400ms"})).await.unwrap_err();
        let took = began.elapsed();
        seen.push(format!("{:>5} ms  {query}: {fault}", took.as_millis()));
        assert_eq!(fault.code.as_str(), "LIMIT_EXCEEDED", "{query}: {fault}");
        assert!(took < Duration::from_millis(400) + OVERSHOT, "{query} took {took:?}");
        assert_eq!(worker.jq("1 + 1").await, json!(2), "after {query}");
    }
    stood.abort();
    let longest = STOOD.load(std::sync::atomic::Ordering::Relaxed);
    println!("{}\nthe runtime stood for {longest} ms at most", seen.join("\n"));
    assert!(longest < 300, "the runtime stood for {longest} ms");
}

/// Documents that take readers for ever, far into the stack or over the memory. A reader that copes with one is welcome to.
#[tokio::test]
async fn documents_that_do_harm_end_within_the_limit() {
    let worker = Worker::new();
    let deep = |open: &str, close: &str, times: usize| format!("{}x{}", open.repeat(times), close.repeat(times));
    let mut seen = Vec::new();
    for (what, action, params) in [
        ("400,000 open divs", "transform.html_to_text", json!({"html": deep("<div>", "", 400_000)})),
        ("200,000 nested inline elements", "transform.html_to_markdown", json!({"html": deep("<b>", "</b>", 200_000)})),
        ("misnested formatting", "transform.html_to_text", json!({"html": "<a><b><i><u><p>".repeat(20_000)})),
        ("a table in a table in a table", "transform.html_to_markdown", json!({"html": deep("<table><tr><td>", "", 50_000)})),
        (
            "100,000 attributes",
            "transform.html_select",
            json!({"html": format!("<p {}>", (0..100_000).map(|n| format!("a{n} ")).collect::<String>()), "selector": "p"}),
        ),
        (
            "100,000 siblings, each counted from the end",
            "transform.html_select",
            json!({"html": "<i></i>".repeat(100_000), "selector": "i:nth-last-of-type(7)"}),
        ),
        (
            "descendants of descendants",
            "transform.html_select",
            json!({"html": deep("<b>", "</b>", 5_000), "selector": "b b b b b b b b i"}),
        ),
        (
            "100,000 attributes of XML",
            "transform.xml_parse",
            json!({"text": format!("<p {}/>", (0..100_000).map(|n| format!("a{n}='' ")).collect::<String>())}),
        ),
        ("links in links", "transform.markdown_to_html", json!({"markdown": "[a](".repeat(300_000)})),
        ("quotes in quotes", "transform.markdown_to_html", json!({"markdown": format!("{}a\n", "> ".repeat(100_000))})),
        ("emphasis without end", "transform.markdown_to_html", json!({"markdown": "*a **b ".repeat(300_000)})),
        (
            "loops in loops",
            "transform.template",
            json!({"template": "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}"}),
        ),
        ("text times a billion", "transform.template", json!({"template": "{{ 'aaaaaaaaaaaaaaaa' * 1000000000 }}"})),
        ("macros in macros", "transform.template", json!({"template": "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}"})),
        ("brackets in brackets", "transform.template", json!({"template": format!("{{{{ {} }}}}", "(".repeat(100_000))})),
    ] {
        let began = Instant::now();
        let end =
            worker.call(action, params).await.map_or_else(|fault| fault.to_string(), |value| format!("{} bytes", value.to_string().len()));
        let took = began.elapsed();
        seen.push(format!("{:>5} ms  {what}: {}", took.as_millis(), end.chars().take(90).collect::<String>()));
        assert!(took < Duration::from_secs(5) + OVERSHOT, "{what} took {took:?}");
        assert!(!end.starts_with("INTERNAL"), "{what}: {end}");
        assert_eq!(worker.jq("1 + 1").await, json!(2), "after {what}");
    }
    println!("{}", seen.join("\n"));
}

static STOOD: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

#[tokio::test]
async fn a_helper_that_somebody_ends_is_no_fault_of_the_work() {
    let worker = Arc::new(Worker::new());
    assert_eq!(worker.jq("1").await, json!(1));
    // Idle ones first, then one in the middle of its work.
    for pid in helpers_of_this_process() {
        assert!(Command::new("kill").arg(pid.to_string()).status().unwrap().success());
    }
    assert_eq!(worker.jq("2").await, json!(2));
    let working = tokio::spawn({
        let worker = worker.clone();
        async move { worker.call("logic.jq", json!({"input": 0, "query": "last(range(3000000))", "timeout": "30s"})).await }
    });
    let pid = loop {
        match helpers_of_this_process().into_iter().next() {
            Some(pid) => break pid,
            None => tokio::task::yield_now().await,
        }
    };
    assert!(Command::new("kill").arg(pid.to_string()).status().unwrap().success());
    assert_eq!(working.await.unwrap().unwrap(), json!(2_999_999));
}

#[tokio::test]
async fn a_helper_sees_nothing_of_our_environment() {
    let worker = Worker::new();
    assert_eq!(worker.jq("3").await, json!(3));
    let pids = helpers_of_this_process();
    assert!(!pids.is_empty());
    for pid in pids {
        assert_eq!(std::fs::read_to_string(format!("/proc/{pid}/environ")).unwrap(), "MIMALLOC_ARENA_EAGER_COMMIT=0\0", "helper {pid}");
    }
}

#[tokio::test]
async fn warm_helpers_answer_at_once_and_end_with_us() {
    let worker = Worker::new();
    let mut times = Vec::new();
    for number in 0..200 {
        let began = Instant::now();
        let value = worker.call("logic.jq", json!({"input": {"items": [1, 2, number]}, "query": ".items | add"})).await.unwrap();
        times.push(began.elapsed());
        assert_eq!(value, json!(3 + number));
    }
    times.sort();
    println!("first {:?}, p50 {:?}, p99 {:?}", times[199], times[100], times[197]);
    assert!(times[100] < Duration::from_millis(100), "p50 is {:?}", times[100]);
    let pids = helpers_of_this_process();
    assert_eq!(pids.len(), 1, "one after the other needs one helper");
    drop(worker);
    // Killed as they are dropped; the runtime reaps them.
    while !helpers_of_this_process().is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_number_of_hogs_leaves_room_for_nobody_for_no_longer_than_their_time() {
    let worker = Arc::new(Worker::new());
    let began = Instant::now();
    let hogs: Vec<_> = (0..6)
        .map(|_| {
            let worker = worker.clone();
            tokio::spawn(async move { worker.call("logic.jq", json!({"input": 0, "query": "def f: f; f", "timeout": "300ms"})).await })
        })
        .collect();
    for hog in hogs {
        assert_eq!(hog.await.unwrap().unwrap_err().code.as_str(), "LIMIT_EXCEEDED");
    }
    assert_eq!(worker.jq("4").await, json!(4));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}
