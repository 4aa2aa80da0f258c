//! `mainspring notification`: what the caller was told, and the rules of who is told of what.

use ::http::Method;
use clap::{Args, Subcommand};
use serde_json::json;

use super::api::{Api, part};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Cx;
use super::place;
use super::table::Rows;
use super::text::{moment_of, plain, text_list};

#[derive(Subcommand, Debug)]
pub(crate) enum NotificationCommand {
    /// List what the caller was told.
    #[command(after_help = "\
Examples:
  mainspring notification list
  mainspring notification list --unread -o json")]
    List(List),
    /// Mark notifications as read.
    #[command(after_help = "\
Examples:
  mainspring notification read 0190b8a0-0000-7000-8000-000000000001
  mainspring notification read --all")]
    Read(Read),
    /// List the rules of who is told of what.
    #[command(after_help = "\
Examples:
  mainspring notification rules")]
    Rules,
    /// Make a rule.
    #[command(after_help = "\
Examples:
  mainspring notification add failures --event run.failed --mail ada@example.com
  mainspring notification add pager --event run.failed --event schedule.late --webhook https://hooks.example/ms --whole-organization
  mainspring notification add inbox --event credential.expiring --app")]
    Add(Box<Add>),
    /// Remove a rule.
    #[command(after_help = "\
Examples:
  mainspring notification remove 0190b8a0-0000-7000-8000-000000000001")]
    Remove(Named),
    /// Make a new signing secret; for a day webhooks are signed with the one before as well.
    #[command(after_help = "\
Examples:
  mainspring notification rotate 0190b8a0-0000-7000-8000-000000000001")]
    Rotate(Named),
}

#[derive(Args, Debug)]
pub(crate) struct List {
    /// Only those that were not read.
    #[arg(long)]
    unread: bool,
    /// How many at most.
    #[arg(long, short = 'n', value_name = "N", default_value_t = 50)]
    limit: usize,
}

