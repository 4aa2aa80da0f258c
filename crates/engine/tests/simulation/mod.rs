//! R6, the deterministic simulation: whole worlds of three nodes, one database and many faults, each drawn from a seed.
//!
//! The nodes run the real engine; time, the store and the services are simulated, so that a seed gives the same world again.
//! `MAINSPRING_SIM_SEED=x` replays one seed with its trace; `cargo x chaos sim --seeds N` soaks.

mod actions;
mod agenda;
mod bursts;
mod course;
mod database;
mod dice;
mod faults;
mod holding;
mod judge;
mod node;
mod scenario;
mod scripts;
mod store;
mod tables;
mod trace;
mod verdict;
mod weather;
mod world;

use course::{Outcome, live};
use database::Sabotage;

const SEEDS: u64 = 300;
const REPLAYED: u64 = 20;
/// A broken store is found within so many seeds.
const PATIENCE: u64 = 40;

fn asked(variable: &str) -> Option<u64> {
    #[expect(clippy::disallowed_methods, reason = "a test binary takes no arguments of its own")]
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

fn insist(seed: u64, outcome: &Outcome) {
    let broken = outcome.broken.iter().take(10).cloned().collect::<Vec<_>>().join("\n");
    assert!(
        outcome.broken.is_empty(),
        "seed {seed}: {} broken promises; MAINSPRING_SIM_SEED={seed} shows all of it\n{broken}\n{}",
        outcome.broken.len(),
        outcome.about
    );
}

#[test]
fn three_hundred_worlds_keep_every_promise() {
    if let Some(seed) = asked("MAINSPRING_SIM_SEED") {
        let outcome = live(seed, None, true);
        println!("seed {seed}: {:?}, {} runs, {} acknowledged, trace {:016x}", outcome.count, outcome.runs, outcome.acks, outcome.digest.0);
        return insist(seed, &outcome);
    }
    let seeds = asked("MAINSPRING_SIM_SEEDS").unwrap_or(SEEDS);
    let mut sum = judge::Count::default();
    let (mut acks, mut runs, mut fewest) = (0, 0, u32::MAX);
    for seed in 1..=seeds {
        let outcome = live(seed, None, false);
        insist(seed, &outcome);
        let count = outcome.count;
        fewest = fewest.min(count.faults);
        acks += outcome.acks;
        runs += outcome.runs;
        sum.faults += count.faults;
        sum.commits += count.commits;
        sum.late += count.late;
        sum.calls += count.calls;
        sum.sweeps += count.sweeps;
        sum.takeovers += count.takeovers;
        sum.merged += count.merged;
    }
    println!("R6: {seeds} seeds, {runs} runs, {acks} acknowledged, at least {fewest} faults each, in all {sum:?}");
    // Against empty passes.
    assert!(fewest >= faults::FEWEST, "a world had {fewest} faults");
    let seeds = u32::try_from(seeds).unwrap();
    assert!(acks >= 15 * seeds as usize && sum.calls > 60 * seeds, "too little work: {acks} acknowledged, {sum:?}");
    assert!(sum.merged > seeds / 2, "firings did not meet: {sum:?}");
    assert!(sum.late > seeds && sum.sweeps > 7 * seeds && sum.takeovers > 3 * seeds, "the faults hit nothing: {sum:?}");
}

#[test]
fn a_seed_gives_the_same_world_again() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 1..=REPLAYED {
        let (first, second) = (live(seed, None, false), live(seed, None, false));
        assert_eq!(first.digest, second.digest, "seed {seed} went another way the second time");
        seen.insert(first.digest);
    }
    assert_eq!(seen.len() as u64, REPLAYED, "different seeds give different worlds");
}

/// The broken store breaks a promise of one of these kinds, soon.
fn is_found(sabotage: Sabotage, kinds: &[&str]) {
    for seed in 1..=PATIENCE {
        let outcome = live(seed, Some(sabotage), false);
        if let Some(first) = outcome.broken.first() {
            println!("{sabotage:?} was found by seed {seed}: {first}");
            assert!(kinds.iter().any(|kind| first.starts_with(kind)), "{sabotage:?} was found as something else: {first}");
            return;
        }
    }
    panic!("{sabotage:?} was not found within {PATIENCE} seeds");
}

#[test]
fn missing_fences_are_found() {
    is_found(Sabotage::NoFencing, &["stale"]);
}

#[test]
fn slots_with_two_runs_are_found() {
    is_found(Sabotage::NoSlotKey, &["slot twice"]);
}

#[test]
fn answers_before_the_commit_are_found() {
    is_found(Sabotage::EarlyDone, &["effect before its grounds", "lost"]);
}

#[test]
fn a_sweep_that_loses_runs_is_found() {
    is_found(Sabotage::SweepLosesRuns, &["orphan", "not ended"]);
}

#[test]
fn leases_by_the_clocks_of_nodes_are_found() {
    is_found(Sabotage::NodeClockLeases, &["effect of a stranger", "healthy node swept", "orphan"]);
}

#[test]
fn parents_that_nobody_wakes_are_found() {
    is_found(Sabotage::NoWake, &["not ended"]);
}

#[test]
fn keys_with_two_runs_are_found() {
    is_found(Sabotage::NoUniqueKey, &["key twice"]);
}

#[test]
fn claims_that_are_forgotten_are_found() {
    is_found(Sabotage::ClaimsForgotten, &["not ended"]);
}

#[test]
fn nodes_that_trust_a_lease_that_is_over_are_found() {
    is_found(Sabotage::NoSelfFencing, &["effect of a stranger"]);
}

#[test]
fn timers_by_the_clocks_of_nodes_are_found() {
    is_found(Sabotage::MachineClock, &["early"]);
}
