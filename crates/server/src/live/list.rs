//! The feed of an organization's lists: its runs, schedules, notices and notifications, in one small ring.

use std::collections::VecDeque;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard};

use mainspring_model::clock::Millis;
use mainspring_model::id::{OrgId, PlanId, UserId};

use super::feed::{Bell, Listeners};
use super::people::People;
use super::topic::Topic;

pub struct List {
    pub org: OrgId,
    pub tag: u64,
    pub bell: Bell,
    pub listeners: Listeners,
    /// Readers of schedules; without one they are not looked at.
    pub of_schedules: AtomicUsize,
    /// Readers of their notifications, from the first on for as long as the list lasts.
    pub people: People,
    /// What happened before is not told.
    pub floor: Millis,
    ring: Mutex<Ring>,
}

struct Ring {
    entries: VecDeque<Entry>,
    /// The number that the next entry gets, from 1.
    next: u64,
}

pub struct Entry {
    pub about: About,
    pub text: Arc<str>,
}

#[derive(Clone, Copy)]
pub enum About {
    Run(PlanId),
    Schedule(PlanId),
    Notice(PlanId),
    Notification(UserId),
}

/// An entry's number and event.
pub type Numbered = (u64, Arc<str>);

/// What was asked for is no longer in the ring; a reader goes on behind this number.
#[derive(Debug, PartialEq, Eq)]
pub struct Behind(pub u64);

/// Events that are kept for readers that come back, about 400 bytes each.
const KEPT: usize = 512;

impl List {
    pub fn new(org: OrgId, tag: u64, floor: Millis) -> List {
        List {
            org,
            tag,
            bell: Bell::default(),
            listeners: Listeners::default(),
            of_schedules: AtomicUsize::new(0),
            people: People::default(),
            floor,
            ring: Mutex::new(Ring { entries: VecDeque::new(), next: 1 }),
        }
    }

    /// The number of the newest entry; 0 before the first.
    pub fn newest(&self) -> u64 {
        self.lock().next - 1
    }

    /// Entries of a topic behind `after` that the reader `sees`, at most `most`, and up to which number they were
    /// looked through.
    pub fn take(&self, topic: Topic, after: u64, most: usize, sees: &dyn Fn(About) -> bool) -> Result<(Vec<Numbered>, u64), Behind> {
        let ring = self.lock();
        let first = ring.next - ring.entries.len() as u64;
        let from = after.saturating_add(1);
        if from < first || from > ring.next {
            return Err(Behind(ring.next - 1));
        }
        let mut taken = Vec::new();
        for (number, entry) in (from..).zip(ring.entries.iter().skip((from - first) as usize)) {
            if entry.is_of(topic) && sees(entry.about) {
                taken.push((number, entry.text.clone()));
                if taken.len() == most {
                    return Ok((taken, number));
                }
            }
        }
        Ok((taken, ring.next - 1))
    }

    pub fn publish(&self, entries: Vec<Entry>) {
        if entries.is_empty() {
            return;
        }
        {
            let mut ring = self.lock();
            for entry in entries {
                if ring.entries.len() == KEPT {
                    ring.entries.pop_front();
                }
                ring.entries.push_back(entry);
                ring.next += 1;
            }
        }
        self.listeners.wake();
    }

    /// Something was not told: whoever reads on has to begin anew.
    pub fn interrupt(&self) {
        {
            let mut ring = self.lock();
            ring.entries.clear();
            ring.next += 1;
        }
        self.listeners.wake();
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().expect("no panic happens while the ring is held")
    }
}

impl Entry {
    fn is_of(&self, topic: Topic) -> bool {
        match (topic, self.about) {
            (Topic::Runs, About::Run(_)) | (Topic::Schedules, About::Schedule(_)) | (Topic::Notices, About::Notice(_)) => true,
            (Topic::Notifications, About::Notification(_)) => true,
            (Topic::Plan(plan), About::Run(of)) => plan == of,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn of(plan: u128, text: &str) -> Entry {
        Entry { about: About::Run(PlanId(Uuid::from_u128(plan))), text: text.into() }
    }

    fn texts(list: &List, topic: Topic, after: u64, most: usize) -> Result<Vec<String>, Behind> {
        list.take(topic, after, most, &|about| match about {
            About::Run(plan) | About::Schedule(plan) | About::Notice(plan) => plan != PlanId(Uuid::from_u128(9)),
            About::Notification(user) => user == UserId::LOCAL,
        })
        .map(|(taken, _)| taken.into_iter().map(|(number, text)| format!("{number} {text}")).collect())
    }

    #[test]
    fn readers_take_their_topic_from_where_they_are() {
        let list = List::new(OrgId::LOCAL, 1, 0);
        let before = list.newest();
        list.publish(vec![
            of(1, "a"),
            of(2, "b"),
            Entry { about: About::Notice(PlanId(Uuid::from_u128(2))), text: "n".into() },
            of(1, "c"),
        ]);
        assert_eq!(texts(&list, Topic::Runs, before, 9).unwrap(), ["1 a", "2 b", "4 c"]);
        assert_eq!(texts(&list, Topic::Plan(PlanId(Uuid::from_u128(1))), before, 9).unwrap(), ["1 a", "4 c"]);
        assert_eq!(texts(&list, Topic::Notices, before, 9).unwrap(), ["3 n"]);
        assert_eq!(texts(&list, Topic::Schedules, before, 9).unwrap(), [""; 0]);
        assert_eq!(texts(&list, Topic::Runs, 1, 1).unwrap(), ["2 b"]);
        // Of a plan that this reader does not reach there is nothing, and nothing is missing either.
        list.publish(vec![of(9, "hidden"), Entry { about: About::Notice(PlanId(Uuid::from_u128(9))), text: "hidden".into() }, of(1, "d")]);
        assert_eq!(texts(&list, Topic::Runs, 4, 9).unwrap(), ["7 d"]);
        assert_eq!(texts(&list, Topic::Notices, 4, 9).unwrap(), [""; 0]);
        assert_eq!(texts(&list, Topic::Runs, list.newest(), 9).unwrap(), [""; 0]);
    }

    #[test]
    fn the_ring_stays_small_and_says_what_is_gone() {
        let list = List::new(OrgId::LOCAL, 1, 0);
        for n in 0..KEPT + 10 {
            list.publish(vec![of(1, &n.to_string())]);
        }
        assert_eq!(list.lock().entries.len(), KEPT);
        let newest = list.newest();
        assert_eq!(texts(&list, Topic::Runs, 9, 9), Err(Behind(newest)));
        assert_eq!(texts(&list, Topic::Runs, 10, 1).unwrap(), ["11 10"]);
        assert_eq!(texts(&list, Topic::Runs, newest + 1, 1), Err(Behind(newest)), "a number that was never given");
        list.interrupt();
        assert_eq!(texts(&list, Topic::Runs, newest, 1), Err(Behind(newest + 1)));
        list.publish(vec![of(1, "new")]);
        assert_eq!(texts(&list, Topic::Runs, newest + 1, 9).unwrap(), [format!("{} new", newest + 2)]);
    }
}
