//! Whether a webhook's delivery was signed by who knows the secret: over the bytes as they came, in a time that tells nothing of what
//! would have been right.

mod code;
mod message_id;
mod service;
mod twilio;

use mainspring_model::plan::signature::{HmacEncoding, Service, Signature};
use thiserror::Error;

pub use message_id::message_id;

use code::Expected;

/// How far a signed moment may be from ours, in milliseconds, where its service does not say less.
const WINDOW: i64 = 5 * 60 * 1_000;
/// Linear asks for a minute.
const LINEAR_WINDOW: i64 = 60 * 1_000;
/// Signatures that are looked at in one header: while a secret is replaced a sender writes two or three.
const MOST_SIGNATURES: usize = 16;
/// Secrets that a delivery may be signed by.
const MOST_SECRETS: usize = 8;

/// A request as it came.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// Names in lower case.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// The addresses that the sender may know us by, whole, the likeliest first. Twilio signs what it called.
    pub urls: &'a [String],
    pub body: &'a [u8],
    /// Unix milliseconds.
    pub now: i64,
}

impl<'a> Delivery<'a> {
    /// The one value of a header. Two of them mean that something between us and the sender wrote one.
    fn one(&self, name: &str) -> Result<&'a [u8], Unproven> {
        let mut values = self.headers.iter().filter(|(known, _)| *known == name).map(|(_, value)| *value);
        let value = values.next().ok_or_else(|| Unproven::Missing(name.to_owned()))?;
        if values.next().is_some() {
            return Err(Unproven::Repeated(name.to_owned()));
        }
        Ok(value)
    }

    fn text(&self, name: &str) -> Result<&'a str, Unproven> {
        std::str::from_utf8(self.one(name)?).map(str::trim).map_err(|_| Unproven::Malformed(name.to_owned()))
    }

    fn is_form(&self) -> bool {
        let essence = self.text("content-type").ok().and_then(|value| value.split(';').next()).unwrap_or_default();
        essence.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
    }
}

/// Why a delivery is not taken. None of it tells how near it came.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unproven {
    #[error("the header {0} is missing")]
    Missing(String),
    #[error("the header {0} comes more than once")]
    Repeated(String),
    #[error("the header {0} is not of the form that its service sends")]
    Malformed(String),
    #[error("its signature was made by no secret of this trigger")]
    Wrong,
    /// Told only of what is rightly signed.
    #[error("its signature is right, and its timestamp is more than {} minutes from this server's clock", .0 / 60_000)]
    Stale(i64),
    #[error("the trigger's credential has no signing_secret")]
    NoSecret,
}

/// The secrets of a credential's field: one a line, the new one beside the old while a sender changes over.
pub fn secrets(field: &str) -> Vec<&str> {
    field.lines().map(str::trim).filter(|line| !line.is_empty()).take(MOST_SECRETS).collect()
}

/// Whether one of the secrets signed the delivery, at a moment near ours where its service signs the moment.
///
/// # Errors
/// Why it is not proven.
pub fn verify(signature: &Signature, secrets: &[&str], delivery: &Delivery<'_>) -> Result<(), Unproven> {
    if secrets.is_empty() {
        return Err(Unproven::NoSecret);
    }
    match signature {
        Signature::Service(Service::Twilio) => twilio::verify(secrets, delivery),
        Signature::Service(service) => service::verify(*service, secrets, delivery),
        Signature::Hmac(form) => {
            let malformed = || Unproven::Malformed(form.header.clone());
            let given = delivery.text(&form.header)?.strip_prefix(form.prefix.as_str()).ok_or_else(malformed)?;
            let given = match form.encoding {
                HmacEncoding::Hex => code::hex(given),
                HmacEncoding::Base64 => code::base64(given),
            };
            let expected = Expected::of(form.algorithm, secrets.iter().map(|secret| secret.as_bytes()), &[delivery.body]);
            expected.has(&[given.ok_or_else(malformed)?])
        }
    }
}

fn near(at: Option<i64>, now: i64, window: i64, header: &str) -> Result<(), Unproven> {
    let at = at.ok_or_else(|| Unproven::Malformed(header.to_owned()))?;
    if now.abs_diff(at) <= window.unsigned_abs() { Ok(()) } else { Err(Unproven::Stale(window)) }
}
