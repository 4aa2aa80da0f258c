//! The outbox: one message for a key, taken by one, tried again, and kept apart by a distance.

use mainspring_model::id::{MessageId, NotificationRuleId, OrgId, Owner};
use mainspring_model::store::{Channel, Delivery, NewMessage, Put, SendState, Sending, Throttle};
use uuid::Uuid;

use super::make::{World, owner};

fn message(world: &World, org: OrgId, key: &str) -> NewMessage {
    let id = MessageId(world.uuid());
    NewMessage { id, org, channel: Channel::Mail, key: key.to_owned(), throttle: None, sealed: (0..=255).collect() }
}

/// Of rule and subject 1, a minute apart.
fn apart(world: &World, key: &str) -> NewMessage {
    let throttle = Throttle { rule: NotificationRuleId(Uuid::from_u128(1)), subject: Uuid::from_u128(1), distance: 60_000 };
    NewMessage { throttle: Some(throttle), ..message(world, Owner::LOCAL.org, key) }
}

pub async fn a_key_is_one_message(world: &World) {
    let store = &world.store;
    assert_eq!((store.next_message().await.unwrap(), store.claim_messages(9, 1_000).await.unwrap()), (None, vec![]));
    let first = message(world, OrgId::INSTALLATION, "verify/1");
    assert_eq!(store.put_message(&first).await.unwrap(), Put::Waits);
    assert_eq!(store.put_message(&message(world, OrgId::INSTALLATION, "verify/1")).await.unwrap(), Put::Known);
    assert_eq!(store.put_message(&message(world, owner(1).org, "verify/1")).await.unwrap(), Put::Waits, "a key is its organization's");
    assert_eq!(store.next_message().await.unwrap(), Some(world.now()));
    let claimed = store.claim_messages(9, 1_000).await.unwrap();
    assert_eq!(claimed.len(), 2);
    let found = claimed.iter().find(|message| message.id == first.id).unwrap();
    assert_eq!((found.org, found.channel, found.rule, found.attempts, found.others), (OrgId::INSTALLATION, Channel::Mail, None, 1, 0));
    assert_eq!((found.created_at, &found.sealed), (world.now(), &first.sealed));
    store.end_message(first.org, first.id, &Delivery::Sent).await.unwrap();
    assert_eq!(
        store.put_message(&message(world, OrgId::INSTALLATION, "verify/1")).await.unwrap(),
        Put::Known,
        "also when it has been sent"
    );
    world.pass(10);
    assert_eq!(store.prune_messages(world.now()).await.unwrap(), 1);
    assert_eq!(store.put_message(&message(world, OrgId::INSTALLATION, "verify/1")).await.unwrap(), Put::Waits);
}

pub async fn it_is_known_how_far_messages_have_come(world: &World) {
    let (store, org) = (&world.store, owner(1).org);
    let (waits, sent, failed) = (message(world, org, "a/1"), message(world, org, "a/2"), message(world, org, "a/3"));
    for new in [&waits, &sent, &failed] {
        store.put_message(new).await.unwrap();
    }
    store.claim_messages(9, 1_000).await.unwrap();
    store.end_message(org, sent.id, &Delivery::Sent).await.unwrap();
    store.end_message(org, failed.id, &Delivery::Failed { reason: "no\0body".to_owned() }).await.unwrap();
    let keys = ["a/1", "a/2", "a/3", "a/4"].map(str::to_owned);
    let mut known = store.sendings(org, &keys).await.unwrap();
    known.sort_by(|one, other| one.key.cmp(&other.key));
    let sending =
        |key: &str, state, reason: Option<&str>| Sending { key: key.to_owned(), state, attempts: 1, reason: reason.map(str::to_owned) };
    let expected = [
        sending("a/1", SendState::Waiting, None),
        sending("a/2", SendState::Sent, None),
        sending("a/3", SendState::Failed, Some("no\0body")),
    ];
    assert_eq!(known, expected);
    assert_eq!(store.sendings(owner(2).org, &keys).await.unwrap(), [], "another organization's are its own");
    assert_eq!(store.sendings(org, &[]).await.unwrap(), []);
}

