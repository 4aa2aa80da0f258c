//! A person's notifications: what the rules with the channel `app` told them.

use axum::extract::State;
use mainspring_model::id::MessageId;
use mainspring_model::store::NotificationRecord;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::api::Shared;
use super::body::BareWrite;
use super::caller::Caller;
use super::path::PathId;
use super::problem::{Problem, Refusable};
use super::query::{self, Query};
use super::reply::Reply;
use super::shape::{Id, Time};

#[derive(Serialize, ToSchema)]
pub struct Notifications {
    notifications: Vec<Notification>,
    next_cursor: Option<String>,
    /// Of all pages.
    unread: u64,
}

#[derive(Serialize, ToSchema)]
pub struct Notification {
    id: Id,
    /// `run.failed`, `schedule.failing`, `schedule.late`, `credential.expiring` or `credential.needs_reconnect`.
    event: String,
    title: String,
    text: String,
    /// The ids that belong to the event, and how many others it tells of.
    data: Value,
    created_at: Time,
    read_at: Option<Time>,
}

impl From<NotificationRecord> for Notification {
    fn from(record: NotificationRecord) -> Notification {
        let NotificationRecord { id, event, title, text, data, created_at, read_at, .. } = record;
        Notification { id: id.into(), event, title, text, data, created_at: Time(created_at), read_at: read_at.map(Time) }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Only those that were not read.
    #[param(value_type = Option<bool>)]
    unread: Option<String>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    cursor: Option<String>,
}

/// The caller's notifications, newest first
#[utoipa::path(get, path = "/api/notifications", tag = "notifications", params(ListQuery), responses((status = 200, body = Notifications)))]
pub async fn list_notifications(State(api): Shared, caller: Caller, Query(asked): Query<ListQuery>) -> Refusable<Reply> {
    let paging = query::paging(asked.limit.as_deref(), asked.cursor)?;
    let unread = query::word("unread", asked.unread.as_deref(), &[("true", true), ("false", false)])?.unwrap_or(false);
    let page = api.store.notifications(&caller.owner, unread, &paging).await?;
    let unread = api.store.unread_notifications(&caller.owner).await?;
    let notifications = page.items.into_iter().map(Notification::from).collect();
    Ok(Reply::ok(&Notifications { notifications, next_cursor: page.next_cursor, unread }))
}

#[derive(Serialize, ToSchema)]
pub struct MarkedRead {
    /// How many were not read before.
    read: u64,
}

/// Mark a notification as read
#[utoipa::path(post, path = "/api/notifications/{id}/read", tag = "notifications", params(("id" = String, Path)), responses((status = 200, body = MarkedRead)))]
pub async fn read_notification(State(api): Shared, PathId(id): PathId<MessageId>, write: BareWrite) -> Refusable<Reply> {
    let read = api.store.read_notifications(&write.caller.owner, Some(id)).await?;
    Ok(Reply::ok(&MarkedRead { read }))
}

/// Mark all of the caller's notifications as read
#[utoipa::path(post, path = "/api/notifications/read-all", tag = "notifications", responses((status = 200, body = MarkedRead)))]
pub async fn read_all_notifications(State(api): Shared, write: BareWrite) -> Refusable<Reply> {
    let read = api.store.read_notifications(&write.caller.owner, None).await?;
    Ok(Reply::ok(&MarkedRead { read }))
}

/// Remove a notification
#[utoipa::path(delete, path = "/api/notifications/{id}", tag = "notifications", params(("id" = String, Path)), responses((status = 204)))]
pub async fn delete_notification(State(api): Shared, caller: Caller, PathId(id): PathId<MessageId>) -> Refusable<Reply> {
    if !api.store.delete_notification(&caller.owner, id).await? {
        return Err(Problem::not_found("a notification with that id"));
    }
    Ok(Reply::no_content())
}
