//! Sealed values: they come back byte for byte, to their owner alone.

use std::collections::BTreeMap;

use mainspring_model::id::{CredentialId, Owner, UserId};
use mainspring_model::store::{CredentialChange, DataKeyRecord, NewCredential};

use super::make::{World, code, owner};

const ME: Owner = Owner::LOCAL;

fn credential(world: &World, owner: Owner, provider: &str, name: &str) -> NewCredential {
    let fields = BTreeMap::from([("api_key".to_owned(), (0..=255).collect()), ("empty".to_owned(), vec![])]);
    NewCredential {
        id: CredentialId(world.uuid()),
        owner,
        provider: provider.to_owned(),
        name: name.to_owned(),
        fields,
        expires_at: Some(9),
        hosts: None,
    }
}

pub async fn credentials(world: &World) {
    let first = credential(world, ME, "github", "work");
    let stored = world.store.put_credential(&first).await.unwrap();
    assert_eq!((stored.id, &stored.fields, stored.expires_at, stored.last_used_at), (first.id, &first.fields, Some(9), None));
    let mut second = credential(world, ME, "github", "work");
    second.fields = BTreeMap::from([("token".to_owned(), vec![1, 2, 3])]);
    let other = world.store.put_credential(&second).await.unwrap();
    assert_eq!((other.id, &other.fields), (first.id, &first.fields), "what was sealed for another id does not take its place");
    second.id = first.id;
    let replaced = world.store.put_credential(&second).await.unwrap();
    assert_eq!((replaced.id, &replaced.fields), (first.id, &second.fields));
    world.store.put_credential(&credential(world, ME, "slack", "default")).await.unwrap();
    world.store.put_credential(&credential(world, owner(1), "github", "work")).await.unwrap();
    let same_org = Owner { org: ME.org, user: owner(1).user };
    world.store.put_credential(&credential(world, same_org, "github", "theirs")).await.unwrap();
    let names = async |provider| {
        let found = world.store.list_credentials(&ME, provider).await.unwrap();
        found.into_iter().map(|credential| (credential.provider, credential.name)).collect::<Vec<_>>()
    };
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(names(None).await, [pair("github", "work"), pair("slack", "default")]);
    assert_eq!(names(Some("github")).await, [pair("github", "work")]);
    assert_eq!(world.store.delete_credentials(&ME, "github", Some("other")).await.unwrap(), 0);
    assert_eq!(world.store.delete_credentials(&ME, "github", None).await.unwrap(), 1);
    assert_eq!(names(None).await, [pair("slack", "default")]);
    assert_eq!(world.store.list_credentials(&owner(1), None).await.unwrap().len(), 1);
}

pub async fn the_default_credential(world: &World) {
    let find = async |name| world.store.find_credential(&ME, "github", name).await.unwrap().map(|found| found.name);
    assert_eq!(find(None).await, None);
    world.store.put_credential(&credential(world, ME, "github", "work")).await.unwrap();
    assert_eq!(find(None).await.as_deref(), Some("work"), "the only one");
    assert_eq!(find(Some("home")).await, None);
    world.store.put_credential(&credential(world, ME, "github", "home")).await.unwrap();
    assert_eq!(find(None).await, None, "never a guess among several");
    world.store.put_credential(&credential(world, ME, "github", "default")).await.unwrap();
    assert_eq!(find(None).await.as_deref(), Some("default"));
    assert_eq!(find(Some("home")).await.as_deref(), Some("home"));
    assert_eq!(world.store.find_credential(&owner(1), "github", None).await.unwrap(), None);
}

pub async fn data_keys_and_canary(world: &World) {
    assert_eq!((world.store.canary().await.unwrap(), world.store.data_keys().await.unwrap()), (None, vec![]));
    world.store.put_canary(&[0, 1, 255]).await.unwrap();
    assert_eq!(world.store.canary().await.unwrap(), Some(vec![0, 1, 255]));
    let key = |version, byte| DataKeyRecord { org: ME.org, version, kek_id: format!("kek-{byte}"), wrapped: vec![byte; 40] };
    assert_eq!(world.store.put_data_key(&key(1, 7)).await.unwrap(), key(1, 7));
    assert_eq!(world.store.put_data_key(&key(1, 8)).await.unwrap(), key(1, 7), "the first is kept");
    world.store.put_data_key(&key(2, 9)).await.unwrap();
    assert_eq!(world.store.data_keys().await.unwrap(), [key(1, 7), key(2, 9)]);
}

pub async fn touching(world: &World) {
    let stored = world.store.put_credential(&credential(world, ME, "github", "work")).await.unwrap();
    let used = async || world.store.find_credential(&ME, "github", None).await.unwrap().unwrap().last_used_at;
    let first = world.now();
    world.store.touch_credential(stored.id).await.unwrap();
    assert_eq!(used().await, Some(first));
    world.pass(1_000);
    world.store.touch_credential(stored.id).await.unwrap();
    assert_eq!(used().await, Some(first), "uses close together are noted once");
    world.pass(120_000);
    world.store.touch_credential(stored.id).await.unwrap();
    assert_eq!(used().await, Some(world.now()));
}