pub async fn a_taken_message_comes_back_when_nobody_ends_it(world: &World) {
    let store = &world.store;
    let new = message(world, Owner::LOCAL.org, "a");
    store.put_message(&new).await.unwrap();
    let claimed = |found: Vec<mainspring_model::store::Message>| found.into_iter().map(|message| message.attempts).collect::<Vec<_>>();
    assert_eq!(claimed(store.claim_messages(1, 1_000).await.unwrap()), [1]);
    assert_eq!(claimed(store.claim_messages(1, 1_000).await.unwrap()), [0; 0], "it is held");
    world.pass(1_000);
    assert_eq!(claimed(store.claim_messages(1, 1_000).await.unwrap()), [2], "whoever took it is gone");
    let again = Delivery::Again { at: world.now() + 5_000, reason: "no answer\0".to_owned() };
    store.end_message(new.org, new.id, &again).await.unwrap();
    assert_eq!(store.next_message().await.unwrap(), Some(world.now() + 5_000));
    world.pass(5_000);
    assert_eq!(claimed(store.claim_messages(1, 1_000).await.unwrap()), [3]);
    store.end_message(new.org, new.id, &Delivery::Failed { reason: "refused".to_owned() }).await.unwrap();
    store.end_message(new.org, new.id, &again).await.unwrap();
    assert_eq!(store.next_message().await.unwrap(), None, "what was given up stays so");
    store.end_message(owner(1).org, new.id, &Delivery::Sent).await.unwrap();
}

pub async fn takers_never_overlap(world: &World) {
    for n in 0..40 {
        let org = if n % 2 == 0 { Owner::LOCAL.org } else { owner(1).org };
        world.store.put_message(&message(world, org, &format!("key {n}"))).await.unwrap();
    }
    let take = || async { world.store.claim_messages(15, 60_000).await.unwrap() };
    let (a, b, c, d) = tokio::join!(take(), take(), take(), take());
    let mut ids: Vec<_> = [a, b, c, d].concat().into_iter().map(|message| message.id).collect();
    ids.extend(take().await.into_iter().chain(take().await).map(|message| message.id));
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!((all, ids.len()), (40, 40));
}

pub async fn messages_of_a_rule_keep_their_distance(world: &World) {
    let store = &world.store;
    assert_eq!(store.put_message(&apart(world, "1")).await.unwrap(), Put::Waits);
    assert_eq!(store.claim_messages(9, 60_000).await.unwrap().len(), 1);
    let second = apart(world, "2");
    assert_eq!(store.put_message(&second).await.unwrap(), Put::Waits, "it tells of those that follow");
    for n in 3..10 {
        assert_eq!(store.put_message(&apart(world, &n.to_string())).await.unwrap(), Put::Held);
    }
    assert_eq!(store.put_message(&apart(world, "5")).await.unwrap(), Put::Known);
    let other = Throttle { rule: NotificationRuleId(Uuid::from_u128(1)), subject: Uuid::from_u128(2), distance: 60_000 };
    let elsewhere = NewMessage { throttle: Some(other), ..message(world, Owner::LOCAL.org, "x") };
    assert_eq!(store.put_message(&elsewhere).await.unwrap(), Put::Waits, "another subject has a distance of its own");
    assert_eq!(store.claim_messages(9, 600_000).await.unwrap().len(), 1);
    world.pass(60_000);
    let claimed = store.claim_messages(9, 600_000).await.unwrap();
    let second = claimed.iter().find(|message| message.id == second.id).expect("the distance is kept by now");
    assert_eq!((second.others, second.rule), (7, Some(NotificationRuleId(Uuid::from_u128(1)))));
    world.pass(60_000);
    assert_eq!(store.put_message(&apart(world, "11")).await.unwrap(), Put::Waits);
    assert_eq!(store.next_message().await.unwrap(), Some(world.now()), "long enough after the last one");
}
