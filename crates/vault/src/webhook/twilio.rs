//! How Twilio signs: the address that it called, then the fields of a form in order of their names, or the hash of any other body.

use std::collections::{BTreeMap, BTreeSet};

use mainspring_model::plan::signature::HmacAlgorithm;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::code::{self, Expected};
use super::{Delivery, Unproven};

const HEADER: &str = "x-twilio-signature";
/// A parameter that Twilio adds to the address where the body is no form.
const BODY_HASH: &str = "bodySHA256";

pub(super) fn verify(secrets: &[&str], delivery: &Delivery<'_>) -> Result<(), Unproven> {
    let given = code::base64(delivery.text(HEADER)?).ok_or_else(|| Unproven::Malformed(HEADER.to_owned()))?;
    let hash = delivery.urls.first().and_then(|url| body_hash(url));
    let fields = match &hash {
        Some(hash) => {
            let ours = Sha256::digest(delivery.body);
            if !bool::from(code::hex(hash).unwrap_or_default().as_slice().ct_eq(ours.as_slice())) {
                return Err(Unproven::Wrong);
            }
            String::new()
        }
        None if delivery.is_form() => fields(delivery.body),
        None if delivery.body.is_empty() => String::new(),
        // Nothing of this body would be signed.
        None => return Err(Unproven::Wrong),
    };
    let nothing = Expected::of(HmacAlgorithm::Sha1, std::iter::empty(), &[]);
    let keys = || secrets.iter().map(|secret| secret.as_bytes());
    let expected = delivery
        .urls
        .iter()
        .fold(nothing, |expected, url| expected.and(Expected::of(HmacAlgorithm::Sha1, keys(), &[url.as_bytes(), fields.as_bytes()])));
    expected.has(&[given])
}

fn body_hash(url: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == BODY_HASH).map(|(_, value)| value.into_owned())
}

/// Each name with its value behind it, in order of the names; of a name that comes more than once, each different value.
fn fields(body: &[u8]) -> String {
    let mut sorted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(body) {
        sorted.entry(name.into_owned()).or_default().insert(value.into_owned());
    }
    sorted.iter().flat_map(|(name, values)| values.iter().flat_map(move |value| [name.as_str(), value.as_str()])).collect()
}
