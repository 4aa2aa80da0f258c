//! How each service signs: which header, over what, and whether the moment is part of it.

use jiff::Timestamp;
use mainspring_model::plan::signature::{HmacAlgorithm, Service};
use ring::signature::{ED25519, UnparsedPublicKey};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::code::{self, Expected};
use super::{Delivery, LINEAR_WINDOW, MOST_SIGNATURES, Unproven, WINDOW, near};

const SHA256: HmacAlgorithm = HmacAlgorithm::Sha256;

pub(super) fn verify(service: Service, secrets: &[&str], delivery: &Delivery<'_>) -> Result<(), Unproven> {
    let body = delivery.body;
    let keys = || secrets.iter().map(|secret| secret.as_bytes());
    match service {
        Service::Github => {
            let given = one_code(delivery, "x-hub-signature-256", "sha256=", code::hex)?;
            Expected::of(SHA256, keys(), &[body]).has(&[given])
        }
        Service::Gitlab => gitlab(secrets, delivery),
        Service::Stripe => {
            let header = "stripe-signature";
            let (at, given) = stripe(delivery.text(header)?).ok_or_else(|| Unproven::Malformed(header.to_owned()))?;
            Expected::of(SHA256, keys(), &[at.as_bytes(), b".", body]).has(&given)?;
            near(seconds(at), delivery.now, WINDOW, header)
        }
        Service::Slack => {
            let header = "x-slack-request-timestamp";
            let at = delivery.text(header)?;
            let given = one_code(delivery, "x-slack-signature", "v0=", code::hex)?;
            Expected::of(SHA256, keys(), &[b"v0:", at.as_bytes(), b":", body]).has(&[given])?;
            near(seconds(at), delivery.now, WINDOW, header)
        }
        Service::Shopify => {
            let given = one_code(delivery, "x-shopify-hmac-sha256", "", code::base64)?;
            Expected::of(SHA256, keys(), &[body]).has(&[given])
        }
        Service::Linear => {
            let given = one_code(delivery, "linear-signature", "", code::hex)?;
            Expected::of(SHA256, keys(), &[body]).has(&[given])?;
            near(linear_moment(body), delivery.now, LINEAR_WINDOW, "linear-signature")
        }
        Service::Discord => {
            let header = "x-signature-timestamp";
            let at = delivery.text(header)?;
            let given = one_code(delivery, "x-signature-ed25519", "", code::hex)?;
            let message = [at.as_bytes(), body].concat();
            let keys: Vec<Vec<u8>> = secrets.iter().filter_map(|key| code::hex(key)).collect();
            signed_by(&keys, &message, &[given])?;
            near(seconds(at), delivery.now, WINDOW, header)
        }
        Service::Zendesk => {
            let header = "x-zendesk-webhook-signature-timestamp";
            let at = delivery.text(header)?;
            let given = one_code(delivery, "x-zendesk-webhook-signature", "", code::base64)?;
            Expected::of(SHA256, keys(), &[at.as_bytes(), body]).has(&[given])?;
            near(at.parse::<Timestamp>().ok().map(Timestamp::as_millisecond), delivery.now, WINDOW, header)
        }
        Service::Typeform => {
            let given = one_code(delivery, "typeform-signature", "sha256=", code::base64)?;
            Expected::of(SHA256, keys(), &[body]).has(&[given])
        }
        Service::StandardWebhooks => {
            // Svix and its customers write the same under names of their own.
            let standard = delivery.headers.iter().any(|(name, _)| *name == "webhook-signature");
            let names = if standard { STANDARD } else { SVIX };
            standard_webhooks(names, secrets, delivery)
        }
        Service::Twilio => super::twilio::verify(secrets, delivery),
    }
}

/// The one code of a header.
fn one_code(delivery: &Delivery<'_>, header: &str, prefix: &str, read: fn(&str) -> Option<Vec<u8>>) -> Result<Vec<u8>, Unproven> {
    let malformed = || Unproven::Malformed(header.to_owned());
    delivery.text(header)?.strip_prefix(prefix).and_then(read).ok_or_else(malformed)
}

/// Unix seconds, in milliseconds.
fn seconds(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.len() <= 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse::<i64>().ok()).flatten().map(|seconds| seconds * 1_000)
}

