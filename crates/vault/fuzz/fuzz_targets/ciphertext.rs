//! Any bytes as a sealed value.

#![no_main]

#[path = "../../tests/support.rs"]
#[allow(dead_code, reason = "the tests need more of it")]
mod support;

#[path = "../../tests/fuzz/entry.rs"]
#[allow(dead_code, reason = "each target takes its own part of the one entry")]
mod entry;

thread_local! {
    static SEALED: entry::Box = entry::Box::new();
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| SEALED.with(|sealed| sealed.ciphertext(bytes)));
