//! What the operator says about limits.

use super::bucket::{Budgets, MOST};
use super::door::{self, Doors};
use super::network::Network;

/// Off unless a budget is set, but for the doors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Requests of one caller per minute and per hour; 0 is no limit.
    pub budgets: Budgets,
    /// Beside it, for each address at the paths that let somebody in.
    pub doors: Doors,
    /// Whose `X-Forwarded-For` is believed.
    pub proxies: Vec<Network>,
}

impl Default for Terms {
    fn default() -> Self {
        Terms { budgets: [0, 0], doors: door::doors(), proxies: Vec::new() }
    }
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