/// `t=<seconds>,v1=<code>,v1=<code>,v0=…`: the moment as it is written, and the codes of the scheme that counts.
fn stripe(header: &str) -> Option<(&str, Vec<Vec<u8>>)> {
    let mut at = None;
    let mut given = Vec::new();
    for part in header.split(',') {
        match part.trim().split_once('=')? {
            ("t", moment) if at.is_none() => at = Some(moment),
            ("t", _) => return None,
            ("v1", code) => given.push(code::hex(code)?),
            _ => {}
        }
    }
    (!given.is_empty() && given.len() <= MOST_SIGNATURES).then_some((at?, given))
}

/// A secret token comes as it is; one that signs (`whsec_…`) is never sent, and whoever sends it has not signed.
fn gitlab(secrets: &[&str], delivery: &Delivery<'_>) -> Result<(), Unproven> {
    let (signing, plain): (Vec<&str>, Vec<&str>) = secrets.iter().partition(|secret| secret.starts_with(SIGNING));
    if plain.is_empty() || delivery.headers.iter().any(|(name, _)| *name == STANDARD.signature) && !signing.is_empty() {
        return standard_webhooks(STANDARD, &signing, delivery);
    }
    let given = Sha256::digest(delivery.one("x-gitlab-token")?);
    let mut found = Choice::from(0);
    for secret in plain {
        // Over hashes, so that not even the length shows.
        found |= Sha256::digest(secret.as_bytes()).as_slice().ct_eq(given.as_slice());
    }
    if bool::from(found) { Ok(()) } else { Err(Unproven::Wrong) }
}

/// The names of three headers.
#[derive(Clone, Copy)]
struct Names {
    id: &'static str,
    at: &'static str,
    signature: &'static str,
}

const STANDARD: Names = Names { id: "webhook-id", at: "webhook-timestamp", signature: "webhook-signature" };
const SVIX: Names = Names { id: "svix-id", at: "svix-timestamp", signature: "svix-signature" };
const SIGNING: &str = "whsec_";
const PUBLIC: &str = "whpk_";

fn standard_webhooks(names: Names, secrets: &[&str], delivery: &Delivery<'_>) -> Result<(), Unproven> {
    let malformed = || Unproven::Malformed(names.signature.to_owned());
    // A missing signature is what matters most to say.
    let signatures = delivery.text(names.signature)?;
    let (id, at) = (delivery.one(names.id)?, delivery.text(names.at)?);
    let (mut codes, mut public) = (Vec::new(), Vec::new());
    for part in signatures.split_ascii_whitespace() {
        match part.split_once(',').ok_or_else(malformed)? {
            ("v1", text) => codes.push(code::base64(text).ok_or_else(malformed)?),
            ("v1a", text) => public.push(code::base64(text).ok_or_else(malformed)?),
            // Of a later version of the standard.
            _ => {}
        }
    }
    if codes.len() + public.len() == 0 || codes.len() + public.len() > MOST_SIGNATURES {
        return Err(malformed());
    }
    let parts: [&[u8]; 5] = [id, b".", at.as_bytes(), b".", delivery.body];
    let plain = secrets.iter().filter(|secret| !secret.starts_with(SIGNING) && !secret.starts_with(PUBLIC));
    let decoded: Vec<Vec<u8>> = secrets.iter().filter_map(|secret| code::base64(secret.strip_prefix(SIGNING).unwrap_or(secret))).collect();
    // A secret without the mark may be either: the bytes that it encodes, or itself.
    let expected = Expected::of(SHA256, decoded.iter().map(Vec::as_slice), &parts);
    let expected = expected.and(Expected::of(SHA256, plain.map(|secret| secret.as_bytes()), &parts));
    let keys: Vec<Vec<u8>> = secrets.iter().filter_map(|secret| code::base64(secret.strip_prefix(PUBLIC)?)).collect();
    let proven = expected.has(&codes).or_else(|_| signed_by(&keys, &parts.concat(), &public));
    proven?;
    near(seconds(at), delivery.now, WINDOW, names.at)
}

/// Whether one of the public keys' owners signed the message.
fn signed_by(keys: &[Vec<u8>], message: &[u8], given: &[Vec<u8>]) -> Result<(), Unproven> {
    let fits = |key: &Vec<u8>, signature: &Vec<u8>| UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok();
    // Public keys are no secrets: it does not matter which one fits, or when.
    if keys.iter().any(|key| given.iter().any(|signature| fits(key, signature))) { Ok(()) } else { Err(Unproven::Wrong) }
}

/// Linear writes the moment into the body.
fn linear_moment(body: &[u8]) -> Option<i64> {
    #[derive(Deserialize)]
    struct Moment {
        #[serde(rename = "webhookTimestamp")]
        at: i64,
    }
    serde_json::from_slice::<Moment>(body).ok().map(|moment| moment.at)
}
