//! A sealed value that is the only one of its row: sealed by the newest data key, and opened by one that another node made as well.

use mainspring_model::id::{OrgId, UserId};
use mainspring_model::store::{SealedRow, SealedTable};
use mainspring_vault::{Place, Sealed, VaultError};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::credentials::{Credentials, SealError};

impl Credentials {
    /// Seals a value for its row. Call [`Credentials::written`] once the row is stored: another node may have made a newer key.
    ///
    /// # Errors
    /// The store's and the vault's.
    pub async fn seal_value(
        &self,
        table: SealedTable,
        org: OrgId,
        user: Option<UserId>,
        id: Uuid,
        plain: &[u8],
    ) -> Result<SealedRow, SealError> {
        self.ensure_key(org).await?;
        let sealed = self.vault.seal(&value_place(table, org, user, &id), plain)?;
        Ok(SealedRow::one(table, org, user, id, sealed.to_bytes()))
    }

    /// Opens the value of a row. One that a newer data key sealed makes this node load the keys.
    ///
    /// # Errors
    /// The vault's, and the store's while the keys are loaded.
    pub async fn open_value(
        &self,
        table: SealedTable,
        org: OrgId,
        user: Option<UserId>,
        id: Uuid,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (place, sealed) = (value_place(table, org, user, &id), Sealed::from_bytes(sealed)?);
        match self.vault.open_bytes(&place, &sealed) {
            Err(VaultError::DataKeyMissing { .. }) => {
                self.load_keys_of(org).await?;
                Ok(self.vault.open_bytes(&place, &sealed)?)
            }
            opened => Ok(opened?),
        }
    }

    /// After the row was stored: seals the value anew when there is a newer key, since a rotation of keys may have gone past it.
    ///
    /// # Errors
    /// The store's and the vault's; the value is stored, and the next rotation takes it.
    pub async fn written(&self, row: &SealedRow) -> Result<(), SealError> {
        self.catch_up(row.org, row).await
    }
}

/// Where the one value of a row lies: what seals it, what opens it and a rotation of keys must agree.
pub(crate) fn value_place(table: SealedTable, org: OrgId, user: Option<UserId>, id: &Uuid) -> Place<'_> {
    Place { table: table.name(), org, owner: user, row: id.as_bytes(), field: table.field().unwrap_or_default() }
}
