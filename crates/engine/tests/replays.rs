//! Replays: what ended well is not done again, and the rest goes on from there, whatever the plan and wherever the run stopped.

use std::collections::BTreeMap;
use std::sync::Arc;

use mainspring_engine::run::{Again, Unkept, keep};
use mainspring_model::Effected;
use mainspring_model::event::{AttemptStatus, Event, EventBody};
use mainspring_model::plan::Plan;
use serde_json::{Value, json};

use crate::world::{Life, header, plan};

fn numbered(bodies: Vec<EventBody>) -> Vec<Event> {
    bodies.into_iter().zip(1..).map(|(body, seq)| Event { seq, at: 0, body }).collect()
}

/// The life of the replay, in a world where nothing fails any more.
fn replayed(plan: &Arc<Plan>, inputs: Value, history: &[Event], again: &Again) -> Result<Life, Unkept> {
    let kept = keep(plan, history, again, &BTreeMap::new())?;
    let mut life = Life::resumed(plan.clone(), header(inputs), numbered(kept.events), Arc::default());
    life.healed = true;
    Ok(life)
}

fn ended_well(history: &[Event]) -> impl Iterator<Item = &str> {
    history.iter().filter_map(|event| match &event.body {
        EventBody::Attempted(attempted) if attempted.status == AttemptStatus::Success => Some(attempted.path.as_str()),
        _ => None,
    })
}

/// Retries the run as it was after each of its events: the kept part is a journal that fits, and nothing of it is called again.
pub fn after_every_event(text: &str, whole: &Life) {
    let plan = plan(text);
    for events in 0..=whole.history.len() {
        let Ok(mut life) = replayed(&plan, whole.run.header().inputs.clone(), &whole.history[..events], &Again::Failed) else { continue };
        let kept = life.history.len();
        life.signals.clone_from(&whole.signals);
        life.live(usize::MAX);
        assert!(life.run.is_finished(), "{text}\n{:#?}", life.history);
        let began_again = |event: &Event| matches!(&event.body, EventBody::BodyFailed { retry_at: Some(_), .. });
        if !life.history.iter().any(began_again) {
            for path in ended_well(&life.history[..kept]) {
                assert_eq!(life.calls(path), 0, "\"{path}\" was done again, after event {events} of\n{text}\n{:#?}", life.history);
            }
        }
    }
}

fn failed(text: &str) -> (Arc<Plan>, Life) {
    let plan = plan(text);
    let mut life = Life::new(plan.clone(), header(json!({})));
    life.live(usize::MAX);
    assert!(life.render().contains("= error"), "{}", life.render());
    (plan, life)
}

fn retried(text: &str) -> Life {
    let (plan, life) = failed(text);
    let mut retried = replayed(&plan, json!({}), &life.history, &Again::Failed).unwrap();
    retried.live(usize::MAX);
    retried
}

#[test]
fn only_the_items_that_failed_run_again() {
    let life = retried(
        "{name: p, steps: [{id: a, action: t.write}, {id: all, for_each: '[1, 2, 3, 4]', max_parallel: 4, steps: [\
         {id: send, action: t.write, params: {out: '${item}'}}, \
         {id: note, action: t.write, params: {fail: \"${item == 3 ? 'USER_DOWN' : ''}\", out: '${item * 10}'}}]}, {id: z, action: t.write}]}",
    );
    assert_eq!(life.render(), "a success \"a\"\nall success [10,20,30,40]\nz success \"z\"\n= success \"z\"\n");
    let mut called: Vec<_> = life.ledger.lock().unwrap().keys().cloned().collect();
    called.sort();
    assert_eq!(called, ["all[2].note", "z"], "what was sent is not sent again, in the failed item either");
}

#[test]
fn a_failure_that_was_answered_for_stays() {
    let life = retried(
        "{name: p, steps: [{id: a, action: t.write, params: {fail: USER_A}, on_error: continue}, \
         {id: b, action: t.write, params: {fail: USER_B}, on_error: [{id: instead, action: t.write, params: {out: 5}}]}, \
         {id: c, action: t.write, params: {fail: USER_C}}]}",
    );
    assert_eq!(life.render(), "a error USER_A null\nb success 5\nc success \"c\"\n= success \"c\"\n");
    assert_eq!(life.ledger.lock().unwrap().keys().collect::<Vec<_>>(), ["c"]);
}

