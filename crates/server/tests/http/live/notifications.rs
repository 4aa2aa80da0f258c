//! Notifications reach their person's readers as they come, once each, and go on after a cut.

use mainspring_model::id::{MessageId, OrgId, Owner, UserId};
use mainspring_model::store::NotificationRecord;
use serde_json::{Value, json};
use uuid::Uuid;

use super::client::Serving;
use super::stream::Stream;

const COLLEAGUE: Owner = Owner { org: OrgId::LOCAL, user: UserId(Uuid::from_u128(77)) };

/// Puts one where the outbox would, and rings as it does.
async fn put(serving: &Serving, owner: Owner, n: u128) {
    let new = NotificationRecord {
        id: MessageId(Uuid::from_u128(n)),
        owner,
        event: "run.failed".to_owned(),
        title: format!("the {n}th"),
        text: "it failed".to_owned(),
        data: json!({"plan_name": "Nightly"}),
        // Of an event long before it was told.
        created_at: 1_000 - i64::try_from(n).unwrap(),
        read_at: None,
    };
    serving.world.app.store.put_notification(&new).await.unwrap();
    serving.world.app.live.plans_changed(owner.org);
}

fn title(frame: &Value) -> &str {
    assert_eq!((&frame["topic"], &frame["event"]["type"]), (&json!("notifications"), &json!("notification")), "{frame}");
    frame["event"]["notification"]["title"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_persons_notifications_come_once_each_and_after_a_cut() {
    let serving = Serving::dev().await;
    put(&serving, Owner::LOCAL, 1).await;
    let mut socket = serving.socket().await;
    assert_eq!(socket.subscribe("notifications", None).await["type"], "subscribed");
    put(&serving, COLLEAGUE, 2).await;
    put(&serving, Owner::LOCAL, 3).await;
    let third = socket.next().await;
    assert_eq!(title(&third), "the 3th");
    assert_eq!(third["event"]["notification"]["data"]["plan_name"], "Nightly");
    let place = third["id"].as_str().unwrap().to_owned();
    drop(socket);
    put(&serving, Owner::LOCAL, 4).await;
    put(&serving, Owner::LOCAL, 5).await;
    let mut socket = serving.socket().await;
    socket.subscribe("notifications", Some(&place)).await;
    let mut missed = [socket.next().await, socket.next().await];
    missed.sort_by_key(|frame| title(frame).to_owned());
    assert_eq!(missed.iter().map(title).collect::<Vec<_>>(), ["the 4th", "the 5th"]);
    // What is read meanwhile makes no old one new.
    serving.world.post("/api/notifications/read-all", json!({})).await;
    put(&serving, Owner::LOCAL, 6).await;
    assert_eq!(title(&socket.next().await), "the 6th");
    // As server-sent events too.
    let mut stream = Stream::open(&serving.world, "notifications,runs", None).await;
    put(&serving, Owner::LOCAL, 7).await;
    let (place, name, seventh) = stream.next().await.unwrap();
    assert_eq!((name.as_str(), title(&seventh)), ("notification", "the 7th"));
    drop(stream);
    put(&serving, Owner::LOCAL, 8).await;
    let mut stream = Stream::open(&serving.world, "notifications,runs", Some(&place)).await;
    assert_eq!(title(&stream.next().await.unwrap().2), "the 8th");
}
