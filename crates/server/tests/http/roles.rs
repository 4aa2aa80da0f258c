//! Roles at the door: each may call what the table gives it, and nothing else.

use axum::body::Body;
use http::Method;
use mainspring_model::id::{Owner, UserId};
use mainspring_model::role::Role;
use serde_json::{Value, json};

use super::world::{Answer, World, ask, doubling};

async fn send(world: &World, key: &str, method: Method, path: &str, body: Option<&Value>) -> Answer {
    let mut request = ask(method, path).header("authorization", format!("Bearer {key}"));
    if body.is_some() {
        request = request.header("content-type", "application/json");
    }
    world.send(request.body(body.map_or_else(Body::empty, |body| Body::from(body.to_string()))).unwrap()).await
}

#[tokio::test]
async fn a_role_opens_what_the_table_gives_it() {
    let world = World::keyed().await;
    let (founder, owner) = world.key().await;
    let plan =
        send(&world, &owner, Method::POST, "/api/plans", Some(&doubling("Ours"))).await.body["plan"]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/plans/{plan}");
    for role in Role::ALL {
        let person = Owner { org: founder.org, user: UserId(world.app.engine.new_id()) };
        world.joins(person, role).await;
        let key = world.key_of(person, None).await;
        let allowed = |status: u16, least: Role, answer: Answer| {
            let expected = if role >= least { (status, Value::Null) } else { (403, json!("PERMISSION_DENIED")) };
            let code = if answer.status == 403 { answer.body["code"].clone() } else { Value::Null };
            assert_eq!((answer.status.as_u16(), code), expected, "{role}: {}", answer.text);
        };
        allowed(200, Role::Viewer, send(&world, &key, Method::GET, &path, None).await);
        let run = json!({"plan_id": plan, "inputs": {"n": 1}});
        allowed(200, Role::Member, send(&world, &key, Method::POST, "/api/execute", Some(&run)).await);
        let made = send(&world, &key, Method::POST, "/api/plans", Some(&doubling("Theirs"))).await;
        let theirs = made.body["plan"]["id"].as_str().unwrap_or("00000000-0000-7000-8000-00000000000a").to_owned();
        allowed(201, Role::Member, made);
        allowed(204, Role::Admin, send(&world, &key, Method::DELETE, &format!("/api/plans/{theirs}"), None).await);
    }
}

#[tokio::test]
async fn who_is_disabled_or_was_removed_is_a_stranger() {
    let world = World::keyed().await;
    let (founder, _) = world.key().await;
    let person = Owner { org: founder.org, user: UserId(world.app.engine.new_id()) };
    world.joins(person, Role::Admin).await;
    world.app.store.delete_member(person.org, person.user).await.unwrap();
    let removed = world.key_of(person, None).await;
    assert_eq!(send(&world, &removed, Method::GET, "/api/plans", None).await.status, 401);
    world.joins(person, Role::Admin).await;
    let mut user = world.app.store.user(person.user).await.unwrap().unwrap();
    user.disabled_at = Some(1);
    world.app.store.put_user(&user).await.unwrap();
    let disabled = world.key_of(person, None).await;
    assert_eq!(send(&world, &disabled, Method::GET, "/api/plans", None).await.status, 401);
}
