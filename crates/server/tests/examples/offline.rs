//! Small plans that call nobody and turn data into other data: each with what it gives.

use serde_json::{Value, json};

use super::world::World;

pub const CONTACTS: &str = "contacts-cleanup.yaml";
pub const LOG: &str = "log-lines.yaml";
pub const MESSAGE: &str = "sealed-message.yaml";
pub const PAGE: &str = "page-digest.yaml";
pub const SETTINGS: &str = "settings-diff.yaml";
pub const WHO: &str = "who-is-it.yaml";

async fn output(plan: &str) -> Value {
    let world = World::open().await;
    let plan = world.save(plan).await;
    world.run(&plan, Value::Null).await.output().clone()
}

#[tokio::test]
async fn contacts_come_into_our_form() {
    let contacts = json!([{"name": "Ada", "address": "ada@example.com"}]);
    assert_eq!(output(CONTACTS).await, json!({"contacts": contacts, "checked": [true, false, true]}));
}

#[tokio::test]
async fn a_log_becomes_data() {
    let output = output(LOG).await;
    assert_eq!((&output["orders"], &output["lines"]), (&json!(["1041", "1042"]), &json!(2)));
    assert!(!output["hidden"].as_str().unwrap().contains("192.0.2"), "{output}");
}

#[tokio::test]
async fn a_message_comes_back_as_it_went() {
    let output = output(MESSAGE).await;
    assert_eq!((&output["same"], &output["message"]), (&json!(true), &json!({"to": "Zoë", "cents": 1250})));
}

#[tokio::test]
async fn a_page_is_read_by_everybody() {
    let output = output(PAGE).await;
    assert_eq!(output["html"], "<h1>Tom &amp; &lt;Jerry&gt;</h1>");
    for form in ["markdown", "text"] {
        let text = output[form].as_str().unwrap();
        assert!(text.contains("new") && text.contains("trains") && !text.contains("track"), "{text}");
    }
}

#[tokio::test]
async fn own_settings_lie_over_the_delivered_ones() {
    let settings = json!({"mail": {"host": "mail.example.com", "port": 25}, "hosts": "a, b"});
    let own = json!({"mail": {"host": "mail.example.com"}});
    assert_eq!(output(SETTINGS).await, json!({"settings": settings, "own": own, "hosts": ["a", "b"]}));
}

#[tokio::test]
async fn a_misspelt_name_is_found() {
    let output = output(WHO).await;
    assert_eq!((&output["days"], &output["since"]), (&json!(365), &json!("01.03.2025")));
    let alike: Vec<f64> = output["alike"].as_array().unwrap().iter().filter_map(Value::as_f64).collect();
    assert!(alike[0] > 0.8 && alike[1] < 0.5, "{alike:?}");
}
