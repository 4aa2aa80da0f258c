//! One line of a run's progress, and how it is laid out.

use crate::cli::terminal::Style;
use crate::cli::text::{latency, short};

/// What became of a step, as one character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Done,
    Failed,
    Retrying,
    Waiting,
    Skipped,
    Cancelled,
    Running,
    /// No step, but the run.
    Note,
}

impl Mark {
    pub(crate) fn glyph(self) -> char {
        match self {
            Mark::Done => '✓',
            Mark::Failed => '✗',
            Mark::Retrying => '↻',
            Mark::Waiting => '◷',
            Mark::Skipped => '–',
            Mark::Cancelled => '■',
            Mark::Running => '·',
            Mark::Note => '!',
        }
    }

    /// For a step's status as answers spell it.
    pub(crate) fn of_status(status: &str) -> Mark {
        match status {
            "success" => Mark::Done,
            "error" | "timed_out" | "needs_decision" | "quarantined" => Mark::Failed,
            "retrying" => Mark::Retrying,
            "waiting" | "queued" | "paused" => Mark::Waiting,
            "cancelled" => Mark::Cancelled,
            "running" => Mark::Running,
            _ => Mark::Skipped,
        }
    }

    pub(crate) fn paint(self, style: Style, text: &str) -> String {
        match self {
            Mark::Done => style.green(text),
            Mark::Failed => style.red(text),
            Mark::Retrying | Mark::Waiting | Mark::Cancelled | Mark::Note => style.yellow(text),
            Mark::Skipped => style.dim(text),
            Mark::Running => style.cyan(text),
        }
    }
}

/// A line before it is laid out. Its texts are safe for a terminal already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) mark: Mark,
    pub(crate) path: String,
    pub(crate) action: String,
    /// Microseconds.
    pub(crate) took: Option<u64>,
    pub(crate) text: String,
}

/// Turns of the spinner; one per frame.
const SPINNER: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/// Column widths, from the plan's own names so that lines stand below each other from the first one on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Columns {
    pub(crate) path: usize,
    pub(crate) action: usize,
    /// The whole line.
    pub(crate) width: usize,
}

impl Columns {
    /// Wide enough for these names, within reason.
    pub(crate) fn of<'a>(names: impl Iterator<Item = (&'a str, &'a str)>, width: usize) -> Columns {
        let (mut path, mut action) = (8, 8);
        for (id, name) in names {
            path = path.max(id.chars().count());
            action = action.max(name.chars().count());
        }
        Columns { path: path.min(32), action: action.min(28), width }
    }
}

impl Line {
    pub(crate) fn of(mark: Mark, path: &str, text: &str) -> Line {
        Line { mark, path: path.to_owned(), action: String::new(), took: None, text: text.to_owned() }
    }

    pub(crate) fn note(text: String) -> Line {
        Line { mark: Mark::Note, path: String::new(), action: String::new(), took: None, text }
    }

    /// The text of the line. `frame` turns the spinner of a running step.
    pub(crate) fn render(&self, columns: Columns, style: Style, frame: usize) -> String {
        let glyph = if self.mark == Mark::Running { SPINNER[frame % SPINNER.len()] } else { self.mark.glyph() };
        let glyph = self.mark.paint(style, &glyph.to_string());
        if self.mark == Mark::Note {
            return format!("{glyph} {}", short(&self.text, columns.width.saturating_sub(2)));
        }
        let took = self.took.map(latency).unwrap_or_default();
        let head = format!("{:path$}  {:action$}  {took:>9}", self.path, self.action, path = columns.path, action = columns.action);
        let rest = columns.width.saturating_sub(head.chars().count() + 4).max(16);
        let text = short(&self.text, rest);
        let text = match self.mark {
            Mark::Failed => style.red(&text),
            Mark::Done | Mark::Skipped | Mark::Running => style.dim(&text),
            _ => text,
        };
        format!("{glyph} {head}  {text}").trim_end().to_owned()
    }
}
