//! Plans as both databases tell of them.

use mainspring_model::clock::Millis;
use mainspring_model::id::PlanId;
use mainspring_model::store::{NewPlan, PlanRecord, PlanSource, PlanSummary, SaveAs, StoreError};

use super::json::damaged;

/// A plan that was made just now.
pub(crate) fn first_version(id: PlanId, plan: &NewPlan, now: Millis) -> PlanRecord {
    PlanRecord {
        id,
        owner: plan.owner,
        name: plan.name.clone(),
        source: plan.source,
        version: u32::from(!is_draft(plan)),
        draft: is_draft(plan).then_some(1),
        document: plan.document.clone(),
        file: plan.file.clone(),
        created_at: now,
        updated_at: now,
    }
}

/// Whether a new plan begins as a draft: no trigger of it is in force.
pub(crate) fn is_draft(plan: &NewPlan) -> bool {
    matches!(plan.saving.as_what, SaveAs::Draft | SaveAs::Unpublish)
}

/// What a save makes of a plan's versions.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Next {
    pub(crate) version: u32,
    pub(crate) draft: Option<u32>,
    pub(crate) latest: u32,
    /// A version to write.
    pub(crate) write: Option<u32>,
    /// The version to note as published.
    pub(crate) publish: Option<u32>,
    /// Name, routes and schedules are the saved document's from now on.
    pub(crate) in_force: bool,
}

/// `published` and `draft`: whether the saved document is the one that the plan has there.
pub(crate) fn next(current: &PlanRecord, latest: u32, plan: &NewPlan, published: bool, draft: bool) -> Result<Next, StoreError> {
    let stays = Next { version: current.version, draft: current.draft, latest, write: None, publish: None, in_force: true };
    let fresh = latest + 1;
    // A draft of before the published version would turn its numbers back.
    let to_publish = current.draft.filter(|number| draft && *number > current.version);
    // What nothing was beside the draft until now, the published version takes the place of.
    let beside = current.draft.filter(|_| current.version > 0);
    Ok(match plan.saving.as_what {
        SaveAs::Published if published => stays,
        SaveAs::Published => match to_publish {
            Some(number) => Next { version: number, draft: None, publish: Some(number), ..stays },
            None => Next { version: fresh, draft: beside, latest: fresh, write: Some(fresh), publish: Some(fresh), ..stays },
        },
        SaveAs::Publish(wanted) => {
            if current.draft != Some(wanted) {
                let what = format!("the draft of the plan {}", current.id);
                return Err(StoreError::Stale { what, current: current.newest() });
            }
            match to_publish {
                _ if published => Next { draft: None, ..stays },
                Some(number) => Next { version: number, draft: None, publish: Some(number), ..stays },
                None => Next { version: fresh, draft: None, latest: fresh, write: Some(fresh), publish: Some(fresh), ..stays },
            }
        }
        SaveAs::Draft if draft => Next { in_force: false, ..stays },
        SaveAs::Draft if published => Next { draft: None, in_force: false, ..stays },
        SaveAs::Draft => Next { draft: Some(fresh), latest: fresh, write: Some(fresh), in_force: false, ..stays },
        SaveAs::Unpublish if current.version == 0 => stays,
        SaveAs::Unpublish => Next { version: 0, draft: current.draft.or(Some(current.version)), ..stays },
        SaveAs::Discard if current.draft.is_none() => return Err(StoreError::Conflict(format!("the plan {} has no draft", current.id))),
        SaveAs::Discard if current.version == 0 => {
            let message = format!("the plan {} has nothing but its draft; delete the plan instead", current.id);
            return Err(StoreError::Conflict(message));
        }
        SaveAs::Discard => Next { draft: None, in_force: false, ..stays },
    })
}

/// The plan after a save.
pub(crate) fn saved(current: PlanRecord, next: &Next, plan: &NewPlan, now: Millis) -> PlanRecord {
    // With a draft alone the plan is that draft.
    let shown = next.in_force || next.version == 0;
    let unpublished = plan.saving.as_what == SaveAs::Unpublish;
    PlanRecord {
        name: if shown && !unpublished { plan.name.clone() } else { current.name },
        document: if shown && !unpublished { plan.document.clone() } else { current.document },
        source: plan.source,
        file: plan.file.clone(),
        version: next.version,
        draft: next.draft,
        updated_at: now,
        ..current
    }
}

