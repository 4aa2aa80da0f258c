//! Plan files on their way into the store: checked with every problem shown at its line, and saved under their name.

use ::http::Method;
use mainspring_model::Problem;
use mainspring_model::id::{Owner, PlanId};
use mainspring_model::plan::{self, Checked, Format, Source};
use mainspring_model::store::{Paging, PlanRecord, PlanSource};
use serde_json::Value;

use super::api::Api;
use super::document::Document;
use super::failure::Failure;
use super::plan as plan_command;
use crate::app::App;
use crate::plans;

/// A plan file as it now is in the store.
pub(crate) struct Saved {
    pub(crate) id: PlanId,
    pub(crate) version: u32,
    pub(crate) plan_name: String,
    /// What was translated in an earlier document.
    pub(crate) notes: Vec<String>,
    /// `false`: the stored plan was this one already.
    pub(crate) changed: bool,
    /// The checked plan, when it was checked here.
    pub(crate) checked: Option<Checked>,
}

/// Checks and saves a document: a new plan of its name, or a new version when it differs.
pub(crate) async fn save(api: &Api, document: Document) -> Result<Saved, Failure> {
    match api.app() {
        Some(app) => here(app, document).await,
        None => there(api, document).await,
    }
}

async fn here(app: &App, document: Document) -> Result<Saved, Failure> {
    let owner = Owner::LOCAL;
    let checked = match plan::load(&document.text, Format::Auto, &*app.catalog, &owner) {
        Ok(checked) => checked,
        Err(problems) => return Err(Failure::invalid(document, problems)),
    };
    let (record, changed) = match file_plan(app, &owner, &checked.plan.name).await? {
        Some(known) if known.document == checked.document => (known, false),
        Some(known) => (plans::update(app, &known, None, &checked).await?, true),
        None => (plans::create(app, owner, PlanSource::File, &checked).await?, true),
    };
    let notes = checked.notes.clone();
    Ok(Saved { id: record.id, version: record.version, plan_name: record.name, notes, changed, checked: Some(checked) })
}

/// The plan that a file of this name made. One of the same name that came over HTTP is another plan.
async fn file_plan(app: &App, owner: &Owner, name: &str) -> Result<Option<PlanRecord>, Failure> {
    match app.store.plan_by_name(owner.org, name).await? {
        Some(record) if record.source == PlanSource::File => return Ok(Some(record)),
        Some(_) => {}
        None => return Ok(None),
    }
    let mut paging = Paging { limit: 200, cursor: None };
    loop {
        let page = app.store.list_plans(owner.org, &paging).await?;
        if let Some(found) = page.items.iter().find(|plan| plan.source == PlanSource::File && plan.name == name) {
            return Ok(app.store.get_plan(owner.org, found.id).await?);
        }
        match page.next_cursor {
            Some(cursor) => paging.cursor = Some(cursor),
            None => return Ok(None),
        }
    }
}

/// The server checks: it alone knows its providers. Its findings have pointers, and their places are found in our text.
async fn there(api: &Api, document: Document) -> Result<Saved, Failure> {
    let source = match plan::parse(&document.text, Format::Auto) {
        Ok(source) => source,
        Err(problems) => return Err(Failure::invalid(document, problems)),
    };
    let name = source.value.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    // A name that is none is refused below, with its place.
    let known = if name.is_empty() { None } else { plan_command::named(api, &name).await?.into_iter().next() };
    let before = known.as_ref().and_then(|known| known["version"].as_u64());
    let answer = match known.as_ref().and_then(|known| known["id"].as_str()) {
        Some(id) => api.send(Method::PUT, &format!("/api/plans/{id}"), &source.value).await,
        None => api.send(Method::POST, "/api/plans", &source.value).await,
    };
    let answer = answer.map_err(|failure| placed(failure, document, &source))?;
    let saved = &answer["plan"];
    let unreadable = || Failure::internal("the server saved the plan and its answer names no plan");
    let version = saved["version"].as_u64().and_then(|version| u32::try_from(version).ok()).ok_or_else(unreadable)?;
    Ok(Saved {
        id: saved["id"].as_str().and_then(|id| id.parse().ok()).ok_or_else(unreadable)?,
        version,
        plan_name: name,
        notes: answer["notes"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
        changed: before != Some(u64::from(version)),
        checked: None,
    })
}

/// The findings of a server, at their places in the file.
fn placed(mut failure: Failure, document: Document, source: &Source) -> Failure {
    if let Some(findings) = &mut failure.findings {
        place(&mut findings.problems, source);
        findings.document = Some(document);
    }
    failure
}

/// Lines and columns of a server are those of the JSON that was sent, not of the file.
pub(crate) fn place(problems: &mut [Problem], source: &Source) {
    for problem in problems {
        let place =
            if problem.code == plan::code::UNKNOWN_FIELD { source.key_place(&problem.pointer) } else { source.place(&problem.pointer) };
        (problem.line, problem.column) = (place.map(|place| place.line), place.map(|place| place.column));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_of_a_server_get_the_files_lines() {
        let source = plan::parse("name: Pay\nsteps:\n  - {id: a, parms: {}}\n", Format::Auto).unwrap();
        let mut problems =
            [Problem::new("UNKNOWN_FIELD", "/steps/0/parms", "m").at(1, 30), Problem::new("INVALID_VALUE", "/steps/0/id", "m").at(1, 20)];
        place(&mut problems, &source);
        assert_eq!(problems.map(|problem| (problem.line, problem.column)), [(Some(3), Some(13)), (Some(3), Some(10))]);
    }
}
