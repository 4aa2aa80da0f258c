//! Questions at the terminal; what is secret is typed unseen.

use std::io::{self, BufRead, Read};

use mainspring_model::credential::Secret;

use super::failure::Failure;
use super::terminal;

/// More than any key or certificate.
const LARGEST: u64 = 1 << 20;

/// A line from the terminal. Without an answer (end of input) the command ends.
pub(crate) fn ask(question: &str, hidden: bool) -> Result<Secret, Failure> {
    terminal::err(&format!("{question}: "));
    let hush = if hidden { Some(Hush::begin()?) } else { None };
    let mut line = String::new();
    let read = io::stdin().lock().take(LARGEST).read_line(&mut line);
    if hush.is_some() {
        // The line end was not seen either.
        terminal::err("\n");
    }
    match read {
        Ok(0) | Err(_) => Err(Failure::usage("the question was not answered; give values with --field name=@file or on standard input")),
        Ok(_) => Ok(Secret::new(line.trim_end_matches(['\n', '\r']))),
    }
}

/// Everything on standard input.
pub(crate) fn read_all() -> Result<Secret, Failure> {
    let mut text = String::new();
    io::stdin()
        .lock()
        .take(LARGEST)
        .read_to_string(&mut text)
        .map_err(|error| Failure::usage(format!("standard input cannot be read: {error}")))?;
    Ok(Secret::new(text))
}

/// The terminal shows nothing of what is typed until this is dropped. `stty` does it: the system's own call would need unsafe
/// code or a crate for this one question.
struct Hush;

impl Hush {
    fn begin() -> Result<Hush, Failure> {
        let failed =
            || Failure::usage("this terminal cannot hide what is typed; give the value with --field name=@file or on standard input");
        if stty("-echo") { Ok(Hush) } else { Err(failed()) }
    }
}

impl Drop for Hush {
    fn drop(&mut self) {
        stty("echo");
    }
}

fn stty(word: &str) -> bool {
    std::process::Command::new("stty").arg(word).stdin(std::process::Stdio::inherit()).status().is_ok_and(|status| status.success())
}
