//! A diff as text, one line for each change, with or without colour.

use std::fmt::Write;

use serde_json::Value;

use super::{Change, Diff, Kind, Part};

/// Whether the text is for a terminal that shows colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    Plain,
    Ansi,
}

/// Longer values are cut.
const WIDTH: usize = 80;

impl Diff {
    /// `+` added, `-` removed, `~` changed, `>` moved; what changed inside of a step or trigger stands below it.
    pub fn text(&self, colour: Colour) -> String {
        let mut text = String::new();
        let mut head: Option<(Part, &str)> = None;
        for change in &self.changes {
            if !change.path.is_empty() && change.part != Part::Plan && head != Some((change.part, &change.id)) {
                line(&mut text, colour, Kind::Changed, &format!("{} {}", noun(change.part), plain(&change.id)));
            }
            head = Some((change.part, &change.id));
            let indent = if change.path.is_empty() || change.part == Part::Plan { "" } else { "    " };
            text.push_str(indent);
            line(&mut text, colour, change.kind, &said(change));
        }
        text
    }
}

fn line(text: &mut String, colour: Colour, kind: Kind, said: &str) {
    let (sign, code) = match kind {
        Kind::Added => ('+', 32),
        Kind::Removed => ('-', 31),
        Kind::Changed => ('~', 33),
        Kind::Moved => ('>', 36),
    };
    // Writing to a text does not fail.
    let _ = match colour {
        Colour::Plain => writeln!(text, "{sign} {said}"),
        Colour::Ansi => writeln!(text, "\u{1b}[{code}m{sign} {said}\u{1b}[0m"),
    };
}

fn noun(part: Part) -> &'static str {
    match part {
        Part::Plan => "plan",
        Part::Trigger => "trigger",
        Part::Step => "step",
        Part::Edge => "edge",
    }
}

fn said(change: &Change) -> String {
    if !change.path.is_empty() {
        let path = plain(&change.path);
        return match change.kind {
            Kind::Added => format!("{path}: {}", short(&change.to)),
            Kind::Removed => format!("{path}: {}", short(&change.from)),
            Kind::Changed | Kind::Moved => format!("{path}: {} → {}", short(&change.from), short(&change.to)),
        };
    }
    let (noun, id) = (noun(change.part), plain(&change.id));
    let value = if change.kind == Kind::Removed { &change.from } else { &change.to };
    match (change.part, change.kind) {
        (_, Kind::Moved) => format!("{noun} {id}: {} → {}", text_of(&change.from), text_of(&change.to)),
        (Part::Step, _) => match value["action"].as_str() {
            Some(action) => format!("{noun} {id} ({})", plain(action)),
            None => format!("{noun} {id}"),
        },
        (Part::Trigger, _) => format!("{noun} {id} {}", short(value)),
        _ => format!("{noun} {id}"),
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| short(value), plain)
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{}…", plain(&text[..end])),
        None => plain(&text),
    }
}

/// Without what would steer a terminal: JSON escapes the C0 characters only.
fn plain(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
}
