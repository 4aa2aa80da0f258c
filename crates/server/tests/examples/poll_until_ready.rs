//! `poll-until-ready.yaml`: looks with growing pauses, during which the run is a row and nothing is driven.

use std::sync::Arc;

use mainspring_model::clock::{Clock, FakeClock};
use mainspring_model::run::RunStatus;
use mainspring_model::run::StepStatus::{Error, Skipped, Success};
use serde_json::{Value, json};

use super::world::{Finished, World};
use crate::servers::Jobs;

pub const PLAN: &str = "poll-until-ready.yaml";

const START: i64 = 1_800_000_000_000;

/// Runs the plan against a job that ends at the fourth look; gives the looks after the start, in milliseconds.
async fn run(end: Value) -> (Finished, Vec<i64>, Jobs) {
    let clock = FakeClock::at(START);
    let jobs = Jobs::start(4, end, Arc::new(clock.clone())).await;
    let world = World::at(clock.clone()).await;
    let plan = world.save(PLAN).await;
    let mut handle = world.start(&plan, json!({"service": jobs.server.url(""), "video": "teaser"})).await;
    assert!(handle.settled().await.parked);
    world.app.engine.idle().await;
    for (looks, pause) in [(1, 2_000), (2, 4_000), (3, 8_000)] {
        assert_eq!((jobs.looks().len(), world.app.engine.live()), (looks, 0));
        world.go_on_at(&clock, clock.now() + pause).await;
    }
    let run = world.ended(handle.id).await;
    let looks = jobs.looks().into_iter().map(|at| at - START).collect();
    (run, looks, jobs)
}

#[tokio::test]
async fn it_looks_after_two_four_and_eight_seconds_until_the_job_is_done() {
    let (run, looks, jobs) = run(json!({"state": "done", "url": "https://videos.example/teaser.mp4"})).await;
    assert_eq!(run.output(), &json!({"url": "https://videos.example/teaser.mp4", "looks": 4}));
    assert_eq!(looks, [0, 2_000, 6_000, 14_000]);
    assert_eq!(run.statuses()[..3], [("submit", Success), ("job", Success), ("give_up", Skipped)]);
    assert_eq!((run.count("pass"), run.count("closed")), (4, 1));
    for pass in 0..4 {
        assert_eq!(run.step(&format!("job[{pass}]")).attempts.len(), 1);
    }
    assert_eq!(run.step("job[2]").output, json!({"state": "running", "percent": 75}));

    assert_eq!(jobs.server.lines(), ["POST /jobs", "GET /job", "GET /job", "GET /job", "GET /job"]);
    assert_eq!(jobs.server.asked()[0].json(), json!({"kind": "export", "video": "teaser"}));
    assert!(jobs.server.asked_for("GET /job").iter().all(|asked| asked.query == "id=job-1"));
}

#[tokio::test]
async fn a_job_that_failed_fails_the_run_with_the_plans_own_code() {
    let (run, looks, _) = run(json!({"state": "failed", "reason": "the codec is unknown"})).await;
    let error = run.ending.error.as_ref().unwrap();
    assert_eq!((run.ending.status, error.code.as_str()), (RunStatus::Error, "USER_EXPORT_FAILED"));
    assert_eq!(error.message, "the export of teaser failed: the codec is unknown");
    assert_eq!(looks.len(), 4);
    assert_eq!(run.statuses()[..3], [("submit", Success), ("job", Success), ("give_up", Error)]);
    assert_eq!(run.step("give_up").attempts.len(), 1, "what the author says is never repeated");
}
