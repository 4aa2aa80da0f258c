//! Who reaches a plan: one place that every operation asks which takes a plan, a run of it, or a list of them.
//!
//! A private plan is its owner's, of those it is shared with, and of the organization's admins. For everybody else it is not there.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use http::{HeaderMap, StatusCode, Uri};
use mainspring_model::Problem as Finding;
use mainspring_model::clock::Millis;
use mainspring_model::id::{OrgId, PlanId, UserId};
use mainspring_model::role::Permission;
use mainspring_model::store::Sharing;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::api::{Api, Shared};
use super::audit::Target;
use super::body::Write;
use super::caller::{self, Caller};
use super::path::PathId;
use super::permissions::denied;
use super::plans;
use super::problem::{Problem, Refusable};
use super::reply::Reply;
use super::shape::Id;
use crate::known::Known;
use crate::live::Sees;

pub type Private = Arc<BTreeMap<PlanId, Sharing>>;

/// Private plans of organizations, remembered for [`KEEP`]: another node's change is seen within it.
pub type Reaches = Known<OrgId, Private>;

/// In milliseconds.
pub const KEEP: Millis = 1_000;
/// With whom one plan may be shared.
const MOST: usize = 200;

/// What one caller reaches.
#[derive(Clone)]
pub struct Reach {
    user: UserId,
    /// Admins reach every plan.
    all: bool,
    private: Private,
}

impl Reach {
    pub async fn of(api: &Api, caller: &Caller) -> Refusable<Reach> {
        let org = caller.owner.org;
        let read = async { api.store.private_plans(org).await.map(Arc::new) };
        let private = api.reaches.get_or(org, api.clock.now(), read).await?;
        Ok(Reach { user: caller.owner.user, all: caller.may(Permission::PlanDelete), private })
    }

    fn shared(&self, plan: PlanId) -> Option<&Sharing> {
        self.private.get(&plan).filter(|sharing| !self.all && sharing.owner != Some(self.user))
    }

    pub fn sees(&self, plan: PlanId) -> bool {
        self.shared(plan).is_none_or(|sharing| sharing.with.contains_key(&self.user))
    }

    /// For a feed that is followed for long: it goes by what holds now, until it is looked at [again](look_again).
    pub fn for_feeds(self) -> Sees {
        Arc::new(move |plan| self.sees(plan))
    }

    fn edits(&self, plan: PlanId) -> bool {
        self.shared(plan).is_none_or(|sharing| sharing.with.get(&self.user) == Some(&true))
    }
}

/// How often whoever follows a feed is looked at again, in milliseconds.
pub const LOOK: Millis = 5_000;

/// What whoever sent these headers reaches now.
///
/// # Errors
/// As for any request: the key may be removed meanwhile.
pub async fn look_again(api: &Api, identity: &HeaderMap) -> Refusable<(Caller, Reach)> {
    let caller = caller::of(api, identity, &Uri::default()).await?;
    let reach = Reach::of(api, &caller).await?;
    Ok((caller, reach))
}

