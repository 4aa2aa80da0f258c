//! What one attempt of an action is given beside its params.

use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use crate::clock::{Clock, Millis};
use crate::credential::Credential;
use crate::fault::{Code, Fault};
use crate::file::Files;
use crate::id::{Owner, RunId};
use crate::trace::Tracing;

/// Evaluates a step's per-item params. Names other than `locals` were captured when the step started.
pub trait PerItem: Send + Sync {
    /// `param` (a name, or `cases.<label>` for one label of an object) with these locals in scope.
    ///
    /// # Errors
    /// `UNRESOLVED_REFERENCE` or `EXPRESSION_FAILED` as any expression; `INVALID_PARAMS` when the step has no such param.
    fn eval(&self, param: &str, locals: &[(&str, &Value)]) -> Result<Value, Fault>;

    /// Whether the step was given this param at all.
    fn has(&self, param: &str) -> bool;

    /// The labels of an object param in written order.
    fn labels(&self, param: &str) -> Vec<String>;

    /// What the param's condition demands of `local` for certain: see [`crate::expr::Expr::demand`].
    fn demand(&self, _param: &str, _local: &str) -> Option<(String, Value)> {
        None
    }
}

/// A step without per-item params.
pub struct NoPerItem;

impl PerItem for NoPerItem {
    fn eval(&self, param: &str, _: &[(&str, &Value)]) -> Result<Value, Fault> {
        Err(Fault::invalid_params(format!("the step has no \"{param}\"")))
    }
    fn has(&self, _: &str) -> bool {
        false
    }
    fn labels(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
}

/// Asked by what sends something, at the moment in which it begins to leave.
pub type Holds = Arc<dyn Fn() -> bool + Send + Sync>;

/// What an attempt holds until its output is recorded, such as a place among those that hold much memory. It goes with its last owner.
#[derive(Clone, Default)]
pub struct Keeps(Arc<Mutex<Vec<Box<dyn Any + Send>>>>);

impl Keeps {
    pub fn keep(&self, what: impl Any + Send) {
        self.0.lock().expect("no panic happens while it is held").push(Box::new(what));
    }

    /// Whether something of this type is kept.
    pub fn has<T: Any>(&self) -> bool {
        self.0.lock().expect("no panic happens while it is held").iter().any(|kept| kept.is::<T>())
    }
}

/// What one attempt is given beside its params.
pub struct Context {
    pub owner: Owner,
    /// Nil for `execute-step`, which has no run.
    pub run: Option<RunId>,
    /// `outer[3].inner[0]`.
    pub step: String,
    /// From 1.
    pub attempt: u32,
    /// The same on every attempt and node; to be sent where the service takes one.
    pub idempotency_key: String,
    pub credential: Option<Credential>,
    pub per_item: Arc<dyn PerItem>,
    pub clock: Arc<dyn Clock>,
    /// When the engine will give up on this attempt, Unix milliseconds.
    pub deadline: Millis,
    /// Set by actions as soon as anything left the process, so that an aborted attempt is recorded `unknown`.
    pub sent: Arc<AtomicBool>,
    /// Whether this process still holds the run, asked at the moment in which something would leave; `None`: nobody else could.
    pub holds: Option<Holds>,
    /// What is given back when the output is recorded.
    pub keeps: Keeps,
    /// Where the attempt stands in a trace; `None`: nothing is traced.
    pub tracing: Option<Tracing>,
    /// The organization's files; `None` for what only computes.
    pub files: Option<Arc<dyn Files>>,
}

impl Context {
    /// For a call that the program makes by itself, apart from any run and with no credential; `what` names it. Nothing traces it.
    pub fn apart(owner: Owner, what: &str, clock: Arc<dyn Clock>, within: Duration) -> Context {
        Context {
            owner,
            run: None,
            step: what.to_owned(),
            attempt: 1,
            idempotency_key: String::new(),
            credential: None,
            per_item: Arc::new(NoPerItem),
            deadline: clock.now().saturating_add(Millis::try_from(within.as_millis()).unwrap_or(Millis::MAX)),
            clock,
            sent: Arc::new(AtomicBool::new(false)),
            holds: None,
            keeps: Keeps::default(),
            tracing: None,
            files: None,
        }
    }

    /// The organization's files.
    ///
    /// # Errors
    /// `FILE_NOT_FOUND` where there are none: in tests of credentials and integrations.
    pub fn files(&self) -> Result<&dyn Files, Fault> {
        self.files
            .as_deref()
            .ok_or_else(|| Fault::new(Code::other("FILE_NOT_FOUND"), "files can be used in runs and in steps of plans only"))
    }

    /// Marks that something was sent.
    pub fn mark_sent(&self) {
        self.sent.store(true, Ordering::Release);
    }
}
