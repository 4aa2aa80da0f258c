//! Sessions seen lately, so that a request does not ask the store who its caller is.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Mutex;

use mainspring_model::clock::Millis;

/// How long what is known is believed: a session that was revoked on another node ends within this time here.
pub const BELIEVED: Millis = 5_000;
/// Entries of one kind.
const CAPACITY: usize = 4_096;

/// What is known of something for a moment.
pub struct Known<K, V>(Mutex<HashMap<K, (V, Millis)>>);

impl<K, V> Default for Known<K, V> {
    fn default() -> Known<K, V> {
        Known(Mutex::default())
    }
}

impl<K: Eq + Hash, V: Clone> Known<K, V> {
    pub fn get(&self, key: &K, now: Millis) -> Option<V> {
        self.lock().get(key).filter(|(_, until)| *until > now && *until <= now + BELIEVED).map(|(value, _)| value.clone())
    }

    /// `ends_at`: when it stops being true by itself.
    pub fn put(&self, key: K, value: V, now: Millis, ends_at: Millis) {
        let mut known = self.lock();
        if known.len() >= CAPACITY {
            known.retain(|_, (_, until)| *until > now);
            if known.len() >= CAPACITY {
                known.clear();
            }
        }
        known.insert(key, (value, ends_at.min(now + BELIEVED)));
    }

    pub fn forget(&self, key: &K) {
        self.lock().remove(key);
    }

    pub fn forget_if(&self, which: impl Fn(&K, &V) -> bool) {
        self.lock().retain(|key, (value, _)| !which(key, value));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<K, (V, Millis)>> {
        self.0.lock().expect("no panic happens while what is known is held")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_believed_for_a_moment() {
        let known: Known<u32, &str> = Known::default();
        known.put(1, "one", 1_000, i64::MAX);
        known.put(2, "two", 1_000, 1_500);
        assert_eq!((known.get(&1, 5_999), known.get(&1, 6_000)), (Some("one"), None));
        assert_eq!((known.get(&2, 1_499), known.get(&2, 1_500)), (Some("two"), None));
        assert_eq!(known.get(&1, 0), None, "a clock that went back makes nothing believed for longer");
        known.forget_if(|_, value| *value == "one");
        assert_eq!(known.get(&1, 1_000), None);
        for key in 0..10_000 {
            known.put(key, "many", 1_000, i64::MAX);
        }
        assert!(known.lock().len() <= CAPACITY);
    }
}
