//! The graph in the language of Mermaid, which GitHub and many wikis draw.

use std::fmt::Write;

use super::drawing::Drawing;

/// A flow chart, top to bottom.
pub(super) fn render(lists: &[(&str, Drawing)]) -> String {
    let mut text = "flowchart TD\n".to_owned();
    for (title, drawing) in lists {
        if title.is_empty() {
            list(&mut text, drawing, 1);
        } else {
            group(&mut text, &title.replace(' ', "_"), title, drawing, 1);
        }
    }
    text
}

fn group(text: &mut String, id: &str, title: &str, drawing: &Drawing, depth: usize) {
    let indent = "  ".repeat(depth);
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{indent}subgraph {id}_list[\"{}\"]", quoted(title));
    list(text, drawing, depth + 1);
    let _ = writeln!(text, "{indent}end");
}

fn list(text: &mut String, drawing: &Drawing, depth: usize) {
    let indent = "  ".repeat(depth);
    for node in &drawing.boxes {
        let condition = node.condition.as_ref().map(|condition| format!("<br/>if {}", quoted(condition))).unwrap_or_default();
        let _ = writeln!(text, "{indent}step_{}[\"<b>{}</b><br/>{}{condition}\"]", node.id, quoted(&node.id), quoted(&node.what));
    }
    for arrow in &drawing.arrows {
        let (from, to) = (&drawing.boxes[arrow.from].id, &drawing.boxes[arrow.to].id);
        let label = if arrow.label.is_empty() { String::new() } else { format!("|{}|", quoted(&arrow.label)) };
        let _ = writeln!(text, "{indent}step_{from} -->{label} step_{to}");
    }
    for node in &drawing.boxes {
        for (title, inner) in &node.inside {
            let id = format!("step_{}_{}", node.id, title.replace(' ', "_"));
            group(text, &id, &format!("{}: {title}", node.id), inner, depth);
            let _ = writeln!(text, "{indent}step_{} -.- {id}_list", node.id);
        }
    }
}

/// Mermaid reads markup and quotes inside labels: what a plan says is text.
fn quoted(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' => safe.push_str("#quot;"),
            '<' => safe.push_str("#lt;"),
            '>' => safe.push_str("#gt;"),
            '#' => safe.push_str("#35;"),
            '`' => safe.push_str("#96;"),
            control if control.is_control() => safe.push(' '),
            other => safe.push(other),
        }
    }
    safe
}
