//! `mainspring flag`: feature flags, what holds for whom, and why.

use ::http::Method;
use clap::{Args, Subcommand};
use mainspring_model::id::{OrgId, UserId};
use serde_json::{Value, json};

use super::api::{Api, part};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Cx;
use super::place;
use super::table::Rows;
use super::text::plain;

#[derive(Subcommand, Debug)]
pub(crate) enum FlagCommand {
    /// List all flags as they hold for the caller, which on a data folder is the local owner, or for somebody else.
    #[command(after_help = "\
Examples:
  mainspring flag list
  mainspring flag list --user 0190b8a0-0000-7000-8000-000000000001
  mainspring flag list -o json")]
    List(List),
    /// Say what holds for a flag; what is not written stays as it was.
    #[command(after_help = "\
Examples:
  mainspring flag set new_editor --on
  mainspring flag set new_editor --rollout 10
  mainspring flag set new_editor --user 0190b8a0-0000-7000-8000-000000000001=off --target-organization 0190b8a0-0000-7000-8000-000000000002")]
    Set(Box<Set>),
    /// Switch a flag off for everybody, whatever else is said of it.
    #[command(after_help = "\
Examples:
  mainspring flag kill new_editor
  mainspring flag kill new_editor --undo")]
    Kill(Kill),
    /// Say whether a flag is on for somebody, and which rule decided.
    #[command(after_help = "\
Examples:
  mainspring flag explain enable_user_registration
  mainspring flag explain new_editor --user 0190b8a0-0000-7000-8000-000000000001")]
    Explain(Explain),
}

#[derive(Args, Debug)]
pub(crate) struct Set {
    /// The flag.
    #[arg(value_name = "NAME")]
    name: String,
    /// On for whom nothing else is said.
    #[arg(long, conflicts_with = "off")]
    on: bool,
    /// Off for whom nothing else is said.
    #[arg(long)]
    off: bool,
    /// On for this share of users, 0 to 100.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100), conflicts_with = "no_rollout")]
    rollout: Option<u8>,
    /// No share of users any more.
    #[arg(long)]
    no_rollout: bool,
    /// On or off for one user: `<id>=on`, `<id>=off`.
    #[arg(long, value_name = "ID=ON|OFF")]
    user: Vec<String>,
    /// On or off for one organization.
    #[arg(long, value_name = "ID=ON|OFF")]
    organization: Vec<String>,
    /// On for this user.
    #[arg(long, value_name = "ID")]
    target_user: Vec<String>,
    /// On for this organization.
    #[arg(long, value_name = "ID")]
    target_organization: Vec<String>,
    /// What it is for.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Kill {
    /// The flag.
    #[arg(value_name = "NAME")]
    name: String,
    /// Take the kill switch back.
    #[arg(long)]
    undo: bool,
}

#[derive(Args, Debug)]
pub(crate) struct List {
    /// For this user instead of the caller.
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// In this organization instead of the caller's.
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Explain {
    /// The flag.
    #[arg(value_name = "NAME")]
    name: String,
    /// For this user instead of the caller.
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// In this organization instead of the caller's.
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
}

pub(crate) async fn run(cx: &Cx, command: &FlagCommand) -> Result<Exit, Failure> {
    let api = place::api(cx).await?;
    let done = match command {
        FlagCommand::List(asked) => list(cx, &api, asked).await,
        FlagCommand::Set(set) => change(cx, &api, &set.name, |flag| apply(set, flag)).await,
        FlagCommand::Kill(kill) => {
            let switch = |flag: &mut Value| {
                flag["killed"] = json!(!kill.undo);
                Ok(())
            };
            change(cx, &api, &kill.name, switch).await
        }
        FlagCommand::Explain(asked) => explain(cx, &api, asked).await,
    };
    api.close().await;
    done
}

/// For whom the question is, where it is not for the caller.
fn whose(user: &Option<String>, organization: &Option<String>) -> Vec<(&'static str, String)> {
    let query = [("for_user", user), ("for_organization", organization)];
    query.into_iter().filter_map(|(name, id)| Some((name, id.clone()?))).collect()
}

async fn list(cx: &Cx, api: &Api, asked: &List) -> Result<Exit, Failure> {
    let answer = api.get("/api/feature-flags", &whose(&asked.user, &asked.organization)).await?;
    let of = |field: &str, local: String, what: &str| match answer["judged_for"][field].as_str() {
        Some(id) if id == local => format!("the local {what}"),
        Some(id) => format!("the {what} {}", plain(id)),
        None => format!("the caller's {what}"),
    };
    let user = of("user_id", UserId::LOCAL.to_string(), "owner");
    let organization = of("organization_id", OrgId::LOCAL.to_string(), "organization");
    let dev = if answer["judged_for"]["dev_mode"] == true { "; defaults are those of dev mode" } else { "" };
    cx.note(&format!("As the flags hold for {user} in {organization}{dev}:"));
    cx.show(&answer, |style, width| {
        let mut rows = Rows::new(["flag", "on", "decided by", "description"], "there is no flag");
        for flag in answer["feature_flags"].as_array().into_iter().flatten() {
            let text = |field: &str| flag[field].as_str().unwrap_or_default().to_owned();
            rows.add([text("name"), shown(&flag["on"]).to_owned(), text("decided_by").replace('_', " "), text("description")]);
        }
        rows.render(width, style)
    })
}

fn shown(on: &Value) -> &'static str {
    if on == true { "on" } else { "off" }
}

