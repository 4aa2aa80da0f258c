//! Switches that break a promise on purpose, so that the gates are seen to find it. Only a build with the feature `sabotage` has
//! them; in every other they are a constant `false`.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Switch {
    /// What was for one origin goes along to the next.
    RedirectKeepsHeaders,
    /// A URL is judged as it is written, and not what its name turns out to mean.
    CheckBeforeResolveOnly,
    /// What comes out of a packed answer is not counted.
    DecompressedSizeUnchecked,
}

#[cfg(feature = "sabotage")]
pub(crate) fn is_on(switch: Switch) -> bool {
    let name = match switch {
        Switch::RedirectKeepsHeaders => "redirect-keeps-headers",
        Switch::CheckBeforeResolveOnly => "check-before-resolve-only",
        Switch::DecompressedSizeUnchecked => "decompressed-size-unchecked",
    };
    #[expect(clippy::disallowed_methods, reason = "no setting: such a build is no product")]
    std::env::var("MAINSPRING_SABOTAGE").is_ok_and(|on| on == name)
}

#[cfg(not(feature = "sabotage"))]
pub(crate) const fn is_on(_: Switch) -> bool {
    false
}
