//! Live updates: what watchers of a run are told, after it is durable.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

use mainspring_model::clock::Millis;
use mainspring_model::id::{OrgId, RunId};
use mainspring_model::store::JournalRow;
use tokio::sync::broadcast;

/// One update of one run.
#[derive(Clone, Debug)]
pub enum LiveEvent {
    /// An attempt left for the world; not journalled.
    Attempting { path: String, attempt: u32, action: String, at: Millis },
    /// A journal row that is now durable.
    Row(JournalRow),
}

/// Told which run changed; returns at once.
pub type Bell = Box<dyn Fn(OrgId, RunId) + Send + Sync>;

/// Who watches which run. Costs one atomic read when nobody does.
#[derive(Default)]
pub struct Watchers {
    bell: OnceLock<Bell>,
    count: AtomicUsize,
    by_run: Mutex<HashMap<RunId, broadcast::Sender<LiveEvent>>>,
}

/// Slower readers than this many events lose the oldest ones and are told so.
const BACKLOG: usize = 4_096;

impl Watchers {
    /// Updates of a run from now on.
    pub fn watch(&self, run: RunId) -> broadcast::Receiver<LiveEvent> {
        let mut by_run = self.lock();
        by_run.retain(|_, sender| sender.receiver_count() > 0);
        let receiver = by_run.entry(run).or_insert_with(|| broadcast::channel(BACKLOG).0).subscribe();
        self.count.store(by_run.len(), Ordering::Release);
        receiver
    }

    /// Rings for every run whose row or journal changed here, once that is durable. Only the first bell counts.
    pub fn on_change(&self, bell: Bell) {
        drop(self.bell.set(bell));
    }

    pub(crate) fn changed(&self, org: OrgId, run: RunId) {
        if let Some(bell) = self.bell.get() {
            bell(org, run);
        }
    }

    pub(crate) fn is_watched(&self, run: RunId) -> bool {
        self.count.load(Ordering::Acquire) > 0 && self.lock().get(&run).is_some_and(|sender| sender.receiver_count() > 0)
    }

    pub(crate) fn tell(&self, run: RunId, event: LiveEvent) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        if let Some(sender) = self.lock().get(&run) {
            // Nobody listening any more is no error.
            drop(sender.send(event));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<RunId, broadcast::Sender<LiveEvent>>> {
        self.by_run.lock().expect("no panic happens while the watchers are held")
    }
}
