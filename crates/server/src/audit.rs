//! The way into the audit log: at once for what a caller waits for, and gathered for what happens too often to wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mainspring_engine::CredentialUse;
use mainspring_model::clock::{Clock, Millis};
use mainspring_model::id::{AuditId, OrgId, RunId};
use mainspring_model::store::{Actor, AuditOutcome, AuditRecord, Store, StoreError};
use serde_json::json;
use uuid::Uuid;

/// How long entries gather before they are written together, in milliseconds: at most this much is lost in a crash of the process.
const GATHER: Millis = 1_000;
/// Entries that are written without waiting for more.
const MANY: usize = 2_000;
/// Entries that wait while the store is away. Beyond them new ones are counted and dropped: memory is bounded.
const MOST: usize = 20_000;
/// Entries of one removal by retention.
const BATCH: u32 = 1_000;

/// Ids of one millisecond: twelve bits.
const MOST_AT_ONCE: u16 = 0xFFF;

/// Uses of a credential by one run are one entry for each time that entries are written.
type UseKey = (RunId, String, String);

#[derive(Default)]
struct Pending {
    entries: Vec<AuditRecord>,
    uses: HashMap<UseKey, (CredentialUse, u64)>,
    /// By who, where and what: a flood of refusals is one entry with a number.
    refused: HashMap<String, (AuditRecord, u64)>,
    dropped: u64,
    /// Of the last id: its millisecond, and which one it was in it.
    last: (Millis, u16),
    /// Somebody will write them.
    expected: bool,
}

/// One per process.
pub struct Audit {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    pending: Mutex<Pending>,
}

impl Audit {
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Arc<Audit> {
        Arc::new(Audit { store, clock, pending: Mutex::default() })
    }

    /// An id that is greater than all that this process gave before, so that entries of one millisecond have an order.
    /// `random` makes it nobody else's.
    pub fn next_id(&self, random: Uuid) -> AuditId {
        let now = self.clock.now();
        let mut pending = self.pending.lock().expect("no panic happens while entries gather");
        let (at, number) = pending.last;
        // A clock that went back, or more of one millisecond than have room, are counted on from the last.
        let next = match number {
            _ if now > at => (now, 0),
            MOST_AT_ONCE => (at + 1, 0),
            number => (at, number + 1),
        };
        pending.last = next;
        drop(pending);
        let mut rest = [0; 10];
        rest[..2].copy_from_slice(&next.1.to_be_bytes());
        rest[2..].copy_from_slice(&random.as_bytes()[8..]);
        AuditId(RunId::at(next.0, rest).0)
    }

    /// Writes down that something is about to be done; durable when this returns.
    ///
    /// # Errors
    /// The store's.
    pub async fn begin(&self, entry: AuditRecord) -> Result<(), StoreError> {
        self.store.append_audit(&[entry]).await
    }

    /// Puts what came of it in the place of what [`Audit::begin`] wrote; durable when this returns.
    ///
    /// # Errors
    /// The store's.
    pub async fn settle(&self, org: OrgId, begun: AuditId, entries: &[AuditRecord]) -> Result<(), StoreError> {
        self.store.settle_audit(org, begun, entries).await
    }

    /// Takes an entry that is written with others within a second.
    pub fn later(self: &Arc<Self>, mut entry: AuditRecord) {
        entry.at = Some(self.clock.now());
        self.gather(|pending| if pending.entries.len() < MOST { pending.entries.push(entry) } else { pending.dropped += 1 });
    }

    /// Takes a refusal; those of the same second by the same caller of the same thing are one entry.
    pub fn refused(self: &Arc<Self>, mut entry: AuditRecord) {
        entry.at = Some(self.clock.now());
        let key = format!("{:?} {:?} {:?} {} {:?}", entry.org, entry.user, entry.address, entry.action, entry.target_id);
        self.gather(|pending| {
            let room = pending.refused.len() < MANY;
            match pending.refused.get_mut(&key) {
                Some((_, times)) => *times += 1,
                None if room => drop(pending.refused.insert(key, (entry, 1))),
                None => pending.dropped += 1,
            }
        });
    }

