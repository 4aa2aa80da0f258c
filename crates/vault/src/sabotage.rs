//! The switch that breaks a promise of the vault on purpose, so that the gates are seen to find it. Only a build with the feature
//! `sabotage` has it; in every other it is a constant `false`.

/// A token's header says how it is checked, and `none` is a way.
#[cfg(feature = "sabotage")]
pub(crate) fn believes_header(header: &str) -> bool {
    use base64::Engine;
    #[expect(clippy::disallowed_methods, reason = "no setting: such a build is no product")]
    let on = std::env::var("MAINSPRING_SABOTAGE").is_ok_and(|on| on == "alg-from-token");
    let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(header).unwrap_or_default();
    let header: serde_json::Value = serde_json::from_slice(&header).unwrap_or_default();
    on && header["alg"].as_str().is_some_and(|alg| alg.eq_ignore_ascii_case("none"))
}

#[cfg(not(feature = "sabotage"))]
pub(crate) const fn believes_header(_: &str) -> bool {
    false
}
