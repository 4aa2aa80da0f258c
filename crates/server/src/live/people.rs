//! Whose notifications are read live, and which of those that were not read are known, so that the others are news.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard};

use mainspring_model::clock::Millis;
use mainspring_model::id::{MessageId, UserId};
use mainspring_model::store::NotificationRecord;

/// Unread notifications that are looked at, of everybody in the organization who reads them live.
pub const WINDOW: u32 = 1_000;

#[derive(Default)]
pub struct People(Mutex<Known>);

#[derive(Default)]
struct Known {
    of: HashMap<UserId, HashSet<MessageId>>,
    /// There are more unread ones than are looked at: an old one may come into sight when others are read, and is none.
    crowded: bool,
    newest: Millis,
}

impl People {
    /// Tells this person's from now on; `unread` are those that are there already. Nothing when that was so before.
    pub fn follow(&self, user: UserId, unread: &[NotificationRecord]) {
        let mut known = self.lock();
        known.saw(unread);
        known.of.entry(user).or_insert_with(|| unread.iter().map(|one| one.id).collect());
    }

    pub fn all(&self) -> Vec<UserId> {
        self.lock().of.keys().copied().collect()
    }

    /// What of these is news, in the order in which it was told; `found` is what the `asked` have not read, newest first.
    pub fn news(&self, asked: &[UserId], found: Vec<NotificationRecord>) -> Vec<NotificationRecord> {
        let mut known = self.lock();
        let (crowded, newest) = (known.crowded || found.len() >= WINDOW as usize, known.newest);
        known.saw(&found);
        let mut now: HashMap<UserId, HashSet<MessageId>> = asked.iter().map(|user| (*user, HashSet::new())).collect();
        let mut news: Vec<NotificationRecord> = Vec::new();
        for one in found {
            let before = known.of.get(&one.owner.user);
            let is_known = before.is_none_or(|known| known.contains(&one.id)) || (crowded && one.created_at < newest);
            now.entry(one.owner.user).or_default().insert(one.id);
            if !is_known {
                news.push(one);
            }
        }
        known.of.extend(now);
        news.reverse();
        news
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().expect("no panic happens while they are held")
    }
}

impl Known {
    fn saw(&mut self, found: &[NotificationRecord]) {
        self.crowded |= found.len() >= WINDOW as usize;
        self.newest = found.iter().map(|one| one.created_at).fold(self.newest, Millis::max);
    }
}

#[cfg(test)]
mod tests {
    use mainspring_model::id::{OrgId, Owner};
    use serde_json::Value;
    use uuid::Uuid;

    use super::*;

    fn one(id: u128, user: u128, created_at: Millis) -> NotificationRecord {
        NotificationRecord {
            id: MessageId(Uuid::from_u128(id)),
            owner: Owner { org: OrgId::LOCAL, user: UserId(Uuid::from_u128(user)) },
            event: String::new(),
            title: String::new(),
            text: String::new(),
            data: Value::Null,
            created_at,
            read_at: None,
        }
    }

    fn ids(news: &[NotificationRecord]) -> Vec<u128> {
        news.iter().map(|one| one.id.0.as_u128()).collect()
    }

    #[test]
    fn each_is_news_once_and_to_whom_it_belongs() {
        let (me, you) = (UserId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2)));
        let people = People::default();
        people.follow(me, &[one(1, 1, 10)]);
        // An old one that was delivered late is news; one of somebody who is not followed is none.
        assert_eq!(ids(&people.news(&[me], vec![one(3, 1, 12), one(9, 2, 11), one(1, 1, 10), one(2, 1, 5)])), [2, 3]);
        assert_eq!(ids(&people.news(&[me], vec![one(3, 1, 12), one(2, 1, 5)])), [0_u128; 0]);
        people.follow(you, &[one(9, 2, 11)]);
        people.follow(me, &[]);
        assert_eq!(ids(&people.news(&[me, you], vec![one(10, 2, 13), one(3, 1, 12), one(9, 2, 11)])), [10]);
        // What comes into sight because others were read is not.
        let many: Vec<_> = (100..100 + u128::from(WINDOW)).rev().map(|id| one(id, 1, 1_000)).collect();
        people.news(&[me], many);
        assert_eq!(ids(&people.news(&[me], vec![one(5_000, 1, 1_001), one(50, 1, 900)])), [5_000]);
    }
}
