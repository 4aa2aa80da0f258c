//! The end of an account over HTTP: what is in its way, what is said before, and that nothing of it works after.

use http::Method;
use mainspring_model::id::OrgId;
use mainspring_model::role::Role;
use mainspring_model::store::{AuditFilter, Erasure, MemberRecord, Paging};
use serde_json::json;

use super::people::{self, MINUTE, PASSWORD, log_in, me, post, register, tokens, with};

const PATH: &str = "/api/auth/delete-account";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_goes_with_what_is_its_own() {
    let (world, clock) = people::world().await;
    register(&world, "Ada@Example.org").await;
    register(&world, "bob@example.org").await;
    let (ada, _) = tokens(&world, "ada@example.org").await;
    let (bob, _) = tokens(&world, "bob@example.org").await;
    let id_of = async |token: &str| me(&world, token).await.body["id"].as_str().unwrap().parse().unwrap();
    let (adas, bobs) = (id_of(&ada).await, id_of(&bob).await);
    // Her own organization, with a key and a plan; and one of Bob's, where she is too.
    let key = post(&world, "/api/auth/api-keys", &ada, json!({"name": "ci"})).await;
    let key = key.body["key"].as_str().unwrap_or_else(|| panic!("{}", key.text)).to_owned();
    assert_eq!(me(&world, &key).await.status, 200);
    let shared = post(&world, "/api/organizations", &bob, json!({"name": "North Wind"})).await;
    let org: OrgId = shared.body["organization"]["id"].as_str().unwrap().parse().unwrap();
    let member = MemberRecord { org, user: adas, role: Role::Owner, created_at: 1 };
    world.app.store.put_member(&member).await.unwrap();
    world.app.store.change_role(org, bobs, Role::Admin).await.unwrap();

    let right = json!({"confirm": "ADA@example.org", "password": PASSWORD, "delete_organizations": ["ada"]});
    let refused = post(&world, PATH, &ada, right.clone()).await;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (409, &json!("CONFLICT")));
    assert!(refused.body["detail"].as_str().unwrap().contains("only owner of North Wind (north-wind)"), "{}", refused.text);
    world.app.store.change_role(org, bobs, Role::Owner).await.unwrap();

    for (body, code, said) in [
        (json!({"password": PASSWORD}), "CONFIRMATION_MISSING", "cannot be undone"),
        (json!({"confirm": "bob@example.org", "password": PASSWORD}), "CONFIRMATION_MISSING", "everything in them: ada"),
        (json!({"confirm": "ada@example.org", "password": PASSWORD}), "CONFIRMATION_MISSING", "write its slug ada"),
        (json!({"confirm": "ada@example.org", "delete_organizations": ["ada"]}), "MISSING_FIELD", "password"),
    ] {
        let answer = post(&world, PATH, &ada, body).await;
        assert_eq!((answer.status.as_u16(), &answer.body["errors"][0]["code"]), (422, &json!(code)), "{}", answer.text);
        assert!(answer.text.contains(said), "{}", answer.text);
    }
    let wrong =
        post(&world, PATH, &ada, json!({"confirm": "ada@example.org", "password": "another", "delete_organizations": ["ada"]})).await;
    assert_eq!((wrong.status.as_u16(), &wrong.body["code"]), (401, &json!("WRONG_CREDENTIALS")));
    assert_eq!(post(&world, PATH, &key, right.clone()).await.body["code"], "SESSION_NEEDED", "a key is not its person");
    assert_eq!(me(&world, &ada).await.status, 200, "nothing was done so far");

    let done = post(&world, PATH, &ada, right).await;
    assert_eq!(done.status, 200, "{}", done.text);
    assert_eq!((&done.body["left"][0]["slug"], &done.body["deleted"][0]["slug"]), (&json!("north-wind"), &json!("ada")));
    assert_eq!((me(&world, &ada).await.status.as_u16(), me(&world, &key).await.status.as_u16()), (401, 401));
    assert_eq!(log_in(&world, "ada@example.org", PASSWORD).await.body["code"], "WRONG_CREDENTIALS");
    assert!(world.app.store.user(adas).await.unwrap().is_none());
    let members = world.app.store.list_members(org).await.unwrap();
    assert_eq!(members.iter().map(|member| member.user).collect::<Vec<_>>(), [bobs]);
    // Her organization goes without waiting for the grace.
    let gone: OrgId = done.body["deleted"][0]["id"].as_str().unwrap().parse().unwrap();
    while world.app.store.erase(gone, 100).await.unwrap() != Erasure::Gone {}
    assert!(world.app.store.organization(gone).await.unwrap().is_none());
    let filter = AuditFilter { action: Some("delete_account".to_owned()), ..AuditFilter::default() };
    for org in [org, OrgId::INSTALLATION] {
        let found = world.app.store.list_audit(org, &filter, &Paging { limit: 9, cursor: None }).await.unwrap().items;
        assert_eq!((found.len(), found[0].user), (1, Some(adas)), "an id that leads nowhere");
        assert!(!format!("{found:?}").to_lowercase().contains("ada@example"), "{found:?}");
    }
    clock.advance_to(people::START + MINUTE);
    register(&world, "ada@example.org").await;
}

#[tokio::test]
async fn the_last_operator_stays() {
    let (world, _) = people::world().await;
    let (owner, _) = tokens(&world, "owner@example.org").await;
    let refused = post(&world, PATH, &owner, json!({"confirm": "owner@example.org", "password": PASSWORD})).await;
    assert_eq!(refused.status, 409);
    let detail = refused.body["detail"].as_str().unwrap();
    assert!(detail.contains("installation's own organization") && detail.contains("only one who administers"), "{detail}");
    assert_eq!(world.send(with(Method::GET, "/api/auth/me", &owner, None)).await.status, 200);
}
