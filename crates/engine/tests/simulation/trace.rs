//! The trace of a world: one line for each thing that happened, as a hash and, when asked for, as text.

use super::dice::{FNV, hash};

pub struct Trace {
    hash: u64,
    lines: u64,
    print: bool,
    /// The last lines, for whoever looks into a broken promise.
    tail: std::collections::VecDeque<String>,
}

const TAIL: usize = 400;

impl Trace {
    pub fn new(print: bool) -> Trace {
        Trace { hash: FNV, lines: 0, print, tail: std::collections::VecDeque::new() }
    }

    pub fn line(&mut self, line: String) {
        self.hash = hash(self.hash, line.as_bytes());
        self.lines += 1;
        if self.print {
            println!("{line}");
        }
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(line);
    }

    /// Equal for equal worlds: every line, in order.
    pub fn digest(&self) -> (u64, u64) {
        (self.hash, self.lines)
    }

    /// The last lines that speak of `what`.
    pub fn about(&self, what: &str) -> String {
        let lines: Vec<&str> = self.tail.iter().filter(|line| line.contains(what)).map(String::as_str).collect();
        lines.join("\n")
    }
}
