//! `signed-link.yaml`: tokens and signatures with a credential's secret, which no run shows.

use mainspring_model::run::RunStatus;
use serde_json::json;

use super::world::World;

pub const PLAN: &str = "signed-link.yaml";

const SECRET: &str = "thirty-two bytes at least, of your own";

#[tokio::test]
async fn a_link_proves_itself() {
    let world = World::open().await;
    world.credential("crypto", &[("secret", SECRET)]).await;
    let plan = world.save(PLAN).await;
    let run = world.run(&plan, json!({"customer": "c/7 ü"})).await;
    let output = run.output();
    let id = output["id"].as_str().unwrap();
    assert_eq!((output["genuine"].clone(), output["path"].clone()), (json!(true), json!("/customers/c%2F7%20%C3%BC")));
    assert_eq!(
        (&output["claims"]["sub"], &output["claims"]["jti"], &output["claims"]["aud"]),
        (&json!("c/7 ü"), &json!(id), &json!("portal"))
    );
    let times = (output["claims"]["iat"].as_i64().unwrap(), output["claims"]["exp"].as_i64().unwrap());
    assert_eq!(times.1 - times.0, 1_800);
    assert!(!format!("{run:?}").contains(SECRET));
    // Another run, another identifier.
    assert_ne!(world.run(&plan, json!({})).await.output()["id"], id);
}

#[tokio::test]
async fn without_a_credential_nothing_is_signed() {
    let world = World::open().await;
    let plan = world.save(PLAN).await;
    let run = world.run(&plan, json!({})).await;
    assert_eq!((run.ending.status, run.ending.error.as_ref().unwrap().code.as_str()), (RunStatus::Error, "MISSING_CREDENTIALS"));
}