/// # Errors
/// 403 for a plan that the caller may only look at.
pub async fn demand_edit(api: &Api, caller: &Caller, plan: PlanId) -> Refusable<()> {
    if Reach::of(api, caller).await?.edits(plan) {
        return Ok(());
    }
    Err(denied("this plan is shared with you to look at; ask its owner to let you change it".to_owned()))
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Share {
    #[schema(value_type = String, format = "uuid", example = "0198c3f2-7a51-7cc3-9d2e-3c6a5a3f1b10")]
    user_id: UserId,
    /// `view` (see and start) or `edit`.
    #[schema(example = "view")]
    access: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SharingWrite {
    /// `organization` or `private`.
    #[schema(example = "private")]
    visibility: String,
    /// Whom a private plan is shared with.
    #[serde(default)]
    shared_with: Vec<Share>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Sharing)]
pub struct SharingBody {
    plan_id: Id,
    owner_id: Option<Id>,
    /// `organization` or `private`.
    #[schema(example = "organization")]
    visibility: &'static str,
    shared_with: Vec<Share>,
}

fn body(plan: PlanId, sharing: &Sharing) -> SharingBody {
    let access = |edits: bool| if edits { "edit" } else { "view" }.to_owned();
    SharingBody {
        plan_id: plan.into(),
        owner_id: sharing.owner.map(Id::from),
        visibility: if sharing.private { "private" } else { "organization" },
        shared_with: sharing.with.iter().map(|(user, edits)| Share { user_id: *user, access: access(*edits) }).collect(),
    }
}

async fn sharing_of(api: &Api, caller: &Caller, plan: PlanId) -> Refusable<Sharing> {
    plans::find(api, caller, plan).await?;
    let sharing = api.store.sharing(caller.owner.org, plan).await?;
    sharing.ok_or_else(|| Problem::not_found(format_args!("plan {plan}")))
}

/// Who reaches a plan
#[utoipa::path(get, path = "/api/plans/{id}/sharing", tag = "plans", params(("id" = String, Path, format = "uuid")),
    responses((status = 200, body = SharingBody)))]
pub async fn get_sharing(State(api): Shared, caller: Caller, PathId(id): PathId<PlanId>) -> Refusable<Reply> {
    Ok(Reply::ok(&body(id, &sharing_of(&api, &caller, id).await?)))
}

/// Say who reaches a plan: the whole organization, or chosen members
///
/// By its owner or an admin. A plan that is private, with its runs and logs, is not there for anybody else.
#[utoipa::path(put, path = "/api/plans/{id}/sharing", tag = "plans", params(("id" = String, Path, format = "uuid")), request_body = SharingWrite,
    responses((status = 200, body = SharingBody)))]
pub async fn update_sharing(State(api): Shared, PathId(id): PathId<PlanId>, write: Write<SharingWrite>) -> Refusable<Reply> {
    let (caller, wanted) = (write.caller, write.body);
    let org = caller.owner.org;
    let before = sharing_of(&api, &caller, id).await?;
    if before.owner != Some(caller.owner.user) && !caller.may(Permission::PlanDelete) {
        return Err(denied("only the plan's owner and admins say who reaches it".to_owned()));
    }
    let mut findings = Vec::new();
    let private = match wanted.visibility.as_str() {
        "private" => true,
        "organization" => false,
        _ => {
            findings.push(Finding::new("INVALID_VALUE", "/visibility", "it is organization or private"));
            false
        }
    };
    if wanted.shared_with.len() > MOST {
        findings.push(Finding::new("INVALID_VALUE", "/shared_with", format!("a plan is shared with at most {MOST} members")));
    }
    let members: Vec<UserId> = api.store.list_members(org).await?.into_iter().map(|member| member.user).collect();
    let mut with = BTreeMap::new();
    for (at, share) in wanted.shared_with.iter().enumerate().take(MOST) {
        if !members.contains(&share.user_id) {
            findings.push(Finding::new("INVALID_VALUE", format!("/shared_with/{at}/user_id"), "this is no member of the organization"));
        }
        match share.access.as_str() {
            "view" | "edit" => drop(with.insert(share.user_id, share.access == "edit")),
            _ => findings.push(Finding::new("INVALID_VALUE", format!("/shared_with/{at}/access"), "it is view or edit")),
        }
    }
    if !findings.is_empty() {
        return Err(Problem::invalid_all(findings));
    }
    api.store.set_sharing(org, id, private, &with).await?;
    api.reaches.forget(&org);
    let after = Sharing { private, with, ..before.clone() };
    let shown = |sharing: &Sharing| -> Option<Value> { serde_json::to_value(body(id, sharing)).ok() };
    api.audit(&caller, "update_sharing", Target::new("plan", id), shown(&before), shown(&after).or(Some(json!(null))));
    Ok(Reply::json(StatusCode::OK, &body(id, &after)))
}
