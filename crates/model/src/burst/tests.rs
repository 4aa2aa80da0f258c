//! The rules of bursts, by cases and over random courses.

use uuid::Uuid;

use super::*;

const QUIET: Gather = Gather::Debounce { quiet: 30, most: Some(100) };

fn id(n: usize) -> RunId {
    RunId(Uuid::from_u128(n as u128))
}

fn firings(at: &[Millis]) -> Vec<Firing> {
    at.iter().enumerate().map(|(n, at)| Firing { id: id(n), at: *at, bytes: 10 }).collect()
}

fn open(gather: Gather, firings: &[Firing]) -> Option<Open> {
    firings.iter().fold(None, |open, firing| Some(gather.arrive(open, firing.bytes, firing.at)))
}

#[test]
fn a_debounce_waits_for_quiet_and_at_most_so_long_after_the_first() {
    let due = |at: &[Millis]| open(QUIET, &firings(at)).unwrap().due_at;
    assert_eq!([due(&[5]), due(&[5, 20]), due(&[5, 20, 49, 78]), due(&[5, 20, 49, 78, 104])], [35, 50, 105, 105]);
    let patient = Gather::Debounce { quiet: 30, most: None };
    assert_eq!(open(patient, &firings(&[5, 20, 49, 78, 104])).unwrap().due_at, 134);
    let closed = QUIET.close(&firings(&[5, 20, 49])).unwrap();
    assert_eq!(closed, Closing { begins: id(2), merged: vec![id(0), id(1)], left: None });
    assert_eq!(QUIET.close(&[]), None);
}

#[test]
fn a_batch_is_due_when_it_is_full_or_its_time_is_over() {
    let gather = Gather::Batch { size: 3, within: 60 };
    let due = |at: &[Millis]| open(gather, &firings(at)).unwrap().due_at;
    assert_eq!([due(&[5]), due(&[5, 20]), due(&[5, 20, 49])], [65, 65, 49]);
    let closed = gather.close(&firings(&[5, 20, 49, 50])).unwrap();
    assert_eq!((closed.begins, closed.merged), (id(0), vec![id(1), id(2)]), "the oldest begins, and no more than fit");
    assert_eq!(closed.left, Some(Open { opened_at: 50, due_at: 110, firings: 1, bytes: 10 }));
    assert_eq!(gather.close(&[]), None);
}

#[test]
fn a_batch_has_a_bound_in_bytes() {
    let gather = Gather::Batch { size: 100, within: 60 };
    let large = |n: usize, bytes: u64| Firing { id: id(n), at: 5, bytes };
    let all = [large(0, MOST_BATCH_BYTES - 1), large(1, 1), large(2, 1)];
    assert_eq!(open(gather, &all[..1]).unwrap().due_at, 65);
    assert_eq!(open(gather, &all[..2]).unwrap().due_at, 5, "it is full");
    let closed = gather.close(&all).unwrap();
    assert_eq!((closed.merged, closed.left.unwrap().firings), (vec![id(1)], 1));
    let closed = gather.close(&[large(0, 9 * MOST_BATCH_BYTES), large(1, 1)]).unwrap();
    assert_eq!((closed.begins, closed.merged.len()), (id(0), 0), "one that is too large has a run to itself");
}

/// Whatever comes when: each firing ends in exactly one burst, no burst is too large or lasts too long.
#[test]
fn no_course_of_firings_loses_one_or_keeps_it_too_long() {
    let mut dice = 11_u64;
    let mut roll = |sides: i64| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from((dice >> 33) % u64::try_from(sides).unwrap()).unwrap()
    };
    for course in 0..400 {
        let gather = match course % 3 {
            0 => Gather::Debounce { quiet: 1 + roll(20), most: None },
            1 => Gather::Debounce { quiet: 1 + roll(20), most: Some(1 + roll(60)) },
            _ => Gather::Batch { size: u32::try_from(1 + roll(6)).unwrap(), within: 1 + roll(40) },
        };
        let late = roll(15);
        let (mut now, mut held, mut state, mut seen) = (0, Vec::<Firing>::new(), None::<Open>, Vec::<RunId>::new());
        for n in 0..60 {
            now += roll(12);
            let close = |held: &mut Vec<Firing>, state: &mut Option<Open>, now: Millis, seen: &mut Vec<RunId>| {
                while state.is_some_and(|open| open.due_at <= now) {
                    // One that was cancelled has left.
                    let Some(closing) = gather.close(held) else {
                        *state = None;
                        break;
                    };
                    let gone: Vec<RunId> = closing.merged.iter().copied().chain([closing.begins]).collect();
                    let first = held.iter().find(|firing| gone.contains(&firing.id)).expect("one of those held").at;
                    let last = held.iter().rev().find(|firing| gone.contains(&firing.id)).expect("one of those held").at;
                    match gather {
                        Gather::Debounce { quiet, most } => {
                            assert_eq!(held.last().map(|firing| firing.id), Some(closing.begins));
                            assert!(now >= (last + quiet).min(first + most.unwrap_or(Millis::MAX / 2)), "it did not wait");
                        }
                        Gather::Batch { size, within } => {
                            assert_eq!(held.first().map(|firing| firing.id), Some(closing.begins));
                            assert!(gone.len() <= size as usize);
                            assert!(gone.len() == size as usize || now >= first + within, "it is neither full nor due");
                        }
                    }
                    held.retain(|firing| !gone.contains(&firing.id));
                    seen.extend(gone);
                    *state = closing.left;
                    assert_eq!(state.map_or(0, |open| open.firings as usize), held.len());
                }
            };
            close(&mut held, &mut state, now - late, &mut seen);
            held.push(Firing { id: id(n), at: now, bytes: 1 });
            state = Some(gather.arrive(state, 1, now));
            if roll(2) == 0 {
                close(&mut held, &mut state, now, &mut seen);
            }
            if n == 59 {
                close(&mut held, &mut state, now + 1_000, &mut seen);
            }
        }
        assert!(held.is_empty() && state.is_none());
        seen.sort_unstable();
        assert_eq!(seen, (0..60).map(id).collect::<Vec<_>>());
    }
}

#[test]
fn a_batch_has_its_firings_in_order_and_goes_back_to_all_of_their_plans() {
    let firing = |n: u32, chain: Value| json!({"id": "hook", "type": "plan_finished", "n": n, "chain": chain, "note": n});
    let root = batch_trigger(&[firing(1, json!(["a"])), firing(2, json!(["b", "a"]))], &["note"]);
    assert_eq!(
        root,
        json!({"id": "hook", "type": "plan_finished", "note": 1, "chain": ["a", "b"], "batch": [
            {"id": "hook", "type": "plan_finished", "n": 1, "chain": ["a"]},
            {"id": "hook", "type": "plan_finished", "n": 2, "chain": ["b", "a"]},
        ]})
    );
}

#[test]
fn keys_differ_by_plan_trigger_and_kind() {
    let plan = PlanId(Uuid::from_u128(1));
    let keys = [
        burst_key(plan, "a", Gathered::Batch, &Value::Null),
        burst_key(plan, "b", Gathered::Batch, &Value::Null),
        burst_key(plan, "a", Gathered::Debounce, &Value::Null),
        burst_key(plan, "a", Gathered::Batch, &json!("x")),
        crate::flow::key_of(plan, &Value::Null),
    ];
    assert_eq!(keys.iter().collect::<std::collections::HashSet<_>>().len(), keys.len());
}
