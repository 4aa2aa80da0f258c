//! `new-articles.yaml`: only what is new, and again after a run that failed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mainspring_model::id::Owner;
use mainspring_model::run::RunStatus;
use mainspring_model::wait::event_topic;
use serde_json::{Value, json};

use super::world::World;
use crate::servers::{Server, json as answer};

pub const PLAN: &str = "new-articles.yaml";

#[tokio::test]
async fn each_article_is_told_of_once() {
    let world = World::open().await;
    let newest = Arc::new(AtomicU64::new(2));
    let there = newest.clone();
    let feed = Server::start(move |_| {
        let articles = (1..=there.load(Ordering::SeqCst)).map(|id| json!({"id": id, "title": format!("Article {id}")}));
        answer(200, &articles.collect::<Value>())
    })
    .await;
    let plan = world.save(PLAN).await;
    let inputs = json!({"feed": feed.url("/articles")});
    assert_eq!(world.run(&plan, inputs.clone()).await.output(), &json!({"new": 2}));
    assert_eq!(world.run(&plan, inputs.clone()).await.output(), &json!({"new": 0}));
    newest.store(3, Ordering::SeqCst);
    let run = world.run(&plan, inputs).await;
    assert_eq!(run.step("new").output, json!([{"id": 3, "title": "Article 3"}]));
    assert_eq!(run.step("new").message, "1 of 3 are new");
    let told = world.app.store.signals(Owner::LOCAL.org, &event_topic("article.found"), 0, None, 9).await.unwrap();
    assert_eq!(told.iter().map(|signal| signal.data["id"].clone()).collect::<Vec<_>>(), [1, 2, 3]);
}

#[tokio::test]
async fn what_a_failed_run_saw_is_still_new() {
    let world = World::open().await;
    let feed = Server::start(|_| answer(200, &json!([{"id": 1, "title": "One"}, {"id": 2}]))).await;
    let plan = world.save(PLAN).await;
    for _ in 0..2 {
        let run = world.run(&plan, json!({"feed": feed.url("/articles")})).await;
        assert_eq!(run.ending.status, RunStatus::Error, "the second article has no title");
        assert_eq!(run.step("new").message, "2 of 2 are new");
    }
}
