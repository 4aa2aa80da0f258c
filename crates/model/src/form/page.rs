//! The page: plain HTML, everything from outside escaped, every field with its label and its error.

use std::fmt::Write;

use super::field::{Field, Widget};
use super::typed::{Typed, plain};

/// The one style of all pages; its hash stands in their policy.
pub const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;margin:3rem auto;max-width:36rem;padding:0 1rem}h1{line-height:1.2}\
label,legend{display:block;font-weight:600;margin-top:1.2rem}input,select,textarea,button{font:inherit;box-sizing:border-box;\
width:100%;padding:.5rem;margin-top:.2rem}input[type=checkbox]{width:auto;margin-right:.5rem}fieldset{border:0;padding:0;margin:0}\
fieldset label,label.tick{font-weight:400}.hint{color:#555;margin:.2rem 0 0;white-space:pre-line}.wrong{color:#a00;margin:.2rem 0 0}\
.said{white-space:pre-line;overflow-wrap:anywhere}.summary{border:2px solid #a00;padding:.5rem 1rem}button{margin-top:1.5rem;cursor:pointer}\
.trap{position:absolute;left:-100rem}@media(prefers-color-scheme:dark){body{background:#111;color:#eee}.hint{color:#bbb}\
.wrong{color:#f99}.summary{border-color:#f99}}";

/// A button that sends the form.
#[derive(Clone, Debug)]
pub struct Button<'p> {
    /// Name and value that it sends.
    pub sends: Option<(&'p str, &'p str)>,
    pub label: &'p str,
    /// Takes the form without looking whether it is filled in.
    pub unchecked: bool,
}

/// What stands on a page with a form.
pub struct FormPage<'p> {
    pub title: &'p str,
    /// Kept with its line ends.
    pub text: &'p str,
    pub fields: &'p [Field],
    pub typed: &'p Typed,
    /// What is wrong: a field's name, or none for the form as a whole, and what to do.
    pub wrong: &'p [(Option<String>, String)],
    pub hidden: &'p [(&'p str, String)],
    pub buttons: &'p [Button<'p>],
    /// The name of a field that only programs fill in.
    pub trap: Option<&'p str>,
}

impl FormPage<'_> {
    pub fn html(&self) -> String {
        let mut page = String::new();
        if !self.text.is_empty() {
            let _ = write!(page, "<p class=\"said\">{}</p>", escape(self.text));
        }
        if !self.wrong.is_empty() {
            page.push_str("<div class=\"summary\" role=\"alert\"><p>This was not sent yet:</p><ul>");
            for (field, what) in self.wrong {
                match field {
                    Some(name) => {
                        let label =
                            self.fields.iter().find(|field| field.name == *name).map_or(name.as_str(), |field| field.label.as_str());
                        let _ = write!(page, "<li><a href=\"#f-{}\">{}</a>: {}</li>", escape(name), escape(label), escape(what));
                    }
                    None => {
                        let _ = write!(page, "<li>{}</li>", escape(what));
                    }
                }
            }
            page.push_str("</ul></div>");
        }
        let has_files = self.fields.iter().any(|field| matches!(field.widget, Widget::File { .. }));
        let kind = if has_files { " enctype=\"multipart/form-data\"" } else { "" };
        // What is hidden stands first: who takes the form knows the page before any file of it.
        let _ = write!(page, "<form method=\"post\" accept-charset=\"utf-8\"{kind}>");
        for (name, value) in self.hidden {
            let _ = write!(page, "<input type=\"hidden\" name=\"{}\" value=\"{}\">", escape(name), escape(value));
        }
        for field in self.fields {
            self.field(field, &mut page);
        }
        if let Some(trap) = self.trap {
            let _ = write!(
                page,
                "<div class=\"trap\" aria-hidden=\"true\"><label>Leave this empty <input name=\"{}\" tabindex=\"-1\" autocomplete=\"off\"></label></div>",
                escape(trap)
            );
        }
        for button in self.buttons {
            let sends = button.sends.map(|(name, value)| format!(" name=\"{}\" value=\"{}\"", escape(name), escape(value)));
            let unchecked = if button.unchecked { " formnovalidate" } else { "" };
            let _ = write!(page, "<button type=\"submit\"{}{unchecked}>{}</button>", sends.unwrap_or_default(), escape(button.label));
        }
        page.push_str("</form>");
        frame(self.title, &page)
    }

    fn field(&self, field: &Field, page: &mut String) {
        let name = escape(&field.name);
        let wrong: Vec<&str> =
            self.wrong.iter().filter(|(of, _)| of.as_deref() == Some(&field.name)).map(|(_, what)| what.as_str()).collect();
        let mut about = Vec::new();
        if !field.description.is_empty() {
            about.push(format!("h-{name}"));
        }
        if !wrong.is_empty() {
            about.push(format!("e-{name}"));
        }
        let mut attributes = format!(" id=\"f-{name}\" name=\"{name}\"");
        if !about.is_empty() {
            let _ = write!(attributes, " aria-describedby=\"{}\"", about.join(" "));
        }
        if !wrong.is_empty() {
            attributes.push_str(" aria-invalid=\"true\"");
        }
        if field.required && !matches!(field.widget, Widget::Checkbox | Widget::Several(_)) {
            attributes.push_str(" required");
        }
        let star = if field.required { "" } else { " (optional)" };
        let label = escape(&field.label);
        let typed = self.typed.first(&field.name);
        match &field.widget {
            Widget::Checkbox => {
                let ticked = if typed.is_empty() { "" } else { " checked" };
                let _ = write!(page, "<label class=\"tick\"><input type=\"checkbox\" value=\"true\"{attributes}{ticked}>{label}</label>");
            }
            Widget::Several(choices) => {
                let _ = write!(page, "<fieldset id=\"f-{name}\"><legend>{label}{star}</legend>");
                for choice in choices {
                    let value = plain(choice);
                    let ticked = if self.typed.has(&field.name, &value) { " checked" } else { "" };
                    let value = escape(&value);
                    let _ = write!(page, "<label><input type=\"checkbox\" name=\"{name}\" value=\"{value}\"{ticked}>{value}</label>");
                }
                page.push_str("</fieldset>");
            }
            widget => {
                let _ = write!(page, "<label for=\"f-{name}\">{label}{star}</label>");
                control(widget, &attributes, typed, field.required, page);
            }
        }
        if !field.description.is_empty() {
            let _ = write!(page, "<p class=\"hint\" id=\"h-{name}\">{}</p>", escape(&field.description));
        }
        if !wrong.is_empty() {
            let _ = write!(page, "<p class=\"wrong\" id=\"e-{name}\">{}</p>", escape(&wrong.join("; ")));
        }
    }
}

