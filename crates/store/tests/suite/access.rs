//! API keys and idempotent answers.

use mainspring_model::id::{ApiKeyId, OrgId, Owner};
use mainspring_model::store::{ApiKeyRecord, IdempotentAnswer, Remembered};

use super::make::{World, code, owner};

const ORG: OrgId = Owner::LOCAL.org;
const MINUTE: i64 = 60_000;

pub async fn api_keys(world: &World) {
    let key = |owner, byte: u8| ApiKeyRecord {
        id: ApiKeyId(world.uuid()),
        owner,
        name: "ci".to_owned(),
        hash: vec![byte; 32],
        created_at: world.now(),
        expires_at: Some(world.now() + MINUTE),
        last_used_at: None,
        scopes: (byte == 1).then(|| vec!["plan:view".to_owned(), "run:start".to_owned()]),
    };
    let mut mine = key(Owner::LOCAL, 1);
    let theirs = key(owner(1), 2);
    world.store.put_api_key(&mine).await.unwrap();
    world.store.put_api_key(&theirs).await.unwrap();
    assert_eq!(code(world.store.put_api_key(&key(owner(1), 1)).await), "CONFLICT");
    mine.last_used_at = Some(world.now());
    world.store.put_api_key(&mine).await.unwrap();
    assert_eq!(world.store.api_key_by_hash(&[1; 32]).await.unwrap(), Some(mine.clone()));
    assert_eq!(world.store.api_key_by_hash(&[3; 32]).await.unwrap(), None);
    world.pass(MINUTE - 1);
    world.store.touch_api_key(ORG, mine.id).await.unwrap();
    assert_eq!(world.store.api_key_by_hash(&[1; 32]).await.unwrap(), Some(mine.clone()), "once a minute");
    world.pass(1);
    world.store.touch_api_key(owner(1).org, mine.id).await.unwrap();
    world.store.touch_api_key(ORG, mine.id).await.unwrap();
    mine.last_used_at = Some(world.now());
    assert_eq!(world.store.list_api_keys(ORG).await.unwrap(), [mine.clone()]);
    assert!(!world.store.delete_api_key(ORG, theirs.id).await.unwrap());
    assert!(world.store.delete_api_key(ORG, mine.id).await.unwrap());
    assert_eq!(world.store.api_key_by_hash(&[1; 32]).await.unwrap(), None);
    assert!(world.store.api_key_by_hash(&[2; 32]).await.unwrap().is_some());
}

fn answer(byte: u8) -> IdempotentAnswer {
    let headers = vec![("Location".to_owned(), "/api/plans/1".to_owned())];
    IdempotentAnswer { fingerprint: vec![byte; 32], status: 201, headers, body: b"{\"plan\":\"\xff\"}".to_vec() }
}

pub async fn idempotent_answers(world: &World) {
    let begin = async |org, fingerprint| world.store.begin_idempotent(org, "k", &[fingerprint; 32]).await.unwrap();
    assert_eq!(begin(ORG, 1).await, Remembered::Started);
    assert_eq!(begin(ORG, 1).await, Remembered::InProgress);
    assert_eq!(begin(owner(1).org, 1).await, Remembered::Started, "keys belong to an organization");
    world.store.finish_idempotent(ORG, "k", &answer(1)).await.unwrap();
    assert_eq!(begin(ORG, 1).await, Remembered::Answered(answer(1)));
    assert_eq!(begin(ORG, 2).await, Remembered::Answered(answer(1)), "the caller compares fingerprints");
    assert_eq!(begin(owner(1).org, 1).await, Remembered::InProgress);
    world.store.forget_idempotent(owner(1).org, "k").await.unwrap();
    assert_eq!(begin(owner(1).org, 1).await, Remembered::Started);
}

pub async fn stale_idempotency(world: &World) {
    let begin = async |key: &str| world.store.begin_idempotent(ORG, key, &[1; 32]).await.unwrap();
    begin("answered").await;
    world.store.finish_idempotent(ORG, "answered", &answer(1)).await.unwrap();
    assert_eq!(begin("unanswered").await, Remembered::Started);
    world.pass(5 * MINUTE - 1);
    assert_eq!(begin("unanswered").await, Remembered::InProgress);
    world.pass(1);
    assert_eq!(begin("unanswered").await, Remembered::Started);
    world.pass(24 * 60 * MINUTE - 5 * MINUTE - 1);
    assert_eq!(begin("answered").await, Remembered::Answered(answer(1)));
    world.pass(1);
    assert_eq!(begin("answered").await, Remembered::Started);
}
