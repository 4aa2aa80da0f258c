//! Results that are used again: a step with `cache` looks for an earlier one before it calls, and leaves its own.

use mainspring_model::action::{ActionResult, Outcome, Output};
use mainspring_model::run::RunHeader;
use mainspring_model::state::MAX_VALUE;
use serde_json::{Map, Value, json};

use crate::engine::Inner;
use crate::run::Call;

impl Inner {
    /// What an earlier call left, while it may be used. A store that does not answer has nothing: the step then calls.
    pub(crate) async fn result_before(&self, header: &RunHeader, call: &Call) -> Option<Output> {
        let (id, _) = call.cache.as_ref()?;
        let found = match self.store.cached(header.owner.org, id).await {
            Ok(found) => found?,
            Err(error) => {
                tracing::debug!(%error, step_id = call.path, "no earlier result could be looked for");
                return None;
            }
        };
        let Value::Object(mut found) = found else { return None };
        let mut metadata = match found.remove("metadata") {
            Some(Value::Object(metadata)) => metadata,
            _ => Map::new(),
        };
        metadata.insert("cached".to_owned(), Value::Bool(true));
        metadata.insert("cached_at".to_owned(), found.remove("at").unwrap_or_default());
        Some(Output {
            value: found.remove("output").unwrap_or_default(),
            port: found.get("port").and_then(Value::as_str).map(str::to_owned),
            message: found.get("message").and_then(Value::as_str).unwrap_or_default().to_owned(),
            metadata,
        })
    }

    /// Leaves a success for others. Secrets were taken out of it already; what is too large is not left.
    pub(crate) async fn leave_result(&self, header: &RunHeader, call: &Call, result: &ActionResult) {
        let (Some((id, ttl)), Ok(Outcome::Done(output))) = (&call.cache, result) else { return };
        let now = self.clock.now();
        let left = json!({
            "output": output.value,
            "port": output.port,
            "message": output.message,
            "metadata": output.metadata,
            "at": crate::run::rfc3339(now),
        });
        if left.to_string().len() > MAX_VALUE {
            return;
        }
        if let Err(error) = self.store.put_cached(header.owner.org, id, &left, now.saturating_add(*ttl)).await {
            tracing::debug!(%error, step_id = call.path, "a result was not left for others");
        }
    }
}
