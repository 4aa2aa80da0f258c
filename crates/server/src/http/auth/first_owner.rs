//! The first owner of an installation, by the link that its first start printed.

use axum::extract::State;
use http::StatusCode;
use mainspring_vault::Secret;
use serde::Deserialize;
use utoipa::ToSchema;

use super::answer::{UserBrief, strong, token_rejected};
use super::public::PublicWrite;
use crate::http::api::Shared;
use crate::http::problem::{Problem, Refusable};
use crate::http::reply::Reply;
use crate::identity::accounts::NewAccount;
use crate::identity::links::Purpose;
use mainspring_model::id::UserId;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FirstOwner {
    /// Of the link in the server's log.
    token: String,
    email: String,
    #[schema(value_type = String, format = "password")]
    password: String,
    name: Option<String>,
}

/// Make the installation's first owner
#[utoipa::path(post, path = "/api/auth/first-owner", tag = "accounts", security(()), request_body = FirstOwner, responses((status = 201, body = UserBrief)))]
pub async fn make_first_owner(State(api): Shared, write: PublicWrite<FirstOwner>) -> Refusable<Reply> {
    let body = write.body;
    api.look_one_time(&body.token, Purpose::FirstOwner).await?.ok_or_else(token_rejected)?;
    strong(&body.password, &body.email, "/password")?;
    if api.store.user(UserId::LOCAL).await?.is_some() {
        return Err(Problem::conflict("this installation has its owner already"));
    }
    let password_hash = Some(api.identity.hasher.hash(&Secret::new(body.password)).await?);
    api.take_one_time(&body.token, Purpose::FirstOwner).await?.ok_or_else(token_rejected)?;
    let new = NewAccount { email: body.email, name: body.name.unwrap_or_default(), password_hash, operator: true, verified: true };
    let user = api.make_first_owner(new).await?;
    tracing::info!(user = %user.id, "the installation has its first owner");
    Ok(Reply::json(StatusCode::CREATED, &UserBrief::of(&user)))
}
