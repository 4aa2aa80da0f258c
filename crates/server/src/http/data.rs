//! Everything of one's own, to take away: a ZIP archive that is made while it is sent.

use std::io::{self, Write};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use http::header;
use mainspring_model::credential::is_note;
use mainspring_model::hidden::Veil;
use mainspring_model::store::{Paging, RunFilter, StateSpace, StoreError};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use zip::write::{SimpleFileOptions, ZipWriter};

use super::api::{Api, Shared};
use super::caller::Caller;
use super::problem::Refusable;
use super::shape::Time;
use super::veil;

/// Parts on their way to the archive, and pieces of it on their way out: who reads slowly makes the reading wait.
const AHEAD: usize = 16;
/// Of a piece, in bytes.
const PIECE: usize = 64 * 1024;

/// What goes into the archive.
enum Part {
    File(String),
    Content(Vec<u8>),
}

/// Take away what is yours
///
/// A ZIP archive with your user record, your memberships, and of the organization that the request is for: your plans with their state, custom integrations,
/// API keys and credentials (names and dates, no values), and the runs that you own with their journals (`runs.jsonl`, a run a line).
/// What your role does not see is hidden here, too.
#[utoipa::path(get, path = "/api/data/export", tag = "organizations", responses((status = 200, description = "ZIP.", body = String, content_type = "application/zip")))]
pub async fn export_data(State(api): Shared, caller: Caller) -> Refusable<Response> {
    let veil = veil::of(&api, &caller).await?;
    let (parts, to_archive) = mpsc::channel(AHEAD);
    let (pieces, to_caller) = mpsc::channel::<io::Result<Bytes>>(AHEAD);
    tokio::spawn(async move {
        if let Err(error) = gather(&api, &caller, &veil, &parts).await {
            tracing::error!(%error, "an export was broken off");
            // Without its end the archive is refused by whoever opens it.
            let _ = parts.send(Err(io::Error::other("the export was broken off"))).await;
        }
    });
    tokio::task::spawn_blocking(move || {
        if let Err(error) = archive(to_archive, &pieces) {
            let _ = pieces.blocking_send(Err(error));
        }
    });
    let body = stream::unfold(to_caller, |mut pieces| async move { Some((pieces.recv().await?, pieces)) });
    let headers =
        [(header::CONTENT_TYPE, "application/zip"), (header::CONTENT_DISPOSITION, "attachment; filename=\"mainspring-data.zip\"")];
    Ok((headers, Body::from_stream(body)).into_response())
}

type Parts = mpsc::Sender<io::Result<Part>>;

/// Why nothing more is read: the store's, or `None` when nobody takes it any more.
async fn gather(api: &Arc<Api>, caller: &Caller, veil: &Veil, parts: &Parts) -> Result<(), StoreError> {
    let owner = caller.owner;
    let user = api.store.user(owner.user).await?;
    let user = user.map_or(json!({"id": owner.user}), |user| {
        json!({"id": user.id, "email": user.email, "name": user.name, "created_at": Time(user.created_at), "verified_at": user.verified_at.map(Time)})
    });
    file(parts, "user.json", &user).await;
    let memberships = api.store.memberships(owner.user).await?;
    let memberships: Vec<Value> =
        memberships.iter().map(|(org, role)| json!({"id": org.id, "name": org.name, "slug": org.slug, "role": role})).collect();
    file(parts, "organizations.json", &json!(memberships)).await;
    let mut paging = Paging { limit: 200, cursor: None };
    loop {
        let page = api.store.list_plans(owner.org, &paging).await?;
        for plan in &page.items {
            let record = api.store.get_plan(owner.org, plan.id).await?;
            if let Some(record) = record.filter(|record| record.owner == owner) {
                file(parts, &format!("plans/{}.json", plan.id), &record.document).await;
                state(api, StateSpace { org: owner.org, plan: Some(plan.id) }, parts).await?;
            }
        }
        paging.cursor = page.next_cursor;
        if paging.cursor.is_none() {
            break;
        }
    }
    let integrations = api.store.list_integrations(owner.org).await?;
    let integrations: Vec<Value> = integrations.iter().filter(|one| one.owner == owner).map(|one| one.definition.clone()).collect();
    file(parts, "integrations.json", &json!(integrations)).await;
    let keys = api.store.list_api_keys(owner.org).await?;
    let keys =
        keys.iter().filter(|key| key.owner == owner).map(|key| json!({"id": key.id, "name": key.name, "created_at": Time(key.created_at)}));
    file(parts, "api_keys.json", &keys.collect()).await;
    let credentials = api.store.list_credentials(&owner, None).await?;
    let credentials = credentials.iter().map(|one| {
        json!({"id": one.id, "provider": one.provider, "name": one.name, "fields": one.fields.keys().filter(|field| !is_note(field)).collect::<Vec<_>>(),
            "created_at": Time(one.created_at), "expires_at": one.expires_at.map(Time), "last_used_at": one.last_used_at.map(Time)})
    });
    file(parts, "credentials.json", &credentials.collect()).await;
    runs(api, caller, veil, parts).await
}

