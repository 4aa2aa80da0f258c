//! Any text as a row of a journal.

#![no_main]

#[path = "../../tests/fuzz/entry.rs"]
#[allow(dead_code, reason = "each target takes its own part of the one entry")]
mod entry;

libfuzzer_sys::fuzz_target!(|text: &str| entry::journal(text));
