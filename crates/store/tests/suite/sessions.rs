//! Sessions, refresh tokens, tokens for one use and attempts.

use std::sync::Arc;

use mainspring_model::id::{SessionId, UserId};
use mainspring_model::lockout::{Admission, Rule};
use mainspring_model::store::{OneTime, RefreshToken, Refreshed, Retention, SessionRecord, Store, UserRecord};
use serde_json::json;

use super::make::World;

const SECOND: i64 = 1_000;
const HOUR: i64 = 3_600 * SECOND;

fn session(world: &World, user: UserId, cookie: u8) -> SessionRecord {
    SessionRecord {
        id: SessionId(world.uuid()),
        user,
        method: "password".to_owned(),
        device: "a browser \0␛".to_owned(),
        address: "192.0.2.1".to_owned(),
        cookie: (cookie > 0).then(|| vec![cookie; 32]),
        created_at: world.now(),
        last_used_at: world.now(),
        expires_at: world.now() + 2 * HOUR,
    }
}

fn token(world: &World, byte: u8) -> RefreshToken {
    RefreshToken { hash: vec![byte; 32], expires_at: world.now() + HOUR }
}

pub async fn a_session_lasts_until_it_ends(world: &World) {
    let (ada, bob) = (UserId(world.uuid()), UserId(world.uuid()));
    let mut first = session(world, ada, 1);
    world.store.put_session(&first, &token(world, 1)).await.unwrap();
    world.pass(1);
    let second = session(world, ada, 0);
    let theirs = session(world, bob, 0);
    world.store.put_session(&second, &token(world, 2)).await.unwrap();
    world.store.put_session(&theirs, &token(world, 3)).await.unwrap();
    assert_eq!(world.store.session(first.id).await.unwrap(), Some(first.clone()));
    assert_eq!(world.store.session_by_cookie(&[1; 32]).await.unwrap(), Some(first.clone()));
    assert_eq!(world.store.session_by_cookie(&[9; 32]).await.unwrap(), None);
    assert_eq!(world.store.list_sessions(ada).await.unwrap(), [second.clone(), first.clone()]);
    // A use is noted once a minute.
    world.store.touch_session(first.id).await.unwrap();
    assert_eq!(world.store.session(first.id).await.unwrap(), Some(first.clone()));
    world.pass(60 * SECOND);
    world.store.touch_session(first.id).await.unwrap();
    first.last_used_at = world.now();
    assert_eq!(world.store.session(first.id).await.unwrap(), Some(first.clone()));
    // Only its own user ends it, and its tokens go with it.
    assert!(!world.store.end_session(bob, first.id).await.unwrap());
    assert!(world.store.end_session(ada, first.id).await.unwrap());
    assert!(!world.store.end_session(ada, first.id).await.unwrap());
    assert_eq!(world.store.session(first.id).await.unwrap(), None);
    assert_eq!(world.store.refresh(&[1; 32], &token(world, 9), SECOND).await.unwrap(), Refreshed::Unknown);
    // All but one.
    let third = session(world, ada, 0);
    world.store.put_session(&third, &token(world, 4)).await.unwrap();
    assert_eq!(world.store.end_sessions(ada, Some(third.id)).await.unwrap(), 1);
    assert_eq!(world.store.list_sessions(ada).await.unwrap(), std::slice::from_ref(&third));
    assert_eq!(world.store.end_sessions(ada, None).await.unwrap(), 1);
    assert_eq!(world.store.list_sessions(bob).await.unwrap(), std::slice::from_ref(&theirs));
    // By itself.
    world.pass(theirs.expires_at - world.now());
    assert_eq!((world.store.session(theirs.id).await.unwrap(), world.store.list_sessions(bob).await.unwrap()), (None, vec![]));
}

