//! Tokens we hand out: a prefix, 256 random bits in base62 and a checksum; only their SHA-256 is stored.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{Entropy, Secret, VaultError};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 62⁴³ > 2²⁵⁶.
const BODY: usize = 43;
/// 62⁶ > 2³².
const CHECK: usize = 6;

/// A token in the clear, shown once. `prefix` + 43 characters + 6 of checksum; a scanner for leaked keys can tell it offline.
#[derive(Clone, Debug)]
pub struct Token(Secret);

impl Token {
    /// The prefix of API keys.
    pub const API_KEY: &'static str = "msk_";
    /// The prefix of refresh tokens.
    pub const REFRESH: &'static str = "msr_";
    /// The prefix of what a browser's session cookie holds.
    pub const COOKIE: &'static str = "mss_";
    /// The prefix of tokens in links and of short challenges, each good for one thing, once.
    pub const ONCE: &'static str = "mso_";

    /// A new token. `prefix` says what it is for, such as [`Token::API_KEY`]. Errors: `VAULT_NO_ENTROPY`.
    pub fn generate(prefix: &str, entropy: &dyn Entropy) -> Result<Token, VaultError> {
        let mut bytes = Zeroizing::new([0u8; 32]);
        entropy.fill(&mut *bytes)?;
        let mut text = String::with_capacity(prefix.len() + BODY + CHECK);
        text.push_str(prefix);
        text.push_str(&base62(&mut *bytes, BODY));
        let check = checksum(&text);
        text.push_str(&check);
        Ok(Token(Secret::new(text)))
    }

    /// Reads a token of this prefix; surrounding spaces are forgiven. Errors: `VAULT_TOKEN_MALFORMED`, without echoing the text.
    pub fn parse(prefix: &str, text: &str) -> Result<Token, VaultError> {
        let text = text.trim();
        let malformed = |reason| VaultError::TokenMalformed { reason };
        let rest = text.strip_prefix(prefix).ok_or(malformed("it does not begin with the expected prefix"))?;
        if rest.len() != BODY + CHECK {
            return Err(malformed("it has the wrong length; was it copied in full?"));
        }
        if !rest.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(malformed("it holds characters that no token has"));
        }
        let (body, check) = text.split_at(text.len() - CHECK);
        if !bool::from(checksum(body).as_bytes().ct_eq(check.as_bytes())) {
            return Err(malformed("its checksum does not fit; was it copied in full?"));
        }
        Ok(Token(Secret::new(text)))
    }

    /// The text to hand out.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// What is stored and looked up.
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.expose().as_bytes()).into())
    }

    /// The first characters, enough for a person to tell keys apart and far too few to guess one: `msk_Ab3d…`.
    pub fn hint(&self) -> String {
        let text = self.expose();
        format!("{}…", &text[..text.len() - BODY - CHECK + 4])
    }
}

/// SHA-256 of a token. A plain hash is enough: there is nothing to guess in 256 random bits. Compared in constant time.
#[derive(Clone, Copy, Debug)]
pub struct TokenHash(pub [u8; 32]);

impl TokenHash {
    /// Takes a stored hash back. Errors: `VAULT_MALFORMED` unless it has 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<TokenHash, VaultError> {
        bytes.try_into().map(TokenHash).map_err(|_| VaultError::Malformed { reason: "a token hash has 32 bytes" })
    }
}

impl PartialEq for TokenHash {
    fn eq(&self, other: &TokenHash) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for TokenHash {}

impl fmt::Display for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn checksum(text: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(b"mainspring/token-checksum/v1\0");
    hash.update(text.as_bytes());
    let hash: [u8; 32] = hash.finalize().into();
    let mut four: [u8; 4] = hash[..4].try_into().expect("4 of 32 bytes");
    base62(&mut four, CHECK).to_string()
}

/// The big-endian number in `number` as exactly `length` digits; uses up `number`.
fn base62(number: &mut [u8], length: usize) -> Zeroizing<String> {
    let mut digits = Zeroizing::new(vec![b'0'; length]);
    for digit in digits.iter_mut().rev() {
        let mut remainder = 0u32;
        for byte in number.iter_mut() {
            let value = (remainder << 8) | u32::from(*byte);
            *byte = u8::try_from(value / 62).expect("the remainder is below 62");
            remainder = value % 62;
        }
        *digit = ALPHABET[remainder as usize];
    }
    Zeroizing::new(String::from_utf8(std::mem::take(&mut *digits)).expect("the alphabet is ASCII"))
}
