//! `mainspring approval`: what runs ask people, and their answers.

use std::collections::BTreeMap;

use ::http::Method;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use url::form_urlencoded::byte_serialize;

use super::document::Stdin;
use super::exit::Exit;
use super::failure::Failure;
use super::inputs;
use super::output::Cx;
use super::place;
use super::table::Rows;
use super::text::moment_of;

#[derive(Subcommand, Debug)]
pub(crate) enum ApprovalCommand {
    /// List the questions of runs that wait for an answer.
    #[command(after_help = "\
Examples:
  mainspring approval list --server http://127.0.0.1:5000
  mainspring approval list -o json --server http://127.0.0.1:5000")]
    List,
    /// Say yes: the run goes on by its port `approved`.
    #[command(after_help = "\
Examples:
  mainspring approval approve mfrggzdfmztwq2lk --server http://127.0.0.1:5000
  mainspring approval approve mfrggzdfmztwq2lk -i amount=120 --comment \"as agreed\" --server http://127.0.0.1:5000")]
    Approve(Answer),
    /// Say no: the run goes on by its port `rejected`.
    #[command(after_help = "\
Examples:
  mainspring approval reject mfrggzdfmztwq2lk --comment \"too much\" --server http://127.0.0.1:5000")]
    Reject(Answer),
}

#[derive(Args, Debug)]
pub(crate) struct Answer {
    /// The id that the list shows.
    #[arg(value_name = "ID")]
    id: String,
    /// Why; the plan sees it.
    #[arg(long, value_name = "TEXT", default_value = "")]
    comment: String,
    /// A field of the question's form.
    #[arg(short = 'i', long = "input", value_name = "NAME=VALUE")]
    inputs: Vec<String>,
}

pub(crate) async fn run(cx: &Cx, command: &ApprovalCommand) -> Result<Exit, Failure> {
    let Some(api) = place::server(cx)? else {
        return Err(Failure::usage("which server? add --server URL: the answer goes to a running server, whose runs wait for it"));
    };
    let (approved, Answer { id, comment, inputs }) = match command {
        ApprovalCommand::List => {
            let answer = api.get("/api/approvals", &[]).await?;
            return cx.show(&answer, |style, width| {
                let mut rows = Rows::new(["id", "plan", "question", "asked", "until", "mails"], "nothing waits for an answer");
                for one in answer["approvals"].as_array().into_iter().flatten() {
                    let text = |field: &str| one[field].as_str().unwrap_or_default().to_owned();
                    rows.add([
                        text("id"),
                        text("plan_name"),
                        text("message"),
                        moment_of(&one["asked_at"]),
                        moment_of(&one["until"]),
                        mails_of(one),
                    ]);
                }
                rows.render(width, style)
            });
        }
        ApprovalCommand::Approve(answer) => (true, answer),
        ApprovalCommand::Reject(answer) => (false, answer),
    };
    let form = inputs::gather(None, inputs, &mut Stdin::default())?;
    let path: String = byte_serialize(id.as_bytes()).collect();
    let body = json!({"approved": approved, "comment": comment, "form": form});
    let answer = api.send(Method::POST, &format!("/api/approvals/{path}"), &body).await?;
    cx.show(&answer, |_, _| {
        let run = answer["run_id"].as_str().unwrap_or_default();
        format!("{}: run {run} goes on\n", if approved { "approved" } else { "rejected" })
    })
}

/// How many are how far, such as `1 sent, 1 failed`.
fn mails_of(approval: &Value) -> String {
    let states = approval["mails"].as_array().into_iter().flatten().filter_map(|mail| mail["state"].as_str());
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for state in states {
        *counts.entry(state).or_default() += 1;
    }
    counts.iter().rev().map(|(state, count)| format!("{count} {state}")).collect::<Vec<_>>().join(", ")
}
