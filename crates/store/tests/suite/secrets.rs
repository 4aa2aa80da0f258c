//! Sealed values: they come back byte for byte, to their owner alone.

use std::collections::BTreeMap;

use mainspring_model::id::{CredentialId, Owner};
use mainspring_model::store::{DataKeyRecord, NewCredential};

use super::make::{World, owner};

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
    }
}

pub async fn credentials(world: &World) {
    let first = credential(world, ME, "github", "work");
    let stored = world.store.put_credential(&first).await.unwrap();
    assert_eq!((stored.id, &stored.fields, stored.expires_at, stored.last_used_at), (first.id, &first.fields, Some(9), None));
    let mut second = credential(world, ME, "github", "work");
    second.fields = BTreeMap::from([("token".to_owned(), vec![1, 2, 3])]);
    let replaced = world.store.put_credential(&second).await.unwrap();
    assert_eq!((replaced.id, &replaced.fields), (first.id, &second.fields), "the id stays with the first");
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