async fn runs(api: &Arc<Api>, caller: &Caller, veil: &Veil, parts: &Parts) -> Result<(), StoreError> {
    let filter = RunFilter::default();
    let mut paging = Paging { limit: 200, cursor: None };
    let _ = parts.send(Ok(Part::File("runs.jsonl".to_owned()))).await;
    loop {
        let page = api.store.list_runs(caller.owner.org, &filter, &paging).await?;
        for run in page.items {
            let Some(header) = api.store.header(run.id).await?.filter(|header| header.owner == caller.owner) else { continue };
            let mut events = api.store.history(run.id).await?;
            mainspring_engine::hydrate(&*api.store, header.owner.org, &mut events).await?;
            let mut line = json!({"id": run.id, "plan_id": run.plan_id, "plan_name": run.plan_name, "plan_version": run.plan_version,
                "status": run.status.as_str(), "created_at": Time(run.created_at), "inputs": header.inputs, "trigger": header.trigger,
                "journal": events});
            veil.over(&mut line);
            if parts.send(Ok(Part::Content(format!("{line}\n").into_bytes()))).await.is_err() {
                return Ok(());
            }
        }
        paging.cursor = page.next_cursor;
        if paging.cursor.is_none() {
            return Ok(());
        }
    }
}

/// What a plan remembers between its runs, a value a line; nothing when it remembers nothing.
async fn state(api: &Arc<Api>, space: StateSpace, parts: &Parts) -> Result<(), StoreError> {
    let mut after: Option<String> = None;
    loop {
        let values = api.store.list_state(space, "", after.as_deref(), 200).await?;
        let Some(last) = values.last() else { return Ok(()) };
        if after.is_none() {
            let name = space.plan.map_or_else(|| "state.jsonl".to_owned(), |plan| format!("plans/{plan}.state.jsonl"));
            let _ = parts.send(Ok(Part::File(name))).await;
        }
        after = Some(last.key.clone());
        for one in &values {
            let line =
                json!({"key": one.key, "value": one.value, "updated_at": Time(one.updated_at), "expires_at": one.expires_at.map(Time)});
            if parts.send(Ok(Part::Content(format!("{line}\n").into_bytes()))).await.is_err() {
                return Ok(());
            }
        }
    }
}

/// Nobody is there to be told when the caller went away; the next part finds the same.
async fn file(parts: &Parts, name: &str, content: &Value) {
    let _ = parts.send(Ok(Part::File(name.to_owned()))).await;
    let _ = parts.send(Ok(Part::Content(format!("{content:#}\n").into_bytes()))).await;
}

fn archive(mut parts: mpsc::Receiver<io::Result<Part>>, pieces: &mpsc::Sender<io::Result<Bytes>>) -> io::Result<()> {
    let mut zip = ZipWriter::new_stream(Pieces { to: pieces.clone(), gathered: Vec::with_capacity(PIECE) });
    while let Some(part) = parts.blocking_recv() {
        match part? {
            // Runs may well be more than 4 GiB.
            Part::File(name) => zip.start_file(name, SimpleFileOptions::default().large_file(true)).map_err(io::Error::other)?,
            Part::Content(bytes) => zip.write_all(&bytes)?,
        }
    }
    zip.finish().map_err(io::Error::other)?.into_inner().flush()
}

/// Hands on what is written in pieces.
struct Pieces {
    to: mpsc::Sender<io::Result<Bytes>>,
    gathered: Vec<u8>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let piece = Bytes::from(std::mem::replace(&mut self.gathered, Vec::with_capacity(PIECE)));
        self.to.blocking_send(Ok(piece)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
