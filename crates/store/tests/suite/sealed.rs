//! Sealed values and data keys for a rotation: listed whole, replaced only where they are still what was seen.

use std::collections::BTreeMap;

use mainspring_model::id::{CredentialId, MessageId, NotificationRuleId, OrgId, Owner, VariableId};
use mainspring_model::store::{
    Channel, DataKeyRecord, NewCredential, NewMessage, NotificationRuleRecord, SealedRow, SealedTable, SecondFactor, VariableRecord,
    VariableValue,
};
use serde_json::json;

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

/// Each table that has sealed values, with one row that has one and, where that can be, one that has none.
async fn one_of_each(world: &World) -> Vec<SealedRow> {
    let (store, org, at) = (&world.store, ME.org, world.now());
    put(world, ME, "a", 1).await;
    let mut rows = store.sealed_rows(SealedTable::Credentials, org, None, 9).await.unwrap();
    let variable = |name: &str, value| VariableRecord {
        org,
        name: name.to_owned(),
        id: VariableId(world.uuid()),
        user: ME.user,
        value,
        created_at: 0,
        updated_at: 0,
    };
    let secret = variable("SECRET", VariableValue::Secret(vec![0, 255, 2]));
    rows.push(SealedRow::one(SealedTable::Variables, org, None, secret.id.0, vec![0, 255, 2]));
    store.put_variable(&secret).await.unwrap();
    store.put_variable(&variable("PLAIN", VariableValue::Plain(json!(1)))).await.unwrap();
    let rule = |name: &str, secrets| NotificationRuleRecord {
        id: NotificationRuleId(world.uuid()),
        owner: ME,
        name: name.to_owned(),
        definition: json!({}),
        secrets,
        created_at: at,
        updated_at: at,
    };
    let webhook = rule("webhook", Some(vec![0, 255, 3]));
    rows.push(SealedRow::one(SealedTable::NotificationRules, org, None, webhook.id.0, vec![0, 255, 3]));
    store.put_notification_rule(&webhook).await.unwrap();
    store.put_notification_rule(&rule("mail", None)).await.unwrap();
    let id = MessageId(world.uuid());
    let message = NewMessage { id, org, channel: Channel::Mail, key: "k".to_owned(), throttle: None, sealed: vec![0, 255, 4] };
    store.put_message(&message).await.unwrap();
    rows.push(SealedRow::one(SealedTable::Outbox, org, None, id.0, vec![0, 255, 4]));
    let factor = SecondFactor { sealed: vec![0, 255, 5], confirmed_at: None, last_step: None, created_at: at };
    store.put_second_factor(ME.user, &factor).await.unwrap();
    rows.push(SealedRow::one(SealedTable::SecondFactors, OrgId::INSTALLATION, Some(ME.user), ME.user.0, vec![0, 255, 5]));
    rows
}

pub async fn every_table_is_listed_and_replaced(world: &World) {
    let rows = one_of_each(world).await;
    assert_eq!(rows.iter().map(|row| row.table).collect::<Vec<_>>(), SealedTable::ALL);
    for row in rows {
        let table = row.table;
        let listed = async |org, after| world.store.sealed_rows(table, org, after, 9).await.unwrap();
        assert_eq!(listed(row.org, None).await, std::slice::from_ref(&row), "{table:?}");
        assert!(listed(row.org, Some(row.id)).await.is_empty() && listed(owner(1).org, None).await.is_empty(), "{table:?}");
        let new: BTreeMap<String, Vec<u8>> = row.fields.keys().map(|field| (field.clone(), vec![9, 0, 255])).collect();
        let mut elsewhere = row.clone();
        elsewhere.org = owner(1).org;
        assert!(!world.store.replace_sealed(&elsewhere, &new).await.unwrap(), "{table:?} through another organization");
        assert!(world.store.replace_sealed(&row, &new).await.unwrap(), "{table:?}");
        assert!(!world.store.replace_sealed(&row, &new).await.unwrap(), "{table:?} holds another value by now");
        assert_eq!(listed(row.org, None).await, [SealedRow { fields: new, ..row.clone() }], "{table:?}");
    }
    let factor = world.store.second_factor(ME.user).await.unwrap().unwrap();
    assert_eq!((factor.sealed, factor.confirmed_at), (vec![9, 0, 255], None));
    let variables = world.store.list_variables(ME.org).await.unwrap();
    assert!(variables.iter().any(|variable| variable.value == VariableValue::Secret(vec![9, 0, 255])));
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
