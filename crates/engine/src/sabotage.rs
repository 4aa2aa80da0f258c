//! The switch that breaks a promise of the engine on purpose, so that the gates are seen to find it. Only a build with the feature
//! `sabotage` has it; in every other it is a constant `false`.

/// A run is said to be accepted before it is written.
#[cfg(feature = "sabotage")]
pub(crate) fn acks_before_commit() -> bool {
    #[expect(clippy::disallowed_methods, reason = "no setting: such a build is no product")]
    std::env::var("MAINSPRING_SABOTAGE").is_ok_and(|on| on == "ack-before-commit")
}

#[cfg(not(feature = "sabotage"))]
pub(crate) const fn acks_before_commit() -> bool {
    false
}
