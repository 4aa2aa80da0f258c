//! What the operator says about limits.

use super::bucket::{Budgets, MOST};
use super::network::Network;

/// Off unless a budget is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Requests of one caller per minute and per hour; 0 is no limit. Paths that are to have a tighter one (those that sign somebody
    /// in, once there are any) get their budgets here beside it and a subject of their own.
    pub budgets: Budgets,
    /// Whose `X-Forwarded-For` is believed.
    pub proxies: Vec<Network>,
}

/// A number of requests.
///
/// # Errors
/// What is wrong with the text, and what to write.
pub fn requests(text: &str) -> Result<u32, String> {
    text.parse()
        .ok()
        .filter(|requests| *requests <= MOST)
        .ok_or_else(|| format!("\"{text}\" is no number of requests from 0 (no limit) to {MOST}"))
}

/// A comma list of networks.
///
/// # Errors
/// The first that is none.
pub fn networks(text: &str) -> Result<Vec<Network>, String> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::parse).collect()
}
