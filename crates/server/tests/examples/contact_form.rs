//! `contact-form.yaml`: its inputs are a form, and its run finds the desk for the topic.

use mainspring_model::form::{Widget, fields};
use mainspring_model::plan::trigger::TriggerKind;
use serde_json::json;

use super::world::World;

pub const PLAN: &str = "contact-form.yaml";

#[tokio::test]
async fn its_fields_are_those_of_the_page_and_the_desk_is_found() {
    let world = World::open().await;
    let plan = world.save(PLAN).await;
    let loaded = &plan;
    assert!(matches!(&loaded.plan.triggers[0].kind, TriggerKind::Form(form) if form.path == "contact"));
    let found = fields(&loaded.plan.inputs);
    let labels: Vec<&str> = found.iter().map(|field| field.label.as_str()).collect();
    assert_eq!(labels, ["Your name", "Your e-mail address", "Topic", "It is urgent", "Your message"]);
    assert_eq!(found[4].widget, Widget::Text { most: Some(4_000) });
    let inputs = json!({"name": "Ada", "email": "ada@example.com", "topic": "press", "urgent": true, "text": "Hello"});
    let run = world.run(&plan, inputs).await;
    assert_eq!(*run.output(), json!("press@example.com"));
    assert_eq!(run.step("desk").output["subject"], json!("URGENT: press: Ada <ada@example.com>"));
}
