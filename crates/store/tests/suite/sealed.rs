//! Sealed values and data keys for a rotation: listed whole, replaced only where they are still what was seen.

use std::collections::BTreeMap;

use mainspring_model::id::{CredentialId, Owner};
use mainspring_model::store::{DataKeyRecord, NewCredential, SealedTable};

use super::make::{World, owner};

const ME: Owner = Owner::LOCAL;
const TABLE: SealedTable = SealedTable::Credentials;

async fn put(world: &World, owner: Owner, name: &str, byte: u8) {
    let fields = BTreeMap::from([("api_key".to_owned(), vec![byte; 40]), ("z".to_owned(), vec![0, 255, byte])]);
    let (id, provider, name) = (CredentialId(world.uuid()), "github".to_owned(), name.to_owned());
    world.store.put_credential(&NewCredential { id, owner, provider, name, fields, expires_at: None, hosts: None }).await.unwrap();
}

pub async fn rows_in_pages(world: &World) {
    for n in 0..5u8 {
        put(world, ME, &format!("n{n}"), n).await;
        put(world, Owner { org: ME.org, user: owner(1).user }, &format!("n{n}"), n).await;
        put(world, owner(2), &format!("n{n}"), n).await;
    }
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = world.store.sealed_rows(TABLE, ME.org, after, 3).await.unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 3);
        after = Some(last.id);
        found.extend(page);
    }
    assert_eq!(found.len(), 10, "everybody's of the organization, and nobody else's");
    assert!(found.is_sorted_by_key(|row| row.id) && found.iter().all(|row| row.org == ME.org && row.fields["z"].len() == 3));
    assert_eq!(found.iter().filter(|row| row.user == Some(ME.user)).count(), 5);
}

pub async fn values_are_replaced_where_they_were_seen(world: &World) {
    put(world, ME, "a", 1).await;
    let seen = world.store.sealed_rows(TABLE, ME.org, None, 9).await.unwrap().remove(0);
    let new = BTreeMap::from([("api_key".to_owned(), vec![9; 40])]);
    let mut elsewhere = seen.clone();
    elsewhere.org = owner(1).org;
    assert!(!world.store.replace_sealed(&elsewhere, &new).await.unwrap(), "not through another organization");
    assert!(world.store.replace_sealed(&seen, &new).await.unwrap());
    assert!(!world.store.replace_sealed(&seen, &BTreeMap::new()).await.unwrap(), "it holds other values by now");
    let now = world.store.sealed_rows(TABLE, ME.org, None, 9).await.unwrap().remove(0);
    assert_eq!((&now.fields, now.id), (&new, seen.id));
    world.store.delete_credentials(&ME, "github", None).await.unwrap();
    assert!(!world.store.replace_sealed(&now, &new).await.unwrap(), "it is gone");
    assert!(world.store.sealed_rows(TABLE, ME.org, None, 9).await.unwrap().is_empty(), "and does not come back");
}

pub async fn keys_are_wrapped_anew_where_they_were_seen(world: &World) {
    let key = |org, version, byte| DataKeyRecord { org, version, kek_id: format!("kek-{byte}"), wrapped: vec![byte; 40] };
    for key in [key(ME.org, 1, 1), key(ME.org, 2, 2), key(owner(1).org, 1, 3)] {
        world.store.put_data_key(&key).await.unwrap();
    }
    assert_eq!(world.store.data_keys_of(ME.org).await.unwrap(), [key(ME.org, 1, 1), key(ME.org, 2, 2)]);
    assert!(world.store.replace_data_key(&key(ME.org, 1, 1), &key(ME.org, 1, 7)).await.unwrap());
    assert!(!world.store.replace_data_key(&key(ME.org, 1, 1), &key(ME.org, 1, 8)).await.unwrap(), "it is wrapped otherwise by now");
    assert_eq!(world.store.data_keys_of(ME.org).await.unwrap(), [key(ME.org, 1, 7), key(ME.org, 2, 2)]);
    assert_eq!(world.store.data_keys_of(owner(1).org).await.unwrap(), [key(owner(1).org, 1, 3)]);
    assert!(!world.store.replace_canary(&[1], &[2]).await.unwrap(), "there is none");
    world.store.put_canary(&[1]).await.unwrap();
    assert!(world.store.replace_canary(&[1], &[2]).await.unwrap());
    assert!(!world.store.replace_canary(&[1], &[3]).await.unwrap());
    assert_eq!(world.store.canary().await.unwrap(), Some(vec![2]));
}
