//! Which keys are in use and by how much: what says whether an old one may go.

use std::collections::BTreeMap;

use mainspring_model::id::OrgId;
use mainspring_model::store::SealedTable;
use mainspring_vault::{KeyRing, Sealed};

use crate::credentials::{Credentials, SealError};

/// Rows that are read at once.
const PAGE: u32 = 500;

/// A key of the ring, or one that something stored still names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RingKeyUse {
    pub id: String,
    /// Among the keys that were given.
    pub given: bool,
    /// The first of them: it wraps what is new.
    pub seals: bool,
    /// Data keys that it wraps.
    pub data_keys: u64,
    /// The canary that each start has to open.
    pub canary: bool,
}

impl RingKeyUse {
    /// Given, and not needed for anything here. A backup may still need it.
    pub fn may_go(&self) -> bool {
        self.given && !self.seals && self.data_keys == 0 && !self.canary
    }
}

/// One version of an organization's data key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataKeyUse {
    pub org: OrgId,
    pub version: u32,
    /// Seals what is new.
    pub newest: bool,
    /// The key of the ring that wraps it.
    pub kek_id: String,
    /// Rows with a value that it sealed.
    pub rows: u64,
}

/// The report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyReport {
    /// Those given, in their order, then those that are missing.
    pub ring: Vec<RingKeyUse>,
    /// By organization and version.
    pub data_keys: Vec<DataKeyUse>,
    /// Rows that name a data key which is not there, or hold bytes that no version of this program wrote.
    pub damaged: u64,
}

impl KeyReport {
    /// Rows that an older data key sealed.
    pub fn rows_under_old_keys(&self) -> u64 {
        self.data_keys.iter().filter(|key| !key.newest).map(|key| key.rows).sum()
    }
}

impl Credentials {
    /// Reads every sealed row, and opens none.
    ///
    /// # Errors
    /// The store's.
    pub async fn key_report(&self) -> Result<KeyReport, SealError> {
        let canary = match self.store.canary().await? {
            Some(canary) => Some(KeyRing::canary_id(&canary)?.to_string()),
            None => None,
        };
        let records = self.store.data_keys().await?;
        let ring = self.vault.ring();
        let mut ids: Vec<String> = ring.ids().map(|id| id.to_string()).collect();
        let given = ids.len();
        let mut named: Vec<String> = records.iter().map(|record| record.kek_id.clone()).chain(canary.clone()).collect();
        named.sort();
        named.dedup();
        named.retain(|id| !ids.contains(id));
        ids.extend(named);
        let ring = ids.iter().enumerate().map(|(place, id)| RingKeyUse {
            id: id.clone(),
            given: place < given,
            seals: place == 0,
            data_keys: records.iter().filter(|record| record.kek_id == *id).count() as u64,
            canary: canary.as_ref() == Some(id),
        });
        let mut report = KeyReport { ring: ring.collect(), ..KeyReport::default() };
        let mut orgs: BTreeMap<OrgId, Vec<(u32, String)>> = BTreeMap::new();
        for record in records {
            orgs.entry(record.org).or_default().push((record.version, record.kek_id));
        }
        for (org, versions) in orgs {
            let newest = versions.iter().map(|(version, _)| *version).max();
            let mut rows = self.rows_by_version(org, &mut report.damaged).await?;
            for (version, kek_id) in versions {
                let rows = rows.remove(&version).unwrap_or_default();
                report.data_keys.push(DataKeyUse { org, version, newest: Some(version) == newest, kek_id, rows });
            }
            report.damaged += rows.values().sum::<u64>();
        }
        Ok(report)
    }

    async fn rows_by_version(&self, org: OrgId, damaged: &mut u64) -> Result<BTreeMap<u32, u64>, SealError> {
        let mut counts = BTreeMap::new();
        for table in SealedTable::ALL {
            let mut after = None;
            loop {
                let rows = self.store.sealed_rows(table, org, after, PAGE).await?;
                let Some(last) = rows.last() else { break };
                after = Some(last.id);
                for row in &rows {
                    let versions = row.fields.values().map(|bytes| Sealed::from_bytes(bytes.clone()).map(|sealed| sealed.key_version()));
                    match versions.collect::<Result<Vec<u32>, _>>() {
                        Ok(mut versions) => {
                            versions.sort_unstable();
                            versions.dedup();
                            versions.into_iter().for_each(|version| *counts.entry(version).or_default() += 1);
                        }
                        Err(_) => *damaged += 1,
                    }
                }
            }
        }
        Ok(counts)
    }
}
