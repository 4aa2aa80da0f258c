//! Switches that break a promise of the vault on purpose, so that the gates are seen to find it. Only a build with the feature
//! `sabotage` has them; in every other they are a constant `false`.

/// Values are sealed without their place, and open anywhere.
#[cfg(feature = "sabotage")]
pub(crate) fn leaves_places_out() -> bool {
    is_on("empty-aad")
}

/// Nothing is taken out of texts.
#[cfg(feature = "sabotage")]
pub(crate) fn redacts_nothing() -> bool {
    is_on("redactor-off")
}

#[cfg(feature = "sabotage")]
fn is_on(name: &str) -> bool {
    #[expect(clippy::disallowed_methods, reason = "no setting: such a build is no product")]
    std::env::var("MAINSPRING_SABOTAGE").is_ok_and(|on| on == name)
}

#[cfg(not(feature = "sabotage"))]
pub(crate) const fn leaves_places_out() -> bool {
    false
}

#[cfg(not(feature = "sabotage"))]
pub(crate) const fn redacts_nothing() -> bool {
    false
}

/// A token's header says how it is checked, and `none` is a way.
#[cfg(feature = "sabotage")]
pub(crate) fn believes_header(header: &str) -> bool {
    use base64::Engine;
    let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(header).unwrap_or_default();
    let header: serde_json::Value = serde_json::from_slice(&header).unwrap_or_default();
    is_on("alg-from-token") && header["alg"].as_str().is_some_and(|alg| alg.eq_ignore_ascii_case("none"))
}

#[cfg(not(feature = "sabotage"))]
pub(crate) const fn believes_header(_: &str) -> bool {
    false
}
