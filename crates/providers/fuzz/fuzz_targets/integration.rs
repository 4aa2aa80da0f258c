//! Any text as the definition of a custom integration.

#![no_main]

use std::sync::{Arc, OnceLock};

use mainspring_providers::egress::Egress;

#[path = "../../tests/fuzz/entry.rs"]
#[allow(dead_code, reason = "each target takes its own part of the one entry")]
mod entry;

static STRICT: OnceLock<Arc<Egress>> = OnceLock::new();

libfuzzer_sys::fuzz_target!(|text: &str| {
    let egress = STRICT.get_or_init(entry::strict);
    drop(entry::integration(text, egress));
});
