//! The runs: each made, ten steps that wait for the disk, ended.

use std::sync::Arc;

use mainspring_model::flow::Priority;
use mainspring_model::id::{OrgId, Owner, PlanId, RunId, UserId};
use mainspring_model::run::{Ending, RunHeader, RunStatus};
use mainspring_model::store::{Committed, JournalRow, NewRun, RunStore, RunWrite, Standing};
use serde_json::json;
use uuid::Uuid;

pub const STEPS: u32 = 10;

pub async fn drive(store: &Arc<impl RunStore + 'static>, runs: u32, salt: u128) {
    let tasks: Vec<_> = (0..runs).map(|n| tokio::spawn(one(Arc::clone(store), salt << 32 | u128::from(n)))).collect();
    for task in tasks {
        task.await.expect("no driver panics");
    }
}

/// One run, as the engine writes it when every step waits for the disk.
async fn one(store: Arc<impl RunStore>, n: u128) {
    let run = RunId(Uuid::from_u128(0x018f_0000_0000_7000_8000_0000_0000_0000 | n));
    let header = RunHeader {
        id: run,
        owner: Owner { org: OrgId::LOCAL, user: UserId::LOCAL },
        plan_id: PlanId(Uuid::from_u128(7)),
        plan_version: 1,
        plan_name: "Rate".to_owned(),
        inputs: json!({"customer": 17}),
        trigger: json!({"type": "manual"}),
        org: json!({}),
        created_at: 1_700_000_000_000,
        environment: "production".to_owned(),
        seed: [7; 16],
        parent: None,
    };
    let epoch = store.epoch();
    let write = |create, events: Vec<JournalRow>, standing| RunWrite { run, epoch, create, events: Arc::new(events), standing };
    let new = Arc::new(NewRun { header: Arc::new(header), slot: None, key: None, flow: None, burst: None, priority: Priority::Normal });
    done(store.commit(write(Some(new), vec![], Standing::Running)).await);
    for step in 0..STEPS {
        done(store.commit(write(None, vec![row(step + 1, "attempted", body(step, n as u64), true)], Standing::Running)).await);
    }
    let ending = Ending { status: RunStatus::Success, output: json!({"ok": true}), blob: None, error: None };
    let body = r#"{"kind":"finished","status":"success","output":{"ok":true},"error":null}"#.to_owned();
    done(store.commit(write(None, vec![row(STEPS + 1, "finished", body, false)], Standing::Ended(ending))).await);
}

fn done(committed: Result<Committed, mainspring_model::store::StoreError>) {
    assert_eq!(committed.expect("the disk has room"), Committed::Done);
}

fn row(seq: u32, kind: &'static str, body: String, progress: bool) -> JournalRow {
    JournalRow { seq, at: 1_700_000_000_000 + i64::from(seq), kind, body, progress }
}

pub fn body(step: u32, n: u64) -> String {
    format!(
        "{{\"kind\":\"attempted\",\"path\":\"step_{step}\",\"attempt\":1,\"status\":\"success\",\"provider\":\"http\",\"action\":\"get\",\
         \"step_number\":{step},\"latency_us\":1234,\"output\":{{\"status\":200,\"body\":{{\"id\":{n},\"name\":\"Leanne \\\"Graham\\\"\",\
         \"email\":\"x@y.example\",\"city\":\"Gwenborough\"}}}},\"message\":\"GET https://api.example/users/{step} answered 200\"}}"
    )
}