/// The right is looked at when it is used: what was taken back is gone at once.
pub async fn who_may_use_a_credential(world: &World) {
    let member = |n| Owner { org: ME.org, user: owner(n).user };
    let all = Owner { org: ME.org, user: UserId::NOBODY };
    let theirs = world.store.put_credential(&credential(world, member(1), "github", "theirs")).await.unwrap();
    world.store.put_credential(&credential(world, ME, "github", "mine")).await.unwrap();
    world.store.put_credential(&credential(world, all, "github", "ours")).await.unwrap();
    world.store.put_credential(&credential(world, owner(2), "github", "foreign")).await.unwrap();
    let names = async |user: Owner| {
        let found = world.store.usable_credentials(&user, Some("github")).await.unwrap();
        found.into_iter().map(|record| record.name).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        (names(ME).await, names(member(1)).await, names(member(3)).await),
        ("mine ours".into(), "ours theirs".into(), "ours".into())
    );
    assert_eq!((names(owner(2)).await, names(Owner { org: owner(2).org, user: ME.user }).await), ("foreign".into(), String::new()));
    let share = async |users: Vec<UserId>| {
        let change = CredentialChange { shared_with: Some(users), ..CredentialChange::default() };
        world.store.change_credential(ME.org, theirs.id, &change).await.unwrap().unwrap().shared_with
    };
    let mut both = vec![owner(3).user, ME.user];
    let told = share(both.clone()).await;
    both.sort_unstable();
    assert_eq!(told, both);
    assert_eq!(
        (names(ME).await, names(member(3)).await, names(member(4)).await),
        ("mine ours theirs".into(), "ours theirs".into(), "ours".into())
    );
    let find =
        async |user: Owner, name: &str| world.store.find_credential(&user, "github", Some(name)).await.unwrap().map(|found| found.id);
    assert_eq!((find(ME, "theirs").await, find(member(4), "theirs").await), (Some(theirs.id), None));
    // A share names a person, not a person elsewhere.
    assert_eq!(find(Owner { org: owner(2).org, user: owner(3).user }, "theirs").await, None);
    assert_eq!(share(vec![]).await, []);
    assert_eq!((find(ME, "theirs").await, names(ME).await), (None, "mine ours".into()));
    share(vec![ME.user]).await;
    assert!(!world.store.delete_credential(owner(2).org, theirs.id).await.unwrap(), "not through another organization");
    assert!(world.store.delete_credential(ME.org, theirs.id).await.unwrap());
    assert_eq!(names(ME).await, "mine ours");
    let again = NewCredential { id: theirs.id, ..credential(world, member(1), "github", "theirs") };
    world.store.put_credential(&again).await.unwrap();
    assert_eq!(names(ME).await, "mine ours", "its shares went with it");
}

pub async fn changing_a_credential(world: &World) {
    let new = NewCredential { hosts: Some(vec!["a.example".to_owned()]), ..credential(world, ME, "github", "work") };
    let stored = world.store.put_credential(&new).await.unwrap();
    assert_eq!(stored.hosts, new.hosts);
    let again = NewCredential { id: stored.id, ..credential(world, ME, "github", "work") };
    let replaced = world.store.put_credential(&again).await.unwrap();
    assert_eq!(replaced.hosts, new.hosts, "new values do not open what was bound");
    let unchanged = world.store.change_credential(ME.org, stored.id, &CredentialChange::default()).await.unwrap();
    assert_eq!(unchanged.as_ref(), Some(&replaced));
    let change = CredentialChange {
        name: Some("␛ other".to_owned()),
        fields: Some(BTreeMap::from([("token".to_owned(), vec![1])])),
        expires_at: Some(None),
        hosts: Some(None),
        shared_with: None,
    };
    assert_eq!(world.store.change_credential(owner(1).org, stored.id, &change).await.unwrap(), None, "not through another organization");
    let changed = world.store.change_credential(ME.org, stored.id, &change).await.unwrap().unwrap();
    assert_eq!((changed.name.as_str(), changed.expires_at, &changed.hosts), ("␛ other", None, &None));
    assert_eq!((Some(&changed.fields), changed.id), (change.fields.as_ref(), stored.id));
    world.store.put_credential(&credential(world, ME, "github", "taken")).await.unwrap();
    let taken = CredentialChange { name: Some("taken".to_owned()), ..CredentialChange::default() };
    assert_eq!(code(world.store.change_credential(ME.org, stored.id, &taken).await), "CONFLICT");
    assert_eq!(world.store.list_credentials(&ME, None).await.unwrap().len(), 2);
}