    /// Notes that a run used a credential. Costs no write of its own: the uses of a second are one.
    pub fn used(self: &Arc<Self>, used: &CredentialUse) {
        let used = &CredentialUse { id: self.next_id(used.id).0, ..used.clone() };
        self.gather(|pending| {
            let key = (used.run, used.provider.clone(), used.name.clone());
            let room = pending.uses.len() < MOST;
            match pending.uses.get_mut(&key) {
                Some((_, times)) => *times += 1,
                None if room => drop(pending.uses.insert(key, (used.clone(), 1))),
                None => pending.dropped += 1,
            }
        });
    }

    fn gather(self: &Arc<Self>, add: impl FnOnce(&mut Pending)) {
        let many = {
            let mut pending = self.pending.lock().expect("no panic happens while entries gather");
            add(&mut pending);
            let many = pending.entries.len() + pending.uses.len() + pending.refused.len() == MANY;
            if pending.expected && !many {
                return;
            }
            pending.expected = true;
            many
        };
        let audit = Arc::clone(self);
        tokio::spawn(async move {
            if !many {
                audit.clock.sleep_until(audit.clock.now() + GATHER).await;
            }
            audit.flush().await;
        });
    }

    /// Writes what has gathered. What the store does not take now waits for the next time.
    pub async fn flush(self: &Arc<Self>) {
        let (entries, dropped) = {
            let mut pending = self.pending.lock().expect("no panic happens while entries gather");
            pending.expected = false;
            let mut entries = std::mem::take(&mut pending.entries);
            entries.extend(std::mem::take(&mut pending.uses).into_values().map(|(used, times)| entry_of(&used, times)));
            entries.extend(std::mem::take(&mut pending.refused).into_values().map(|(mut entry, times)| {
                if times > 1 {
                    entry.after = Some(json!({ "times": times }));
                }
                entry
            }));
            (entries, std::mem::take(&mut pending.dropped))
        };
        if dropped > 0 {
            tracing::error!(dropped, "entries of the audit log were dropped: the store did not take them fast enough");
        }
        if entries.is_empty() {
            return;
        }
        if let Err(error) = self.store.append_audit(&entries).await {
            if matches!(error, StoreError::Closed) {
                tracing::error!(entries = entries.len(), "the store closed before the last entries of the audit log were written");
                return;
            }
            tracing::error!(%error, "entries of the audit log could not be written; trying again");
            self.gather(|pending| {
                let room = MOST.saturating_sub(pending.entries.len());
                pending.dropped += entries.len().saturating_sub(room) as u64;
                pending.entries.extend(entries.into_iter().take(room));
            });
        }
    }

    /// Removes what is older than `keep`, now and then, for as long as the process serves.
    pub async fn serve_retention(&self, keep: Duration) {
        let keep = Millis::try_from(keep.as_millis()).unwrap_or(Millis::MAX);
        loop {
            self.clock.sleep_until(self.clock.now().saturating_add(600_000)).await;
            let before = self.clock.now().saturating_sub(keep);
            loop {
                match self.store.prune_audit(before, BATCH).await {
                    Ok(0) => break,
                    Ok(_) => tokio::task::yield_now().await,
                    Err(error) => {
                        tracing::error!(%error, "old entries of the audit log could not be removed; trying again in ten minutes");
                        break;
                    }
                }
            }
        }
    }
}

fn entry_of(used: &CredentialUse, times: u64) -> AuditRecord {
    AuditRecord {
        id: AuditId(used.id),
        org: used.owner.org,
        at: Some(used.at),
        user: Some(used.owner.user),
        actor: Actor::Run(used.run),
        address: None,
        agent: None,
        action: "use_credential".to_owned(),
        outcome: AuditOutcome::Done,
        target_kind: Some("credential".to_owned()),
        target_id: Some(format!("{}/{}", used.provider, used.name)),
        before: None,
        after: Some(json!({ "step": used.step, "times": times })),
        request_id: None,
    }
}