#[test]
fn a_step_whose_handler_failed_too_is_tried_itself() {
    let life = retried(
        "{name: p, steps: [{id: a, action: t.write, params: {fail: USER_A}, on_error: [{id: told, action: t.write}, \
         {id: mended, action: t.write, params: {fail: USER_B}}]}], on_error: [{id: alarm, action: t.write}]}",
    );
    assert_eq!(life.render(), "a success \"a\"\n= success \"a\"\n");
    assert_eq!((life.calls("a"), life.calls("a.told"), life.calls("alarm")), (1, 0, 0));
}

#[test]
fn a_step_and_what_follows_from_it_run_again() {
    let text = "{name: p, steps: [{id: a, action: t.write}, {id: b, needs: [a], action: t.write}, {id: c, needs: [a], action: t.write}, \
         {id: d, needs: [b, c], action: t.write}]}";
    let plan = plan(text);
    let mut life = Life::new(plan.clone(), header(json!({})));
    life.live(usize::MAX);
    let again = |step: &str| replayed(&plan, json!({}), &life.history, &Again::From(step.to_owned()));
    let mut from = again("b").unwrap();
    from.live(usize::MAX);
    assert_eq!(["a", "b", "c", "d"].map(|step| from.calls(step)), [0, 1, 0, 1]);
    assert_eq!(again("nothing").err(), Some(Unkept::NoStep("nothing".to_owned())));
    let mut all = replayed(&plan, json!({}), &life.history, &Again::All).unwrap();
    all.live(usize::MAX);
    assert_eq!(["a", "b", "c", "d"].map(|step| all.calls(step)), [1, 1, 1, 1]);
}

#[test]
fn somebody_decides_what_became_of_a_step_that_runs_once() {
    let plan = plan(
        "{name: p, steps: [{id: a, action: t.write}, {id: pay, once: true, action: t.write}, {id: z, action: t.read, params: {out: '${steps.pay.output}'}}]}",
    );
    let mut life = Life::new(plan.clone(), header(json!({})));
    // The marker stands in the journal, and the process died.
    life.live(2);
    let mut dead = Life::resumed(plan.clone(), header(json!({})), life.history, Arc::default());
    dead.live(usize::MAX);
    assert!(dead.render().contains("= needs_decision"));
    let decide = |decided: &[(&str, Option<Value>)]| {
        let decided = decided.iter().map(|(path, output)| ((*path).to_owned(), output.clone())).collect();
        keep(&plan, &dead.history, &Again::Failed, &decided)
    };
    assert_eq!(decide(&[]).err(), Some(Unkept::Undecided("pay".to_owned())));
    assert_eq!(decide(&[("a", None), ("pay", None)]).err(), Some(Unkept::NotOpen("a".to_owned())));
    for (output, calls, expected) in [(None, 1, "\"pay\""), (Some(json!(9)), 0, "9")] {
        let kept = decide(&[("pay", output)]).unwrap();
        assert_eq!(kept.unknown.len(), calls, "it keeps its idempotency key when it is tried again");
        let mut life = Life::resumed(plan.clone(), header(json!({})), numbered(kept.events), Arc::default());
        life.live(usize::MAX);
        assert_eq!((life.calls("a"), life.calls("pay") as usize), (0, calls));
        assert!(life.render().ends_with(&format!("= success {expected}\n")), "{}", life.render());
    }
}

/// A refusal that came after a broken connection is an answer: what is tried again then is another request.
#[test]
fn the_last_attempt_says_whether_anybody_heard() {
    let plan = plan("{name: p, steps: [{id: pay, action: t.write, params: {fail: USER_NO}}]}");
    let mut life = Life::new(plan.clone(), header(json!({})));
    life.live(usize::MAX);
    let place = life.history.iter().position(|event| matches!(event.body, EventBody::Attempted(_))).unwrap();
    let with_effects = |effects: &[Effected]| {
        let mut history = life.history[..place].to_vec();
        for effect in effects {
            let mut event = life.history[place].clone();
            let EventBody::Attempted(attempted) = &mut event.body else { unreachable!("looked for above") };
            attempted.error.as_mut().unwrap().effect = *effect;
            history.push(event);
        }
        keep(&plan, &history, &Again::Failed, &BTreeMap::new()).unwrap().unknown
    };
    assert_eq!(with_effects(&[Effected::Unknown, Effected::Sent]), [""; 0]);
    assert_eq!(with_effects(&[Effected::Sent, Effected::Unknown]), ["pay"]);
}
