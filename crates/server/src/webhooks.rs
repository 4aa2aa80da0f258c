//! Webhook path → the triggers bound to it, in memory: a call must not ask the store which plan it is for.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use mainspring_engine::LoadedPlan;
use mainspring_model::clock::Millis;
use mainspring_model::id::Owner;
use mainspring_model::plan::trigger::{Form, Trigger, TriggerKind, Webhook};
use mainspring_model::store::{PlanStore, StoreError, WebhookRoute};
use tokio::sync::OnceCell;

use crate::app::App;

/// The table. Read by every webhook call, replaced as a whole when plans change.
#[derive(Default)]
pub struct WebhookRoutes(RwLock<Table>);

#[derive(Default)]
struct Table {
    /// Of the plans that it was made from; `None` before the first load.
    revision: Option<i64>,
    paths: HashMap<String, Arc<Vec<Bound>>>,
}

/// One route, and its trigger once it has been called.
pub struct Bound {
    pub route: WebhookRoute,
    hook: OnceCell<Option<Arc<Hook>>>,
}

/// A trigger ready to start runs.
pub struct Hook {
    pub owner: Owner,
    pub plan: LoadedPlan,
    /// Place in the plan's triggers; checked to be a webhook or a form.
    place: usize,
}

impl Hook {
    /// A plan's trigger; `None` when it has none of this id that is a webhook or a form.
    pub fn of(owner: Owner, plan: LoadedPlan, trigger: &str) -> Option<Hook> {
        let is_it = |one: &Trigger| one.id == trigger && matches!(one.kind, TriggerKind::Webhook(_) | TriggerKind::Form(_));
        let place = plan.plan.triggers.iter().position(is_it)?;
        Some(Hook { owner, plan, place })
    }

    pub fn trigger(&self) -> &Trigger {
        &self.plan.plan.triggers[self.place]
    }

    pub fn webhook(&self) -> Option<&Webhook> {
        match &self.trigger().kind {
            TriggerKind::Webhook(webhook) => Some(webhook),
            _ => None,
        }
    }

    pub fn form(&self) -> Option<&Form> {
        match &self.trigger().kind {
            TriggerKind::Form(form) => Some(form),
            _ => None,
        }
    }
}

impl Bound {
    /// The trigger; `None` when the plan changed under the route and no longer has it.
    ///
    /// # Errors
    /// The store's.
    pub async fn hook(&self, app: &App) -> Result<Option<Arc<Hook>>, StoreError> {
        let load = async {
            let Some(record) = app.store.get_plan(self.route.org, self.route.plan).await? else { return Ok(None) };
            let plan = app.engine.plan(&record.owner, record.id, record.version).await?;
            Ok(Hook::of(record.owner, plan, &self.route.trigger).map(Arc::new))
        };
        self.hook.get_or_try_init(|| load).await.cloned()
    }
}

impl WebhookRoutes {
    /// Every route of a path, whatever its method.
    pub fn at(&self, path: &str) -> Option<Arc<Vec<Bound>>> {
        self.0.read().expect("no panic happens while the routes are held").paths.get(path).cloned()
    }

    /// Reads all routes anew.
    ///
    /// # Errors
    /// The store's; the table stays as it was.
    pub async fn reload(&self, store: &(impl PlanStore + ?Sized)) -> Result<(), StoreError> {
        // The revision first: a change in between is then seen as one more.
        let revision = store.plans_revision().await?;
        let routes = store.webhook_routes().await?;
        let mut paths: HashMap<String, Vec<Bound>> = HashMap::new();
        for route in routes {
            paths.entry(route.path.clone()).or_default().push(Bound { route, hook: OnceCell::new() });
        }
        let paths = paths.into_iter().map(|(path, routes)| (path, Arc::new(routes))).collect();
        let mut table = self.0.write().expect("no panic happens while the routes are held");
        // Two reloads may overtake each other: the one that saw more stays.
        if table.revision.is_none_or(|known| known <= revision) {
            *table = Table { revision: Some(revision), paths };
        }
        Ok(())
    }

    fn revision(&self) -> Option<i64> {
        self.0.read().expect("no panic happens while the routes are held").revision
    }
}

/// How often other processes' changes are looked for, in milliseconds.
const LOOK: Millis = 500;

/// Follows the changes that other processes make to plans and integrations. Never ends; drop it at shutdown.
pub async fn follow(app: Arc<App>) {
    let mut known = app.webhooks.revision();
    loop {
        app.clock.sleep_until(app.clock.now() + LOOK).await;
        let followed = async {
            let revision = app.store.plans_revision().await?;
            if known != Some(revision) {
                app.catalog.reload(&*app.store).await?;
                crate::egress_rules::reload(&app.egress, &*app.store).await?;
                if app.webhooks.revision().is_none_or(|loaded| loaded < revision) {
                    app.webhooks.reload(&*app.store).await?;
                }
                known = Some(revision);
            }
            Ok::<(), StoreError>(())
        };
        match followed.await {
            Ok(()) => {}
            Err(StoreError::Closed) => return,
            Err(error) => tracing::warn!(%error, "changes of plans could not be looked for; trying again"),
        }
    }
}
