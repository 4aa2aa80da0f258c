//! Places of organizations: whose runs go through the queue because only some of them may be at work, and who hears that one is free.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use mainspring_model::clock::Millis;
use mainspring_model::id::OrgId;
use mainspring_model::store::StoreError;

use crate::engine::{Engine, Inner};

/// For how long it is believed which organizations have a limit of their own, in microseconds. A process that drives runs looks each
/// second, so this counts where the store does not answer or nothing is driven.
const BELIEVED: u64 = 5_000_000;
/// Until somebody who decides about the same runs is asked again.
const SOON: Millis = 25;
/// Organizations that one look for free places goes through; the next look goes on after them.
const ORGS: u32 = 200;

/// What is known of organizations whose runs at work are limited.
#[derive(Default)]
pub(crate) struct Places {
    known: Mutex<Option<Known>>,
    /// One question at a time.
    asking: tokio::sync::Mutex<()>,
    /// Organizations whose free places are being offered; `true`: another one became free meanwhile.
    offering: Mutex<HashMap<OrgId, bool>>,
}

struct Known {
    at: u64,
    orgs: HashSet<OrgId>,
}

impl Engine {
    /// A limit of an organization was changed: what may begin now does.
    ///
    /// # Errors
    /// The store's.
    pub async fn places_changed(&self, org: OrgId) -> Result<(), StoreError> {
        self.0.learn_places().await?;
        self.0.offer(org);
        Ok(())
    }
}

impl Inner {
    /// Whether the organization's runs begin by the queue alone, where their places are counted.
    pub(crate) async fn goes_by_places(&self, org: OrgId) -> Result<bool, StoreError> {
        if let Some(known) = self.is_limited(org) {
            return Ok(known);
        }
        let _asking = self.places.asking.lock().await;
        if self.is_limited(org).is_none() {
            self.learn_places().await?;
        }
        Ok(self.is_limited(org).unwrap_or(true))
    }

    /// `None`: it is not known any more.
    fn is_limited(&self, org: OrgId) -> Option<bool> {
        if self.store.places_of_each().is_some() {
            return Some(true);
        }
        let now = self.clock.monotonic_us();
        let known = self.places.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().filter(|known| now.saturating_sub(known.at) < BELIEVED).map(|known| known.orgs.contains(&org))
    }

    pub(crate) async fn learn_places(&self) -> Result<(), StoreError> {
        let at = self.clock.monotonic_us();
        let orgs = self.store.with_own_places().await?.into_iter().collect();
        *self.places.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(Known { at, orgs });
        Ok(())
    }

    /// A run of the organization is no longer at work here.
    pub(crate) fn place_freed(self: &Arc<Self>, org: OrgId) {
        if self.is_limited(org) == Some(true) {
            self.offer(org);
        }
    }

    /// Lets claims meet what was set aside, once for however many became free at the same time. What fails is done by the next look.
    pub(crate) fn offer(self: &Arc<Self>, org: OrgId) {
        {
            let mut offering = self.places.offering.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(again) = offering.get_mut(&org) {
                *again = true;
                return;
            }
            offering.insert(org, false);
        }
        let inner = self.clone();
        tokio::spawn(async move {
            loop {
                let done = match inner.store.offer_place(org).await {
                    Ok(done) => done,
                    Err(error) => {
                        tracing::debug!(%org, %error, "a free place was not offered; the next look does it");
                        true
                    }
                };
                if !done && !inner.draining.load(Ordering::Acquire) {
                    inner.clock.sleep_until(inner.clock.now().saturating_add(SOON)).await;
                    continue;
                }
                let mut offering = inner.places.offering.lock().unwrap_or_else(PoisonError::into_inner);
                match offering.get_mut(&org) {
                    Some(again) if *again => *again = false,
                    _ => {
                        offering.remove(&org);
                        return;
                    }
                }
            }
        });
    }

    /// Offers what nobody was told of: a process may have died between the end of a run and the offer of its place. Gives where to go on.
    pub(crate) async fn look_at_places(self: &Arc<Self>, after: Option<OrgId>) -> Option<OrgId> {
        let orgs = match self.store.with_set_aside(after, ORGS).await {
            Ok(orgs) => orgs,
            Err(error) => {
                tracing::warn!(%error, "runs that wait for a place could not be read; trying again");
                return after;
            }
        };
        orgs.iter().for_each(|org| self.offer(*org));
        if orgs.len() < ORGS as usize { None } else { orgs.last().copied() }
    }
}
