//! Any text as an access token, and as claims that a key of ours signed.

#![no_main]

#[path = "../../tests/support.rs"]
#[allow(dead_code, reason = "the tests need more of it")]
mod support;

#[path = "../../tests/fuzz/entry.rs"]
#[allow(dead_code, reason = "each target takes its own part of the one entry")]
mod entry;

use std::sync::LazyLock;

static LOGIN: LazyLock<entry::Login> = LazyLock::new(entry::Login::new);

libfuzzer_sys::fuzz_target!(|text: &str| {
    LOGIN.sent(text);
    LOGIN.signed(text);
});
