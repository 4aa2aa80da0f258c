//! One budget over many nodes: shared by a Redis, and each node's own again when that dies.

use std::time::Duration;

use serde_json::{Value, json};

use super::database::Database;
use super::node::{Node, now};
use super::redis::Redis;

/// By the hour, so that next to nothing comes back while the test goes on.
const LIMIT: usize = 30;

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let began = now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(30), "{what}");
    }
}

fn redis_is(node: &Node, state: &str) -> bool {
    node.ask("GET", "/health/readiness", &Value::Null).1["checks"]["redis"] == json!(state)
}

/// How many of `count` requests a node lets in.
fn let_in(node: &Node, count: usize) -> usize {
    (0..count).filter(|_| node.ask("GET", "/api/providers", &Value::Null).0 == 200).count()
}

#[test]
fn nodes_share_one_budget_by_redis_and_go_on_alone_without() {
    let Some(mut redis) = Redis::start() else { return };
    let database = Database::make();
    let (url, limit) = (redis.url(), LIMIT.to_string());
    let env = [("REDIS_URL", url.as_str()), ("RATE_LIMIT_PER_HOUR", &limit)];
    let (one, two) = (Node::start_in(&database, "all", &[], &env), Node::start_in(&database, "all", &[], &env));
    let connected = |redis: &Redis| redis.say(&["client", "list"]).lines().filter(|line| line.contains("cmd=publish")).count() == 2;
    wait_for("the nodes do not find their Redis", || redis_is(&one, "ok") && redis_is(&two, "ok") && connected(&redis));

    let (by_one, by_two) = (let_in(&one, 10), let_in(&two, 100));
    assert_eq!(by_one, 10);
    assert!((LIMIT..=LIMIT + 1).contains(&(by_one + by_two)), "together they let in {by_one} and {by_two}");
    assert_eq!(let_in(&one, 20), 0, "what the other let in counts here");
    assert_eq!(redis.say(&["keys", "*"]), "mainspring:limit:address:127.0.0.1");
    let lasts: i64 = redis.say(&["pttl", "mainspring:limit:address:127.0.0.1"]).parse().unwrap();
    assert!((1..=3_600_000).contains(&lasts), "{lasts}");
    // As full as the limit and no fuller, a request weighing as much as the hour has milliseconds.
    let used: i64 = redis.say(&["hget", "mainspring:limit:address:127.0.0.1", "2"]).parse().unwrap();
    assert!((LIMIT as i64 - 1) * 3_600_000 < used && used <= LIMIT as i64 * 3_600_000, "{used}");

    redis.kill();
    wait_for("readiness does not tell that Redis is away", || redis_is(&one, "degraded") && redis_is(&two, "degraded"));
    assert_eq!(one.ask("GET", "/health/readiness", &Value::Null).0, 200);
    // Each has what it did not let in itself, and no more.
    let alone = let_in(&one, 50);
    assert!((LIMIT - by_one..=LIMIT - by_one + 1).contains(&alone), "alone the first lets in {alone}");
    let alone = let_in(&two, 50);
    assert!((LIMIT - by_two..=LIMIT - by_two + 1).contains(&alone), "alone the second lets in {alone}");

    // An empty Redis gives back no more than each node's own count has left, which is nothing.
    redis.again();
    wait_for("the nodes do not come back to Redis", || redis_is(&one, "ok") && redis_is(&two, "ok") && connected(&redis));
    assert!(let_in(&one, 20) + let_in(&two, 20) <= 2);
    assert_eq!((one.stop(), two.stop()), (0, 0));
}

#[test]
fn a_redis_that_hangs_is_waited_for_no_longer_than_a_moment() {
    let Some(redis) = Redis::start() else { return };
    let database = Database::make();
    let url = redis.url();
    let node = Node::start_in(&database, "all", &[], &[("REDIS_URL", url.as_str()), ("RATE_LIMIT_PER_HOUR", "1000")]);
    wait_for("the node does not find its Redis", || redis_is(&node, "ok") && redis.say(&["client", "list"]).contains("cmd=publish"));
    assert_eq!(let_in(&node, 3), 3);
    assert_eq!(redis.say(&["exists", "mainspring:limit:address:127.0.0.1"]), "1");
    redis.send("STOP");
    let began = now();
    assert_eq!(let_in(&node, 10), 10, "it goes on by its own count");
    let took = began.elapsed();
    redis.send("CONT");
    println!("ten requests took {took:?} while Redis stood still");
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(node.stop(), 0);
}
