//! The mail that brings an invitation to its address.

use mainspring_model::id::OrgId;
use mainspring_model::lockout::Rule;
use mainspring_model::store::InvitationRecord;

use super::api::Api;
use super::auth::{account_key, attempt};
use super::organizations;
use super::problem::{Problem, Refusable};
use super::shape::Time;
use crate::mail::{self, Mail};

/// Counts a mail, before anything is written: nobody's mailbox is filled by strangers, and no organization writes to the whole world.
///
/// # Errors
/// 429 `TOO_MANY_ATTEMPTS`.
pub async fn admit(api: &Api, org: OrgId, email: Option<&str>) -> Refusable<()> {
    let Some(email) = email.filter(|_| api.outbox.has_mail_server()) else { return Ok(()) };
    attempt(api, &format!("invitations:{org}"), &Rule::INVITATIONS).await?;
    attempt(api, &account_key("invitation", email), &Rule::MAIL).await
}

/// Puts the mail into the outbox; the word inside says why there is none.
pub async fn send(api: &Api, invitation: &InvitationRecord, link: &str) -> Refusable<Result<(), &'static str>> {
    let Some(email) = &invitation.email else { return Ok(Err("no_address")) };
    if !api.outbox.has_mail_server() {
        return Ok(Err("no_mail_server"));
    }
    let inviter = match api.store.user(invitation.invited_by).await? {
        Some(user) if user.name.is_empty() => user.email,
        Some(user) => format!("{} ({})", user.name, user.email),
        None => "Somebody".to_owned(),
    };
    let name = organizations::record(api, invitation.org).await?.name;
    let text = format!(
        "{inviter} invites you to be {} of the organization {name}.\n\n{}{link}\n\nThe link works once, until {}, and for an account with the \
         address {email}. If you do not know what this is about, leave this mail alone: nothing happens.\n",
        match invitation.role.as_str() {
            role @ ("admin" | "owner") => format!("an {role}"),
            role => format!("a {role}"),
        },
        api.public_url(),
        Time(invitation.expires_at).text(),
    );
    let mail = Mail { to: email.clone(), subject: format!("Invitation to {name}"), text };
    // Once for each link.
    let link: String = invitation.hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let key = format!("invitation/{}/{link}", invitation.id);
    mail::send_once(api, invitation.org, &key, &mail).await.map_err(Problem::internal)?;
    Ok(Ok(()))
}
