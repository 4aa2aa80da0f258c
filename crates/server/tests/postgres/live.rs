//! Live updates of runs on other nodes: the same with a Redis, without one, and while it dies, comes back and is wiped.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::database::Database;
use super::node::{Node, now};
use super::redis::Redis;
use crate::http::live::client::{Socket, kinds, seqs};

/// A node that answers callers and one that drives; the run is never on the first.
struct Pair {
    api: Node,
    worker: Node,
    plan: String,
}

impl Pair {
    fn start(database: &Database, env: &[(&str, &str)]) -> Pair {
        let (api, worker) = (Node::start_in(database, "api", &[], env), Node::start_in(database, "worker,scheduler", &[], env));
        let steps = json!([
            {"id": "a", "action": "logic.set"},
            {"id": "each", "for_each": [1, 2, 3], "steps": [{"id": "n", "action": "logic.set", "params": {"n": "${item}"}}]},
            {"id": "b", "action": "logic.fail", "params": {"code": "USER_STOP", "message": "no"}}]);
        let plan = api.plan(&json!({"name": "Elsewhere", "steps": steps}));
        Pair { api, worker, plan }
    }

    fn begin(&self) -> String {
        let (status, answer) = self.api.ask("POST", "/api/execute", &json!({"plan_id": self.plan, "wait": false}));
        // It may be over already.
        assert!(status == 202 || status == 200, "{answer}");
        answer["execution"]["id"].as_str().unwrap().to_owned()
    }

    /// What two readers are told of one run: the list's events, the run's positions, and how long its end took to come.
    async fn told(&self, list: &mut Socket) -> (Vec<String>, Vec<u64>, Duration) {
        let began: Instant = now();
        let run = self.begin();
        let frames = list.until("run.finished").await;
        let took = began.elapsed();
        let of_run = frames.iter().filter(|frame| frame["event"]["run"]["id"] == json!(run)).cloned().collect::<Vec<Value>>();
        // Being queued is a state that may be over before anybody looks.
        let promised = kinds(&of_run).into_iter().filter(|kind| *kind != "run.queued").map(str::to_owned).collect();
        let mut one = self.socket().await;
        one.subscribe(&format!("run:{run}"), None).await;
        (promised, seqs(&one.until("end").await), took)
    }

    async fn socket(&self) -> Socket {
        Socket::open(self.api.url.strip_prefix("http://").unwrap().parse().unwrap(), &[]).await.unwrap()
    }

    fn redis(&self) -> Value {
        self.api.ask("GET", "/health/readiness", &Value::Null).1["checks"]["redis"].take()
    }

    fn redis_is(&self, wanted: &Value) {
        let began = now();
        while self.redis() != *wanted {
            assert!(began.elapsed() < Duration::from_secs(20), "redis never was {wanted}: {}", self.redis());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_the_other_nodes_runs_are_told_within_seconds() {
    let database = Database::make();
    let pair = Pair::start(&database, &[]);
    assert_eq!(pair.redis(), Value::Null);
    let mut list = pair.socket().await;
    list.subscribe("runs", None).await;
    let (told, rows, took) = pair.told(&mut list).await;
    assert_eq!(told, ["run.started", "run.finished"]);
    assert!(rows.windows(2).all(|pair| pair[0] < pair[1]) && rows.len() >= 5, "{rows:?}");
    println!("without Redis the end of a run on another node came {took:?} after its start");
    // A run that is followed while another node drives it, cut once.
    let steps = json!([{"id": "w", "action": "logic.sleep", "params": {"for": "1500ms"}}, {"id": "n", "action": "logic.set"}]);
    let slow = pair.api.plan(&json!({"name": "Slow", "steps": steps}));
    let (_, answer) = pair.api.ask("POST", "/api/execute", &json!({"plan_id": slow, "wait": false}));
    let topic = format!("run:{}", answer["execution"]["id"].as_str().unwrap());
    let mut one = pair.socket().await;
    one.subscribe(&topic, None).await;
    let first = seqs(&one.until("step.waiting").await);
    drop(one);
    let mut one = pair.socket().await;
    one.subscribe(&topic, Some(&first.last().unwrap().to_string())).await;
    let rest = seqs(&one.until("end").await);
    let whole: Vec<u64> = first.into_iter().chain(rest).collect();
    let mut sorted = whole.clone();
    sorted.dedup();
    assert!(whole == sorted && whole.is_sorted(), "{whole:?}");
    assert_eq!((pair.api.stop(), pair.worker.stop()), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_makes_it_sooner_and_its_death_only_later() {
    let Some(mut redis) = Redis::start() else { return };
    let database = Database::make();
    let pair = Pair::start(&database, &[("REDIS_URL", &redis.url())]);
    pair.redis_is(&json!("ok"));
    let mut list = pair.socket().await;
    list.subscribe("runs", None).await;
    let mut seen = Vec::new();
    let mut say = |state: &str, (told, rows, took): (Vec<String>, Vec<u64>, Duration)| {
        println!("{state}: the end of a run on another node came {took:?} after its start");
        seen.push((told, rows));
        took
    };
    say("with Redis", pair.told(&mut list).await);
    let quick = say("with Redis, again", pair.told(&mut list).await);
    assert!(quick < Duration::from_secs(4), "word comes before the poll of five seconds: {quick:?}");

    assert_eq!(redis.say(&["flushall"]), "OK");
    say("wiped", pair.told(&mut list).await);
    // Whoever writes there makes nodes look, and no more.
    redis.say(&["publish", "mainspring:live", "rubbish\n00000000-0000-0000-0000-000000000000 x"]);

    redis.kill();
    pair.redis_is(&json!("degraded"));
    let (status, readiness) = pair.api.ask("GET", "/health/readiness", &Value::Null);
    assert_eq!((status, &readiness["status"]), (200, &json!("ready")), "{readiness}");
    say("killed", pair.told(&mut list).await);

    redis.again();
    pair.redis_is(&json!("ok"));
    say("back again", pair.told(&mut list).await);
    assert!(seen.iter().all(|one| *one == seen[0]), "only the time differs: {seen:#?}");
    assert_eq!((pair.api.stop(), pair.worker.stop()), (0, 0));
}

#[test]
fn a_redis_that_is_not_there_keeps_nobody_from_starting() {
    let database = Database::make();
    let node = Node::start_in(&database, "all", &[], &[("REDIS_URL", "redis://127.0.0.1:1/0")]);
    let (status, readiness) = node.ask("GET", "/health/readiness", &Value::Null);
    assert_eq!((status, &readiness["checks"]["redis"]), (200, &json!("degraded")));
    assert_eq!(node.stop(), 0);
}
