//! A request as a part of a trace, for as long as it is answered: what it starts finds it here.

use std::sync::{Arc, OnceLock};

use mainspring_model::id::OrgId;
use mainspring_model::trace::TraceContext;

/// A request under way.
#[derive(Debug)]
pub struct Asked {
    pub at: TraceContext,
    /// All zero: it begins the trace.
    pub parent: [u8; 8],
    /// Known once a route was found and the caller may take it.
    pub operation: OnceLock<&'static str>,
    pub org: OnceLock<OrgId>,
}

tokio::task_local! {
    static ASKED: Arc<Asked>;
}

impl Asked {
    pub fn new(at: TraceContext, parent: [u8; 8]) -> Arc<Asked> {
        Arc::new(Asked { at, parent, operation: OnceLock::new(), org: OnceLock::new() })
    }

    /// Everything that the work starts is a part of this request.
    pub async fn holds<F: Future>(self: Arc<Asked>, work: F) -> F::Output {
        ASKED.scope(self, work).await
    }
}

/// Where the request stands that is being answered here.
pub fn around() -> Option<TraceContext> {
    ASKED.try_with(|asked| asked.at).ok()
}

/// Which operation the request is. Does nothing for one that is not traced.
pub fn named(operation: &'static str, org: Option<OrgId>) {
    let Ok(asked) = ASKED.try_with(Arc::clone) else { return };
    asked.operation.get_or_init(|| operation);
    if let Some(org) = org {
        asked.org.get_or_init(|| org);
    }
}

/// Work that goes on apart from the connection stays a part of its request.
pub fn carried<F: Future + Send + 'static>(work: F) -> futures_util::future::Either<impl Future<Output = F::Output> + Send, F>
where
    F::Output: Send,
{
    match ASKED.try_with(Arc::clone) {
        Ok(asked) => futures_util::future::Either::Left(asked.holds(work)),
        Err(_) => futures_util::future::Either::Right(work),
    }
}
