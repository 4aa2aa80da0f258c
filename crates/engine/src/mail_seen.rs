//! What a trigger that reads mail has seen of its mailbox.
//!
//! A message is known by its UID, which the server gives in rising order and never twice, as long as the mailbox's validity stays. When
//! that changes, UIDs mean other messages: then those are passed over whose `Message-ID` is among the last that were seen, or that came in long
//! before the last look.

use std::collections::VecDeque;

use mainspring_model::clock::Millis;
use mainspring_model::mailbox::{Listed, MailboxState};
use mainspring_model::plan::trigger::PollFirst;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::folder::hash_of;

/// Messages whose `Message-ID` is remembered.
pub(crate) const KNOWN: usize = 1_000;
/// For a mailbox whose validity changed: what came in this long before the last look had its run then.
const SLACK: Millis = 86_400_000;

/// What a trigger that reads mail has seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// Hash of server, user and mailbox: another one is looked at for the first time.
    pub(crate) of: String,
    #[serde(rename = "v")]
    pub(crate) uid_validity: u32,
    /// Of the last message that had its run, or needed none.
    pub(crate) last: u32,
    /// When the last look began that came to the end; 0: none did.
    pub(crate) reached: Millis,
    /// Hashes of the last messages' ids.
    known: VecDeque<String>,
    /// Messages up to this UID may have been seen under another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) recheck: Option<Recheck>,
    /// The message that could not be read, and how often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failed: Option<(u32, u32)>,
    /// Messages that have their runs and are not marked yet, as the connection was lost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) marks: Vec<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Recheck {
    until: u32,
    /// What came in before had its run.
    since: Millis,
}

impl Seen {
    /// Of a mailbox that is looked at for the first time, and the last messages that are there.
    pub(crate) fn first(of: String, state: MailboxState, there: &[Listed], first: PollFirst, now: Millis) -> Seen {
        let mut seen = Seen { of, uid_validity: state.uid_validity, ..Seen::default() };
        if first == PollFirst::Skip {
            let last = there.last().map_or(0, |one| one.uid);
            seen.last = state.uid_next.map_or(last, |next| next - 1);
            seen.reached = now;
            let known = seen.last;
            there.iter().filter(|one| one.uid <= known).for_each(|one| seen.remember(one));
        }
        seen
    }

    /// UIDs mean other messages now. `there`: the last ones.
    pub(crate) fn begin_anew(&mut self, state: MailboxState, there: &[Listed]) {
        self.uid_validity = state.uid_validity;
        self.failed = None;
        self.marks.clear();
        self.last = there.first().map_or(0, |one| one.uid - 1);
        let since = if self.reached == 0 { 0 } else { self.reached - SLACK };
        self.recheck = there.last().map(|last| Recheck { until: last.uid, since });
    }

    /// Whether it had its run under another UID.
    pub(crate) fn had(&self, one: &Listed) -> bool {
        let Some(recheck) = self.recheck.filter(|recheck| one.uid <= recheck.until) else { return false };
        one.received_at.is_some_and(|at| at < recheck.since) || (!one.message_id.is_empty() && self.known.contains(&id_of(one)))
    }

    pub(crate) fn done(&mut self, one: &Listed) {
        self.last = one.uid;
        self.failed = None;
        self.remember(one);
        self.recheck = self.recheck.filter(|recheck| one.uid < recheck.until);
    }

    fn remember(&mut self, one: &Listed) {
        if one.message_id.is_empty() {
            return;
        }
        let id = id_of(one);
        // In a recheck it is among them already; further on is where it belongs.
        if self.recheck.is_some() {
            self.known.retain(|known| *known != id);
        }
        self.known.push_back(id);
        while self.known.len() > KNOWN {
            self.known.pop_front();
        }
    }

    /// How often this message could not be read.
    pub(crate) fn failures(&self, uid: u32) -> u32 {
        self.failed.filter(|(failed, _)| *failed == uid).map_or(0, |(_, times)| times)
    }

