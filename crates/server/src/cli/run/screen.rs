//! Where progress is shown: lines that stay, and below them, on a terminal, those of running steps that are rewritten.

use mainspring_model::clock::Millis;

use super::line::{Columns, Line};
use super::progress::Progress;
use super::update::Update;
use crate::cli::output::{Cx, Format};
use crate::cli::terminal::{self, Style};

/// Who gets the progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    /// A person: lines on standard output.
    Lines,
    /// A program: one JSON object a line on standard output.
    Events,
    /// A person at a terminal, while the result goes elsewhere: lines on standard error.
    Aside,
    Nobody,
}

/// Shows updates as they come.
pub(crate) struct Screen {
    progress: Progress,
    reader: Reader,
    columns: Columns,
    style: Style,
    /// Running steps are rewritten in place.
    rewrites: bool,
    /// Lines of running steps on the terminal now.
    live: usize,
    frame: usize,
}

impl Screen {
    pub(crate) fn new(cx: &Cx, events: bool, columns: Columns) -> Screen {
        let reader = match cx.format {
            _ if events => Reader::Events,
            Format::Table if !cx.quiet => Reader::Lines,
            _ if terminal::stderr_is_terminal() && !cx.quiet => Reader::Aside,
            _ => Reader::Nobody,
        };
        let (style, is_terminal) = match reader {
            Reader::Lines => (cx.style, terminal::stdout_is_terminal()),
            _ => (cx.err_style, reader == Reader::Aside),
        };
        Screen { progress: Progress::default(), reader, columns, style, rewrites: is_terminal && style.color, live: 0, frame: 0 }
    }

    pub(crate) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Whether somebody sees [`Screen::turn`].
    pub(crate) fn rewrites(&self) -> bool {
        self.rewrites
    }

    pub(crate) fn show(&mut self, update: &Update, now: Millis) {
        let lines = self.progress.see(update);
        match self.reader {
            Reader::Events => terminal::out(&format!("{}\n", update.to_value())),
            Reader::Nobody => {}
            Reader::Lines | Reader::Aside => self.draw(&lines, now),
        }
    }

    /// A line about the run itself.
    pub(crate) fn say(&mut self, text: &str, now: Millis) {
        match self.reader {
            Reader::Lines | Reader::Aside => self.draw(&[Line::note(text.to_owned())], now),
            Reader::Events => terminal::err(&format!("{text}\n")),
            Reader::Nobody => {}
        }
    }

    /// The next frame of the spinner.
    pub(crate) fn turn(&mut self, now: Millis) {
        if self.rewrites {
            self.frame += 1;
            self.draw(&[], now);
        }
    }

    /// Takes the running steps off the terminal; what follows stands below the lines that stay.
    pub(crate) fn close(&mut self) {
        let wiped = self.wipe();
        self.write(&wiped);
    }

    fn draw(&mut self, lines: &[Line], now: Millis) {
        let mut text = self.wipe();
        for line in lines {
            text.push_str(&line.render(self.columns, self.style, 0));
            text.push('\n');
        }
        if self.rewrites {
            let live = self.progress.live(now);
            self.live = live.len();
            if !live.is_empty() {
                // No folding while these are drawn: a line that is longer than the terminal knows would upset the count.
                text.push_str("\u{1b}[?7l");
                for line in &live {
                    text.push_str(&line.render(self.columns, self.style, self.frame));
                    text.push('\n');
                }
                text.push_str("\u{1b}[?7h");
            }
        }
        self.write(&text);
    }

    /// What takes the running steps off the terminal: up as many lines as there are, and clear from there.
    fn wipe(&mut self) -> String {
        match std::mem::take(&mut self.live) {
            0 => String::new(),
            lines => format!("\u{1b}[{lines}A\u{1b}[J"),
        }
    }

    fn write(&self, text: &str) {
        match self.reader {
            _ if text.is_empty() => {}
            Reader::Lines => terminal::out(text),
            Reader::Aside => terminal::err(text),
            Reader::Events | Reader::Nobody => {}
        }
    }
}
