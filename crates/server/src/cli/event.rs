//! `mainspring event`: telling runs and plans that something happened, and what was told.

use ::http::Method;
use clap::{Args, Subcommand};
use mainspring_model::value::preview;
use serde_json::{Value, json};

use super::exit::Exit;
use super::failure::Failure;
use super::inputs::read_value;
use super::output::Cx;
use super::place;
use super::table::Rows;
use super::text::moment_of;

#[derive(Subcommand, Debug)]
pub(crate) enum EventCommand {
    /// Tell that something happened: runs that wait for this type go on.
    #[command(after_help = "\
Examples:
  mainspring event send invoice.paid --data '{\"number\": \"R-7\"}' --server http://127.0.0.1:5000
  mainspring event send deploy.done --id 0198c3f2-7a51-7cc3-9d2e-3c6a5a3f1b10 --server http://127.0.0.1:5000")]
    Send(Send),
    /// List the events of the organization, newest first.
    #[command(after_help = "\
Examples:
  mainspring event list --server http://127.0.0.1:5000
  mainspring event list --type invoice.paid --limit 5 -o json --server http://127.0.0.1:5000")]
    List(List),
}

#[derive(Args, Debug)]
pub(crate) struct List {
    /// Only of this type.
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
    /// Part of the type, or of `file_path` or `operation` in the data.
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// How many at most.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=200))]
    limit: u16,
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
    match command {
        EventCommand::Send(event) => send(cx, event).await,
        EventCommand::List(asked) => list(cx, asked).await,
    }
}

async fn list(cx: &Cx, List { event_type, search, limit }: &List) -> Result<Exit, Failure> {
    let api = place::api(cx).await?;
    let mut query = vec![("limit", limit.to_string())];
    query.extend(event_type.clone().map(|name| ("type", name)));
    query.extend(search.clone().map(|text| ("search", text)));
    let answer = api.get("/api/events", &query).await;
    api.close().await;
    let answer = answer?;
    cx.show(&answer, |style, width| {
        let mut rows = Rows::new(["received", "type", "data", "id"], "no event is kept");
        for event in answer["events"].as_array().into_iter().flatten() {
            let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
            rows.add([moment_of(&event["received_at"]), text("type"), preview(&event["data"], 60), text("id")]);
        }
        rows.render(width, style)
    })
}

async fn send(cx: &Cx, Send { event_type, data, id }: &Send) -> Result<Exit, Failure> {
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
