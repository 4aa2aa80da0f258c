//! Any text as a schedule and as a time zone.

#![no_main]

#[path = "../../tests/fuzz/entry.rs"]
#[allow(dead_code, reason = "each target takes its own part of the one entry")]
mod entry;

libfuzzer_sys::fuzz_target!(|text: &str| entry::cron(text));
