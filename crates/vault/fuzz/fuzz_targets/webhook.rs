//! Any text as a webhook's delivery, with its headers: nobody signs but who knows the secret.

#![no_main]

#[path = "../../tests/support.rs"]
#[allow(dead_code, reason = "the tests need more of it")]
mod support;

#[path = "../../tests/fuzz/entry.rs"]
#[allow(dead_code, reason = "each target takes its own part of the one entry")]
mod entry;

libfuzzer_sys::fuzz_target!(|text: &str| {
    entry::webhook(text);
});
