//! Between events and their rows: writing out, spilling large outputs to blobs, and putting them back for a replay.

use mainspring_model::event::{AttemptStatus, BlobRef, Event, EventBody, INLINE_LIMIT};
use mainspring_model::fault::{Code, Fault};
use mainspring_model::id::OrgId;
use mainspring_model::store::{JournalRow, Store, StoreError};
use mainspring_model::value::{approximate_size, preview};
use serde_json::Value;

/// The row of an event. A large output goes to the blob store first; the event itself keeps it for the run in memory.
///
/// # Errors
/// The store's, when a blob cannot be written. An output over the blob limit turns the event into a failed attempt instead.
pub async fn row_of(store: &dyn Store, org: OrgId, event: &mut Event) -> Result<JournalRow, StoreError> {
    let spilled = match &mut event.body {
        EventBody::Attempted(attempted) if approximate_size(&attempted.output) > INLINE_LIMIT => {
            match spill(store, org, &attempted.output).await {
                Ok(None) => None,
                Ok(Some(blob)) => {
                    let output = std::mem::take(&mut attempted.output);
                    attempted.blob = Some(blob);
                    Some(output)
                }
                Err(StoreError::TooLarge { size, limit }) => {
                    attempted.output = Value::Null;
                    attempted.status = AttemptStatus::Error;
                    attempted.port = None;
                    attempted.mark = None;
                    let message = format!("the output has {size} bytes and at most {limit} are kept; ask for less, a page or fewer fields");
                    attempted.error = Some(Fault::new(Code::PAYLOAD_TOO_LARGE, message).effect(mainspring_model::Effected::Sent));
                    None
                }
                Err(error) => return Err(error),
            }
        }
        EventBody::Finished(ending) if approximate_size(&ending.output) > INLINE_LIMIT => match spill(store, org, &ending.output).await? {
            None => None,
            Some(blob) => {
                let output = std::mem::take(&mut ending.output);
                ending.blob = Some(blob);
                Some(output)
            }
        },
        _ => None,
    };
    let row = plain_row(event);
    if let Some(value) = spilled {
        match &mut event.body {
            EventBody::Attempted(attempted) => {
                attempted.output = value;
                attempted.blob = None;
            }
            EventBody::Finished(ending) => ending.output = value,
            _ => {}
        }
    }
    Ok(row)
}

/// The row of an event whose values stay inline.
pub fn plain_row(event: &Event) -> JournalRow {
    let progress =
        matches!(&event.body, EventBody::Attempted(attempted) if matches!(attempted.status, AttemptStatus::Success | AttemptStatus::Error));
    JournalRow {
        seq: event.seq,
        at: event.at,
        kind: event.body.kind(),
        body: serde_json::to_string(&event.body).expect("an event body is plain JSON"),
        progress,
    }
}

async fn spill(store: &dyn Store, org: OrgId, value: &Value) -> Result<Option<BlobRef>, StoreError> {
    let text = value.to_string();
    if text.len() <= INLINE_LIMIT {
        return Ok(None);
    }
    let (size, preview) = (text.len() as u64, preview(value, 500));
    let sha256 = store.put_blob(org, text.into_bytes()).await?;
    Ok(Some(BlobRef { sha256, size, preview }))
}

/// Puts blob outputs back into the events of a history.
///
/// # Errors
/// The store's; `Invalid` when a blob holds no JSON.
pub async fn hydrate(store: &dyn Store, org: OrgId, history: &mut [Event]) -> Result<(), StoreError> {
    for event in history {
        match &mut event.body {
            EventBody::Attempted(attempted) => {
                if let Some(blob) = attempted.blob.take() {
                    attempted.output = read(store, org, &blob).await?;
                }
            }
            EventBody::Finished(ending) => {
                if let Some(blob) = ending.blob.take() {
                    ending.output = read(store, org, &blob).await?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// The value behind a blob reference.
///
/// # Errors
/// The store's; `Invalid` when the blob holds no JSON.
pub async fn read(store: &dyn Store, org: OrgId, blob: &BlobRef) -> Result<Value, StoreError> {
    let bytes = store.get_blob(org, &blob.sha256).await?;
    let text = std::str::from_utf8(&bytes).map_err(|error| StoreError::Invalid(format!("blob {}: {error}", blob.sha256)))?;
    mainspring_model::value::from_json(text).map_err(|error| StoreError::Invalid(format!("blob {}: {error}", blob.sha256)))
}
