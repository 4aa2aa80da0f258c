//! `mainspring state`: what plans remember between runs, to look at and to mend.

use ::http::Method;
use clap::{Args, Subcommand};
use mainspring_model::value::preview;
use serde_json::json;

use super::api::{Api, part};
use super::exit::Exit;
use super::failure::Failure;
use super::inputs::read_value;
use super::output::Cx;
use super::place;
use super::plan::find;
use super::table::Rows;
use super::text::moment_of;

#[derive(Subcommand, Debug)]
pub(crate) enum StateCommand {
    /// List values by key, and the sets of seen items.
    #[command(after_help = "\
Examples:
  mainspring state list --plan 'New articles'
  mainspring state list --prefix orders/ -o json")]
    List(List),
    /// Show one value.
    #[command(after_help = "\
Examples:
  mainspring state get cursor --plan 'New articles'
  mainspring state get invoices -o json")]
    Get(One),
    /// Write a value; one under that key is replaced.
    #[command(after_help = "\
Examples:
  mainspring state set cursor 2026-02-01T00:00:00Z --plan 'New articles'
  mainspring state set limits '{\"day\": 5}' --ttl 30d")]
    Set(Set),
    /// Forget a value, or with --set a whole set of seen items.
    #[command(after_help = "\
Examples:
  mainspring state delete cursor --plan 'New articles'
  mainspring state delete articles --set --plan 'New articles'")]
    Delete(Delete),
}

#[derive(Args, Debug)]
pub(crate) struct Whose {
    /// The plan, by name or id; the organization's own state without it.
    #[arg(long, value_name = "PLAN")]
    plan: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct List {
    #[command(flatten)]
    whose: Whose,
    /// Only keys that begin so.
    #[arg(long, value_name = "TEXT", default_value = "")]
    prefix: String,
    /// How many at most.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    limit: u16,
}

#[derive(Args, Debug)]
pub(crate) struct One {
    /// The key.
    #[arg(value_name = "KEY")]
    key: String,
    #[command(flatten)]
    whose: Whose,
}

#[derive(Args, Debug)]
pub(crate) struct Set {
    #[command(flatten)]
    one: One,
    /// JSON; anything else is text.
    #[arg(value_name = "VALUE")]
    value: String,
    /// How long it is kept, such as 30d; for ever unless given.
    #[arg(long, value_name = "DURATION")]
    ttl: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Delete {
    #[command(flatten)]
    one: One,
    /// KEY is the name of a set that `state.unseen` fills: all of its items are new again.
    #[arg(long)]
    set: bool,
}

pub(crate) async fn run(cx: &Cx, command: &StateCommand) -> Result<Exit, Failure> {
    let api = place::api(cx).await?;
    let done = perform(cx, &api, command).await;
    api.close().await;
    done
}

async fn perform(cx: &Cx, api: &Api, command: &StateCommand) -> Result<Exit, Failure> {
    match command {
        StateCommand::List(asked) => list(cx, api, asked).await,
        StateCommand::Get(one) => {
            let answer = api.get(&format!("/api/state/{}", part(&one.key)), &space(api, &one.whose).await?).await?;
            cx.show(&answer, |_, _| format!("{}\n", answer["state"]["value"]))
        }
        StateCommand::Set(Set { one, value, ttl }) => {
            let body = json!({"value": read_value(value), "ttl": ttl});
            let answer = api.send(Method::PUT, &addressed("state", one, api).await?, &body).await?;
            cx.show(&answer, |_, _| format!("{} is set\n", one.key))
        }
        StateCommand::Delete(Delete { one, set: false }) => {
            let answer = api.delete(&format!("/api/state/{}", part(&one.key)), &space(api, &one.whose).await?).await?;
            cx.show(&answer, |_, _| format!("{} is forgotten\n", one.key))
        }
        StateCommand::Delete(Delete { one, set: true }) => {
            let answer = api.delete(&format!("/api/state-sets/{}", part(&one.key)), &space(api, &one.whose).await?).await?;
            cx.show(&answer, |_, _| format!("{}: {} items are forgotten\n", one.key, answer["items"]))
        }
    }
}

async fn list(cx: &Cx, api: &Api, List { whose, prefix, limit }: &List) -> Result<Exit, Failure> {
    let mut query = space(api, whose).await?;
    query.push(("prefix", prefix.clone()));
    let first = api.get("/api/state", &query).await?;
    let values = api.list("/api/state", "state", &query, usize::from(*limit)).await?;
    let answer = json!({"state": values, "sets": first["sets"]});
    cx.show(&answer, |style, width| {
        let mut rows = Rows::new(["key", "value", "updated", "until"], "nothing is remembered");
        for one in answer["state"].as_array().into_iter().flatten() {
            let key = one["key"].as_str().unwrap_or_default().to_owned();
            rows.add([key, preview(&one["value"], 60), moment_of(&one["updated_at"]), moment_of(&one["expires_at"])]);
        }
        for set in answer["sets"].as_array().into_iter().flatten() {
            let name = set["set"].as_str().unwrap_or_default().to_owned();
            rows.add([name, format!("{} seen items", set["items"]), String::new(), String::new()]);
        }
        rows.render(width, style)
    })
}

async fn addressed(what: &str, one: &One, api: &Api) -> Result<String, Failure> {
    let space = space(api, &one.whose).await?;
    let query: Vec<String> = space.iter().map(|(name, value)| format!("{name}={}", part(value))).collect();
    let mark = if query.is_empty() { "" } else { "?" };
    Ok(format!("/api/{what}/{}{mark}{}", part(&one.key), query.join("&")))
}

/// The plan that was named, as the query says it.
async fn space(api: &Api, whose: &Whose) -> Result<Vec<(&'static str, String)>, Failure> {
    let Some(plan) = &whose.plan else { return Ok(Vec::new()) };
    let found = find(api, plan).await?;
    Ok(vec![("plan_id", found["id"].as_str().unwrap_or_default().to_owned())])
}
