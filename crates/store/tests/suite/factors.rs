//! Second factors, recovery codes and outside identities.

use mainspring_model::id::UserId;
use mainspring_model::store::{OutsideIdentity, SecondFactor};

use super::make::{World, code};

pub async fn second_factors(world: &World) {
    let ada = UserId(world.uuid());
    let factor = SecondFactor { sealed: vec![0, 255], confirmed_at: None, last_step: None, created_at: world.now() };
    assert_eq!(world.store.second_factor(ada).await.unwrap(), None);
    assert!(!world.store.confirm_second_factor(ada, 5, &[]).await.unwrap());
    world.store.put_second_factor(ada, &SecondFactor { sealed: vec![1], ..factor.clone() }).await.unwrap();
    world.store.put_second_factor(ada, &factor).await.unwrap();
    assert_eq!(world.store.second_factor(ada).await.unwrap(), Some(factor.clone()), "one that is not confirmed is replaced");
    assert!(world.store.confirm_second_factor(ada, 5, &[]).await.unwrap());
    assert!(!world.store.confirm_second_factor(ada, 6, &[]).await.unwrap());
    assert_eq!(code(world.store.put_second_factor(ada, &factor).await), "CONFLICT");
    let confirmed = SecondFactor { confirmed_at: Some(world.now()), last_step: Some(5), ..factor };
    assert_eq!(world.store.second_factor(ada).await.unwrap(), Some(confirmed));
    let step = async |step| world.store.use_step(ada, step).await.unwrap();
    assert_eq!((step(5).await, step(4).await, step(6).await, step(6).await), (false, false, true, false));
    assert!(!world.store.use_step(UserId(world.uuid()), 9).await.unwrap());
    assert!(world.store.delete_second_factor(ada).await.unwrap());
    assert!(!world.store.delete_second_factor(ada).await.unwrap());
    assert_eq!(world.store.second_factor(ada).await.unwrap(), None);
}

pub async fn recovery_codes(world: &World) {
    let (ada, bob) = (UserId(world.uuid()), UserId(world.uuid()));
    for user in [ada, bob] {
        let factor = SecondFactor { sealed: vec![1], confirmed_at: None, last_step: None, created_at: world.now() };
        world.store.put_second_factor(user, &factor).await.unwrap();
        assert!(world.store.confirm_second_factor(user, 5, &[vec![1; 32], vec![2; 32]]).await.unwrap());
    }
    let take = async |byte: u8| world.store.use_recovery_code(ada, &[byte; 32]).await.unwrap();
    assert_eq!((take(1).await, take(1).await, take(3).await), (true, false, false));
    assert_eq!((world.store.recovery_codes_left(ada).await.unwrap(), world.store.recovery_codes_left(bob).await.unwrap()), (1, 2));
    world.store.delete_second_factor(ada).await.unwrap();
    assert_eq!((world.store.recovery_codes_left(ada).await.unwrap(), world.store.recovery_codes_left(bob).await.unwrap()), (0, 2));
}

pub async fn outside_identities(world: &World) {
    let (ada, bob) = (UserId(world.uuid()), UserId(world.uuid()));
    let identity = |issuer: &str, subject: &str, user| OutsideIdentity {
        issuer: issuer.to_owned(),
        subject: subject.to_owned(),
        user,
        created_at: world.now(),
    };
    world.store.put_outside_identity(&identity("https://a.example", "1", ada)).await.unwrap();
    world.store.put_outside_identity(&identity("https://b.example", "1", bob)).await.unwrap();
    assert_eq!(code(world.store.put_outside_identity(&identity("https://a.example", "1", bob)).await), "CONFLICT");
    let of = async |issuer: &str, subject: &str| world.store.outside_identity(issuer, subject).await.unwrap();
    assert_eq!((of("https://a.example", "1").await, of("https://b.example", "1").await), (Some(ada), Some(bob)));
    assert_eq!((of("https://a.example", "1 ").await, of("https://c.example", "1").await), (None, None));
}
