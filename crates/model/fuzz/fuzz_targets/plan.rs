//! Any text as a plan's document, in YAML and in JSON.

#![no_main]

#[path = "../../tests/plan/catalog.rs"]
mod catalog;
#[path = "../../tests/fuzz/entry.rs"]
#[allow(dead_code, reason = "each target takes its own part of the one entry")]
mod entry;

use std::sync::LazyLock;

use mainspring_model::catalog::BuiltIns;

static CATALOG: LazyLock<BuiltIns> = LazyLock::new(catalog::catalog);

libfuzzer_sys::fuzz_target!(|text: &str| entry::document(text, &*CATALOG));
