//! Checked plan versions in memory, so that a run does not parse its plan again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use mainspring_model::catalog::Catalog;
use mainspring_model::id::{Owner, PlanId};
use mainspring_model::plan::{self, Plan};
use mainspring_model::store::{PlanStore, StoreError};

/// A plan version ready to run.
#[derive(Clone)]
pub struct LoadedPlan {
    pub id: PlanId,
    pub version: u32,
    pub plan: Arc<Plan>,
}

/// Checked versions by id. Versions never change, so entries never go stale; the oldest half goes when it is full.
#[derive(Default)]
pub struct PlanCache(Mutex<HashMap<(PlanId, u32), Arc<Plan>>>);

const CAPACITY: usize = 4_096;

impl PlanCache {
    pub fn insert(&self, id: PlanId, version: u32, plan: Arc<Plan>) {
        let mut plans = self.lock();
        if plans.len() >= CAPACITY {
            let mut keys: Vec<_> = plans.keys().copied().collect();
            keys.sort_unstable();
            for key in keys.into_iter().take(CAPACITY / 2) {
                plans.remove(&key);
            }
        }
        plans.insert((id, version), plan);
    }

    /// The checked version, read from the store when it is not here. `Ok(None)`: the store has no such version.
    ///
    /// # Errors
    /// The store's; `Invalid` when the stored document no longer passes the check.
    pub async fn get(
        &self,
        store: &dyn PlanStore,
        catalog: &dyn Catalog,
        owner: &Owner,
        id: PlanId,
        version: u32,
    ) -> Result<Option<Arc<Plan>>, StoreError> {
        if let Some(plan) = self.lock().get(&(id, version)).cloned() {
            return Ok(Some(plan));
        }
        let Some(document) = store.plan_version(id, version).await? else { return Ok(None) };
        let plan = plan::load_stored(document, catalog, owner).map_err(|problems| {
            let first = problems.first().map(ToString::to_string).unwrap_or_default();
            StoreError::Invalid(format!("plan {id} version {version}: {first}"))
        })?;
        let plan = Arc::new(plan);
        self.insert(id, version, plan.clone());
        Ok(Some(plan))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(PlanId, u32), Arc<Plan>>> {
        self.0.lock().expect("no panic happens while the plans are held")
    }
}
