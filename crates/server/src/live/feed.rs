//! What the two kinds of feeds share: who listens, and the bell that makes them look.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use mainspring_model::id::RunId;
use tokio::sync::Notify;

/// A reader's own signal: something new may be there for it.
pub type Wake = Arc<Notify>;

/// Who listens. A reader that went away leaves by itself.
#[derive(Default)]
pub struct Listeners(Mutex<Vec<Weak<Notify>>>);

impl Listeners {
    pub fn add(&self, wake: &Wake) {
        let mut listeners = self.lock();
        if listeners.len() == listeners.capacity() {
            listeners.retain(|listener| listener.strong_count() > 0);
        }
        listeners.push(Arc::downgrade(wake));
    }

    /// Once for each time that it was added.
    pub fn remove(&self, wake: &Wake) {
        let mut listeners = self.lock();
        if let Some(place) = listeners.iter().position(|listener| std::ptr::eq(listener.as_ptr(), Arc::as_ptr(wake))) {
            listeners.swap_remove(place);
        }
    }

    pub fn wake(&self) {
        self.lock().retain(|listener| listener.upgrade().inspect(|wake| wake.notify_one()).is_some());
    }

    pub fn any(&self) -> bool {
        self.lock().iter().any(|listener| listener.strong_count() > 0)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<Notify>>> {
        self.0.lock().expect("no panic happens while the listeners are held")
    }
}

/// Which runs rang since the last look.
#[derive(Default)]
pub struct Bell {
    rung: Mutex<Rung>,
    notify: Notify,
}

#[derive(Default)]
pub struct Rung {
    pub runs: HashSet<RunId>,
    /// Look at everything: too many rang, or something that is no run.
    pub all: bool,
}

/// Beyond this many a look at everything is cheaper.
const MOST_RUNG: usize = 500;

impl Bell {
    pub fn ring(&self, run: Option<RunId>) {
        {
            let mut rung = self.lock();
            match run {
                Some(run) if rung.runs.len() < MOST_RUNG => drop(rung.runs.insert(run)),
                _ => rung.all = true,
            }
        }
        self.notify.notify_one();
    }

    pub fn take(&self) -> Rung {
        std::mem::take(&mut *self.lock())
    }

    pub async fn rang(&self) {
        self.notify.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Rung> {
        self.rung.lock().expect("no panic happens while the bell is held")
    }
}
