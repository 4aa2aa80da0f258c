//! Work that data can make long or large (queries, documents of strangers): done in a process apart, with limits on time and memory.
//!
//! A query or a parser that loops, recurses or fills the memory cannot be stopped inside our own process; a process of its own can. What
//! is done there is a [`Pure`] action like any other, sent by its name and params, so that it is tested without any process.

mod bytes;
mod frame;
mod helper;
mod pool;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use mainspring_model::Fault;
use mainspring_model::action::{Action, ActionResult, ActionSpec, Context, Effect};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::logic::bounds::done;
use bytes::Keep;
pub(crate) use bytes::given;
use pool::Pool;

pub use helper::help;

/// For how long one piece of work may go on, unless its action says otherwise.
pub(crate) const WITHIN: Duration = Duration::from_secs(5);
/// The memory of one helper in bytes: everything that it allocates, its program's own few MiB included.
pub(crate) const MEMORY: u64 = 384 << 20;

/// Where such work is done.
#[derive(Clone)]
pub struct Apart(Option<Arc<Pool>>);

impl Apart {
    /// In processes that are this program, started with these arguments: it has to call [`help`] then.
    pub fn program(program: PathBuf, args: &[&str]) -> Apart {
        Apart(Some(Arc::new(Pool::new(program, args))))
    }

    /// In this process and without any limit: what the helper itself does, and what shows forms only.
    pub fn here() -> Apart {
        Apart(None)
    }

    /// What `here` makes of its params, which a helper knows by this name: work of our own, that is no action of a step. The params are made
    /// when there is a place for the work, so that who waits holds no second copy.
    pub(crate) async fn run(
        &self,
        name: &str,
        params: impl FnOnce() -> Value + Send,
        within: Duration,
        here: fn(Value) -> Result<Value, Fault>,
    ) -> Result<Value, Fault> {
        match &self.0 {
            Some(pool) => {
                let _room = pool.room().await?;
                pool.run(name, params(), within).await
            }
            None => here(params()),
        }
    }

    /// An action of the provider `provider` that is done apart.
    pub(crate) fn action<A: Bounded>(&self, provider: &str, action: A) -> Arc<dyn Action> {
        // What is written to a file is written again by the next attempt, and the first one goes at its time.
        let writes = action.spec().params["properties"].get("to_file").is_some();
        let effect = if writes { Effect::Idempotent } else { Effect::Read };
        let spec = ActionSpec { effect, apart: true, ..action.spec() };
        Arc::new(Elsewhere { name: format!("{provider}.{}", spec.name), spec, action, apart: self.clone() })
    }
}

/// What is done apart: typed params in, one value out, nothing else touched.
pub(crate) trait Bounded: Send + Sync + 'static {
    type Params: DeserializeOwned + JsonSchema + Send;

    /// The description; `effect` is set by [`Apart::action`].
    fn spec(&self) -> ActionSpec;

    fn run(&self, params: Self::Params) -> Result<Value, Fault>;

    /// Params that may name a file, or have items with a `file`: its bytes come as base64.
    fn files(&self) -> &'static [&'static str] {
        &[]
    }

    /// For how long, given the params as they came.
    ///
    /// # Errors
    /// `INVALID_PARAMS` when they say something that is no such time.
    fn within(&self, _params: &Value) -> Result<Duration, Fault> {
        Ok(WITHIN)
    }
}

struct Elsewhere<A> {
    /// `logic.jq`.
    name: String,
    spec: ActionSpec,
    action: A,
    apart: Apart,
}

impl<A: Bounded> Elsewhere<A> {
    fn here(&self, params: Value) -> Result<Value, Fault> {
        let params = serde_json::from_value(params).map_err(|error| Fault::invalid_params(format!("{}: {error}", self.spec.name)))?;
        self.action.run(params)
    }
}

impl<A: Bounded> Action for Elsewhere<A> {
    fn spec(&self) -> &ActionSpec {
        &self.spec
    }

    fn call<'a>(&'a self, mut params: Value, cx: &'a Context) -> BoxFuture<'a, ActionResult> {
        Box::pin(async move {
            // Whoever waits for a helper holds no document meanwhile.
            let room = match &self.apart.0 {
                Some(pool) => Some(pool.room().await?),
                None => None,
            };
            bytes::fill(self.action.files(), &mut params, cx).await?;
            // The helper keeps nothing: what comes back from it is kept here.
            let keep = if cx.files.is_some() { Keep::of(&params) } else { Keep::No };
            let value = match &self.apart.0 {
                Some(pool) => {
                    let within = self.action.within(&params)?;
                    pool.run(&self.name, params, within).await?
                }
                None => self.here(params)?,
            };
            drop(room);
            keep.keep(value, cx).await.and_then(done)
        })
    }
}
