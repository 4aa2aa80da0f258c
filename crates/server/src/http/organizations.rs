//! Organizations: make one, look, rename, and let go for good.

use axum::extract::State;
use http::StatusCode;
use mainspring_model::Problem as Finding;
use mainspring_model::clock::Millis;
use mainspring_model::id::OrgId;
use mainspring_model::role::Role;
use mainspring_model::store::{MemberRecord, OrganizationRecord, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::api::{Api, Shared};
use super::audit::Target;
use super::body::Write;
use super::caller::{By, Caller};
use super::idempotency::once;
use super::problem::{Problem, Refusable};
use super::reply::Reply;
use super::shape::{Id, Time};

/// Organizations that one user may be a member of: a bound on what a stranger can make.
const MOST: usize = 100;
/// Numbers that are tried behind a slug.
const TRIES: u32 = 50;

#[derive(Serialize, ToSchema)]
#[schema(as = Organization)]
pub struct OrganizationBody {
    id: Id,
    name: String,
    /// Part of addresses; may stand wherever its id may.
    #[schema(example = "north-wind")]
    slug: String,
    /// The caller's.
    #[schema(value_type = String, example = "owner")]
    role: Role,
    created_at: Option<Time>,
    /// From when on everything of it is removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    erase_at: Option<Time>,
}

#[derive(Serialize, ToSchema)]
pub struct OrganizationAnswer {
    organization: OrganizationBody,
}

#[derive(Serialize, ToSchema)]
pub struct OrganizationList {
    /// The first one is the caller's default.
    organizations: Vec<OrganizationBody>,
}

fn body(record: OrganizationRecord, role: Role, erase_at: Option<Millis>) -> OrganizationBody {
    OrganizationBody {
        id: Id::of(record.id.0),
        name: record.name,
        slug: record.slug,
        role,
        created_at: (record.created_at > 0).then_some(Time(record.created_at)),
        erase_at: erase_at.map(Time),
    }
}

/// What is known of an organization. The local one may have no record yet.
pub async fn record(api: &Api, org: OrgId) -> Refusable<OrganizationRecord> {
    if let Some(record) = api.store.organization(org).await? {
        return Ok(record);
    }
    if org == OrgId::LOCAL {
        return Ok(local());
    }
    Err(Problem::not_found(format_args!("the organization {org}")))
}

fn local() -> OrganizationRecord {
    OrganizationRecord { id: OrgId::LOCAL, name: "Local".to_owned(), slug: "local".to_owned(), created_at: 0, updated_at: 0 }
}

/// The organizations that the caller is a member of
#[utoipa::path(get, path = "/api/organizations", tag = "organizations", responses((status = 200, body = OrganizationList)))]
pub async fn list_organizations(State(api): Shared, caller: Caller) -> Refusable<Reply> {
    let (mut organizations, mut has_local) = (Vec::new(), false);
    for (record, role) in api.store.memberships(caller.owner.user).await? {
        // A key acts in its own alone.
        if matches!(caller.by, By::Key(_)) && record.id != caller.owner.org {
            continue;
        }
        has_local |= record.id == OrgId::LOCAL;
        let erase_at = api.store.erasure_of(record.id).await?;
        organizations.push(body(record, role, erase_at));
    }
    if caller.owner.org == OrgId::LOCAL && !has_local {
        // Nobody else is a member of it yet, and it has no record.
        organizations.insert(0, body(record(&api, OrgId::LOCAL).await?, caller.role, None));
    }
    Ok(Reply::ok(&OrganizationList { organizations }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrganizationCreate {
    #[schema(example = "North Wind")]
    pub name: String,
    /// Made from the name unless written.
    pub slug: Option<String>,
}

/// Create an organization; the caller is its owner
#[utoipa::path(post, path = "/api/organizations", tag = "organizations", request_body = OrganizationCreate,
    params(("Idempotency-Key" = Option<String>, Header)), responses((status = 201, body = OrganizationAnswer)))]
pub async fn create_organization(State(api): Shared, write: Write<OrganizationCreate>) -> Refusable<Reply> {
    let Write { caller, body: wanted, once: key, .. } = write;
    let saving = api.clone();
    once(api, caller, key, async move {
        let name = checked_name(&wanted.name)?;
        let slug = wanted.slug.as_deref().map(checked_slug).transpose()?;
        if saving.store.memberships(caller.owner.user).await?.len() >= MOST {
            return Err(Problem::conflict(format!("you are a member of {MOST} organizations, the most that one user may be")));
        }
        let record = make(&saving, name, slug).await?;
        let member = MemberRecord { org: record.id, user: caller.owner.user, role: Role::Owner, created_at: record.created_at };
        saving.store.put_member(&member).await?;
        saving.standing_changed();
        let there = Caller { owner: mainspring_model::id::Owner { org: record.id, ..caller.owner }, ..caller };
        let after = json!({ "name": record.name, "slug": record.slug });
        saving.audit(&there, "create_organization", Target::new("organization", record.id), None, Some(after));
        let location = format!("/api/organizations/{}", record.id);
        Ok(Reply::json(StatusCode::CREATED, &OrganizationAnswer { organization: body(record, Role::Owner, None) }).location(&location))
    })
    .await
}

/// Makes its record, with a number behind the slug when it is taken. One that was asked for is taken as it is or not at all.
async fn make(api: &Api, name: String, slug: Option<String>) -> Refusable<OrganizationRecord> {
    let now = api.clock.now();
    let wanted = slug.clone().unwrap_or_else(|| slug_of(&name));
    let mut record = OrganizationRecord { id: OrgId(api.engine.new_id()), name, slug: wanted.clone(), created_at: now, updated_at: now };
    for number in 2..TRIES {
        match api.store.put_organization(&record).await {
            Ok(()) => return Ok(record),
            Err(StoreError::Conflict(_)) if slug.is_none() => record.slug = format!("{wanted}-{number}"),
            Err(error) => return Err(error.into()),
        }
    }
    record.slug = format!("{wanted}-{}", &record.id.0.simple().to_string()[20..]);
    api.store.put_organization(&record).await?;
    Ok(record)
}

/// Letters, digits and single hyphens; never the form of an id.
fn slug_of(name: &str) -> String {
    let mut slug = String::new();
    for c in name.to_lowercase().chars() {
        if slug.len() >= 40 {
            break;
        }
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() || slug == "current" { "organization".to_owned() } else { slug.to_owned() }
}

fn checked_name(name: &str) -> Refusable<String> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        return Err(Problem::invalid(Finding::new("INVALID_VALUE", "/name", "a name is plain text of 1 to 100 characters")));
    }
    Ok(name.to_owned())
}

fn checked_slug(slug: &str) -> Refusable<String> {
    let fits = slug.len() <= 50 && slug == slug_of(slug) && slug.parse::<OrgId>().is_err();
    if !fits {
        let message = "a slug is lower-case letters, digits and single hyphens, at most 40 characters";
        return Err(Problem::invalid(Finding::new("INVALID_VALUE", "/slug", message).fix(slug_of(slug))));
    }
    Ok(slug.to_owned())
}

/// One organization
///
/// `id` is its id, its slug, or `current` for the one that the request acts in.
#[utoipa::path(get, path = "/api/organizations/{id}", tag = "organizations", params(("id" = String, Path)),
    responses((status = 200, body = OrganizationAnswer)))]
