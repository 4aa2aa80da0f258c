//! What was read lately and is believed for a moment, so that a request does not ask the store who calls and what holds there.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Mutex;

use mainspring_model::clock::Millis;

/// How long what is known is believed: what another node changes holds here within this time.
const BELIEVED: Millis = 5_000;
/// Entries of one kind.
const CAPACITY: usize = 4_096;

/// What is known of something for a moment.
pub struct Known<K, V> {
    all: Mutex<HashMap<K, (V, Millis)>>,
    /// In milliseconds.
    believed: Millis,
}

impl<K, V> Default for Known<K, V> {
    fn default() -> Known<K, V> {
        Known::believed_for(BELIEVED)
    }
}

impl<K, V> Known<K, V> {
    pub fn believed_for(believed: Millis) -> Known<K, V> {
        Known { all: Mutex::default(), believed }
    }
}

impl<K: Eq + Hash, V: Clone> Known<K, V> {
    pub fn get(&self, key: &K, now: Millis) -> Option<V> {
        self.lock().get(key).filter(|(_, until)| *until > now && *until <= now + self.believed).map(|(value, _)| value.clone())
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
        known.insert(key, (value, ends_at.min(now + self.believed)));
    }

    /// What is known, else what `read` finds.
    ///
    /// # Errors
    /// Those of `read`.
    pub async fn get_or<E>(&self, key: K, now: Millis, read: impl Future<Output = Result<V, E>>) -> Result<V, E> {
        if let Some(value) = self.get(&key, now) {
            return Ok(value);
        }
        let value = read.await?;
        self.put(key, value.clone(), now, Millis::MAX);
        Ok(value)
    }

    /// Whether anything was known of it, however long ago.
    pub fn has_seen(&self, key: &K) -> bool {
        self.lock().contains_key(key)
    }

    pub fn forget(&self, key: &K) {
        self.lock().remove(key);
    }

    pub fn forget_if(&self, which: impl Fn(&K, &V) -> bool) {
        self.lock().retain(|key, (value, _)| !which(key, value));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<K, (V, Millis)>> {
        self.all.lock().expect("no panic happens while what is known is held")
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
