//! Deleting one's own account, for good.

use axum::extract::State;
use http::header;
use mainspring_model::Problem as Finding;
use mainspring_model::id::{OrgId, Owner, UserId};
use mainspring_model::lockout::Rule;
use mainspring_model::store::{OrganizationRecord, UserRecord, email_key};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::answer::{code_rejected, user_of};
use super::factor;
use super::passwords::right_password;
use super::public::{account_key, attempt};
use crate::erasure;
use crate::http::api::{Api, Shared};
use crate::http::audit::Target;
use crate::http::body::Write;
use crate::http::caller::Caller;
use crate::http::cookie;
use crate::http::permissions::denied;
use crate::http::problem::{Problem, Refusable};
use crate::http::reply::Reply;
use crate::http::shape::Id;
use crate::identity::deletion::Deletion;

/// A login this young is proof enough for who has neither a password nor a second factor, in milliseconds.
const FRESH: i64 = 600_000;
/// Under what attempts of an account are counted.
const COUNTED: [&str; 4] = ["login", "mail", "code", "invitation"];

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountDeletion {
    /// The account's e-mail address. Without it the answer says what would go, and nothing is done.
    confirm: Option<String>,
    #[schema(value_type = Option<String>, format = "password")]
    password: Option<String>,
    /// A code of the second factor, instead of the password.
    totp_code: Option<String>,
    /// The slugs of all organizations that nobody else is in: they are deleted with everything in them.
    #[serde(default)]
    delete_organizations: Vec<String>,
}

#[derive(Serialize, ToSchema)]
pub struct AccountDeleted {
    /// Organizations that go on.
    left: Vec<OrganizationLeft>,
    /// Organizations that are removed with everything in them, from now on.
    deleted: Vec<OrganizationGone>,
}

#[derive(Serialize, ToSchema)]
pub struct OrganizationLeft {
    id: Id,
    slug: String,
    /// Whose plans, schedules and integrations the account's are now.
    heir: Id,
}

#[derive(Serialize, ToSchema)]
pub struct OrganizationGone {
    id: Id,
    slug: String,
}

/// Delete one's own account, for good
///
/// It cannot be undone. API keys, personal credentials, sessions, second factor, identities elsewhere and notifications go; plans and runs
/// stay with their organizations, and audit logs keep the account's id, which leads nowhere then. Refused for the only owner of an
/// organization that has other members. Without `confirm` the answer (422 `CONFIRMATION_MISSING`) says what would go.
#[utoipa::path(post, path = "/api/auth/delete-account", tag = "accounts", request_body = AccountDeletion, responses((status = 200, body = AccountDeleted)))]
pub async fn delete_account(State(api): Shared, write: Write<AccountDeletion>) -> Refusable<Reply> {
    let Write { caller, body, .. } = write;
    let user = user_of(&api, &caller).await?;
    let deletion = api.look_at_deletion(&user).await?;
    if !deletion.in_the_way.is_empty() {
        return Err(Problem::conflict(deletion.in_the_way.join("; ")));
    }
    agreed(&user, &deletion, &body)?;
    prove(&api, &caller, &user, body.password, body.totp_code).await?;
    api.delete_account(&user, &deletion).await?;
    for what in COUNTED {
        api.store.forgive(&account_key(what, &user.email)).await?;
    }
    api.standing_changed();
    tell(&api, &caller, user.id, &deletion);
    for org in &deletion.alone {
        api.resting.forget(&org.id);
        let (app, org) = (api.app.clone(), org.id);
        tokio::spawn(async move { erasure::erase(&app, org).await });
    }
    let left = deletion.left.iter();
    let left = left.map(|(org, heir)| OrganizationLeft { id: Id::of(org.id.0), slug: org.slug.clone(), heir: (*heir).into() });
    let deleted = deletion.alone.iter().map(|org| OrganizationGone { id: Id::of(org.id.0), slug: org.slug.clone() });
    let deleted = AccountDeleted { left: left.collect(), deleted: deleted.collect() };
    Ok(Reply::ok(&deleted).header(header::SET_COOKIE, &cookie::end(&api)))
}

/// Into the logs of those who go on, and into the installation's.
fn tell(api: &Api, caller: &Caller, user: UserId, deletion: &Deletion) {
    let by = |org: OrgId| Caller { owner: Owner { org, user }, ..*caller };
    for (org, heir) in &deletion.left {
        api.audit(&by(org.id), "delete_account", Target::new("member", user), None, Some(json!({ "heir": heir })));
    }
    let gone: Vec<_> = deletion.alone.iter().map(|org| org.id).collect();
    let after = json!({ "organizations_deleted": gone });
    api.audit(&by(OrgId::INSTALLATION), "delete_account", Target::new("user", user), None, Some(after));
}

fn agreed(user: &UserRecord, deletion: &Deletion, body: &AccountDeletion) -> Refusable<()> {
    let missing = |pointer: &str, message: String| Err(Problem::invalid(Finding::new("CONFIRMATION_MISSING", pointer, message)));
    if body.confirm.as_deref().map(email_key) != Some(email_key(&user.email)) {
        let names = |organizations: Vec<&OrganizationRecord>| {
            let names: Vec<&str> = organizations.iter().map(|org| org.slug.as_str()).collect();
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        };
        let (left, alone) = (names(deletion.left.iter().map(|(org, _)| org).collect()), names(deletion.alone.iter().collect()));
        let message = format!(
            "this cannot be undone. Your account goes with its API keys, personal credentials, sessions and notifications; organizations that go on \
             without you: {left}; organizations that are deleted with everything in them: {alone}. Write your e-mail address to confirm"
        );
        return missing("/confirm", message);
    }
    let named = |org: &&OrganizationRecord| !body.delete_organizations.iter().any(|said| *said == org.slug || *said == org.id.to_string());
    match deletion.alone.iter().find(named) {
        None => Ok(()),
        Some(org) => missing(
            "/delete_organizations",
            format!("nobody else is in \"{}\", so it is deleted with everything in it; write its slug {} to agree", org.name, org.slug),
        ),
    }
}

/// Whoever found an open session alone gets nowhere.
async fn prove(api: &Api, caller: &Caller, user: &UserRecord, password: Option<String>, code: Option<String>) -> Refusable<()> {
    if let Some(password) = password {
        return right_password(api, user, password).await;
    }
    if let Some(code) = code {
        attempt(api, &account_key("code", &user.email), &Rule::CODE).await?;
        return if factor::accept(api, user.id, &code).await? { Ok(()) } else { Err(code_rejected()) };
    }
    let factor = api.store.second_factor(user.id).await?.is_some_and(|factor| factor.confirmed_at.is_some());
    if user.password_hash.is_some() || factor {
        let message = "write your password, or a code of your second factor as totp_code";
        return Err(Problem::invalid(Finding::new("MISSING_FIELD", "/password", message)));
    }
    let session = api.store.session(caller.session()?).await?;
    if session.is_none_or(|session| session.created_at < api.clock.now() - FRESH) {
        return Err(denied("log in once more, and delete the account within ten minutes".to_owned()));
    }
    Ok(())
}
