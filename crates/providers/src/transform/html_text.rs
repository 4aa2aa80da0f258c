//! What a person reads of a part of an HTML document: lines and paragraphs, without what is not shown.

use super::html_tree::{Kind, Tree};

/// Not shown.
const HIDDEN: [&str; 9] = ["script", "style", "head", "template", "noscript", "iframe", "object", "svg", "math"];
/// Begins and ends on a line of its own.
const BLOCKS: [&str; 31] = [
    "address",
    "article",
    "aside",
    "body",
    "caption",
    "dd",
    "details",
    "dialog",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "header",
    "hr",
    "html",
    "li",
    "main",
    "nav",
    "ol",
    "pre",
    "section",
    "summary",
    "table",
    "tbody",
    "thead",
    "tr",
    "ul",
];
/// Has an empty line before and after it.
const PARAGRAPHS: [&str; 8] = ["p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote"];

/// The text below `node`. Words within a line have one space between them; `<pre>` keeps its own.
pub(super) fn text(tree: &Tree, node: usize) -> String {
    let mut page = Page::default();
    // Of the part itself only what is in it: one entry of a list has no dash before it.
    let mut todo: Vec<Step> = match &tree.nodes[node].kind {
        Kind::Element { .. } => tree.nodes[node].children.iter().rev().map(|child| Step::Open(*child)).collect(),
        _ => vec![Step::Open(node)],
    };
    while let Some(step) = todo.pop() {
        match step {
            Step::Open(node) => match &tree.nodes[node].kind {
                Kind::Text(text) => page.words(text),
                Kind::Element { name, .. } if HIDDEN.contains(&name.as_str()) => {}
                Kind::Element { name, .. } => {
                    page.open(name);
                    todo.push(Step::Close(node));
                    todo.extend(tree.nodes[node].children.iter().rev().map(|child| Step::Open(*child)));
                }
                Kind::Other => todo.extend(tree.nodes[node].children.iter().rev().map(|child| Step::Open(*child))),
            },
            Step::Close(node) => page.close(tree.nodes[node].name().unwrap_or_default()),
        }
    }
    page.text.trim().to_owned()
}

enum Step {
    Open(usize),
    Close(usize),
}

#[derive(Default)]
struct Page {
    text: String,
    /// Line breaks that are due before the next word.
    breaks: usize,
    space: bool,
    preformatted: usize,
}

impl Page {
    fn words(&mut self, text: &str) {
        if self.preformatted > 0 {
            self.put(text);
            return;
        }
        self.space |= text.starts_with(char::is_whitespace);
        for (place, word) in text.split_whitespace().enumerate() {
            self.space |= place > 0;
            self.put(word);
        }
        self.space |= text.ends_with(char::is_whitespace) && !text.trim().is_empty();
    }

    fn put(&mut self, word: &str) {
        if word.is_empty() {
            return;
        }
        if self.breaks > 0 {
            if !self.text.is_empty() {
                self.text.push_str(&"\n".repeat(self.breaks));
            }
        } else if self.space && !self.text.is_empty() && !self.text.ends_with(['\n', '\t', ' ']) {
            self.text.push(' ');
        }
        (self.breaks, self.space) = (0, false);
        self.text.push_str(word);
    }

    fn block(&mut self, name: &str) {
        let breaks = if PARAGRAPHS.contains(&name) { 2 } else { usize::from(BLOCKS.contains(&name)) };
        self.breaks = self.breaks.max(breaks);
    }

    fn open(&mut self, name: &str) {
        self.block(name);
        match name {
            "br" => self.breaks = (self.breaks + 1).min(2),
            "li" => {
                self.put("-");
                self.space = true;
            }
            "pre" => self.preformatted += 1,
            _ => {}
        }
    }

    fn close(&mut self, name: &str) {
        match name {
            "td" | "th" => self.space = true,
            "pre" => self.preformatted = self.preformatted.saturating_sub(1),
            _ => {}
        }
        self.block(name);
    }
}
