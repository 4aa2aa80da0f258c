//! What a call costs on a warm child.

use std::time::{Duration, Instant};

use mainspring_model::id::OrgId;
use serde_json::json;

use crate::sandbox::{run_for, sandbox};

/// The promise is 1 ms in a release build on a quiet machine. Tests run unoptimised and side by side, so that they get ten.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_on_a_warm_child_is_short() {
    let sandbox = sandbox();
    let params = json!({"code": "return input.items.filter(x => x > 1).length", "input": {"items": [1, 2, 3]}});
    let mut times = Vec::new();
    for _ in 0..300 {
        #[expect(clippy::disallowed_methods, reason = "it measures")]
        let began = Instant::now();
        assert_eq!(run_for(&sandbox, OrgId::LOCAL, params.clone()).await.unwrap().value, json!(2));
        times.push(began.elapsed());
    }
    times.sort();
    println!("code.javascript on a warm child: p50 {:?}, p99 {:?}, most {:?}", times[150], times[297], times[299]);
    assert!(times[150] <= Duration::from_millis(10), "p50 {:?}", times[150]);
}