#[derive(Args, Debug)]
pub(crate) struct Read {
    /// Which one.
    #[arg(value_name = "ID", required_unless_present = "all")]
    id: Option<String>,
    /// All of them.
    #[arg(long, conflicts_with = "id")]
    all: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Named {
    /// The rule.
    #[arg(value_name = "ID")]
    id: String,
}

#[derive(Args, Debug)]
pub(crate) struct Add {
    /// What to call it.
    #[arg(value_name = "NAME")]
    name: String,
    /// What it tells of: run.failed, schedule.failing, schedule.late, credential.expiring, credential.needs_reconnect.
    #[arg(long, short = 'e', value_name = "EVENT", required = true)]
    event: Vec<String>,
    /// Tell this address by mail.
    #[arg(long, value_name = "ADDRESS", group = "channel")]
    mail: Option<String>,
    /// Tell this URL by a signed webhook.
    #[arg(long, value_name = "URL", group = "channel")]
    webhook: Option<String>,
    /// Tell whoever makes the rule, in the program itself.
    #[arg(long, group = "channel")]
    app: bool,
    /// Only this plan.
    #[arg(long, value_name = "ID")]
    plan: Vec<String>,
    /// Of everybody's plans and credentials, and not of one's own alone.
    #[arg(long)]
    whole_organization: bool,
    /// One message about one thing in so many minutes.
    #[arg(long, value_name = "MINUTES", default_value_t = 15)]
    throttle: u32,
    /// For schedule.failing: so many failures in a row.
    #[arg(long, value_name = "N", default_value_t = 3)]
    failures: u32,
}

pub(crate) async fn run(cx: &Cx, command: &NotificationCommand) -> Result<Exit, Failure> {
    let api = place::api(cx).await?;
    let done = match command {
        NotificationCommand::List(asked) => list(cx, &api, asked).await,
        NotificationCommand::Read(asked) => read(cx, &api, asked).await,
        NotificationCommand::Rules => rules(cx, &api).await,
        NotificationCommand::Add(add) => self::add(cx, &api, add).await,
        NotificationCommand::Remove(named) => remove(cx, &api, named).await,
        NotificationCommand::Rotate(named) => {
            let path = format!("/api/notification-rules/{}/rotate-secret", part(&named.id));
            saved(cx, &api, Method::POST, &path, &json!({})).await
        }
    };
    api.close().await;
    done
}

async fn list(cx: &Cx, api: &Api, asked: &List) -> Result<Exit, Failure> {
    let query = if asked.unread { vec![("unread", "true".to_owned())] } else { vec![] };
    let found = api.list("/api/notifications", "notifications", &query, asked.limit).await?;
    cx.show(&json!({ "notifications": found }), |style, width| {
        let mut rows = Rows::new(["id", "when", "read", "event", "title"], "nothing was told");
        for one in &found {
            let text = |field: &str| one[field].as_str().unwrap_or_default().to_owned();
            let read = if one["read_at"].is_null() { "" } else { "✓" };
            rows.add([text("id"), moment_of(&one["created_at"]), read.to_owned(), text("event"), text("title")]);
        }
        rows.render(width, style)
    })
}

async fn read(cx: &Cx, api: &Api, asked: &Read) -> Result<Exit, Failure> {
    let path = match &asked.id {
        Some(id) => format!("/api/notifications/{}/read", part(id)),
        None => "/api/notifications/read-all".to_owned(),
    };
    let answer = api.send(Method::POST, &path, &json!({})).await?;
    cx.show(&answer, |style, _| format!("{} {} marked as read\n", style.green("✓"), answer["read"]))
}

async fn rules(cx: &Cx, api: &Api) -> Result<Exit, Failure> {
    let answer = api.get("/api/notification-rules", &[]).await?;
    cx.show(&answer, |style, width| {
        let mut rows =
            Rows::new(["id", "name", "channel", "to", "events"], "there is no rule; make one with `mainspring notification add`");
        for rule in answer["notification_rules"].as_array().into_iter().flatten() {
            let text = |field: &str| rule[field].as_str().unwrap_or_default().to_owned();
            let events = text_list(rule["events"].as_array().into_iter().flatten().filter_map(serde_json::Value::as_str));
            rows.add([text("id"), text("name"), text("channel"), text("to"), events]);
        }
        rows.render(width, style)
    })
}

async fn add(cx: &Cx, api: &Api, add: &Add) -> Result<Exit, Failure> {
    let (channel, to) = match (&add.mail, &add.webhook) {
        (Some(address), _) => ("mail", address.as_str()),
        (_, Some(url)) => ("webhook", url.as_str()),
        _ if add.app => ("app", ""),
        _ => return Err(Failure::usage("say how to tell: --mail ADDRESS, --webhook URL or --app")),
    };
    let body = json!({
        "name": add.name, "events": add.event, "channel": channel, "to": to, "plans": add.plan,
        "whole_organization": add.whole_organization, "throttle_minutes": add.throttle, "failures": add.failures,
    });
    saved(cx, api, Method::POST, "/api/notification-rules", &body).await
}

async fn saved(cx: &Cx, api: &Api, method: Method, path: &str, body: &serde_json::Value) -> Result<Exit, Failure> {
    let answer = api.send(method, path, body).await?;
    cx.show(&answer, |style, _| {
        let rule = &answer["notification_rule"];
        let mut text = format!(
            "{} rule {} ({})\n",
            style.green("✓"),
            plain(rule["name"].as_str().unwrap_or_default()),
            rule["id"].as_str().unwrap_or_default()
        );
        if let Some(secret) = answer["secret"].as_str() {
            text.push_str(&format!("Signing secret, shown this once: {secret}\n"));
        }
        text
    })
}

async fn remove(cx: &Cx, api: &Api, named: &Named) -> Result<Exit, Failure> {
    let answer = api.delete(&format!("/api/notification-rules/{}", part(&named.id)), &[]).await?;
    cx.show(&answer, |style, _| format!("{} removed\n", style.green("✓")))
}
