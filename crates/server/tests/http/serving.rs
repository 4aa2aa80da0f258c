//! The listening loop: real sockets, and a shutdown that loses nothing.

use std::sync::Arc;

use http_body_util::{BodyExt, Empty, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use mainspring_server::http as interface;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::world::World;

struct Serving {
    world: World,
    address: std::net::SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    serving: tokio::task::JoinHandle<()>,
}

async fn serve() -> Serving {
    let world = World::dev().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(interface::serve(Arc::clone(&world.app), listener, async move { drop(stopped.await) }));
    Serving { world, address, stop: Some(stop), serving }
}

async fn connect(address: std::net::SocketAddr) -> SendRequest<Full<bytes::Bytes>> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn post(path: &str, body: &Value) -> hyper::Request<Full<bytes::Bytes>> {
    let request = hyper::Request::post(path).header("host", "localhost").header("content-type", "application/json");
    request.body(Full::from(body.to_string())).unwrap()
}

#[tokio::test]
async fn a_connection_is_kept_and_many_requests_go_over_it() {
    let serving = serve().await;
    let mut sender = connect(serving.address).await;
    for _ in 0..3 {
        let response =
            sender.send_request(post("/api/plans/validate", &json!({"name": "x", "steps": [{"action": "logic.set"}]}))).await.unwrap();
        assert_eq!(response.status(), 200);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["valid"], true);
        sender.ready().await.unwrap();
    }
}

#[tokio::test]
async fn a_request_in_flight_is_answered_before_the_end() {
    let mut serving = serve().await;
    let plan = json!({"name": "Slow", "steps": [{"action": "logic.sleep", "params": {"for": "700ms"}}, {"action": "logic.set", "params": {"done": true}}]});
    let id = serving.world.plan(plan).await;
    let mut sender = connect(serving.address).await;
    let answered = tokio::spawn(async move { sender.send_request(post("/api/execute", &json!({"plan_id": id}))).await });
    // Once the run exists, its request is in flight.
    while serving.world.app.engine.live() == 0 {
        tokio::task::yield_now().await;
    }
    serving.stop.take().unwrap().send(()).unwrap();
    let response = answered.await.unwrap().unwrap();
    assert_eq!(response.status(), 200);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["execution"]["step_outputs"][1], json!({"done": true}));
    serving.serving.await.unwrap();
    assert!(TcpStream::connect(serving.address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn idle_connections_and_streams_do_not_hold_the_end_up() {
    let mut serving = serve().await;
    let plan = json!({"name": "Long", "steps": [{"action": "logic.sleep", "params": {"for": "1h"}}]});
    let id = serving.world.plan(plan).await;
    let run = serving.world.post("/api/execute", json!({"plan_id": id})).await.body["execution"]["id"].as_str().unwrap().to_owned();
    let idle = connect(serving.address).await;
    let stream = TcpStream::connect(serving.address).await.unwrap();
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request =
        hyper::Request::get(format!("/api/runs/{run}/events")).header("host", "localhost").body(Empty::<bytes::Bytes>::new()).unwrap();
    let mut events = sender.send_request(request).await.unwrap().into_body();
    assert!(events.frame().await.is_some());
    serving.stop.take().unwrap().send(()).unwrap();
    serving.serving.await.unwrap();
    drop((idle, events));
}
