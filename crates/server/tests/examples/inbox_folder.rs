//! `inbox-folder.yaml`: it watches the folder that it names, and adds up the orders of a file.

use mainspring_model::file::{Files, NewFile};
use mainspring_model::id::Owner;
use mainspring_model::plan::trigger::TriggerKind;
use serde_json::json;

use super::world::World;

pub const PLAN: &str = "inbox-folder.yaml";

#[tokio::test]
async fn the_orders_of_a_file_are_added_up() {
    let world = World::open().await;
    let plan = world.save(PLAN).await;
    let TriggerKind::Folder(folder) = &plan.plan.triggers[0].kind else { panic!("{:?}", plan.plan.triggers) };
    assert_eq!((folder.path.as_str(), folder.pattern.as_str(), folder.created, folder.modified), ("/srv/inbox", "*.csv", true, false));
    let new = NewFile { name: "orders.csv".to_owned(), ..NewFile::default() };
    let mut writer = world.app.engine.files(Owner::LOCAL).create(new).await.unwrap();
    writer.write(b"id,cents\n1,500\n2,700\n").await.unwrap();
    let file = writer.finish().await.unwrap();
    let run = world.run(&plan, json!({"file": file, "name": "orders.csv"})).await;
    assert_eq!(run.output(), &json!({"name": "orders.csv", "orders": 2, "cents": 1_200}));
}
