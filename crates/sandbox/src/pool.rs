//! The pool: a few children kept warm, one call each at a time, and never one organization's after another's.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use mainspring_model::fault::{Code, Fault};
use mainspring_model::id::OrgId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::child::PYTHON;
use crate::confine::Isolation;
use crate::limits::{LEAST_MEMORY, Limits};
use crate::spawner::{Spawner, Start};
use crate::worker::{Answer, Worker};

/// How a pool is run; the operator's settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The program that is started as a child: this one, unless a test says otherwise.
    pub program: PathBuf,
    /// Calls at the same time, and children that are kept.
    pub children: usize,
    /// What a call gets when its step does not say.
    pub limits: Limits,
    /// The most that a step may ask for, bytes.
    pub most_memory: u64,
    pub isolation: Isolation,
    /// The interpreter of `code.python`, which is not there without one: `prefix/bin/python3`.
    pub python: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings::standard()
    }
}

impl Settings {
    /// Four children of this program, 64 MiB a call and 256 at most, fully isolated.
    pub fn standard() -> Settings {
        Settings {
            // The file that runs, also when another version was put in its place meanwhile.
            program: PathBuf::from("/proc/self/exe"),
            children: 4,
            limits: Limits::default(),
            most_memory: 256 << 20,
            isolation: Isolation::Full,
            python: None,
        }
    }
}

/// Runs user code in child processes. Starts none before the first call.
pub struct Sandbox {
    settings: Settings,
    state: Mutex<State>,
    places: Arc<Semaphore>,
    this: Weak<Sandbox>,
}

#[derive(Default)]
struct State {
    spawner: Option<Arc<Spawner>>,
    /// The one that waited longest stands first.
    idle: Vec<Worker>,
    /// Places of each organization with calls: nobody gets the last one as well while others could need it.
    shares: HashMap<OrgId, Weak<Semaphore>>,
    /// A spare child is under way.
    starting: bool,
}

impl Sandbox {
    pub fn new(settings: Settings) -> Arc<Sandbox> {
        let children = settings.children.max(1);
        let places = Arc::new(Semaphore::new(children));
        Arc::new_cyclic(|this| Sandbox { settings: Settings { children, ..settings }, state: Mutex::default(), places, this: this.clone() })
    }

    /// The limits of a call whose step asks for these.
    ///
    /// # Errors
    /// `INVALID_PARAMS`: less memory than the engine needs, or more than the operator allows.
    pub(crate) fn limits(&self, timeout: Option<std::time::Duration>, memory: Option<u64>) -> Result<Limits, Fault> {
        let memory = memory.unwrap_or(self.settings.limits.memory);
        if !(LEAST_MEMORY..=self.settings.most_memory).contains(&memory) {
            let (least, most) = (crate::verdict::size(LEAST_MEMORY), crate::verdict::size(self.settings.most_memory));
            return Err(Fault::invalid_params(format!("\"memory\": write {least} to {most}; the operator sets the most")));
        }
        Ok(Limits { timeout: timeout.unwrap_or(self.settings.limits.timeout), memory })
    }

    /// Runs JavaScript for an organization. Dropping the future ends the child.
    ///
    /// # Errors
    /// No child could be started, with what the kernel refused.
    pub(crate) async fn call(&self, org: OrgId, code: &str, input: &[u8], limits: Limits) -> Result<Answer, Fault> {
        let _places = self.places(org).await?;
        let mut worker = self.worker(org).await?;
        let answer = worker.call(code, input, limits).await;
        if worker.is_sound(&answer) {
            self.state().idle.push(worker);
        }
        self.keep_one_spare();
        Ok(answer)
    }

    /// Runs Python for an organization, in a process of its own. Dropping the future ends it.
    ///
    /// # Errors
    /// It could not be started, with what the kernel or the interpreter said.
    pub(crate) async fn call_python(&self, org: OrgId, code: &str, input: &[u8], limits: Limits) -> Result<Answer, Fault> {
        let _places = self.places(org).await?;
        let mut worker = self.start_python(limits.memory).await.map_err(refused)?;
        Ok(worker.call(code, input, limits).await)
    }

    /// The operator's interpreter.
    pub fn python(&self) -> Option<&Path> {
        self.settings.python.as_deref()
    }

