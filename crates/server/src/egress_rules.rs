//! What organizations say about where their plans may send requests, brought from the store to the one way out.

use mainspring_model::id::OrgId;
use mainspring_model::store::{EgressRuleRecord, EgressStore, StoreError};
use mainspring_providers::egress::{AllowedHost, Egress};

/// Entries that one organization may have.
pub const MOST: usize = 1_000;

/// Reads all rules anew: at the start, after a change here, and when another process changed them.
///
/// # Errors
/// The store's; what held before goes on holding.
pub async fn reload(egress: &Egress, store: &(impl EgressStore + ?Sized)) -> Result<(), StoreError> {
    let mut all: Vec<(OrgId, Vec<AllowedHost>)> = Vec::new();
    for EgressRuleRecord { org, host, .. } in store.all_egress_rules().await? {
        if all.last().is_none_or(|(last, _)| *last != org) {
            all.push((org, Vec::new()));
        }
        let entry = host.parse::<AllowedHost>().unwrap_or_else(|error| {
            // Stored by a version that took it. It must not widen the list by being left out of it.
            tracing::error!(org_id = %org, %error, "a stored egress rule cannot be read; it allows nothing");
            AllowedHost::nothing()
        });
        if let Some((_, hosts)) = all.last_mut() {
            hosts.push(entry);
        }
    }
    egress.set_rules(all);
    Ok(())
}
