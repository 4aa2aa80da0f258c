//! Signatures of webhooks: the services' published examples, others made with Python's `hmac` and `cryptography`, and what is refused.

mod hostile;
mod services;

use mainspring_model::plan::signature::{Service, Signature};
use mainspring_vault::webhook::{Delivery, Unproven, verify};

/// A delivery as its service would make it, to be changed.
#[derive(Clone, Debug)]
pub struct Sent {
    pub signature: Signature,
    pub secrets: Vec<String>,
    pub headers: Vec<(String, Vec<u8>)>,
    pub url: String,
    pub body: Vec<u8>,
    pub now: i64,
}

impl Sent {
    pub fn new(service: Service, secret: &str, headers: &[(&str, &str)], body: &str, now: i64) -> Sent {
        Sent {
            signature: Signature::Service(service),
            secrets: vec![secret.to_owned()],
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect(),
            url: String::new(),
            body: body.as_bytes().to_vec(),
            now,
        }
    }

    pub fn with<T>(&self, look: impl FnOnce(&Delivery<'_>) -> T) -> T {
        let headers: Vec<(&str, &[u8])> = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        let urls = [self.url.clone()];
        look(&Delivery { headers: &headers, urls: &urls, body: &self.body, now: self.now })
    }

    pub fn judged(&self) -> Result<(), Unproven> {
        let secrets: Vec<&str> = self.secrets.iter().map(String::as_str).collect();
        self.with(|delivery| verify(&self.signature, &secrets, delivery))
    }
}

/// The moment of the examples that have none of their own.
pub const NOW: i64 = 1_700_000_000_000;