/// Takes what is said of a flag, changes it and says it again.
async fn change(cx: &Cx, api: &Api, name: &str, edit: impl FnOnce(&mut Value) -> Result<(), Failure>) -> Result<Exit, Failure> {
    let path = format!("/api/feature-flags/{}", part(name));
    let before = api.get(&path, &[]).await?;
    let mut flag = match &before["definition"] {
        Value::Object(definition) => Value::Object(definition.clone()),
        _ => json!({}),
    };
    edit(&mut flag)?;
    let answer = api.send(Method::PUT, &path, &flag).await?;
    cx.show(&answer, |style, _| {
        let how = answer["decided_by"].as_str().unwrap_or_default().replace('_', " ");
        format!("{} {} is {} for you (by {how})\n", style.green("✓"), plain(name), shown(&answer["on"]))
    })
}

fn apply(set: &Set, flag: &mut Value) -> Result<(), Failure> {
    if set.on || set.off {
        flag["enabled"] = json!(set.on);
    }
    if let Some(percentage) = set.rollout {
        flag["rollout_percentage"] = json!(percentage);
    }
    if set.no_rollout {
        flag["rollout_percentage"] = Value::Null;
    }
    if let Some(description) = &set.description {
        flag["description"] = json!(description);
    }
    for (field, given) in [("users", &set.user), ("organizations", &set.organization)] {
        for text in given {
            let (id, on) = text.split_once('=').ok_or_else(|| Failure::usage(format!("\"{text}\" is no <id>=on or <id>=off")))?;
            flag[field][id] = match on {
                "on" => json!(true),
                "off" => json!(false),
                other => return Err(Failure::usage(format!("\"{other}\" is not on or off"))),
            };
        }
    }
    for (field, given) in [("target_users", &set.target_user), ("target_organizations", &set.target_organization)] {
        let mut targets: Vec<Value> = flag[field].as_array().cloned().unwrap_or_default();
        targets.extend(given.iter().map(|id| json!(id)));
        flag[field] = json!(targets);
    }
    Ok(())
}

async fn explain(cx: &Cx, api: &Api, asked: &Explain) -> Result<Exit, Failure> {
    let query = whose(&asked.user, &asked.organization);
    let answer = api.get(&format!("/api/feature-flags/{}", part(&asked.name)), &query).await?;
    cx.show(&answer, |_, _| {
        let why = match answer["decided_by"].as_str().unwrap_or_default() {
            "kill_switch" => "the kill switch is on",
            "user" => "it is set for this user",
            "organization" => "it is set for this organization",
            "target_user" => "this user is one of its targets",
            "target_organization" => "this organization is one of its targets",
            "rollout" => "of where this user stands in the roll-out",
            "global" => "that holds for everybody of whom nothing else is said",
            _ => "nobody has said anything of it",
        };
        format!("{} is {}, because {why}\n", plain(&asked.name), shown(&answer["on"]))
    })
}
