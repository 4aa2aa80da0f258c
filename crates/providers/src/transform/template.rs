//! `transform.template`: text of many lines from data: letters, reports, pages.

use std::io::{Error, Write};

use mainspring_model::action::{ActionSpec, ParamKind};
use mainspring_model::{Code, Fault};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::invalid_input;
use crate::apart::Bounded;
use crate::logic::bounds::MAX_OUTPUT;

pub(super) struct Template;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The template in the language of Jinja: {{ name }}, {% for item in items %}, {% if %}, filters such as | upper. Never scanned for
    /// `${…}`: data reaches it through data alone. Without includes and macros of other files.
    #[schemars(length(max = 262_144))]
    template: String,
    /// What the template sees, by name.
    #[serde(default)]
    data: serde_json::Map<String, Value>,
    /// True: values are escaped as HTML text, unless a filter says | safe.
    #[serde(default)]
    html: bool,
}

const LONGEST: usize = 262_144;

impl Bounded for Template {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            param_kinds: [("template".to_owned(), ParamKind::Literal)].into(),
            output: Some(json!({"type": "string"})),
            example: json!({
                "template": "Dear {{ name }},\n{% for item in items %}- {{ item.name }}: {{ item.cents / 100 }} €\n{% endfor %}",
                "data": {"name": "Ada", "items": [{"name": "Pen", "cents": 250}]},
            }),
            ..ActionSpec::of::<Params>("template", "Fill a template", "Writes text from a template and data.")
        }
    }

    fn run(&self, params: Params) -> Result<Value, Fault> {
        if params.template.len() > LONGEST {
            return Err(Fault::invalid_params(format!("\"template\" is longer than {LONGEST} bytes")));
        }
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        // A line that holds nothing but a block leaves none behind.
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build();
        environment.set_syntax(syntax.map_err(|error| Fault::internal(error.to_string()))?);
        let html = params.html;
        environment.set_auto_escape_callback(move |_| if html { AutoEscape::Html } else { AutoEscape::None });
        let template = environment
            .template_from_str(&params.template)
            .map_err(|error| Fault::invalid_params(format!("\"template\": {}", told(&error))))?;
        let mut page = Page(Vec::new());
        match template.render_captured_to(Serde(&params.data), &mut page) {
            Ok(_) => {}
            Err(_) if page.0.len() >= MAX_OUTPUT => {
                return Err(Fault::new(Code::LIMIT_EXCEEDED, "the output is larger than 16 MiB; keep fewer items or fewer fields"));
            }
            Err(error) => return Err(invalid_input(told(&error))),
        }
        String::from_utf8(page.0).map(Value::String).map_err(|_| invalid_input("the template gives text that is not UTF-8"))
    }
}

/// What and where; the library's own text would draw the template.
fn told(error: &minijinja::Error) -> String {
    let what = error.detail().map_or_else(|| error.kind().to_string(), |detail| format!("{}: {detail}", error.kind()));
    error.line().map_or(what.clone(), |line| format!("line {line}: {what}"))
}

/// Text that grows to the bound and no further.
struct Page(Vec<u8>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        let room = MAX_OUTPUT - self.0.len();
        self.0.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if bytes.len() > room { Err(Error::other("full")) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }
}
