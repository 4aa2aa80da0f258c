//! The graph as a picture: one SVG document without scripts, fonts or anything from elsewhere.

use std::fmt::Write;

use super::drawing::{Drawing, Node};

/// Of one line of text.
const LINE: f64 = 18.0;
/// Around text, and around what is inside a box.
const PAD: f64 = 12.0;
/// Between boxes beside one another, and between ranks.
const GAP: f64 = 28.0;
/// A character of the monospaced font, at 13 pixels.
const CHARACTER: f64 = 7.9;
/// Longer texts end in an ellipsis.
const LONGEST: usize = 44;

struct Size {
    width: f64,
    height: f64,
}

/// The whole document.
pub(super) fn render(name: &str, lists: &[(&str, Drawing)]) -> String {
    let mut body = String::new();
    let (mut top, mut width) = (PAD, text_width(name, 16.0) + 2.0 * PAD);
    line(&mut body, PAD, top + LINE, "t", name);
    top += LINE + PAD;
    for (title, drawing) in lists {
        if !title.is_empty() {
            line(&mut body, PAD, top + LINE, "d", title);
            top += LINE + PAD / 2.0;
        }
        let size = size_of(drawing);
        draw(&mut body, drawing, PAD, top);
        top += size.height + PAD;
        width = width.max(size.width + 2.0 * PAD);
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{top:.0}\" viewBox=\"0 0 {width:.0} {top:.0}\" role=\"img\">\n\
         <title>{}</title>\n<style>text{{font:13px ui-monospace,monospace;fill:#1f2937}}.t{{font-size:16px;font-weight:600}}.i{{font-weight:600}}\
         .d{{fill:#6b7280}}rect{{fill:#fff;stroke:#9ca3af;rx:6px}}.g{{fill:#f3f4f6}}path{{fill:none;stroke:#6b7280}}</style>\n\
         <defs><marker id=\"a\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\">\
         <path d=\"M0 0L8 4L0 8z\" style=\"fill:#6b7280\"/></marker></defs>\n\
         <rect width=\"100%\" height=\"100%\" style=\"fill:#fff;stroke:none\"/>\n{body}</svg>\n",
        safe(name)
    )
}

fn lines_of(node: &Node) -> Vec<(&'static str, String)> {
    let mut lines = vec![("i", node.id.clone()), ("d", node.what.clone())];
    lines.extend(node.condition.as_ref().map(|condition| ("d", format!("if {condition}"))));
    lines.into_iter().map(|(class, text)| (class, shortened(&text))).collect()
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    text.chars().take(LONGEST - 1).chain(['…']).collect()
}

fn text_width(text: &str, size: f64) -> f64 {
    let characters = shortened(text).chars().count();
    f64::from(u32::try_from(characters).unwrap_or(u32::MAX)) * CHARACTER * size / 13.0
}

fn size_of_node(node: &Node) -> Size {
    let lines = lines_of(node);
    let mut width = lines.iter().map(|(_, text)| text_width(text, 13.0)).fold(0.0, f64::max);
    let mut height = LINE * f64::from(u32::try_from(lines.len()).unwrap_or(u32::MAX));
    for (_, inner) in &node.inside {
        let size = size_of(inner);
        width = width.max(size.width);
        height += LINE + PAD + size.height;
    }
    Size { width: width + 2.0 * PAD, height: height + 2.0 * PAD }
}

/// Boxes by rank, from above, each rank in list order.
fn rows(drawing: &Drawing) -> Vec<Vec<usize>> {
    let ranks = drawing.ranks();
    let deepest = ranks.iter().copied().max().map_or(0, |deepest| deepest + 1);
    (0..deepest).map(|rank| (0..ranks.len()).filter(|place| ranks[*place] == rank).collect()).collect()
}

fn row_size(drawing: &Drawing, row: &[usize]) -> Size {
    let sizes = row.iter().map(|place| size_of_node(&drawing.boxes[*place]));
    sizes
        .fold(Size { width: -GAP, height: 0.0 }, |all, one| Size { width: all.width + GAP + one.width, height: all.height.max(one.height) })
}

fn size_of(drawing: &Drawing) -> Size {
    let rows = rows(drawing);
    rows.iter().fold(Size { width: 0.0, height: -GAP }, |all, row| {
        let size = row_size(drawing, row);
        Size { width: all.width.max(size.width), height: all.height + GAP + size.height }
    })
}

/// Draws a list with its upper left corner at `(x, y)`.
fn draw(body: &mut String, drawing: &Drawing, x: f64, y: f64) {
    let whole = size_of(drawing);
    let mut places: Vec<(f64, f64, f64)> = vec![(0.0, 0.0, 0.0); drawing.boxes.len()];
    let mut top = y;
    for row in rows(drawing) {
        let size = row_size(drawing, &row);
        let mut left = x + (whole.width - size.width) / 2.0;
        for place in row {
            let node = &drawing.boxes[place];
            let one = size_of_node(node);
            places[place] = (left + one.width / 2.0, top, top + one.height);
            draw_node(body, node, left, top, &one);
            left += one.width + GAP;
        }
        top += size.height + GAP;
    }
    for arrow in &drawing.arrows {
        let ((from_x, _, from_y), (to_x, to_y, _)) = (places[arrow.from], places[arrow.to]);
        let bend = (to_y - from_y) / 2.0;
        // Writing to a String cannot fail.
        let _ = writeln!(
            body,
            "<path marker-end=\"url(#a)\" d=\"M{from_x:.1} {from_y:.1}C{from_x:.1} {:.1} {to_x:.1} {:.1} {to_x:.1} {to_y:.1}\"/>",
            from_y + bend,
            to_y - bend
        );
        if !arrow.label.is_empty() {
            line(body, (from_x + to_x) / 2.0 + 4.0, to_y - GAP / 2.0 + 4.0, "d", &arrow.label);
        }
    }
}

fn draw_node(body: &mut String, node: &Node, x: f64, y: f64, size: &Size) {
    let class = if node.inside.is_empty() { "" } else { " class=\"g\"" };
    let _ = writeln!(body, "<rect{class} x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>", size.width, size.height);
    let mut top = y + PAD;
    for (class, text) in lines_of(node) {
        line(body, x + PAD, top + LINE - 5.0, class, &text);
        top += LINE;
    }
    for (title, inner) in &node.inside {
        line(body, x + PAD, top + LINE - 5.0, "d", title);
        top += LINE + PAD / 2.0;
        draw(body, inner, x + PAD, top);
        top += size_of(inner).height + PAD / 2.0;
    }
}

fn line(body: &mut String, x: f64, y: f64, class: &str, text: &str) {
    let _ = writeln!(body, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", safe(&shortened(text)));
}

fn safe(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            control if control.is_control() => safe.push(' '),
            other => safe.push(other),
        }
    }
    safe
}
