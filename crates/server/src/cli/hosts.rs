//! `mainspring hosts`: outside hosts that a server holds back because they fail, and letting calls out again.

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
pub(crate) enum HostsCommand {
    /// List the hosts whose last call failed, as the server's node knows them.
    #[command(after_help = "\
Examples:
  mainspring hosts list --server http://127.0.0.1:5000
  mainspring hosts list -o json --server http://127.0.0.1:5000")]
    List,
    /// Let calls to a host out again, before its next try is due.
    #[command(after_help = "\
Examples:
  mainspring hosts reset api.example.com --server http://127.0.0.1:5000
  mainspring hosts reset localhost:8080 --server http://127.0.0.1:5000")]
    Reset(Reset),
}

#[derive(Args, Debug)]
pub(crate) struct Reset {
    /// The host as the list shows it, with its port if it has one there.
    #[arg(value_name = "HOST")]
    host: String,
}

pub(crate) async fn run(cx: &Cx, command: &HostsCommand) -> Result<Exit, Failure> {
    // What is held back is known to the process that calls, and this one calls nobody.
    let Some(api) = place::server(cx)? else {
        return Err(Failure::usage("which server? add --server URL: only a running server knows which hosts fail"));
    };
    match command {
        HostsCommand::List => {
            let answer = api.get("/api/hosts", &[]).await?;
            cx.show(&answer, |style, width| {
                let mut rows = Rows::new(["host", "state", "failures", "next try", "last error"], "no host fails");
                for host in answer["hosts"].as_array().into_iter().flatten() {
                    let text = |field: &str| host[field].as_str().unwrap_or_default().to_owned();
                    rows.add([
                        text("host"),
                        text("state"),
                        host["failures"].to_string(),
                        moment_of(&host["next_try_at"]),
                        text("last_error"),
                    ]);
                }
                rows.render(width, style)
            })
        }
        HostsCommand::Reset(Reset { host }) => {
            let name: String = byte_serialize(host.as_bytes()).collect();
            let answer = api.send(Method::POST, &format!("/api/hosts/{name}/reset"), &json!({})).await?;
            cx.show(&answer, |_, _| {
                let known = answer["was_known"] == json!(true);
                format!("{host}: {}\n", if known { "the next call goes out" } else { "nothing was held back" })
            })
        }
    }
}