pub async fn get_organization(State(api): Shared, caller: Caller) -> Refusable<Reply> {
    answer(&api, &caller, StatusCode::OK).await
}

pub(super) async fn answer(api: &Api, caller: &Caller, status: StatusCode) -> Refusable<Reply> {
    let org = caller.owner.org;
    let organization = body(record(api, org).await?, caller.role, api.store.erasure_of(org).await?);
    Ok(Reply::json(status, &OrganizationAnswer { organization }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrganizationUpdate {
    name: Option<String>,
    slug: Option<String>,
}

/// Rename an organization
#[utoipa::path(put, path = "/api/organizations/{id}", tag = "organizations", params(("id" = String, Path)), request_body = OrganizationUpdate,
    responses((status = 200, body = OrganizationAnswer)))]
pub async fn update_organization(State(api): Shared, write: Write<OrganizationUpdate>) -> Refusable<Reply> {
    let (caller, wanted) = (write.caller, write.body);
    let before = record(&api, caller.owner.org).await?;
    let mut after = before.clone();
    if let Some(name) = wanted.name {
        after.name = checked_name(&name)?;
    }
    if let Some(slug) = wanted.slug {
        after.slug = checked_slug(&slug)?;
    }
    after.updated_at = api.clock.now();
    after.created_at = if after.created_at == 0 { after.updated_at } else { after.created_at };
    api.store.put_organization(&after).await?;
    let shown = |record: &OrganizationRecord| Some(json!({ "name": record.name, "slug": record.slug }));
    api.audit(&caller, "update_organization", Target::new("organization", after.id), shown(&before), shown(&after));
    answer(&api, &caller, StatusCode::OK).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_plain_and_never_empty() {
        for (name, slug) in [
            ("North Wind", "north-wind"),
            ("  Ünïcode & Co. KG ", "n-code-co-kg"),
            ("株式会社", "organization"),
            ("--", "organization"),
            ("Current", "organization"),
            ("a".repeat(80).as_str(), "a".repeat(40).as_str()),
        ] {
            assert_eq!(slug_of(name), slug);
            assert_eq!(checked_slug(slug).ok().as_deref(), Some(slug));
        }
        for slug in ["", "A", "a--b", "-a", "a-", "a b", "current", "0198c3f2-7a51-7cc3-9d2e-3c6a5a3f1b10"] {
            assert!(checked_slug(slug).is_err(), "{slug}");
        }
    }
}
