//! The keys of tokens: which algorithm takes which field of the credential, and how text is signed and proved with it.

use mainspring_model::Fault;
use mainspring_model::action::Context;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{
    self, ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};
use schemars::JsonSchema;
use serde::Deserialize;

use super::secret::{credential, field, secret};

/// How tokens are signed. Written in the step, never read from a token: a token that says otherwise is refused.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq)]
#[schemars(inline)]
pub(super) enum Algorithm {
    #[serde(rename = "HS256")]
    Hs256,
    #[serde(rename = "HS384")]
    Hs384,
    #[serde(rename = "HS512")]
    Hs512,
    #[serde(rename = "RS256")]
    Rs256,
    #[serde(rename = "ES256")]
    Es256,
    #[serde(rename = "EdDSA")]
    EdDsa,
}

enum Private {
    Hmac(hmac::Key),
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair, SystemRandom),
    Ed25519(Ed25519KeyPair),
}

impl Algorithm {
    /// As headers of tokens have it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Algorithm::Hs256 => "HS256",
            Algorithm::Hs384 => "HS384",
            Algorithm::Hs512 => "HS512",
            Algorithm::Rs256 => "RS256",
            Algorithm::Es256 => "ES256",
            Algorithm::EdDsa => "EdDSA",
        }
    }

    fn hmac(self) -> Option<(hmac::Algorithm, usize)> {
        match self {
            Algorithm::Hs256 => Some((hmac::HMAC_SHA256, 32)),
            Algorithm::Hs384 => Some((hmac::HMAC_SHA384, 48)),
            Algorithm::Hs512 => Some((hmac::HMAC_SHA512, 64)),
            _ => None,
        }
    }

    pub(super) fn sign(self, text: &[u8], cx: &Context) -> Result<Vec<u8>, Fault> {
        let failed = |_| Fault::internal(format!("{} could not sign", self.name()));
        match self.private(cx)? {
            Private::Hmac(key) => Ok(hmac::sign(&key, text).as_ref().to_vec()),
            Private::Rsa(pair) => {
                let mut bytes = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut bytes).map_err(failed)?;
                Ok(bytes)
            }
            Private::Ecdsa(pair, random) => pair.sign(&random, text).map(|signed| signed.as_ref().to_vec()).map_err(failed),
            Private::Ed25519(pair) => Ok(pair.sign(text).as_ref().to_vec()),
        }
    }

    pub(super) fn is_signed(self, text: &[u8], signed: &[u8], cx: &Context) -> Result<bool, Fault> {
        if self.hmac().is_some() {
            let Private::Hmac(key) = self.private(cx)? else { return Ok(false) };
            return Ok(hmac::verify(&key, text, signed).is_ok());
        }
        let public = self.public(cx)?;
        let how: &dyn signature::VerificationAlgorithm = match self {
            Algorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
            Algorithm::Es256 => &ECDSA_P256_SHA256_FIXED,
            _ => &ED25519,
        };
        Ok(UnparsedPublicKey::new(how, public).verify(text, signed).is_ok())
    }

    fn private(self, cx: &Context) -> Result<Private, Fault> {
        if let Some((algorithm, least)) = self.hmac() {
            let secret = secret(cx)?;
            // RFC 7518, 3.2. A token is checked by whoever has it, as often as they like: a short secret is found.
            if secret.len() < least {
                let message = format!("the credential's secret has {} bytes; {} needs at least {least}", secret.len(), self.name());
                return Err(Fault::invalid_params(message));
            }
            return Ok(Private::Hmac(hmac::Key::new(algorithm, &secret)));
        }
        let pem = field(credential(cx)?, "private_key")?;
        let wrong = || Fault::invalid_params(format!("the credential's private_key is no PKCS #8 key for {} in PEM", self.name()));
        let key = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| wrong())?;
        let key = key.secret_pkcs8_der();
        match self {
            Algorithm::Rs256 => RsaKeyPair::from_pkcs8(key).map(Private::Rsa).map_err(|_| wrong()),
            Algorithm::Es256 => {
                let random = SystemRandom::new();
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key, &random).map_err(|_| wrong())?;
                Ok(Private::Ecdsa(pair, random))
            }
            _ => Ed25519KeyPair::from_pkcs8_maybe_unchecked(key).map(Private::Ed25519).map_err(|_| wrong()),
        }
    }

    /// The key itself, without the envelope that says what it is for.
    fn public(self, cx: &Context) -> Result<Vec<u8>, Fault> {
        let Some(pem) = credential(cx)?.field("public_key") else {
            return Ok(match self.private(cx)? {
                Private::Rsa(pair) => pair.public_key().as_ref().to_vec(),
                Private::Ecdsa(pair, _) => pair.public_key().as_ref().to_vec(),
                Private::Ed25519(pair) => pair.public_key().as_ref().to_vec(),
                Private::Hmac(_) => Vec::new(),
            });
        };
        let wrong = || Fault::invalid_params("the credential's public_key is no public key in PEM (BEGIN PUBLIC KEY)");
        let envelope = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).map_err(|_| wrong())?;
        key_of(&envelope).map(<[u8]>::to_vec).ok_or_else(wrong)
    }
}

/// `SEQUENCE { SEQUENCE algorithm, BIT STRING key }`. A key of another kind is found by the one who uses it.
fn key_of(envelope: &[u8]) -> Option<&[u8]> {
    let (inner, rest) = part(envelope, 0x30)?;
    let (_algorithm, bits) = part(inner, 0x30)?;
    let (bits, end) = part(bits, 0x03)?;
    let (unused, key) = bits.split_first()?;
    (rest.is_empty() && end.is_empty() && *unused == 0).then_some(key)
}

/// The content of what begins with `tag`, and what follows it.
fn part(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let long = usize::from(first & 0x7f);
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(long)?;
            (digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    (*found == tag).then_some(())?;
    rest.split_at_checked(length)
}
