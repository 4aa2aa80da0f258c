//! The weather between the nodes and their database at one moment: what is slow, cut off, out of order or about to die.

use std::collections::BTreeMap;

use mainspring_model::clock::Millis;

use super::dice::Dice;

/// A request that hears nothing is given up after this.
pub const GIVE_UP: Millis = 5_000;

/// Where a commit is when its node dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// Nothing of it has reached the database.
    Before,
    /// It has happened, and nobody learns that it has.
    After,
}

#[derive(Default)]
pub struct Weather {
    /// The database answers nobody until then.
    pub outage_until: Millis,
    /// Everything takes up to so much longer until then.
    pub slow: (Millis, Millis),
    /// Requests overtake one another until then.
    pub shuffled_until: Millis,
    /// By node: it and the database do not hear each other until then.
    pub cut_until: BTreeMap<usize, Millis>,
    /// By node: answers of so many of its next commits and claims get lost.
    pub torn: BTreeMap<usize, u32>,
    /// By node: it dies at its next commit.
    pub doomed: BTreeMap<usize, At>,
    /// Actions fail or hang until then.
    pub world_bad_until: Millis,
}

/// How one request travels.
#[derive(Clone, Copy, Debug)]
pub struct Journey {
    pub there: Millis,
    pub back: Millis,
    /// Its node dies before it leaves.
    pub dies: bool,
}

/// What an answer meets on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Met {
    Nothing,
    Silence,
    Death,
}

impl Weather {
    pub fn journey(&mut self, node: usize, commits: bool, now: Millis, dice: &mut Dice) -> Journey {
        let mut delay = || {
            let mut delay = dice.between(0, 2);
            if now < self.shuffled_until {
                delay += dice.between(0, 150);
            }
            if now < self.slow.0 {
                delay += dice.between(0, self.slow.1);
            }
            delay
        };
        let (there, back) = (delay(), delay());
        let dies = commits && self.doomed.get(&node) == Some(&At::Before) && self.doomed.remove(&node).is_some();
        Journey { there, back, dies }
    }

    /// What becomes of a node that is about to hear that something was written: it dies, or does not hear it.
    pub fn meets_write(&mut self, node: usize) -> Met {
        if self.doomed.get(&node) == Some(&At::After) {
            self.doomed.remove(&node);
            return Met::Death;
        }
        let Some(left) = self.torn.get_mut(&node) else { return Met::Nothing };
        *left -= 1;
        if *left == 0 {
            self.torn.remove(&node);
        }
        Met::Silence
    }

    pub fn is_out(&self, now: Millis) -> bool {
        now < self.outage_until
    }

    pub fn is_cut(&self, node: usize, now: Millis) -> bool {
        self.cut_until.get(&node).is_some_and(|until| now < *until)
    }
}
