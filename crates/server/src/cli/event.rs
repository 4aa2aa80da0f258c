//! `mainspring event`: telling runs that something happened.

use ::http::Method;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::exit::Exit;
use super::failure::Failure;
use super::inputs::read_value;
use super::output::Cx;
use super::place;

#[derive(Subcommand, Debug)]
pub(crate) enum EventCommand {
    /// Tell that something happened: runs that wait for this type go on.
    #[command(after_help = "\
Examples:
  mainspring event send invoice.paid --data '{\"number\": \"R-7\"}' --server http://127.0.0.1:5000
  mainspring event send deploy.done --id 0198c3f2-7a51-7cc3-9d2e-3c6a5a3f1b10 --server http://127.0.0.1:5000")]
    Send(Send),
}

#[derive(Args, Debug)]
pub(crate) struct Send {
    /// The type, such as invoice.paid.
    #[arg(value_name = "TYPE")]
    event_type: String,
    /// What there is to say of it, as JSON; anything else is text.
    #[arg(long, value_name = "JSON")]
    data: Option<String>,
    /// A UUID of yours: told twice, it is one event.
    #[arg(long, value_name = "UUID")]
    id: Option<String>,
}

pub(crate) async fn run(cx: &Cx, command: &EventCommand) -> Result<Exit, Failure> {
    let EventCommand::Send(Send { event_type, data, id }) = command;
    let Some(api) = place::server(cx)? else {
        return Err(Failure::usage("which server? add --server URL: an event is told to a running server, whose runs wait for it"));
    };
    let mut body = json!({"type": event_type, "data": data.as_deref().map_or(Value::Null, read_value)});
    if let Some(id) = id {
        body["id"] = json!(id);
    }
    let answer = api.send(Method::POST, "/api/events", &body).await?;
    cx.show(&answer, |_, _| {
        let id = answer["id"].as_str().unwrap_or_default();
        if answer["duplicate"] == json!(true) {
            return format!("event {id} was known already\n");
        }
        match answer["woken"].as_u64().unwrap_or(0) {
            0 => format!("event {id}: no run waited for it\n"),
            1 => format!("event {id}: 1 run looks at it\n"),
            many => format!("event {id}: {many} runs look at it\n"),
        }
    })
}
