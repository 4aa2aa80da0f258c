//! S13: whoever rotates what it writes about its address gets no more than one budget, from one node or from two with a Redis.

use std::time::Duration;

use hyper::Request;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::clock::now;
use crate::postgres::database::Database;
use crate::postgres::node::Node;
use crate::postgres::redis::Redis;

const LIMIT: usize = 50;
const REQUESTS: usize = 1_000;

/// How many of many requests over the nodes in turn are let in; `headers` of each by its number.
async fn let_in(nodes: &[&Node], headers: impl Fn(usize) -> Vec<(&'static str, String)>) -> usize {
    let mut connections = Vec::new();
    for node in nodes {
        let stream = TcpStream::connect(node.url.trim_start_matches("http://")).await.unwrap();
        let (connection, driver) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(driver);
        connections.push(connection);
    }
    let mut allowed = 0;
    for n in 0..REQUESTS {
        let connection = &mut connections[n % nodes.len()];
        connection.ready().await.unwrap();
        let mut request = Request::get("/api/providers").header("host", "localhost");
        for (name, value) in headers(n) {
            request = request.header(name, value);
        }
        let answer = connection.send_request(request.body(String::new()).unwrap()).await.unwrap();
        match answer.status().as_u16() {
            200 => allowed += 1,
            429 => {}
            other => panic!("{other}"),
        }
        drop(http_body_util::BodyExt::collect(answer.into_body()).await);
    }
    allowed
}

fn forged(n: usize) -> String {
    format!("198.51.{}.{}", n / 250, n % 250)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotating_headers_get_one_budget_over_two_nodes() {
    let Some(redis) = Redis::start() else { return };
    let database = Database::make();
    let (url, limit) = (redis.url(), LIMIT.to_string());
    let env = [("REDIS_URL", url.as_str()), ("RATE_LIMIT_PER_HOUR", &limit), ("MAINSPRING_TRUSTED_PROXIES", "127.0.0.0/8")];
    let (one, two) = (Node::start_in(&database, "all", &[], &env), Node::start_in(&database, "all", &[], &env));
    let began = now();
    let connected = |node: &Node| node.ask("GET", "/health/readiness", &Value::Null).1["checks"]["redis"] == json!("ok");
    while !(connected(&one) && connected(&two)) || redis.say(&["client", "list"]).matches("cmd=publish").count() != 2 {
        assert!(began.elapsed() < Duration::from_secs(30), "the nodes do not find their Redis");
    }
    let both = [&one, &two];
    // The proxy is trusted, and appends what it saw to whatever the caller wrote.
    let left = let_in(&both, |n| vec![("x-forwarded-for", format!("{}, 203.0.113.7", forged(n)))]).await;
    let network = let_in(&both, |n| vec![("x-forwarded-for", format!("2001:db8:1:2:{n:x}::{n:x}"))]).await;
    let others = let_in(&both, |n| {
        let element = format!("for={}", forged(n));
        vec![("x-forwarded-for", "203.0.113.9".to_owned()), ("x-real-ip", forged(n)), ("forwarded", element)]
    })
    .await;
    let alone = let_in(&[&one], |n| vec![("x-forwarded-for", format!("{}, 203.0.113.11", forged(n)))]).await;
    println!(
        "S13: of {REQUESTS} requests each: {left} left of the proxy's word, {network} of one IPv6 network, {others} by other headers, {alone} at one node"
    );
    for allowed in [left, network, others, alone] {
        assert!((LIMIT..=LIMIT + 1).contains(&allowed), "{allowed} were let in");
    }
    // A neighbour is not refused for it.
    assert_eq!(one.ask("GET", "/api/health", &Value::Null).0, 200);
    assert_eq!((one.stop(), two.stop()), (0, 0));
}
