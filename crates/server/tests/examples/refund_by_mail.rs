//! `refund-by-mail.yaml`: a question that leaves as a mail, once, and the decision of whoever it went to.

use mainspring_model::clock::{Clock, FakeClock};
use mainspring_model::id::Owner;
use mainspring_model::wait::approval_topic;
use serde_json::json;

use super::world::World;

pub const PLAN: &str = "refund-by-mail.yaml";

#[tokio::test]
async fn the_desk_is_asked_by_mail_and_decides_how_much() {
    let clock = FakeClock::at(1_795_000_000_000);
    let world = World::at(clock.clone()).await;
    let plan = world.save(PLAN).await;
    let handle = world.start(&plan, json!({"customer": "Ada", "cents": 12_000, "desk": "desk@example.com"})).await;
    world.app.engine.idle().await;
    let org = Owner::LOCAL.org;
    let open = world.app.store.list_waits(org, &approval_topic(""), 9).await.unwrap();
    assert_eq!(open[0].detail["asked"], json!(["desk@example.com"]));
    assert!(open[0].detail["message"].as_str().unwrap().starts_with("Ada asks for a refund of 12000 cents.\n"));
    let mails = world.app.engine.mails_of(org, handle.id, &open[0].topic, &open[0].detail).await.unwrap();
    assert_eq!(mails, [json!({"to": "desk@example.com", "state": "waiting", "attempts": 0, "reason": null})]);
    assert_eq!(world.app.store.next_message().await.unwrap(), Some(clock.now()));
    let answer = json!({"approved": true, "by": "desk@example.com", "comment": "", "form": {"cents": 9_000}});
    world.app.engine.answer(org, &open[0].topic, answer).await.unwrap();
    assert_eq!(world.app.engine.claim_once().await.unwrap(), 1);
    world.app.engine.idle().await;
    let run = world.ended(handle.id).await;
    assert_eq!(run.output(), &json!({"customer": "Ada", "cents": 9_000, "decided_by": "desk@example.com"}));
}
