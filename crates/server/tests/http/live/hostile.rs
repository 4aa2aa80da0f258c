//! Readers that misbehave: they are told, then closed, and cost nobody else anything.

use futures_util::SinkExt;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::client::{Serving, Socket};
use crate::http::world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_messages_are_answered_or_closed_by_their_codes() {
    let serving = Serving::dev().await;
    let mut socket = serving.socket().await;
    for text in ["{", "null", "[]", "\u{0}", "{\"op\":\"drop\"}", "{\"op\":\"subscribe\"}", "{\"op\":\"subscribe\",\"topic\":7}"] {
        socket.0.send(Message::text(text)).await.unwrap();
        assert_eq!(socket.next().await["code"], "INVALID_REQUEST", "{text}");
    }
    assert_eq!(socket.subscribe("everything", None).await["code"], "UNKNOWN_TOPIC");
    assert_eq!(socket.subscribe("runs", Some("yesterday")).await["code"], "INVALID_REQUEST");
    assert_eq!(socket.subscribe("runs", None).await["type"], "subscribed", "the connection still works");
    socket.0.send(Message::binary(vec![0; 16])).await.unwrap();
    assert_eq!(socket.next().await, json!({"closed": 1003}));

    let mut socket = serving.socket().await;
    socket.0.send(Message::text("x".repeat(100_000))).await.unwrap();
    // What it sent beyond that can overtake the word about it.
    let closed = socket.next().await["closed"].take();
    assert!(closed == 1002 || closed == 0, "too large to be read: {closed}");

    let mut socket = serving.socket().await;
    for _ in 0..30 {
        drop(socket.0.send(Message::text("?")).await);
    }
    let mut errors = 0;
    let closed = loop {
        let frame = socket.next().await;
        match frame.get("closed") {
            Some(code) => break code.clone(),
            None => errors += 1,
        }
    };
    assert!(errors <= 20 && (closed == 1008 || closed == 0), "{errors} {closed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_subscriptions_are_a_hundred() {
    let serving = Serving::dev().await;
    let plan = serving.world.plan(json!({"name": "One", "steps": [{"action": "logic.set"}]})).await;
    let mut runs = Vec::new();
    for _ in 0..101 {
        runs.push(serving.start(&plan, true).await);
    }
    let mut socket = serving.socket().await;
    // Runs that have ended leave by themselves, so those that stay are counted: the lists.
    for _ in 0..10_000 / 4 {
        for topic in ["runs", "notices", "schedules", &format!("plan:{plan}")] {
            socket.say(json!({"op": "subscribe", "topic": topic})).await;
            assert_eq!(socket.next().await["type"], "subscribed");
        }
    }
    // Subscribed again they are the same: one event comes once.
    serving.start(&plan, true).await;
    socket.until("run.finished").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_and_readers_are_bounded() {
    let mut settings = World::settings();
    settings.dev = true;
    (settings.live.most_topics, settings.live.most_readers) = (2, 3);
    let serving = Serving::of(World::with(settings).await).await;
    let mut sockets = Vec::new();
    for _ in 0..3 {
        sockets.push(serving.socket().await);
    }
    assert!(Socket::open(serving.address, &[]).await.is_err(), "a fourth reader");
    assert_eq!(serving.world.get("/api/live?topics=runs").await.body["code"], "TOO_MANY_READERS");
    for topic in ["runs", "notices"] {
        assert_eq!(sockets[0].subscribe(topic, None).await["type"], "subscribed");
    }
    assert_eq!(sockets[0].subscribe("schedules", None).await["code"], "TOO_MANY_TOPICS");
    sockets[0].say(json!({"op": "unsubscribe", "topic": "runs"})).await;
    assert_eq!(sockets[0].next().await["type"], "unsubscribed");
    assert_eq!(sockets[0].subscribe("schedules", None).await["type"], "subscribed");
    // A place is free again once a reader has gone.
    sockets.pop().unwrap().0.close(None).await.unwrap();
    while Socket::open(serving.address, &[]).await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_takes_nothing_is_dropped_and_holds_nobody_up() {
    let mut settings = World::settings();
    settings.dev = true;
    settings.live.patience = 300;
    let serving = Serving::narrow(World::with(settings).await.driving().await);
    let each: Vec<usize> = (0..2_000).collect();
    let plan = json!({"name": "Many", "steps": [{"id": "each", "for_each": each, "steps": [{"id": "n", "action": "logic.set"}]}]});
    let many = serving.start(&serving.world.plan(plan).await, true).await;
    let one = serving.world.plan(json!({"name": "One", "steps": [{"action": "logic.set"}]})).await;
    let mut quick = serving.socket().await;
    quick.subscribe("runs", None).await;
    // Its machine takes a few events and no more; it reads none.
    let mut slow = Socket::open_narrow(serving.address).await;
    slow.say(json!({"op": "subscribe", "topic": format!("run:{many}")})).await;
    while serving.world.app.live.readers() > 1 {
        serving.start(&one, true).await;
        quick.until("run.finished").await;
    }
    assert_eq!(slow.until_closed().await, json!({"closed": 0}), "dropped in the middle of its events");
}
