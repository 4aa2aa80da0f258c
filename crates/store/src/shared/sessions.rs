//! What both stores decide alike about refresh tokens, and what they say of second factors and outside identities.

use mainspring_model::clock::Millis;
use mainspring_model::store::StoreError;

/// Uses of one session within this time are noted once.
pub(crate) const TOUCH: Millis = 60_000;

/// A refresh token as it is found.
pub(crate) struct Found {
    pub(crate) expires_at: Millis,
    pub(crate) used_at: Option<Millis>,
    pub(crate) successor: Option<Vec<u8>>,
    /// Whether what took its place was used in turn, or is gone.
    pub(crate) successor_is_used: bool,
}

/// What a token that is presented comes to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Rotate,
    Again(Vec<u8>),
    Reused,
    Expired,
}

/// A used token is good once more for a moment, as long as nobody went on from its successor: whoever lost the answer has to ask
/// again. After that it is a copy in somebody's hands.
pub(crate) fn turn(found: Found, now: Millis, grace: Millis) -> Turn {
    let Found { expires_at, used_at, successor, successor_is_used } = found;
    match (used_at, successor) {
        (None, _) if expires_at <= now => Turn::Expired,
        (None, _) => Turn::Rotate,
        (Some(used_at), Some(successor)) if !successor_is_used && now.saturating_sub(used_at) < grace => Turn::Again(successor),
        // An expired one too: its honest owner has the later ones.
        (Some(_), _) => Turn::Reused,
    }
}

pub(crate) fn factor_confirmed() -> StoreError {
    StoreError::Conflict("the user has a second factor already; remove it first".to_owned())
}

pub(crate) fn identity_taken() -> StoreError {
    StoreError::Conflict("somebody has this outside identity already".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(at: Millis, successor_is_used: bool) -> Found {
        Found { expires_at: 1_000, used_at: Some(at), successor: Some(vec![7]), successor_is_used }
    }

    #[test]
    fn a_used_token_is_good_again_for_a_moment_only() {
        let fresh = |expires_at| Found { expires_at, used_at: None, successor: None, successor_is_used: true };
        assert_eq!((turn(fresh(1_000), 999, 10), turn(fresh(1_000), 1_000, 10)), (Turn::Rotate, Turn::Expired));
        assert_eq!((turn(used(100, false), 109, 10), turn(used(100, false), 110, 10)), (Turn::Again(vec![7]), Turn::Reused));
        assert_eq!(turn(used(100, true), 101, 10), Turn::Reused, "somebody went on from its successor");
        assert_eq!(turn(used(100, false), 2_000, 10), Turn::Reused);
    }
}
