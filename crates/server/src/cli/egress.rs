//! `mainspring egress`: the organization's own list of hosts that its plans may reach.

use ::http::Method;
use clap::{Args, Subcommand};
use serde_json::json;
use url::form_urlencoded::byte_serialize;

use super::exit::Exit;
use super::failure::Failure;
use super::output::Cx;
use super::place;
use super::table::Rows;
use super::text::moment_of;

#[derive(Subcommand, Debug)]
pub(crate) enum EgressCommand {
    /// List the hosts that the organization's plans may reach.
    #[command(after_help = "\
Examples:
  mainspring egress list
  mainspring egress list -o json --server http://127.0.0.1:5000")]
    List,
    /// Add a host. The first one closes everything else to the organization's plans.
    #[command(after_help = "\
Examples:
  mainspring egress add api.example.com --note 'the shop'
  mainspring egress add '*.example.com:443'
  mainspring egress add 203.0.113.0/24")]
    Add(Add),
    /// Remove a host. Without any the operator's rules hold alone.
    #[command(after_help = "\
Examples:
  mainspring egress remove api.example.com")]
    Remove(Remove),
}

#[derive(Args, Debug)]
pub(crate) struct Add {
    /// A name, *.domain, an address or a range, with :port if only one is meant.
    #[arg(value_name = "HOST")]
    host: String,
    /// Why it is there.
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
}

#[derive(Args, Debug)]
pub(crate) struct Remove {
    /// The entry as the list shows it.
    #[arg(value_name = "HOST")]
    host: String,
}

pub(crate) async fn run(cx: &Cx, command: &EgressCommand) -> Result<Exit, Failure> {
    let api = place::api(cx).await?;
    let answer = match command {
        EgressCommand::List => api.get("/api/organization/egress", &[]).await,
        EgressCommand::Add(Add { host, note }) => {
            api.send(Method::POST, "/api/organization/egress", &json!({"host": host, "note": note})).await
        }
        EgressCommand::Remove(Remove { host }) => {
            let name: String = byte_serialize(host.as_bytes()).collect();
            api.delete(&format!("/api/organization/egress/{name}"), &[]).await
        }
    };
    api.close().await;
    let answer = answer?;
    cx.show(&answer, |style, width| match command {
        EgressCommand::List => {
            let mut rows = Rows::new(["host", "added", "note"], "no list: plans reach what the operator allows");
            for rule in answer["rules"].as_array().into_iter().flatten() {
                let text = |field: &str| rule[field].as_str().unwrap_or_default().to_owned();
                rows.add([text("host"), moment_of(&rule["created_at"]), text("note")]);
            }
            rows.render(width, style)
        }
        EgressCommand::Add(_) => format!("{}: plans may reach it\n", answer["host"].as_str().unwrap_or_default()),
        EgressCommand::Remove(Remove { host }) => format!("{host}: removed\n"),
    })
}
