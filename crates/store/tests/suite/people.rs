//! Users, organizations and members.

use mainspring_model::hidden::HiddenField;
use mainspring_model::id::{OrgId, UserId};
use mainspring_model::role::Role;
use mainspring_model::store::{MemberRecord, OrganizationRecord, Paging, UserRecord};

use super::make::{World, code, owner};

fn someone(world: &World, email: &str) -> UserRecord {
    UserRecord {
        id: UserId(world.uuid()),
        email: email.to_owned(),
        name: "Some One".to_owned(),
        password_hash: Some("$argon2id$".to_owned()),
        operator: false,
        verified_at: None,
        disabled_at: None,
        created_at: world.now(),
        updated_at: world.now(),
    }
}

fn organization(world: &World, id: OrgId, slug: &str) -> OrganizationRecord {
    OrganizationRecord { id, name: "Org".to_owned(), slug: slug.to_owned(), created_at: world.now(), updated_at: world.now() }
}

pub async fn users(world: &World) {
    let mut ada = someone(world, "Ada@Example.com");
    world.store.put_user(&ada).await.unwrap();
    assert_eq!(code(world.store.put_user(&someone(world, "aDA@example.COM ")).await), "CONFLICT");
    assert_eq!(world.store.user_by_email("ada@EXAMPLE.com").await.unwrap(), Some(ada.clone()));
    assert_eq!(world.store.user_by_email("eve@example.com").await.unwrap(), None);
    world.pass(1);
    (ada.email, ada.password_hash, ada.operator) = ("ada@elsewhere.org".to_owned(), None, true);
    (ada.verified_at, ada.disabled_at, ada.updated_at) = (Some(world.now()), Some(world.now()), world.now());
    world.store.put_user(&ada).await.unwrap();
    assert_eq!(world.store.user(ada.id).await.unwrap(), Some(ada.clone()));
    assert_eq!(world.store.user_by_email("ada@example.com").await.unwrap(), None, "the old address is free");
    let bob = someone(world, "bob@example.com");
    world.store.put_user(&bob).await.unwrap();
    assert_eq!(code(world.store.put_user(&UserRecord { email: ada.email.clone(), ..bob.clone() }).await), "CONFLICT");
    let first = world.store.list_users(&Paging { limit: 1, cursor: None }).await.unwrap();
    assert_eq!(first.items, [bob]);
    let rest = world.store.list_users(&Paging { limit: 1, cursor: first.next_cursor }).await.unwrap();
    assert_eq!((rest.items, rest.next_cursor), (vec![ada], None));
}

pub async fn organizations(world: &World) {
    let (one, two) = (owner(1).org, owner(2).org);
    let mut first = organization(world, one, "first");
    world.store.put_organization(&first).await.unwrap();
    assert_eq!(code(world.store.put_organization(&organization(world, two, "first")).await), "CONFLICT");
    world.store.put_organization(&organization(world, two, "second")).await.unwrap();
    first.name = "Renamed".to_owned();
    world.store.put_organization(&first).await.unwrap();
    assert_eq!(world.store.organization(one).await.unwrap(), Some(first.clone()));
    assert_eq!(world.store.organization_by_slug("first").await.unwrap(), Some(first));
    assert_eq!(world.store.organization_by_slug("third").await.unwrap(), None);
    assert_eq!(world.store.organization(owner(3).org).await.unwrap(), None);
}

pub async fn members(world: &World) {
    let (one, two) = (owner(1).org, owner(2).org);
    let (ada, bob) = (owner(1).user, owner(2).user);
    for (org, slug) in [(one, "first"), (two, "second")] {
        world.store.put_organization(&organization(world, org, slug)).await.unwrap();
    }
    let member = |org, user, role| MemberRecord { org, user, role, created_at: world.now() };
    for (org, user, role) in [(one, ada, Role::Owner), (one, bob, Role::Viewer), (two, bob, Role::Admin)] {
        world.store.put_member(&member(org, user, role)).await.unwrap();
        world.pass(1);
    }
    world.store.put_member(&member(one, bob, Role::Member)).await.unwrap();
    assert_eq!(world.store.role_of(bob, one).await.unwrap(), Some(Role::Member));
    assert_eq!(world.store.role_of(ada, two).await.unwrap(), None, "a member elsewhere is a stranger here");
    let of_bob: Vec<(String, Role)> = world.store.memberships(bob).await.unwrap().into_iter().map(|(org, role)| (org.slug, role)).collect();
    assert_eq!(of_bob, [("first".to_owned(), Role::Member), ("second".to_owned(), Role::Admin)]);
    let of_one: Vec<UserId> = world.store.list_members(one).await.unwrap().into_iter().map(|member| member.user).collect();
    assert_eq!(of_one, [ada, bob], "oldest first, and another role does not make a member younger");
    let hidden = |field: &str, least| HiddenField { field: field.to_owned(), least };
    world.store.put_hidden_fields(one, &[hidden("email", Role::Admin), hidden("*name", Role::Member)]).await.unwrap();
    world.store.put_hidden_fields(two, &[hidden("x", Role::Owner)]).await.unwrap();
    world.store.put_hidden_fields(one, &[hidden("*name", Role::Owner), hidden("email", Role::Admin)]).await.unwrap();
    assert_eq!(world.store.hidden_fields(one).await.unwrap(), [hidden("*name", Role::Owner), hidden("email", Role::Admin)]);
    world.store.put_hidden_fields(one, &[]).await.unwrap();
    assert_eq!(world.store.hidden_fields(one).await.unwrap(), []);
    assert!(!world.store.delete_member(two, ada).await.unwrap());
    assert!(world.store.delete_member(one, bob).await.unwrap());
    assert_eq!(world.store.role_of(bob, one).await.unwrap(), None);
}