pub(crate) fn summary(plan: PlanRecord) -> PlanSummary {
    let PlanRecord { id, owner: _, name, source, version, draft, document, file, created_at, updated_at } = plan;
    PlanSummary { id, name, source, version, draft, document, file, created_at, updated_at }
}

pub(crate) fn source_text(source: PlanSource) -> &'static str {
    match source {
        PlanSource::Api => "api",
        PlanSource::File => "file",
    }
}

pub(crate) fn source_of(text: &str) -> Result<PlanSource, StoreError> {
    match text {
        "api" => Ok(PlanSource::Api),
        "file" => Ok(PlanSource::File),
        _ => Err(damaged("a plan's source")),
    }
}

/// A unique index refused a plan: only names of files are unique.
pub(crate) fn name_taken(plan: &NewPlan) -> StoreError {
    StoreError::Conflict(format!("there is a plan file named \"{}\" already", plan.name))
}

pub(crate) fn missing(id: PlanId) -> StoreError {
    StoreError::NotFound { what: format!("the plan {id}") }
}

#[cfg(test)]
mod tests {
    use mainspring_model::id::Owner;
    use mainspring_model::store::Saving;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn plan(as_what: SaveAs) -> NewPlan {
        NewPlan {
            owner: Owner::LOCAL,
            name: "p".to_owned(),
            source: PlanSource::Api,
            document: json!({}),
            webhooks: vec![],
            schedules: vec![],
            file: None,
            saving: Saving { as_what, ..Saving::default() },
        }
    }

    /// `(version, draft)` and the version that is written.
    fn after(
        version: u32,
        draft: Option<u32>,
        latest: u32,
        as_what: SaveAs,
        same: (bool, bool),
    ) -> Option<(u32, Option<u32>, Option<u32>)> {
        let first = first_version(PlanId(Uuid::nil()), &plan(SaveAs::Published), 0);
        let current = PlanRecord { version, draft, ..first };
        next(&current, latest, &plan(as_what), same.0, same.1).ok().map(|next| (next.version, next.draft, next.write))
    }

    #[test]
    fn numbers_only_rise_and_a_draft_stands_beside() {
        use SaveAs::{Discard, Draft, Publish, Published, Unpublish};
        let (new, is_published, is_draft) = ((false, false), (true, false), (false, true));
        assert_eq!(after(1, None, 1, Published, new), Some((2, None, Some(2))));
        assert_eq!(after(1, None, 1, Published, is_published), Some((1, None, None)));
        assert_eq!(after(1, None, 4, Draft, new), Some((1, Some(5), Some(5))), "numbers of given up drafts do not come back");
        assert_eq!(after(1, Some(2), 2, Draft, is_draft), Some((1, Some(2), None)));
        assert_eq!(after(1, Some(2), 2, Draft, is_published), Some((1, None, None)));
        assert_eq!(after(1, Some(2), 2, Published, new), Some((3, Some(2), Some(3))));
        assert_eq!(after(1, Some(2), 2, Publish(2), is_draft), Some((2, None, None)));
        assert_eq!(after(3, Some(2), 3, Publish(2), is_draft), Some((4, None, Some(4))), "an older draft gets a new number");
        assert_eq!(after(3, Some(4), 4, Publish(2), is_draft), None, "another draft than was seen");
        assert_eq!(after(0, Some(1), 1, Published, new), Some((2, None, Some(2))));
        assert_eq!(after(0, Some(1), 1, Published, is_draft), Some((1, None, None)));
        assert_eq!(after(3, None, 3, Unpublish, is_published), Some((0, Some(3), None)));
        assert_eq!(after(0, Some(3), 3, Published, is_draft), Some((3, None, None)), "what was taken back comes back as it was");
        assert_eq!(after(1, Some(2), 2, Discard, is_published), Some((1, None, None)));
        assert_eq!(after(1, None, 2, Discard, is_published), None);
        assert_eq!(after(0, Some(2), 2, Discard, is_draft), None);
    }
}
