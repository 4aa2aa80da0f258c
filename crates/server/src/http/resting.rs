//! Organizations that are to be removed, remembered for moments: nothing but looking and restoring goes on in them.

use std::collections::HashMap;
use std::sync::Mutex;

use mainspring_model::clock::Millis;
use mainspring_model::id::OrgId;

use super::api::Api;
use super::problem::{Problem, Refusable};

/// How long an answer is believed: within this every node knows.
const KEEP: Millis = 5_000;
const CAPACITY: usize = 4_096;

#[derive(Default)]
pub struct Resting(Mutex<HashMap<OrgId, (bool, Millis)>>);

impl Resting {
    /// # Errors
    /// 409 `ORGANIZATION_CLOSED`; the store's.
    pub async fn refuse(&self, api: &Api, org: OrgId) -> Refusable<()> {
        let now = api.clock.now();
        let known = self.lock().get(&org).filter(|(_, until)| *until > now).map(|(rests, _)| *rests);
        let rests = match known {
            Some(rests) => rests,
            None => {
                let rests = api.store.erasure_of(org).await?.is_some();
                let mut all = self.lock();
                if all.len() >= CAPACITY {
                    all.clear();
                }
                all.insert(org, (rests, now + KEEP));
                rests
            }
        };
        if rests {
            let detail = "this organization is to be removed; an owner can restore it until then";
            return Err(Problem::new(http::StatusCode::CONFLICT, "ORGANIZATION_CLOSED", detail));
        }
        Ok(())
    }

    /// It is another way now.
    pub fn forget(&self, org: OrgId) {
        self.lock().remove(&org);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<OrgId, (bool, Millis)>> {
        self.0.lock().expect("no panic happens while organizations are looked up")
    }
}
