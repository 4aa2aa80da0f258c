//! Switches that break a promise on purpose, so that the gates are seen to find it. Only a build with the feature `sabotage` has
//! them; in every other they are a constant `false`.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Switch {
    /// A write is accepted whoever holds the run.
    NoFencing,
    /// A slot can have several runs.
    NoSlotKey,
    /// A sweep that buries a node drops the error that it meets, and the node's runs with it.
    SweepDropsErrors,
    /// Leases begin and end by the clocks of the nodes.
    #[cfg(feature = "sabotage")]
    NodeClockLeases,
    /// The owner of the tables sees every organization's rows.
    ForceOff,
}

#[cfg(feature = "sabotage")]
pub(crate) fn is_on(switch: Switch) -> bool {
    let name = match switch {
        Switch::NoFencing => "no-fencing",
        Switch::NoSlotKey => "no-slot-key",
        Switch::SweepDropsErrors => "sweep-drops-errors",
        Switch::NodeClockLeases => "node-clock-leases",
        Switch::ForceOff => "force-off",
    };
    #[expect(clippy::disallowed_methods, reason = "no setting: such a build is no product")]
    std::env::var("MAINSPRING_SABOTAGE").is_ok_and(|on| on == name)
}

/// Whose time leases begin and end by, in SQL: the database's.
#[cfg(feature = "sabotage")]
pub(crate) fn lease_clock() -> std::borrow::Cow<'static, str> {
    if !is_on(Switch::NodeClockLeases) {
        return "clock_timestamp()".into();
    }
    #[expect(clippy::disallowed_methods, reason = "the wrong clock is the point")]
    let now = std::time::SystemTime::now();
    let since = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("to_timestamp({}.{:06})", since.as_secs(), since.subsec_micros()).into()
}

/// Whose time leases begin and end by, in SQL: the database's.
#[cfg(not(feature = "sabotage"))]
pub(crate) const fn lease_clock() -> std::borrow::Cow<'static, str> {
    std::borrow::Cow::Borrowed("clock_timestamp()")
}

#[cfg(not(feature = "sabotage"))]
pub(crate) const fn is_on(_: Switch) -> bool {
    false
}