    /// Starts the interpreter and lets it go.
    ///
    /// # Errors
    /// What the kernel or the interpreter said.
    pub async fn probe_python(&self) -> Result<(), String> {
        self.start_python(self.settings.limits.memory).await.map(drop)
    }

    async fn start_python(&self, memory: u64) -> Result<Worker, String> {
        let interpreter = self.settings.python.as_deref().unwrap_or(Path::new("python3")).display().to_string();
        self.started(vec![PYTHON.to_owned(), interpreter, memory.to_string()]).await
    }

    /// Starts a child and lets it go: whether code could run here, and if not, what is missing.
    ///
    /// # Errors
    /// What the kernel refused.
    pub async fn probe(&self) -> Result<(), String> {
        let worker = self.start().await?;
        self.state().idle.push(worker);
        Ok(())
    }

    async fn places(&self, org: OrgId) -> Result<(Option<OwnedSemaphorePermit>, OwnedSemaphorePermit), Fault> {
        let closed = |_| Fault::internal("the pool of code is closed");
        let share = (self.settings.children > 1).then(|| {
            let mut state = self.state();
            state.shares.retain(|_, share| share.strong_count() > 0);
            if let Some(share) = state.shares.get(&org).and_then(Weak::upgrade) {
                return share;
            }
            let share = Arc::new(Semaphore::new(self.settings.children - 1));
            state.shares.insert(org, Arc::downgrade(&share));
            share
        });
        let share = match share {
            Some(share) => Some(share.acquire_owned().await.map_err(closed)?),
            None => None,
        };
        Ok((share, self.places.clone().acquire_owned().await.map_err(closed)?))
    }

    /// A child for a call of this organization: one that served it before, a new one that waits, or a new one.
    async fn worker(&self, org: OrgId) -> Result<Worker, Fault> {
        loop {
            let Some(mut worker) = self.idle(org) else { break };
            worker.org = Some(org);
            // One that ended while it waited is let go.
            if worker.become_ready().await.is_ok() {
                return Ok(worker);
            }
        }
        let mut worker = self.start().await.map_err(refused)?;
        worker.org = Some(org);
        Ok(worker)
    }

    fn idle(&self, org: OrgId) -> Option<Worker> {
        let mut state = self.state();
        let of = |wanted: Option<OrgId>| move |worker: &Worker| worker.org == wanted;
        let at = state.idle.iter().rposition(of(Some(org))).or_else(|| state.idle.iter().position(of(None)));
        if at.is_none() && state.idle.len() >= self.settings.children {
            // All that wait served others; the one that waited longest makes room.
            state.idle.remove(0);
        }
        at.map(|at| state.idle.remove(at))
    }

    async fn start(&self) -> Result<Worker, String> {
        self.started(vec![self.settings.isolation.as_str().to_owned(), self.settings.most_memory.to_string()]).await
    }

    async fn started(&self, arguments: Vec<String>) -> Result<Worker, String> {
        let spawner = self.spawner().map_err(|error| format!("no thread for children: {error}"))?;
        let process = spawner.start(Start { program: self.settings.program.clone(), arguments }).await;
        let process = process.map_err(|error| format!("{}: {error}", self.settings.program.display()))?;
        Worker::take(process).await.map_err(|error| error.to_string())
    }

    fn spawner(&self) -> std::io::Result<Arc<Spawner>> {
        let mut state = self.state();
        if let Some(spawner) = &state.spawner {
            return Ok(spawner.clone());
        }
        let spawner = Arc::new(Spawner::begin()?);
        state.spawner = Some(spawner.clone());
        Ok(spawner)
    }

    /// Sees to it that one child waits that has served nobody yet, unless the house is full.
    fn keep_one_spare(&self) {
        let Some(this) = self.this.upgrade() else { return };
        {
            let mut state = self.state();
            let spare = state.idle.iter().any(|worker| worker.org.is_none());
            if state.starting || spare || state.idle.len() >= self.settings.children {
                return;
            }
            state.starting = true;
        }
        tokio::spawn(async move {
            let started = this.start().await;
            let mut state = this.state();
            state.starting = false;
            match started {
                Ok(worker) => state.idle.push(worker),
                // The next call meets the same, and says so to whom it concerns.
                Err(reason) => tracing::warn!(reason, "a child for code could not be started"),
            }
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refused(reason: String) -> Fault {
    Fault::new(Code::CODE_FAILED, format!("no code can be run here: {reason}; the operator finds more with \"mainspring doctor\""))
}
