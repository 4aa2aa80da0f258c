//! A crash after each journal write: the resumed run ends in the same state as the one that never crashed.

use mainspring_model::event::{Event, EventBody};

use crate::world::{Life, header, plan};

/// A `once` attempt began and its end is not in the journal.
fn open_once(history: &[Event]) -> bool {
    let begun = |event: &&Event| matches!(&event.body, EventBody::Started(started) if started.once);
    history.last().as_ref().is_some_and(begun)
}

/// Stops after each event in turn, replays, and lives on.
pub fn at_every_event(text: &str, whole: &Life) {
    let plan = plan(text);
    let header = header(whole.run.header().inputs.clone());
    let expected = whole.render();
    for events in 0..whole.history.len() {
        let history = whole.history[..events].to_vec();
        let mut life = Life::resumed(plan.clone(), header.clone(), history, Default::default());
        life.signals.clone_from(&whole.signals);
        life.live(usize::MAX);
        if open_once(&whole.history[..events]) {
            assert!(life.render().contains("= needs_decision"), "{}", life.render());
            continue;
        }
        assert!(
            life.render() == expected,
            "after a crash behind event {events} of\n{text}\n{}instead of\n{expected}{:#?}\nwhole: {:#?}",
            life.render(),
            life.history,
            whole.history
        );
        // The journal that was there is never rewritten.
        assert_eq!(life.history[..events], whole.history[..events]);
    }
    crate::replays::after_every_event(text, whole);
    // And the whole journal replays to the end.
    let life = Life::resumed(plan, header, whole.history.clone(), Default::default());
    assert_eq!(life.render(), expected);
    assert!(life.run.is_finished());
}
