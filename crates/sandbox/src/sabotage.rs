//! Switches that break a promise on purpose, so that the gate is seen to find it. Only a build with the feature `sabotage` has
//! them; in every other they are a constant `false`.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Switch {
    /// A child gives up nothing: it keeps files, network and the rest of the kernel.
    CodeUnconfined,
    /// A call may take four times the memory that it was given, and the parent does not look.
    CodeMemoryUnchecked,
}

#[cfg(feature = "sabotage")]
pub(crate) fn is_on(switch: Switch) -> bool {
    let name = match switch {
        Switch::CodeUnconfined => "code-unconfined",
        Switch::CodeMemoryUnchecked => "code-memory-unchecked",
    };
    #[expect(clippy::disallowed_methods, reason = "no setting: such a build is no product")]
    std::env::var("MAINSPRING_SABOTAGE").is_ok_and(|on| on == name)
}

#[cfg(not(feature = "sabotage"))]
pub(crate) const fn is_on(_: Switch) -> bool {
    false
}

/// What a child's environment needs so that it knows of the switch: its parent leaves it nothing else.
pub(crate) fn inherited() -> Option<(&'static str, String)> {
    #[cfg(feature = "sabotage")]
    #[expect(clippy::disallowed_methods, reason = "no setting: such a build is no product")]
    return std::env::var("MAINSPRING_SABOTAGE").ok().map(|value| ("MAINSPRING_SABOTAGE", value));
    #[cfg(not(feature = "sabotage"))]
    None
}
