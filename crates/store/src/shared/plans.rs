//! Plans as both databases tell of them.

use mainspring_model::clock::Millis;
use mainspring_model::id::PlanId;
use mainspring_model::store::{LOOKS, NewPlan, PlanRecord, PlanSource, PlanSummary, ScheduleRecord, StoreError};

use super::json::damaged;

/// A plan that was made just now.
pub(crate) fn first_version(id: PlanId, plan: &NewPlan, now: Millis) -> PlanRecord {
    PlanRecord {
        id,
        owner: plan.owner,
        name: plan.name.clone(),
        source: plan.source,
        version: 1,
        document: plan.document.clone(),
        created_at: now,
        updated_at: now,
    }
}

pub(crate) fn summary(plan: PlanRecord) -> PlanSummary {
    let PlanRecord { id, owner: _, name, source, version, document, created_at, updated_at } = plan;
    PlanSummary { id, name, source, version, document, created_at, updated_at }
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

/// When a schedule is due that a saved plan has as before: as it was, but one that looks for what is new looks at once with what was saved.
pub(crate) fn goes_on(old: &ScheduleRecord, new: &ScheduleRecord) -> Option<Millis> {
    if new.expression.starts_with(LOOKS) {
        return old.next_due.into_iter().chain(new.next_due).min();
    }
    old.next_due.or(new.next_due)
}

pub(crate) fn missing(id: PlanId) -> StoreError {
    StoreError::NotFound { what: format!("the plan {id}") }
}