fn control(widget: &Widget, attributes: &str, typed: &str, required: bool, page: &mut String) {
    let value = escape(typed);
    let _ = match widget {
        Widget::Line { kind, attributes: bounds } => {
            let bounds: String = bounds.iter().map(|(name, bound)| format!(" {name}=\"{}\"", escape(bound))).collect();
            let kind_said = if *kind == "datetime-local" { " step=\"1\" title=\"in UTC\"" } else { "" };
            write!(page, "<input type=\"{kind}\"{attributes}{bounds}{kind_said} value=\"{value}\">")
        }
        Widget::Number { whole, least, most } => {
            let bound = |name: &str, bound: &Option<String>| bound.as_ref().map(|bound| format!(" {name}=\"{bound}\"")).unwrap_or_default();
            let step = if *whole { "1" } else { "any" };
            let (least, most) = (bound("min", least), bound("max", most));
            write!(page, "<input type=\"number\" step=\"{step}\"{attributes}{least}{most} value=\"{value}\">")
        }
        Widget::Select(choices) => {
            let mut options = String::new();
            if !required || typed.is_empty() {
                options.push_str("<option value=\"\"></option>");
            }
            for choice in choices {
                let choice = plain(choice);
                let chosen = if choice == typed { " selected" } else { "" };
                let _ = write!(options, "<option value=\"{0}\"{chosen}>{0}</option>", escape(&choice));
            }
            write!(page, "<select{attributes}>{options}</select>")
        }
        Widget::Text { most } => {
            let most = most.map(|most| format!(" maxlength=\"{most}\"")).unwrap_or_default();
            // A line end right after the tag is not part of the text.
            write!(page, "<textarea rows=\"6\"{attributes}{most}>\n{value}</textarea>")
        }
        // What somebody chose cannot be shown again: browsers let nobody name a file of theirs.
        Widget::File { several } => write!(page, "<input type=\"file\"{attributes}{}>", if *several { " multiple" } else { "" }),
        Widget::Lines => write!(page, "<textarea rows=\"4\"{attributes} title=\"one a line\">\n{value}</textarea>"),
        Widget::Json | Widget::Checkbox | Widget::Several(_) => {
            write!(page, "<textarea rows=\"6\" spellcheck=\"false\"{attributes} title=\"as JSON\">\n{value}</textarea>")
        }
    };
}

/// A page that only says something.
pub fn notice(title: &str, text: &str) -> String {
    frame(title, &format!("<p class=\"said\" role=\"status\">{}</p>", escape(text)))
}

fn frame(title: &str, inner: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <meta name=\"robots\" content=\"noindex\"><title>{title}</title><style>{STYLE}</style></head><body><main><h1>{title}</h1>{inner}</main></body></html>"
    )
}

/// Text as it may stand in an element and in a quoted attribute.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // No HTML has it, and it would end a text for some readers.
            '\0' => escaped.push('\u{FFFD}'),
            other => escaped.push(other),
        }
    }
    escaped
}
