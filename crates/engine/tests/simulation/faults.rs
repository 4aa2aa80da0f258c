//! The faults of one world: which, when and whom, drawn from its seed before it begins.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use mainspring_model::clock::Millis;

use super::agenda::BEGIN;
use super::dice::Dice;
use super::holding::LEASE;
use super::node::Asked;
use super::scenario::LIVELY;
use super::weather::{At, GIVE_UP};
use super::world::{NODES, World};

/// At least so many in each world.
pub const FEWEST: u32 = 20;

#[derive(Clone, Copy, Debug)]
enum Fault {
    /// The process dies now.
    Crash(usize),
    /// It dies at its next commit.
    CrashAtCommit(usize, At),
    /// So many of its next commits and claims happen and are answered with an error.
    Torn(usize, u32),
    /// It and the database do not hear each other.
    Partition(usize, Millis),
    /// The database is not there.
    Outage(Millis),
    /// Every request takes up to so much longer.
    Slow(Millis, Millis),
    /// Requests overtake one another.
    Shuffle(Millis),
    /// It is told to end, and another process takes its place.
    Drain(usize),
    /// None of its tasks run.
    Pause(usize, Millis),
    /// Its clock is set.
    Clock(usize, Millis),
    /// The services that actions call are in trouble.
    BadWorld(Millis),
    /// All processes die.
    RestartAll,
}

fn draw(dice: &mut Dice) -> Fault {
    let node = dice.index(NODES);
    match dice.between(0, 22) {
        0..=2 => Fault::Crash(node),
        3..=4 => Fault::CrashAtCommit(node, At::Before),
        5..=6 => Fault::CrashAtCommit(node, At::After),
        7..=9 => Fault::Torn(node, u32::try_from(dice.between(1, 3)).unwrap()),
        10..=11 => Fault::Partition(node, dice.between(1_000, 3 * LEASE)),
        12..=13 => Fault::Outage(dice.between(200, 12_000)),
        14 => Fault::Slow(dice.between(2_000, 20_000), dice.between(50, 2_500)),
        15..=16 => Fault::Shuffle(dice.between(5_000, 40_000)),
        17 => Fault::Pause(node, dice.between(LEASE, 3 * LEASE)),
        18 => Fault::Clock(node, dice.between(-600_000, 600_000)),
        19 => Fault::Clock(node, if dice.percent(50) { 3_600_000 } else { -3_600_000 }),
        20 => Fault::BadWorld(dice.between(3_000, 20_000)),
        21 => Fault::Drain(node),
        _ => Fault::RestartAll,
    }
}

/// Puts the world's faults on its agenda. Clocks are off from the beginning on two of the nodes.
pub fn plan(world: &Arc<World>, dice: &mut Dice) {
    for (node, slot) in world.slots.iter().enumerate().skip(1) {
        let off = dice.between(-600_000, 600_000);
        slot.skew.store(off, Ordering::SeqCst);
        world.note(format!("node {node} clock is off by {off}"));
    }
    for _ in 0..dice.between(i64::from(FEWEST), i64::from(FEWEST) + 8) {
        let (when, fault) = (BEGIN + dice.between(5_000, LIVELY - 3 * LEASE), draw(dice));
        world.agenda.at(when, move |world| strike(world, fault));
    }
}

fn strike(world: &Arc<World>, fault: Fault) {
    let now = world.agenda.now();
    world.note(format!("fault {fault:?}"));
    world.judge().count.faults += 1;
    match fault {
        Fault::Crash(node) => {
            if let Some(life) = world.life(node) {
                world.kill(node, life, "of a crash");
            }
        }
        Fault::CrashAtCommit(node, at) => drop(world.weather().doomed.insert(node, at)),
        Fault::Torn(node, times) => *world.weather().torn.entry(node).or_default() += times,
        Fault::Partition(node, length) => {
            world.weather().cut_until.insert(node, now + length);
            world.disturb(Some(node), now + length + 2 * GIVE_UP);
        }
        Fault::Outage(length) => {
            let mut weather = world.weather();
            weather.outage_until = weather.outage_until.max(now + length);
            world.disturb(None, now + length + GIVE_UP);
        }
        Fault::Slow(length, most) => {
            world.weather().slow = (now + length, most);
            world.disturb(None, now + length + 2 * most);
        }
        Fault::Shuffle(length) => world.weather().shuffled_until = now + length,
        Fault::Drain(node) => {
            world.tell(node, Asked::Drain);
            world.disturb(Some(node), now + 20_000);
        }
        Fault::Pause(node, length) => {
            world.pause(node, now + length);
            world.disturb(Some(node), now + length + GIVE_UP);
            world.agenda.at(now + length, move |world| world.touch(node));
        }
        Fault::Clock(node, off) => {
            let skew = &world.slots[node].skew;
            // A jump is by so much; setting is to so much.
            let to = if off.abs() == 3_600_000 { skew.load(Ordering::SeqCst) + off } else { off };
            skew.store(to, Ordering::SeqCst);
        }
        Fault::BadWorld(length) => world.weather().world_bad_until = now + length,
        Fault::RestartAll => {
            for node in 0..NODES {
                if let Some(life) = world.life(node) {
                    world.kill(node, life, "in a restart of all");
                }
            }
        }
    }
}
