//! Organizations that are to be removed: nothing but looking and restoring goes on in them.

use mainspring_model::id::OrgId;

use super::api::Api;
use super::problem::{Problem, Refusable};
use crate::known::Known;

/// Whether an organization is to be removed, as it was seen lately.
pub type Resting = Known<OrgId, bool>;

/// # Errors
/// 409 `ORGANIZATION_CLOSED`; the store's.
pub async fn refuse(api: &Api, org: OrgId) -> Refusable<()> {
    let read = async { api.store.erasure_of(org).await.map(|at| at.is_some()) };
    if api.resting.get_or(org, api.clock.now(), read).await? {
        let detail = "this organization is to be removed; an owner can restore it until then";
        return Err(Problem::new(http::StatusCode::CONFLICT, "ORGANIZATION_CLOSED", detail));
    }
    Ok(())
}
