//! Rotation of keys while everything goes on: data keys are wrapped anew and values sealed anew, each by compare-and-set.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};
use mainspring_model::id::OrgId;
use mainspring_model::store::{DataKeyRecord, SealedRow, SealedTable};
use mainspring_vault::{CanaryState, KekId, Place, Sealed, VaultError, WrappedKey};

use crate::credentials::{Credentials, SealError, wrapped_of};

/// Rows that are read at once.
const PAGE: u32 = 200;
/// Rows that are written at once; a store joins them into few commits.
const ABREAST: usize = 16;
/// Passes over one organization. Each takes what was written meanwhile, so there are rarely more than two.
const PASSES: u32 = 100;

/// What a rotation of the key ring did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingRotated {
    /// The key that wraps all data keys now.
    pub key: KekId,
    /// Data keys that another key had wrapped.
    pub rewrapped: u64,
    /// Whether the canary was another key's.
    pub canary: bool,
}

/// What a rotation of data keys did, or has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DataKeysRotated {
    pub organizations: u64,
    /// Of these, those where an earlier rotation was brought to its end and no new key was made.
    pub resumed: u64,
    /// Rows that were sealed anew.
    pub rows: u64,
    /// Rows with a value that does not open; they were left as they are.
    pub unopened: u64,
}

/// What became of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Row {
    Current,
    Resealed,
    /// Somebody wrote it meanwhile: it is looked at again.
    Changed,
    Unopened,
}

impl Credentials {
    /// Wraps every data key by the ring's first key, and then seals a new canary: from then on the ring's other keys may go. It can be
    /// interrupted at any point and run again.
    ///
    /// # Errors
    /// The store's and the vault's: `VAULT_KEY_UNKNOWN` when the ring lacks a key that is in use.
    pub async fn rotate_ring(&self) -> Result<RingRotated, SealError> {
        let mut done = RingRotated { key: self.vault.ring().first_id(), rewrapped: 0, canary: false };
        // Again, until there is nothing left: a node that still seals by another key can add an organization meanwhile.
        loop {
            let mut rewrapped = 0;
            for record in self.store.data_keys().await? {
                rewrapped += u64::from(self.rewrap(&record).await?);
            }
            done.rewrapped += rewrapped;
            if rewrapped == 0 {
                break;
            }
        }
        while let Some(seen) = self.store.canary().await? {
            if self.vault.ring().check_canary(&seen)? == CanaryState::Current {
                break;
            }
            done.canary |= self.store.replace_canary(&seen, &self.vault.ring().canary(self.vault.entropy())?).await?;
        }
        Ok(done)
    }

    /// `false` when the first key wraps it already, or somebody else was first.
    async fn rewrap(&self, record: &DataKeyRecord) -> Result<bool, SealError> {
        let Some(wrapped) = self.vault.rewrap(record.org, &wrapped_of(record)?)? else { return Ok(false) };
        Ok(self.store.replace_data_key(record, &record_of(record.org, wrapped)).await?)
    }

    /// Gives every organization a new data key and seals its values by it. An organization where an earlier rotation was interrupted
    /// is only brought to its end. `said` hears of the progress, row by page.
    ///
    /// Older keys stay where they are: a backup or a node may still hold what they sealed.
    ///
    /// # Errors
    /// The store's and the vault's; what was done stays done, and the next call goes on.
    pub async fn rotate_data_keys(&self, said: &mut (dyn FnMut(OrgId, DataKeysRotated) + Send)) -> Result<DataKeysRotated, SealError> {
        let mut orgs: Vec<OrgId> = self.store.data_keys().await?.iter().map(|record| record.org).collect();
        orgs.dedup();
        let mut done = DataKeysRotated::default();
        for org in orgs {
            self.load_keys_of(org).await?;
            done.organizations += 1;
            let before = done.rows;
            self.reseal(org, &mut done, said).await?;
            if done.rows > before {
                done.resumed += 1;
                continue;
            }
            let wrapped = self.vault.new_data_key(org)?;
            let kept = self.store.put_data_key(&record_of(org, wrapped)).await?;
            self.vault.load_data_key(org, &wrapped_of(&kept)?)?;
            self.reseal(org, &mut done, said).await?;
        }
        Ok(done)
    }

    /// Seals everything of an organization by its newest key.
    async fn reseal(
        &self,
        org: OrgId,
        done: &mut DataKeysRotated,
        said: &mut (dyn FnMut(OrgId, DataKeysRotated) + Send),
    ) -> Result<(), SealError> {
        for _ in 0..PASSES {
            let mut again = false;
            let mut unopened = 0;
            for table in SealedTable::ALL {
                let mut after = None;
                loop {
                    let rows = self.store.sealed_rows(table, org, after, PAGE).await?;
                    let Some(last) = rows.last() else { break };
                    after = Some(last.id);
                    let mut ends = stream::iter(rows.iter().map(|row| self.reseal_row(row))).buffer_unordered(ABREAST);
                    while let Some(end) = ends.next().await {
                        match end? {
                            Row::Current => {}
                            Row::Resealed => done.rows += 1,
                            Row::Changed => again = true,
                            Row::Unopened => unopened += 1,
                        }
                    }
                    said(org, DataKeysRotated { unopened: done.unopened + unopened, ..*done });
                }
            }
            if !again {
                done.unopened = done.unopened.max(unopened);
                return Ok(());
            }
        }
        Ok(())
    }

    async fn reseal_row(&self, row: &SealedRow) -> Result<Row, SealError> {
        let resealed = match self.resealed(row) {
            Err(VaultError::DataKeyMissing { .. }) => {
                self.load_keys_of(row.org).await?;
                self.resealed(row)
            }
            resealed => resealed,
        };
        match resealed {
            Ok(None) => Ok(Row::Current),
            Ok(Some(fields)) => {
                let replaced = self.store.replace_sealed(row, &fields).await?;
                Ok(if replaced { Row::Resealed } else { Row::Changed })
            }
            Err(error @ (VaultError::Malformed { .. } | VaultError::OpenFailed { .. } | VaultError::DataKeyMissing { .. })) => {
                tracing::error!(org_id = %row.org, table = row.table.name(), row = %row.id, %error, "a sealed value cannot be sealed anew");
                Ok(Row::Unopened)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The row's values sealed by the newest key that is loaded; `None` when all of them are.
    fn resealed(&self, row: &SealedRow) -> Result<Option<BTreeMap<String, Vec<u8>>>, VaultError> {
        let mut changed = false;
        let mut fields = BTreeMap::new();
        for (field, bytes) in &row.fields {
            let place = Place { table: row.table.name(), org: row.org, owner: row.user, row: row.id.as_bytes(), field };
            let bytes = match self.vault.reseal(&place, &Sealed::from_bytes(bytes.clone())?)? {
                Some(sealed) => {
                    changed = true;
                    sealed.to_bytes()
                }
                None => bytes.clone(),
            };
            fields.insert(field.clone(), bytes);
        }
        Ok(changed.then_some(fields))
    }

    /// After a row was written: seals it anew when a newer key was made while it was on its way. A rotation that had not seen the row
    /// yet finds it; one that was past it had made its key before, and that key is found here.
    pub(crate) async fn catch_up(&self, org: OrgId, row: &SealedRow) -> Result<(), SealError> {
        self.load_keys_of(org).await?;
        self.reseal_row(row).await?;
        Ok(())
    }
}

fn record_of(org: OrgId, wrapped: WrappedKey) -> DataKeyRecord {
    DataKeyRecord { org, version: wrapped.version, kek_id: wrapped.kek_id.to_string(), wrapped: wrapped.bytes }
}
