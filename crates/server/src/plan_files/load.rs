//! One plan file on its way to being the plan that runs.

use std::path::Path;
use std::sync::Arc;

use mainspring_model::Problem;
use mainspring_model::id::{Owner, PlanId};
use mainspring_model::plan::{self, Checked, Format};
use mainspring_model::role::Role;
use mainspring_model::store::{NewPlan, Paging, PlanRecord, PlanSource, SaveAs, Saving, StoreError};

use super::scan::{self, Stamp};
use super::{PlanFile, State};
use crate::app::App;
use crate::plans;

/// Whose a file is: at the top the owner's own organization, in a subfolder the one of that slug.
pub(super) async fn owner_of(app: &App, below: &str) -> Result<Owner, Problem> {
    let Some((slug, _)) = below.split_once('/') else { return Ok(Owner::LOCAL) };
    let failed = |error: StoreError| Problem::new(error.code(), "", error.to_string());
    let found = app.store.organization_by_slug(slug).await.map_err(failed)?;
    let Some(organization) = found else {
        return Err(Problem::new("NOT_FOUND", "", format!("no organization has the slug \"{slug}\", which the subfolder is named by")));
    };
    let members = app.store.list_members(organization.id).await.map_err(failed)?;
    let owner = members.iter().find(|member| member.role == Role::Owner);
    let owner = owner.ok_or_else(|| Problem::new("NOT_FOUND", "", format!("the organization \"{slug}\" has no owner")))?;
    Ok(Owner { org: organization.id, user: owner.user })
}

/// What became of a file; `None` when it changed while it was read.
pub(super) async fn load(
    app: &Arc<App>,
    folder: &Path,
    below: &str,
    stamp: Stamp,
    known: &[PlanRecord],
    here: &[String],
) -> Option<PlanFile> {
    let blank =
        |state| PlanFile { org: None, state, plan: None, name: None, version: None, looked_at: app.clock.now(), problems: Vec::new() };
    let owner = match owner_of(app, below).await {
        Ok(owner) => owner,
        Err(problem) => return Some(PlanFile { problems: vec![problem], ..blank(State::Broken) }),
    };
    let mine = known.iter().find(|plan| plan.owner.org == owner.org && plan.file.as_deref() == Some(below));
    let blank = |state| PlanFile {
        org: Some(owner.org),
        plan: mine.map(|plan| plan.id),
        name: mine.map(|plan| plan.name.clone()),
        version: mine.map(|plan| plan.version),
        ..blank(state)
    };
    if mine.is_some_and(|plan| plan.source == PlanSource::Api) {
        return Some(blank(State::Detached));
    }
    let checked = match read(app, folder, below, stamp, owner).await? {
        Ok(checked) => checked,
        Err(problems) => return Some(PlanFile { problems, ..blank(State::Broken) }),
    };
    match save(app, owner, below, mine, known, here, &checked).await {
        Ok(record) => {
            let (plan, name, version) = (Some(record.id), Some(record.name), Some(record.version));
            Some(PlanFile { plan, name, version, ..blank(State::Loaded) })
        }
        Err(problem) => Some(PlanFile { problems: vec![problem], ..blank(State::Broken) }),
    }
}

async fn read(app: &Arc<App>, folder: &Path, below: &str, stamp: Stamp, owner: Owner) -> Option<Result<Checked, Vec<Problem>>> {
    if stamp.is_large() {
        let message = format!("the file has more than {} bytes", plan::MAX_BYTES);
        return Some(Err(vec![Problem::new(plan::code::DOCUMENT_LIMIT, "", message)]));
    }
    let (app, folder, below) = (app.clone(), folder.to_owned(), below.to_owned());
    let done = tokio::task::spawn_blocking(move || match scan::read(&folder, &below, stamp) {
        Ok(None) => None,
        Ok(Some(text)) => Some(plan::load(&text, Format::Auto, &*app.catalog, &owner)),
        Err(error) => Some(Err(vec![Problem::new(plan::code::SYNTAX, "", format!("the file cannot be read: {error}"))])),
    });
    done.await.ok().flatten()
}

async fn save(
    app: &App,
    owner: Owner,
    below: &str,
    mine: Option<&PlanRecord>,
    known: &[PlanRecord],
    here: &[String],
    checked: &Checked,
) -> Result<PlanRecord, Problem> {
    let failed = |error: StoreError| Problem::new(error.code(), "", error.to_string());
    let saving = Saving { by: None, note: Some(format!("from the plan file {below}")), as_what: SaveAs::Published };
    // One of this name whose file is gone was renamed to this one; one without a file came from a file before files were followed.
    let named =
        known.iter().filter(|plan| plan.owner.org == owner.org && plan.source == PlanSource::File && plan.name == checked.plan.name);
    for plan in named {
        match &plan.file {
            Some(file) if file == below => {}
            Some(file) if here.contains(file) => {
                let message = format!("the plan file {file} has the name \"{}\" already; give one of them another name", plan.name);
                return Err(Problem::new("CONFLICT", "/name", message));
            }
            _ if mine.is_none() => {
                let adopted = PlanRecord { file: Some(below.to_owned()), ..plan.clone() };
                return put(app, &adopted, plan.file.as_deref() != Some(below), checked, saving).await.map_err(failed);
            }
            _ => {}
        }
    }
    match mine {
        Some(plan) => put(app, plan, false, checked, saving).await.map_err(failed),
        None => plans::create_as(app, owner, PlanSource::File, checked, Some(below.to_owned()), saving).await.map_err(failed),
    }
}

/// `adopted`: the plan belongs to another file from now on, which is written also when nothing else changed.
async fn put(app: &App, plan: &PlanRecord, adopted: bool, checked: &Checked, saving: Saving) -> Result<PlanRecord, StoreError> {
    if !adopted {
        return plans::save(app, plan, None, checked, saving).await;
    }
    let made = plans::new_plan(checked, plan.id, plan.owner, plan.source, app.clock.now(), || app.engine.new_id());
    plans::write(app, plan, None, NewPlan { file: plan.file.clone(), saving, ..made }).await
}

/// Plans that belong to files, of all organizations that the folder names.
pub(super) async fn known(app: &App, owners: &[Owner]) -> Result<Vec<PlanRecord>, StoreError> {
    let mut found = Vec::new();
    for owner in owners {
        let mut paging = Paging { limit: 200, cursor: None };
        loop {
            let page = app.store.list_plans(owner.org, &paging).await?;
            let ids: Vec<PlanId> =
                page.items.iter().filter(|plan| plan.file.is_some() || plan.source == PlanSource::File).map(|plan| plan.id).collect();
            for id in ids {
                found.extend(app.store.get_plan(owner.org, id).await?);
            }
            match page.next_cursor {
                Some(cursor) => paging.cursor = Some(cursor),
                None => break,
            }
        }
    }
    Ok(found)
}
