//! `mainspring audit`: who did what in an organization.

use clap::{Args, Subcommand};

use super::api::part;
use super::exit::Exit;
use super::failure::Failure;
use super::output::Cx;
use super::place;
use super::table::Rows;
use super::text::moment_of;

#[derive(Subcommand, Debug)]
pub(crate) enum AuditCommand {
    /// List the newest entries of the audit log.
    #[command(after_help = "\
Examples:
  mainspring audit list
  mainspring audit list --org north-wind --action delete_plan --since 2026-03-01T00:00:00Z
  mainspring audit list -o json --limit 1000 > audit.json")]
    List(List),
}

#[derive(Args, Debug)]
pub(crate) struct List {
    /// The organization's slug or id.
    #[arg(long, value_name = "ORGANIZATION", default_value = "current")]
    org: String,
    /// Only what this user did (an id).
    #[arg(long, value_name = "USER")]
    actor: Option<String>,
    /// Only this operation, such as update_plan or use_credential.
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// Only what was done to this (an id).
    #[arg(long, value_name = "TARGET")]
    target: Option<String>,
    /// At or after this moment (RFC 3339).
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Before this moment (RFC 3339).
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// How many at most.
    #[arg(long, short = 'n', value_name = "N", default_value_t = 50)]
    limit: usize,
}

pub(crate) async fn run(cx: &Cx, command: &AuditCommand) -> Result<Exit, Failure> {
    let AuditCommand::List(list) = command;
    let api = place::api(cx).await?;
    let given =
        [("actor", &list.actor), ("action", &list.action), ("target", &list.target), ("since", &list.since), ("until", &list.until)];
    let query: Vec<(&str, String)> = given.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect();
    let path = format!("/api/organizations/{}/audit-log", part(&list.org));
    let entries = api.list(&path, "entries", &query, list.limit).await;
    api.close().await;
    let entries = entries?;
    cx.show(&serde_json::json!({ "entries": entries }), |style, width| {
        let mut rows = Rows::new(["at", "who", "via", "action", "outcome", "target"], "nothing was done, or nothing that fits");
        for entry in &entries {
            let text = |field: &str| entry[field].as_str().unwrap_or_default().to_owned();
            rows.add([moment_of(&entry["at"]), text("user_id"), text("via"), text("action"), text("outcome"), text("target_id")]);
        }
        rows.render(width, style)
    })
}