    pub(crate) fn value(&self) -> Value {
        serde_json::to_value(self).expect("its keys are text")
    }
}

fn id_of(one: &Listed) -> String {
    let mut hash = hash_of(&[one.message_id.as_bytes()]);
    hash.truncate(16);
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(uid: u32, id: &str, received_at: Millis) -> Listed {
        Listed { uid, size: 1, received_at: Some(received_at), seen: false, message_id: id.to_owned() }
    }

    fn state(uid_validity: u32, uid_next: Option<u32>) -> MailboxState {
        MailboxState { uid_validity, uid_next }
    }

    /// The UIDs of those that start runs.
    fn take(seen: &mut Seen, page: &[Listed]) -> Vec<u32> {
        // As it is kept between looks.
        let mut kept: Seen = serde_json::from_value(seen.value()).unwrap();
        let mut started = Vec::new();
        for one in page {
            if !kept.had(one) {
                started.push(one.uid);
            }
            kept.done(one);
        }
        *seen = kept;
        started
    }

    #[test]
    fn what_is_there_at_first_is_known() {
        let there = [listed(3, "a", 1), listed(7, "b", 2)];
        let seen = |first, next| Seen::first("x".to_owned(), state(1, next), &there, first, 9);
        assert_eq!((seen(PollFirst::Skip, Some(20)).last, seen(PollFirst::Skip, Some(20)).known.len()), (19, 2));
        assert_eq!(seen(PollFirst::Skip, None).last, 7);
        // It came between the opening and the list.
        let raced = seen(PollFirst::Skip, Some(7));
        assert_eq!((raced.last, raced.known.len()), (6, 1));
        let all = seen(PollFirst::All, Some(20));
        assert_eq!((all.last, all.known.len(), all.reached), (0, 0, 0));
    }

    #[test]
    fn a_mailbox_that_was_made_anew_starts_nothing_twice() {
        let day = SLACK;
        let mut seen = Seen::first("x".to_owned(), state(1, Some(3)), &[listed(1, "a", 0), listed(2, "b", 0)], PollFirst::Skip, 10 * day);
        assert_eq!(take(&mut seen, &[listed(3, "c", 10 * day), listed(4, "", 10 * day)]), [3, 4]);
        seen.reached = 10 * day;
        let anew = [
            listed(1, "z", day),
            listed(2, "c", 10 * day),
            listed(3, "b", 10 * day),
            listed(5, "new", 10 * day - 1),
            listed(6, "a", 10 * day),
            listed(7, "old", 9 * day - 1),
        ];
        seen.begin_anew(state(2, Some(8)), &anew);
        assert_eq!((seen.last, seen.uid_validity), (0, 2));
        assert_eq!(take(&mut seen, &anew[..3]), [0; 0], "in two pages");
        assert_eq!(take(&mut seen, &anew[3..]), [5]);
        assert_eq!((seen.recheck, seen.last, seen.known.len()), (None, 7, 6));
        assert_eq!(take(&mut seen, &[listed(8, "a", 0)]), [8], "the same mail once more is another message");
        seen.begin_anew(state(3, None), &[]);
        assert_eq!(take(&mut seen, &[listed(1, "first", 0)]), [1], "of an empty mailbox all that comes is new");
    }

    #[test]
    fn what_is_remembered_has_an_end() {
        let mut seen = Seen::default();
        (1..=KNOWN as u32 + 50).for_each(|n| seen.done(&listed(n, &n.to_string(), 0)));
        assert_eq!(seen.known.len(), KNOWN);
        assert!(!seen.known.contains(&id_of(&listed(1, "50", 0))) && seen.known.contains(&id_of(&listed(1, "51", 0))));
        seen.failed = Some((7, 4));
        assert_eq!((seen.failures(7), seen.failures(8)), (4, 0));
    }
}
