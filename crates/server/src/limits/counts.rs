//! What a node remembers of who asked: a bounded number of subjects, and those that asked least lately go first.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use super::bucket::Usage;
use super::subject::Subject;

/// Usage by subject. When it is full, a half that nobody of it has asked for lately is forgotten at once: no list is kept in order
/// for every request, and whoever rotates addresses fills no memory.
pub struct Counts {
    /// Subjects of one half.
    half: usize,
    halves: Mutex<Halves>,
}

#[derive(Default)]
struct Halves {
    young: HashMap<Subject, Usage>,
    old: HashMap<Subject, Usage>,
}

impl Counts {
    /// `most`: subjects that are remembered, at least 2.
    pub fn new(most: usize) -> Counts {
        Counts { half: most.max(2) / 2, halves: Mutex::default() }
    }

    /// What is remembered of a subject.
    pub fn get(&self, subject: &Subject) -> Usage {
        let halves = self.lock();
        halves.young.get(subject).or_else(|| halves.old.get(subject)).copied().unwrap_or_default()
    }

    /// Replaces what is remembered of a subject, and gives what `change` says beside.
    pub fn change<T>(&self, subject: Subject, change: impl FnOnce(Usage) -> (Usage, T)) -> T {
        let mut halves = self.lock();
        if let Some(usage) = halves.young.get_mut(&subject) {
            let (after, said) = change(*usage);
            *usage = after;
            return said;
        }
        let (after, said) = change(halves.old.remove(&subject).unwrap_or_default());
        if halves.young.len() >= self.half {
            halves.old = std::mem::take(&mut halves.young);
        }
        halves.young.insert(subject, after);
        said
    }

    fn lock(&self) -> MutexGuard<'_, Halves> {
        self.halves.lock().expect("no panic happens while the counts are held")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv6Addr};

    fn address(n: u32) -> Subject {
        Subject::address(IpAddr::V6(Ipv6Addr::from_bits(u128::from(n) << 64)))
    }

    fn add(counts: &Counts, subject: Subject) -> u64 {
        counts.change(subject, |usage| {
            let used = usage.used[0] + 1;
            (Usage { used: [used, 0], at: 0 }, used)
        })
    }

    #[test]
    fn rotated_addresses_fill_no_memory_and_whoever_keeps_asking_stays() {
        let counts = Counts::new(100);
        let faithful = address(u32::MAX);
        for n in 0..10_000 {
            assert_eq!(add(&counts, address(n)), 1);
            if n % 40 == 0 {
                assert_eq!(add(&counts, faithful), u64::from(n) / 40 + 1);
            }
            let halves = counts.lock();
            assert!(halves.young.len() + halves.old.len() <= 100);
        }
        assert_eq!(counts.get(&faithful).used[0], 250);
        assert_eq!(counts.get(&address(0)), Usage::default(), "the stalest went");
        assert_eq!(counts.get(&address(9_999)).used[0], 1);
    }
}
