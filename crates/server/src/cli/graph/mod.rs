//! `mainspring plan graph`: a plan as a drawing of its steps and edges.

mod drawing;
mod mermaid;
mod svg;
#[cfg(test)]
mod tests;
mod text;

use clap::{Args, ValueEnum};
use mainspring_model::id::Owner;
use mainspring_model::plan::{self, Format, Plan};
use serde_json::{Value, json};

use super::document::Stdin;
use super::exit::Exit;
use super::failure::Failure;
use super::output::{Cx, Format as Shape};
use super::place;

#[derive(Args, Debug)]
pub(crate) struct Graph {
    /// The plan file, YAML or JSON; `-` reads standard input.
    #[arg(value_name = "FILE")]
    file: String,
    /// How it is drawn.
    #[arg(long = "as", value_enum, value_name = "FORM", default_value = "text")]
    form: Form,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Form {
    /// Lines, for the terminal.
    Text,
    /// For Markdown: put it into a block ```` ```mermaid ````.
    Mermaid,
    /// A picture.
    Svg,
}

pub(crate) async fn run(cx: &Cx, graph: &Graph) -> Result<Exit, Failure> {
    let document = Stdin::default().read(&graph.file, "FILE")?;
    let catalog = place::catalog(cx).await;
    let plan = match plan::load(&document.text, Format::Auto, &*catalog, &Owner::LOCAL) {
        Ok(checked) => checked.plan,
        Err(found) => return Err(Failure::invalid(document, found)),
    };
    if !matches!(cx.format, Shape::Table) {
        return cx.show(&as_json(&plan), |_, _| String::new());
    }
    cx.show(&Value::Null, |style, _| match graph.form {
        Form::Text => text::render(&plan.name, &drawing::lists(&plan), style),
        Form::Mermaid => mermaid::render(&drawing::lists(&plan)),
        Form::Svg => svg::render(&plan.name, &drawing::lists(&plan)),
    })
}

fn as_json(plan: &Plan) -> Value {
    let lists = drawing::lists(plan);
    let lists = lists.iter().map(|(title, drawing)| (if title.is_empty() { "steps" } else { title }, list_json(drawing)));
    json!({ "name": plan.name, "lists": lists.collect::<std::collections::BTreeMap<_, _>>() })
}

fn list_json(drawing: &drawing::Drawing) -> Value {
    let steps = drawing.boxes.iter().map(|node| {
        let inside = node.inside.iter().map(|(title, inner)| (title.clone(), list_json(inner)));
        json!({ "id": node.id, "what": node.what, "if": node.condition, "inside": inside.collect::<serde_json::Map<_, _>>() })
    });
    let edges = drawing
        .arrows
        .iter()
        .map(|arrow| json!({ "from": drawing.boxes[arrow.from].id, "to": drawing.boxes[arrow.to].id, "port": arrow.label }));
    json!({ "steps": steps.collect::<Vec<_>>(), "edges": edges.collect::<Vec<_>>() })
}
