//! Worlds with one run and one fault, each at the moment that once broke a promise: what the seeds found, without the seeds.

use std::sync::Arc;

use mainspring_model::clock::Millis;
use mainspring_model::run::RunStatus;

use super::agenda::BEGIN;
use super::course::{Outcome, scripted};
use super::database::{Database, Row};
use super::holding::LEASE;
use super::node::Asked;
use super::scenario::{FLOW, ONCE, PARENT, Request};
use super::world::{NODES, World};

const ASKED: Millis = BEGIN + 5_000;

/// A caller who repeats the request until somebody answers.
fn request(plan: usize) -> Request {
    Request { no: 0, plan, key: Some("caller".to_owned()), at: ASKED, cancel_after: None }
}

fn kept(outcome: &Outcome) {
    assert!(outcome.broken.is_empty(), "{}\n{}", outcome.broken.join("\n"), outcome.about);
    assert!(outcome.acks > 0, "nobody was answered");
}

/// Does something at the first millisecond in which the one run stands so.
fn when(world: &Arc<World>, stands: fn(&Row) -> bool, after: Millis, act: fn(&Arc<World>, holder: usize)) {
    world.agenda.at(world.agenda.now() + 1, move |world| {
        let holder = first(&world.database()).filter(|row| stands(row)).map(|row| row.epoch);
        match holder {
            None => when(world, stands, after, act),
            Some(epoch) => {
                let node = (0..NODES).find(|node| world.slot(*node).epoch == epoch).unwrap_or(0);
                world.agenda.at(world.agenda.now() + after, move |world| act(world, node));
            }
        }
    });
}

fn first(database: &Database) -> Option<&Row> {
    database.runs.first_key_value().map(|(_, row)| row)
}

fn outage(world: &Arc<World>, _: usize) {
    world.weather().outage_until = world.agenda.now() + 3_500;
}

fn lose_answers(world: &Arc<World>, times: u32) {
    for node in 0..NODES {
        world.weather().torn.insert(node, times);
    }
}

#[test]
fn a_run_whose_first_answer_was_lost_is_driven() {
    kept(&scripted(request(FLOW), |world| lose_answers(world, 1)));
}

#[test]
fn rows_whose_answer_was_lost_are_not_written_again() {
    for times in [1, 2, 3] {
        kept(&scripted(request(FLOW), move |world| when(world, |_| true, times, |world, _| lose_answers(world, 3))));
    }
}

#[test]
fn a_node_that_was_swept_acknowledges_nothing() {
    let outcome = scripted(request(FLOW), |world| {
        world.agenda.at(ASKED - 1, |world| {
            let (now, mut database) = (world.agenda.now(), world.database());
            let swept = database.sweep(now + 2 * LEASE);
            assert_eq!(swept.len(), NODES);
            for node in 0..NODES {
                world.disturb(Some(node), now + LEASE);
            }
            world.judge().swept(&swept, &database, now);
        });
    });
    assert!(outcome.count.late > 0, "no write was too late");
    kept(&outcome);
}

#[test]
fn a_claimed_run_that_cannot_be_read_is_given_back() {
    let taken_up =
        |row: &Row| row.status == RunStatus::Running && row.journal.last().is_some_and(|row| row.kind == "waiting") && row.due_at.is_none();
    for after in 0..3 {
        kept(&scripted(request(FLOW), move |world| {
            // Slow enough that the outage comes between the claim and the reading.
            world.weather().slow = (BEGIN + 120_000, 60);
            when(world, taken_up, after, outage);
        }));
    }
}

#[test]
fn an_outage_fails_no_step() {
    for plan in [FLOW, PARENT] {
        for after in 0..12 {
            kept(&scripted(request(plan), move |world| when(world, |_| true, after, outage)));
        }
    }
}

#[test]
fn a_process_that_drains_fails_no_parent() {
    for after in 0..12 {
        kept(&scripted(request(PARENT), move |world| {
            when(
                world,
                |_| true,
                after,
                |world, holder| {
                    assert!(world.tell(holder, Asked::Drain));
                },
            );
        }));
    }
}

#[test]
fn a_process_that_drains_begins_no_once_step() {
    // The look before it is under way, and ends before or after the process has given it up.
    for after in (0..7_000).step_by(500) {
        kept(&scripted(request(ONCE), move |world| {
            when(
                world,
                |_| true,
                after,
                |world, holder| {
                    world.tell(holder, Asked::Drain);
                },
            );
        }));
    }
}

#[test]
fn a_process_that_was_stopped_for_longer_than_its_lease_begins_nothing() {
    // Between two attempts, in one, or in the pause before the next: whoever took the run over makes its calls alone.
    for after in (0..12_000).step_by(500) {
        let outcome = scripted(request(FLOW), move |world| {
            when(
                world,
                |_| true,
                after,
                |world, holder| {
                    let until = world.agenda.now() + 2 * LEASE;
                    world.pause(holder, until);
                    world.disturb(Some(holder), until + LEASE);
                    world.agenda.at(until, move |world| world.touch(holder));
                },
            );
        });
        assert!(outcome.count.sweeps > 0, "nobody took it for dead");
        kept(&outcome);
    }
}
