//! `new-releases.yaml`: what is there at first starts nothing, each release after that one run.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mainspring_model::id::Owner;
use mainspring_model::store::{Paging, RunFilter};
use serde_json::{Value, json};

use super::world::World;
use crate::servers::{self, Server};

pub const PLAN: &str = "new-releases.yaml";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_new_release_is_told_of_once() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let service = Server::start(move |_| {
        let release = |id: u32, name: &str, early: bool| json!({"id": id, "name": name, "tag_name": name, "prerelease": early, "html_url": format!("https://x.example/{id}")});
        let list: Vec<Value> = match counted.fetch_add(1, Ordering::Relaxed) {
            0 => vec![release(1, "v1", false)],
            1 => return servers::json(500, &json!({"error": "away"})),
            _ => vec![release(4, "v4-rc", true), release(1, "v1", false), release(3, "v3", false), release(2, "v2", false)],
        };
        servers::json(200, &json!(list))
    })
    .await;
    let world = World::open().await;
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../plans/new-releases.yaml")).unwrap();
    let place = "https://api.github.com/repos/rust-lang/rust/releases?per_page=50";
    assert!(text.contains(place));
    let plan = world.save_text("new-releases", &text.replace(place, &service.url("/releases"))).await;
    let (store, org) = (&world.app.store, Owner::LOCAL.org);
    let scheduled = async || store.list_schedules(org).await.unwrap().into_iter().find(|schedule| schedule.plan == plan.id).unwrap();
    for look in 0..4_u32 {
        // Whenever it is due: the next time is brought here, as if it had passed.
        let schedule = scheduled().await;
        let due = schedule.next_due.unwrap();
        assert_eq!(due > world.app.clock.now(), look > 0, "the first look is at once");
        assert!(store.skip_slots(schedule.id, due, None, Some(world.app.clock.now())).await.unwrap());
        world.app.engine.fire_due().await.unwrap();
        // It looks beside the schedules, and says when it is done.
        let began = world.app.clock.now();
        while scheduled().await.last_due == schedule.last_due {
            assert!(world.app.clock.now() < began + 60_000, "look {look} has no end");
            tokio::task::yield_now().await;
        }
        let standing = store.trigger_standings(org).await.unwrap().remove(0).2;
        let failed = look == 1;
        assert_eq!((standing.failures, standing.error.is_some()), (u32::from(failed), failed), "{standing:?}");
        if let Some(error) = standing.error {
            assert_eq!(error["code"], json!("HTTP_500"));
        }
    }
    world.app.engine.idle().await;
    let filter = RunFilter { plan: Some(plan.id), ..RunFilter::default() };
    let runs = store.list_runs(org, &filter, &Paging { limit: 9, cursor: None }).await.unwrap().items;
    let mut outputs: Vec<_> = runs.iter().map(|run| run.output.clone().unwrap_or_default()).collect();
    outputs.sort_by_key(ToString::to_string);
    assert_eq!(outputs, [json!("v2: https://x.example/2"), json!("v3: https://x.example/3")]);
    assert_eq!(asked.load(Ordering::Relaxed), 4);
}
