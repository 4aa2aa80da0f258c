//! What Mainspring's steps do: the only HTTP client and the providers that are built in.

pub mod apart;
pub mod chat;
pub mod crypto;
pub mod custom;
pub mod custom_api;
pub mod egress;
pub mod file;
pub mod folders;
pub mod http;
pub mod imap;
pub mod logic;
pub mod mail;
mod sabotage;
pub mod state;
pub mod transform;
pub mod webhook;
mod written_bytes;

use std::sync::Arc;

use mainspring_model::catalog::Provider;

use apart::Apart;
use egress::Egress;

/// What the built-in providers are made of.
pub struct Parts {
    pub egress: Arc<Egress>,
    /// Where work is done that data can make long or large.
    pub apart: Apart,
}

/// Every provider that is there without a user's doing. Adding one adds a line here and touches nothing else.
pub fn built_ins(parts: &Parts) -> Vec<Provider> {
    let egress = || parts.egress.clone();
    vec![
        http::provider(egress()),
        webhook::provider(egress()),
        custom_api::provider(egress()),
        chat::openai(egress()),
        chat::groq(egress()),
        logic::provider(&parts.apart),
        transform::provider(&parts.apart),
        imap::provider(egress()),
        crypto::provider(),
        state::provider(),
        file::provider(),
    ]
}
