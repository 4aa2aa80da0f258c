//! When a message of a rule may leave: messages about one subject keep their distance, and those in between are counted.

use mainspring_model::clock::Millis;
use uuid::Uuid;

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// It leaves then.
    Leaves(Millis),
    /// The one that waits to leave tells of it.
    HeldBy(Uuid),
}

/// `last`: the newest message of the rule about the subject that was not held, and when it leaves or left.
pub(crate) fn slot(last: Option<(Uuid, Millis)>, distance: Millis, now: Millis) -> Slot {
    match last {
        Some((id, at)) if distance > 0 && at > now => Slot::HeldBy(id),
        Some((_, at)) if distance > 0 => Slot::Leaves(now.max(at.saturating_add(distance))),
        _ => Slot::Leaves(now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_leaves_at_once_one_after_the_distance_and_the_rest_is_held() {
        let (first, second) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(slot(None, 100, 1_000), Slot::Leaves(1_000));
        assert_eq!(slot(Some((first, 1_000)), 100, 1_001), Slot::Leaves(1_100));
        assert_eq!(slot(Some((second, 1_100)), 100, 1_002), Slot::HeldBy(second));
        assert_eq!(slot(Some((second, 1_100)), 100, 1_100), Slot::Leaves(1_200));
        assert_eq!(slot(Some((second, 1_100)), 100, 5_000), Slot::Leaves(5_000));
        assert_eq!(slot(Some((second, 9_000)), 0, 5_000), Slot::Leaves(5_000), "without a distance all leave");
    }
}