pub async fn a_refresh_token_is_used_once(world: &World) {
    let ada = UserId(world.uuid());
    let of = session(world, ada, 0);
    world.store.put_session(&of, &token(world, 1)).await.unwrap();
    let other = session(world, ada, 0);
    world.store.put_session(&other, &token(world, 8)).await.unwrap();
    let refresh = async |byte: u8, next: u8| world.store.refresh(&[byte; 32], &token(world, next), 30 * SECOND).await.unwrap();
    assert_eq!(refresh(7, 2).await, Refreshed::Unknown);
    world.pass(61 * SECOND);
    let rotated = SessionRecord { last_used_at: world.now(), ..of.clone() };
    assert_eq!(refresh(1, 2).await, Refreshed::Rotated(rotated.clone()));
    assert_eq!(refresh(2, 3).await, Refreshed::Rotated(rotated.clone()));
    // The first one again: somebody went on from its successor, so there are two who have it.
    assert_eq!(refresh(1, 4).await, Refreshed::Reused(rotated));
    for byte in [1, 2, 3, 4] {
        assert_eq!(refresh(byte, 5).await, Refreshed::Unknown, "the whole family is gone: {byte}");
    }
    assert_eq!(world.store.session(of.id).await.unwrap(), None);
    assert!(matches!(refresh(8, 9).await, Refreshed::Rotated(_)), "another session of the same user is not");
    world.pass(HOUR);
    assert_eq!(refresh(9, 10).await, Refreshed::Unknown, "it has expired");
}

pub async fn a_lost_answer_is_given_again(world: &World) {
    let of = session(world, UserId(world.uuid()), 0);
    world.store.put_session(&of, &token(world, 1)).await.unwrap();
    let refresh = async |byte: u8, next: u8| world.store.refresh(&[byte; 32], &token(world, next), 30 * SECOND).await.unwrap();
    assert!(matches!(refresh(1, 2).await, Refreshed::Rotated(_)));
    world.pass(30 * SECOND - 1);
    let Refreshed::Again(again, hash) = refresh(1, 3).await else { panic!("the same successor") };
    assert_eq!((again.id, hash), (of.id, vec![2; 32]));
    assert!(matches!(refresh(2, 4).await, Refreshed::Rotated(_)), "it is still good");
    world.pass(30 * SECOND);
    assert!(matches!(refresh(2, 5).await, Refreshed::Reused(_)), "long after");
}

pub async fn refreshing_at_once(world: &World) {
    let of = session(world, UserId(world.uuid()), 0);
    world.store.put_session(&of, &token(world, 1)).await.unwrap();
    // The successor follows from the token, so all of a client's requests would be given the same one.
    let calls = (0..8).map(|_| {
        let (store, next): (Arc<dyn Store>, RefreshToken) = (world.store.clone(), token(world, 2));
        tokio::spawn(async move { store.refresh(&[1; 32], &next, 30 * SECOND).await.unwrap() })
    });
    let calls: Vec<_> = calls.collect();
    let (mut rotated, mut again) = (0, 0);
    for call in calls {
        match call.await.unwrap() {
            Refreshed::Rotated(_) => rotated += 1,
            Refreshed::Again(_, hash) if hash == [2; 32] => again += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((rotated, again), (1, 7));
}

pub async fn tokens_for_one_use(world: &World) {
    let ada = UserId(world.uuid());
    let put = async |byte: u8, user: Option<UserId>| {
        let token = OneTime {
            hash: vec![byte; 32],
            purpose: "reset".to_owned(),
            user,
            data: json!({"address": "ada@example.org", "n": u64::MAX}),
            expires_at: world.now() + HOUR,
        };
        world.store.put_one_time(&token).await.unwrap();
        token
    };
    let token = put(1, Some(ada)).await;
    assert_eq!(world.store.one_time(&[1; 32], "reset").await.unwrap(), Some(token.clone()));
    assert_eq!(world.store.take_one_time(&[1; 32], "verify").await.unwrap(), None, "it is for something else");
    assert_eq!(world.store.take_one_time(&[2; 32], "reset").await.unwrap(), None);
    // Of many at once, one.
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let store: Arc<dyn Store> = world.store.clone();
            tokio::spawn(async move { store.take_one_time(&[1; 32], "reset").await.unwrap() })
        })
        .collect();
    let mut taken = Vec::new();
    for call in calls {
        taken.extend(call.await.unwrap());
    }
    assert_eq!(taken, [token]);
    put(2, Some(ada)).await;
    put(3, None).await;
    world.store.drop_one_time(Some(ada), "reset").await.unwrap();
    assert_eq!(world.store.one_time(&[2; 32], "reset").await.unwrap(), None);
    assert!(world.store.one_time(&[3; 32], "reset").await.unwrap().is_some());
    world.pass(HOUR);
    assert_eq!(world.store.one_time(&[3; 32], "reset").await.unwrap(), None);
    assert_eq!(world.store.take_one_time(&[3; 32], "reset").await.unwrap(), None);
}

