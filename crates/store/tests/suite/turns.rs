//! Turns under the rate of a step: never more calls than the limit in any window, in the order in which they came, whoever asks.

use mainspring_model::clock::Millis;
use mainspring_model::id::{Owner, RunId};
use mainspring_model::rate::{LATE, Turn, TurnAsk, Waiter};
use mainspring_model::run::RunStatus;

use super::make::{World, owner};

fn ask(key: &str, limit: u32, window: Millis, waits: Option<(RunId, &str)>) -> TurnAsk {
    let waits = waits.map(|(run, path)| Waiter::of(run, path));
    TurnAsk { org: Owner::LOCAL.org, key: key.to_owned(), limit, window, waits }
}

pub async fn calls_wait_in_line_and_never_exceed_the_limit(world: &World) {
    let run = world.held().await;
    let take = async |path: &str| world.store.take_turn(&ask("k", 2, 1_000, Some((run, path)))).await.unwrap();
    let start = world.now();
    assert_eq!((take("a").await, take("b").await), (Turn::Now, Turn::Now));
    assert_eq!(
        (take("c").await, take("d").await, take("e").await),
        (Turn::At(start + 1_000), Turn::At(start + 1_000), Turn::At(start + 2_000))
    );
    assert_eq!(take("c").await, Turn::At(start + 1_000), "asking again keeps the place");
    world.pass(1_000);
    assert_eq!(take("e").await, Turn::At(start + 2_000), "those before it are due");
    world.pass(100);
    assert_eq!((take("d").await, take("c").await), (Turn::Now, Turn::Now));
    world.pass(900);
    assert_eq!(take("e").await, Turn::At(start + 2_100), "the others began late");
    world.pass(100);
    assert_eq!(take("e").await, Turn::Now);
    // What was let begin and is asked for again, after a crash, is another call.
    assert_eq!(take("e").await, Turn::Now);
    assert_eq!(take("e").await, Turn::At(start + 3_100));
    let other = TurnAsk { org: owner(7).org, ..ask("k", 2, 1_000, None) };
    assert_eq!(world.store.take_turn(&other).await.unwrap(), Turn::Now, "another organization's calls are its own");
    assert_eq!(world.store.take_turn(&ask("l", 2, 1_000, None)).await.unwrap(), Turn::Now);
    // Who does not wait leaves no place behind.
    assert_eq!(world.store.take_turn(&ask("k", 2, 1_000, None)).await.unwrap(), Turn::At(start + 3_100));
    assert_eq!(world.store.take_turn(&ask("k", 2, 1_000, None)).await.unwrap(), Turn::At(start + 3_100));
}

pub async fn who_does_not_come_is_passed_over_and_a_run_gives_its_places_up(world: &World) {
    let (one, two) = (world.held().await, world.held().await);
    let take = async |run: RunId, path: &str| world.store.take_turn(&ask("k", 1, 1_000, Some((run, path)))).await.unwrap();
    let start = world.now();
    take(one, "a").await;
    assert_eq!((take(one, "b").await, take(two, "c").await), (Turn::At(start + 1_000), Turn::At(start + 2_000)));
    world.pass(1_500);
    assert_eq!(take(two, "c").await, Turn::At(start + 2_500));
    world.pass(LATE);
    assert_eq!(take(two, "c").await, Turn::Now);
    assert_eq!(take(one, "b").await, Turn::At(start + 1_500 + LATE + 1_000));
    assert_eq!(take(two, "d").await, Turn::At(start + 1_500 + LATE + 2_000));
    world.store.forget_turns(Owner::LOCAL.org, one).await.unwrap();
    assert_eq!(take(two, "d").await, Turn::At(start + 1_500 + LATE + 1_000), "there is nobody before it any more");
}

pub async fn many_who_ask_at_once_are_let_begin_one_by_one(world: &World) {
    let run = world.held().await;
    let ask = |n: u32| ask("k", 7, 60_000, Some((run, &*format!("l[{n}]"))));
    let all = (0..40).map(|n| {
        let (store, ask) = (world.store.clone(), ask(n));
        tokio::spawn(async move { store.take_turn(&ask).await.unwrap() })
    });
    let mut answers = Vec::new();
    for answer in all.collect::<Vec<_>>() {
        answers.push(answer.await.unwrap());
    }
    answers.sort_unstable_by_key(|turn| match turn {
        Turn::Now => 0,
        Turn::At(at) => *at,
    });
    let start = world.now();
    let expected: Vec<Turn> = (0..40).map(|n| if n < 7 { Turn::Now } else { Turn::At(start + n / 7 * 60_000) }).collect();
    assert_eq!(answers, expected);
}

pub async fn what_is_not_counted_any_more_goes(world: &World) {
    let (run, ended) = (world.held().await, world.ended(RunStatus::Success).await);
    let take = async |run: RunId, path: &str| world.store.take_turn(&ask("k", 1, 1_000, Some((run, path)))).await.unwrap();
    take(run, "a").await;
    take(ended, "b").await;
    take(RunId(world.uuid()), "c").await;
    take(run, "d").await;
    assert_eq!(world.store.prune_turns(100).await.unwrap(), 2, "places of runs that have ended or never were");
    world.pass(1_000);
    assert_eq!(world.store.prune_turns(100).await.unwrap(), 1, "the call that is not counted any more");
    assert_eq!(world.store.prune_turns(100).await.unwrap(), 0);
    world.pass(10_000);
    assert_eq!(take(run, "d").await, Turn::Now);
}
