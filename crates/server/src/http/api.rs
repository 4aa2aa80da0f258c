//! What handlers share: the program's parts, and the few things that only serving needs.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::extract::State;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::caller::KeyCache;
use super::permissions::Rules;
use super::reach::Reaches;
use super::resting::Resting;
use super::veil;
use crate::app::App;

/// One per listening server.
pub struct Api {
    pub app: Arc<App>,
    pub keys: KeyCache,
    /// What organizations hide of run data.
    pub hidden: veil::Rules,
    /// A `user_id` was ignored and the log says so once.
    pub warned_of_user_id: AtomicBool,
    /// The server takes no new requests; streams end and long waits are cut short.
    pub closing: CancellationToken,
    /// WebSockets, which outlive the request that opened them.
    pub sockets: TaskTracker,
    /// Which plans are private.
    pub reaches: Reaches,
    /// Which organizations are to be removed.
    pub resting: Resting,
    /// Who may call what.
    pub rules: Rules,
    pub document: utoipa::openapi::OpenApi,
    /// `/api/openapi.json`, and `/api/docs` made from it.
    pub written: super::Written,
}

pub type Shared = State<Arc<Api>>;

impl Api {
    /// Somebody's rights changed: everybody is looked up anew by this process. Other nodes look after 5 s.
    pub fn standing_changed(&self) {
        self.keys.forget_if(|_, _| true);
        self.app.identity.members.forget_if(|_, _| true);
    }
}

impl Deref for Api {
    type Target = App;

    fn deref(&self) -> &App {
        &self.app
    }
}
