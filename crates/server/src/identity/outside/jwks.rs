//! An issuer's published keys, each of which knows one algorithm.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::Deserialize;

#[derive(Deserialize)]
struct Document {
    keys: Vec<Written>,
}

#[derive(Deserialize)]
struct Written {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// Keys that signatures are checked by.
pub struct Jwks(Vec<Key>);

/// A key and the one algorithm that it is for: which one a token names is compared with it and never chosen by it.
pub struct Key {
    kid: Option<String>,
    algorithm: &'static str,
    material: Material,
}

enum Material {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// Uncompressed point.
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl Jwks {
    /// Reads a key set. What it holds beside keys for signatures of a kind that is known is left out: symmetric keys above all.
    ///
    /// # Errors
    /// It is no key set.
    pub fn parse(text: &[u8]) -> Result<Jwks, String> {
        let document: Document = serde_json::from_slice(text).map_err(|error| format!("its keys cannot be read: {error}"))?;
        Ok(Jwks(document.keys.into_iter().filter_map(Key::of).collect()))
    }

    /// The key that a token names; of one alone no name is needed.
    pub fn find(&self, kid: Option<&str>) -> Option<&Key> {
        match (kid, self.0.as_slice()) {
            (Some(kid), keys) => keys.iter().find(|key| key.kid.as_deref() == Some(kid)),
            (None, [only]) => Some(only),
            (None, _) => None,
        }
    }
}

impl Key {
    fn of(written: Written) -> Option<Key> {
        if written.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return None;
        }
        let bytes = |text: Option<String>| URL_SAFE_NO_PAD.decode(text?).ok();
        let (algorithm, material) = match (written.kty.as_str(), written.crv.as_deref()) {
            ("RSA", None) => ("RS256", Material::Rsa { n: bytes(written.n)?, e: bytes(written.e)? }),
            ("EC", Some("P-256")) => {
                let (x, y) = (bytes(written.x)?, bytes(written.y)?);
                ("ES256", Material::P256([&[4], x.as_slice(), &y].concat()))
            }
            ("OKP", Some("Ed25519")) => ("EdDSA", Material::Ed25519(bytes(written.x)?)),
            _ => return None,
        };
        written.alg.is_none_or(|alg| alg == algorithm).then_some(Key { kid: written.kid, algorithm, material })
    }

    pub fn algorithm(&self) -> &'static str {
        self.algorithm
    }

    pub fn has_signed(&self, text: &[u8], signed: &[u8]) -> bool {
        let checked = match &self.material {
            Material::Rsa { n, e } => RsaPublicKeyComponents { n, e }.verify(&signature::RSA_PKCS1_2048_8192_SHA256, text, signed),
            Material::P256(point) => UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point).verify(text, signed),
            Material::Ed25519(key) => UnparsedPublicKey::new(&signature::ED25519, key).verify(text, signed),
        };
        checked.is_ok()
    }
}
