//! Provider `http`: any service that speaks HTTP.

pub(crate) mod auth;
pub(crate) mod body;
pub(crate) mod exchange;
mod files;
mod multipart;
pub(crate) mod output;
mod pages;
pub(crate) mod params;
pub(crate) mod query;
pub(crate) mod request;

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Method;
use mainspring_model::action::erase;
use mainspring_model::catalog::{Provider, Verify};

use crate::egress::Egress;
use request::HttpRequest;

/// The provider, `request` first.
pub fn provider(egress: Arc<Egress>) -> Provider {
    let methods = [None, Some(Method::GET), Some(Method::POST), Some(Method::PUT), Some(Method::PATCH), Some(Method::DELETE)];
    Provider {
        id: "http".to_owned(),
        title: "HTTP".to_owned(),
        category: "Web".to_owned(),
        version: 1,
        description: "Asks any service over HTTP: JSON, forms, files, pages of lists, with a credential of its own.".to_owned(),
        credential: auth::fields(),
        hosts: Vec::new(),
        verify: Some(Verify::Address { action: "request", param: "url" }),
        actions: methods.into_iter().map(|method| erase(HttpRequest { egress: egress.clone(), method })).collect(),
        aliases: BTreeMap::new(),
    }
}
