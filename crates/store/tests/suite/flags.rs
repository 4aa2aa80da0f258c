//! Feature flags: what was said comes back, and every change moves the revision.

use std::collections::BTreeMap;

use mainspring_model::flag::Flag;
use mainspring_model::id::{Owner, UserId};
use mainspring_model::store::FlagRecord;

use super::make::{World, owner};

pub async fn flags_come_back(world: &World) {
    let store = &world.store;
    let before = store.flags_revision().await.unwrap();
    assert_eq!(store.flags().await.unwrap(), []);
    let flag = Flag {
        description: "the new editor\0".to_owned(),
        enabled: true,
        rollout_percentage: Some(10),
        users: BTreeMap::from([(Owner::LOCAL.user, false)]),
        target_organizations: [owner(1).org].into(),
        ..Flag::default()
    };
    let record = |name: &str, flag: &Flag, by: UserId| FlagRecord {
        name: name.to_owned(),
        flag: flag.clone(),
        updated_at: world.now(),
        updated_by: by,
    };
    store.put_flag(&record("editor", &flag, Owner::LOCAL.user)).await.unwrap();
    store.put_flag(&record("a", &Flag::default(), Owner::LOCAL.user)).await.unwrap();
    let killed = Flag { killed: true, ..flag.clone() };
    store.put_flag(&record("editor", &killed, owner(1).user)).await.unwrap();
    let expected = [record("a", &Flag::default(), Owner::LOCAL.user), record("editor", &killed, owner(1).user)];
    assert_eq!(store.flags().await.unwrap(), expected);
    assert_eq!(store.flags_revision().await.unwrap(), before + 3);
    assert!(store.delete_flag("a").await.unwrap());
    assert!(!store.delete_flag("a").await.unwrap());
    assert_eq!(store.flags().await.unwrap().len(), 1);
    assert!(store.flags_revision().await.unwrap() > before + 3);
}
