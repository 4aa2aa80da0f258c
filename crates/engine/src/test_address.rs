//! Test addresses of webhooks: what is sent there is kept for the plan's author to look at, and starts nothing.
//!
//! An address is stored nowhere: it is proved by a keyed hash of what it says, and ends by itself.

use mainspring_model::clock::Millis;
use mainspring_model::id::{OrgId, PlanId, RunId, SignalId};
use mainspring_model::store::{NewSignal, SignalRecord, StoreError};
use mainspring_vault::VaultError;
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::credentials::SealError;
use crate::engine::{Engine, Inner};

/// Samples that one address takes.
pub const MOST_SAMPLES: u32 = 50;

/// What an address says: for which trigger, and from when to when. Worth something only when it [proves](Engine::proves_test) itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestAddress {
    pub org: OrgId,
    pub plan: PlanId,
    /// The trigger's id.
    pub trigger: String,
    pub from: Millis,
    pub until: Millis,
    proof: String,
}

impl TestAddress {
    /// Reads the last part of an address. `None` when it is none of ours.
    pub fn parse(text: &str) -> Option<TestAddress> {
        let parts: Vec<&str> = text.split('.').collect();
        let [org, plan, trigger, from, until, proof] = parts.try_into().ok()?;
        let id = |text: &str| (text.len() == 32).then(|| Uuid::try_parse(text).ok()).flatten();
        Some(TestAddress {
            org: OrgId(id(org)?),
            plan: PlanId(id(plan)?),
            trigger: trigger.to_owned(),
            from: from.parse().ok()?,
            until: until.parse().ok()?,
            proof: proof.to_owned(),
        })
    }

    /// As it stands in the address.
    pub fn text(&self) -> String {
        let TestAddress { org, plan, trigger, from, until, proof } = self;
        format!("{}.{}.{trigger}.{from}.{until}.{proof}", org.0.simple(), plan.0.simple())
    }
}

impl Engine {
    /// An address of a plan's trigger that holds from now until then.
    ///
    /// # Errors
    /// The vault's and the store's, while the organization's key is loaded.
    pub async fn test_address(&self, org: OrgId, plan: PlanId, trigger: &str, until: Millis) -> Result<TestAddress, SealError> {
        self.0.credentials.ensure_key(org).await?;
        let from = self.0.clock.now();
        let mut address = TestAddress { org, plan, trigger: trigger.to_owned(), from, until, proof: String::new() };
        address.proof = self.0.proof_of_test(&address)?;
        Ok(address)
    }

    /// Whether the address was made here. Ask only for a plan that is there: an organization's key is made where it is missing.
    ///
    /// # Errors
    /// The vault's and the store's, while the organization's key is loaded.
    pub async fn proves_test(&self, address: &TestAddress) -> Result<bool, SealError> {
        self.0.credentials.ensure_key(address.org).await?;
        let expected = self.0.proof_of_test(address)?;
        // By their hashes: how long the comparison takes tells nothing of the proof.
        Ok(Sha256::digest(expected.as_bytes()) == Sha256::digest(address.proof.as_bytes()))
    }

    /// Whether an address has taken fewer samples than it takes.
    ///
    /// # Errors
    /// The store's.
    pub async fn takes_samples(&self, address: &TestAddress) -> Result<bool, StoreError> {
        let known = self.0.store.count_signals(address.org, &sample_topic(address.plan), address.from, MOST_SAMPLES).await?;
        Ok(known < MOST_SAMPLES)
    }

    /// Keeps what was sent to an address. Durable when this returns; `None` when the address has taken as many as it takes.
    ///
    /// # Errors
    /// The store's.
    pub async fn keep_sample(&self, address: &TestAddress, data: Value) -> Result<Option<SignalRecord>, StoreError> {
        let topic = sample_topic(address.plan);
        // One after another: however many come at once, no more are kept than the address takes on this node.
        let _alone = self.0.sampling.lock().await;
        if !self.takes_samples(address).await? {
            return Ok(None);
        }
        let signal = NewSignal { org: address.org, id: SignalId(self.new_id()), topic, data, sole: false };
        Ok(Some(self.0.store.put_signal(&signal).await?.signal))
    }
}

impl Inner {
    fn proof_of_test(&self, address: &TestAddress) -> Result<String, VaultError> {
        let TestAddress { org, plan, trigger, from, until, .. } = address;
        // No run has a step of such a path, and no plan's id is a run's.
        self.vault.idempotency_key(*org, RunId(plan.0), &format!("test-address/{trigger}/{from}/{until}"))
    }
}

/// What the samples of a plan are kept under.
pub fn sample_topic(plan: PlanId) -> String {
    format!("sample:{}", plan.0.simple())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_back_and_nothing_else_is_one() {
        let address = TestAddress {
            org: OrgId(Uuid::from_u128(1)),
            plan: PlanId(Uuid::from_u128(2)),
            trigger: "orders".to_owned(),
            from: 1_000,
            until: 2_000,
            proof: "abc".to_owned(),
        };
        let text = address.text();
        assert_eq!(TestAddress::parse(&text), Some(address));
        for bad in ["", "a.b.c.d.e.f", &text[1..], &format!("{text}.x"), &text.replace(".1000.", ".x."), &text.replace(".abc", "")] {
            assert_eq!(TestAddress::parse(bad), None, "{bad}");
        }
    }
}
