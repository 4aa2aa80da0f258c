//! The graph as lines of text, a step each.

use super::drawing::{Drawing, Node};
use crate::cli::terminal::Style;
use crate::cli::text::plain;

/// A step a line: its id, what it does, its `if`, and where it comes from when that is not the step above.
pub(super) fn render(name: &str, lists: &[(&str, Drawing)], style: Style) -> String {
    let mut text = format!("{}\n", style.bold(&plain(name)));
    for (title, drawing) in lists {
        if !title.is_empty() {
            text += &format!("{}\n", style.dim(title));
        }
        list(&mut text, drawing, "", style);
    }
    text
}

fn list(text: &mut String, drawing: &Drawing, before: &str, style: Style) {
    let width = drawing.boxes.iter().map(|node| node.id.chars().count()).max().unwrap_or(0);
    for (place, node) in drawing.boxes.iter().enumerate() {
        let is_last = place + 1 == drawing.boxes.len();
        let pad = " ".repeat(width - node.id.chars().count());
        let mut line = format!("{before}{} {}{pad}  {}", if is_last { "└─" } else { "├─" }, node.id, plain(&node.what));
        if let Some(condition) = &node.condition {
            line += &format!("  {}", style.yellow(&format!("if {}", plain(condition))));
        }
        let sources = sources(drawing, place);
        if !sources.is_empty() {
            line += &format!("  {}", style.dim(&format!("← {sources}")));
        }
        *text += &format!("{line}\n");
        inside(text, node, &format!("{before}{}", if is_last { "   " } else { "│  " }), style);
    }
}

fn inside(text: &mut String, node: &Node, before: &str, style: Style) {
    for (title, drawing) in &node.inside {
        // What the line above says already.
        if *title != node.what {
            *text += &format!("{before}{}\n", style.dim(title));
        }
        list(text, drawing, before, style);
    }
}

/// Empty when the only source is the step above, or when the first step has none.
fn sources(drawing: &Drawing, place: usize) -> String {
    let arrows: Vec<_> = drawing.arrows.iter().filter(|arrow| arrow.to == place).collect();
    if arrows.is_empty() {
        return if place == 0 { String::new() } else { "starts at once".to_owned() };
    }
    if let [only] = arrows.as_slice()
        && only.from + 1 == place
        && only.label.is_empty()
    {
        return String::new();
    }
    let names = arrows.iter().map(|arrow| {
        let from = &drawing.boxes[arrow.from].id;
        if arrow.label.is_empty() { from.clone() } else { format!("{from}:{}", arrow.label) }
    });
    names.collect::<Vec<_>>().join(", ")
}
