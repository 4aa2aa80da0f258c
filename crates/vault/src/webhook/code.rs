//! Codes of messages: what each secret would have written, and the comparison that tells nothing.

use base64::Engine;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit, Mac};
use mainspring_model::plan::signature::HmacAlgorithm;
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use subtle::{Choice, ConstantTimeEq};

use super::Unproven;

/// What may stand there, one for each secret.
pub(super) struct Expected(Vec<Vec<u8>>);

impl Expected {
    /// The codes of a message, given in parts.
    pub(super) fn of<'k>(algorithm: HmacAlgorithm, keys: impl Iterator<Item = &'k [u8]>, parts: &[&[u8]]) -> Expected {
        Expected(keys.map(|key| mac(algorithm, key, parts)).collect())
    }

    pub(super) fn and(mut self, other: Expected) -> Expected {
        self.0.extend(other.0);
        self
    }

    /// Whether one of the given codes is one of ours; all are compared, whichever fits.
    pub(super) fn has(&self, given: &[Vec<u8>]) -> Result<(), Unproven> {
        let mut found = Choice::from(0);
        for ours in &self.0 {
            for theirs in given {
                found |= ours.as_slice().ct_eq(theirs.as_slice());
            }
        }
        if bool::from(found) { Ok(()) } else { Err(Unproven::Wrong) }
    }
}

fn mac(algorithm: HmacAlgorithm, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    fn of<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().to_vec()
    }
    match algorithm {
        HmacAlgorithm::Sha1 => of::<Hmac<Sha1>>(key, parts),
        HmacAlgorithm::Sha256 => of::<Hmac<Sha256>>(key, parts),
        HmacAlgorithm::Sha512 => of::<Hmac<Sha512>>(key, parts),
    }
}

/// The longest code of ours, in characters of either encoding.
const LONGEST: usize = 128;

pub(super) fn hex(text: &str) -> Option<Vec<u8>> {
    let bytes = text.as_bytes();
    if bytes.is_empty() || bytes.len() > LONGEST || !bytes.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    bytes.chunks_exact(2).map(|pair| u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()).collect()
}

/// With or without padding, but nothing else beside the alphabet.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    const ENGINE: GeneralPurpose =
        GeneralPurpose::new(&ALPHABET, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));
    if text.is_empty() || text.len() > LONGEST {
        return None;
    }
    ENGINE.decode(text).ok()
}
