//! The paths that let somebody in: tight limits of their own, by address, with no other limit set.

use mainspring_model::clock::FakeClock;
use mainspring_server::limits::{Terms, read_doors};
use mainspring_server::settings::Settings;

use super::limits::{from, told};
use super::world::World;

const NOON: i64 = 1_800_000_000_000;

async fn world(limits: Terms) -> (World, FakeClock) {
    let clock = FakeClock::at(NOON);
    (World::at(Settings { limits, ..World::settings() }, clock.clone()).await, clock)
}

#[tokio::test]
async fn each_door_has_its_budget_for_each_address_though_nothing_else_is_limited() {
    let (world, clock) = world(Terms::default()).await;
    for (path, most, limit) in
        [("login", 5, 5), ("register", 3, 3), ("forgot-password", 5, 5), ("refresh", 30, 30), ("verify-email", 10, 10)]
    {
        let path = format!("/api/auth/{path}");
        for n in 0..most {
            let answer = from(&world, "192.0.2.1", &path, &[]).await;
            assert_eq!(
                (answer.status == 429, told(&answer).map(|told| [told[0], told[1]])),
                (false, Some([limit, most - 1 - n])),
                "{path}"
            );
        }
        let refused = from(&world, "192.0.2.1", &path, &[]).await;
        assert_eq!((refused.status.as_u16(), &refused.body["code"]), (429, &"RATE_LIMITED".into()), "{path}");
        assert!(refused.headers.contains_key("retry-after"));
        assert_ne!(from(&world, "192.0.2.2", &path, &[]).await.status, 429, "{path} for a neighbour");
    }
    assert_eq!(from(&world, "192.0.2.1", "/api/auth/login/totp", &[]).await.status, 429, "what is behind the door is behind it");
    assert_eq!(told(&from(&world, "192.0.2.1", "/api/openapi.json", &[]).await), None, "elsewhere nothing is limited");
    clock.advance_to(NOON + 12_000);
    assert_ne!(from(&world, "192.0.2.1", "/api/auth/login", &[]).await.status, 429, "five a minute is one in 12 s");
    assert_eq!(from(&world, "192.0.2.1", "/api/auth/login", &[]).await.status, 429);
}

#[tokio::test]
async fn a_wider_limit_counts_at_the_doors_too_and_they_can_be_opened() {
    let (tight, _) = world(Terms { budgets: [2, 0], ..Terms::default() }).await;
    for left in [1, 0] {
        assert_eq!(told(&from(&tight, "192.0.2.1", "/api/auth/login", &[]).await).map(|told| told[0]), Some(5), "{left} left elsewhere");
    }
    let refused = from(&tight, "192.0.2.1", "/api/auth/login", &[]).await;
    assert_eq!((refused.status.as_u16(), told(&refused).map(|told| told[0])), (429, Some(2)));

    let doors = read_doors("login=0,register=1/hour").unwrap();
    let (open, _) = world(Terms { doors, ..Terms::default() }).await;
    for _ in 0..20 {
        let answer = from(&open, "192.0.2.1", "/api/auth/login", &[]).await;
        assert_eq!((answer.status == 429, told(&answer)), (false, None));
    }
    assert_ne!(from(&open, "192.0.2.1", "/api/auth/register", &[]).await.status, 429);
    assert_eq!(from(&open, "192.0.2.1", "/api/auth/register", &[]).await.status, 429);
}
