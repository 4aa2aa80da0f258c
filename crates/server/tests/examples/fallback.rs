//! `fallback.yaml`: every way in which a failure is met, and the way in which none is needed.

use mainspring_model::event::AttemptStatus;
use mainspring_model::run::RunStatus;
use mainspring_model::run::StepStatus::{Error, NotReached, Success};
use serde_json::{Value, json};

use super::world::{Finished, World};
use crate::servers::{Server, json as answer};

pub const PLAN: &str = "fallback.yaml";

/// Which of the services work.
#[derive(Clone, Copy)]
struct Up {
    first: bool,
    second: bool,
    publish: bool,
}

async fn services(up: Up) -> Server {
    Server::start(move |asked| match asked.line().as_str() {
        "GET /price/first" if up.first => answer(200, &json!({"cents": 8900, "source": "first"})),
        "GET /price/first" => answer(503, &json!({"error": "being rebuilt"})),
        "GET /price/second" if up.second => answer(200, &json!({"cents": 8790})),
        "GET /price/second" => answer(500, &json!({"error": "no"})),
        "POST /publish" if !up.publish => answer(404, &json!({"error": "nobody here"})),
        _ => answer(200, &json!({"ok": true})),
    })
    .await
}

async fn run(up: Up) -> (Finished, Server) {
    let (world, services) = (World::open().await, services(up).await);
    let plan = world.save(PLAN).await;
    let run = world.run(&plan, json!({"service": services.url(""), "product": "kb-87"})).await;
    (run, services)
}

/// The query of the one unlock, which `finally` sends last.
fn unlocked_as(services: &Server) -> String {
    let asked = services.asked();
    let last = asked.last().unwrap();
    assert_eq!((last.line().as_str(), last.query("product").as_deref()), ("DELETE /lock", Some("kb-87")));
    assert_eq!(services.asked_for("DELETE /lock").len(), 1);
    last.query("status").unwrap()
}

#[tokio::test]
async fn with_everything_up_no_fallback_is_touched() {
    let (run, services) = run(Up { first: true, second: true, publish: true }).await;
    assert_eq!(run.output(), &json!({"cents": 8900, "source": "first", "published": true}));
    let expected =
        [("lock", Success), ("price", Success), ("publish", Success), ("tell", NotReached), ("summary", Success), ("unlock", Success)];
    assert_eq!(run.statuses(), expected);
    assert_eq!(services.lines(), ["POST /lock", "GET /price/first", "POST /publish", "DELETE /lock"]);
    assert_eq!(unlocked_as(&services), "success");
    let lock = &services.asked()[0];
    assert_eq!(lock.json(), json!({"product": "kb-87", "run": run.id.to_string()}));
    // A base32 of a keyed hash: the same for every attempt of this step of this run, and nobody else's.
    let key = lock.header("idempotency-key");
    assert!(key.len() >= 26 && key.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{key:?}");
}

#[tokio::test]
async fn the_second_source_and_the_error_branch_step_in() {
    let (run, services) = run(Up { first: false, second: true, publish: false }).await;
    assert_eq!(run.output(), &json!({"cents": 8790, "source": "second", "published": false}));
    let (top, inner) = run.steps.split_at(5);
    let statuses: Vec<_> = top.iter().map(|step| (step.id.as_str(), step.status)).collect();
    assert_eq!(statuses, [("lock", Success), ("price", Success), ("publish", Error), ("tell", Success), ("summary", Success)]);
    let inner: Vec<_> = inner.iter().map(|step| (step.id.as_str(), step.status)).collect();
    assert_eq!(inner, [("price.second", Success), ("price.substitute", Success), ("unlock", Success)]);

    // The list's output is the step's, and its own attempts stay on record.
    assert_eq!(run.step("price").output, json!({"cents": 8790, "source": "second", "because": "HTTP_503 in 2 attempts"}));
    let attempts: Vec<_> = run.step("price").attempts.iter().map(|attempt| attempt.status).collect();
    assert_eq!(attempts, [AttemptStatus::Retrying, AttemptStatus::Error]);
    assert_eq!(run.step("publish").attempts.len(), 1, "a post that failed is not repeated");
    assert_eq!(run.step("publish").error.as_ref().unwrap().code.as_str(), "HTTP_404");

    let expected =
        ["POST /lock", "GET /price/first", "GET /price/first", "GET /price/second", "POST /publish", "POST /tell", "DELETE /lock"];
    assert_eq!(services.lines(), expected);
    assert_eq!(services.asked_for("POST /publish")[0].json(), json!({"product": "kb-87", "cents": 8790}));
    assert_eq!(services.asked_for("POST /tell")[0].json(), json!({"step": "publish", "code": "HTTP_404"}));
    assert_eq!(unlocked_as(&services), "success");
}

#[tokio::test]
async fn when_nothing_helps_the_alarm_goes_off_and_the_lock_is_given_back() {
    let (run, services) = run(Up { first: false, second: false, publish: true }).await;
    let error = run.ending.error.as_ref().unwrap();
    assert_eq!((run.ending.status, error.code.as_str(), &run.ending.output), (RunStatus::Error, "HTTP_500", &Value::Null));
    assert_eq!(error.details.as_ref().unwrap()["cause"]["code"], "HTTP_503", "{error:?}");
    let expected = [
        ("lock", Success),
        ("price", Error),
        ("publish", NotReached),
        ("tell", NotReached),
        ("summary", NotReached),
        ("price.second", Error),
        ("alarm", Success),
        ("unlock", Success),
    ];
    assert_eq!(run.statuses(), expected);
    let expected = ["POST /lock", "GET /price/first", "GET /price/first", "GET /price/second", "POST /alarm", "DELETE /lock"];
    assert_eq!(services.lines(), expected);
    assert_eq!(services.asked_for("POST /alarm")[0].json(), json!({"product": "kb-87", "step": "price.second", "code": "HTTP_500"}));
    assert_eq!(unlocked_as(&services), "error");
}
