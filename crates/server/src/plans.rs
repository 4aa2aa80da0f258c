//! Saving plans, for the HTTP interface, the command line and plan files alike: from a checked document to its routes and schedules.

use mainspring_engine::Engine;
use mainspring_model::clock::Millis;
use mainspring_model::cron::Misfire;
use mainspring_model::duration;
use mainspring_model::id::{Owner, PlanId, ScheduleId};
use mainspring_model::plan::trigger::{PollFirst, Respond, TriggerKind, Webhook};
use mainspring_model::plan::{self, Checked};
use mainspring_model::store::{
    LOOKS, NewPlan, PlanRecord, PlanSource, SaveAs, Saving, ScheduleRecord, StoreError, WebhookRoute, listening_to,
};
use mainspring_model::wait::{ENDS, event_topic};
use serde_json::Value;
use uuid::Uuid;

use crate::app::App;

/// A plan as the store takes it: its document, its webhook routes, and a schedule for each trigger that is due by itself or listens.
pub fn new_plan(checked: &Checked, id: PlanId, owner: Owner, source: PlanSource, now: Millis, new_id: impl Fn() -> Uuid) -> NewPlan {
    let plan = &checked.plan;
    let schedule = |trigger: &str, expression: String, timezone: Option<String>, misfire: Misfire| ScheduleRecord {
        id: ScheduleId(new_id()),
        plan: id,
        plan_name: plan.name.clone(),
        owner,
        trigger: trigger.to_owned(),
        next_due: Engine::first_slot(&expression, timezone.as_deref(), now),
        expression,
        timezone,
        misfire,
        last_due: None,
        last_status: None,
    };
    // It hears what comes from now on.
    let listener = |trigger: &str, topic: &str| ScheduleRecord {
        last_due: Some(now),
        ..schedule(trigger, listening_to(topic), None, Misfire::default())
    };
    let (mut webhooks, mut schedules) = (Vec::new(), Vec::new());
    for trigger in &plan.triggers {
        match &trigger.kind {
            TriggerKind::Manual => {}
            TriggerKind::Cron { expression, timezone, misfire, .. } => {
                schedules.push(schedule(&trigger.id, expression.clone(), timezone.clone(), *misfire));
            }
            TriggerKind::Interval { every } => {
                schedules.push(schedule(&trigger.id, format!("every {}", duration::format(*every)), None, Misfire::default()));
            }
            TriggerKind::Poll(poll) => {
                let found = schedule(&trigger.id, format!("{LOOKS}{}", poll.rule), poll.timezone.clone(), Misfire::default());
                // What is there now is not new: it is looked at now, whenever the first time is.
                let next_due = if poll.first == PollFirst::Skip { Some(now) } else { found.next_due };
                schedules.push(ScheduleRecord { next_due, ..found });
            }
            TriggerKind::Folder(folder) => {
                let rule = format!("{LOOKS}every {}", duration::format(folder.every));
                schedules.push(schedule(&trigger.id, rule, None, Misfire::default()));
            }
            TriggerKind::Email(email) => {
                let rule = format!("{LOOKS}every {}", duration::format(email.every));
                schedules.push(schedule(&trigger.id, rule, None, Misfire::default()));
            }
            TriggerKind::Form(form) => webhooks.push(WebhookRoute {
                plan: id,
                org: owner.org,
                path: form_route(&form.path),
                method: FORM.to_owned(),
                trigger: trigger.id.clone(),
                exclusive: true,
            }),
            TriggerKind::Event { event_type } => schedules.push(listener(&trigger.id, &event_topic(event_type))),
            TriggerKind::PlanEnd(_) => schedules.push(listener(&trigger.id, ENDS)),
            TriggerKind::Webhook(webhook) => webhooks.extend(routes(webhook, &trigger.id, id, owner)),
        }
    }
    NewPlan {
        owner,
        name: plan.name.clone(),
        source,
        document: checked.document.clone(),
        webhooks,
        schedules,
        file: None,
        saving: Saving::default(),
    }
}

fn routes<'a>(webhook: &'a Webhook, trigger: &'a str, plan: PlanId, owner: Owner) -> impl Iterator<Item = WebhookRoute> + 'a {
    webhook.methods.iter().map(move |method| WebhookRoute {
        plan,
        org: owner.org,
        path: webhook.path.clone(),
        method: method.clone(),
        trigger: trigger.to_owned(),
        exclusive: webhook.respond != Respond::Immediately,
    })
}

/// What stands for a method in the route of a form.
pub const FORM: &str = "FORM";

/// Where a form stands among the routes: no path of a webhook has a colon.
pub fn form_route(path: &str) -> String {
    format!("form:{path}")
}

/// Stores a new plan; its webhooks answer when this returns.
///
/// # Errors
/// The store's: `Conflict` when an exclusive webhook path, or a plan file's name, is taken.
pub async fn create(app: &App, owner: Owner, source: PlanSource, checked: &Checked) -> Result<PlanRecord, StoreError> {
    create_as(app, owner, source, checked, None, Saving::default()).await
}

/// As [`create`], from a file below the folder of plan files, or as a draft.
///
/// # Errors
/// The store's, as in [`create`].
pub async fn create_as(
    app: &App,
    owner: Owner,
    source: PlanSource,
    checked: &Checked,
    file: Option<String>,
    saving: Saving,
) -> Result<PlanRecord, StoreError> {
    let id = PlanId(app.engine.new_id());
    let made = new_plan(checked, id, owner, source, app.clock.now(), || app.engine.new_id());
    let new = NewPlan { file, saving, ..made };
    let routed = !new.webhooks.is_empty();
    let record = app.store.create_plan(id, new).await?;
    if routed {
        reroute(app).await;
    }
    app.live.plans_changed(record.owner.org);
    Ok(record)
}

