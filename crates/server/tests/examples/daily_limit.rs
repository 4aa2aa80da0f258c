//! `daily-limit.yaml`: a count that is forgotten a day after it was last changed.

use mainspring_model::clock::{Clock, FakeClock};
use serde_json::json;

use super::world::World;

pub const PLAN: &str = "daily-limit.yaml";

#[tokio::test]
async fn three_times_a_day_and_again_the_next_day() {
    let clock = FakeClock::at(1_795_000_000_000);
    let world = World::at(clock.clone()).await;
    let plan = world.save(PLAN).await;
    let ask = async |who: &str, reset: bool| world.run(&plan, json!({"who": who, "reset": reset})).await.output().clone();
    for used in 1..=3 {
        assert_eq!(ask("ada", false).await, json!({"allowed": true, "used": used}));
    }
    assert_eq!(ask("ada", false).await, json!({"allowed": false, "used": 3}));
    assert_eq!(ask("ben", false).await, json!({"allowed": true, "used": 1}), "each has a count of their own");
    assert_eq!(ask("ada", true).await, json!({"allowed": true, "used": 1}), "forgotten, and counted anew");
    clock.advance_to(clock.now() + 86_400_000);
    assert_eq!(ask("ben", false).await, json!({"allowed": true, "used": 1}), "a day has passed");
}
