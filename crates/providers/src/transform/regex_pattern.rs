//! A pattern that a plan wrote, compiled within bounds; matching takes time linear in the text.

use mainspring_model::Fault;
use regex::{Regex, RegexBuilder};

/// Compiled size: a short pattern such as \w{1000}{1000} would otherwise take gigabytes.
const MAX_COMPILED: usize = 1 << 20;
const MAX_PATTERN: usize = 4096;

pub(super) fn compile(pattern: &str) -> Result<Regex, Fault> {
    if pattern.len() > MAX_PATTERN {
        return Err(Fault::invalid_params(format!("\"pattern\" is longer than {MAX_PATTERN} bytes")));
    }
    RegexBuilder::new(pattern).size_limit(MAX_COMPILED).dfa_size_limit(MAX_COMPILED).build().map_err(|error| {
        let what = match error {
            regex::Error::CompiledTooBig(_) => "it repeats too much to be compiled".to_owned(),
            // The last line says what is wrong; those before draw the pattern.
            other => other.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned(),
        };
        Fault::invalid_params(format!("\"pattern\" is not a regular expression: {what}"))
    })
}