/// Stores a new version of `known`, unless its document is this one already. `expected`: the version that the caller saw, when it said.
///
/// # Errors
/// The store's: `NotFound`, `Stale`, `Conflict`.
pub async fn update(app: &App, known: &PlanRecord, expected: Option<u32>, checked: &Checked) -> Result<PlanRecord, StoreError> {
    save(app, known, expected, checked, Saving::default()).await
}

/// As [`update`], saying who saves, why, and what becomes of it.
///
/// # Errors
/// The store's: `NotFound`, `Stale`, `Conflict`.
pub async fn save(
    app: &App,
    known: &PlanRecord,
    expected: Option<u32>,
    checked: &Checked,
    saving: Saving,
) -> Result<PlanRecord, StoreError> {
    let is_published = saving.as_what == SaveAs::Published && known.version > 0 && checked.document == known.document;
    if is_published && expected.is_none_or(|expected| expected == known.newest()) {
        return Ok(known.clone());
    }
    let made = new_plan(checked, known.id, known.owner, known.source, app.clock.now(), || app.engine.new_id());
    write(app, known, expected, NewPlan { file: known.file.clone(), saving, ..made }).await
}

/// Takes a plan out of force: its triggers go, its document stays as a draft, its runs go on.
///
/// # Errors
/// The store's: `NotFound`.
pub async fn unpublish(app: &App, known: &PlanRecord, saving: Saving) -> Result<PlanRecord, StoreError> {
    let new = NewPlan { saving: Saving { as_what: SaveAs::Unpublish, ..saving }, ..bare(known) };
    write(app, known, None, new).await
}

/// Gives up a plan's draft.
///
/// # Errors
/// The store's: `Conflict` when there is none, or nothing else.
pub async fn discard(app: &App, known: &PlanRecord, saving: Saving) -> Result<PlanRecord, StoreError> {
    let new = NewPlan { saving: Saving { as_what: SaveAs::Discard, ..saving }, ..bare(known) };
    write(app, known, None, new).await
}

/// A plan as it is stored, with nothing that would start it.
fn bare(known: &PlanRecord) -> NewPlan {
    NewPlan {
        owner: known.owner,
        name: known.name.clone(),
        source: known.source,
        document: known.document.clone(),
        webhooks: Vec::new(),
        schedules: Vec::new(),
        file: known.file.clone(),
        saving: Saving::default(),
    }
}

/// A plan of a file that is changed by hand from now on.
///
/// # Errors
/// The store's: `NotFound`.
pub async fn detach(app: &App, known: &PlanRecord) -> Result<PlanRecord, StoreError> {
    // A draft that is saved again is none of a change; what is in force stays.
    let (version, as_what) = match known.draft {
        Some(draft) => (draft, SaveAs::Draft),
        None => (known.version, SaveAs::Published),
    };
    let document = app.store.plan_version(known.id, version).await?;
    let document = document.ok_or_else(|| StoreError::NotFound { what: format!("plan {} version {version}", known.id) })?;
    let plan = plan::load_stored(document.clone(), &*app.catalog, &known.owner)
        .map_err(|problems| StoreError::Invalid(problems.first().map(ToString::to_string).unwrap_or_default()))?;
    let checked = Checked { plan, document, notes: Vec::new() };
    let made = new_plan(&checked, known.id, known.owner, PlanSource::Api, app.clock.now(), || app.engine.new_id());
    write(app, known, None, NewPlan { file: known.file.clone(), saving: Saving { as_what, ..Saving::default() }, ..made }).await
}

/// Stores what `new` says of `known`, and sees to it that webhooks answer by it.
///
/// # Errors
/// The store's: `NotFound`, `Stale`, `Conflict`.
pub(crate) async fn write(app: &App, known: &PlanRecord, expected: Option<u32>, new: NewPlan) -> Result<PlanRecord, StoreError> {
    let routed = !new.webhooks.is_empty() || has_webhooks(&known.document);
    let record = app.store.update_plan(known.id, expected, new).await?;
    if routed {
        reroute(app).await;
    }
    app.live.plans_changed(record.owner.org);
    Ok(record)
}

/// Removes a plan with its schedules and webhooks; runs stay.
///
/// # Errors
/// The store's: `NotFound`.
pub async fn delete(app: &App, owner: Owner, id: PlanId) -> Result<(), StoreError> {
    app.store.delete_plan(owner.org, id).await?;
    reroute(app).await;
    app.live.plans_changed(owner.org);
    Ok(())
}

/// Whether a document has a trigger of this type; a hint that spares a reload, so a wrong `true` costs nothing.
fn has_webhooks(document: &Value) -> bool {
    document
        .get("triggers")
        .and_then(Value::as_array)
        .is_some_and(|triggers| triggers.iter().any(|trigger| trigger["type"] == "webhook" || trigger["type"] == "form"))
}

async fn reroute(app: &App) {
    if let Err(error) = app.webhooks.reload(&*app.store).await {
        // The plan is stored; the follower of changes will see it within its next look.
        tracing::warn!(%error, "webhook routes were not read anew; trying again shortly");
    }
}
