//! The course of one world, driven by one thread from one seed: its faults, its healing, its verdict.

use std::sync::Arc;

use mainspring_model::clock::Millis;

use super::agenda::BEGIN;
use super::database::Sabotage;
use super::dice::Dice;
use super::faults;
use super::judge::Count;
use super::node::Node;
use super::scenario::{LENGTH, Request, Scenario};
use super::trace::Trace;
use super::world::{NODES, World};

/// All runs end within this after the faults have stopped.
const SETTLE: Millis = 240_000;

/// What callers ask for in each world.
const REQUESTS: usize = 30;

/// How a world went.
pub struct Outcome {
    pub broken: Vec<String>,
    pub digest: (u64, u64),
    pub count: Count,
    pub acks: usize,
    pub runs: usize,
    pub about: String,
}

/// Lives a world through whose faults are drawn from its seed.
pub fn live(seed: u64, sabotage: Option<Sabotage>, print: bool) -> Outcome {
    let dice = Dice::new(seed);
    let scenario = Scenario::new(&mut dice.fork("scenario"), REQUESTS);
    let world = World::new(seed, sabotage, print);
    faults::plan(&world, &mut dice.fork("faults"));
    run(&world, &dice, &scenario)
}

/// Lives a world through in which one run is asked for and nothing happens but what `script` puts on its agenda.
pub fn scripted(request: Request, script: impl FnOnce(&Arc<World>)) -> Outcome {
    let world = World::new(0, None, false);
    script(&world);
    run(&world, &Dice::new(0), &Scenario { schedules: Vec::new(), requests: vec![request] })
}

fn run(world: &Arc<World>, dice: &Dice, scenario: &Scenario) -> Outcome {
    scenario.fill(&mut world.database());
    *world.open.lock().unwrap() = scenario.requests.iter().cloned().map(Some).collect();
    for request in &scenario.requests {
        let no = request.no;
        world.agenda.at(request.at, move |world| world.ask(no));
    }
    let mut nodes: [Option<Node>; NODES] = Default::default();
    for node in 0..NODES {
        world.slot(node).born = true;
        world.disturb(Some(node), BEGIN + 5_000);
    }
    for n in 1..(LENGTH + SETTLE) / 10_000 {
        world.agenda.at(BEGIN + n * 10_000, |world| {
            let lives: Vec<Option<u32>> = (0..NODES).map(|node| world.life(node)).collect();
            let now = world.agenda.now();
            world.judge().check_orphans(&world.database(), &lives, now);
        });
    }
    let end = BEGIN + LENGTH;
    loop {
        turn(world, &mut nodes, dice.fork("nodes"));
        let now = world.agenda.now();
        let over = now >= end && world.is_settled() || now >= end + SETTLE || !world.judge().broken.is_empty();
        let Some(next) = world.agenda.next().filter(|_| !over) else { break };
        while let Some(event) = world.agenda.take(next) {
            event(world);
        }
    }
    drop(nodes);
    let stopped = world.agenda.now();
    if world.judge().broken.is_empty() {
        world.judge().conclude(&world.database(), scenario, stopped.min(end));
    }
    let judge = world.judge();
    let trace = world.trace.lock().unwrap();
    let about = judge.broken.first().map(|broken| about(broken, &trace)).unwrap_or_default();
    Outcome {
        broken: judge.broken.clone(),
        digest: trace.digest(),
        count: judge.count,
        acks: judge.acks.len(),
        runs: judge.runs.len(),
        about,
    }
}

/// The trace's lines on the run that a broken promise names.
fn about(broken: &str, trace: &Trace) -> String {
    let run = broken.split_whitespace().find(|word| word.len() >= 36).map(|word| word.trim_matches(|c: char| !c.is_ascii_hexdigit()));
    trace.about(run.unwrap_or("node"))
}

/// Gives every node that something happened to its turn, until nothing more happens at this moment.
fn turn(world: &Arc<World>, nodes: &mut [Option<Node>; NODES], dice: Dice) {
    for (n, node) in nodes.iter_mut().enumerate() {
        let (doomed, born) = {
            let mut slot = world.slot(n);
            (std::mem::take(&mut slot.doomed), std::mem::take(&mut slot.born))
        };
        if doomed {
            *node = None;
            world.slot(n).life = None;
        }
        if born && node.is_none() {
            let life = {
                let mut slot = world.slot(n);
                slot.lives += 1;
                slot.life = Some(slot.lives);
                (slot.listener, slot.callers) = (None, None);
                slot.touched = true;
                slot.lives
            };
            world.note(format!("node {n} life {life} begins"));
            *node = Some(Node::new(world, n, life, &dice));
        }
        if world.is_paused(n) {
            continue;
        }
        let touched = std::mem::take(&mut world.slot(n).touched);
        if touched && let Some(living) = node {
            living.turn();
            // It may have died in this turn.
            if std::mem::take(&mut world.slot(n).doomed) {
                world.slot(n).life = None;
                *node = None;
            }
        }
    }
}
