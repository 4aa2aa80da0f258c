//! `mainspring schema`: the JSON Schemas of the documents that people write.

use clap::Subcommand;
use mainspring_model::plan::plan_schema;

use super::exit::Exit;
use super::failure::Failure;
use super::output::{Cx, pretty};

#[derive(Subcommand, Debug)]
pub(crate) enum SchemaCommand {
    /// Print the JSON Schema of the plan document.
    ///
    /// The same as `GET /api/schemas/plan`. Editors complete and check plan files with it.
    #[command(after_help = "\
Examples:
  mainspring schema plan > plan.schema.json
  # then, as the first line of a plan file:
  # yaml-language-server: $schema=./plan.schema.json")]
    Plan,
}

pub(crate) fn run(cx: &Cx, command: &SchemaCommand) -> Result<Exit, Failure> {
    match command {
        SchemaCommand::Plan => {
            let schema = plan_schema();
            cx.show(&schema, |_, _| format!("{}\n", pretty(&schema)))
        }
    }
}
