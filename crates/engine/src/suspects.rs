//! Runs that may kill the process: driven alone for a moment to learn whether they do, and quarantined when they did.

use std::sync::atomic::Ordering;

use mainspring_model::clock::Millis;
use mainspring_model::fault::{Class, Code, Fault};
use mainspring_model::run::RunStatus;
use mainspring_model::store::Claimed;
use tokio::sync::oneshot;

use crate::driver::Signal;
use crate::engine::Engine;

/// A run in flight at this many crashes is suspected, and driven alone.
const SUSPECT: u32 = 2;
/// After this many crashes alone it is quarantined.
const POISON: u32 = 3;
/// And after this many in company: it kills the process too late for a moment alone to show.
const POISON_IN_COMPANY: u32 = 10;
/// How long a suspect waits until the others have nothing in flight, and how long it then has for itself.
const QUIET_PATIENCE: Millis = 5_000;
const LONE: Millis = 10_000;

/// Held by the driver of a lone run; dropped at its first finished step or its end, whichever comes first.
pub(crate) struct Alone(#[expect(dead_code, reason = "only its drop is heard")] oneshot::Sender<()>);

pub(crate) fn is_suspect(run: &Claimed) -> bool {
    run.crashes >= SUSPECT
}

impl Engine {
    /// Each suspect gets the process for itself until its first step has finished, but no longer than a moment: a slow step must
    /// not hold all others up. One that is still at it goes on in company, and so do the suspects after it.
    pub(crate) async fn take_up_suspects(&self, suspects: Vec<Claimed>) {
        let mut quiet = true;
        for run in suspects {
            self.0.queue_pulse.beat(self.0.clock.monotonic_us());
            if run.crashes_alone >= POISON || run.crashes >= POISON_IN_COMPANY {
                self.quarantine(run).await;
            } else if quiet {
                quiet = self.drive_alone(run).await;
            } else {
                self.take_up(run, None).await;
            }
        }
    }

    /// Whether nothing is in flight afterwards.
    async fn drive_alone(&self, run: Claimed) -> bool {
        let id = run.header.id;
        self.0.exclusive.store(true, Ordering::Release);
        let quiet = self.within(QUIET_PATIENCE, self.idle()).await;
        let calm = if quiet {
            tracing::warn!(run_id = %id, crashes = run.crashes, "this run was in flight when the process died; it runs alone for a moment");
            let (alone, calm) = oneshot::channel();
            self.take_up(run, Some(Alone(alone))).await;
            // Resolves when the other half is dropped.
            let calm = self.within(LONE, calm).await;
            if !calm {
                self.0.signal(id, Signal::Company);
            }
            calm
        } else {
            tracing::warn!(run_id = %id, crashes = run.crashes, "this run was in flight when the process died; the others do not come to rest, so it goes on beside them");
            self.take_up(run, None).await;
            false
        };
        self.0.exclusive.store(false, Ordering::Release);
        calm
    }

    async fn within(&self, patience: Millis, what: impl Future) -> bool {
        let until = self.0.clock.now().saturating_add(patience);
        tokio::select! {
            biased;
            _ = what => true,
            () = self.0.clock.sleep_until(until) => false,
        }
    }

    async fn quarantine(&self, claimed: Claimed) {
        let message = format!(
            "a step of this run was in flight at {} ends of the whole process, {} of them while it ran alone; it will not be run again",
            claimed.crashes, claimed.crashes_alone
        );
        let fault = Fault::new(Code::QUARANTINED, message).class(Class::Internal);
        if let Err(error) = self.0.end_at_once(&claimed, RunStatus::Quarantined, fault).await {
            tracing::error!(run_id = %claimed.header.id, %error, "a run could not be quarantined; it goes back to the queue");
            self.0.give_back(claimed.header.id, claimed.epoch);
        }
    }
}