const RULE: Rule = Rule { free: 3, first: SECOND, longest: 4 * SECOND, forgotten_after: HOUR };

pub async fn attempts_are_counted(world: &World) {
    let attempt = async |key: &str| world.store.attempt(key, &RULE).await.unwrap();
    for _ in 0..3 {
        assert_eq!(attempt("account:a").await, Admission::Admitted);
    }
    assert_eq!(attempt("account:a").await, Admission::Refused { until: world.now() + SECOND });
    assert_eq!(attempt("account:b").await, Admission::Admitted, "others are not concerned");
    world.pass(SECOND);
    assert_eq!(attempt("account:a").await, Admission::Admitted);
    assert_eq!(attempt("account:a").await, Admission::Refused { until: world.now() + 2 * SECOND });
    world.store.give_back("account:a").await.unwrap();
    world.store.give_back("account:nobody").await.unwrap();
    assert_eq!(attempt("account:a").await, Admission::Refused { until: world.now() + SECOND });
    world.store.forgive("account:a").await.unwrap();
    for _ in 0..3 {
        assert_eq!(attempt("account:a").await, Admission::Admitted);
    }
    world.pass(HOUR);
    for _ in 0..3 {
        assert_eq!(attempt("account:a").await, Admission::Admitted, "forgotten");
    }
}

pub async fn attempts_at_once(world: &World) {
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let store: Arc<dyn Store> = world.store.clone();
            tokio::spawn(async move { store.attempt("account:c", &RULE).await.unwrap() })
        })
        .collect();
    let mut admitted = 0;
    for call in calls {
        admitted += usize::from(call.await.unwrap() == Admission::Admitted);
    }
    assert_eq!(admitted, 3, "each is counted before it is made");
}

pub async fn passwords_are_replaced(world: &World) {
    assert!(!world.store.is_founded().await.unwrap());
    let user = UserRecord {
        id: UserId(world.uuid()),
        email: "Ada@Example.org".to_owned(),
        name: String::new(),
        password_hash: None,
        operator: false,
        verified_at: None,
        disabled_at: None,
        created_at: world.now(),
        updated_at: world.now(),
    };
    world.store.put_user(&user).await.unwrap();
    assert!(world.store.is_founded().await.unwrap());
    let replace = async |known: Option<&str>, hash: &str| world.store.replace_password(user.id, known, hash).await.unwrap();
    assert!(!replace(Some("x"), "one").await);
    assert!(replace(None, "one").await);
    assert!(!replace(None, "two").await, "another change came first");
    assert!(replace(Some("one"), "two").await);
    assert_eq!(world.store.user(user.id).await.unwrap().unwrap().password_hash.as_deref(), Some("two"));
    assert!(!world.store.replace_password(UserId(world.uuid()), None, "x").await.unwrap());
}

pub async fn what_has_ended_goes(world: &World) {
    let ada = UserId(world.uuid());
    let of = session(world, ada, 0);
    world.store.put_session(&of, &token(world, 1)).await.unwrap();
    world.store.attempt("account:a", &RULE).await.unwrap();
    let prune = async || world.store.prune(&Retention::default(), 10).await.unwrap();
    prune().await;
    assert_eq!(world.store.list_sessions(ada).await.unwrap(), [of]);
    world.pass(HOUR);
    prune().await;
    assert_eq!(world.store.refresh(&[1; 32], &token(world, 2), SECOND).await.unwrap(), Refreshed::Unknown);
    world.pass(2 * HOUR);
    prune().await;
    assert_eq!(world.store.list_sessions(ada).await.unwrap(), []);
}
