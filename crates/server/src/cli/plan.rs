//! `mainspring plan`: the plans that are kept.

use clap::{Args, Subcommand};
use mainspring_model::id::PlanId;
use mainspring_model::plan;
use serde_json::{Map, Value, json};

use super::api::Api;
use super::document::Stdin;
use super::exit::Exit;
use super::failure::Failure;
use super::graph::{self, Graph};
use super::output::{Cx, yaml};
use super::plan_file::{self, Saved};
use super::plan_folder::{self, Apply, Pull, Push};
use super::plan_listen::{self, Listen};
use super::plan_test::{self, Test};
use super::plan_versions::{self, Between, MoveRuns, Publish, Rollback, Versions};
use super::table::Rows;
use super::text::{moment_of, plain, text_list};
use super::{place, problems};

#[derive(Subcommand, Debug)]
pub(crate) enum PlanCommand {
    /// List the plans, newest first.
    #[command(after_help = "\
Examples:
  mainspring plan list
  mainspring plan list --limit 500 -o json")]
    List(List),
    /// Show a plan as the document that it is.
    ///
    /// The text can be saved again: `mainspring plan show NAME > plan.yaml`.
    #[command(after_help = "\
Examples:
  mainspring plan show Payments
  mainspring plan show 0198c3f2-7a51-7cc3-9d2e-3c6a5a3f1b10 -o json")]
    Show(Named),
    /// Check a plan file and save it under its name: a new plan, or a new version of the one it was.
    ///
    /// Its schedules and webhooks are in force from then on.
    #[command(after_help = "\
Examples:
  mainspring plan save plans/newsletter.yaml
  jq '.plan' export.json | mainspring plan save -")]
    Save(Save),
    /// Delete a plan with its schedules and webhooks. Its runs stay.
    #[command(after_help = "\
Example:
  mainspring plan delete Payments")]
    Delete(Named),
    /// Draw a plan file: its steps, edges, loops and error lists.
    #[command(after_help = "\
Examples:
  mainspring plan graph plans/order.yaml
  mainspring plan graph plans/order.yaml --as mermaid >> README.md
  mainspring plan graph plans/order.yaml --as svg > order.svg")]
    Graph(Graph),
    /// Run the tests that plan files have of their own, offline: steps that would call anything have pinned outputs.
    #[command(after_help = "\
Examples:
  mainspring plan test plans/*.yaml
  mainspring plan test plan.yaml --only refund
  mainspring plan test plan.yaml -o json | jq '.files[].tests[] | select(.passed | not)'")]
    Test(Test),
    /// List a plan's versions, newest first: who saved them, when and why.
    #[command(after_help = "\
Example:
  mainspring plan versions Payments

The last 100 published versions are kept, and those that runs need.")]
    Versions(Versions),
    /// Show what changed between two versions of a plan, or what `apply` would change: steps, params, triggers and edges.
    ///
    /// A folder or file is compared with what is saved.
    #[command(after_help = "\
Examples:
  mainspring plan diff plans/
  mainspring plan diff Payments
  mainspring plan diff Payments 3
  mainspring plan diff Payments 3 7 -o json")]
    Diff(Between),
    /// Go back to an earlier version: its content becomes a new one.
    #[command(after_help = "\
Example:
  mainspring plan rollback Payments 3 --note 'version 4 sent mails twice'")]
    Rollback(Rollback),
    /// Publish a plan's draft: triggers and runs use it from then on.
    #[command(after_help = "\
Example:
  mainspring plan publish Payments --note 'new tax rate'")]
    Publish(Publish),
    /// Give up a plan's draft; what is published stays.
    #[command(after_help = "\
Example:
  mainspring plan discard Payments")]
    Discard(Named),
    /// Bring plan files to a server, or to the data folder: new plans are made, changed ones get a new version.
    ///
    /// All files are checked before any is saved.
    #[command(after_help = "\
Examples:
  mainspring plan apply plans/ --dry-run
  mainspring plan apply plans/ --prune --note \"$(git log -1 --format=%s)\"
  mainspring plan apply plans/ --server https://mainspring.example --api-key \"$KEY\"")]
    Apply(Apply),
    /// Save plan files, a new plan or a new version each.
    #[command(after_help = "\
Example:
  mainspring plan push plans/payments.yaml plans/orders.yaml")]
    Push(Push),
    /// Write the saved plans as files. A file whose plan did not change is left alone, with its comments.
    #[command(after_help = "\
Examples:
  mainspring plan pull plans/
  mainspring plan pull plans/ Payments Orders")]
    Pull(Pull),
    /// List the plan files that the server follows (`serve --plans`), and what is wrong with the broken ones.
    #[command(after_help = "\
Examples:
  mainspring plan files
  mainspring plan files -o json | jq '.files[] | select(.state == \"broken\")'")]
    Files,
    /// Detach a plan from its file: it is changed by hand from then on, and the file is passed over.
    #[command(after_help = "\
Example:
  mainspring plan detach Payments")]
    Detach(Named),
    /// Open a test address for a plan's webhook, and show what is sent there: it starts nothing.
    ///
    /// Each sample is shown with what the plan would make of it, by the draft where there is one. The address ends by itself.
    #[command(after_help = "\
Examples:
  mainspring plan listen Payments --server https://mainspring.example
  mainspring plan listen Payments --trigger stripe --for 15m --run
  mainspring plan listen Payments -n 1 -o json --server http://127.0.0.1:5000 | jq 'select(.trigger.body).trigger.body'")]
    Listen(Listen),
    /// Move waiting runs of a plan to another of its versions, where what they did fits.
    ///
    /// A run keeps the version that it started with unless it is moved. Each run that stays is listed with the reason.
    #[command(after_help = "\
Examples:
  mainspring plan move-runs Payments --dry-run
  mainspring plan move-runs Payments --to 7")]
    MoveRuns(MoveRuns),
}

#[derive(Args, Debug)]
pub(crate) struct List {
    /// At most so many.
    #[arg(long, short = 'n', value_name = "N", default_value_t = 100)]
    limit: usize,
}

#[derive(Args, Debug)]
pub(crate) struct Named {
    /// The plan's name or id.
    #[arg(value_name = "PLAN")]
    pub(super) plan: String,
}

#[derive(Args, Debug)]
pub(crate) struct Save {
    /// The plan file, YAML or JSON; `-` reads standard input.
    #[arg(value_name = "FILE")]
    file: String,
}

/// More plans of one name than anybody looks through.
const LOOK_THROUGH: usize = 10_000;

pub(crate) async fn run(cx: &Cx, command: &PlanCommand) -> Result<Exit, Failure> {
    match command {
        PlanCommand::Graph(drawn) => return graph::run(cx, drawn).await,
        PlanCommand::Test(test) => return plan_test::run(cx, test).await,
        PlanCommand::Listen(wanted) => return plan_listen::listen(cx, wanted).await,
        _ => {}
    }
    // A file that cannot be read is no reason to open anything.
    let document = match command {
        PlanCommand::Save(save) => Some(Stdin::default().read(&save.file, "FILE")?),
        _ => None,
    };
    let api = place::api(cx).await?;
    let done = match (command, document) {
        (PlanCommand::Save(_), document) => save(cx, &api, document.expect("read above")).await,
        (PlanCommand::List(list), _) => self::list(cx, &api, list).await,
        (PlanCommand::Show(named), _) => show(cx, &api, named).await,
        (PlanCommand::Delete(named), _) => delete(cx, &api, named).await,
        (PlanCommand::Graph(_) | PlanCommand::Test(_) | PlanCommand::Listen(_), _) => unreachable!("done above"),
        (PlanCommand::Versions(wanted), _) => plan_versions::versions(cx, &api, wanted).await,
        (PlanCommand::Diff(wanted), _) if wanted.is_of_files() => plan_folder::compare(cx, &api, wanted.path()).await,
        (PlanCommand::Apply(wanted), _) => plan_folder::apply(cx, &api, wanted).await,
        (PlanCommand::Push(wanted), _) => plan_folder::push(cx, &api, wanted).await,
        (PlanCommand::Pull(wanted), _) => plan_folder::pull(cx, &api, wanted).await,
        (PlanCommand::Files, _) => plan_versions::files(cx, &api).await,
        (PlanCommand::Detach(named), _) => plan_versions::detach(cx, &api, named).await,
        (PlanCommand::Diff(wanted), _) => plan_versions::diff(cx, &api, wanted).await,
        (PlanCommand::Rollback(wanted), _) => plan_versions::rollback(cx, &api, wanted).await,
        (PlanCommand::Publish(wanted), _) => plan_versions::publish(cx, &api, wanted).await,
        (PlanCommand::Discard(named), _) => plan_versions::discard(cx, &api, named).await,
        (PlanCommand::MoveRuns(wanted), _) => plan_versions::move_runs(cx, &api, wanted).await,
    };
    api.close().await;
    done
}

async fn list(cx: &Cx, api: &Api, list: &List) -> Result<Exit, Failure> {
    let plans = api.list("/api/plans", "plans", &[], list.limit.max(1)).await?;
    let value = json!({ "plans": plans });
    cx.show(&value, |style, width| {
        let mut rows = Rows::new(
            ["name", "version", "steps", "triggers", "updated", "id"],
            "no plan is saved yet; `mainspring plan save FILE` saves one",
        );
        for plan in &plans {
            let steps = plan["steps"].as_array().map_or(0, Vec::len).to_string();
            let triggers = text_list(plan["triggers"].as_array().into_iter().flatten().filter_map(|trigger| trigger["type"].as_str()));
            let text = |field: &str| plan[field].as_str().unwrap_or_default().to_owned();
            rows.add([text("name"), plan["version"].to_string(), steps, triggers, moment_of(&plan["updated_at"]), text("id")]);
        }
        rows.render(width, style)
    })
}

async fn show(cx: &Cx, api: &Api, named: &Named) -> Result<Exit, Failure> {
    let plan = find(api, &named.plan).await?;
    let document = document_of(&plan);
    let text = yaml(&document)?;
    cx.show(&plan, |style, _| {
        let text_of = |field: &str| plan[field].as_str().map(plain).unwrap_or_default().into_owned();
        let head = format!("# version {}, saved {}, id {}", plan["version"], moment_of(&plan["updated_at"]), text_of("id"));
        format!("{}\n{text}", style.dim(&head))
    })
}

async fn save(cx: &Cx, api: &Api, document: super::document::Document) -> Result<Exit, Failure> {
    let name = document.name.clone();
    let Saved { id, version, plan_name, notes, changed, .. } = plan_file::save(api, document).await?;
    for note in &notes {
        cx.note(problems::note(&name, note, cx.err_style).trim_end());
    }
    let value = json!({ "id": id, "version": version, "name": plan_name, "changed": changed, "notes": notes });
    cx.show(&value, |style, _| {
        let what = if changed { "saved" } else { "unchanged:" };
        format!("{} {what} {} version {version}  {}\n", style.green("✓"), plain(&plan_name), style.dim(&id.to_string()))
    })
}

async fn delete(cx: &Cx, api: &Api, named: &Named) -> Result<Exit, Failure> {
    let plan = find(api, &named.plan).await?;
    let id = plan["id"].as_str().unwrap_or_default();
    api.delete(&format!("/api/plans/{id}"), &[]).await?;
    let value = json!({ "deleted": id, "name": plan["name"] });
    cx.show(&value, |style, _| {
        format!("{} deleted {}  {}\n", style.green("✓"), plain(plan["name"].as_str().unwrap_or_default()), style.dim(id))
    })
}

/// The plan of that id or name, as `GET /api/plans/{id}` shows it.
pub(crate) async fn find(api: &Api, text: &str) -> Result<Value, Failure> {
    let hint = |failure: Failure| {
        if failure.exit == Exit::NotFound { failure.next("`mainspring plan list` shows which there are") } else { failure }
    };
    let id = match text.parse::<PlanId>() {
        Ok(id) => id.to_string(),
        Err(_) => {
            let found = named(api, text).await?;
            match found.as_slice() {
                [only] => only["id"].as_str().unwrap_or_default().to_owned(),
                [] => return Err(hint(Failure::not_found(format_args!("plan \"{text}\"")))),
                several => {
                    let ids: Vec<&str> = several.iter().filter_map(|plan| plan["id"].as_str()).collect();
                    let message = format!("{} plans are called \"{text}\"", several.len());
                    return Err(Failure::new(Exit::Conflict, "CONFLICT", message).next(format!("name one by its id: {}", ids.join(", "))));
                }
            }
        }
    };
    let mut answer = api.get(&format!("/api/plans/{id}"), &[]).await.map_err(hint)?;
    Ok(answer.get_mut("plan").map(Value::take).unwrap_or(answer))
}

/// The plans of that name, newest first.
pub(crate) async fn named(api: &Api, name: &str) -> Result<Vec<Value>, Failure> {
    let mut plans = api.list("/api/plans", "plans", &[], LOOK_THROUGH).await?;
    plans.retain(|plan| plan["name"] == name);
    Ok(plans)
}

pub(super) fn document_of(plan: &Value) -> Value {
    let inner = plan.get("document").filter(|document| document.is_object()).unwrap_or(plan);
    let fields = plan::FIELDS.iter().filter_map(|name| Some(((*name).to_owned(), inner.get(*name)?.clone())));
    Value::Object(fields.filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_taken_out_of_the_answer() {
        let plan = json!({"id": "x", "version": 3, "steps": [], "name": "Pay", "output": null, "updated_at": "…"});
        assert_eq!(document_of(&plan).to_string(), "{\"name\":\"Pay\",\"steps\":[]}");
        assert_eq!(document_of(&json!({"id": "x", "document": {"name": "Pay", "steps": [1]}})), json!({"name": "Pay", "steps": [1]}));
    }
}
